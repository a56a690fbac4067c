"""Delivery: a recognised msg, or mail between own addresses, becomes mail in a mailbox. All within one transaction.

Duplicates are known by their content id (I13, I14): the second copy of a message is not shown, but acknowledged again.
"""

from dataclasses import dataclass

from bmgate.bm.addresses import Address
from bmgate.bm.encodings import IGNORE, SIMPLE, DecodedMessage, UndecodableMessage, decode_message, encode_message
from bmgate.bm.network import MAX_FUTURE_EXPIRY_SECONDS
from bmgate.bm.objects import BitmessageObject
from bmgate.bm.plaintext import Msg
from bmgate.domain.account import AccountId
from bmgate.domain.identity import ReceivingKey
from bmgate.domain.mailbox import Flags, MailboxId, MailboxKind
from bmgate.domain.objects import StoredObject
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Failpoints, Store
from bmgate.errors import OverQuota
from bmgate.mail.incoming import IncomingMail, Kind, content_id, message_id, render
from bmgate.pow.target import is_work_sufficient
from bmgate.services.acks import AckSender
from bmgate.services.mailboxes import indexed, to_minute


@dataclass(frozen=True, slots=True, repr=False)
class Arrival:
    """A msg that one of our keys opened."""

    key: ReceivingKey
    object: BitmessageObject
    msg: Msg


@dataclass(frozen=True, slots=True, repr=False)
class LocalMail:
    """Mail from one identity of an account to another of the same; `ack_data` tells repeats apart as on the network."""

    account: AccountId
    sender: Address
    recipient: Address
    subject: str
    body: str
    ack_data: bytes


@dataclass(frozen=True, slots=True)
class Delivered:
    """What came of an arrival: the mailbox that got a mail, and the ack to publish."""

    mailbox: MailboxId | None = None
    ack: StoredObject | None = None


@dataclass(frozen=True, slots=True)
class Deliverer:
    """Writes mail into mailboxes. `domain` is what addresses are written under."""

    domain: str
    acks: AckSender
    failpoints: Failpoints

    def deliver(self, store: Store, arrival: Arrival, now: int) -> Delivered:
        """Deliver a msg with its duplicate tag, and prepare its ack; nothing for what is not wanted (P16, I1)."""
        mine = store.account(arrival.key.account)
        sender = arrival.msg.sender.address
        is_contact = bool(mine.contacts.label_of(sender))
        if arrival.msg.encoding == IGNORE or not (is_contact or self._pays_our_demand(store, arrival, now)):
            return Delivered()
        has_left = is_contact or self.acks.has_left(store, sender, now)
        confirmed = has_left and self._confirms(arrival, is_contact=is_contact)
        ack = self.acks.prepared(arrival.msg.ack, now) if confirmed else None
        mail = self._incoming(mine, arrival, sender, now)
        mailbox = None
        if not mine.duplicates.seen(mail.content_id):
            self.failpoints.pass_("delivery.store")
            try:
                mailbox = self._store_mail(mine, mail)
            except OverQuota:  # not confirmed, so its sender sends it again later
                return Delivered()
        mine.duplicates.remember(mail.content_id, arrival.object.expires_time + MAX_FUTURE_EXPIRY_SECONDS)
        mine.duplicates.forget(now)
        return Delivered(mailbox, ack)

    def deliver_local(self, store: Store, mail: LocalMail, now: int) -> MailboxId:
        """Mail that needs no network (M9)."""
        mine = store.account(mail.account)
        data = encode_message(mail.subject, mail.body)
        content = content_id(mail.sender, mail.recipient, SIMPLE, data, mail.ack_data, b"")
        return self._store_mail(
            mine,
            IncomingMail(
                kind=Kind.LOCAL,
                sender=mail.sender,
                recipient=mail.recipient,
                encoding=SIMPLE,
                data=data,
                decoded=DecodedMessage(mail.subject, mail.body),
                content_id=content,
                received_at=now,
                sender_label=_label(mine, mail.sender),
                recipient_label=_label(mine, mail.recipient),
            ),
        )

    def _incoming(self, mine: AccountStore, arrival: Arrival, sender: Address, now: int) -> IncomingMail:
        msg, recipient = arrival.msg, arrival.key.address
        return IncomingMail(
            kind=Kind.MSG,
            sender=sender,
            recipient=recipient,
            encoding=msg.encoding,
            data=msg.message,
            decoded=_decoded(msg),
            content_id=content_id(sender, recipient, msg.encoding, msg.message, msg.ack_data, msg.signed_data),
            received_at=now,
            sender_label=_label(mine, sender),
            recipient_label=_label(mine, recipient),
            first_contact=mine.contacts.note_correspondent(sender),
        )

    def _store_mail(self, mine: AccountStore, mail: IncomingMail) -> MailboxId:
        raw = render(mail, mine.secrets.id_key, self.domain)
        tag = mine.messages.message_id_tag(message_id(mine.secrets.id_key, mail.content_id, self.domain))
        content = mine.messages.add_content(indexed(raw).content(tag))
        inbox = mine.mailboxes.by_kind(MailboxKind.INBOX)
        mine.messages.append(inbox.id, content, Flags.NONE, (), to_minute(mail.received_at))
        return inbox.id

    def _confirms(self, arrival: Arrival, *, is_contact: bool) -> bool:
        return bool(arrival.msg.ack) and self.acks.wants(is_contact=is_contact)

    def _pays_our_demand(self, store: Store, arrival: Arrival, now: int) -> bool:
        """Whether the msg carries the work its recipient demands; it was relayed either way."""
        identity = store.identities.by_address(arrival.key.address)
        return identity is not None and is_work_sufficient(
            arrival.object.encoded, now, identity.nonce_trials_per_byte, identity.payload_length_extra_bytes
        )


def _decoded(msg: Msg) -> DecodedMessage | None:
    try:
        return decode_message(msg.encoding, msg.message)
    except UndecodableMessage:
        return None


def _label(mine: AccountStore, address: Address) -> str:
    """The account's own word for an address: of an identity, or of a contact."""
    own = next((identity.label for identity in mine.identities.all() if identity.address == address), "")
    return own or mine.contacts.label_of(address)
