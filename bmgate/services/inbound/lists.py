"""Mailing lists: an identity that broadcasts to its subscribers what it receives (O16, protocol 12.2).

An identity is one by its option `list`. With `moderate` a mail waits in Requests; what its owner moves from there to
INBOX is passed on. What came by broadcast never reaches an identity, and what looks passed on already, or written by a
program, is not passed on: a list cannot answer itself or another. The rows are ordinary ones of the outbox, stored with
the mail, or in the transaction of its move.
"""

import hmac
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import partial

from bmgate.bm.addresses import Address, parse_address
from bmgate.bm.encodings import File
from bmgate.bm.keys import Entropy
from bmgate.domain.identity import Identity, IdentityId
from bmgate.domain.mailbox import MailboxId, StoredMessage
from bmgate.domain.outbox import Kind, NewOutgoing, NewSubmission, OutgoingMessage, Priority, ReturnContent
from bmgate.domain.policy import Attachments, Policy
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Store
from bmgate.domain.ports.world import Clock
from bmgate.errors import BadAddress, Refused, UnsupportedMedia
from bmgate.mail.forms import Text, as_inline, as_named
from bmgate.mail.headers import raw_field
from bmgate.mail.lists import may_pass_on, passed_on
from bmgate.mail.outgoing import Attached, convert
from bmgate.mail.parse import parse_header
from bmgate.mail.reading import Kind as Came
from bmgate.services.delivery.arrivals import Arrival
from bmgate.services.mailboxes.indexed import to_minute
from bmgate.services.mailboxes.mailbox_rules import Effects
from bmgate.services.outbound.payloads import Payload
from bmgate.services.outbound.queue_ids import new_queue_id
from bmgate.services.policies import Policies

_OF_A_PERSON = frozenset({Came.MSG.value, Came.LOCAL.value})


@dataclass(frozen=True, slots=True, repr=False)
class _Mail:
    """What is passed on; `tag` tells whether it was before, empty where that cannot be."""

    author: Address
    subject: str
    body: str
    files: tuple[Attached, ...]
    tag: bytes = b""


@dataclass(frozen=True, slots=True)
class MailingLists:
    """Passes mail on. `accepted` is told new rows after the commit; `max_queued` as for submissions."""

    policies: Policies
    clock: Clock
    entropy: Entropy
    accepted: Callable[[Iterable[OutgoingMessage]], None]
    max_queued: int = 500

    def answer(self, store: Store, arrival: Arrival, now: int) -> list[OutgoingMessage]:
        """Pass on a msg that was delivered now, where it came to a list."""
        policy, reading = arrival.policy, arrival.reading
        if not policy.list or reading.kind is not Came.MSG or not reading.is_readable:
            return []
        mine, author = store.account(arrival.key.account), arrival.msg.sender.address
        mail = _Mail(author, reading.subject, reading.body, _attached(reading.files))
        return self._pass_on(mine, mine.identities.get(arrival.key.identity), policy, mail, now)

    def delivered(self, store: Store, row: OutgoingMessage, payload: Payload, now: int) -> list[OutgoingMessage]:
        """Pass on mail from another identity of the same account, which takes no object (M9): its owner approves."""
        mine = store.account(row.account)
        identity = mine.identities.find(row.recipient)
        if identity is None or identity.id == row.identity:
            return []
        author, policy = mine.identities.get(row.identity).address, self.policies.of(mine, identity.id)
        mail = _Mail(author, payload.subject, payload.body, _attached(payload.files))
        return self._pass_on(mine, identity, policy, mail, now)

    def approved(self, mine: AccountStore, mailbox: MailboxId, uids: Collection[int]) -> Effects:
        """Pass on mails that leave Requests for INBOX, each once; within the transaction of their move."""
        rows = [row for stored in mine.messages.messages(mailbox, uids) for row in self._approve(mine, stored)]
        return (partial(self.accepted, rows),) if rows else ()

    def _approve(self, mine: AccountStore, stored: StoredMessage) -> list[OutgoingMessage]:
        identity = _list_of(mine, stored.header)
        policy = None if identity is None else self.policies.of(mine, identity.id)
        if identity is None or policy is None or not policy.list:
            return []
        mail = _stored_mail(mine, stored)
        if mail is None or mine.outbox.find_repeat(mail.tag, 0) is not None:
            return []
        return self._pass_on(mine, identity, policy, mail, self.clock.now())

    def _pass_on(
        self, mine: AccountStore, identity: Identity, policy: Policy, mail: _Mail, now: int
    ) -> list[OutgoingMessage]:
        if not policy.list or not may_pass_on(mail.subject, mail.body):
            return []
        if mine.outbox.unfinished_count() >= self.max_queued:
            return []
        body = _with_files(mail, policy)
        subject, body = passed_on(policy.list, mail.author, mail.subject, body, to_minute(now))
        return mine.outbox.add(
            self._submission(mine, identity.id, subject, body, mail.tag, now), [_row(identity, policy)]
        )

    def _submission(
        self, mine: AccountStore, identity: IdentityId, subject: str, body: str, tag: bytes, now: int
    ) -> NewSubmission:
        return NewSubmission(
            identity=identity,
            queue_id=new_queue_id(mine.outbox, self.entropy),
            subject=subject,
            body=body,
            message_id="",
            ret=ReturnContent.HEADERS,
            envelope_id="",
            sent_content=None,
            repeat_tag=tag,
            created_at=now,
        )


def _row(identity: Identity, policy: Policy) -> NewOutgoing:
    """To the subscribers. Its owner hears of it only when it fails."""
    return NewOutgoing(
        n=1,
        recipient=identity.address,
        ack_data=b"",
        ttl_seconds=policy.ttl,
        priority=Priority.LOW,
        notify=("FAILURE",) if "FAILURE" in policy.notify else ("NEVER",),
        original_recipient="",
        kind=Kind.BROADCAST,
    )


def _attached(files: Iterable[File]) -> tuple[Attached, ...]:
    return tuple(Attached(file) for file in files)


def _with_files(mail: _Mail, policy: Policy) -> str:
    """The text with its files as far as every reader sees them: nobody is there to be told that some are refused."""
    text = Text(mail.subject, mail.body, mail.files)
    if policy.attachments is Attachments.INLINE:
        try:
            return as_inline(text).body
        except UnsupportedMedia:
            pass
    return as_named(text).body


def _list_of(mine: AccountStore, header: bytes) -> Identity | None:
    """The identity a stored mail was delivered to."""
    reached = raw_field(parse_header(header), "Delivered-To").decode("ascii", "replace").strip().partition("@")[0]
    return next((each for each in mine.identities.all() if str(each.address) == reached), None)


def _stored_mail(mine: AccountStore, stored: StoredMessage) -> _Mail | None:
    """What somebody wrote, from the mail as it was delivered; None for what no person signed."""
    fields = parse_header(stored.header)
    kind = raw_field(fields, "X-Bitmessage-Kind").decode("ascii", "replace").strip()
    word, _, address = raw_field(fields, "X-Bitmessage-Key").decode("ascii", "replace").strip().partition(" ")
    if kind not in _OF_A_PERSON or word != "verified":
        return None
    try:
        author, mail = parse_address(address.strip()), convert(stored.header + stored.body)
    except (BadAddress, Refused):
        return None
    tag = hmac.digest(mine.secrets.dedupe_key, b"list" + mail.message_id.encode(), "sha256")
    return _Mail(author, mail.subject, mail.body, mail.files, tag)
