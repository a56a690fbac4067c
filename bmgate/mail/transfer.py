"""Content-Transfer-Encoding undone, tolerant of what mail systems do to it (O8, RFC 2045 section 6)."""

import binascii
import re
from collections.abc import Iterator

from bmgate.errors import UnsupportedMedia
from bmgate.mail.headers import raw_field
from bmgate.mail.parse import Part, raw_body
from bmgate.mail.text import clean_line

PIECE = 128 * 1024  # octets

_TRAILING_BLANKS = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n|\Z)")
_STRETCH = re.compile(rb"[^=]{2,}")  # one character alone makes no byte
_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
_NOT_BASE64 = bytes(octet for octet in range(256) if octet not in _BASE64)


def decoded_body(part: Part) -> bytes:
    """The bytes of a leaf; raises UnsupportedMedia for an encoding outside RFC 2045."""
    body = raw_body(part)
    words = raw_field(part, "Content-Transfer-Encoding").replace(b";", b" ").split()
    encoding = words[0].lower().decode("ascii", "replace") if words else "7bit"
    match encoding:
        case "7bit" | "8bit" | "binary":
            return body
        case "quoted-printable":
            return decode_quoted_printable(body)
        case "base64":
            return decode_base64(body)
        case _:
            raise UnsupportedMedia(f"the transfer encoding {clean_line(encoding)[:40]} is not taken")


def decode_quoted_printable(body: bytes) -> bytes:
    """Blanks before a line end were added in transport and go; a `=` that encodes nothing stays."""
    return binascii.a2b_qp(b"".join(_TRAILING_BLANKS.sub(b"", piece) for piece in _pieces(body)))


def _pieces(body: bytes) -> Iterator[bytes]:
    """Whole lines, many at a time: looking through megabytes in one go would hold up every other thread."""
    at = 0
    while at < len(body):
        end = body.find(b"\n", at + PIECE) + 1 or len(body)
        yield body[at:end]
        at = end


def decode_base64(body: bytes) -> bytes:
    """Foreign characters are skipped; padding in the middle ends one stretch and the next begins."""
    stretches = _STRETCH.finditer(body.translate(None, _NOT_BASE64))
    return b"".join(_decode_stretch(stretch[0]) for stretch in stretches)


def _decode_stretch(stretch: bytes) -> bytes:
    if len(stretch) % 4 == 1:  # six bits that make no byte
        stretch = stretch[:-1]
    return binascii.a2b_base64(stretch + b"==")
