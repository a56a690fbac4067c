"""Submission: mail given to us becomes rows of the outbox, durable before anybody is told so (O1, C1).

Checks come in the order of the dialogue: the sender at MAIL, each recipient at RCPT, everything together after DATA.
Who sends is decided in `senders`, what travels to whom in `payloads`. What the doors do with the errors is theirs.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from bmgate.bm.acks import build_ack_data
from bmgate.bm.addresses import Address
from bmgate.bm.keys import Entropy
from bmgate.bm.network import NetworkParameters
from bmgate.domain.account import AccountId
from bmgate.domain.identity import Identity
from bmgate.domain.mailbox import Flags, MailboxId, MailboxKind
from bmgate.domain.outbox import NewOutgoing, NewSubmission, OutgoingMessage, ReturnContent
from bmgate.domain.policy import Policy
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Database, Failpoints, Store
from bmgate.domain.ports.world import Clock, Solver
from bmgate.errors import LimitReached
from bmgate.mail.addresses import Resolved
from bmgate.mail.outgoing import OutgoingMail, convert
from bmgate.mail.wishes import chosen_ttl
from bmgate.services.disk import room_for_all
from bmgate.services.events import MailboxEvents
from bmgate.services.identities import AddressRequest, Identities
from bmgate.services.mailboxes import Indexed, indexed, to_minute
from bmgate.services.parsing import Parsing
from bmgate.services.payloads import Payloads
from bmgate.services.proposals import Proposal, Proposals, extended_size
from bmgate.services.queue_ids import new_queue_id
from bmgate.services.recipients import RecipientRules
from bmgate.services.senders import AddressWanted, SenderRules
from bmgate.services.sending import Sending
from bmgate.services.sent_status import PENDING

REPEAT_SECONDS = 86_400
T = TypeVar("T")
MEAN_GAP = 5.0  # seconds between the beginnings of two rows of one mail (V7)


@dataclass(frozen=True, slots=True)
class SubmissionOptions:
    """The gateway's own limits; `max_difficulty` in multiples of the network's least work."""

    ack_stealth: int = 1
    max_queued: int = 500
    max_work_seconds: int = 7_200
    max_difficulty: float = 10.0


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
    """A mail that can no longer be lost. `seconds` is the expected work; `repeated` means it was given before (O9).

    `left_out` names what does not travel, at least not to all.
    """

    queue_id: str
    seconds: float
    left_out: tuple[str, ...]
    repeated: bool


@dataclass(frozen=True, slots=True)
class _Stored:
    queue_id: str
    rows: tuple[OutgoingMessage, ...]
    mailboxes: tuple[MailboxId, ...] = ()
    seconds: float = 0.0
    left_out: tuple[str, ...] = ()


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
        rules: SenderRules,
        payloads: Payloads,
        identities: Identities,
        events: MailboxEvents,
        options: SubmissionOptions,
        failpoints: Failpoints,
        check_room: Callable[[], None] = room_for_all,
        parsing: Parsing | None = None,
    ) -> None:
        self._check_room, self._parsing = check_room, parsing or Parsing()
        self._database, self._sending, self._solver = database, sending, solver
        self._clock, self._entropy, self._network = clock, entropy, network
        self._rules, self._policies, self._identities = rules, payloads.policies, identities
        self._recipients = RecipientRules(rules, network, options.max_difficulty)
        self._events, self._options, self._failpoints = events, options, failpoints
        self._proposals = Proposals(payloads, network, options.max_work_seconds)
        self._backlog_seconds, self._looked_at = 0.0, -1.0

    async def check_sender(self, account: AccountId, addr_spec: str) -> None:
        """Whether the account may send as this address (M10); raises NotOwner, IdentityDisabled."""
        await self._database.read(lambda store: self._rules.check(store, account, addr_spec))

    async def resolve(self, account: AccountId, addr_spec: str) -> Resolved:
        """Whom a recipient means to this account.

        Raises BadAddress, RecipientMissing, Ambiguous, NotAllowed, and TooDifficult where his demand is known.
        """
        return await self._database.read(lambda store: self._recipients.resolve(store, account, addr_spec))

    async def submit(self, envelope: Envelope, raw: bytes) -> Receipt:
        """Convert and store a mail with one row per recipient; durable when this returns.

        Raises BadMail, UnsupportedMedia, TooLarge, NotAllowed, LimitReached, StorageFull.
        """
        self._check_room()
        mail, copy, size = await self._parsing.run(_read, raw)
        proposal = Proposal(mail, size, self._solver.trials_per_second)
        stored = await self._stored(envelope, proposal, copy)
        self._failpoints.pass_("submission.committed")
        self._sending.accepted(self._shuffled(stored.rows))
        self._events.changed(stored.mailboxes)
        return Receipt(stored.queue_id, self._with_share(stored.seconds), stored.left_out, repeated=not stored.rows)

    async def _stored(self, envelope: Envelope, proposal: Proposal, copy: Indexed) -> _Stored:
        """Stored with the addresses it is sent as, which are made on first use: found by their labels ever after."""
        while True:
            try:
                return await self._database.transact(lambda store: self._store(store, envelope, proposal, copy))
            except AddressWanted as wanted:
                await self._identities.new(envelope.account, AddressRequest(label=wanted.label))

    def _with_share(self, seconds: float) -> float:
        """Work takes longer while others have some: they get as much of the machine. Looked at once a second."""
        now = self._clock.monotonic()
        if now - self._looked_at >= 1:
            self._backlog_seconds, self._looked_at = self._solver.backlog().mean_seconds, now
        return seconds + min(seconds, self._backlog_seconds)

    # -- storing: one transaction ----------------------------------------------------------------------------------

    def _store(self, store: Store, envelope: Envelope, proposal: Proposal, copy: Indexed) -> _Stored:
        now, mail = self._clock.now(), proposal.mail
        mine = store.account(envelope.account)
        identity = self._rules.of_mail(store, envelope.account, envelope.sender, mail.senders)
        recipients = _distinct(envelope.recipients)
        repeat_tag = _repeat_tag(mine.secrets.dedupe_key, mail, recipients)
        if mail.message_id:
            former = mine.outbox.find_repeat(repeat_tag, now - REPEAT_SECONDS)
            if former is not None:
                return _Stored(former.queue_id, ())
        policy = self._policies.of(mine, identity.id)
        self._rules.guard(mine, identity, mail.in_reply_to, policy)
        self._check_queue(mine, len(recipients))
        wanted = self._wanted(mine, identity, recipients, mail, now)
        enclosures = self._proposals.enclosures(store, mine, identity, wanted, mail, self._rules.domains, policy)
        judged = self._proposals.judge(store, mine, identity, proposal, enclosures, wanted)
        self._failpoints.pass_("submission.begin")
        submission = NewSubmission(
            identity=identity.id,
            queue_id=new_queue_id(mine.outbox, self._entropy),
            subject=mail.subject,
            body=mail.body,
            message_id=mail.message_id,
            ret=envelope.ret,
            envelope_id=envelope.envelope_id,
            sent_content=None,
            repeat_tag=repeat_tag,
            created_at=now,
            enclosures=enclosures,
            size=judged.size,
        )
        mailboxes: tuple[MailboxId, ...] = ()
        if policy.sent_copy == "auto":
            submission, mailboxes = self._with_sent_copy(mine, submission, mail, copy, now)
        rows = mine.outbox.add(submission, [row for row, _ in wanted])
        for row in rows:
            mine.contacts.note_correspondent(row.recipient)
        self._failpoints.pass_("submission.stored")
        return _Stored(submission.queue_id, tuple(rows), mailboxes, judged.seconds, judged.left_out)

    def _check_queue(self, mine: AccountStore, new: int) -> None:
        queued = mine.outbox.unfinished_count()
        if queued + new > self._options.max_queued:
            raise LimitReached(f"{queued} messages wait in your queue already; its limit is {self._options.max_queued}")

    def _with_sent_copy(
        self, mine: AccountStore, submission: NewSubmission, mail: OutgoingMail, copy: Indexed, now: int
    ) -> tuple[NewSubmission, tuple[MailboxId, ...]]:
        """The submitted bytes in Sent, seen and pending (M7); a client's own copy takes their place when appended."""
        sent = mine.mailboxes.by_kind(MailboxKind.SENT)
        tag = mine.messages.message_id_tag(mail.message_id) if mail.message_id else b""
        content = mine.messages.add_content(copy.content(tag))
        mine.messages.append(sent.id, content, Flags.SEEN, (PENDING,), to_minute(now))
        return replace(submission, sent_content=content), (sent.id,)

    def _wanted(
        self, mine: AccountStore, identity: Identity, recipients: list[Recipient], mail: OutgoingMail, now: int
    ) -> list[tuple[NewOutgoing, Policy]]:
        """A row for each recipient, with what holds towards him.

        Several begin at random times, so that they do not look like one mail (V7).
        """
        policies = [self._policies.of(mine, identity.id, _address(each)) for each in recipients]
        gaps = self._gaps(len(recipients))
        return [
            (self._row(n, each, mail, policy, now, gap), policy)
            for n, (each, policy, gap) in enumerate(zip(recipients, policies, gaps, strict=True), 1)
        ]

    def _row(self, n: int, recipient: Recipient, mail: OutgoingMail, policy: Policy, now: int, gap: int) -> NewOutgoing:
        address = _address(recipient)
        delay = policy.send_delay + gap
        return NewOutgoing(
            n=n,
            recipient=address,
            ack_data=build_ack_data(self._options.ack_stealth, address.stream, self._entropy),
            ttl_seconds=chosen_ttl(mail.ttl_seconds, recipient.resolved.ttl_seconds, mail.expires_at, now, policy.ttl),
            priority=mail.priority,
            notify=recipient.notify or policy.notify,
            original_recipient=recipient.original_recipient,
            held_until=now + delay if delay else 0,
        )

    def _gaps(self, count: int) -> list[int]:
        """Seconds until each row begins: none for the only one, else growing in random order."""
        gaps, passed = [], 0.0
        for _ in range(count):
            gaps.append(int(self._network.delay(passed)))
            passed += 2 * MEAN_GAP * int.from_bytes(self._entropy(2), "big") / 65_535
        return self._shuffled(gaps)

    def _shuffled(self, items: Iterable[T]) -> list[T]:
        return sorted(items, key=lambda _: self._entropy(8))


def _read(raw: bytes) -> tuple[OutgoingMail, Indexed, int]:
    """All that takes long, in one go on a thread: what can travel, the mail for Sent, and how small the first gets."""
    mail = convert(raw)
    return mail, indexed(raw), extended_size(mail)


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


def _repeat_tag(key: bytes, mail: OutgoingMail, recipients: Iterable[Recipient]) -> bytes:
    addresses = "\n".join(sorted(str(_address(each)) for each in recipients))
    parts = (mail.message_id.encode(errors="replace"), mail.content_hash, addresses.encode())
    return hmac.digest(key, b"repeat" + b"".join(hashlib.sha256(part).digest() for part in parts), "sha256")
