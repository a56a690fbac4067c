"""Listeners of the doors on Twisted, and their TLS (RFC 8314)."""

import asyncio
from pathlib import Path
from typing import cast

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates
from OpenSSL.crypto import X509, PKey
from twisted.internet.defer import maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IReactorSSL, IReactorTCP
from twisted.internet.protocol import ServerFactory
from twisted.internet.ssl import CertificateOptions, TLSVersion

from bmgate.errors import CannotListen


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
