"""The life of a connection to a door on Twisted, whatever is spoken on it."""

import asyncio
import logging
from abc import abstractmethod
from enum import StrEnum
from typing import Protocol, cast

from twisted.internet import protocol
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.protocol import connectionDone
from twisted.internet.ssl import CertificateOptions
from twisted.python.failure import Failure

from bmgate.tcp.channel import HangUp
from bmgate.tcp.outgoing import Outgoing, Stalled, Transport

log = logging.getLogger(__name__)

CLOSE_SECONDS = 1.0  # for the last bytes and the TLS farewell


class Farewell(StrEnum):
    """Why a connection ends, where that is no matter of its session."""

    TOO_MANY = "Too many connections"
    TOO_SLOW = "Too slow to log in"
    STOPPING = "Server shutting down"
    FAILED = "Internal error"


class Bounds(Protocol):
    """What each door bounds for a connection; times in seconds."""

    @property
    def source(self) -> str:
        """Of all clients, where a proxy brings them (E10)."""
        ...

    @property
    def login_seconds(self) -> float:
        """From connecting to being logged in."""
        ...

    @property
    def stall_seconds(self) -> float:
        """For a client that does not read what it asked for."""
        ...


class ServerConnection(protocol.Protocol):
    """Output at the pace of the client, one task, and its end; most of a `Channel`.

    A subclass reads in `dataReceived`, answers in its task, and keeps account of who is connected.
    """

    def __init__(self, bounds: Bounds, starttls: CertificateOptions | None) -> None:
        self.source = ""
        self.closed = asyncio.Event()
        self._bounds, self._starttls = bounds, starttls
        self._outgoing = Outgoing(bounds.stall_seconds)
        self._is_connected = True
        self._is_paused = self._is_changing = self._is_closing = False
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None  # of the login, or of activity
        self._abort_timer: asyncio.TimerHandle | None = None

    # -- what Twisted calls

    def connectionMade(self) -> None:  # noqa: N802
        """Begin, or refuse one too many."""
        transport = self._transport
        transport.setTcpNoDelay(True)
        self._outgoing.begin(transport)
        self.source = self._bounds.source or str(getattr(transport.getPeer(), "host", ""))
        if not self._enter():
            self.shut_down(Farewell.TOO_MANY)
            return
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._bounds.login_seconds, self.shut_down, Farewell.TOO_SLOW)
        self._task = loop.create_task(self._run())
        self._task.add_done_callback(self._ended)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        """Nobody is there any more; only a command that changes something is finished."""
        self._is_closing = True
        self._forget()
        if self._abort_timer is not None:
            self._abort_timer.cancel()
        self._is_connected = False
        self._leave()

    # -- the channel of the session

    @property
    def is_secure(self) -> bool:
        """Whether TLS is on."""
        return ISSLTransport.providedBy(self.transport)

    @property
    def can_start_tls(self) -> bool:
        """Whether it can be begun."""
        return self._starttls is not None and not self.is_secure

    @property
    @abstractmethod
    def has_input(self) -> bool:
        """Whether octets wait behind the command that runs."""

    def write(self, data: bytes) -> None:
        """Keep `data` for the next `drain`."""
        self._outgoing.write(data)

    async def drain(self) -> None:
        """Send what was written, at the pace of the client, and wait until there is room for more."""
        try:
            await self._outgoing.drain()
        except Stalled as error:
            self.abort()
            raise HangUp("Nothing is read") from error

    def abort(self) -> None:
        """Close without a word."""
        self._transport.abortConnection()

    # -- what each door does its own way

    @abstractmethod
    def shut_down(self, text: str) -> None:
        """Say why, as far as that can be said now, and close; `text` is a Farewell or that of a HangUp."""

    @abstractmethod
    def _enter(self) -> bool:
        """Be among those connected, if there is room."""

    @abstractmethod
    def _left(self) -> None:
        """It is not among those connected any more."""

    @abstractmethod
    async def _run(self) -> None:
        """Greet, and answer until the end."""

    @abstractmethod
    def _forget_clear_text(self) -> None:
        """What was read without TLS does not count (F1)."""

    # -- what they share

    async def _begin_tls(self, verb: str) -> None:
        """Go over to TLS and forget what was known before; whatever came in clear meanwhile ends it (F1, I11)."""
        await self.drain()
        if self.has_input or self._starttls is None:
            raise HangUp(f"Octets behind {verb}")
        self._forget_clear_text()
        self._transport.startTLS(self._starttls)

    def _pause(self, wanted: bool) -> None:
        """Read on, or not."""
        if wanted == self._is_paused or self._is_closing:
            return
        self._is_paused = wanted
        if wanted:
            self._transport.pauseProducing()
        else:
            self._transport.resumeProducing()

    def _close(self) -> None:
        """Let the last bytes go out, within a second."""
        if self._is_closing:
            return
        self._outgoing.flush()
        self._is_closing = True
        self._forget()
        self._transport.unregisterProducer()
        self._transport.loseConnection()
        self._abort_timer = asyncio.get_running_loop().call_later(CLOSE_SECONDS, self.abort)

    def _forget(self) -> None:
        """Nothing is begun any more, and what only reads is broken off."""
        self._cancel_timer()
        self._outgoing.end()
        if self._task is not None and self._task is not asyncio.current_task() and not self._is_changing:
            self._task.cancel()

    def _leave(self) -> None:
        """Nothing is left when the transport is gone and the last command has ended."""
        if not self._is_connected and (self._task is None or self._task.done()):
            self._left()
            self.closed.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A bug of ours ends the session, with its traceback in the log."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("a session failed", exc_info=error)
            self._is_changing = False
            self.shut_down(Farewell.FAILED)
        self._leave()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    @property
    def _transport(self) -> Transport:
        return cast(Transport, self.transport)
