"""Who may be connected to us, and nobody twice.

Answers questions about the table of connections; opens none. Hosts are IP addresses as text, full ones: on a loopback
network each node has its own 127.x.y.z. Rules P4 (without eviction) and P14.
"""

import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bmgate.bm.commands import VersionCommand
from bmgate.bm.handshake import MYSELF, SERVER_FULL, Ending, Refusal
from bmgate.bm.network import NetworkParameters
from bmgate.bm.node.download import PeerId
from bmgate.domain.sources import source_group

DAY_SECONDS = 86_400
MAX_NOTES = 1_000


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Numbers of inbound connections."""

    inbound: int = 128
    per_host: int = 2  # IPv6: per /64
    per_group: int = 8  # IPv4: per /16, IPv6: per /32


@dataclass(slots=True)
class Connection:
    """One row of the table: who it is, and what we told it."""

    id: PeerId
    host: str
    port: int  # the socket's; where the peer listens stands in its version
    own_host: str
    inbound: bool
    nonce: bytes  # in our version
    since: int  # Unix seconds
    hang_up: Callable[[Ending, str], None]
    version: VersionCommand | None = None  # admitted
    established: bool = False
    tls: bool = False


class DayNotes:
    """Names remembered for a day, at most `MAX_NOTES` of them, the oldest out. `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def add(self, name: str, now: float) -> None:
        self._until.pop(name, None)
        self._until[name] = now + DAY_SECONDS
        if len(self._until) > MAX_NOTES:
            del self._until[next(iter(self._until))]

    def has(self, name: str, now: float) -> bool:
        return self._until.get(name, now) > now


class Pool:
    """The table of connections. Hosts in `exempt` are known to the operator and have no limits."""

    def __init__(
        self,
        network: NetworkParameters,
        lan: bool,
        limits: PoolLimits = PoolLimits(),
    ) -> None:
        self._network, self._lan, self._limits = network, lan, limits
        self._connections: dict[PeerId, Connection] = {}
        self.exempt: set[str] = set()
        self.discouraged = DayNotes()

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._connections.values()))

    def __getitem__(self, peer: PeerId) -> Connection:
        return self._connections[peer]

    def add(self, connection: Connection) -> None:
        self._connections[connection.id] = connection

    def remove(self, peer: PeerId) -> None:
        self._connections.pop(peer, None)

    def is_connected(self, host: str) -> bool:
        """In either direction, established or not: such a host is not dialled."""
        return any(connection.host == host for connection in self._connections.values())

    def may_accept(self, host: str, now: float) -> bool:
        """Whether a new inbound connection from this host has room (P4); `now` is monotonic seconds."""
        if self.is_exempt(host):
            return True
        if self.discouraged.has(host, now):
            return False
        inbound = [connection.host for connection in self._connections.values() if connection.inbound]
        if len(inbound) >= self._limits.inbound:
            return False
        if not self._network.limits_groups:
            return True
        same_host = sum(source_group(other) == source_group(host) for other in inbound)
        same_group = sum(network_group(other) == network_group(host) for other in inbound)
        return same_host < self._limits.per_host and same_group < self._limits.per_group

    def is_exempt(self, host: str) -> bool:
        """Explicit peers have no limits, in LAN mode private and loopback addresses neither."""
        return host in self.exempt or (self._lan and ipaddress.ip_address(host).is_private)

    def admit(self, peer: PeerId, version: VersionCommand) -> Refusal | None:
        """Whether the node that says `version` may stay: it is not ourselves, nor connected already (P14)."""
        connection = self._connections[peer]
        if any(other.nonce == version.nonce for other in self):
            self._end_call_to_ourselves(connection, version)
            return Refusal(Ending.SELF, MYSELF)
        for other in self._others_of_host(connection):
            if self._is_same_node(connection, version, other) and not self._gives_way(other, connection):
                return Refusal(Ending.DUPLICATE, SERVER_FULL)
        connection.version = version
        return None

    def _end_call_to_ourselves(self, called: Connection, version: VersionCommand) -> None:
        """The calling end, which hears a mere refusal, learns why; a stranger who repeats our nonce is not believed."""
        for caller in self:
            if caller.nonce == version.nonce and (caller.own_host, caller.host) == (called.host, called.own_host):
                caller.hang_up(Ending.SELF, MYSELF)

    def _others_of_host(self, connection: Connection) -> list[Connection]:
        return [other for other in self if other.host == connection.host and other.id != connection.id]

    def _is_same_node(self, connection: Connection, version: VersionCommand, other: Connection) -> bool:
        """Two inbound ones may be neighbours behind one address: then the ports they listen on differ."""
        if not connection.inbound and not other.inbound:
            return True
        if connection.inbound and other.inbound:
            return other.version is not None and other.version.sender.port == version.sender.port
        return not other.inbound or other.version is not None

    def _gives_way(self, other: Connection, newcomer: Connection) -> bool:
        """Two nodes dialled each other at once: what the higher address began stays, so that both judge alike."""
        if other.inbound or other.established or not newcomer.inbound or newcomer.host <= newcomer.own_host:
            return False
        other.hang_up(Ending.DUPLICATE, "the peer's own connection is kept")
        return True


def network_group(host: str) -> str:
    """What counts as one network: IPv4 /16, IPv6 /32."""
    address = ipaddress.ip_address(host)
    bits = 16 if address.version == 4 else 32
    return str(ipaddress.ip_network((address, bits), strict=False))
