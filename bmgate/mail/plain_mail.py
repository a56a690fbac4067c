"""A plain mail of a user that no mail program wrote: one text, submitted like any other mail."""

from dataclasses import dataclass

from bmgate.mail.text import normal_body
from bmgate.mail.text_mail import render_text_mail
from bmgate.mail.write import Mailbox, plain_field


@dataclass(frozen=True, slots=True, repr=False)
class PlainMail:
    """`sender` and `recipient` are addr-specs; `message_id` has its angle brackets; `date` is in Unix seconds.

    `post_as` is `chan` or `identity`, and decides who signs a post to a chan; empty leaves it to the options.
    """

    sender: str
    recipient: str
    subject: str
    body: str
    message_id: str
    date: int
    ttl_seconds: int
    post_as: str = ""


def render_plain(mail: PlainMail) -> bytes:
    """The mail as RFC 5322 bytes."""
    wishes = [plain_field("X-Bitmessage-TTL", f"{mail.ttl_seconds}s")]
    wishes += [plain_field("X-Bitmessage-Post-As", mail.post_as)] if mail.post_as else []
    sender, recipient, text = Mailbox(mail.sender), Mailbox(mail.recipient), normal_body(mail.body)
    return render_text_mail(sender, recipient, mail.subject, mail.message_id, mail.date, text, wishes)
