"""Octets on their way out of a door on Twisted, and when its transport takes more."""

import asyncio
from collections import deque
from typing import Protocol

from twisted.internet.interfaces import IPushProducer
from twisted.internet.ssl import CertificateOptions
from zope.interface import implementer

_PORTION = 256 * 1024  # octets given to the transport at once, where they are copied by TLS (I7)


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
