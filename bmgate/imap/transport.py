"""Twisted's transport as a connection uses it, and when it takes more."""

import asyncio
from typing import Protocol

from twisted.internet.interfaces import IPushProducer
from twisted.internet.ssl import CertificateOptions
from zope.interface import implementer


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
