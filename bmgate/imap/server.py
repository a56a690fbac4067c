"""What IMAP listeners have in common: their connections, how they begin and end."""

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory
from twisted.internet.ssl import CertificateOptions

from bmgate.imap.admission import ImapConnections
from bmgate.imap.connection import ImapConnection
from bmgate.imap.limits import ImapLimits
from bmgate.imap.ports import ImapServices
from bmgate.tcp import CLOSE_SECONDS, all_set


class ImapFactory(ServerFactory):
    """Makes the connections of one or more listeners and ends them together.

    `starttls` is what STARTTLS uses on listeners without TLS; `allow_plaintext` admits passwords without it, which is
    for loopback.
    """

    noisy = False

    def __init__(
        self,
        services: ImapServices,
        limits: ImapLimits,
        starttls: CertificateOptions | None = None,
        allow_plaintext: bool = False,
    ) -> None:
        self._services, self._limits = services, limits
        self._starttls, self._allow_plaintext = starttls, allow_plaintext
        self.connections: ImapConnections[ImapConnection] = ImapConnections(limits)

    def buildProtocol(self, addr: IAddress | None) -> ImapConnection:  # noqa: N802
        """A connection for one client."""
        return ImapConnection(self._services, self._limits, self.connections, self._starttls, self._allow_plaintext)

    async def stop(self) -> None:
        """Say BYE to everyone and wait until they are gone, a second at most."""
        members = tuple(self.connections.members)
        for member in members:
            member.shut_down("Server shutting down")
        await all_set([member.closed for member in members], CLOSE_SECONDS + 1)
