"""Letters: plain mails of the gateway itself to the owner of an account, such as a note or the answer to a command.

They never leave the gateway. What became of a mail is told in `notices`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bmgate.mail.bodies import text_part
from bmgate.mail.dates import write_date
from bmgate.mail.text import clean_line
from bmgate.mail.write import CRLF, Mailbox, mailbox_field, plain_field, text_field


@dataclass(frozen=True, slots=True)
class Letter:
    """`text` has LF line ends; `date` is in Unix seconds; Message-IDs have their angle brackets.

    `answers` is the Message-ID of the mail this one answers, empty for none.
    """

    sender: Mailbox
    to: Mailbox
    subject: str
    text: str
    message_id: str
    date: int
    answers: str = ""


def render_letter(letter: Letter) -> bytes:
    """The letter as RFC 5322 bytes; marked as automatic, so that nobody answers it by itself (RFC 3834)."""
    part = text_part(letter.text)
    return b"".join((*_header(letter), part.fields, CRLF, part.content, CRLF))


def _header(letter: Letter) -> Iterator[bytes]:
    yield plain_field("Date", write_date(letter.date))
    yield mailbox_field("From", [letter.sender])
    yield mailbox_field("To", [letter.to])
    yield text_field("Subject", clean_line(letter.subject))
    yield plain_field("Message-ID", letter.message_id)
    if letter.answers:
        yield plain_field("In-Reply-To", letter.answers)
        yield plain_field("References", letter.answers)
    yield plain_field("Auto-Submitted", "auto-replied" if letter.answers else "auto-generated")
    yield plain_field("MIME-Version", "1.0")
