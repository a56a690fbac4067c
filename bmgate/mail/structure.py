"""The stored structure of a mail: all that IMAP FETCH and SEARCH need, so that both only copy bytes.

Made once, at delivery, from bytes of any kind: `index_message` never fails and takes linear time. All offsets count
from the beginning of the mail; `raw == header + body` with `len(header) == header_size`, so that whatever lies in the
header is answered from the header alone. Sources: RFC 3501 6.4.5 and 7.4.2, RFC 9051 the same.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import msgpack

from bmgate.mail.bodystructure import inner_envelopes, render_body
from bmgate.mail.dates import read_date
from bmgate.mail.envelope import address_field, render_envelope
from bmgate.mail.fields import Field, Header, field_value, scan_header
from bmgate.mail.headers import decode_header
from bmgate.mail.lines import wire_size_of
from bmgate.mail.mimetree import Node, scan_tree
from bmgate.mail.octets import Octets, windows
from bmgate.units import DAY

Path = tuple[int, ...]

_VERSION = 2
_UNPACKED_VERSION = 1  # fields, parts and texts among the other values


class PartRange(NamedTuple):
    """Where a part lies: MIME header from `mime_start`, body from `body_start` to `body_end`.

    For a message (the mail itself, path `()`, and every message/rfc822 part) the body is a message whose own header
    ends at `text_start`; elsewhere `text_start` is -1.
    """

    path: Path
    mime_start: int
    body_start: int
    text_start: int
    body_end: int


class Texts(NamedTuple):
    """Header fields decoded, for SEARCH and SORT."""

    subject: str
    from_: str
    to: str
    cc: str
    bcc: str


class MessageIndex(NamedTuple):
    """What is known of a mail without reading it again; `envelope`, `body`, `bodystructure` are ready IMAP text.

    `sent_date` is the Date field in Unix seconds, `sent_offset` its zone in seconds east of UTC. The packed ones are
    unpacked when they are asked for: most commands want one of them, or none. `wire_octets` is the size that POP3
    counts (`mail.lines.wire_size`), None in an index of the first version.
    """

    size: int
    header_size: int
    envelope: bytes
    body: bytes
    bodystructure: bytes
    packed_fields: bytes
    packed_parts: bytes
    packed_texts: bytes
    sent_date: int | None
    sent_offset: int
    wire_octets: int | None = None

    @property
    def fields(self) -> tuple[Field, ...]:
        """The header fields and where they lie."""
        return cast(tuple[Field, ...], _unpack(self.packed_fields))

    @property
    def parts(self) -> tuple[PartRange, ...]:
        """The mail itself and its numbered parts."""
        return tuple([PartRange(*part) for part in _unpack(self.packed_parts)])

    @property
    def texts(self) -> Texts:
        """What people wrote into the header."""
        return Texts(*_unpack(self.packed_texts))

    @property
    def sent_day(self) -> int | None:
        """Days since 1970-01-01 as the writer saw them: SENTON and its like ignore time and zone (RFC 3501 6.4.4)."""
        return None if self.sent_date is None else (self.sent_date + self.sent_offset) // DAY

    def part(self, path: Path) -> PartRange | None:
        """The part of that path; `()` is the mail itself."""
        return next((part for part in self.parts if part.path == path), None)

    def value(self, header: Octets, name: str) -> bytes | None:
        """The first field of that lower-case name, unfolded; `header` is the mail or its header alone."""
        return next((field_value(header, field) for field in self.fields if field[0] == name), None)


@dataclass(frozen=True, slots=True)
class Section:
    """A section of IMAP's `BODY[...]`: part path, `kind` and, for the HEADER.FIELDS kinds, lower-case field names.

    Kinds: `` (the part), `HEADER`, `HEADER.FIELDS`, `HEADER.FIELDS.NOT`, `TEXT`, `MIME`.
    """

    path: Path = ()
    kind: str = ""
    names: frozenset[str] = frozenset()


def index_message(raw: Octets) -> MessageIndex:
    """The structure of any bytes."""
    root = scan_tree(raw)
    header, envelopes = root.header, inner_envelopes(raw, root)
    sent = read_date(header.value(raw, "date") or b"")
    return MessageIndex(
        size=len(raw),
        header_size=header.end,
        envelope=render_envelope(raw, header),
        body=render_body(raw, root, envelopes, extended=False),
        bodystructure=render_body(raw, root, envelopes, extended=True),
        packed_fields=_pack(header.fields),
        packed_parts=_pack((PartRange((), 0, 0, header.end, len(raw)), *_parts(root, ()))),
        packed_texts=_pack(
            (
                decode_header(header.value(raw, "subject") or b""),
                *(_addresses_text(raw, header, name) for name in ("from", "to", "cc", "bcc")),
            )
        ),
        sent_date=sent.seconds if sent else None,
        sent_offset=sent.offset if sent else 0,
        wire_octets=wire_size_of(windows(raw)),
    )


def _addresses_text(raw: Octets, header: Header, name: str) -> str:
    return decode_header(address_field(raw, header, name))


def _parts(message: Node, path: Path) -> list[PartRange]:
    """The numbered parts of a message that itself has `path` (RFC 3501 6.4.5): one that is no multipart has part 1."""
    if message.is_multipart:
        return _children(message, path)
    return _numbered(message, (*path, 1))


def _children(multipart: Node, path: Path) -> list[PartRange]:
    return [part for number, child in enumerate(multipart.children, 1) for part in _numbered(child, (*path, number))]


def _numbered(node: Node, path: Path) -> list[PartRange]:
    text_start = node.children[0].start if node.is_message else -1
    own = PartRange(path, node.header_start, node.start, text_start, node.end)
    if node.is_message:
        return [own, *_parts(node.children[0], path)]
    return [own, *_children(node, path)]


def section_range(index: MessageIndex, section: Section) -> tuple[int, int] | None:
    """Where a section that is one piece begins and ends in the mail; None when there is no such section.

    The HEADER.FIELDS kinds answer the header they select from.
    """
    part = index.part(section.path)
    if part is None:
        return None
    if section.kind == "":
        return part.body_start, part.body_end
    if section.kind == "MIME":
        return (part.mime_start, part.body_start) if part.path else None
    if part.text_start < 0:
        return None
    if section.kind == "TEXT":
        return part.text_start, part.body_end
    return part.body_start, part.text_start


def section_bytes(raw: bytes, index: MessageIndex, section: Section) -> bytes | None:
    """The octets of a section, None when there is no such section.

    `raw` is the mail, or its first `header_size` bytes when `section_range` ends there.
    """
    found = section_range(index, section)
    if found is None:
        return None
    start, end = found
    if not section.kind.startswith("HEADER.FIELDS"):
        return raw[start:end]
    wanted = section.kind == "HEADER.FIELDS"
    fields = index.fields if not section.path else scan_header(raw, start, end).fields
    chosen = [raw[start:end] for name, start, end in fields if (name in section.names) == wanted]
    # the empty line is always there (RFC 3501 6.4.5), also when the header was cut off before it
    return b"".join(piece if piece.endswith(b"\n") else piece + b"\r\n" for piece in chosen) + b"\r\n"


def encode_index(index: MessageIndex) -> bytes:
    """An index for storage, with a version in front."""
    return _pack((_VERSION, *index))


def decode_index(data: bytes) -> MessageIndex:
    """What `encode_index` wrote, in this version or the first; ValueError for anything else."""
    values = _unpack(data)
    if values and values[0] == _VERSION:
        return MessageIndex._make(values[1:])
    if values and values[0] == _UNPACKED_VERSION:
        fields, parts, sent_date, sent_offset, *texts = values[6:]
        packed = (_pack(fields), _pack(parts), _pack(texts))
        return MessageIndex._make((*values[1:6], *packed, sent_date, sent_offset, None))
    raise ValueError("index of an unknown version")


def _pack(values: Iterable[object]) -> bytes:
    packed: bytes = msgpack.packb(tuple(values), unicode_errors="replace")
    return packed


def _unpack(data: bytes) -> tuple[Any, ...]:
    values: tuple[Any, ...] = msgpack.unpackb(data, strict_map_key=True, use_list=False)
    return values
