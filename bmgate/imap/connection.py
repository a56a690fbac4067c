"""One TCP connection to an IMAP client: bytes in and out, one command at a time (RFC 9051 section 5.5).

Commands wait in a bounded queue; when it is full, or a command stands before it behind which nothing may be read, the
transport is paused. Writes are joined, and a client that does not read is waited for, then dropped (I7).
"""

import asyncio
import logging
from collections import deque

from twisted.internet.ssl import CertificateOptions

from bmgate.domain.account import AccountId
from bmgate.errors import LimitReached
from bmgate.imap.admission import ImapConnections
from bmgate.imap.capabilities import Feature, announced
from bmgate.imap.commands import BARRIERS, CHANGING, carry_out
from bmgate.imap.cursor import BadSyntax
from bmgate.imap.grammar import read_command, read_tag
from bmgate.imap.limits import ImapLimits, reader_limits
from bmgate.imap.ports import ImapServices
from bmgate.imap.reader import CommandReader, RawCommand, Rejected
from bmgate.imap.replies import BAD, Reply, reply_to, tagged
from bmgate.imap.search_keys import BadCharset
from bmgate.imap.session import HangUp, Session
from bmgate.imap.values import Starttls, Tagged
from bmgate.tcp import ServerConnection, Stalled

log = logging.getLogger(__name__)

_READ_AHEAD = 64 * 1024  # octets kept unread before the transport is paused


class ImapConnection(ServerConnection):
    """Reader, queue and session of one client; the `Channel` of its session."""

    def __init__(
        self,
        services: ImapServices,
        limits: ImapLimits,
        connections: "ImapConnections[ImapConnection]",
        starttls: CertificateOptions | None,
        allow_plaintext: bool,
    ) -> None:
        super().__init__(limits.stall_seconds)
        self._services, self._limits, self._connections = services, limits, connections
        self._starttls, self._allow_plaintext = starttls, allow_plaintext
        self.stirred = asyncio.Event()
        self._reader = CommandReader(reader_limits(limits, logged_in=False), self._ask)
        self._queue: deque[tuple[Tagged | Rejected, int]] = deque()
        self._queued_octets = 0
        self._is_barred = False
        self.session = Session(self, services, limits, allow_plaintext)

    # -- what Twisted calls

    def connectionMade(self) -> None:  # noqa: N802
        """Greet, or refuse one too many."""
        transport = self._transport
        transport.setTcpNoDelay(True)
        self._outgoing.begin(transport)
        self.source = self._limits.source or str(getattr(transport.getPeer(), "host", ""))
        if not self._connections.has_room(self):
            self.shut_down("Too many connections")
            return
        self._connections.members.add(self)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._limits.login_seconds, self.shut_down, "Too slow to log in")
        self._task = loop.create_task(self._run())
        self._task.add_done_callback(self._ended)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """Bytes of the client."""
        if self._is_closing:
            return
        self._reader.feed(data)
        self._take_in()
        self.stirred.set()

    # -- the channel of the session

    @property
    def account(self) -> AccountId | None:
        """Who is logged in."""
        return self.session.account_id

    @property
    def can_start_tls(self) -> bool:
        """Whether STARTTLS may be given."""
        return self._starttls is not None and not self.is_secure

    @property
    def has_input(self) -> bool:
        """Whether octets wait behind the command that runs."""
        return self._reader.buffered > 0

    async def drain(self) -> None:
        """Send what was written, at the pace of the client, and wait until there is room for more."""
        try:
            await self._outgoing.drain()
        except Stalled as error:
            self._transport.abortConnection()
            raise HangUp("Nothing is read") from error

    def take_line(self) -> bytes | None:
        """The next continuation line, None when it has not come."""
        line = self._reader.next_line()
        self._throttle()
        if isinstance(line, Rejected):
            raise HangUp("Line too long")
        return line

    def admit(self, account: AccountId) -> asyncio.Lock:
        """The client has logged in: it may send more at once, and has time."""
        if not self._connections.has_room_for_login(account):
            raise LimitReached("too many connections of this account")
        self._reader.limits = reader_limits(self._limits, logged_in=True)
        self._cancel_timer()
        return self._connections.body_search(account)

    # -- taking in

    def _ask(self) -> None:
        self._transport.write(b"+ OK\r\n")

    def _take_in(self) -> None:
        """Move whole commands from the reader to the queue, as long as they may be read."""
        while self._has_room:
            raw = self._reader.next_command()
            if raw is None:
                break
            item = raw if isinstance(raw, Rejected) else _read(raw, Feature.UTF8 in self.session.enabled)
            size = raw.size if isinstance(raw, RawCommand) else 0
            self._queue.append((item, size))
            self._queued_octets += size
            self._is_barred = isinstance(item, Tagged) and isinstance(item.command, BARRIERS)
        self._throttle()

    @property
    def _has_room(self) -> bool:
        limits = self._limits
        is_full = len(self._queue) >= limits.queued_commands or self._queued_octets > limits.queued_octets
        return not (self._is_barred or is_full or self._is_closing)

    def _throttle(self) -> None:
        """Pause a client that is ahead of us by more than a command or so."""
        self._pause(not self._has_room and self._reader.buffered > _READ_AHEAD)

    # -- carrying out

    async def _run(self) -> None:
        try:
            self.write(b"* OK [CAPABILITY " + announced(self.session) + b"] IMAP4rev1 ready\r\n")
            await self.drain()
            while not (self.session.is_over or self._is_closing):
                item, size = await self._next_item()
                await self._answer(item)
                await self.drain()
                self._queued_octets -= size
                self._take_in()
            self._close()
        except HangUp as bye:
            self.shut_down(str(bye))

    async def _next_item(self) -> tuple[Tagged | Rejected, int]:
        while not self._queue:
            self.stirred.clear()
            try:
                async with asyncio.timeout(self._limits.inactive_seconds):
                    await self.stirred.wait()
            except TimeoutError as error:
                raise HangUp("Inactive for too long") from error
        return self._queue.popleft()

    async def _answer(self, item: Tagged | Rejected) -> None:
        if isinstance(item, Rejected):
            self.write(tagged(item.tag, Reply(item.word, item.code, item.text.decode("ascii"))))
            if item.fatal:
                raise HangUp("Refused")
            if item.word == BAD:
                self.session.count_bad_command()
            return
        self._is_changing = isinstance(item.command, CHANGING)
        is_done = await carry_out(self.session, item)
        self._is_changing = False
        if isinstance(item.command, BARRIERS):
            if is_done and isinstance(item.command, Starttls):
                await self._begin_tls()
            self._is_barred = False

    async def _begin_tls(self) -> None:
        """Go over to TLS and forget what was known before; whatever came in clear meanwhile ends it (F1, I11)."""
        await self.drain()
        if self.has_input or self._starttls is None:
            raise HangUp("Octets behind STARTTLS")
        self._reader.clear()
        self._queue.clear()
        self._transport.startTLS(self._starttls)

    # -- the end

    def shut_down(self, text: str) -> None:
        """Say BYE and close."""
        self.write(b"* BYE " + text.encode("ascii", "replace") + b"\r\n")
        self._close()

    def _forget(self) -> None:
        self.session.deselect()
        super()._forget()

    def _left(self) -> None:
        self._connections.members.discard(self)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A bug of ours ends the session, with its traceback in the log."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("a session failed", exc_info=error)
            self.shut_down("Internal error")
        self._leave()


def _read(raw: RawCommand, utf8: bool) -> Tagged | Rejected:
    """The command, or what to say of its grammar."""
    try:
        return read_command(raw, utf8)
    except (BadSyntax, BadCharset) as error:
        reply = reply_to(error)
        return Rejected(read_tag(raw), reply.word, reply.code, reply.text.encode("ascii"), fatal=False)
