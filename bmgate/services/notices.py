"""Which news of an outgoing message its sender is told, and when (RFC 3461, mail conversion 5).

At most one final notice per row: it is written in the transaction of the final state. An ack that comes after a failure
was reported is told in any case.
"""

from dataclasses import dataclass

from bmgate.bm.keys import Entropy
from bmgate.domain.mailbox import StoredMessage
from bmgate.domain.outbox import (
    GIVE_UP_SECONDS,
    MAX_ATTEMPTS,
    OutgoingMessage,
    Reason,
    ReturnContent,
    State,
    Submission,
)
from bmgate.domain.ports.account_store import AccountStore
from bmgate.mail.addresses import mail_address
from bmgate.mail.causes import (
    Cause,
    Confirmed,
    DemandNotMet,
    DemandTooHigh,
    GivenUp,
    KeyUnusable,
    MessageTooLarge,
    NotConfirmed,
    Published,
)
from bmgate.mail.headers import decode_header
from bmgate.mail.notices import Notice, ReportedMail, ReportedRecipient, render_notice
from bmgate.mail.structure import index_message
from bmgate.mail.write import Mailbox

DAY = 86_400


@dataclass(frozen=True, slots=True)
class NoticeWriter:
    """Writes delivery status notices in the name of `domain`."""

    domain: str
    entropy: Entropy
    give_up_seconds: int = GIVE_UP_SECONDS

    def notice(
        self,
        mine: AccountStore,
        before: OutgoingMessage,
        after: OutgoingMessage,
        submission: Submission,
        difficulty: int,
        now: int,
    ) -> bytes | None:
        """The mail that tells of a change from `before` to `after`, or None when nobody wants to hear of it.

        `difficulty` says how many times the usual work the recipient demands, where that is what it is about.
        """
        cause = self._cause(before, after, difficulty, now)
        if cause is None:
            return None
        sender = mine.identities.get(submission.identity).address
        recipient = ReportedRecipient(mail_address(after.recipient, self.domain), after.original_recipient)
        content = _content(mine, submission)
        mail = ReportedMail(
            message_id=submission.message_id,
            subject=submission.subject or _subject_of(content),
            queue_id=after.name,
            content=content,
            envelope_id=submission.envelope_id,
            headers_only=submission.ret is ReturnContent.HEADERS,
        )
        message_id = f"<{self.entropy(15).hex()}@{self.domain}>"
        to = Mailbox(mail_address(sender, self.domain))
        return render_notice(Notice(cause, (recipient,), mail, to, message_id, now), self.domain)

    def _cause(self, before: OutgoingMessage, after: OutgoingMessage, difficulty: int, now: int) -> Cause | None:
        days = max(1, round((now - after.created_at) / DAY))
        give_up_at = after.created_at + self.give_up_seconds
        match before.state, after.state:
            case State.FAILED, State.ACKED:
                return Confirmed(now)
            case _, State.ACKED if "SUCCESS" in after.notify:
                return Confirmed(now)
            case _, State.NO_ACK_EXPECTED if "SUCCESS" in after.notify:
                return Published(now, to_many=False)
            case _, State.FAILED if "FAILURE" in after.notify:
                return _failure(after, difficulty, days)
            case _, State.TOO_DIFFICULT if "DELAY" in after.notify:
                command = f"bmgate queue force {after.name}"
                return DemandTooHigh(difficulty, command, after.next_attempt)
            case State.PUBLISHED, State.READY if "DELAY" in after.notify:
                return NotConfirmed(before.updated_at, after.attempt, MAX_ATTEMPTS, give_up_at)
            case _:
                return None


def _failure(after: OutgoingMessage, difficulty: int, days: int) -> Cause:
    match after.reason:
        case Reason.BAD_KEY:
            return KeyUnusable()
        case Reason.TOO_LARGE:
            return MessageTooLarge()
        case Reason.TOO_DIFFICULT:
            return DemandNotMet(difficulty, days)
        case Reason.NO_KEY:
            return GivenUp(days, 0)
        case _:
            return GivenUp(days, after.attempt)


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
