"""Raw mail into a tree of body parts, in time that grows with its size and whatever is in it.

The result is made of `email.message.Message` under the policy compat32 with the raw header fields and, in each leaf,
the undecoded body, a character for each byte (surrogates would make `email` parse the Content-Type its own way). The
splitting is ours: `email.parser` recurses with the nesting and tries every open boundary on each line (F9, S10).
Embedded messages are leaves. Sources: RFC 2046 section 5.1, RFC 5322; caps O4.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.policy import compat32
from typing import Any, TypeAlias, cast

from bmgate.errors import BadMail
from bmgate.mail.headers import FieldValue, media_type, raw_field, token_value

MAX_NESTING = 50
MAX_PARTS = 1000
MAX_FIELDS = 500
MAX_HEADER = 128 * 1024  # bytes
MAX_BOUNDARY = 200  # bytes; RFC 2046 says 70

Part: TypeAlias = "Message[Any, Any]"

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:[ \t]*")
_MBOX_LINE = re.compile(rb">?From [^\n]*\n")


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part still to be read: its place in the text and in the tree."""

    part: Part
    start: int
    end: int
    depth: int
    default_type: str


def parse_mail(raw: bytes) -> Part:
    """The tree of a mail; raises BadMail for NUL and beyond the caps of O4.

    Line ends become LF. A multipart without a usable boundary is a leaf; its content type stays what its field says.
    """
    if b"\0" in raw:
        raise BadMail("the mail contains NUL")
    text = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    mbox_line = _MBOX_LINE.match(text)
    root: Part = Message(policy=compat32)
    pieces = [_Piece(root, mbox_line.end() if mbox_line else 0, len(text), 0, "text/plain")]
    count = 0
    while pieces:
        piece = pieces.pop()
        count += 1
        if count > MAX_PARTS:
            raise BadMail(f"more than {MAX_PARTS} parts")
        if piece.depth > MAX_NESTING:
            raise BadMail(f"parts nested deeper than {MAX_NESTING}")
        pieces += reversed(_read_part(text, piece, MAX_PARTS - count - len(pieces)))
    return root


def content_type(part: Part) -> FieldValue:
    """The media type of a part with its parameters; the default where the field is missing or unreadable."""
    return media_type(raw_field(part, "Content-Type"), part.get_default_type())


def disposition(part: Part) -> FieldValue:
    """The Content-Disposition of a part: `attachment`, `inline` or empty, with its parameters."""
    return token_value(raw_field(part, "Content-Disposition"))


def children(part: Part) -> list[Part]:
    """The parts of a multipart, none for a leaf."""
    payload: object = part.get_payload()
    return payload if isinstance(payload, list) else []


def raw_body(part: Part) -> bytes:
    """The undecoded body of a leaf with LF line ends."""
    payload: object = part.get_payload()
    return payload.encode("latin-1") if isinstance(payload, str) else b""


def parse_header(text: bytes) -> Part:
    """Only the header fields of a mail, as of an embedded one; line ends may be any."""
    text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    part: Part = Message(policy=compat32)
    _read_header(text, part, 0, len(text))
    return part


def _read_part(text: bytes, piece: _Piece, room: int) -> list[_Piece]:
    """Fill in one part; gives its children, which are still to be read."""
    part = piece.part
    part.set_default_type(piece.default_type)
    body = _read_header(text, part, piece.start, piece.end)
    media = content_type(part)
    spans: list[tuple[int, int]] = []
    if media.value.startswith("multipart/"):
        spans = _split(text, body, piece.end, media.parameters.get("boundary", ""), room)
    if not spans:
        part.set_payload(text[body : piece.end].decode("latin-1"))
        return []
    default = "message/rfc822" if media.value == "multipart/digest" else "text/plain"
    parts: list[Part] = [Message(policy=compat32) for _ in spans]
    part.set_payload(cast(Any, parts))
    return [
        _Piece(child, start, end, piece.depth + 1, default) for child, (start, end) in zip(parts, spans, strict=True)
    ]


def _read_header(text: bytes, part: Part, start: int, end: int) -> int:
    """Read the fields at `start` into `part`; gives the position where the body begins.

    A line that is no field ends the header and belongs to the body: a mail without header is all body.
    """
    position, count = start, 0
    name, lines = b"", list[bytes]()
    for line_start, line_end in _lines(text, start, end):
        line = text[line_start : min(line_end, line_start + MAX_HEADER + 1)]
        if line[:1] in (b" ", b"\t") and name and line.strip():
            lines.append(line)
        elif (match := _FIELD.match(line)) is not None:
            _add_field(part, name, lines)
            name, lines = match[1], [line[match.end() :]]
            count += 1
        else:
            position = line_end + 1 if not line.strip() else line_start
            break
        if count > MAX_FIELDS or line_end - start > MAX_HEADER:
            raise BadMail(f"a header of more than {MAX_FIELDS} fields or {MAX_HEADER // 1024} KiB")
        position = line_end + 1
    _add_field(part, name, lines)
    return min(position, end)


def _lines(text: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Start and end of each line between the positions, the line end left out."""
    while start < end:
        line_end = text.find(b"\n", start, end)
        if line_end < 0:
            line_end = end
        yield start, line_end
        start = line_end + 1


def _add_field(part: Part, name: bytes, lines: list[bytes]) -> None:
    if name:
        part.set_raw(name.decode("ascii"), b"\n".join(lines).decode("ascii", "surrogateescape"))


def _split(text: bytes, start: int, end: int, boundary: str, room: int) -> list[tuple[int, int]]:
    """The spans between the delimiter lines of a multipart; none when the boundary is missing, unusable or never met.

    Preamble and epilogue are dropped. A multipart that is never closed ends where the one around it goes on.
    """
    mark = boundary.rstrip(" ").encode("utf-8", "surrogateescape")
    if not mark or len(mark) > MAX_BOUNDARY:
        return []
    delimiter = re.compile(rb"\n--" + re.escape(mark) + rb"(--)?[ \t]*(?=\n|\Z)")
    spans: list[tuple[int, int]] = []
    opened = -1
    for match in delimiter.finditer(text, max(start - 1, 0), end):
        if opened >= 0:
            spans.append((opened, max(match.start(), opened)))
        if match[1]:
            return spans
        if len(spans) > room:
            raise BadMail(f"more than {MAX_PARTS} parts")
        opened = min(match.end() + 1, end)
    if opened >= 0:
        spans.append((opened, end))
    return spans
