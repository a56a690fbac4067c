"""Message encodings: what the bytes inside a msg or broadcast say, as subject, body, files and parents.

Decoding is tolerant where the network is (who writes what: protocol specification v3, "Message encodings") and bounded
everywhere (P30, P31). It drops nothing silently: what does not fit the limits is named in `notes`.
Cleaning text for a mail header, and shortening what we send, is the work of the mail layer (O5, 5.3).
"""

import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import msgpack

from bmgate.errors import BadObject, TooLarge

IGNORE, TRIVIAL, SIMPLE, EXTENDED = range(4)

MAX_SUBJECT = 500  # bytes, as PyBitmessage cuts it
MAX_INFLATED = 1_048_576  # bytes, PyBitmessage's zlib.maxsize
MAX_FILES = 100
MAX_PARENTS = 64
PARENT_SIZE = 32
MAX_DEPTH = 4  # message map, list of files, map of one file, and one level to spare for keys we do not know
MAX_DISCLOSED = 100  # recipients that a message names
MAX_LABEL = 1024  # bytes of a file's name, media type or disposition

SUBJECT_MARK = b"Subject:"
BODY_MARK = b"\nBody:"
LINE_END = re.compile(rb"\r\n|\r|\n")


class UndecodableMessage(BadObject):
    """An encoding number nobody has defined, or an extended message that is none."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of an extended message; `disposition` is "inline" or "attachment"."""

    name: str
    data: bytes
    media_type: str
    disposition: str


@dataclass(frozen=True, slots=True)
class DecodedMessage:
    """What the sender wrote. `parents` are inventory vectors; `notes` tell the reader what was left out and why.

    `disclosed` are the recipients that a gateway of our kind names, unchecked (O2).
    """

    subject: str
    body: str
    files: tuple[File, ...] = ()
    parents: tuple[bytes, ...] = ()
    notes: tuple[str, ...] = ()
    disclosed: tuple[str, ...] = ()


def encode_message(subject: str, body: str) -> bytes:
    """The payload of encoding 2. There is no escaping, so line ends in the subject become spaces."""
    line = re.sub(r"[\r\n]+", " ", subject)
    return SUBJECT_MARK + _utf8(line) + BODY_MARK + _utf8(body)


def encode_extended(
    subject: str,
    body: str,
    parents: Iterable[bytes] = (),
    files: Iterable[File] = (),
    extra: Mapping[str, object] | None = None,
) -> bytes:
    """The payload of encoding 3 in the layout of O13; raises TooLarge beyond what a receiver would take.

    `extra` are further keys, which others ignore.
    """
    parents, files = list(parents), list(files)
    if len(files) > MAX_FILES:
        raise TooLarge(f"message has {len(files)} files, {MAX_FILES} are the limit")
    if len(parents) > MAX_PARENTS:
        raise TooLarge(f"message has {len(parents)} parents, {MAX_PARENTS} are the limit")
    if any(len(parent) != PARENT_SIZE for parent in parents):
        raise ValueError("a parent is an inventory vector of 32 bytes")
    content: dict[bytes | str, object] = {"": "message", "subject": _text(subject), "body": _text(body)}
    if parents:
        content["parents"] = parents
    if files:
        content["files"] = [_packed_file(file) for file in files]
    content.update(dict(extra or {}))
    packed: bytes = msgpack.packb(content, use_bin_type=True)
    if len(packed) > MAX_INFLATED:
        size, most = len(packed) // 1000, MAX_INFLATED // 1000
        excess = f"shorten it by at least {max(1, size - most)} kB"
        raise TooLarge(f"message is {size} kB before it is compressed, {most} kB are the limit; {excess}")
    return zlib.compress(packed, 9)


def decode_message(encoding: int, data: bytes) -> DecodedMessage:
    """What `data` says in `encoding` (I1); raises UndecodableMessage. Encoding 0 says nothing."""
    if encoding == IGNORE:
        return DecodedMessage("", "")
    if encoding == TRIVIAL and not (data.startswith(SUBJECT_MARK) and BODY_MARK in data):
        return DecodedMessage("", decode_text(data))
    if encoding in (TRIVIAL, SIMPLE):  # PyBitmessage reads both by the same rule
        return _decode_simple(data)
    if encoding == EXTENDED:
        return _decode_extended(data)
    raise UndecodableMessage(f"unknown encoding {encoding}")


def decode_text(data: bytes) -> str:
    """UTF-8; bytes that are none are read as windows-1252 if all of them are printable there, else become U+FFFD."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        escaped = data.decode(errors="surrogateescape")
    strays = {character for character in escaped if "\udc80" <= character <= "\udcff"}
    try:
        readings = {ord(stray): bytes([ord(stray) - 0xDC00]).decode("cp1252") for stray in strays}
    except UnicodeDecodeError:
        return data.decode(errors="replace")
    return escaped.translate(readings)


# --- encoding 2 ---


def _decode_simple(data: bytes) -> DecodedMessage:
    """The subject is found by position, as PyBitmessage does: whatever is in front of it, it begins at byte 8."""
    end = data.find(BODY_MARK)
    if end <= 1:
        return DecodedMessage("", decode_text(data))
    notes: tuple[str, ...] = ()
    if not data.startswith(SUBJECT_MARK):
        notes = (f'The message began with "{decode_text(data[: min(end, 8)])}" in place of "Subject:".',)
    return _with_short_subject(data[len(SUBJECT_MARK) : end], data[end + len(BODY_MARK) :], notes)


def _with_short_subject(
    subject: bytes, body: bytes, notes: tuple[str, ...], files: tuple[File, ...] = (), parents: tuple[bytes, ...] = ()
) -> DecodedMessage:
    """The subject is one line of at most 500 bytes; the rest of it goes before the body (P32)."""
    line, *more = LINE_END.split(subject, maxsplit=1)
    cut = _character_boundary(line, MAX_SUBJECT)
    in_front = [part for part in (line[cut:], *more) if part]
    text = "".join(decode_text(part) + "\n" for part in in_front) + decode_text(body)
    return DecodedMessage(decode_text(line[:cut]), text, files, parents, notes)


def _character_boundary(data: bytes, limit: int) -> int:
    """The last position up to `limit` that is not inside a UTF-8 character (which has at most 4 bytes)."""
    if len(data) <= limit:
        return len(data)
    for position in range(limit, limit - 4, -1):
        if data[position] & 0xC0 != 0x80:
            return position
    return limit


# --- encoding 3 ---

# msgpack values as they come out of the wire: strings and binaries are both bytes, maps are lists of pairs
Pairs = list[tuple[object, object]]


@dataclass(frozen=True, slots=True)
class _Map:
    """A msgpack map with readable keys."""

    fields: dict[str, object]

    def text(self, name: str) -> bytes | None:
        value = self.fields.get(name)
        return value if isinstance(value, bytes) else None

    def label(self, name: str) -> str:
        """A short text, empty when absent or longer than any honest one."""
        value = self.text(name) or b""
        return decode_text(value) if len(value) <= MAX_LABEL else ""


def _decode_extended(data: bytes) -> DecodedMessage:
    content = _unpack(_inflate(data))
    if not isinstance(content, _Map):
        raise UndecodableMessage("extended message: not a map")
    if content.text("") != b"message":
        raise UndecodableMessage("extended message: its type is not 'message'")
    notes: list[str] = []
    subject, body = (_mandatory_text(content, name, notes) for name in ("subject", "body"))
    parents = tuple(_parents(content, notes))
    files = tuple(_files(content, notes))
    return replace(_with_short_subject(subject, body, tuple(notes), files, parents), disclosed=_disclosed(content))


def _inflate(data: bytes) -> bytes:
    """Never more than the limit and one byte in memory; one whole zlib stream without preset dictionary."""
    inflater = zlib.decompressobj()
    try:
        inflated = inflater.decompress(data, MAX_INFLATED + 1)
    except zlib.error as error:
        raise UndecodableMessage(f"extended message: {error}") from error
    if len(inflated) > MAX_INFLATED:
        raise UndecodableMessage(f"extended message: inflates to more than {MAX_INFLATED} bytes")
    if not inflater.eof:
        raise UndecodableMessage("extended message: compressed data is cut off")
    if inflater.unused_data:
        raise UndecodableMessage("extended message: data after the compressed message")
    return inflated


def _unpack(packed: bytes) -> object:
    try:
        value = msgpack.unpackb(
            packed,
            raw=True,
            strict_map_key=False,
            object_pairs_hook=_readable_map,
            ext_hook=_refuse_extension,
            max_str_len=MAX_INFLATED,
            max_bin_len=MAX_INFLATED,
            max_array_len=65_536,
            max_map_len=1024,
            max_ext_len=0,  # the timestamp never reaches ext_hook
        )
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise UndecodableMessage(f"extended message: {type(error).__name__} in msgpack") from error
    if not _is_shallow(value, MAX_DEPTH):
        raise UndecodableMessage(f"extended message: nested deeper than {MAX_DEPTH} levels")
    return value


def _readable_map(pairs: Pairs) -> _Map:
    fields: dict[str, object] = {}
    for key, value in pairs:
        if not isinstance(key, bytes):
            raise UndecodableMessage("extended message: a key is not text")
        name = key.decode(errors="replace")
        if name in fields:
            raise UndecodableMessage("extended message: a key appears twice")
        fields[name] = value
    return _Map(fields)


def _refuse_extension(code: int, _data: bytes) -> object:
    raise UndecodableMessage(f"extended message: msgpack extension {code}")


def _is_shallow(value: object, levels: int) -> bool:
    if isinstance(value, _Map):
        inner: Iterable[object] = value.fields.values()
    elif isinstance(value, list):
        inner = value
    else:
        return True
    return levels > 0 and all(_is_shallow(item, levels - 1) for item in inner)


def _mandatory_text(content: _Map, name: str, notes: list[str]) -> bytes:
    value = content.text(name)
    if value is None:
        notes.append(f"The message has no {name}.")
    return value or b""


def _parents(content: _Map, notes: list[str]) -> list[bytes]:
    found = _list(content, "parents", notes)
    parents = [parent for parent in found if isinstance(parent, bytes) and len(parent) == PARENT_SIZE]
    if len(parents) < len(found):
        notes.append(f"{len(found) - len(parents)} parents are no inventory vectors and were left out.")
    if len(parents) > MAX_PARENTS:
        notes.append(f"{len(parents) - MAX_PARENTS} parents beyond {MAX_PARENTS} were left out.")
    return parents[:MAX_PARENTS]


def _files(content: _Map, notes: list[str]) -> list[File]:
    found = _list(content, "files", notes)
    files = [file for file in map(_file, found) if file]
    if len(files) < len(found):
        notes.append(f"{len(found) - len(files)} files without data were left out.")
    if len(files) > MAX_FILES:
        notes.append(f"{len(files) - MAX_FILES} files beyond {MAX_FILES} were left out.")
    return files[:MAX_FILES]


def _disclosed(content: _Map) -> tuple[str, ...]:
    """The addresses under `x-bmgate`, whatever else stands there."""
    told = content.fields.get("x-bmgate")
    if not isinstance(told, _Map):
        return ()
    found: list[object] = []
    for name in ("to", "cc"):
        listed = told.fields.get(name)
        found += listed if isinstance(listed, list) else []
    return tuple(
        decode_text(each) for each in found[:MAX_DISCLOSED] if isinstance(each, bytes) and len(each) <= MAX_LABEL
    )


def _list(content: _Map, name: str, notes: list[str]) -> list[object]:
    value = content.fields.get(name, [])
    if isinstance(value, list):
        return value
    notes.append(f'"{name}" is not a list and was left out.')
    return []


def _file(value: object) -> File | None:
    if not isinstance(value, _Map):
        return None
    data = value.text("data")
    if data is None:
        return None
    disposition = "inline" if value.text("disposition") == b"inline" else "attachment"
    return File(value.label("name"), data, value.label("type") or "application/octet-stream", disposition)


def _packed_file(file: File) -> dict[str, object]:
    return {
        "name": _text(file.name),
        "data": file.data,
        "type": _text(file.media_type),
        "disposition": _text(file.disposition),
    }


def _text(text: str) -> str:
    return _utf8(text).decode()


def _utf8(text: str) -> bytes:
    """Lone surrogates, which no encoding on the wire can hold, become question marks."""
    return text.encode(errors="replace")
