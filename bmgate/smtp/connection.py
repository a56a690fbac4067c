"""One SMTP connection: lines in, replies out, time limits, and how it ends.

Built on aiosmtpd's protocol, of which it uses the stream, the STARTTLS and the timer. The command loop is our own:
aiosmtpd's takes bare LFs for line ends, shows exception texts to clients and logs what they say (F10). Commands are
carried out in `session`.
"""

import asyncio
import math
import ssl
from abc import abstractmethod
from typing import ClassVar, NoReturn, cast

from aiosmtpd.smtp import SMTP, TLSSetupException

from bmgate.domain.account import AccountId
from bmgate.smtp.connections import Connections, Room
from bmgate.smtp.data import ChunkReader, DataReader, MailReader
from bmgate.smtp.limits import SmtpLimits
from bmgate.smtp.replies import SHUTTING_DOWN, Reply

READ_ALL = 1 << 24  # more than the stream reader ever holds
MAX_UNSENT = 1 << 14  # octets of replies to commands that came together
BAD_COMMAND_CODES = (500, 501, 502, 504)  # 503 is what a pipelined group gets whose first command was refused
SWALLOWED_LINE = 1 << 20  # octets of a command line before we hang up

BARE_LINE_END = Reply(500, "5.5.2", "lines end in CRLF")
GO_AHEAD_TLS = Reply(220, "2.0.0", "ready to start TLS")
LINE_TOO_LONG = Reply(500, "5.5.2", "line too long")
NUL_IN_COMMAND = Reply(500, "5.5.2", "NUL in a command")
TOO_MANY_BAD_COMMANDS = Reply(421, "4.7.0", "too many bad commands")
TOO_MANY_COMMANDS = Reply(421, "4.7.0", "too many commands without a mail")
TOO_SLOW = Reply(421, "4.4.2", "too slow")


class ClientGone(Exception):
    """The other side hung up, or is to be hung up on: there is nobody to reply to."""


class SmtpConnection(SMTP):
    """Carries the dialogue of one client; a subclass answers its commands."""

    protocol: ClassVar[str] = "ESMTP"  # what the greeting says that is spoken
    line_length_limit = 65_536  # octets the stream reader looks through for a line end

    def __init__(
        self,
        limits: SmtpLimits,
        connections: Connections,
        room: Room,
        hostname: str,
        tls_context: ssl.SSLContext | None,
    ) -> None:
        self._limits, self._connections, self._room = limits, connections, room
        self.account: AccountId | None = None
        self.source = ""
        self._bad_commands = self._bare_line_ends = self._commands = 0
        self._is_replying_to_data = self._is_leaving = False
        self._unsent = bytearray()
        self._deadline = 0.0
        self._is_shaking_hands = self._is_over = False
        self._closed_event = asyncio.Event()
        self._abort_handle: asyncio.TimerHandle | None = None
        super().__init__(
            None,
            data_size_limit=limits.submission,
            enable_SMTPUTF8=True,
            hostname=hostname,
            ident=f"{self.protocol} bmgate",
            tls_context=tls_context,
            timeout=limits.command_seconds,
            loop=asyncio.get_running_loop(),
        )

    def leave(self) -> None:
        """The gateway stops: hang up, but behind the reply to a mail that is being stored."""
        if self._is_replying_to_data:
            self._is_leaving = True
        else:
            self.leave_now()

    def leave_now(self) -> None:
        """The gateway stops: hang up."""
        self._break_off(SHUTTING_DOWN)

    async def wait_closed(self) -> None:
        """Returns when nothing of this connection is left."""
        await self._closed_event.wait()
        if self._handler_coroutine is not None:
            await asyncio.wait({self._handler_coroutine})

    def data_received(self, data: bytes) -> None:
        """Octets from the client."""
        if not self._is_over:
            super().data_received(data)

    def eof_received(self) -> bool | None:
        """The client says no more; True keeps the connection open for us."""
        return super().eof_received() and not self._is_over

    def connection_lost(self, error: Exception | None) -> None:
        """However it ended."""
        if self._abort_handle is not None:
            self._abort_handle.cancel()
        self._closed_event.set()
        self._connections.forget(self)
        super().connection_lost(error)

    # -- the dialogue ----------------------------------------------------------------------------------------------

    async def _handle_client(self) -> None:
        """The whole life of the connection; what aiosmtpd starts once it is there."""
        peer = self._writer.get_extra_info("peername")
        self.source = self._limits.source or (peer[0] if isinstance(peer, tuple) else "")  # a Unix socket has none
        try:
            refusal = self._connections.admit(self)
            if refusal is None:
                await self._send(Reply(220, "", f"{self.hostname} {self.__ident__}"))
                await self._converse()
            else:
                self._hang_up(refusal)
        except (ClientGone, TLSSetupException):
            return
        finally:
            if not self._is_over:
                self._writer.close()
            if self._is_shaking_hands and not self._closed_event.is_set():  # then nobody else tells us that it is lost
                self._abort()
                self.connection_lost(None)

    async def _converse(self) -> None:
        while True:
            line = await self._read_line(self._limits.command)
            self._commands += 1
            reply = line if isinstance(line, Reply) else await self._reply_to(line)
            reply = self._counted(reply)
            if reply is not None and reply.code in (221, 421):
                self._hang_up(reply)
                return
            if reply is not None:
                self._say(reply)
            if self._is_replying_to_data or not self._has_next_line():
                await self._flush()
            self._is_replying_to_data = False
            if self._is_leaving:
                self._hang_up(SHUTTING_DOWN)
                return

    @abstractmethod
    async def _reply_to(self, line: bytes) -> Reply | None:
        """Carry out one command line, given without its CRLF; None when all is said. 221 and 421 end the connection."""

    def _counted(self, reply: Reply | None) -> Reply | None:
        """The reply, or the last one when there were too many commands of some kind (S2, S16)."""
        self._bad_commands += reply is not None and reply.code in BAD_COMMAND_CODES
        self._bare_line_ends += reply is BARE_LINE_END
        if self._bad_commands >= self._limits.bad_commands or self._bare_line_ends >= self._limits.bare_line_ends:
            return TOO_MANY_BAD_COMMANDS
        return TOO_MANY_COMMANDS if self._commands > self._limits.commands else reply

    # -- octets ----------------------------------------------------------------------------------------------------

    async def _read_line(self, limit: int) -> bytes | Reply:
        """A line of at most `limit` octets without its CRLF, or the reply to what is no such line."""
        self._reset_timeout(self._limits.command_seconds)
        try:
            line = await self._reader.readuntil(b"\n")
        except asyncio.LimitOverrunError as error:
            await self._swallow_line(error.consumed)
            return LINE_TOO_LONG
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            raise ClientGone from error
        if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
            return BARE_LINE_END
        if len(line) > limit:
            return LINE_TOO_LONG
        return NUL_IN_COMMAND if b"\0" in line else line[:-2]

    async def _swallow_line(self, consumed: int) -> None:
        """Read to the end of an endless line; hangs up and raises ClientGone when it does not come soon."""
        swallowed = 0
        try:
            while swallowed < SWALLOWED_LINE:
                swallowed += len(await self._reader.readexactly(consumed))
                try:
                    await self._reader.readuntil(b"\n")
                except asyncio.LimitOverrunError as error:
                    consumed = error.consumed
                else:
                    return
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            raise ClientGone from error
        self._hang_up(TOO_MANY_BAD_COMMANDS)
        raise ClientGone

    async def _receive(self, reader: DataReader) -> None:
        """Read a mail to its end; hangs up and raises ClientGone when far too much comes.

        Room is held for it once this returns.
        """
        began = self.loop.time()
        rest = None
        try:
            while rest is None:
                rest = reader.feed(await self._read_of_mail(reader, began, READ_ALL))
                self._bound(reader)
        except BaseException:
            self._room.release(reader)
            raise
        if rest:
            self._reader.feed_data(rest)

    async def _receive_chunk(self, reader: ChunkReader, octets: int) -> None:
        """Read one chunk of a mail; hangs up and raises ClientGone when far too much is announced."""
        if reader.received + octets > self._limits.swallow:
            self._give_up_on_mail()
        while octets:
            data = await self._read_of_mail(reader, reader.began, min(octets, READ_ALL))
            octets -= len(data)
            reader.feed(data)
            self._bound(reader)

    async def _read_of_mail(self, reader: MailReader, began: float, octets: int) -> bytes:
        """At least one octet; as long as they keep coming there is time (the timer runs for each, and for them all)."""
        allowed = self._limits.data_seconds + reader.received / self._limits.data_rate
        left = began + allowed - self.loop.time()
        self._reset_timeout(max(0.001, min(self._limits.stall_seconds, left)))
        try:
            data = await self._reader.read(octets)
        except ConnectionError as error:
            raise ClientGone from error
        if not data:
            raise ClientGone
        return data

    def _bound(self, reader: MailReader) -> None:
        """Keep to the limits of what is held by all, and of what is swallowed from one."""
        if not self._room.hold(reader, reader.held):
            reader.give_up_room()
            self._room.hold(reader, reader.held)
        if reader.received > self._limits.swallow:
            self._give_up_on_mail()

    def _give_up_on_mail(self) -> NoReturn:
        self._hang_up(Reply(421, "4.7.0", f"more than {self._limits.swallow} octets"))
        raise ClientGone

    def _say(self, reply: Reply | bytes) -> None:
        """Reply when all that came in this segment is answered, or before that if something is waited for."""
        self._unsent += reply if isinstance(reply, bytes) else reply.encode()

    def _has_next_line(self) -> bool:
        """Whether a pipelining client has sent another command already (RFC 2920 section 3.2)."""
        return b"\n" in self._reader._buffer and len(self._unsent) < MAX_UNSENT  # type: ignore[attr-defined]

    async def _send(self, reply: Reply | bytes) -> None:
        self._say(reply)
        await self._flush()

    async def _flush(self) -> None:
        if not self._unsent:
            return
        self._reset_timeout(self._limits.command_seconds)
        self._write_unsent()
        try:
            await self._writer.drain()
        except ConnectionError as error:
            raise ClientGone from error

    def _write_unsent(self) -> None:
        self._writer.write(bytes(self._unsent))
        self._unsent.clear()

    async def push(self, status: str | bytes) -> None:
        """What aiosmtpd itself says; of all that only its reply to STARTTLS is left, which lacks the status."""
        await self._send(GO_AHEAD_TLS)

    # -- time and the end ------------------------------------------------------------------------------------------

    def _reset_timeout(self, duration: float | None = None) -> None:
        """Begin to wait for the client. A timer that rings before is left to run: this is done for each line."""
        seconds = self._limits.command_seconds if duration is None else duration
        self._deadline = self.loop.time() + seconds
        handle = self._timeout_handle
        if handle is None or handle.cancelled() or not self.loop.time() < handle.when() <= self._deadline:
            super()._reset_timeout(seconds)

    def _stop_timer(self) -> None:
        """The client need not hurry while we work; reading and sending start the timer again."""
        self._deadline = math.inf

    def _timeout_cb(self) -> None:
        if self.loop.time() >= self._deadline:
            self._break_off(TOO_SLOW)
        elif self._deadline < math.inf:
            self._reset_timeout(self._deadline - self.loop.time())

    def _break_off(self, reply: Reply) -> None:
        """Hang up whatever is going on."""
        self._hang_up(reply)
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()

    def _hang_up(self, reply: Reply) -> None:
        """Close after a last word; a client that does not take it is cut off.

        What it still sends is read and thrown away: closing over unread octets would reset the connection, and lose the
        word.
        """
        if self._is_shaking_hands or self._is_over:
            self._abort()
            return
        self._is_over = True
        self._abort_handle = self.loop.call_later(self._limits.close_seconds, self._abort)
        self._say(reply)
        self._write_unsent()
        transport = self._writer.transport
        if transport.is_closing() or not transport.can_write_eof():
            transport.close()
            return
        try:
            transport.write_eof()
            cast(asyncio.Transport, transport).resume_reading()
        except OSError:  # the client has just reset the connection
            self._abort()

    def _abort(self) -> None:
        for transport in (self._original_transport, self._writer.transport):
            if transport is not None:
                cast(asyncio.WriteTransport, transport).abort()  # uvloop's are no subclasses

    async def _start_tls(self) -> None:
        """TLS from the next octet on; `connection_made` comes again and forgets. Raises TLSSetupException."""
        self._is_shaking_hands = True
        await self.smtp_STARTTLS("")
        if self.session is None or self.session.ssl is None:  # the client went away in mid-handshake
            raise TLSSetupException
        self._is_shaking_hands = False
