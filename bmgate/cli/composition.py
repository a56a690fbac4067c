"""The method table over a gateway, for the control socket and for commands that work without one."""

import sqlite3

from bmgate import __version__
from bmgate.app import Gateway
from bmgate.bm.node.dialing import PeerTarget
from bmgate.config.values import parse_host_port
from bmgate.control.methods import Methods
from bmgate.errors import NotAllowed
from bmgate.services.status import Build, LoopLag, NodeView, Status


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


def methods_of(gateway: Gateway, lag: LoopLag, serving: bool) -> Methods:
    """The method table over a gateway, `serving` or opened for one command."""
    peers = NodePeers(gateway, serving)
    return Methods(
        gateway.accounts,
        gateway.identities,
        gateway.queue,
        peers,
        _status(gateway, peers, lag),
        gateway.config.gateway.domain,
    )


def _status(gateway: Gateway, peers: NodePeers, lag: LoopLag) -> Status:
    database = gateway.folder.database
    build = Build(
        version=__version__,
        network=gateway.network.name,
        domain=gateway.config.gateway.domain,
        backend=f"pow={gateway.backend.name}",
        sqlite=sqlite3.sqlite_version,
        data=gateway.folder.path,
        wal=database.with_name(database.name + "-wal"),
    )
    return Status(build, gateway.database, gateway.clock, gateway.solver, peers.view, lambda: gateway.listeners, lag)
