"""One TCP connection to an IMAP client: bytes in and out, one command at a time (RFC 9051 section 5.5).

Commands wait in a bounded queue; when it is full, or a command stands before it behind which nothing may be read, the
transport is paused. Writes are joined, and a client that does not read is waited for, then dropped (I7); so is one that
announced large mail, for which room is kept, and does not bring it.
"""

import asyncio
from collections import deque
from functools import partial
from typing import NamedTuple

from twisted.internet.ssl import CertificateOptions

from bmgate.domain.account import AccountId
from bmgate.domain.ports.spool import Spool
from bmgate.errors import GatewayError, LimitReached, OverQuota
from bmgate.imap.admission import ImapConnections
from bmgate.imap.commands import carry_out
from bmgate.imap.cursor import BadSyntax
from bmgate.imap.extension import Dialect, Tagged
from bmgate.imap.features import Feature
from bmgate.imap.grammar import read_command, read_tag
from bmgate.imap.limits import ImapLimits, reader_limits
from bmgate.imap.ports import ImapServices
from bmgate.imap.reader import Announced, CommandReader, RawCommand, Rejected
from bmgate.imap.replies import BAD, Reply, reply_to, tagged
from bmgate.imap.search_keys import BadCharset
from bmgate.imap.session import Session
from bmgate.imap.values import Append, Starttls
from bmgate.tcp.channel import HangUp
from bmgate.tcp.connection import ServerConnection
from bmgate.tcp.incoming import Pace

_READ_AHEAD = 64 * 1024  # octets kept unread before the transport is paused


class _Waiting(NamedTuple):
    """What is to be answered, the octets it holds in memory, and the spool that holds the others."""

    item: Tagged | Rejected | Announced
    size: int = 0
    spool: Spool | None = None


class ImapConnection(ServerConnection):
    """Reader, queue and session of one client; the `Channel` of its session."""

    def __init__(
        self,
        services: ImapServices,
        limits: ImapLimits,
        dialect: Dialect,
        connections: "ImapConnections[ImapConnection]",
        starttls: CertificateOptions | None,
        allow_plaintext: bool,
    ) -> None:
        super().__init__(limits, starttls)
        self._services, self._limits, self._dialect, self._connections = services, limits, dialect, connections
        self.stirred = asyncio.Event()
        self._reader = CommandReader(reader_limits(limits, logged_in=False), self._ask)
        self._queue: deque[_Waiting] = deque()
        self._spool: Spool | None = None  # of the command that comes in
        self._pace: Pace | None = None  # of the octets for it
        self._queued_octets = 0
        self._is_barred = False
        self.session = Session(self, services, limits, dialect.announcements, allow_plaintext)

    # -- what Twisted calls

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """Bytes of the client."""
        if self._is_closing:
            return
        if self._pace is not None:
            self._pace.brought(len(data))
        self._reader.feed(data)
        self._take_in()
        self.stirred.set()

    # -- the channel of the session

    @property
    def account(self) -> AccountId | None:
        """Who is logged in."""
        return self.session.account_id

    @property
    def has_input(self) -> bool:
        """Whether octets wait behind the command that runs."""
        return self._reader.buffered > 0

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
            waiting = _Waiting(raw) if isinstance(raw, Announced) else self._waiting(raw)
            self._queue.append(waiting)
            self._queued_octets += waiting.size
            self._is_barred = _bars(waiting.item)
        self._throttle()

    def _waiting(self, raw: RawCommand | Rejected) -> _Waiting:
        """A command with the spool that came along, which only APPEND has a use for."""
        spool = self._take_spool()
        item = raw if isinstance(raw, Rejected) else _read(raw, self._dialect, Feature.UTF8 in self.session.enabled)
        if spool is not None and not (isinstance(item, Tagged) and isinstance(item.command, Append)):
            spool.close()
            spool = None
        return _Waiting(item, raw.size if isinstance(raw, RawCommand) else 0, spool)

    def _take_spool(self) -> Spool | None:
        """The spool of the command that came in; the next one has another."""
        if self._pace is not None:
            self._pace.count(False)
        spool, self._spool, self._pace = self._spool, None, None
        return spool

    def _take_in_again(self) -> None:
        """The disk has caught up."""
        if not self._is_closing:
            self._take_in()
            self.stirred.set()

    @property
    def _has_room(self) -> bool:
        limits = self._limits
        is_full = len(self._queue) >= limits.queued_commands or self._queued_octets > limits.queued_octets
        is_behind = self._spool is not None and self._spool.is_behind
        return not (self._is_barred or is_full or is_behind or self._is_closing)

    def _throttle(self) -> None:
        """Pause a client that is ahead of us by more than a command or so."""
        has_room = self._has_room
        self._pause(not has_room and self._reader.buffered > _READ_AHEAD)
        if self._pace is not None:
            self._pace.count(has_room)

    # -- carrying out

    async def _run(self) -> None:
        try:
            self.write(b"* OK [CAPABILITY " + self.session.capabilities + b"] IMAP4rev1 ready\r\n")
            await self.drain()
            while not (self.session.is_over or self._is_closing):
                waiting = await self._next_item()
                await self._answer(waiting)
                await self.drain()
                self._queued_octets -= waiting.size
                self._take_in()
            self._close()
        except HangUp as bye:
            self.shut_down(str(bye))

    async def _next_item(self) -> _Waiting:
        while not self._queue:
            self.stirred.clear()
            try:
                async with asyncio.timeout(self._limits.inactive_seconds):
                    await self.stirred.wait()
            except TimeoutError as error:
                raise HangUp("Inactive for too long") from error
        return self._queue.popleft()

    async def _answer(self, waiting: _Waiting) -> None:
        item = waiting.item
        if isinstance(item, Announced):
            await self._admit_mail(item.size)
            return
        if isinstance(item, Rejected):
            self.write(tagged(item.tag, Reply(item.word, item.code, item.text.decode("ascii"))))
            if item.fatal:
                raise HangUp("Refused")
            if item.word == BAD:
                self.session.count_bad_command()
            return
        self._is_changing = item.verb.is_changing
        is_done = await self._carry_out(item, waiting.spool)
        self._is_changing = False
        if item.verb.is_barrier:
            if is_done and isinstance(item.command, Starttls):
                await self._begin_tls("STARTTLS")
            self._is_barred = False

    async def _carry_out(self, item: Tagged, spool: Spool | None) -> bool:
        if spool is None:
            return await carry_out(self.session, item)
        try:
            await spool.settled()
            return await carry_out(self.session, item)
        except GatewayError as error:
            self.write(tagged(item.tag, reply_to(error)))
            return False
        finally:
            spool.close()

    async def _admit_mail(self, size: int) -> None:
        """Let mail come that is too large for memory, or refuse it before it does (I2)."""
        try:
            spool = self._spool = self._spool or self._services.spools.open(self.session.account, self._take_in_again)
            used, quota = await self._services.mailboxes.quota(self.session.account)
            if quota is not None and used + spool.reserved + size > quota:
                raise OverQuota(f"no room for another {size} bytes: the quota is {quota}")
            spool.reserve(size)
            self._pace = self._pace or self._new_pace()
            self._reader.accept(spool)
        except GatewayError as error:
            reply = reply_to(error)
            self._reader.refuse(reply.word, reply.code, reply.text.encode("ascii"))
            left = self._take_spool()
            if left is not None:
                left.close()
        self._is_barred = False

    def _new_pace(self) -> Pace:
        """Room is kept for a client only while it brings what it announced."""
        limits, too_slow = self._limits, partial(self.shut_down, "Too slow with a large mail")
        return Pace(asyncio.get_running_loop(), limits.mail_rate, limits.mail_grace_seconds, too_slow)

    def _forget_clear_text(self) -> None:
        self._reader.clear()
        self._queue.clear()

    # -- the end

    def shut_down(self, text: str) -> None:
        """Say BYE and close."""
        self.write(b"* BYE " + text.encode("ascii", "replace") + b"\r\n")
        self._close()

    def _forget(self) -> None:
        self.session.deselect()
        if self._pace is not None:
            self._pace.count(False)
        super()._forget()

    def _enter(self) -> bool:
        return self._connections.enter(self)

    def _left(self) -> None:
        self._connections.members.discard(self)
        for spool in (self._spool, *(waiting.spool for waiting in self._queue)):
            if spool is not None:
                spool.close()


def _bars(item: Tagged | Rejected | Announced) -> bool:
    """Whether nothing behind it is read before it is answered."""
    return isinstance(item, Announced) or (isinstance(item, Tagged) and item.verb.is_barrier)


def _read(raw: RawCommand, dialect: Dialect, utf8: bool) -> Tagged | Rejected:
    """The command, or what to say of its grammar."""
    try:
        return read_command(raw, dialect, utf8)
    except (BadSyntax, BadCharset) as error:
        reply = reply_to(error)
        return Rejected(read_tag(raw), reply.word, reply.code, reply.text.encode("ascii"), fatal=False)
