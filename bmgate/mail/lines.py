"""A mail as lines on the wire: every line ends in CRLF, lines that begin with a dot have another before it, a dot alone
ends it (RFC 1939 section 3; RFC 5321 section 4.5.2 the same).

Stored mail may be anything: bare LF is made CRLF, a last line without its end gets one, NUL becomes a blank as in IMAP
(I13); a bare CR stays what it is. Works in portions of any size, so that a large mail needs no second copy.
"""

import re
from collections.abc import Iterable

_BARE_LF = re.compile(rb"(?<!\r)\n")


def wire_size(*pieces: bytes) -> int:
    """Octets of the mail that these pieces make, as a client counts them: all its lines with CRLF, no dots added."""
    return wire_size_of(pieces)


def wire_size_of(pieces: Iterable[bytes]) -> int:
    """The same of pieces that come one by one."""
    size, last = 0, b""
    for piece in filter(None, pieces):
        size += len(piece) + piece.count(b"\n") - piece.count(b"\r\n")
        size -= last == b"\r" and piece.startswith(b"\n")
        last = piece[-1:]
    return size + 2 if last not in (b"", b"\n") else size


class DotStuffer:
    """Writes one mail as the body of a multi-line response; of some mails it is known that no LF is bare."""

    def __init__(self, *, has_bare_lf: bool = True) -> None:
        self._is_line_start, self._is_behind_cr = True, False
        self._has_bare_lf = has_bare_lf

    def encode(self, piece: bytes) -> bytes:
        """The next octets of the mail."""
        if not piece:
            return b""
        front = b""
        if self._is_behind_cr and piece.startswith(b"\n"):
            front, piece, self._is_line_start = b"\n", piece[1:], True
            if not piece:
                self._is_behind_cr = False
                return front
        if b"\0" in piece:
            piece = piece.replace(b"\0", b" ")
        if self._has_bare_lf and piece.count(b"\n") != piece.count(b"\r\n"):
            piece = _BARE_LF.sub(b"\r\n", piece)
        if self._is_line_start and piece.startswith(b"."):
            front += b"."
        self._is_line_start, self._is_behind_cr = piece.endswith(b"\n"), piece.endswith(b"\r")
        return front + piece.replace(b"\r\n.", b"\r\n..")

    def end(self) -> bytes:
        """The end of the response."""
        return b".\r\n" if self._is_line_start else b"\r\n.\r\n"
