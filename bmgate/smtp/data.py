"""A mail as DATA brings it: any portions of bytes in, one mail or one refusal out (RFC 5321 section 4.5.2, S1).

Only CRLF.CRLF ends it. A bare CR, or a bare LF beside a dot, is where others have been made to see two mails in one:
such mail is refused whole. Other bare LFs become CRLF, so none is ever handed on.
"""

from enum import Enum, auto

CRLF = b"\r\n"
END = b"\r\n.\r\n"


class Fault(Enum):
    """Why a mail that has arrived whole is not taken."""

    TOO_LARGE = auto()
    NO_ROOM = auto()
    BARE_LINE_END = auto()
    LINE_TOO_LONG = auto()
    NUL = auto()


class DataReader:
    """Collects one mail of at most `limit` octets; what is beyond that is swallowed, keeping nothing of it."""

    def __init__(self, limit: int, line_limit: int) -> None:
        self._limit, self._line_limit = limit, line_limit
        self._buffer = bytearray(CRLF)  # the end of the DATA command, so that a dot may follow at once
        self._fault: Fault | None = None
        self.received = 0

    @property
    def held(self) -> int:
        """Octets kept in memory."""
        return len(self._buffer)

    def feed(self, data: bytes) -> bytes | None:
        """Take bytes; None while more are needed, otherwise those that follow the end of the mail."""
        start = max(0, len(self._buffer) - len(END) + 1)
        self.received += len(data)
        self._buffer += data
        end = self._buffer.find(END, start)
        if end >= 0:
            rest = bytes(self._buffer[end + len(END) :])
            self.received -= len(rest)
            del self._buffer[end + len(CRLF) :]
        if len(self._buffer) > self._limit + len(END) and self._fault is None:
            self._fault = Fault.TOO_LARGE
        if self._fault is not None:
            del self._buffer[: -len(END) + 1]
        return rest if end >= 0 else None

    def give_up_room(self) -> None:
        """Swallow the rest: there is no memory for it now."""
        self._fault = self._fault or Fault.NO_ROOM
        del self._buffer[: -len(END) + 1]

    def mail(self) -> bytes | Fault:
        """The mail after its end was seen: dots unstuffed, every line ended by CRLF."""
        if self._fault is not None:
            return self._fault
        data = bytes(self._buffer)
        self._buffer.clear()
        if len(data) - len(CRLF) > self._limit:
            return Fault.TOO_LARGE
        if b"\0" in data:
            return Fault.NUL
        if _has_dangerous_line_end(data):
            return Fault.BARE_LINE_END
        if data.count(b"\n") != data.count(CRLF):
            data = data.replace(CRLF, b"\n").replace(b"\n", CRLF)
        if self._has_long_line(data):
            return Fault.LINE_TOO_LONG
        return data.replace(b"\r\n.", CRLF)[len(CRLF) :]

    def _has_long_line(self, data: bytes) -> bool:
        """Whether two line ends stand further apart than the limit; looks at one place in each `line_limit` octets."""
        position, last = 0, len(data) - len(CRLF)
        while position < last:
            found = data.rfind(CRLF, position + 1, position + self._line_limit + 2 * len(CRLF))
            if found < 0:
                return True
            position = found
        return False


def _has_dangerous_line_end(data: bytes) -> bool:
    """A bare CR; a bare LF before a dot; a bare LF behind a dot that stands alone."""
    return data.count(b"\r") != data.count(CRLF) or data.count(b"\n.") != data.count(b"\r\n.") or b"\n.\n" in data
