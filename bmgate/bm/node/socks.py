"""Peers behind a SOCKS5 proxy such as Tor's: nothing but the proxy is ever contacted.

Names, also those of the Internet, travel to the proxy as they are. Each connection has credentials of its own, random
ones, which Tor takes as a wish for a circuit of its own (IsolateSOCKSAuth, V14). Source: RFC 1928, RFC 1929.
"""

import asyncio
from collections.abc import Callable, Iterable

from bmgate.bm.hosts import Reach, is_address, is_onion, reach_of
from bmgate.bm.keys import Entropy
from bmgate.bm.node.peer import PeerProtocol
from bmgate.bm.node.targets import PeerTarget

SOCKS_DIAL_SECONDS = 75.0  # a circuit to an onion service takes Tor up to a minute
CREDENTIAL_BYTES = 16
MAX_NAME = 253


class SocksConnector:
    """Peers of the networks in `reach` through `proxy`, which must be an IP address: its name would be looked up."""

    def __init__(
        self, proxy: PeerTarget, reach: Iterable[Reach], entropy: Entropy, dial_seconds: float = SOCKS_DIAL_SECONDS
    ) -> None:
        if not is_address(proxy.host):
            raise ValueError(f"{proxy.host} is no IP address")
        self._proxy, self._reach, self._entropy = proxy, frozenset(reach), entropy
        self._dial_seconds = dial_seconds

    def reaches(self, host: str) -> bool:
        reach = reach_of(host)
        if reach not in self._reach or reach is Reach.I2P:
            return False
        return is_onion(host) if reach is Reach.ONION else 0 < len(host) <= MAX_NAME

    def is_direct(self, host: str) -> bool:
        return False

    async def resolve(self, name: str, port: int) -> list[PeerTarget]:
        return []

    async def connect(self, target: PeerTarget, new_peer: Callable[[], PeerProtocol]) -> PeerProtocol:
        from python_socks import ProxyError, ProxyType
        from python_socks.async_.asyncio import Proxy

        if not self.reaches(target.host):
            raise OSError(f"{target.host} is not reached through the proxy")
        user, password = (self._entropy(CREDENTIAL_BYTES).hex() for _ in range(2))
        proxy = Proxy(ProxyType.SOCKS5, self._proxy.host, self._proxy.port, user, password, rdns=True)
        async with asyncio.timeout(self._dial_seconds):
            try:
                connected = await proxy.connect(target.host, target.port, timeout=self._dial_seconds)
            except (ProxyError, ValueError) as error:  # ValueError: words of the proxy, or a name, that are none
                raise OSError(f"the proxy at {self._proxy} says: {error}") from error
            try:
                _, peer = await asyncio.get_running_loop().create_connection(new_peer, sock=connected)
            except BaseException:
                connected.close()
                raise
        return peer
