"""Which news of an outgoing message its sender is told, and when (RFC 3461, mail conversion 5).

At most one final notice per row: it is written in the transaction of the final state. An ack that comes after a failure
was reported is told in any case; what the sender asked for himself is not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bmgate.bm.keys import Entropy
from bmgate.domain.mailbox import StoredMessage
from bmgate.domain.outbox import (
    MAX_ATTEMPTS,
    WAITING_NOTICES,
    Event,
    Kind,
    OutgoingMessage,
    Reason,
    ReturnContent,
    State,
    Submission,
)
from bmgate.domain.ports.account_store import AccountStore
from bmgate.mail.addresses import RecipientKind, mail_address
from bmgate.mail.causes import (
    AttachmentsNotRead,
    Cause,
    ChanLeft,
    Confirmed,
    DemandNotMet,
    DemandTooHigh,
    GivenUp,
    KeyMissing,
    KeyUnusable,
    MessageTooLarge,
    NeverConnected,
    NoNetwork,
    NotConfirmed,
    Published,
)
from bmgate.mail.headers import decode_header
from bmgate.mail.notices import Notice, ReportedMail, ReportedRecipient, render_notice
from bmgate.mail.structure import index_message
from bmgate.mail.write import Mailbox
from bmgate.units import DAY


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to a row."""

    before: OutgoingMessage
    after: OutgoingMessage
    event: Event


@dataclass(frozen=True, slots=True)
class Work:
    """How many times the usual work a recipient demands, and the seconds of it here; 0 where that is not the matter."""

    times: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class NoticeWriter:
    """Writes delivery status notices in the name of `domain`."""

    domain: str
    entropy: Entropy

    def cause(self, change: Change, work: Work, give_up_at: Callable[[], int], now: int) -> Cause | None:
        """What its sender is told of a change, or None when he does not want to hear of it."""
        before, after = change.before, change.after
        match before.state, after.state:
            case State.FAILED, State.ACKED if {"FAILURE", "SUCCESS"} & set(after.notify):
                return Confirmed(now)
            case _, State.ACKED if "SUCCESS" in after.notify:
                return Confirmed(now)
            case _, State.NO_ACK_EXPECTED if "SUCCESS" in after.notify:
                return Published(now, to_many=after.kind.is_public)
            case _, State.FAILED if "FAILURE" in after.notify:
                return _failure(before, after, work, max(1, round((now - after.created_at) / DAY)))
            case _, State.TOO_DIFFICULT if "DELAY" in after.notify:
                command, gateway = f"force {after.name}", f"bmgate@{self.domain}"
                return DemandTooHigh(work.times, command, gateway, after.next_attempt, round(work.seconds))
            case State.PUBLISHED, State.READY if "DELAY" in after.notify and _was_unanswered(change):
                return NotConfirmed(before.updated_at, after.attempt, MAX_ATTEMPTS, give_up_at())
            case _:
                return None

    def waiting(self, row: OutgoingMessage, give_up_at: int, now: int) -> Cause | None:
        """What its sender is told when his mail has waited for long, or None when nothing is the matter."""
        if "DELAY" not in row.notify:
            return None
        if row.reason is Reason.NO_PEERS:
            return NoNetwork(give_up_at) if now - row.created_at < WAITING_NOTICES[-1] else None
        if row.state not in (State.NEED_PUBKEY, State.REQUESTED):
            return None
        again = row.next_attempt or row.updated_at
        return KeyMissing(row.updated_at, again, give_up_at, row.getpubkey_attempt)

    def write(
        self, mine: AccountStore, submission: Submission, cause: Cause, rows: Sequence[OutgoingMessage], now: int
    ) -> bytes:
        """The mail that tells what happened to these recipients of one submission."""
        sender = mine.identities.get(submission.identity).address
        content = _content(mine, submission)
        recipients = [ReportedRecipient(recipient_address(row, self.domain), row.original_recipient) for row in rows]
        mail = ReportedMail(
            message_id=submission.message_id,
            subject=submission.subject or _subject_of(content),
            queue_id=rows[0].name if len(rows) == 1 else submission.queue_id,
            content=content,
            envelope_id=submission.envelope_id,
            headers_only=submission.ret is ReturnContent.HEADERS,
        )
        message_id = f"<{self.entropy(15).hex()}@{self.domain}>"
        to = Mailbox(mail_address(sender, self.domain))
        return render_notice(Notice(cause, tuple(recipients), mail, to, message_id, now), self.domain)


def recipient_address(row: OutgoingMessage, domain: str) -> str:
    """Whom a row goes to, as its sender wrote it: subscribers have no address of their own."""
    return f"{RecipientKind.BROADCAST}@{domain}" if row.kind is Kind.BROADCAST else mail_address(row.recipient, domain)


def next_reminder(row: OutgoingMessage, now: int) -> int | None:
    """When the sender of a row is to hear again that it waits."""
    return next((at for at in (row.created_at + after for after in WAITING_NOTICES) if at > now), None)


def _was_unanswered(change: Change) -> bool:
    """Not of what the sender sends again of his own accord, nor of what nobody was there to hear."""
    return change.event is Event.TTL_ELAPSED and change.before.reason is not Reason.NO_PEERS


def _failure(before: OutgoingMessage, after: OutgoingMessage, work: Work, days: int) -> Cause:
    match after.reason:
        case Reason.BAD_KEY:
            return KeyUnusable()
        case Reason.TOO_LARGE:
            return MessageTooLarge()
        case Reason.ATTACHMENTS:
            return AttachmentsNotRead()
        case Reason.LEFT_CHAN:
            return ChanLeft()
        case Reason.TOO_DIFFICULT:
            return DemandNotMet(work.times, days)
        case Reason.NO_NETWORK:
            return NeverConnected(days)
        case Reason.NO_KEY:
            return GivenUp(days, 0)
        case _:
            return GivenUp(days, before.attempt)


def _subject_of(raw: bytes) -> str:
    """The subject of a mail whose text is forgotten already: an ack may come long after the failure was told."""
    value = index_message(raw).value(raw, "subject")
    return decode_header(value) if value else ""


def _content(mine: AccountStore, submission: Submission) -> bytes:
    """The mail itself from its copy in Sent, else its text alone: it must not be lost."""
    if submission.sent_content is not None:
        stored: StoredMessage | None = mine.messages.by_content(submission.sent_content)
        if stored is not None:
            return stored.header + stored.body
    text = f"Subject: {submission.subject}\r\n\r\n{submission.body}\r\n"
    return text.encode()
