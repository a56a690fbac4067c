"""The method table over a gateway, for the control socket and for commands that work without one."""

import sqlite3
from ipaddress import ip_address
from typing import TYPE_CHECKING

from bmgate import __version__
from bmgate.app import Gateway
from bmgate.bm.hosts import is_address, is_i2p, is_onion
from bmgate.bm.node.targets import PeerTarget
from bmgate.config.values import parse_host_port
from bmgate.control.account_methods import AccountMethods
from bmgate.control.address_methods import AddressMethods, AddressValues, AliasMethods
from bmgate.control.chan_methods import ChanMethods, SubscriptionMethods
from bmgate.control.contact_methods import ContactMethods
from bmgate.control.methods import Family, Methods
from bmgate.control.moving_methods import MovingMethods
from bmgate.domain.peers import Standing
from bmgate.errors import NotAllowed
from bmgate.metrics.server import MetricsServer
from bmgate.services.accounts.aliasing import Aliasing
from bmgate.services.accounts.provisioning import Provisioning
from bmgate.services.chans.options import ChanOptions
from bmgate.services.status import Build, LoopLag, NodeView, Status

if TYPE_CHECKING:
    from bmgate.api.server import ApiServer


class NodePeers:
    """The `Peers` of the methods, over the node of a gateway that is `serving` or not."""

    def __init__(self, gateway: Gateway, serving: bool) -> None:
        self._gateway, self._serving = gateway, serving

    def view(self) -> NodeView | None:
        """The node, while it runs."""
        return self._gateway.node if self._serving else None

    def add(self, peer: str) -> None:
        """Stay connected to it until the gateway stops; raises NotAllowed."""
        try:
            target = parse_host_port(peer)
        except ValueError as error:
            raise NotAllowed(str(error)) from error
        self._gateway.node.add_peer(PeerTarget(target.host, target.port or self._gateway.network.port))

    async def ban(self, host: str, seconds: int | None) -> Standing:
        """For ever, or a while; raises NotAllowed."""
        if seconds is not None and seconds <= 0:
            raise NotAllowed("a ban lasts at least a second")
        return await self._gateway.node.ban(_host(host), seconds)

    async def unban(self, host: str) -> bool:
        """Whether anything was held against it; raises NotAllowed."""
        return await self._gateway.node.unban(_host(host))


def _host(text: str) -> str:
    """A host as the node calls it; a source such as `bmgate peers banned` lists is one too. Raises NotAllowed."""
    host = text.strip().lower()
    address = host.removesuffix("/64")
    if is_address(address):
        return str(ip_address(address))
    if is_onion(host) or is_i2p(host):
        return host
    raise NotAllowed(f"{text!r} is no IP address and no .onion or .i2p name")


def methods_of(gateway: Gateway, lag: LoopLag, serving: bool) -> Methods:
    """The method table over a gateway, `serving` or opened for one command."""
    peers = NodePeers(gateway, serving)
    return Methods(
        gateway.accounts,
        gateway.queue,
        peers,
        _status(gateway, peers, lag),
        _families(gateway),
    )


def _families(gateway: Gateway) -> tuple[Family, ...]:
    domain, identities = gateway.config.gateway.domain, gateway.identities
    values = AddressValues(domain, identities.difficulty_of)
    provisioning = Provisioning(gateway.database, gateway.clock, gateway.accounts, identities)
    return (
        AccountMethods(gateway.accounts, gateway.options, provisioning, values),
        AddressMethods(identities, values),
        AliasMethods(identities, Aliasing(gateway.database, gateway.clock, identities), values),
        ChanMethods(gateway.chans, ChanOptions(gateway.database, gateway.policies), domain),
        SubscriptionMethods(gateway.subscriptions, domain),
        ContactMethods(gateway.contacts, domain),
        MovingMethods(gateway.imports, gateway.exports),
    )


def metrics_of(gateway: Gateway, lag: LoopLag) -> MetricsServer | None:
    """The figures of a gateway that serves; None where they are off, and then their library is not imported."""
    if gateway.config.metrics.listener is None:
        return None
    from bmgate.metrics.figures import exposition

    status = _status(gateway, NodePeers(gateway, serving=True), lag)

    async def expose() -> bytes:
        return exposition(await status.report(), gateway.node.peers(), gateway.receiving.trials)

    return MetricsServer(expose)


def api_of(gateway: Gateway) -> "ApiServer | None":
    """The API of a gateway that serves; None where it is off, and then its libraries are not imported."""
    section = gateway.config.api
    if section.port is None:
        return None
    from bmgate.api.server import ApiServer
    from bmgate.cli.api import services_of

    services = services_of(gateway, NodePeers(gateway, serving=True).view)
    return ApiServer(gateway.accounts, services, section.variant, section.connections, gateway.clock)


def _status(gateway: Gateway, peers: NodePeers, lag: LoopLag) -> Status:
    database = gateway.folder.database
    build = Build(
        version=__version__,
        network=gateway.network.name,
        domain=gateway.config.gateway.domain,
        backend=gateway.kernels,
        sqlite=sqlite3.sqlite_version,
        data=gateway.folder.path,
        wal=database.with_name(database.name + "-wal"),
    )
    return Status(
        build,
        gateway.database,
        gateway.clock,
        gateway.solver,
        peers.view,
        lambda: gateway.listeners,
        lag,
        gateway.disk,
        lambda: gateway.imports.running,
    )
