"""Content-Transfer-Encoding undone, tolerant of what mail systems do to it (O8, RFC 2045 section 6)."""

import binascii
import re

from bmgate.errors import UnsupportedMedia
from bmgate.mail.headers import raw_field
from bmgate.mail.parse import Part, raw_body
from bmgate.mail.text import clean_line

_TRAILING_BLANKS = re.compile(rb"(?<![ \t])[ \t]++(?=\n|\Z)")
_STRETCH = re.compile(rb"[^=]{2,}")  # one character alone makes no byte
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]+")


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
    return binascii.a2b_qp(_TRAILING_BLANKS.sub(b"", body))


def decode_base64(body: bytes) -> bytes:
    """Foreign characters are skipped; padding in the middle ends one stretch and the next begins."""
    decoded = bytearray()
    for stretch in _STRETCH.finditer(_NOT_BASE64.sub(b"", body)):
        decoded += _decode_stretch(stretch[0])
    return bytes(decoded)


def _decode_stretch(stretch: bytes) -> bytes:
    if len(stretch) % 4 == 1:  # six bits that make no byte
        stretch = stretch[:-1]
    return binascii.a2b_base64(stretch + b"==")
