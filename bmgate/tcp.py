"""TCP as the doors on Twisted use it: listeners, their TLS (RFC 8314), connections, and when these take more."""

import asyncio
from abc import abstractmethod
from collections import deque
from collections.abc import Collection
from pathlib import Path
from typing import Generic, Protocol, TypeVar, cast

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates
from OpenSSL.crypto import X509, PKey
from twisted.internet import protocol
from twisted.internet.defer import maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IListeningPort,
    IPushProducer,
    IReactorSSL,
    IReactorTCP,
    ISSLTransport,
)
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.internet.ssl import CertificateOptions, TLSVersion
from twisted.python.failure import Failure
from zope.interface import implementer

from bmgate.domain.sources import source_group
from bmgate.errors import CannotListen

_PORTION = 256 * 1024  # octets given to the transport at once, where they are copied by TLS (I7)
CLOSE_SECONDS = 1.0  # for the last bytes and the TLS farewell


class Transport(Protocol):
    """What we use of Twisted's TCP transport, with and without TLS."""

    def write(self, data: bytes) -> None: ...
    def setTcpNoDelay(self, enabled: bool) -> None: ...  # noqa: N802
    def getPeer(self) -> object: ...  # noqa: N802
    def registerProducer(self, producer: object, streaming: bool) -> None: ...  # noqa: N802
    def unregisterProducer(self) -> None: ...  # noqa: N802
    def pauseProducing(self) -> None: ...  # noqa: N802
    def resumeProducing(self) -> None: ...  # noqa: N802
    def loseConnection(self) -> None: ...  # noqa: N802
    def abortConnection(self) -> None: ...  # noqa: N802
    def startTLS(self, options: CertificateOptions) -> None: ...  # noqa: N802


@implementer(IPushProducer)
class WriteGate:
    """Open while the transport takes more."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()

    @property
    def is_open(self) -> bool:
        """Whether there is room."""
        return self._open.is_set()

    async def wait(self) -> None:
        """Until there is room."""
        await self._open.wait()

    def pauseProducing(self) -> None:  # noqa: N802
        """The send buffer is full."""
        self._open.clear()

    def resumeProducing(self) -> None:  # noqa: N802
        """It is empty again."""
        self._open.set()

    def stopProducing(self) -> None:  # noqa: N802
        """The connection is gone: nobody shall wait for it."""
        self._open.set()


class Member(Protocol):
    """A connection, as far as it is counted."""

    @property
    def source(self) -> str:
        """The client's IP address."""
        ...


M = TypeVar("M", bound=Member)


class Connections(Generic[M]):
    """Who is connected, and who may be (I8)."""

    def __init__(self, most: int, most_per_source: int) -> None:
        self._most, self._most_per_source = most, most_per_source
        self.members: set[M] = set()

    def has_room(self, newcomer: M) -> bool:
        """Whether one more may stay."""
        group = source_group(newcomer.source)
        same = sum(self.counts(member) and source_group(member.source) == group for member in self.members)
        return same < self._most_per_source and len(self.members) < self._most

    def counts(self, member: M) -> bool:
        """Whether it counts against its source."""
        return True


class Stalled(Exception):
    """A client that does not read what it asked for."""


class Outgoing:
    """Octets on their way to a client, given to its transport at the pace of the client (I7)."""

    def __init__(self, stall_seconds: float) -> None:
        self._stall_seconds, self._gate = stall_seconds, WriteGate()
        self._pieces: deque[bytes | memoryview] = deque()
        self._transport: Transport | None = None
        self.pending = 0  # octets that the transport has not got

    def begin(self, transport: Transport) -> None:
        """Write there, and be told when it has enough."""
        self._transport = transport
        transport.registerProducer(self._gate, True)

    def end(self) -> None:
        """Nobody shall wait any more."""
        self._gate.stopProducing()

    def write(self, data: bytes) -> None:
        """Keep `data` for the next `drain` or `flush`."""
        self._pieces.append(data)
        self.pending += len(data)

    async def drain(self) -> None:
        """Send all of it and wait until there is room for more; raises Stalled."""
        while self._pieces or not self._gate.is_open:
            self.flush(_PORTION)
            if not self._gate.is_open:
                await self._wait_for_room()

    async def _wait_for_room(self) -> None:
        try:
            async with asyncio.timeout(self._stall_seconds):
                await self._gate.wait()
        except TimeoutError as error:
            raise Stalled from error

    def flush(self, limit: int | None = None) -> None:
        """Give at most `limit` octets to the transport."""
        portion: list[bytes | memoryview] = []
        room = self.pending if limit is None else limit
        while self._pieces and room > 0:
            piece = self._pieces.popleft()
            if len(piece) > room:
                self._pieces.appendleft(memoryview(piece)[room:])
                piece = memoryview(piece)[:room]
            portion.append(piece)
            room -= len(piece)
        if portion and self._transport is not None:
            data = b"".join(portion)
            self.pending -= len(data)
            self._transport.write(data)


class ServerConnection(protocol.Protocol):
    """The life of one connection, whatever is spoken on it: output at the pace of the client, one task, and its end.

    A subclass greets in `connectionMade`, reads in `dataReceived`, and keeps account of who is connected.
    """

    def __init__(self, stall_seconds: float) -> None:
        self.source = ""
        self.closed = asyncio.Event()
        self._outgoing = Outgoing(stall_seconds)
        self._is_connected = True
        self._is_paused = self._is_changing = self._is_closing = False
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None  # of the login, or of activity
        self._abort_timer: asyncio.TimerHandle | None = None

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        """Nobody is there any more; only a command that changes something is finished."""
        self._is_closing = True
        self._forget()
        if self._abort_timer is not None:
            self._abort_timer.cancel()
        self._is_connected = False
        self._leave()

    @property
    def is_secure(self) -> bool:
        """Whether TLS is on."""
        return ISSLTransport.providedBy(self.transport)

    def write(self, data: bytes) -> None:
        """Keep `data` for the next `drain`."""
        self._outgoing.write(data)

    def abort(self) -> None:
        """Close without a word."""
        self._transport.abortConnection()

    @abstractmethod
    def _left(self) -> None:
        """It is not among those connected any more."""

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

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    @property
    def _transport(self) -> Transport:
        return cast(Transport, self.transport)


def listen(
    reactor: object,
    section: str,
    interface: str,
    port: int,
    factory: ServerFactory,
    tls_context: CertificateOptions | None,
) -> IListeningPort:
    """Listen on `interface`; with `tls_context` TLS begins at once. Port 0 takes a free one.

    Raises CannotListen, which names the `section` of the settings.
    """
    try:
        if tls_context is None:
            return IReactorTCP(reactor).listenTCP(port, factory, interface=interface)
        return IReactorSSL(reactor).listenSSL(port, factory, tls_context, interface=interface)
    except CannotListenError as error:
        reason = getattr(error.socketError, "strerror", None) or error.socketError
        raise CannotListen(
            f"[{section}] cannot listen on {interface}, port {port}: {reason}; stop what uses it, or set another port"
        ) from error


async def close(port: IListeningPort) -> None:
    """Stop listening; connections stay."""
    await maybeDeferred(port.stopListening).asFuture(asyncio.get_running_loop())


async def all_set(events: Collection[asyncio.Event], seconds: float) -> None:
    """Until each of these has come, or so much time is over."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    if not waiting:
        return
    _, late = await asyncio.wait(waiting, timeout=seconds)
    for task in late:
        task.cancel()


def tls_options(key_path: Path, chain_path: Path) -> CertificateOptions:
    """TLS 1.2 and later with a PEM key and a PEM chain, own certificate first. Raises CannotListen."""
    try:
        key = load_pem_private_key(key_path.read_bytes(), password=None)
        certificate, *chain = load_pem_x509_certificates(chain_path.read_bytes())
    except (OSError, ValueError, TypeError) as error:  # TypeError: the key has a password
        raise CannotListen(f"the certificate {chain_path} with the key {key_path} cannot be used: {error}") from error
    return CertificateOptions(  # Twisted's annotations still name the pyOpenSSL types that pyOpenSSL has deprecated
        privateKey=cast(PKey, key),
        certificate=cast(X509, certificate),
        extraCertChain=cast(list[X509], chain),
        raiseMinimumTo=TLSVersion.TLSv1_2,
    )
