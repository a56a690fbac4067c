"""Delivery: a recognised msg, or mail between own addresses, becomes mail in a mailbox. All within one transaction.

Duplicates are known by their content id (I13, I14): the second copy of a message is not shown, but acknowledged again.
"""

from dataclasses import dataclass

from bmgate.bm.addresses import Address
from bmgate.bm.encodings import EXTENDED, IGNORE, SIMPLE, DecodedMessage, encode_message
from bmgate.bm.network import MAX_FUTURE_EXPIRY_SECONDS
from bmgate.bm.plaintext import Pubkey
from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import TAKE_MAIL, MailboxId, MailboxKind
from bmgate.domain.objects import StoredObject
from bmgate.domain.policy import Policy, Reads
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Failpoints, Store
from bmgate.domain.thread import Exchange
from bmgate.errors import OverQuota
from bmgate.mail.incoming_body import parts_of
from bmgate.mail.message_identity import content_id
from bmgate.mail.read import from_decoded
from bmgate.mail.reading import Kind, Manner, Reading
from bmgate.pow.target import is_work_sufficient
from bmgate.services.delivery.arrivals import Arrival
from bmgate.services.delivery.posting import Post, Poster
from bmgate.services.delivery.strangers import Welcome, is_known, requests_mailbox, welcome
from bmgate.services.objects.acks import AckSender
from bmgate.services.policies import Policies


@dataclass(frozen=True, slots=True, repr=False)
class LocalMail:
    """Mail from one identity of an account to another of the same; `ack_data` tells repeats apart as on the network.

    What it answers, if anything, stands in `decoded.parents` as for mail that travels.
    """

    account: AccountId
    sender: Address
    recipient: Address
    decoded: DecodedMessage
    ack_data: bytes


@dataclass(frozen=True, slots=True)
class Delivered:
    """What came of an arrival: the mailbox that got a mail, and the ack to publish.

    What `is_wanted` went neither to Junk nor to Requests.
    """

    mailbox: MailboxId | None = None
    ack: StoredObject | None = None
    is_wanted: bool = True


@dataclass(frozen=True, slots=True)
class Deliverer:
    """Decides what becomes of what arrived, and has it written into mailboxes."""

    poster: Poster
    acks: AckSender
    failpoints: Failpoints
    policies: Policies

    def deliver(self, store: Store, arrival: Arrival, now: int) -> Delivered:
        """Deliver a msg with its duplicate tag, and prepare its ack; nothing for what is not wanted (P16, I1)."""
        mine = store.account(arrival.key.account)
        sender = arrival.msg.sender.address
        is_contact = is_known(mine, sender)
        if arrival.msg.encoding == IGNORE or not (is_contact or self._pays_our_demand(store, arrival, now)):
            return Delivered()
        how = welcome(mine, sender, arrival.reading, arrival.policy)
        content = _content_id(arrival)
        mailbox = None
        if mine.duplicates.seen(content):
            self.poster.note_copy(mine, content, _between(arrival), arrival.object.vector, now)
        else:
            self.failpoints.pass_("delivery.store")
            try:
                mailbox = self._deliver_new(mine, arrival, content, now, how)
            except OverQuota:  # not confirmed, so its sender sends it again later
                return Delivered()
        mine.duplicates.remember(content, arrival.object.expires_time + MAX_FUTURE_EXPIRY_SECONDS)
        mine.duplicates.forget(now)
        mine.threads.forget(now)
        if how is Welcome.WAITING:
            self._hold(mine, arrival, content, now)
        if how is not Welcome.WANTED or not self._confirms(store, arrival, now, is_contact=is_contact):
            return Delivered(mailbox, is_wanted=how is Welcome.WANTED)
        return Delivered(mailbox, self.acks.prepared(arrival.msg.ack, now))

    def deliver_local(self, store: Store, mail: LocalMail, now: int) -> MailboxId:
        """Mail that needs no network (M9)."""
        mine = store.account(mail.account)
        owner = mine.identities.find(mail.recipient)
        policy = self.policies.of(mine, identity=owner.id if owner else None, contact=mail.sender)
        encoding = EXTENDED if mail.decoded.files or mail.decoded.parents else SIMPLE
        data = encode_message(mail.decoded.subject, mail.decoded.body)
        content = content_id(mail.sender, mail.recipient, encoding, data, mail.ack_data, b"")
        reading = from_decoded(mail.decoded, Manner(Kind.LOCAL))
        post = Post(
            sender=mail.sender,
            recipient=mail.recipient,
            encoding=encoding,
            reading=reading,
            parts=parts_of(reading),
            content_id=content,
            vector=content,
            between=Exchange(mail.recipient, mail.sender),
            by_subject=policy.thread_by_subject,
        )
        mailbox = _mailbox(mine, policy, Welcome.WANTED, now)
        self.poster.post(mine, post, mailbox, now)
        return mailbox

    def _deliver_new(self, mine: AccountStore, arrival: Arrival, content: bytes, now: int, how: Welcome) -> MailboxId:
        """A mail, and what is learnt from it of its sender."""
        sender = arrival.msg.sender.address
        post = Post(
            sender=sender,
            recipient=arrival.key.address,
            encoding=arrival.msg.encoding,
            reading=arrival.reading,
            parts=arrival.parts,
            content_id=content,
            vector=arrival.object.vector,
            between=_between(arrival),
            by_subject=arrival.policy.thread_by_subject,
            first_contact=mine.contacts.note_correspondent(sender),
        )
        mailbox = _mailbox(mine, arrival.policy, how, now)
        self.poster.post(mine, post, mailbox, now)
        reads = shown_to_read(arrival.msg.sender, arrival.msg.encoding, arrival.reading)
        if reads is not Reads.AUTO:
            mine.contacts.learn_reads(sender, reads)
        return mailbox

    def _hold(self, mine: AccountStore, arrival: Arrival, content: bytes, now: int) -> None:
        """Keep its ack until the owner wants mail of this sender."""
        mine.held_acks.forget(now)
        if not arrival.msg.ack or not self.acks.wants(is_contact=True, policy=arrival.policy.ack):
            return
        ack = self.acks.prepared(arrival.msg.ack, now)
        if ack is not None:
            mine.held_acks.hold(arrival.msg.sender.address, content, arrival.msg.ack, ack.object.expires_time)

    def _confirms(self, store: Store, arrival: Arrival, now: int, *, is_contact: bool) -> bool:
        if not arrival.msg.ack or not self.acks.wants(is_contact=is_contact, policy=arrival.policy.ack):
            return False
        return is_contact or self.acks.has_left(store, arrival.msg.sender.address, now)

    def _pays_our_demand(self, store: Store, arrival: Arrival, now: int) -> bool:
        """Whether the msg carries the work its recipient demands; it was relayed either way."""
        identity = store.identities.by_address(arrival.key.address)
        return identity is not None and is_work_sufficient(
            arrival.object.encoded, now, identity.nonce_trials_per_byte, identity.payload_length_extra_bytes
        )


def _content_id(arrival: Arrival) -> bytes:
    msg = arrival.msg
    sender, recipient = msg.sender.address, arrival.key.address
    return content_id(sender, recipient, msg.encoding, msg.message, msg.ack_data, msg.signed_data)


def _between(arrival: Arrival) -> Exchange:
    return Exchange(arrival.key.address, arrival.msg.sender.address)


def _mailbox(mine: AccountStore, policy: Policy, how: Welcome, now: int) -> MailboxId:
    """Where mail goes: INBOX, unless the identity's owner named another mailbox that is there and takes mail (M3)."""
    if how is Welcome.JUNK:
        return mine.mailboxes.by_kind(MailboxKind.JUNK).id
    if how is Welcome.WAITING:
        return requests_mailbox(mine, now).id
    named = mine.mailboxes.find(policy.deliver_to)
    if named is not None and named.kind in TAKE_MAIL:
        return named.id
    return mine.mailboxes.by_kind(MailboxKind.INBOX).id


def shown_to_read(sender: Pubkey, encoding: int, reading: Reading) -> Reads:
    """What a message shows that its sender's program reads (O11); AUTO where it shows nothing."""
    if sender.reads_files:
        return Reads.FILES
    if encoding == EXTENDED and (reading.parents or reading.files) and reading.is_readable:
        return Reads.FILES
    return Reads.MIME if "I8" in reading.rules else Reads.AUTO
