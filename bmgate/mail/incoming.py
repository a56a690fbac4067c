"""Incoming messages as mail: who they are (content id, Message-ID), and the bytes a client sees.

Rendering is a pure function of the value and the account's `id_key`, so the bytes of a mail never change. What the
value says, the caller decided: labels, threads, duplicates. Rules I13 to I21, A1, A2, P32 to P37.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from bmgate.bm.addresses import Address
from bmgate.bm.encodings import DecodedMessage, File
from bmgate.bm.wire import encode_varint
from bmgate.mail.bodies import BodyPart, base64_lines, boundary_of, multipart, text_part
from bmgate.mail.dates import write_date
from bmgate.mail.filenames import clean_file_name, numbered_name
from bmgate.mail.text import clean_line, normal_body
from bmgate.mail.write import (
    CRLF,
    Mailbox,
    encoded_words,
    field,
    mailbox_field,
    parameter,
    plain_field,
    quoted,
    text_field,
    usable_label,
)

MAX_REFERENCES = 20

_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,248}>")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,64}")
_OCTET_STREAM = "application/octet-stream"
_ACTIVE_TYPES = frozenset({"text/html", "application/xhtml+xml", "image/svg+xml", "application/x-msdownload"})
_ACTIVE_FAMILIES = ("message/", "multipart/")


class Kind(StrEnum):
    """How a message came, as `X-Bitmessage-Kind` says it."""

    MSG = "msg"
    CHAN = "chan"
    BROADCAST = "broadcast"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class IncomingMail:
    """A message that is to become mail.

    `recipient` is the address it was delivered for: an identity, the chan, or for a broadcast the subscribed address.
    Labels are the reader's own words for the two. `decoded` is None when `data` could not be read in `encoding`.
    `received_at` is when the first copy was processed, in Unix seconds. `references` are Message-IDs, the last one is
    the message this one answers (`thread_references` makes them).
    """

    kind: Kind
    sender: Address
    recipient: Address
    encoding: int
    data: bytes
    decoded: DecodedMessage | None
    content_id: bytes
    received_at: int
    sender_label: str = ""
    recipient_label: str = ""
    references: tuple[str, ...] = ()
    first_contact: bool = False

    @property
    def is_signed_by_chan(self) -> bool:
        """Whether any member of the chan could have written it."""
        return self.kind is Kind.CHAN and self.sender == self.recipient


# --- identity ---


def content_id(
    sender: Address, recipient: Address, encoding: int, data: bytes, ack_data: bytes, signed_data: bytes
) -> bytes:
    """The 32 bytes that all copies of a message share (I13).

    `ack_data` is the embedded ack's object from the type field on, empty when there is none (chans, broadcasts); only
    then `signed_data` counts.
    """
    if not ack_data:
        return hashlib.sha256(_prefixed(b"bmgate-signed-1", hashlib.sha256(signed_data).digest())).digest()
    addresses = (str(sender).encode("ascii"), str(recipient).encode("ascii"))
    return hashlib.sha256(_prefixed(b"bmgate-msg-1", *addresses, encode_varint(encoding), data, ack_data)).digest()


def dedupe_tag(dedupe_key: bytes, content: bytes) -> bytes:
    """The 32 bytes by which an account remembers a content id (I14)."""
    return hmac.digest(dedupe_key, content, "sha256")


def message_id(id_key: bytes, content: bytes, domain: str) -> str:
    """The Message-ID of a content id, `<...@domain>` (I15)."""
    digest = _keyed(id_key, b"message-id", content)[:20]
    return f"<{base64.b32encode(digest).decode('ascii').lower()}@{domain}>"


def boundary(id_key: bytes, content: bytes) -> str:
    """The MIME boundary of a content id (I20)."""
    return boundary_of(_keyed(id_key, b"boundary", content))


def _keyed(key: bytes, purpose: bytes, content: bytes) -> bytes:
    return hmac.digest(key, _prefixed(purpose, content), "sha256")


def _prefixed(*items: bytes) -> bytes:
    return b"".join(len(item).to_bytes(4) + item for item in items)


def thread_references(ancestors: tuple[str, ...], parents: tuple[str, ...]) -> tuple[str, ...]:
    """The References of an answer to `parents`, whose last has `ancestors` itself (I17).

    At most 20, the oldest dropped after the first; what is no Message-ID is left out.
    """
    last_wins = dict.fromkeys(reversed([name for name in (*ancestors, *parents) if _MESSAGE_ID.fullmatch(name)]))
    names = list(reversed(last_wins))
    if len(names) > MAX_REFERENCES:
        names = [names[0], *names[1 - MAX_REFERENCES :]]
    return tuple(names)


# --- rendering ---


def render(mail: IncomingMail, id_key: bytes, domain: str) -> bytes:
    """The mail as RFC 5322 bytes: ASCII, CRLF, lines of at most 998."""
    return b"".join((*_header(mail, id_key, domain), field("MIME-Version", ["1.0"]), _content(mail, id_key)))


def _header(mail: IncomingMail, id_key: bytes, domain: str) -> Iterator[bytes]:
    sender = Mailbox(f"{mail.sender}@{domain}", usable_label(mail.sender_label))
    recipient = Mailbox(f"{mail.recipient}@{domain}", usable_label(mail.recipient_label))
    yield plain_field("Delivered-To", recipient.spec)
    yield plain_field("Authentication-Results", f"{domain}; {_authentication(mail, sender)}")
    yield plain_field("Date", write_date(mail.received_at // 60 * 60))
    yield mailbox_field("From", [sender])
    yield field("To", ["subscribers:;"]) if mail.kind is Kind.BROADCAST else mailbox_field("To", [recipient])
    if mail.kind is Kind.CHAN:
        yield mailbox_field("Reply-To", [recipient])
    yield text_field("Subject", _subject(mail))
    yield plain_field("Message-ID", message_id(id_key, mail.content_id, domain))
    references = [name for name in mail.references if _MESSAGE_ID.fullmatch(name)]
    if references:
        yield plain_field("In-Reply-To", references[-1])
        yield field("References", references)
    yield from _list_fields(mail, recipient, domain)
    yield plain_field("X-Bitmessage-Kind", mail.kind)
    yield plain_field("X-Bitmessage-Encoding", str(mail.encoding))
    yield plain_field("X-Bitmessage-Key", f"{'chan' if mail.is_signed_by_chan else 'verified'} {mail.sender}")
    if mail.first_contact:
        yield plain_field("X-Bitmessage-First-Contact", "yes")


def _authentication(mail: IncomingMail, sender: Mailbox) -> str:
    if mail.is_signed_by_chan:
        return "x-bitmessage=neutral (chan key is public)"
    return f"x-bitmessage=pass header.from={sender.spec}"


def _list_fields(mail: IncomingMail, recipient: Mailbox, domain: str) -> Iterator[bytes]:
    if mail.kind is Kind.CHAN:
        post, leave = f"<mailto:{recipient.spec}>", "leave"
    elif mail.kind is Kind.BROADCAST:
        post, leave = "NO", "usub"
    else:
        return
    list_name = f"<{mail.recipient}.{mail.kind}.{domain}>"
    yield field("List-Id", [*_list_label(recipient.label), list_name])
    yield plain_field("List-Post", post)
    yield plain_field("List-Unsubscribe", f"<mailto:bmgate@{domain}?subject={leave}%20{mail.recipient}>")
    yield plain_field("Precedence", "list")


def _list_label(label: str) -> list[str]:
    if not label:
        return []
    return [quoted(label)] if label.isascii() else list(encoded_words(label, len("List-Id: ")))


def _subject(mail: IncomingMail) -> str:
    if mail.decoded is None:
        return f"[Bitmessage: unreadable message, encoding {mail.encoding}]"
    return clean_line(mail.decoded.subject)


def _content(mail: IncomingMail, id_key: bytes) -> bytes:
    """The Content-* fields, the empty line and the body."""
    files = _files(mail)
    part = text_part(_text(mail))
    if not files:
        return part.encoded + CRLF
    mark = boundary(id_key, mail.content_id)
    parts = (part, *(_file_part(file, number) for number, file in enumerate(files, 1)))
    fields = field("Content-Type", ["multipart/mixed;", f'boundary="{mark}"'])
    return fields + CRLF + multipart(mark, [each.encoded for each in parts])


def _files(mail: IncomingMail) -> tuple[File, ...]:
    if mail.decoded is None:
        return (File("message.bin", mail.data, _OCTET_STREAM, "attachment"),)
    return mail.decoded.files


def _text(mail: IncomingMail) -> str:
    if mail.decoded is None:
        return (
            f"This message cannot be shown: its encoding {mail.encoding} is not known here, or it is damaged.\n"
            "What was received is attached as message.bin."
        )
    body = normal_body(mail.decoded.body.replace("\0", "\ufffd"))
    return "\n\n".join([body, *(f"[{clean_line(note)}]" for note in mail.decoded.notes)])


def _file_part(file: File, number: int) -> BodyPart:
    """A file, always as attachment: nothing a stranger sends is shown by itself (P35)."""
    media_type = _harmless_type(file.media_type)
    words = ["attachment", *parameter("filename", _file_name(file, number, media_type))]
    fields = (
        field("Content-Type", [media_type]),
        field("Content-Transfer-Encoding", ["base64"]),
        field("Content-Disposition", [*(f"{word};" for word in words[:-1]), words[-1]]),
    )
    return BodyPart(b"".join(fields), base64_lines(file.data).replace(b"\n", CRLF))


def _file_name(file: File, number: int, media_type: str) -> str:
    return clean_file_name(file.name) or numbered_name(number, media_type)


def _harmless_type(media_type: str) -> str:
    media_type = media_type.lower()
    if not _MEDIA_TYPE.fullmatch(media_type) or media_type in _ACTIVE_TYPES or media_type.startswith(_ACTIVE_FAMILIES):
        return _OCTET_STREAM
    return media_type
