"""A plain mail of a user that no mail program wrote: one text, submitted like any other mail."""

from collections.abc import Iterator
from dataclasses import dataclass

from bmgate.mail.bodies import text_part
from bmgate.mail.dates import write_date
from bmgate.mail.text import clean_line, normal_body
from bmgate.mail.write import CRLF, Mailbox, mailbox_field, plain_field, text_field


@dataclass(frozen=True, slots=True, repr=False)
class PlainMail:
    """`sender` and `recipient` are addr-specs; `message_id` has its angle brackets; `date` is in Unix seconds."""

    sender: str
    recipient: str
    subject: str
    body: str
    message_id: str
    date: int
    ttl_seconds: int


def render_plain(mail: PlainMail) -> bytes:
    """The mail as RFC 5322 bytes."""
    part = text_part(normal_body(mail.body))
    return b"".join((*_header(mail), part.fields, CRLF, part.content, CRLF))


def _header(mail: PlainMail) -> Iterator[bytes]:
    yield plain_field("Date", write_date(mail.date))
    yield mailbox_field("From", [Mailbox(mail.sender)])
    yield mailbox_field("To", [Mailbox(mail.recipient)])
    yield text_field("Subject", clean_line(mail.subject))
    yield plain_field("Message-ID", mail.message_id)
    yield plain_field("X-Bitmessage-TTL", f"{mail.ttl_seconds}s")
    yield plain_field("MIME-Version", "1.0")
