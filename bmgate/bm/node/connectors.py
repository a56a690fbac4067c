"""How connections to peers are opened: the one place through which the node reaches out.

Nothing else in this folder opens an outgoing connection or looks up a name, so that a node behind a proxy contacts
nothing but the proxy (V18). Which connector a node has is chosen from its settings by whoever makes it.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from socket import SOCK_STREAM
from typing import Protocol

from bmgate.bm.hosts import Reach, reach_of
from bmgate.bm.node.peer import PeerProtocol
from bmgate.bm.node.targets import PeerTarget as PeerTarget

DIAL_SECONDS = 30.0


class Connector(Protocol):
    """A way to peers. Answers without I/O, except where it says `async`."""

    def reaches(self, host: str) -> bool:
        """Whether such a host may be dialled at all: an IP address, a name, x.onion, x.b32.i2p."""
        ...

    def is_direct(self, host: str) -> bool:
        """Whether the socket's own names are the peer's and ours. Otherwise there is a proxy in between: the peer is
        called what it was dialled as, and the handshake may take 60 s (P3).
        """
        ...

    async def resolve(self, name: str, port: int) -> list[PeerTarget]:
        """The addresses of a name; none where names are left to the proxy, and are to be dialled as they are. Raises
        OSError.
        """
        ...

    async def connect(self, target: PeerTarget, new_peer: Callable[[], PeerProtocol]) -> PeerProtocol:
        """A connection, whose `PeerProtocol` may have begun already; bounded in time. Raises OSError, TimeoutError."""
        ...


class DirectConnector:
    """Straight through the Internet. Other loopback addresses are dialled from `own_loopback`, so that each node of a
    local network is seen under its own.
    """

    def __init__(self, own_loopback: str | None = None) -> None:
        self._own_loopback = own_loopback

    def reaches(self, host: str) -> bool:
        return reach_of(host) is Reach.CLEARNET

    def is_direct(self, host: str) -> bool:
        return True

    async def resolve(self, name: str, port: int) -> list[PeerTarget]:
        async with asyncio.timeout(DIAL_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(name, port, type=SOCK_STREAM)
        return [PeerTarget(str(address[0]), port) for *_, address in found]

    async def connect(self, target: PeerTarget, new_peer: Callable[[], PeerProtocol]) -> PeerProtocol:
        if not self.reaches(target.host):
            raise OSError(f"{target.host} is not on the Internet")
        own = (self._own_loopback, 0) if self._own_loopback and target.host.startswith("127.") else None
        async with asyncio.timeout(DIAL_SECONDS):
            loop = asyncio.get_running_loop()
            _, peer = await loop.create_connection(new_peer, target.host, target.port, local_addr=own)
        return peer


def loopback_of(listen: Sequence[PeerTarget]) -> str | None:
    """The loopback address of a node that listens on one."""
    return next((place.host for place in listen if place.host.startswith("127.")), None)


class Routes:
    """A connector for each network; hosts of a network without one are not reached."""

    def __init__(self, routes: Mapping[Reach, Connector]) -> None:
        self._routes = dict(routes)

    def reaches(self, host: str) -> bool:
        route = self._routes.get(reach_of(host))
        return route is not None and route.reaches(host)

    def is_direct(self, host: str) -> bool:
        route = self._routes.get(reach_of(host))
        return route is not None and route.is_direct(host)

    async def resolve(self, name: str, port: int) -> list[PeerTarget]:
        route = self._routes.get(reach_of(name))
        return [] if route is None else await route.resolve(name, port)

    async def connect(self, target: PeerTarget, new_peer: Callable[[], PeerProtocol]) -> PeerProtocol:
        route = self._routes.get(reach_of(target.host))
        if route is None:
            raise OSError(f"{target.host} is in a network that is not in reach")
        return await route.connect(target, new_peer)
