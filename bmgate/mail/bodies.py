"""Body parts as we write them: text in the plainest safe encoding, files in base64, boundaries nobody can foresee.

Sources: RFC 2045 6.7 and 6.8, RFC 2046 5.1.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass

from bmgate.mail.write import CRLF, field

MAX_LINE = 76  # columns of text, quoted-printable and base64 alike

_UNSAFE_LINE = re.compile(rb"[ \t]$|^From |^\.$|[^\n]{77}", re.MULTILINE)
_FROM_LINE = re.compile(rb"^From ", re.MULTILINE)
_DELIMITER_LIKE = b"=_"


@dataclass(frozen=True, slots=True)
class BodyPart:
    """The Content-* fields of a part, each with its line end, and its encoded content, which ends without one."""

    fields: bytes
    content: bytes

    @property
    def encoded(self) -> bytes:
        """The part as it stands between two delimiters."""
        return self.fields + CRLF + self.content


def text_part(text: str, subtype: str = "plain") -> BodyPart:
    """A text part: 7bit where that changes nothing, else quoted-printable or base64, whichever is shorter (I18).

    `text` has LF line ends and no final one.
    """
    data = text.encode("utf-8", "replace")
    encoding, content = _encode_text(data)
    fields = field("Content-Type", [f"text/{subtype};", "charset=utf-8"])
    return BodyPart(fields + field("Content-Transfer-Encoding", [encoding]), content.replace(b"\n", CRLF))


def _encode_text(data: bytes) -> tuple[str, bytes]:
    if data.isascii() and _DELIMITER_LIKE not in data and not _UNSAFE_LINE.search(data):
        return "7bit", data
    printable = quoted_printable(data)
    encoded = base64_lines(data.replace(b"\n", CRLF))
    return ("base64", encoded) if len(encoded) < len(printable) else ("quoted-printable", printable)


def quoted_printable(data: bytes) -> bytes:
    """Text with LF line ends; `From ` and a lone `.` at the beginning of a line are encoded."""
    encoded = binascii.b2a_qp(data, istext=True)
    if not _FROM_LINE.search(encoded):
        return encoded
    return b"\n".join(map(_guard_from, encoded.split(b"\n")))


def _guard_from(line: bytes) -> bytes:
    if not _FROM_LINE.match(line):
        return line
    soft_break = b"=\n" if len(line) > MAX_LINE - 2 else b""
    return b"=46rom" + soft_break + line[4:]


def base64_lines(data: bytes) -> bytes:
    """Base64 in lines of 76 columns, LF between them."""
    encoded = base64.b64encode(data)
    return b"\n".join(encoded[start : start + MAX_LINE] for start in range(0, len(encoded), MAX_LINE))


def boundary_of(digest: bytes) -> str:
    """The boundary that the first 15 bytes of a digest make; no part as encoded here holds its `=_` (I20)."""
    return "=_bm_" + base64.b32encode(digest[:15]).decode("ascii").lower()


def multipart(boundary: str, parts: Iterable[bytes]) -> bytes:
    """The body of a multipart; `parts` are whole parts without a final line end, which each gets here."""
    delimiter = b"--" + boundary.encode("ascii")
    return b"".join(delimiter + CRLF + part + CRLF for part in parts) + delimiter + b"--" + CRLF
