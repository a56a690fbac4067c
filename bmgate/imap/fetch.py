"""FETCH responses: bytes that were made at delivery, copied together.

Nothing is read that no item asks for: flags come from the view, headers and bodies from the store in batches.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from functools import lru_cache, partial
from time import gmtime

from bmgate.domain.mailbox import Flags, MessageHead, MessageRow, StoredMessage
from bmgate.imap.parts import decoded_part, preview
from bmgate.imap.threadid import thread_id_of
from bmgate.imap.values import Attribute, BinarySection, BodySection, FetchItem
from bmgate.imap.view import flag_list
from bmgate.mail.dates import MONTHS
from bmgate.mail.imaptext import string
from bmgate.mail.structure import MessageIndex, Section, decode_index, section_bytes, section_range

OLDEST_DATE = 398044800  # 1982-08-13: an older INTERNALDATE crashed macOS Mail


class Depth(IntEnum):
    """How much of a message a command must see."""

    ROW = 0
    HEADER = 1
    BODY = 2


_ROW_ITEMS = frozenset({Attribute.UID, Attribute.FLAGS, Attribute.INTERNALDATE, Attribute.MODSEQ, Attribute.SAVEDATE})


def depth_of(items: Iterable[FetchItem]) -> Depth:
    """What must be read for `items`."""
    return max(map(_depth, items), default=Depth.ROW)


def _depth(item: FetchItem) -> Depth:
    if isinstance(item, Attribute):
        if item is Attribute.PREVIEW:
            return Depth.BODY
        return Depth.ROW if item in _ROW_ITEMS else Depth.HEADER
    if isinstance(item, BinarySection):
        return Depth.BODY
    section = item.section
    in_header = not section.path and section.kind.startswith("HEADER")
    return Depth.HEADER if in_header else Depth.BODY


def marks_seen(items: Iterable[FetchItem]) -> bool:
    r"""Whether fetching `items` sets \Seen."""
    return any(not isinstance(item, Attribute) and not item.peek for item in items)


def internal_date(seconds: int) -> bytes:
    """INTERNALDATE, quoted, in UTC."""
    day, rest = divmod(max(seconds, OLDEST_DATE), 86400)
    return b'"%b %02d:%02d:%02d +0000"' % (_day_text(day), rest // 3600, rest // 60 % 60, rest % 60)


@lru_cache(maxsize=4096)
def _day_text(day: int) -> bytes:
    moment = gmtime(day * 86400)
    return f"{moment.tm_mday:2d}-{MONTHS[moment.tm_mon - 1]}-{moment.tm_year}".encode("ascii")


StoredMail = MessageHead | StoredMessage
NOTHING = MessageHead(0, 0, b"", b"")
_NO_INDEX = MessageIndex(0, 0, b"", b"", b"", b"", b"", b"", None, 0)


def email_id_of(message: StoredMail) -> bytes:
    """EMAILID: of the content, which COPY and MOVE share (RFC 8474)."""
    return b"E" + message.uuid.hex().encode("ascii")


Renderer = Callable[[MessageRow, StoredMail, MessageIndex, list[bytes]], None]
"""Adds one data item to the pieces of a response, so that bodies are copied once only."""


class ResponseWriter:
    """Writes the FETCH responses to one list of data items; made once for a command."""

    def __init__(self, items: Sequence[FetchItem]) -> None:
        self._renderers = [renderer(item) for item in items]
        self._wants_index = any(map(_wants_index, items))

    def add(self, number: int, row: MessageRow, message: StoredMail, out: list[bytes]) -> None:
        """The response for the message of that sequence number, in pieces."""
        index = decode_index(message.encoded_index) if self._wants_index else _NO_INDEX
        separator = b"* %d FETCH (" % number
        for render in self._renderers:
            out.append(separator)
            render(row, message, index, out)
            separator = b" "
        out.append(b")\r\n")


def render_flags(messages: Iterable[tuple[int, MessageRow]]) -> bytes:
    """The responses to a FETCH of UID and FLAGS alone, the most frequent of all."""
    return b"".join(
        [b"* %d FETCH (UID %d FLAGS %b)\r\n" % (number, row.uid, flag_list(row)) for number, row in messages]
    )


def renderer(item: FetchItem) -> Renderer:
    """What renders `item`."""
    if isinstance(item, Attribute):
        return _ATTRIBUTES[item]
    return _section_renderer(item) if isinstance(item, BodySection) else _binary_renderer(item)


def _wants_index(item: FetchItem) -> bool:
    if isinstance(item, Attribute):
        return item not in _ROW_ITEMS and item is not Attribute.EMAILID
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
    Attribute.SAVEDATE: _row(
        lambda row: b"SAVEDATE " + (b"NIL" if row.saved_at is None else internal_date(row.saved_at))
    ),
    Attribute.THREADID: lambda _, message, index, out: out.append(_thread_id(message, index)),
    Attribute.EMAILID: lambda _, message, __, out: out.append(b"EMAILID (%b)" % email_id_of(message)),
    Attribute.PREVIEW: lambda _, message, index, out: out.append(_preview(_raw(message), index)),
}


def _raw(message: StoredMail) -> bytes:
    return message.header + _body(message)


def _body(message: StoredMail) -> bytes:
    return message.body if isinstance(message, StoredMessage) else b""


def _thread_id(message: StoredMail, index: MessageIndex) -> bytes:
    found = thread_id_of(message.header, index)
    return b"THREADID NIL" if found is None else b"THREADID (%b)" % found


def _preview(raw: bytes, index: MessageIndex) -> bytes:
    return b"PREVIEW " + string(preview(raw, index).encode("utf-8", "replace"))


def _binary_renderer(item: BinarySection) -> Renderer:
    """A part without its transfer encoding, as a literal8 where it holds NUL."""

    def add(_: MessageRow, message: StoredMail, index: MessageIndex, out: list[bytes]) -> None:
        data = decoded_part(_raw(message), index, item.path)
        if item.is_size:
            out.append(b"%b %d" % (item.label, len(data or b"")))
            return
        if data is None:
            out.append(item.label + b" NIL")
            return
        if item.partial is not None:
            data = data[item.partial[0] : sum(item.partial)]
        out += [b"%b %b{%d}\r\n" % (item.label, b"~" if b"\0" in data else b"", len(data)), data]

    return add


def _section_renderer(item: BodySection) -> Renderer:
    """A section as a literal; NIL when the message has no such part."""
    pieces_of = _pieces_of(item.section)

    def add(_: MessageRow, message: StoredMail, index: MessageIndex, out: list[bytes]) -> None:
        pieces = pieces_of(message, index)
        if pieces is None:
            out.append(item.label + b" NIL")
            return
        if item.partial is not None:
            pieces = _cut(pieces, *item.partial)
        out.append(b"%b {%d}\r\n" % (item.label, sum(map(len, pieces))))
        for piece in pieces:
            out.append(piece.replace(b"\0", b" ") if b"\0" in piece else piece)  # I13

    return add


Pieces = Callable[[StoredMail, MessageIndex], list[bytes] | None]
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


def _range(section: Section, message: StoredMail, index: MessageIndex) -> list[bytes] | None:
    span = section_range(index, section)
    if span is None:
        return None
    split, body = len(message.header), _body(message)
    return [message.header[span[0] : span[1]], body[max(span[0] - split, 0) : max(span[1] - split, 0)]]


def _inner_fields(section: Section, message: StoredMail, index: MessageIndex) -> list[bytes] | None:
    """HEADER.FIELDS of a message inside."""
    found = section_bytes(_raw(message), index, section)
    return None if found is None else [found]


def _own_fields(section: Section) -> Pieces:
    """HEADER.FIELDS of the mail itself, as `section_bytes` has them: what clients ask for of every message."""
    names, wanted = section.names, section.kind == "HEADER.FIELDS"

    def choose(message: StoredMail, index: MessageIndex) -> list[bytes]:
        header = message.header
        chosen = b"".join([header[start:end] for name, start, end in index.fields if (name in names) is wanted])
        if not chosen or chosen.endswith(b"\n"):
            return [chosen + b"\r\n"]
        return [section_bytes(header, index, section) or b""]  # the header was cut off

    return choose


def _cut(pieces: list[bytes], offset: int, count: int) -> list[bytes]:
    """`count` octets from `offset` on; fewer, or none, at the end."""
    out = []
    for piece in pieces:
        out.append(piece[offset : offset + count])
        count -= len(out[-1])
        offset = max(offset - len(piece), 0)
    return out


def unseen(rows: Iterable[tuple[int, MessageRow]]) -> list[int]:
    r"""UIDs without \Seen."""
    seen = Flags.SEEN.value
    return [row.uid for _, row in rows if not int(row.flags) & seen]
