"""Submission: mail given to us becomes rows of the outbox, durable before anybody is told so (O1, C1).

Checks come in the order of the dialogue: the sender at MAIL, each recipient at RCPT, everything together after DATA.
Who sends is decided in `senders`, what carries it in `rows`, what travels to whom in `payloads`. What the doors do with
the errors is theirs.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from bmgate.bm.keys import Entropy, PrivateKeys
from bmgate.bm.network import NetworkParameters
from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import Flags, MailboxId, MailboxKind
from bmgate.domain.outbox import Kind, NewSubmission, OutgoingMessage, ReturnContent
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Database, Failpoints, Store
from bmgate.domain.ports.world import Clock, Solver
from bmgate.errors import LimitReached
from bmgate.mail.addresses import Resolved, mail_address
from bmgate.mail.outgoing import OutgoingMail, convert
from bmgate.mail.written import Written, as_written
from bmgate.services.disk import room_for_all
from bmgate.services.events import MailboxEvents
from bmgate.services.identities import AddressRequest, Identities
from bmgate.services.mailboxes.indexed import Indexed, indexed, to_minute
from bmgate.services.mailboxes.sent_status import PENDING
from bmgate.services.outbound.one_off import OneOffs
from bmgate.services.outbound.orders import Commands, Order, check_beside, command_word
from bmgate.services.outbound.payloads import Payloads
from bmgate.services.outbound.proposals import Extended, Proposal, Proposals, extended
from bmgate.services.outbound.queue_ids import new_queue_id
from bmgate.services.outbound.recipients import RecipientRules
from bmgate.services.outbound.rows import Recipient as Recipient
from bmgate.services.outbound.rows import Rows, Signer, are_posts, distinct, relayed
from bmgate.services.outbound.senders import AddressWanted, Author, OneOffWanted, SenderRules
from bmgate.services.outbound.sending import Sending
from bmgate.services.parsing import Parsing
from bmgate.units import DAY

REPEAT_SECONDS = DAY


@dataclass(frozen=True, slots=True)
class SubmissionOptions:
    """The gateway's own limits; `max_difficulty` in multiples of the network's least work."""

    ack_stealth: int = 1
    max_queued: int = 500
    max_work_seconds: int = 7_200
    max_difficulty: float = 10.0


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

    `left_out` names what does not travel, at least not to all. `answer` is what a command came to, which is not queued.
    """

    queue_id: str
    seconds: float
    left_out: tuple[str, ...]
    repeated: bool
    answer: str = ""


@dataclass(frozen=True, slots=True)
class _Stored:
    queue_id: str
    rows: tuple[OutgoingMessage, ...]
    mailboxes: tuple[MailboxId, ...] = ()
    seconds: float = 0.0
    left_out: tuple[str, ...] = ()


class Submissions:
    """Takes mail from authenticated accounts. `keys_made` is called when a mail was given a new address."""

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
        keys_made: Callable[[], None] = lambda: None,
        commands: Commands | None = None,
    ) -> None:
        self._commands = commands
        self._check_room, self._parsing = check_room, parsing or Parsing()
        self._database, self._sending, self._solver = database, sending, solver
        self._clock, self._entropy, self._keys_made = clock, entropy, keys_made
        self._rules, self._policies, self._identities = rules, payloads.policies, identities
        self._recipients = RecipientRules(rules, network, options.max_difficulty, commands is not None)
        self._events, self._options, self._failpoints = events, options, failpoints
        self._rows = Rows(self._policies, entropy, network, options.ack_stealth)
        self._one_offs = OneOffs(self._policies, entropy, network)
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
        mail, copy, in_extended = await self._parsing.run(envelope.account, _read, raw)
        word = command_word(each.resolved for each in envelope.recipients)
        if word is not None:
            written = await self._parsing.run(envelope.account, as_written, raw)
            return await self._obey(envelope, word, mail, written)
        proposal = Proposal(mail, in_extended, self._solver.trials_per_second)
        stored = await self._stored(envelope, proposal, copy)
        self._failpoints.pass_("submission.committed")
        self._sending.accepted(self._rows.shuffled(stored.rows))
        self._events.changed(stored.mailboxes)
        return Receipt(stored.queue_id, self._with_share(stored.seconds), stored.left_out, repeated=not stored.rows)

    async def _obey(self, envelope: Envelope, word: str, mail: OutgoingMail, written: Written) -> Receipt:
        """A command, which only its own account gives, under an address of its own."""
        first, *others = envelope.recipients
        for other in others:
            check_beside([first.resolved], other.resolved)
        author = await self._database.read(
            lambda store: self._rules.of_command(store, envelope.account, envelope.sender, mail.senders)
        )
        order = Order(word, written, envelope.sender)
        if author.identity is not None:
            spec = mail_address(author.identity.address, self._rules.domains.own)
            order = Order(word, written, spec, author.identity.label)
        assert self._commands is not None, "`resolve` lets commands pass only to somebody"
        return Receipt("", 0.0, (), repeated=False, answer=await self._commands.run(envelope.account, order, mail))

    async def _stored(self, envelope: Envelope, proposal: Proposal, copy: Indexed) -> _Stored:
        """Stored with the address it is sent as: made on first use and found by its label ever after, or for this mail.

        Keys take too long to be made within the transaction.
        """
        keys: PrivateKeys | None = None
        while True:
            try:
                stored = await self._database.transact(
                    lambda store, keys=keys: self._store(store, envelope, proposal, copy, keys)  # type: ignore[misc]
                )
            except AddressWanted as wanted:
                await self._identities.new(envelope.account, AddressRequest(label=wanted.label))
            except OneOffWanted:
                keys = await self._one_offs.draw()
            else:
                if keys is not None:
                    self._keys_made()
                return stored

    def _with_share(self, seconds: float) -> float:
        """Work takes longer while others have some: they get as much of the machine. Looked at once a second."""
        now = self._clock.monotonic()
        if now - self._looked_at >= 1:
            self._backlog_seconds, self._looked_at = self._solver.backlog().mean_seconds, now
        return seconds + min(seconds, self._backlog_seconds)

    # -- storing: one transaction ----------------------------------------------------------------------------------

    def _store(
        self, store: Store, envelope: Envelope, proposal: Proposal, copy: Indexed, keys: PrivateKeys | None
    ) -> _Stored:
        now, mail = self._clock.now(), proposal.mail
        mine = store.account(envelope.account)
        author = self._rules.of_mail(store, envelope.account, envelope.sender, mail.senders)
        recipients = distinct(envelope.recipients)
        repeat_tag = _repeat_tag(mine.secrets.dedupe_key, mail, recipients)
        if mail.message_id:
            former = mine.outbox.find_repeat(repeat_tag, now - REPEAT_SECONDS)
            if former is not None:
                return _Stored(former.queue_id, ())
        signer = self._signer(mine, author, mail, keys, now)
        identity, policy = signer.identity, self._policies.of(mine, signer.identity.id)
        self._check_queue(mine, len(recipients))
        wanted = self._rows.wanted(mine, signer, recipients, mail, now)
        if not are_posts(wanted):
            self._rules.guard(mine, identity, mail.in_reply_to, policy)
        enclosures = self._proposals.enclosures(store, mine, identity, wanted, mail, self._rules.domains, policy)
        enclosures = replace(enclosures, relayed=relayed(recipients))
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
            if row.kind is Kind.MSG:
                mine.contacts.note_written(row.recipient)
        self._failpoints.pass_("submission.stored")
        return _Stored(submission.queue_id, tuple(rows), mailboxes, judged.seconds, judged.left_out)

    def _signer(
        self, mine: AccountStore, author: Author, mail: OutgoingMail, keys: PrivateKeys | None, now: int
    ) -> Signer:
        if author.identity is not None:
            return Signer(author.identity, author.chan)
        former = self._one_offs.former(mine, mail.message_id)
        if former is not None:
            return Signer(former)
        if keys is None:
            raise OneOffWanted("there is no address for this mail yet")
        return Signer(self._one_offs.make(mine, keys, now))

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


def _read(raw: bytes) -> tuple[OutgoingMail, Indexed, Extended | None]:
    """All that takes long, in one go on a thread: what can travel, the mail for Sent, and how small the first gets."""
    mail = convert(raw)
    return mail, indexed(raw), extended(mail)


def _repeat_tag(key: bytes, mail: OutgoingMail, recipients: Iterable[Recipient]) -> bytes:
    addresses = "\n".join(sorted(each.name for each in recipients))
    parts = (mail.message_id.encode(errors="replace"), mail.content_hash, addresses.encode())
    return hmac.digest(key, b"repeat" + b"".join(hashlib.sha256(part).digest() for part in parts), "sha256")
