"""Transfer encodings undone in portions of any size, with the outcome that `mail.transfer` has for the whole.

What comes out does not depend on how the octets were portioned, so that what was counted is what is sent.
"""

import binascii
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from bmgate.mail.transfer import PIECE, decode_base64

MOST_BLANKS = 64 * 1024  # octets that transport may have put at the end of a line; what is more was written there

_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
_FOREIGN = bytes(octet for octet in range(256) if octet not in _BASE64)
_BLANKS = b" \t"
_PADDING = re.compile(rb"(?<![ \t])[ \t]{1,%d}+(?=\r?\n)" % MOST_BLANKS)
_UNENDED_BREAK = re.compile(rb"(?<!=)(?:==)*(=\r)")
_UNENDED_OCTET = re.compile(rb"(?<!=)(?:==)*(=[0-9A-Fa-f]?)\Z")


class Decoder(Protocol):
    """Decodes one part."""

    def feed(self, data: bytes) -> bytes:
        """What the next octets give."""
        ...

    def end(self) -> bytes:
        """What is left when there are no more."""
        ...

    @property
    def holds_nothing(self) -> bool:
        """Whether a new one would go on from here like this one."""
        ...


class Base64Decoder:
    """Keeps what makes no whole group of four yet; padding ends a stretch, wherever it stands."""

    def __init__(self) -> None:
        self._kept = b""

    def feed(self, data: bytes) -> bytes:
        """Foreign characters are skipped."""
        data = self._kept + data.translate(None, _FOREIGN)
        end = len(data) - (len(data) - data.rfind(b"=") - 1) % 4
        self._kept = data[end:]
        return decode_base64(data[:end])

    def end(self) -> bytes:
        """A group that was not completed."""
        return decode_base64(self._kept)

    @property
    def holds_nothing(self) -> bool:
        """At the end of a group."""
        return not self._kept


class QuotedPrintableDecoder:
    """Takes off the blanks at the end of lines, then undoes what `=` encodes; lines may have any length."""

    def __init__(self) -> None:
        self._blanks, self._encoded = _TrailingBlanks(), _EncodedOctets()

    def feed(self, data: bytes) -> bytes:
        """A little at a time: looking through megabytes in one go would hold up every other thread."""
        pieces = (data[at : at + PIECE] for at in range(0, len(data), PIECE))
        return b"".join([self._encoded.feed(self._blanks.feed(piece)) for piece in pieces])

    def end(self) -> bytes:
        """What a line without its end kept open."""
        return self._encoded.feed(self._blanks.end()) + self._encoded.end()

    @property
    def holds_nothing(self) -> bool:
        """Neither blanks nor a `=`."""
        return self._blanks.holds_nothing and self._encoded.holds_nothing


class _TrailingBlanks:
    """Keeps back blanks, and a CR, as long as a line end may follow."""

    def __init__(self) -> None:
        self._kept = b""
        self._is_within_many = False  # blanks, too many to belong to a line end

    def feed(self, data: bytes) -> bytes:
        written = b""
        if self._is_within_many:
            rest = data.lstrip(_BLANKS)
            written = data[: len(data) - len(rest)]
            if not rest:
                return written
            data, self._is_within_many = rest, False
        data = self._kept + data
        end = len(data.removesuffix(b"\r").rstrip(_BLANKS))
        if len(data) - end > MOST_BLANKS + 1:  # 1: the CR
            end, self._is_within_many = len(data), not data.endswith(b"\r")
        self._kept = data[end:]
        return written + _PADDING.sub(b"", data[:end])

    def end(self) -> bytes:
        """Blanks that the end of the part follows go too."""
        return self._kept if self._kept.endswith(b"\r") or len(self._kept) > MOST_BLANKS else b""

    @property
    def holds_nothing(self) -> bool:
        return not (self._kept or self._is_within_many)


class _EncodedOctets:
    """Keeps a `=` whose meaning the next octets tell."""

    def __init__(self) -> None:
        self._kept = b""
        self._is_in_break = False  # behind `=` and CR, where all up to the line end is passed over

    def feed(self, data: bytes) -> bytes:
        if self._is_in_break:
            end = data.find(b"\n") + 1
            if not end:
                return b""
            data, self._is_in_break = data[end:], False
        data = self._kept + data
        line = data.rfind(b"\n") + 1
        if found := _UNENDED_BREAK.search(data, line):
            self._kept, self._is_in_break = b"", True
            return binascii.a2b_qp(data[: found.start(1)])
        found = _UNENDED_OCTET.search(data, line)
        end = found.start(1) if found else len(data)
        self._kept = data[end:]
        return binascii.a2b_qp(data[:end])

    def end(self) -> bytes:
        return binascii.a2b_qp(self._kept)

    @property
    def holds_nothing(self) -> bool:
        return not (self._kept or self._is_in_break)


def decode_all(make: Callable[[], Decoder], portions: Iterable[bytes]) -> Iterator[bytes]:
    """What the portions of one part give, as they come."""
    decoder = make()
    for portion in portions:
        yield decoder.feed(portion)
    yield decoder.end()
