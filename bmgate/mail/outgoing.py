"""A submitted mail as what can travel of it: subject, text and files (O5-O10, O13, V1-V6).

Pure: recipients, keys and the clock are the services' business, and how files travel to whom is in `forms`. Header
fields beside the Subject are read for the gateway itself and never transmitted.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

from bmgate.bm.encodings import File, encode_message
from bmgate.errors import NotAllowed
from bmgate.mail.embedded import embedded_mail
from bmgate.mail.headers import AddrSpec, addresses_in, decode_header, message_ids_in, raw_field, raw_fields
from bmgate.mail.parse import Part, content_type, disposition, parse_mail
from bmgate.mail.selection import Selection
from bmgate.mail.senders import Senders, senders
from bmgate.mail.text import clean_line, normal_body, truncate_utf8
from bmgate.mail.transfer import decoded_body
from bmgate.mail.wishes import Priority, expires_at, is_automatic, post_as_of, priority_of, ttl_of

MAX_SUBJECT = 500  # bytes
ELLIPSIS = "…"
_FULL_SUBJECT = "[Subject: "  # what a cut subject puts above the body


@dataclass(frozen=True, slots=True, repr=False)
class Attached:
    """A file of a mail; a logo is a small picture that its HTML shows."""

    file: File
    is_logo: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class OutgoingMail:
    """One mail converted. Subject, body and files can travel, all else stays in the gateway.

    `left_out` names parts that travel to nobody, such as `signature.asc 1 kB`. `answered` are the Message-IDs of the
    mails it answers, the nearest first. `ttl_seconds` is the header's wish, `expires_at` (Unix seconds) the one of
    `Expires`. `message_id` has its angle brackets and is empty when there is none. `to` and `cc` are the header's.
    `post_as` is who shall sign posts to chans, where the header says it; `is_automatic` that a program wrote the mail.
    """

    subject: str
    body: str
    files: tuple[Attached, ...]
    left_out: tuple[str, ...]
    ttl_seconds: int | None
    expires_at: int | None
    priority: Priority
    message_id: str
    in_reply_to: tuple[str, ...]
    answered: tuple[str, ...]
    senders: Senders
    to: tuple[AddrSpec, ...]
    cc: tuple[AddrSpec, ...]
    post_as: Literal["chan", "identity"] | None = None
    is_automatic: bool = False

    @property
    def data(self) -> bytes:
        """The payload of the text alone, in encoding 2."""
        return encode_message(self.subject, self.body)

    @property
    def content_hash(self) -> bytes:
        """32 bytes that tell what can travel of two mails apart."""
        digest = hashlib.sha256(hashlib.sha256(self.data).digest())
        for attached in self.files:
            digest.update(hashlib.sha256(attached.file.name.encode(errors="replace")).digest())
            digest.update(hashlib.sha256(attached.file.data).digest())
        return digest.digest()


def convert(raw: bytes) -> OutgoingMail:
    """Read a submitted mail; raises BadMail (BadTtl), UnsupportedMedia, TooLarge or NotAllowed, and nothing else."""
    message = parse_mail(raw)
    if content_type(message).value == "multipart/report":
        raise NotAllowed("receipts and reports are not sent over Bitmessage")
    selection = Selection(message)
    subject, body = with_short_subject(decode_header(raw_field(message, "Subject")), selection.body)
    files = [Attached(_file(part, name)) for part, name in selection.attachments]
    files += [Attached(_file(part, name), is_logo=True) for part, name in selection.logos]
    return OutgoingMail(
        subject=subject,
        body=body,
        files=tuple(files),
        left_out=tuple(selection.left_out),
        ttl_seconds=ttl_of(message),
        expires_at=expires_at(message),
        priority=priority_of(message),
        message_id=next(iter(message_ids_in(raw_field(message, "Message-ID"))), ""),
        in_reply_to=message_ids_in(raw_field(message, "In-Reply-To")),
        answered=answered_by(message),
        senders=senders(message),
        to=_addresses(message, "To"),
        cc=_addresses(message, "Cc"),
        post_as=post_as_of(message),
        is_automatic=is_automatic(message),
    )


def with_short_subject(subject: str, body: str) -> tuple[str, str]:
    """Subject and body as they travel: a subject beyond 500 bytes is cut and repeated in full above the body (O5 f)."""
    subject, body = clean_line(subject), normal_body(body)
    if len(subject.encode()) <= MAX_SUBJECT:
        return subject, body
    cut = truncate_utf8(subject, MAX_SUBJECT - len(ELLIPSIS.encode())).rstrip(" ")
    return cut + ELLIPSIS, normal_body(f"{_FULL_SUBJECT}{subject}]\n\n{body}")


def is_cut(subject: str, body: str) -> bool:
    """Whether these two are what `with_short_subject` made of a longer subject."""
    return subject.endswith(ELLIPSIS) and body.startswith(_FULL_SUBJECT)


def answered_by(message: Part) -> tuple[str, ...]:
    """The Message-IDs a mail answers: In-Reply-To, then References from right to left; each once."""
    direct = message_ids_in(raw_field(message, "In-Reply-To"))
    before = message_ids_in(raw_field(message, "References"))
    return tuple(dict.fromkeys((*direct, *reversed(before))))


def _addresses(message: Part, name: str) -> tuple[AddrSpec, ...]:
    return tuple(address for raw in raw_fields(message, name) for address in addresses_in(raw))


def _file(part: Part, name: str) -> File:
    """A part as file: base name, media type without parameters, disposition and bytes (V3)."""
    media = content_type(part).value
    is_inline = disposition(part).value == "inline" or (not disposition(part).value and part.get("Content-ID"))
    shown = "inline" if is_inline and media.startswith(("image/", "text/", "application/pdf")) else "attachment"
    data = embedded_mail(decoded_body(part)) if media == "message/rfc822" else decoded_body(part)
    return File(name, data, media, shown)
