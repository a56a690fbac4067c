"""Mail that waits to be sent, as the Outbox shows it, and as a draft when its sender wants it back (M6).

Both are rendered for one recipient and stay in the gateway. Times are Unix seconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bmgate.mail.bodies import text_part
from bmgate.mail.dates import write_date
from bmgate.mail.fields import scan_header
from bmgate.mail.text import clean_line, normal_body
from bmgate.mail.write import CRLF, Mailbox, field, mailbox_field, plain_field, text_field

_REWRITTEN = frozenset(
    {
        "to",
        "cc",
        "bcc",
        "resent-to",
        "resent-cc",
        "resent-bcc",
        "message-id",  # sent again under the same one it would pass for a repetition (O9)
        "x-bitmessage-ttl",
        "x-bitmessage-status",
        "x-bitmessage-queue-id",
        "x-bitmessage-work",
        "return-path",
        "received",
    }
)


@dataclass(frozen=True, slots=True)
class QueuedMail:
    """One row of the queue; `name` is its queue id and number, `rendering` counts what was shown of it before.

    `notes` are lines about what travels beside the text, or does not.
    """

    name: str
    rendering: int
    sender: Mailbox
    recipient: Mailbox
    subject: str
    body: str
    date: int
    message_id: str
    status: str
    work: str = ""
    ttl: str = ""
    notes: tuple[str, ...] = ()


def render_queued(mail: QueuedMail, domain: str) -> bytes:
    """The message in the Outbox."""
    return b"".join(_queued_fields(mail, domain)) + _text(mail)


def _queued_fields(mail: QueuedMail, domain: str) -> Iterator[bytes]:
    yield plain_field("Date", write_date(mail.date))
    yield mailbox_field("From", [mail.sender])
    yield mailbox_field("To", [mail.recipient])
    yield text_field("Subject", clean_line(mail.subject))
    yield plain_field("Message-ID", f"<{mail.name}.{mail.rendering}@{domain}>")
    if mail.message_id:
        yield text_field("In-Reply-To", clean_line(mail.message_id))
    yield text_field("X-Bitmessage-Status", clean_line(mail.status))
    yield plain_field("X-Bitmessage-Queue-Id", mail.name)
    if mail.work:
        yield plain_field("X-Bitmessage-Work", mail.work)
    yield plain_field("MIME-Version", "1.0")


def _text(mail: QueuedMail) -> bytes:
    notes = "\n".join(f"[{clean_line(note)}]" for note in mail.notes)
    part = text_part("\n\n".join(text for text in (normal_body(mail.body), notes) if text))
    return part.encoded + CRLF


def render_draft(mail: QueuedMail, submitted: bytes) -> bytes:
    """The mail to be written on: what was submitted where it is still there, to this recipient, with its TTL."""
    if not submitted:
        fields = (
            plain_field("Date", write_date(mail.date)),
            mailbox_field("From", [mail.sender]),
            text_field("Subject", clean_line(mail.subject)),
            plain_field("MIME-Version", "1.0"),
        )
        return b"".join((*_addressed(mail), *fields)) + _text(mail)
    header = scan_header(submitted, 0, len(submitted))
    named = [field for field in header.fields if field[0] and field[0] not in _REWRITTEN]
    kept = [submitted[start:end].rstrip(CRLF) + CRLF for _, start, end in named]
    return b"".join((*_addressed(mail), *kept)) + CRLF + submitted[header.end :]


def _addressed(mail: QueuedMail) -> Iterator[bytes]:
    yield mailbox_field("To", [mail.recipient])
    if mail.ttl:
        yield field("X-Bitmessage-TTL", [mail.ttl])
