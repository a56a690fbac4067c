"""Who may be connected to us, and nobody twice.

Answers questions about the table of connections; opens none. Hosts are IP addresses as text, full ones: on a loopback
network each node has its own 127.x.y.z; behind a proxy a peer is called what it was dialled as. Rules P4 and P14.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from bmgate.bm.commands import VersionCommand
from bmgate.bm.handshake import MYSELF, SERVER_FULL, Ending, Refusal
from bmgate.bm.network import NetworkParameters
from bmgate.bm.node.bans import Bans
from bmgate.bm.node.download import PeerId
from bmgate.bm.node.eviction import Candidate, choose_victim
from bmgate.bm.node.targets import PeerTarget, is_private, network_group
from bmgate.domain.peers import Standing
from bmgate.domain.sources import source_group
from bmgate.units import DAY

MAX_NOTES = 1_000
MAX_LEAVING = 32  # inbound ones sent away whose sockets are not closed yet: till then nobody takes their places


class Kind(StrEnum):
    """Why there is a connection. Feelers and seeds end with the handshake, or the first addresses."""

    INBOUND = "inbound"
    EXPLICIT = "explicit"  # the operator named it
    OUTBOUND = "outbound"  # we chose it
    FEELER = "feeler"  # is it there?
    SEED = "seed"  # whom does it know?


TRADING = frozenset({Kind.INBOUND, Kind.EXPLICIT, Kind.OUTBOUND})


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
    kind: Kind
    nonce: bytes  # in our version
    since: int  # Unix seconds
    hang_up: Callable[[Ending, str], None]
    opened_at: float = 0.0  # monotonic seconds
    target: PeerTarget | None = None  # as we dialled it
    version: VersionCommand | None = None  # admitted
    established: bool = False
    tls: bool = False
    latency: float | None = None  # seconds the handshake took
    useful_at: float = 0.0  # monotonic seconds of the last object it was first to bring
    leaving: bool = False
    source: str = field(init=False)
    standing: Standing = field(init=False)  # what is held against this connection alone

    def __post_init__(self) -> None:
        self.source = source_group(self.host)
        self.standing = Standing(self.source)

    @property
    def inbound(self) -> bool:
        return self.kind is Kind.INBOUND


class DayNotes:
    """Names remembered for a day, at most `MAX_NOTES` of them, the oldest out. `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def add(self, name: str, now: float) -> None:
        self._until.pop(name, None)
        self._until[name] = now + DAY
        if len(self._until) > MAX_NOTES:
            del self._until[next(iter(self._until))]

    def has(self, name: str, now: float) -> bool:
        return self._until.get(name, now) > now


class Pool:
    """The table of connections. Hosts in `exempt` are known to the operator and have no limits; connections that come
    from one of `proxies` (where those of anonymous networks arrive) are told apart by nothing.
    `key` is secret.
    """

    def __init__(
        self,
        network: NetworkParameters,
        lan: bool,
        bans: Bans,
        key: bytes,
        limits: PoolLimits = PoolLimits(),
        proxies: Collection[str] = (),
    ) -> None:
        self._network, self._lan, self._bans, self._key, self._limits = network, lan, bans, key, limits
        self._proxies = frozenset(proxies)
        self._connections: dict[PeerId, Connection] = {}
        self.exempt: set[str] = set()

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._connections.values()))

    def __getitem__(self, peer: PeerId) -> Connection:
        return self._connections[peer]

    def __contains__(self, peer: PeerId) -> bool:
        return peer in self._connections

    def add(self, connection: Connection) -> None:
        self._connections[connection.id] = connection

    def remove(self, peer: PeerId) -> None:
        self._connections.pop(peer, None)

    def is_connected(self, host: str) -> bool:
        """In either direction, established or not: such a host is not dialled."""
        return any(connection.host == host for connection in self._connections.values())

    def may_accept(self, host: str, unix_now: int) -> bool:
        """Whether a new inbound connection from this host has room, if need be after sending another away (P4)."""
        if self._bans.is_banned(host, unix_now):
            return False
        if self.is_exempt(host):
            return True
        if self._bans.is_refused(host, unix_now):
            return False
        inbound = [each for each in self._connections.values() if each.inbound and not each.leaving]
        if not self._has_room_for(host, inbound):
            return False
        return len(inbound) < self._limits.inbound or self._make_room(inbound)

    def is_exempt(self, host: str) -> bool:
        """Explicit peers have no limits, in LAN mode private and loopback addresses neither."""
        return host in self.exempt or (self._lan and is_private(host))

    def is_proxy(self, host: str) -> bool:
        """Whether peers of an anonymous network arrive from there: what one does is not held against all."""
        return host in self._proxies

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

    def hang_up_on(self, is_meant: Callable[[Connection], bool], ending: Ending, detail: str) -> int:
        """End all such connections; how many there were."""
        meant = [connection for connection in self if is_meant(connection)]
        for connection in meant:
            connection.hang_up(ending, detail)
        return len(meant)

    # --- room ---

    def _has_room_for(self, host: str, inbound: list[Connection]) -> bool:
        if not self._network.limits_groups or self.is_proxy(host):
            return True
        source, group = source_group(host), network_group(host)
        same_host = sum(other.source == source for other in inbound)
        same_group = sum(network_group(other.host) == group for other in inbound)
        return same_host < self._limits.per_host and same_group < self._limits.per_group

    def _make_room(self, inbound: list[Connection]) -> bool:
        leaving = sum(connection.leaving for connection in self._connections.values())
        candidates = [
            Candidate(each.id, each.host, each.opened_at, each.latency, each.useful_at)
            for each in inbound
            if not self.is_exempt(each.host)
        ]
        victim = choose_victim(candidates, self._key)
        if victim is None or leaving >= MAX_LEAVING:
            return False
        connection = self._connections[victim]
        connection.leaving = True
        connection.hang_up(Ending.EVICTED, "its place is given to another")
        return True

    # --- duplicates ---

    def _end_call_to_ourselves(self, called: Connection, version: VersionCommand) -> None:
        """The calling end, which hears a mere refusal, learns why; a stranger who repeats our nonce is not believed."""
        for caller in self:
            if caller.nonce == version.nonce and (caller.own_host, caller.host) == (called.host, called.own_host):
                caller.hang_up(Ending.SELF, MYSELF)

    def _others_of_host(self, connection: Connection) -> list[Connection]:
        if self.is_proxy(connection.host):
            return []
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
