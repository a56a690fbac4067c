"""The parts of a message without their transfer encoding: for SEARCH, BINARY and PREVIEW."""

import re
from collections.abc import Callable, Iterable

from bmgate.errors import UnsupportedMedia
from bmgate.imap.replies import NO, Refusal
from bmgate.mail.charsets import decode_text
from bmgate.mail.fields import media_type, parameters, scan_header, token
from bmgate.mail.headers import decode_header
from bmgate.mail.structure import MessageIndex, PartRange
from bmgate.mail.transfer import decode_base64, decode_quoted_printable

MAX_DECODED = 16 * 1024 * 1024  # octets of one part that are searched
PREVIEW_CHARACTERS = 200  # RFC 8970 3.1
_PREVIEW_SOURCE = 16 * 1024  # octets of a part that are looked at
_TRANSFER_ENCODINGS: dict[bytes, Callable[[bytes], bytes]] = {
    b"quoted-printable": decode_quoted_printable,
    b"base64": decode_base64,
}
_IDENTITY = frozenset({b"", b"7bit", b"8bit", b"binary"})
_BLANKS = re.compile(r"\s+")


def part_texts(raw: bytes, index: MessageIndex) -> Iterable[str]:
    """The case-folded texts of the message's text parts."""
    if len(index.parts) == 1:
        yield raw[index.header_size :].decode("utf-8", "replace").casefold()
    for part in index.parts[1:]:
        if part.text_start >= 0:
            yield decode_header(raw[part.body_start : part.text_start]).casefold()
            continue
        text = part_text(raw, part)
        if text:
            yield text.casefold()


def part_text(raw: bytes, part: PartRange) -> str:
    """The decoded text of a part; empty when it is none."""
    header = scan_header(raw, part.mime_start, part.body_start)
    content_type = header.value(raw, "content-type")
    kind, _ = media_type(content_type) or (b"text", b"plain")
    if kind.lower() != b"text":
        return ""
    data = raw[part.body_start : min(part.body_end, part.body_start + MAX_DECODED)]
    decode = _TRANSFER_ENCODINGS.get(token(header.value(raw, "content-transfer-encoding")))
    data = data if decode is None else decode(data)
    charset = next((value for name, value in parameters(content_type) if name.lower() == b"charset"), b"")
    try:
        return decode_text(data, charset.decode("ascii", "replace"))
    except UnsupportedMedia:
        return data.decode("utf-8", "replace")


def decoded_part(raw: bytes, index: MessageIndex, path: tuple[int, ...]) -> bytes | None:
    """The content of a part, None when there is none; raises Refusal for an encoding we do not know (RFC 3516)."""
    part = index.part(path)
    if part is None:
        return None
    data = raw[part.body_start : part.body_end]
    if not path:
        return data
    header = scan_header(raw, part.mime_start, part.body_start)
    encoding = token(header.value(raw, "content-transfer-encoding"))
    kind, _ = media_type(header.value(raw, "content-type")) or (b"text", b"plain")
    if encoding in _IDENTITY or kind.lower() in {b"multipart", b"message"}:
        return data
    decode = _TRANSFER_ENCODINGS.get(encoding)
    if decode is None:
        raise Refusal(NO, b"UNKNOWN-CTE", "A transfer encoding that is not known")
    return decode(data)


def preview(raw: bytes, index: MessageIndex) -> str:
    """The beginning of the first text there is, blanks joined."""
    for part in index.parts[1:]:
        if part.text_start >= 0:
            continue
        head = part._replace(body_end=min(part.body_end, part.body_start + _PREVIEW_SOURCE))
        text = part_text(raw, head)
        header = scan_header(raw, part.mime_start, part.body_start)
        _, subtype = media_type(header.value(raw, "content-type")) or (b"text", b"plain")
        if subtype.lower() == b"html":
            from bmgate.mail.html import html_to_text  # and lxml: 4 MB, when it is needed

            text = html_to_text(text, quick=True)
        text = _BLANKS.sub(" ", text).strip()
        if text:
            return text[:PREVIEW_CHARACTERS]
    return ""
