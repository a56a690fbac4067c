"""Mails of one text: the header that all of them share, and the text below it."""

from collections.abc import Iterable

from bmgate.mail.bodies import text_part
from bmgate.mail.dates import write_date
from bmgate.mail.text import clean_line
from bmgate.mail.write import CRLF, Mailbox, mailbox_field, plain_field, text_field


def render_text_mail(
    sender: Mailbox, to: Mailbox, subject: str, message_id: str, date: int, text: str, further: Iterable[bytes]
) -> bytes:
    """The mail as RFC 5322 bytes; `date` is in Unix seconds, `message_id` has its angle brackets.

    `text` has LF line ends and no final one; `further` are fields of its own, each with its line end.
    """
    part = text_part(text)
    fields = (
        plain_field("Date", write_date(date)),
        mailbox_field("From", [sender]),
        mailbox_field("To", [to]),
        text_field("Subject", clean_line(subject)),
        plain_field("Message-ID", message_id),
        *further,
        plain_field("MIME-Version", "1.0"),
    )
    return b"".join((*fields, part.fields, CRLF, part.content, CRLF))
