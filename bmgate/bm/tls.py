"""The anonymous TLS that two Bitmessage peers may agree on, as a layer over bytes.

TLS_ECDH_anon_WITH_AES_256_CBC_SHA on secp256k1, TLS 1.0 to 1.2, without certificates: it keeps a passive observer out
and authenticates nobody. Nothing here touches a socket: `ssl` works on memory buffers, and the conversation alone knows
at which byte TLS begins. Source: protocol specification v3, section "TLS upgrade". These contexts serve peers only.
"""

import ssl
import warnings
from dataclasses import dataclass

from bmgate.errors import ProtocolError

CIPHERS = "AECDH-AES256-SHA:@SECLEVEL=0"
CURVE = "secp256k1"
_READ_SIZE = 65_536


class BadTls(ProtocolError):
    """The TLS handshake failed, a record was broken, or the peer closed its TLS side."""


@dataclass(frozen=True, slots=True)
class Passed:
    """What one step of TLS yields: bytes for the wire, and what the peer said in clear."""

    wire: bytes
    plain: bytes


def peer_context(server_side: bool) -> ssl.SSLContext:
    """A context for peers; raises `ssl.SSLError` or `ValueError` where the linked OpenSSL lacks cipher or curve."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with warnings.catch_warnings():  # peers of the last decade know nothing newer than TLS 1.0
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_SINGLE_ECDH_USE
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_ciphers(CIPHERS)
    context.set_ecdh_curve(CURVE)
    return context


class TlsLayer:
    """One side of a TLS connection: bytes in, bytes out."""

    def __init__(self, context: ssl.SSLContext, server_side: bool) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=server_side)
        self.established = False

    def receive(self, data: bytes) -> Passed:
        """Takes bytes from the wire (none at all to start a handshake); raises BadTls."""
        self._incoming.write(data)
        try:
            if not self.established:
                self._tls.do_handshake()
                self.established = True
            return Passed(plain=self._read(), wire=self._outgoing.read())
        except ssl.SSLWantReadError:
            return Passed(plain=b"", wire=self._outgoing.read())
        except (ssl.SSLError, ValueError) as error:
            raise BadTls(f"TLS: {type(error).__name__} {error}") from error

    def seal(self, plain: bytes) -> bytes:
        """The TLS records that carry `plain`, which is not empty; only after the handshake. Raises BadTls."""
        try:
            self._tls.write(plain)
        except ssl.SSLError as error:
            raise BadTls(f"TLS: {type(error).__name__} {error}") from error
        return self._outgoing.read()

    def _read(self) -> bytes:
        """Everything readable; what came before the peer's closure is handed over before the closure is raised."""
        plain = bytearray()
        try:
            while chunk := self._tls.read(_READ_SIZE):
                plain += chunk
        except ssl.SSLWantReadError:
            return bytes(plain)
        except ssl.SSLZeroReturnError:
            if not plain:
                raise
        return bytes(plain)


def tls_works() -> bool:
    """Whether the linked OpenSSL can talk to peers: one handshake in memory and some bytes each way."""
    try:
        client = TlsLayer(peer_context(server_side=False), server_side=False)
        server = TlsLayer(peer_context(server_side=True), server_side=True)
        wire = client.receive(b"").wire
        for _ in range(4):
            wire = client.receive(server.receive(wire).wire).wire
        ping, pong = server.receive(client.seal(b"ping")), client.receive(server.seal(b"pong"))
    except (ssl.SSLError, ValueError, BadTls):
        return False
    return (ping.plain, pong.plain) == (b"ping", b"pong")
