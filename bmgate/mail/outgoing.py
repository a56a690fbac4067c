"""A submitted mail as the payload that travels: subject and text, encoding 2, and nothing else (O5-O10, V1-V6).

Pure: recipients, keys and the clock are the services' business. Attachments are refused by name; signatures and small
logos are left out by name. Header fields beside the Subject are read for the gateway itself and never transmitted.
"""

import hashlib
from dataclasses import dataclass

from bmgate.bm.encodings import SIMPLE, encode_message
from bmgate.errors import NotAllowed, UnsupportedMedia
from bmgate.mail.headers import decode_header, message_ids_in, raw_field
from bmgate.mail.parse import content_type, parse_mail
from bmgate.mail.selection import Selection
from bmgate.mail.senders import Senders, senders
from bmgate.mail.size import check_size
from bmgate.mail.text import clean_line, normal_body, size_in_words, truncate_utf8
from bmgate.mail.transfer import decoded_body
from bmgate.mail.wishes import Priority, expires_at, priority_of, ttl_of

MAX_SUBJECT = 500  # bytes
ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class OutgoingText:
    """One mail converted: `data` is the payload in `encoding`, all else stays in the gateway.

    `left_out` names parts that do not travel, such as `logo.png 3 kB`. `ttl_seconds` is the header's wish, `expires_at`
    (Unix seconds) the one of `Expires`. `message_id` has its angle brackets and is empty when there is none.
    """

    subject: str
    body: str
    encoding: int
    data: bytes
    left_out: tuple[str, ...]
    ttl_seconds: int | None
    expires_at: int | None
    priority: Priority
    message_id: str
    senders: Senders
    body_hash: bytes


def convert(raw: bytes) -> OutgoingText:
    """Read a submitted mail; raises BadMail (BadTtl), UnsupportedMedia, TooLarge or NotAllowed, and nothing else."""
    message = parse_mail(raw)
    if content_type(message).value == "multipart/report":
        raise NotAllowed("receipts and reports are not sent over Bitmessage")
    selection = Selection(message)
    refuse_attachments(selection)
    subject, body = with_short_subject(decode_header(raw_field(message, "Subject")), selection.body)
    check_size(len(subject.encode()) + len(body.encode()))
    data = encode_message(subject, body)
    return OutgoingText(
        subject=subject,
        body=body,
        encoding=SIMPLE,
        data=data,
        left_out=tuple(selection.left_out),
        ttl_seconds=ttl_of(message),
        expires_at=expires_at(message),
        priority=priority_of(message),
        message_id=next(iter(message_ids_in(raw_field(message, "Message-ID"))), ""),
        senders=senders(message),
        body_hash=hashlib.sha256(data).digest(),
    )


def refuse_attachments(selection: Selection) -> None:
    """Raise UnsupportedMedia naming every attachment and its size (O12 `refuse`, S11)."""
    if not selection.attachments:
        return
    files = ", ".join(f"{name}, {size_in_words(len(decoded_body(part)))}" for part, name in selection.attachments[:10])
    more = len(selection.attachments) - 10
    listed = files if more <= 0 else f"{files} and {more} more"
    raise UnsupportedMedia(f"the recipients are not known to accept attachments ({listed}). Send text only")


def with_short_subject(subject: str, body: str) -> tuple[str, str]:
    """Subject and body as they travel: a subject beyond 500 bytes is cut and repeated in full above the body (O5 f)."""
    subject, body = clean_line(subject), normal_body(body)
    if len(subject.encode()) <= MAX_SUBJECT:
        return subject, body
    cut = truncate_utf8(subject, MAX_SUBJECT - len(ELLIPSIS.encode())).rstrip(" ")
    return cut + ELLIPSIS, normal_body(f"[Subject: {subject}]\n\n{body}")
