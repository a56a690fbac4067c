"""The client's byte stream cut into lines (RFC 1939 section 3); commands and the responses of AUTH are lines alike."""

from bmgate.errors import ProtocolError


class LineTooLong(ProtocolError):
    """A line beyond the limit; what follows it cannot be told from its rest, so the connection ends."""


class LineReader:
    """Takes bytes in any portions and gives lines, without their CRLF or LF. The outcome is the same for all splits."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._tail = bytearray()
        self._scanned = 0

    @property
    def buffered(self) -> int:
        """Octets taken in and not yet handed out."""
        return len(self._tail)

    @property
    def has_line(self) -> bool:
        """Whether `next_line` has something to say."""
        return len(self._tail) > self._limit or self._tail.find(b"\n", self._scanned) >= 0

    def feed(self, data: bytes) -> None:
        """Take in a portion of the stream."""
        self._tail += data

    def next_line(self) -> bytes | None:
        """The next line, None when it has not come; raises LineTooLong, and then again."""
        end = self._tail.find(b"\n", self._scanned)
        if (len(self._tail) if end < 0 else end) > self._limit:
            raise LineTooLong("line too long")
        if end < 0:
            self._scanned = len(self._tail)
            return None
        line = bytes(self._tail[:end])
        del self._tail[: end + 1]
        self._scanned = 0
        return line.removesuffix(b"\r")

    def peek_lines(self, count: int) -> list[bytes]:
        """Up to `count` of the whole lines that wait, which stay."""
        *lines, _ = bytes(self._tail[: self._limit]).split(b"\n", count)
        return [line.removesuffix(b"\r") for line in lines]

    def clear(self) -> None:
        """Forget everything that came (STLS)."""
        self._tail.clear()
        self._scanned = 0
