"""Mail that its owner once sent, or meant to send, with another program: as it stands in Sent or Drafts here.

What others sent him is rendered as all that comes in, with the kind `import`; what names no usable sender as here.
"""

from dataclasses import dataclass

from bmgate.mail.reading import Kind
from bmgate.mail.text import clean_line, normal_body, truncate_utf8
from bmgate.mail.text_mail import render_text_mail
from bmgate.mail.write import Mailbox, plain_field, text_field

MAX_CLAIM = 200  # bytes


@dataclass(frozen=True, slots=True)
class OldMail:
    """`date` is in Unix seconds; the Message-ID has its angle brackets. `claimed` is what stood there as sender or
    recipient, where that is no address.
    """

    sender: Mailbox
    to: Mailbox
    subject: str
    text: str
    message_id: str
    date: int
    encoding: int
    claimed: str = ""


def render_old(mail: OldMail) -> bytes:
    """The mail as RFC 5322 bytes."""
    text = normal_body(mail.text.replace("\0", "\ufffd"))
    further = [
        plain_field("X-Bitmessage-Kind", Kind.IMPORT),
        plain_field("X-Bitmessage-Encoding", str(mail.encoding)),
    ]
    if mail.claimed:
        further.append(text_field("X-Bitmessage-Claimed-Address", truncate_utf8(clean_line(mail.claimed), MAX_CLAIM)))
    return render_text_mail(mail.sender, mail.to, mail.subject, mail.message_id, mail.date, text, further)
