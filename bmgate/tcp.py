"""TCP as the doors on Twisted use it: listeners, their TLS (RFC 8314), connections, and when these take more."""

import asyncio
from collections.abc import Collection
from pathlib import Path
from typing import Protocol, cast

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates
from OpenSSL.crypto import X509, PKey
from twisted.internet.defer import maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IListeningPort,
    IPushProducer,
    IReactorSSL,
    IReactorTCP,
)
from twisted.internet.protocol import ServerFactory
from twisted.internet.ssl import CertificateOptions, TLSVersion
from zope.interface import implementer

from bmgate.errors import CannotListen


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
