"""How one mail travels to one recipient: encoding, text and files, by what he is known to read (O7, O11 to O13).

Pure. Who reads what, and what the account wants for those of whom nobody knows, the services say.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from bmgate.bm.addresses import Address
from bmgate.bm.encodings import EXTENDED, SIMPLE, File, encode_extended, encode_message
from bmgate.errors import TooLarge, UnsupportedMedia
from bmgate.mail.bodies import BodyPart, base64_lines, boundary_of, multipart, text_part
from bmgate.mail.charsets import decode_text
from bmgate.mail.outgoing import Attached
from bmgate.mail.size import MAX_TEXT, check_size
from bmgate.mail.text import QUOTE_LINE, normal_body, size_in_words
from bmgate.mail.write import CRLF, parameter, text_field
from bmgate.mail.write import field as written_field

MAX_DATA = MAX_TEXT + len("Subject:\nBody:")  # bytes of a payload, whatever its encoding
MAX_PARENTS = 8
_SHOWN = ("image/png", "image/jpeg", "image/gif")  # by PyBitmessage, as data in the text
_TOLD_FILES = 10


class Form(Enum):
    """What is made of files."""

    PLAIN = auto()  # there may be none
    FILES = auto()  # encoding 3, for those who read it
    EXTENDED = auto()  # the same with a note in the text
    MIME = auto()  # a whole mail as body
    INLINE = auto()  # pictures and texts inside the text
    OMIT = auto()  # only named


@dataclass(frozen=True, slots=True, repr=False)
class Text:
    """What a mail holds for all of its recipients."""

    subject: str
    body: str
    files: tuple[Attached, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def is_long(self) -> bool:
        """Whether encoding 2 cannot carry it."""
        return len(self.subject.encode()) + len(self.body.encode()) > MAX_TEXT


@dataclass(frozen=True, slots=True)
class Ends:
    """Between whom a mail goes, for the form that is a mail itself; `domain` and `id_key` are the sender's."""

    sender: Address
    recipient: Address
    domain: str
    id_key: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Payload:
    """What travels to one recipient. `left_out` names what does not, `parents` are inventory vectors (32 bytes).

    `disclosed` are the lists of `x-bmgate` (O2).
    """

    encoding: int
    subject: str
    body: str
    files: tuple[File, ...] = ()
    left_out: tuple[str, ...] = ()
    parents: tuple[bytes, ...] = ()
    disclosed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def data(self) -> bytes:
        """The message bytes of the object, made anew at each call; raises TooLarge beyond what an object carries."""
        if self.encoding == SIMPLE:
            check_size(len(self.subject.encode()) + len(self.body.encode()))
            return encode_message(self.subject, self.body)
        extra = {"x-bmgate": {name: list(listed) for name, listed in self.disclosed.items()}} if self.disclosed else {}
        data = encode_extended(self.subject, self.body, self.parents, self.files, extra)
        if len(data) > MAX_DATA:
            inflated = len(f"{self.subject}{self.body}".encode()) + sum(len(file.data) for file in self.files)
            raise TooLarge(too_large(len(data), inflated, len(self.files)))
        return data


def as_plain(text: Text) -> Payload:
    """The text alone, which everybody reads; raises UnsupportedMedia when there are files that must not be lost."""
    files = [each.file for each in text.files if not each.is_logo]
    if files:
        raise UnsupportedMedia(f"not known to accept attachments ({file_list(files)})")
    return Payload(SIMPLE, text.subject, text.body, left_out=_left_out(text))


def as_files(
    text: Text,
    parents: Iterable[bytes] = (),
    disclosed: Mapping[str, tuple[str, ...]] | None = None,
    with_note: bool = False,
) -> Payload:
    """Encoding 3 with all files and their thread; the note is for somebody who may not see the files."""
    chosen = [each.file for each in text.files if not (with_note and each.is_logo)]
    body = text.body
    if with_note and chosen:
        count = f"{len(chosen)} attachment{'' if len(chosen) == 1 else 's'}"
        listed = ", ".join(f"{file.name} ({size_in_words(len(file.data))})" for file in chosen)
        body = _below(body, f"[{count}: {listed}. Needs a program that reads files in extended messages.]")
    return Payload(
        EXTENDED,
        text.subject,
        body,
        files=tuple(chosen),
        left_out=_left_out(text) if with_note else text.left_out,
        parents=tuple(parents)[:MAX_PARENTS],
        disclosed=disclosed or {},
    )


def as_mime(text: Text, ends: Ends) -> Payload:
    """Encoding 2 whose body is a minimal mail, with LF line ends (O12); it has a From that its reader knows anyway."""
    files = [each.file for each in text.files if not each.is_logo]
    marked = _digest(ends, text)
    boundary = boundary_of(hmac.digest(ends.id_key, marked, "sha256"))
    parts = [text_part(text.body).encoded, *(_mime_part(file).encoded for file in files)]
    fields = (
        written_field("From", [f"{ends.sender}@{ends.domain}"]),
        written_field("To", [f"{ends.recipient}@{ends.domain}"]),
        text_field("Subject", text.subject),
        written_field("MIME-Version", ["1.0"]),
        written_field("Content-Type", ["multipart/mixed;", f'boundary="{boundary}"']),
    )
    mail = b"".join(fields) + CRLF + multipart(boundary, parts)
    body = mail.decode("ascii").replace("\r\n", "\n").rstrip("\n")
    return Payload(SIMPLE, text.subject, body, left_out=_left_out(text))


def as_inline(text: Text) -> Payload:
    """Pictures and texts inside the text, as PyBitmessage shows them; raises UnsupportedMedia for any other file."""
    files = [each.file for each in text.files if not each.is_logo]
    if others := [file for file in files if file.media_type not in (*_SHOWN, "text/plain")]:
        raise UnsupportedMedia(f"not known to accept attachments other than pictures and texts ({file_list(others)})")
    body = _below(text.body, *map(_inline, files))
    return Payload(SIMPLE, text.subject, body, left_out=_left_out(text))


def as_named(text: Text) -> Payload:
    """The files are only named."""
    files = [each.file for each in text.files if not each.is_logo]
    notes = [
        f"[Attachment not sent: {file.name}, {file.media_type}, {size_in_words(len(file.data))}]" for file in files
    ]
    body = "\n".join((*([text.body, ""] if text.body and notes else [text.body] if text.body else []), *notes))
    named = tuple(f"{file.name} {size_in_words(len(file.data))}" for file in files)
    return Payload(SIMPLE, text.subject, body, left_out=(*_left_out(text), *named))


def with_dashes(body: str) -> str:
    """The last block of `>` quotes in PyBitmessage's form: below 54 dashes, without its marks."""
    lines = body.split("\n")
    last = next((n for n in range(len(lines) - 1, -1, -1) if lines[n].startswith(">")), None)
    if last is None:
        return body
    first = last
    while first and lines[first - 1].startswith(">"):
        first -= 1
    quoted = [line.removeprefix(">").removeprefix(" ") for line in lines[first : last + 1]]
    before, after = "\n".join(lines[:first]).rstrip("\n"), "\n".join(lines[last + 1 :]).strip("\n")
    return normal_body("\n".join([*([before] if before else []), *([after] if after else []), "", QUOTE_LINE, *quoted]))


def file_list(files: Iterable[File]) -> str:
    """`plan.pdf, 34 kB`, the first ten of them."""
    told = [f"{file.name}, {size_in_words(len(file.data))}" for file in files]
    more = len(told) - _TOLD_FILES
    listed = ", ".join(told[:_TOLD_FILES])
    return listed if more <= 0 else f"{listed} and {more} more"


def _left_out(text: Text) -> tuple[str, ...]:
    logos = (each.file for each in text.files if each.is_logo)
    return (*text.left_out, *(f"{logo.name} {size_in_words(len(logo.data))}" for logo in logos))


def _below(body: str, *blocks: str) -> str:
    return "\n\n".join([*([body] if body else []), *blocks])


def _inline(file: File) -> str:
    if file.media_type in _SHOWN:
        name = file.name.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
        encoded = base64.b64encode(file.data).decode("ascii")
        return f'<img alt="{name}" src="data:{file.media_type};base64,{encoded}">'
    return f"----- {file.name} -----\n{normal_body(decode_text(file.data, ''))}"


def _mime_part(file: File) -> BodyPart:
    words = [file.disposition, *parameter("filename", file.name)]
    fields = (
        written_field("Content-Type", [file.media_type]),
        written_field("Content-Transfer-Encoding", ["base64"]),
        written_field("Content-Disposition", [*(f"{word};" for word in words[:-1]), words[-1]]),
    )
    return BodyPart(b"".join(fields), base64_lines(file.data).replace(b"\n", CRLF))


def _digest(ends: Ends, text: Text) -> bytes:
    """What the boundary is made from: it tells two mails apart, and nothing of either to who lacks the key."""
    items = [b"bmgate-mime-1", str(ends.sender).encode(), str(ends.recipient).encode()]
    items += [text.subject.encode(errors="replace"), text.body.encode(errors="replace")]
    items += [hashlib.sha256(each.file.data).digest() for each in text.files]
    return hashlib.sha256(b"".join(len(item).to_bytes(4) + item for item in items)).digest()


def too_large(size: int, inflated: int, files: int) -> str:
    """What is said of `size` bytes in encoding 3, made from about `inflated`: what is to go is counted in these."""
    what = "message" if not files else f"message with its attachment{'' if files == 1 else 's'}"
    told, carried = f"{size // 1000} kB", f"Bitmessage carries {MAX_TEXT // 1000} kB"
    if inflated <= size:
        excess = max(1, size // 1000 - MAX_DATA // 1000)
        return f"{what} is {told}, {carried}; shorten it by about {excess} kB"
    excess = -(-(size - MAX_DATA) * inflated // (size * 1000))
    return f"{what} is {told} compressed, {carried}; shorten it by about {excess} of its {inflated // 1000} kB"
