"""The data items of FETCH (RFC 3501 section 6.4.5)."""

import re

from bmgate.imap.cursor import BadSyntax, Cursor
from bmgate.imap.data_items import Attribute, BinarySection, BodySection, FetchItem
from bmgate.imap.vocabulary import CommandCursor
from bmgate.mail.imaptext import string
from bmgate.mail.structure import Section

MAX_ITEMS, MAX_FIELDS, MAX_DEPTH = 100, 500, 100

_FAST = (Attribute.FLAGS, Attribute.INTERNALDATE, Attribute.SIZE)
MACROS: dict[str, tuple[FetchItem, ...]] = {
    "FAST": _FAST,
    "ALL": (*_FAST, Attribute.ENVELOPE),
    "FULL": (*_FAST, Attribute.ENVELOPE, Attribute.BODY),
}
_SIMPLE: dict[str, FetchItem] = {
    **{attribute.value.decode("ascii"): attribute for attribute in Attribute},
    "RFC822": BodySection(b"RFC822", Section(), peek=False),
    "RFC822.HEADER": BodySection(b"RFC822.HEADER", Section((), "HEADER"), peek=True),
    "RFC822.TEXT": BodySection(b"RFC822.TEXT", Section((), "TEXT"), peek=False),
}
_BINARY = frozenset({"BINARY", "BINARY.PEEK", "BINARY.SIZE"})
_NAME = re.compile(rb"[A-Za-z0-9.-]+")
_PATH = re.compile(rb"[1-9][0-9]{0,8}(?:\.[1-9][0-9]{0,8})*")
_TEXT = re.compile(rb"HEADER\.FIELDS\.NOT|HEADER\.FIELDS|HEADER|TEXT|MIME", re.IGNORECASE)
_ATOM = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z^_`a-z|}~]+")


def read_fetch_items(cursor: CommandCursor, uid: bool) -> tuple[FetchItem, ...]:
    """The items, each once; UID among them when the command is UID FETCH."""
    items: list[FetchItem] = [Attribute.UID] if uid else []
    if cursor.skip(b"("):
        items += _read_item(cursor)
        while cursor.skip(b" "):
            items += _read_item(cursor)
        cursor.expect(b")")
    else:
        items += _read_item(cursor)
    if len(items) > MAX_ITEMS:
        raise BadSyntax("Too many items")
    return tuple(dict.fromkeys(items))


def _read_item(cursor: CommandCursor) -> tuple[FetchItem, ...]:
    """One item, or the items of a macro."""
    name = cursor.match(_NAME, "a fetch item")[0].decode("ascii").upper()
    if name in {"BODY", "BODY.PEEK"} and cursor.skip(b"["):
        return (_read_section(cursor, peek=name == "BODY.PEEK"),)
    if name in _BINARY:
        return (_read_binary(cursor, name),)
    if name in MACROS:
        return MACROS[name]
    if name in _SIMPLE:
        return (_SIMPLE[name],)
    read = cursor.vocabulary.fetch_items.get(name)
    if read is None:
        raise BadSyntax("Unknown fetch item")
    return (read(cursor),)


def _read_binary(cursor: Cursor, name: str) -> BinarySection:
    cursor.expect(b"[")
    path = cursor.match(_PATH, "a part number")[0] if cursor.peek().isdigit() else b""
    cursor.expect(b"]")
    is_size, is_peek = name == "BINARY.SIZE", name != "BINARY"
    partial = None if is_size else _read_partial(cursor)
    label = (b"BINARY.SIZE[" if is_size else b"BINARY[") + path + b"]" + (b"<%d>" % partial[0] if partial else b"")
    numbers = tuple(map(int, path.split(b"."))) if path else ()
    if len(numbers) > MAX_DEPTH:
        raise BadSyntax("Part number too deep")
    return BinarySection(label, numbers, is_peek, partial, is_size)


def _read_section(cursor: Cursor, peek: bool) -> BodySection:
    """What stands between the brackets and behind them."""
    path: tuple[int, ...] = ()
    label = b""
    if cursor.peek().isdigit():
        label = cursor.match(_PATH, "a part number")[0]
        path = tuple(map(int, label.split(b".")))
        if len(path) > MAX_DEPTH:
            raise BadSyntax("Part number too deep")
    kind, names = "", frozenset[str]()
    if not path or cursor.skip(b"."):
        kind = _read_kind(cursor, required=bool(path))
        label += (b"." if path else b"") + kind.encode("ascii")
    if kind.startswith("HEADER.FIELDS"):
        cursor.space()
        fields = _read_fields(cursor)
        names = frozenset(field.decode("latin-1").lower() for field in fields)
        label += b" (" + b" ".join(map(_written, fields)) + b")"
    if kind == "MIME" and not path:
        raise BadSyntax("MIME needs a part number")
    cursor.expect(b"]")
    partial = _read_partial(cursor)
    label = b"BODY[" + label + b"]" + (b"<%d>" % partial[0] if partial else b"")
    return BodySection(label, Section(path, kind, names), peek, partial)


def _read_kind(cursor: Cursor, required: bool) -> str:
    if cursor.peek() == b"]" and not required:
        return ""
    return cursor.match(_TEXT, "a section")[0].decode("ascii").upper()


def _read_fields(cursor: Cursor) -> list[bytes]:
    cursor.expect(b"(")
    fields = [cursor.astring()]
    while cursor.skip(b" "):
        fields.append(cursor.astring())
    cursor.expect(b")")
    if len(fields) > MAX_FIELDS:
        raise BadSyntax("Too many header fields")
    return fields


def _written(field: bytes) -> bytes:
    """A field name as it stands in the answer."""
    return field if _ATOM.fullmatch(field) else string(field)


def _read_partial(cursor: Cursor) -> tuple[int, int] | None:
    if not cursor.skip(b"<"):
        return None
    offset = cursor.number()
    cursor.expect(b".")
    count = cursor.number()
    cursor.expect(b">")
    if count == 0:
        raise BadSyntax("A partial fetch needs a count")
    return offset, count
