"""Mail that its owner once sent, or meant to send, with another program: as it stands in Sent or Drafts here.

What others sent him is rendered as all that comes in, with the kind `import`.
"""

from dataclasses import dataclass

from bmgate.mail.bodies import text_part
from bmgate.mail.dates import write_date
from bmgate.mail.reading import Kind
from bmgate.mail.text import clean_line, normal_body
from bmgate.mail.write import CRLF, Mailbox, mailbox_field, plain_field, text_field


@dataclass(frozen=True, slots=True)
class OldMail:
    """`date` is in Unix seconds; the Message-ID has its angle brackets."""

    sender: Mailbox
    to: Mailbox
    subject: str
    text: str
    message_id: str
    date: int
    encoding: int


def render_old(mail: OldMail) -> bytes:
    """The mail as RFC 5322 bytes."""
    part = text_part(normal_body(mail.text.replace("\0", "\ufffd")))
    fields = (
        plain_field("Date", write_date(mail.date)),
        mailbox_field("From", [mail.sender]),
        mailbox_field("To", [mail.to]),
        text_field("Subject", clean_line(mail.subject)),
        plain_field("Message-ID", mail.message_id),
        plain_field("X-Bitmessage-Kind", Kind.IMPORT),
        plain_field("X-Bitmessage-Encoding", str(mail.encoding)),
        plain_field("MIME-Version", "1.0"),
    )
    return b"".join((*fields, part.fields, CRLF, part.content, CRLF))
