"""Submission: mail given to us becomes rows of the outbox, durable before anybody is told so (O1, C1).

Checks come in the order of the dialogue: the sender at MAIL, each recipient at RCPT, everything together after DATA.
What the doors do with the errors is theirs.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, replace

from bmgate.bm.acks import build_ack_data
from bmgate.bm.addresses import Address
from bmgate.bm.keys import Entropy
from bmgate.bm.network import NetworkParameters
from bmgate.domain.account import AccountId
from bmgate.domain.identity import Identity
from bmgate.domain.mailbox import Flags, MailboxId, MailboxKind
from bmgate.domain.outbox import NewOutgoing, NewSubmission, OutgoingMessage, ReturnContent
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Database, Failpoints, Store
from bmgate.domain.ports.world import Clock, Solver
from bmgate.errors import Ambiguous, BadAddress, IdentityDisabled, LimitReached, Missing, NotAllowed, NotOwner, TooLarge
from bmgate.mail.addresses import Domains, RecipientKind, Resolved, mail_address, resolve_recipient, resolve_sender
from bmgate.mail.causes import duration_words
from bmgate.mail.headers import AddrSpec
from bmgate.mail.outgoing import OutgoingText, convert
from bmgate.mail.wishes import chosen_ttl
from bmgate.services.directory import AccountDirectory
from bmgate.services.events import MailboxEvents
from bmgate.services.keys import find_demand
from bmgate.services.mailboxes import Indexed, indexed, to_minute
from bmgate.services.outbox import PENDING
from bmgate.services.pricing import Pricing
from bmgate.services.sending import Sending

REPEAT_SECONDS = 86_400
QUEUE_ID_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base32
QUEUE_ID_LENGTH = 6


@dataclass(frozen=True, slots=True)
class SubmissionOptions:
    """`[accounts]` and `[smtp]` as far as sending is concerned; `ttl_seconds` and `notify` are the account's
    defaults.
    """

    ttl_seconds: int = 4 * 86_400
    ack_stealth: int = 1
    notify: tuple[str, ...] = ("FAILURE", "DELAY")
    sent_copy: bool = True
    max_queued: int = 500
    max_work_seconds: int = 7_200


@dataclass(frozen=True, slots=True)
class Recipient:
    """One accepted RCPT. `notify` and `original_recipient` are NOTIFY and ORCPT of RFC 3461, empty when not given."""

    resolved: Resolved
    notify: tuple[str, ...] = ()
    original_recipient: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the client said before DATA; `sender` is the addr-spec of MAIL FROM."""

    account: AccountId
    sender: str
    recipients: tuple[Recipient, ...]
    ret: ReturnContent = ReturnContent.FULL
    envelope_id: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A mail that can no longer be lost. `seconds` is the expected work; `repeated` means it was given before (O9)."""

    queue_id: str
    seconds: float
    left_out: tuple[str, ...]
    repeated: bool


@dataclass(frozen=True, slots=True)
class _Stored:
    queue_id: str
    rows: tuple[OutgoingMessage, ...]
    mailboxes: tuple[MailboxId, ...]
    seconds: float


class Submissions:
    """Takes mail from authenticated accounts."""

    def __init__(
        self,
        database: Database,
        sending: Sending,
        solver: Solver,
        clock: Clock,
        entropy: Entropy,
        network: NetworkParameters,
        domains: Domains,
        events: MailboxEvents,
        options: SubmissionOptions,
        failpoints: Failpoints,
    ) -> None:
        self._database, self._sending, self._solver = database, sending, solver
        self._clock, self._entropy, self._network, self._domains = clock, entropy, network, domains
        self._events, self._options, self._failpoints = events, options, failpoints
        self._pricing = Pricing(network)

    async def check_sender(self, account: AccountId, addr_spec: str) -> None:
        """Whether the account may send as this address (M10); raises NotOwner, IdentityDisabled."""
        await self._database.read(lambda store: self._identity(store, account, addr_spec))

    async def resolve(self, account: AccountId, addr_spec: str) -> Resolved:
        """Whom a recipient means to this account; raises BadAddress, RecipientMissing, Ambiguous, NotAllowed."""

        def look_up(store: Store) -> Resolved:
            resolved = resolve_recipient(addr_spec, self._domains, AccountDirectory(store, account))
            if resolved.kind is not RecipientKind.ADDRESS or resolved.address is None:
                raise NotAllowed(f"{addr_spec} takes no mail yet")
            return resolved

        return await self._database.read(look_up)

    async def submit(self, envelope: Envelope, raw: bytes) -> Receipt:
        """Convert and store a mail with one row per recipient; durable when this returns.

        Raises BadMail, UnsupportedMedia, TooLarge, NotAllowed, LimitReached.
        """
        text, mail = await asyncio.to_thread(_read, raw)
        stored = await self._database.transact(lambda store: self._store(store, envelope, text, mail))
        self._failpoints.pass_("submission.committed")
        self._sending.accepted(stored.rows)
        self._events.changed(stored.mailboxes)
        return Receipt(stored.queue_id, stored.seconds, text.left_out, repeated=not stored.rows)

    # -- who sends -------------------------------------------------------------------------------------------------

    def _identity(self, store: Store, account: AccountId, addr_spec: str) -> Identity:
        """The own identity an address names; raises NotOwner, which tells those there are, and IdentityDisabled."""
        mine = store.account(account)
        directory = AccountDirectory(store, account)
        owned = mine.identities.all()
        wanted = _address_or_none(addr_spec, self._domains, directory)
        for identity in owned:
            if identity.address == wanted:
                if not identity.enabled:
                    raise IdentityDisabled(f"{identity.address} is disabled")
                return identity
        names = ", ".join(f"<{mail_address(identity.address, self._domains.own)}>" for identity in owned[:5]) or "none"
        raise NotOwner(f"you cannot send as <{addr_spec}>; your addresses: {names}")

    def _sender(self, store: Store, envelope: Envelope, text: OutgoingText) -> Identity:
        """The header's From decides; envelope and Sender must be the account's own too (M10)."""
        by_envelope = self._identity(store, envelope.account, envelope.sender)
        author = text.senders.author()
        for other in text.senders.senders:
            self._identity(store, envelope.account, _spec(other))
        if author is None or _spec(author) == envelope.sender:
            return by_envelope
        return self._identity(store, envelope.account, _spec(author))

    # -- storing: one transaction ----------------------------------------------------------------------------------

    def _store(self, store: Store, envelope: Envelope, text: OutgoingText, mail: Indexed) -> _Stored:
        now = self._clock.now()
        mine = store.account(envelope.account)
        identity = self._sender(store, envelope, text)
        recipients = _distinct(envelope.recipients)
        repeat_tag = _repeat_tag(mine.secrets.dedupe_key, text, recipients)
        if text.message_id:
            former = mine.outbox.find_repeat(repeat_tag, now - REPEAT_SECONDS)
            if former is not None:
                return _Stored(former.queue_id, (), (), 0.0)
        queued = mine.outbox.unfinished_count()
        if queued + len(recipients) > self._options.max_queued:
            raise LimitReached(f"{queued} messages wait in your queue already; its limit is {self._options.max_queued}")
        wanted = [self._row(n, each, text, now) for n, each in enumerate(recipients, 1)]
        prices = [self._seconds(store, text, row) for row in wanted]
        self._check_price(max(prices))
        self._failpoints.pass_("submission.begin")
        submission = NewSubmission(
            identity=identity.id,
            queue_id=self._queue_id(mine),
            subject=text.subject,
            body=text.body,
            message_id=text.message_id,
            ret=envelope.ret,
            envelope_id=envelope.envelope_id,
            sent_content=None,
            repeat_tag=repeat_tag,
            created_at=now,
        )
        mailboxes: tuple[MailboxId, ...] = ()
        if self._options.sent_copy:
            submission, mailboxes = self._with_sent_copy(mine, submission, text, mail, now)
        rows = mine.outbox.add(submission, wanted)
        for row in rows:
            mine.contacts.note_correspondent(row.recipient)
        self._failpoints.pass_("submission.stored")
        return _Stored(submission.queue_id, tuple(rows), mailboxes, sum(prices))

    def _with_sent_copy(
        self, mine: AccountStore, submission: NewSubmission, text: OutgoingText, mail: Indexed, now: int
    ) -> tuple[NewSubmission, tuple[MailboxId, ...]]:
        """The submitted bytes in Sent, seen and pending (M7); a client's own copy takes their place when appended."""
        sent = mine.mailboxes.by_kind(MailboxKind.SENT)
        tag = mine.messages.message_id_tag(text.message_id) if text.message_id else b""
        content = mine.messages.add_content(mail.content(tag))
        mine.messages.append(sent.id, content, Flags.SEEN, (PENDING,), to_minute(now))
        return replace(submission, sent_content=content), (sent.id,)

    def _row(self, n: int, recipient: Recipient, text: OutgoingText, now: int) -> NewOutgoing:
        address = _address(recipient)
        wished, tag = text.ttl_seconds, recipient.resolved.ttl_seconds
        return NewOutgoing(
            n=n,
            recipient=address,
            ack_data=build_ack_data(self._options.ack_stealth, address.stream, self._entropy),
            ttl_seconds=chosen_ttl(wished, tag, text.expires_at, now, self._options.ttl_seconds),
            priority=text.priority,
            notify=recipient.notify or self._options.notify,
            original_recipient=recipient.original_recipient,
        )

    def _queue_id(self, mine: AccountStore) -> str:
        while True:
            drawn = self._entropy(QUEUE_ID_LENGTH)
            queue_id = "".join(QUEUE_ID_LETTERS[byte % len(QUEUE_ID_LETTERS)] for byte in drawn)
            if not mine.outbox.find(queue_id):
                return queue_id

    def _seconds(self, store: Store, text: OutgoingText, row: NewOutgoing) -> float:
        """Expected work for one recipient, by his demand where it is known, the ack included."""
        demand = find_demand(store, row.recipient, self._network)
        price = self._pricing.before(len(text.data), row.ack_data, row.ttl_seconds, demand)
        return price.trials / self._solver.trials_per_second

    def _check_price(self, dearest: float) -> None:
        """Raises TooLarge where one recipient would take longer than `max_work`."""
        if dearest > self._options.max_work_seconds:
            raise TooLarge(
                f"would take about {duration_words(round(dearest))} of work; the limit is "
                f"{duration_words(self._options.max_work_seconds)}: shorten the text, or ask for a shorter TTL"
            )


def _read(raw: bytes) -> tuple[OutgoingText, Indexed]:
    """All that takes long, in one go on a thread: the text that travels, and the mail for Sent."""
    return convert(raw), indexed(raw)


def _address_or_none(addr_spec: str, domains: Domains, directory: AccountDirectory) -> Address | None:
    try:
        return resolve_sender(addr_spec, domains, directory).address
    except (BadAddress, Missing, Ambiguous):
        return None


def _spec(address: AddrSpec) -> str:
    return f"{address.local}@{address.domain}" if address.domain else address.local


def _address(recipient: Recipient) -> Address:
    address = recipient.resolved.address
    assert address is not None, "`Submissions.resolve` lets only addresses pass"
    return address


def _distinct(recipients: Iterable[Recipient]) -> list[Recipient]:
    """Each address once; the first RCPT's parameters win (O1)."""
    distinct: dict[Address, Recipient] = {}
    for each in recipients:
        distinct.setdefault(_address(each), each)
    return list(distinct.values())


def _repeat_tag(key: bytes, text: OutgoingText, recipients: Iterable[Recipient]) -> bytes:
    addresses = "\n".join(sorted(str(_address(each)) for each in recipients))
    parts = (text.message_id.encode(errors="replace"), text.body_hash, addresses.encode())
    return hmac.digest(key, b"repeat" + b"".join(hashlib.sha256(part).digest() for part in parts), "sha256")
