"""The IMAP connections of one or more listeners: plain with STARTTLS, or TLS from the first octet (RFC 8314)."""

from collections.abc import Iterable

from twisted.internet.interfaces import IAddress
from twisted.internet.ssl import CertificateOptions

from bmgate.imap.admission import ImapConnections
from bmgate.imap.capabilities import EXTENSIONS
from bmgate.imap.connection import ImapConnection
from bmgate.imap.extension import Dialect, Extension
from bmgate.imap.limits import ImapLimits
from bmgate.imap.ports import ImapServices
from bmgate.tcp.factory import DoorFactory


class ImapFactory(DoorFactory[ImapConnection]):
    """`starttls` is what STARTTLS uses on listeners without TLS; `allow_plaintext` admits passwords without it, which
    is for loopback.
    """

    connections: ImapConnections[ImapConnection]

    def __init__(
        self,
        services: ImapServices,
        limits: ImapLimits,
        starttls: CertificateOptions | None = None,
        allow_plaintext: bool = False,
        extensions: Iterable[Extension] = EXTENSIONS,
    ) -> None:
        self._services, self._limits, self._dialect = services, limits, Dialect(extensions)
        self._starttls, self._allow_plaintext = starttls, allow_plaintext
        self.connections = ImapConnections(limits)

    def buildProtocol(self, addr: IAddress | None) -> ImapConnection:  # noqa: N802
        """A connection for one client."""
        return ImapConnection(
            self._services, self._limits, self._dialect, self.connections, self._starttls, self._allow_plaintext
        )
