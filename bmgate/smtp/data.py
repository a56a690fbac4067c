"""A mail as DATA and BDAT bring it: any portions of bytes in, one mail or one refusal out (RFC 5321 section 4.5.2, S1).

Only CRLF.CRLF ends DATA. A bare CR, or a bare LF beside a dot, is where others have been made to see two mails in one:
such mail is refused whole, also when it came by BDAT, whose end is counted (RFC 3030). Other bare LFs become CRLF, so
none is ever handed on.
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


class MailReader:
    """Collects one mail of at most `limit` octets; what is beyond that is swallowed, keeping nothing of it.

    The buffer begins with the CRLF of the command before the mail, so that a dot may follow at once.
    """

    def __init__(self, limit: int, line_limit: int) -> None:
        self._limit, self._line_limit = limit, line_limit
        self._buffer = bytearray(CRLF)
        self.fault: Fault | None = None
        self.received = 0

    @property
    def held(self) -> int:
        """Octets kept in memory."""
        return len(self._buffer)

    def give_up_room(self) -> None:
        """Swallow the rest: there is no memory for it now."""
        self.fault = self.fault or Fault.NO_ROOM
        self._drop()

    def _keep_to_limit(self) -> None:
        if len(self._buffer) > self._limit + len(END) and self.fault is None:
            self.fault = Fault.TOO_LARGE
        if self.fault is not None:
            self._drop()

    def _drop(self) -> None:
        """Forget all but what an end of data may begin with."""
        del self._buffer[: -len(END) + 1]

    def _collected(self) -> bytes | Fault:
        """All that was collected behind the CRLF that is not the mail's, ended by CRLF, every line end checked."""
        if self.fault is not None:
            return self.fault
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
        return Fault.LINE_TOO_LONG if self._has_long_line(data) else data

    def _has_long_line(self, data: bytes) -> bool:
        """Whether two line ends stand further apart than the limit; looks at one place in each `line_limit` octets."""
        position, last = 0, len(data) - len(CRLF)
        while position < last:
            found = data.rfind(CRLF, position + 1, position + self._line_limit + 2 * len(CRLF))
            if found < 0:
                return True
            position = found
        return False


class DataReader(MailReader):
    """What follows DATA."""

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
        self._keep_to_limit()
        return rest if end >= 0 else None

    def mail(self) -> bytes | Fault:
        """The mail after its end was seen: dots unstuffed, every line ended by CRLF."""
        data = self._collected()
        return data if isinstance(data, Fault) else data.replace(b"\r\n.", CRLF)[len(CRLF) :]


class ChunkReader(MailReader):
    """What follows one BDAT after the other; `began` is when the first was read, on the loop's clock."""

    def __init__(self, limit: int, line_limit: int, began: float) -> None:
        super().__init__(limit, line_limit)
        self.began = began

    def feed(self, data: bytes) -> None:
        """Take octets of a chunk."""
        self.received += len(data)
        self._buffer += data
        self._keep_to_limit()

    def mail(self) -> bytes | Fault:
        """The mail after the last chunk; a CRLF is added where its last line has no end."""
        if not self._buffer.endswith(b"\n"):
            self._buffer += CRLF
        data = self._collected()
        return data if isinstance(data, Fault) else data[len(CRLF) :]


def _has_dangerous_line_end(data: bytes) -> bool:
    """A bare CR; a bare LF before a dot; a bare LF behind a dot that stands alone."""
    return data.count(b"\r") != data.count(CRLF) or data.count(b"\n.") != data.count(b"\r\n.") or b"\n.\n" in data
