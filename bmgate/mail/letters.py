"""Letters: plain mails of the gateway itself to the owner of an account, such as a note or the answer to a command.

They never leave the gateway. What became of a mail is told in `notices`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bmgate.mail.text_mail import render_text_mail
from bmgate.mail.write import Mailbox, plain_field


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
    return render_text_mail(
        letter.sender, letter.to, letter.subject, letter.message_id, letter.date, letter.text, _own_fields(letter)
    )


def _own_fields(letter: Letter) -> Iterator[bytes]:
    if letter.answers:
        yield plain_field("In-Reply-To", letter.answers)
        yield plain_field("References", letter.answers)
    yield plain_field("Auto-Submitted", "auto-replied" if letter.answers else "auto-generated")
