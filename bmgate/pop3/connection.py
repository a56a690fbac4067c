"""One TCP connection to a POP3 client: bytes in and out, one command at a time, as many ahead as it likes (RFC 2449).

Answers to commands that came together leave together. A client that is far ahead is paused, one that does not read is
waited for, then dropped (I7).
"""

import asyncio

from twisted.internet.ssl import CertificateOptions

from bmgate.pop3.commands import CHANGING, carry_out, verb_of
from bmgate.pop3.limits import Pop3Limits
from bmgate.pop3.ports import Pop3Services
from bmgate.pop3.reader import LineReader, LineTooLong
from bmgate.pop3.replies import refusal
from bmgate.pop3.session import Session
from bmgate.tcp.channel import HangUp
from bmgate.tcp.connection import Farewell, ServerConnection
from bmgate.tcp.connections import Connections

_AHEAD = 256 * 1024  # octets of answers that wait for those to the commands behind them
_COMMANDS_AT_ONCE = 50  # answered before others get a turn
_CODES: dict[str, bytes] = {
    Farewell.TOO_MANY: b"SYS/TEMP",
    Farewell.STOPPING: b"SYS/TEMP",
    Farewell.FAILED: b"SYS/PERM",
}
"""Response codes of those that have one (RFC 3206)."""


class Pop3Connection(ServerConnection):
    """Reader and session of one client; the `Channel` of its session."""

    def __init__(
        self,
        services: Pop3Services,
        limits: Pop3Limits,
        connections: "Connections[Pop3Connection]",
        starttls: CertificateOptions | None,
        allow_plaintext: bool,
    ) -> None:
        super().__init__(limits, starttls)
        self._limits, self._connections = limits, connections
        self._reader = LineReader(limits.line)
        self._stirred = asyncio.Event()
        self._is_answering = False
        self._last_active = 0.0  # when the last command was answered
        self.session = Session(self, services, limits, allow_plaintext)

    # -- what Twisted calls

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """Bytes of the client."""
        if self._is_closing:
            return
        self._reader.feed(data)
        self._throttle()
        self._stirred.set()

    # -- the channel of the session

    @property
    def has_input(self) -> bool:
        """Whether octets wait behind the command that runs."""
        return self._reader.buffered > 0

    async def read_line(self) -> bytes:
        """The next line; raises HangUp."""
        try:
            while (line := self._reader.next_line()) is None:
                self._stirred.clear()
                await self._stirred.wait()
        except LineTooLong as error:
            raise HangUp("Line too long") from error
        self._throttle()
        return line

    def peek_lines(self, count: int) -> list[bytes]:
        """Up to `count` of the lines that wait already."""
        return self._reader.peek_lines(count)

    def admit(self) -> None:
        """The client has logged in, and has time."""
        self._cancel_timer()
        self._watch_activity()

    def _watch_activity(self) -> None:
        """Close without a word when nothing has come for too long (RFC 1939 section 3); one timer for many commands."""
        loop = asyncio.get_running_loop()
        if self._is_answering:
            self._last_active = loop.time()
        left = self._last_active + self._limits.inactive_seconds - loop.time()
        if left > 0:
            self._timer = loop.call_later(left, self._watch_activity)
        else:
            self._close()

    def _throttle(self) -> None:
        """Pause a client that is far ahead of us."""
        self._pause(self._reader.buffered > self._limits.read_ahead)

    # -- carrying out

    async def _run(self) -> None:
        try:
            self.session.ok("bmgate ready")
            await self.drain()
            answered = 0
            while not (self.session.is_over or self._is_closing):
                await self._answer(await self.read_line())
                answered += 1
                if not self._reader.has_line or self._outgoing.pending > _AHEAD:
                    await self.drain()
                if answered % _COMMANDS_AT_ONCE == 0:
                    await asyncio.sleep(0)
            self._close()
        except HangUp as bye:
            self._is_answering = False
            self.shut_down(str(bye))

    async def _answer(self, line: bytes) -> None:
        verb = verb_of(line)
        self._is_answering, self._is_changing = True, verb == CHANGING
        is_done = await carry_out(self.session, line)
        if is_done and verb == b"STLS":
            await self._begin_tls("STLS")
        self._is_answering = self._is_changing = False
        self._last_active = asyncio.get_running_loop().time()

    def _forget_clear_text(self) -> None:
        self._reader.clear()
        self.session.forget()

    # -- the end

    def shut_down(self, text: str) -> None:
        """Close, with a last word where it cannot be taken for part of a mail; a QUIT that runs is answered first."""
        if self._is_changing:
            return
        if text and not self._is_answering:
            self.write(refusal(text, _CODES.get(text, b"")))
        self._close()

    def _enter(self) -> bool:
        return self._connections.enter(self)

    def _left(self) -> None:
        self._connections.members.discard(self)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """The maildrop is free again."""
        self.session.release()
        super()._ended(task)
