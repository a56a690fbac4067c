"""FETCH responses: bytes that were made at delivery, copied together.

Nothing is read that no item asks for: flags come from the view, headers and bodies from the store in batches.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from time import gmtime

from bmgate.domain.mailbox import Flags, MessageHead, MessageRow, StoredMessage
from bmgate.imap.data_items import (
    ROW_ITEMS,
    AddedItem,
    Attribute,
    BinarySection,
    BodySection,
    FetchItem,
    Renderer,
    Shown,
)
from bmgate.imap.decoders import decode_all
from bmgate.imap.parts import Octets, decoder_of
from bmgate.imap.pieces import LargeMessage, Piece, Span
from bmgate.imap.view import flag_list
from bmgate.mail.dates import MONTHS
from bmgate.mail.fields import Field, scan_header
from bmgate.mail.structure import MessageIndex, PartRange, Section, decode_index, section_range
from bmgate.units import DAY

OLDEST_DATE = 398044800  # 1982-08-13: an older INTERNALDATE crashed macOS Mail


def told_date(seconds: int) -> int:
    """The INTERNALDATE that clients are told, and that they search and sort by."""
    return max(seconds, OLDEST_DATE)


def internal_date(seconds: int) -> bytes:
    """INTERNALDATE, quoted, in UTC."""
    day, rest = divmod(told_date(seconds), DAY)
    return b'"%b %02d:%02d:%02d +0000"' % (_day_text(day), rest // 3600, rest // 60 % 60, rest % 60)


@lru_cache(maxsize=4096)
def _day_text(day: int) -> bytes:
    moment = gmtime(day * DAY)
    return f"{moment.tm_mday:2d}-{MONTHS[moment.tm_mon - 1]}-{moment.tm_year}".encode("ascii")


NOTHING = MessageHead(0, 0, b"", b"")
_NO_INDEX = MessageIndex(0, 0, b"", b"", b"", b"", b"", b"", None, 0)


class ResponseWriter:
    """Writes the FETCH responses to one list of data items; made once for a command."""

    def __init__(self, items: Sequence[FetchItem]) -> None:
        self._renderers = [renderer(item) for item in items]
        self._wants_index = any(map(_wants_index, items))

    def add(self, number: int, row: MessageRow, message: Shown, out: list[Piece]) -> None:
        """The response for the message of that sequence number, in pieces."""
        index = decode_index(message.encoded_index) if self._wants_index else _NO_INDEX
        separator = b"* %d FETCH (" % number
        for render in self._renderers:
            out.append(separator)
            render(row, message, index, out)
            separator = b" "
        out.append(b")\r\n")

    def add_item(self, item: int, number: int, row: MessageRow, message: Shown, out: list[Piece]) -> None:
        """One data item of the response: the items in their order make what `add` does at once."""
        index = decode_index(message.encoded_index) if self._wants_index else _NO_INDEX
        out.append(b" " if item else b"* %d FETCH (" % number)
        self._renderers[item](row, message, index, out)
        if item == len(self) - 1:
            out.append(b")\r\n")

    def __len__(self) -> int:
        """Data items in one response."""
        return len(self._renderers)


def render_flags(messages: Iterable[tuple[int, MessageRow]]) -> bytes:
    """The responses to a FETCH of UID and FLAGS alone, the most frequent of all."""
    return b"".join(
        [b"* %d FETCH (UID %d FLAGS %b)\r\n" % (number, row.uid, flag_list(row)) for number, row in messages]
    )


def renderer(item: FetchItem) -> Renderer:
    """What renders `item`."""
    if isinstance(item, Attribute):
        return _ATTRIBUTES[item]
    if isinstance(item, AddedItem):
        return item.render
    return _section_renderer(item) if isinstance(item, BodySection) else _binary_renderer(item)


def _wants_index(item: FetchItem) -> bool:
    if isinstance(item, Attribute):
        return item not in ROW_ITEMS
    if isinstance(item, AddedItem):
        return item.wants_index
    return not isinstance(item, BodySection) or item.section not in _WHOLE


def _row(text: Callable[[MessageRow], bytes]) -> Renderer:
    return lambda row, _, __, out: out.append(text(row))


def _indexed(text: Callable[[MessageIndex], bytes]) -> Renderer:
    return lambda _, __, index, out: out.append(text(index))


_ATTRIBUTES: dict[Attribute, Renderer] = {
    Attribute.UID: _row(lambda row: b"UID %d" % row.uid),
    Attribute.FLAGS: _row(lambda row: b"FLAGS " + flag_list(row)),
    Attribute.INTERNALDATE: _row(lambda row: b"INTERNALDATE " + internal_date(row.internaldate)),
    Attribute.SIZE: _indexed(lambda index: b"RFC822.SIZE %d" % index.size),
    Attribute.ENVELOPE: _indexed(lambda index: b"ENVELOPE " + index.envelope),
    Attribute.BODY: _indexed(lambda index: b"BODY " + index.body),
    Attribute.BODYSTRUCTURE: _indexed(lambda index: b"BODYSTRUCTURE " + index.bodystructure),
    Attribute.MODSEQ: _row(lambda row: b"MODSEQ (%d)" % row.modseq),
}


def octets_of(message: Shown) -> Octets:
    """All of it that was read, or can be."""
    if isinstance(message, LargeMessage):
        return message.octets
    return message.header + message.body if isinstance(message, StoredMessage) else message.header


def _body(message: Shown) -> Piece:
    return b"" if isinstance(message, MessageHead) else message.body


def _binary_renderer(item: BinarySection) -> Renderer:
    """A part without its transfer encoding, as a literal8 where it holds NUL, or may hold it."""

    def add(_: MessageRow, message: Shown, index: MessageIndex, out: list[Piece]) -> None:
        part = index.part(item.path)
        pieces = [] if part is None else _decoded(message, part, sum(item.partial) if item.partial else None)
        if item.is_size:
            out.append(b"%b %d" % (item.label, sum(map(len, pieces))))
            return
        if part is None:
            out.append(item.label + b" NIL")
            return
        if item.partial is not None:
            pieces = _cut(pieces, *item.partial)
        is_literal8 = any(not isinstance(piece, bytes) or b"\0" in piece for piece in pieces)
        out.append(b"%b %b{%d}\r\n" % (item.label, b"~" if is_literal8 else b"", sum(map(len, pieces))))
        out += pieces

    return add


def _decoded(message: Shown, part: PartRange, most: int | None) -> list[Piece]:
    """The first `most` octets, or a few more. Raises Refusal for an encoding we do not know (RFC 3516)."""
    raw = octets_of(message)
    make = decoder_of(raw, part)
    pieces = _between(message, part.body_start, part.body_end)
    if make is None:
        return [replace(piece, keeps_nul=True) if isinstance(piece, Span) else piece for piece in pieces]
    if isinstance(message, LargeMessage):
        return [message.decoded(part.body_start, part.body_end, make, most)]
    return [b"".join(decode_all(make, (raw[part.body_start : part.body_end],)))]


def _section_renderer(item: BodySection) -> Renderer:
    """A section as a literal; NIL when the message has no such part."""
    pieces_of = _pieces_of(item.section)

    def add(_: MessageRow, message: Shown, index: MessageIndex, out: list[Piece]) -> None:
        pieces = pieces_of(message, index)
        if pieces is None:
            out.append(item.label + b" NIL")
            return
        if item.partial is not None:
            pieces = _cut(pieces, *item.partial)
        out.append(b"%b {%d}\r\n" % (item.label, sum(map(len, pieces))))
        for piece in pieces:
            out.append(piece.replace(b"\0", b" ") if isinstance(piece, bytes) and b"\0" in piece else piece)  # I13

    return add


Pieces = Callable[[Shown, MessageIndex], list[Piece] | None]
"""The octets of a section, as the stored pieces where it is one or both of them; None where there is no such part."""

_WHOLE: dict[Section, Pieces] = {
    Section(): lambda message, _: [message.header, _body(message)],
    Section((), "HEADER"): lambda message, _: [message.header],
    Section((), "TEXT"): lambda message, _: [_body(message)],
}


def _pieces_of(section: Section) -> Pieces:
    if section in _WHOLE:
        return _WHOLE[section]
    if section.kind.startswith("HEADER.FIELDS"):
        return _own_fields(section) if not section.path else partial(_inner_fields, section)
    return partial(_range, section)


def _range(section: Section, message: Shown, index: MessageIndex) -> list[Piece] | None:
    place = section_range(index, section)
    return None if place is None else _between(message, *place)


def _between(message: Shown, start: int, end: int) -> list[Piece]:
    """What lies between two places of a mail."""
    split, body = len(message.header), _body(message)
    return [message.header[start:end], body[max(start - split, 0) : max(end - split, 0)]]


def _inner_fields(section: Section, message: Shown, index: MessageIndex) -> list[Piece] | None:
    """HEADER.FIELDS of a message inside."""
    place = section_range(index, section)
    if place is None:
        return None
    header = octets_of(message)[place[0] : place[1]]
    fields = scan_header(header, 0, len(header)).fields
    return [_chosen(header, fields, section.names, section.kind == "HEADER.FIELDS")]


def _own_fields(section: Section) -> Pieces:
    """HEADER.FIELDS of the mail itself: what clients ask for of every message."""
    names, wanted = section.names, section.kind == "HEADER.FIELDS"
    return lambda message, index: [_chosen(message.header, index.fields, names, wanted)]


def _chosen(header: bytes, fields: Iterable[Field], names: frozenset[str], wanted: bool) -> bytes:
    """As `section_bytes` has them; of a header that was cut off the last field has no end."""
    chosen = b"".join([header[start:end] for name, start, end in fields if (name in names) is wanted])
    return chosen + (b"\r\n" if not chosen or chosen.endswith(b"\n") else b"\r\n\r\n")


def _cut(pieces: list[Piece], offset: int, count: int) -> list[Piece]:
    """`count` octets from `offset` on; fewer, or none, at the end."""
    out: list[Piece] = []
    for piece in pieces:
        out.append(piece[offset : offset + count])
        count -= len(out[-1])
        offset = max(offset - len(piece), 0)
    return out


def unseen(rows: Iterable[tuple[int, MessageRow]]) -> list[int]:
    r"""UIDs without \Seen."""
    seen = Flags.SEEN.value
    return [row.uid for _, row in rows if not int(row.flags) & seen]
