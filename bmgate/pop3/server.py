"""The POP3 connections of one or more listeners: plain with STLS, or TLS from the first octet (RFC 8314)."""

from twisted.internet.interfaces import IAddress
from twisted.internet.ssl import CertificateOptions

from bmgate.pop3.connection import Pop3Connection
from bmgate.pop3.limits import Pop3Limits
from bmgate.pop3.ports import Pop3Services
from bmgate.tcp.connections import Connections
from bmgate.tcp.factory import DoorFactory


class Pop3Factory(DoorFactory[Pop3Connection]):
    """`starttls` is what STLS uses on listeners without TLS; `allow_plaintext` admits passwords without it, which is
    for loopback.
    """

    def __init__(
        self,
        services: Pop3Services,
        limits: Pop3Limits,
        starttls: CertificateOptions | None = None,
        allow_plaintext: bool = False,
    ) -> None:
        self._services, self._limits = services, limits
        self._starttls, self._allow_plaintext = starttls, allow_plaintext
        self.connections = Connections(limits.connections, limits.connections_per_source)

    def buildProtocol(self, addr: IAddress | None) -> Pop3Connection:  # noqa: N802
        """A connection for one client."""
        return Pop3Connection(self._services, self._limits, self.connections, self._starttls, self._allow_plaintext)
