"""The parts of a message without their transfer encoding: for SEARCH, BINARY and PREVIEW."""

import re
from collections.abc import Callable, Iterable
from itertools import zip_longest
from typing import Protocol

from bmgate.errors import UnsupportedMedia
from bmgate.imap.decoders import Base64Decoder, Decoder, QuotedPrintableDecoder, decode_all
from bmgate.imap.replies import NO, Refusal
from bmgate.mail.charsets import decode_text
from bmgate.mail.fields import Header, media_type, parameters, scan_header, token
from bmgate.mail.headers import decode_header
from bmgate.mail.structure import MessageIndex, PartRange, index_message


class Octets(Protocol):
    """A mail: bytes, or what is read as far as it is sliced."""

    def __getitem__(self, cut: slice, /) -> bytes: ...


MAX_DECODED = 16 * 1024 * 1024  # octets of one part that are searched
PREVIEW_CHARACTERS = 200  # RFC 8970 3.1
_PREVIEW_SOURCE = 16 * 1024  # octets of a part that are looked at
_DECODERS: dict[bytes, Callable[[], Decoder]] = {
    b"quoted-printable": QuotedPrintableDecoder,
    b"base64": Base64Decoder,
}
_IDENTITY = frozenset({b"", b"7bit", b"8bit", b"binary"})
_BLANKS = re.compile(r"\s+")


def part_texts(raw: Octets, index: MessageIndex) -> Iterable[str]:
    """The case-folded texts of the message's text parts."""
    if len(index.parts) == 1:
        start = index.header_size
        yield raw[start : start + MAX_DECODED].decode("utf-8", "replace").casefold()
    for part, is_leaf in _parts(index):
        inner = _encoded_message(raw, part, MAX_DECODED)
        if inner is not None:
            yield from _inner_texts(inner)
        if part.text_start >= 0:
            yield decode_header(raw[part.body_start : min(part.text_start, part.body_start + MAX_DECODED)]).casefold()
            continue
        text = _part_text(raw, part, is_leaf)
        if text:
            yield text.casefold()


def _inner_texts(message: bytes) -> Iterable[str]:
    """Those of a message that was encoded, header and all; what is encoded in it once more stays so."""
    index = index_message(message)
    yield decode_header(message[: index.header_size]).casefold()
    for part, is_leaf in _parts(index):
        yield _part_text(message, part, is_leaf).casefold()


def _parts(index: MessageIndex) -> Iterable[tuple[PartRange, bool]]:
    """The numbered parts, and whether there are none inside."""
    parts = index.parts[1:]
    for part, following in zip_longest(parts, parts[1:]):
        yield part, following is None or following.path[: len(part.path)] != part.path


def _part_text(raw: Octets, part: PartRange, is_leaf: bool) -> str:
    """The decoded text of a part; empty when it is none. A multipart in which no parts were found is plain text."""
    mime, header = _mime_header(raw, part)
    content_type = header.value(mime, "content-type")
    kind, _ = media_type(content_type) or (b"text", b"plain")
    if kind != b"text" and not (kind == b"multipart" and is_leaf):
        return ""
    data = raw[part.body_start : min(part.body_end, part.body_start + MAX_DECODED)]
    make = _DECODERS.get(token(header.value(mime, "content-transfer-encoding")))
    data = data if make is None else b"".join(decode_all(make, (data,)))
    charset = next((value for name, value in parameters(content_type) if name.lower() == b"charset"), b"")
    try:
        return decode_text(data, charset.decode("ascii", "replace"))
    except UnsupportedMedia:
        return data.decode("utf-8", "replace")


def _encoded_message(raw: Octets, part: PartRange, most: int) -> bytes | None:
    """The message in a message/rfc822 that has a transfer encoding, against RFC 2046 5.2.1; None for any other."""
    if part.text_start < 0:
        return None
    mime, header = _mime_header(raw, part)
    make = _DECODERS.get(token(header.value(mime, "content-transfer-encoding")))
    if make is None:
        return None
    return b"".join(decode_all(make, (raw[part.body_start : min(part.body_end, part.body_start + most)],)))


def decoder_of(raw: Octets, part: PartRange) -> Callable[[], Decoder] | None:
    """What undoes the transfer encoding of a part, None where there is none to undo.

    Raises Refusal for an encoding we do not know (RFC 3516).
    """
    if not part.path:
        return None
    mime, header = _mime_header(raw, part)
    encoding = token(header.value(mime, "content-transfer-encoding"))
    kind, _ = media_type(header.value(mime, "content-type")) or (b"text", b"plain")
    if encoding in _IDENTITY or kind.lower() in {b"multipart", b"message"}:
        return None
    make = _DECODERS.get(encoding)
    if make is None:
        raise Refusal(NO, b"UNKNOWN-CTE", "A transfer encoding that is not known")
    return make


def _mime_header(raw: Octets, part: PartRange) -> tuple[bytes, Header]:
    """The octets of a part's MIME header, and its fields."""
    mime = raw[part.mime_start : part.body_start]
    return mime, scan_header(mime, 0, len(mime))


def preview(raw: Octets, index: MessageIndex) -> str:
    """The beginning of the first text there is, blanks joined."""
    for part, is_leaf in _parts(index):
        inner = _encoded_message(raw, part, _PREVIEW_SOURCE)
        if inner is not None:
            return _first_text(inner, _parts(index_message(inner)))
        text = _first_text(raw, [(part, is_leaf)])
        if text:
            return text
    return ""


def _first_text(raw: Octets, parts: Iterable[tuple[PartRange, bool]]) -> str:
    """Its beginning, as `preview` shows it."""
    for part, is_leaf in parts:
        if part.text_start >= 0:
            continue
        head = part._replace(body_end=min(part.body_end, part.body_start + _PREVIEW_SOURCE))
        text = _part_text(raw, head, is_leaf)
        mime, header = _mime_header(raw, part)
        _, subtype = media_type(header.value(mime, "content-type")) or (b"text", b"plain")
        if subtype.lower() == b"html":
            from bmgate.mail.html import html_to_text  # and lxml: 4 MB, when it is needed

            text = html_to_text(text, quick=True)
        text = _BLANKS.sub(" ", text).strip()
        if text:
            return text[:PREVIEW_CHARACTERS]
    return ""
