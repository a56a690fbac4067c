"""Transfer encodings undone in portions of any size, with the outcome that `mail.transfer` has for the whole."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from bmgate.mail.transfer import decode_base64, decode_quoted_printable

_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
_FOREIGN = bytes(octet for octet in range(256) if octet not in _BASE64)
_LONGEST_LINE = 256 * 1024  # octets of a quoted-printable line that are kept; RFC 2045 allows 76


class Decoder(Protocol):
    """Decodes one part."""

    def feed(self, data: bytes) -> bytes:
        """What the next octets give."""
        ...

    def end(self) -> bytes:
        """What is left when there are no more."""
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


class QuotedPrintableDecoder:
    """Keeps the line that has not ended yet, or the end of one that is far too long."""

    def __init__(self) -> None:
        self._kept = b""

    def feed(self, data: bytes) -> bytes:
        """Whole lines."""
        data = self._kept + data
        end = data.rfind(b"\n") + 1
        if len(data) - end > _LONGEST_LINE:
            end = _place_to_cut(data)
        self._kept = data[end:]
        return decode_quoted_printable(data[:end])

    def end(self) -> bytes:
        """A last line without its end."""
        return decode_quoted_printable(self._kept)


def _place_to_cut(line: bytes) -> int:
    """Neither in blanks, which may stand before a line end, nor in what `=` encodes."""
    end = len(line.rstrip(b" \t\r"))
    encoded = line.rfind(b"=", max(end - 2, 0), end)
    return (end if encoded < 0 else encoded) or len(line)


def decode_all(make: Callable[[], Decoder], portions: Iterable[bytes]) -> Iterator[bytes]:
    """What the portions of one part give, as they come."""
    decoder = make()
    for portion in portions:
        yield decoder.feed(portion)
    yield decoder.end()
