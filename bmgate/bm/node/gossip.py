"""Addresses of nodes: which of those that peers tell are taken, and which are told to whom (P13).

Taken: routable, of our stream, seen within three hours, and no more than an honest peer tells. Told: only nodes we were
connected to ourselves, a sample after the handshake and single ones to two peers each as we reach them. The sample is
drawn once an hour, so that whoever connects again and again learns no more of our table.
Source: protocol specification v3, "addr"; PyBitmessage shares 500 of the last three hours; Bitcoin Core's rates.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from bmgate.bm.commands import AddrCommand, PeerAddress, Services
from bmgate.bm.hosts import Reach, reach_of
from bmgate.bm.network import STREAM, NetworkParameters
from bmgate.bm.node.download import PeerId
from bmgate.bm.node.known_nodes import FRESH_SECONDS, KnownNodes
from bmgate.bm.node.targets import REFUSED_PORTS, PeerTarget, ip_of, is_private, is_public, network_group
from bmgate.domain.peers import KnownPeer

MAX_SHARED = 500
SAMPLE_SECONDS = 3_600.0
WORTH_HIDING = 20  # fewer nodes are told as they are
SECONDS_PER_ADDRESS = 10.0
FIRST_ADDRESSES = 1_000  # at once, of a peer we chose; others have to be patient
FIRST_ADDRESSES_OF_STRANGERS = 10
SECONDS_PER_PACKET = 10.0
PACKETS_AT_ONCE = 60
FUTURE_SECONDS = 600  # a clock that is a little ahead is believed
RELAYED_TO = 2
RELAY_SECONDS = 30.0  # what was reached meanwhile shares a packet
MAX_REMEMBERED = 2_000  # addresses that one peer knows already


@dataclass(slots=True)
class Bucket:
    """Tokens that come back with time."""

    tokens: float
    most: float
    seconds: float  # for each token
    at: float

    def take(self, now: float) -> bool:
        """Take one, if there is one; `now` is monotonic seconds."""
        self.tokens = min(self.most, self.tokens + (now - self.at) / self.seconds)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass(slots=True)
class _Talker:
    host: str
    group: str
    addresses: Bucket
    packets: Bucket
    knows: dict[PeerTarget, None] = field(default_factory=dict)

    def remember(self, targets: Iterable[PeerTarget]) -> None:
        for target in targets:
            self.knows[target] = None
        while len(self.knows) > MAX_REMEMBERED:
            del self.knows[next(iter(self.knows))]


class Gossip:
    """The talk of established peers. `is_dialable` tells whether we could call there: it is not ourselves, and there is
    a way. `now` is monotonic, `unix_now` Unix seconds.
    """

    def __init__(
        self,
        network: NetworkParameters,
        known: KnownNodes,
        random: Random,
        is_dialable: Callable[[PeerTarget], bool],
        lan: bool = False,
    ) -> None:
        self._network, self._known, self._random, self._lan = network, known, random, lan
        self._is_dialable = is_dialable
        self._talkers: dict[PeerId, _Talker] = {}
        self._sample: tuple[PeerAddress, ...] = ()
        self._sample_until = float("-inf")
        self._to_relay: dict[PeerTarget, None] = {}
        self._relay_at = 0.0

    def established(self, peer: PeerId, host: str, chosen: bool, now: float, unix_now: int) -> list[AddrCommand]:
        """What to tell a peer first; `chosen`: we dialled it."""
        first = FIRST_ADDRESSES if chosen else FIRST_ADDRESSES_OF_STRANGERS
        addresses = Bucket(first, first, SECONDS_PER_ADDRESS, now)
        packets = Bucket(PACKETS_AT_ONCE, PACKETS_AT_ONCE, SECONDS_PER_PACKET, now)
        talker = self._talkers[peer] = _Talker(host, network_group(host), addresses, packets)
        if now >= self._sample_until:
            self._draw_sample(now, unix_now)
        told = tuple(each for each in self._sample if each.host != host)
        talker.remember(PeerTarget(each.host, each.port) for each in told)
        return [AddrCommand(told)] if told else []

    def closed(self, peer: PeerId) -> None:
        self._talkers.pop(peer, None)

    def hear(self, peer: PeerId, addresses: tuple[PeerAddress, ...], now: float, unix_now: int) -> bool:
        """Take what is worth it; False when the peer talks too much."""
        talker = self._talkers.get(peer)
        if talker is None:  # somebody whom nobody asked, or who is being left
            return True
        if not talker.packets.take(now):
            return False
        for address in self._random.sample(addresses, len(addresses)):
            if not talker.addresses.take(now):
                break
            target = PeerTarget(address.host, address.port)
            if self._is_wanted(address, target, unix_now):
                talker.remember([target])
                self._known.hear(target, talker.group, address.time, unix_now)
        return True

    def introduced(self, target: PeerTarget, unix_now: int) -> None:
        """A peer that dialled us says where it listens itself."""
        if self.is_possible(target):
            self._known.hear(target, network_group(target.host), unix_now, unix_now)

    def reached(self, target: PeerTarget) -> None:
        """We were connected to this node: others may hear of it."""
        if self._may_be_told(target.host) and len(self._to_relay) < MAX_SHARED:
            self._to_relay[target] = None

    def relays(self, now: float, unix_now: int) -> list[tuple[PeerId, AddrCommand]]:
        """Whom to tell of what was reached lately."""
        if not self._to_relay or now < self._relay_at:
            return []
        self._relay_at = now + self._random.uniform(0.5, 1.5) * RELAY_SECONDS
        targets, self._to_relay = list(self._to_relay), {}
        told: dict[PeerId, list[PeerAddress]] = {}
        for target in targets:
            if target not in self._known:
                continue
            address = _as_told(self._known[target], unix_now)
            for peer in self._ignorant_of(target):
                told.setdefault(peer, []).append(address)
        return [(peer, AddrCommand(tuple(addresses))) for peer, addresses in told.items()]

    def is_possible(self, target: PeerTarget) -> bool:
        """Whether a node there could be dialled: not ourselves, and public where the network is."""
        if not self._is_dialable(target):
            return False
        if is_public(target):
            return True
        address = ip_of(target.host)
        is_near = address is not None and address.is_private and not address.is_unspecified and not address.is_multicast
        return is_near and target.port not in REFUSED_PORTS and (self._lan or self._network.accepts_private_peers)

    def _is_wanted(self, address: PeerAddress, target: PeerTarget, unix_now: int) -> bool:
        age = unix_now - address.time
        return address.stream == STREAM and -FUTURE_SECONDS < age < FRESH_SECONDS and self.is_possible(target)

    def _ignorant_of(self, target: PeerTarget) -> list[PeerId]:
        """A few peers that need to be told of it; they know it afterwards."""
        peers = [
            peer for peer, talker in self._talkers.items() if target not in talker.knows and talker.host != target.host
        ]
        chosen = self._random.sample(peers, min(RELAYED_TO, len(peers)))
        for peer in chosen:
            self._talkers[peer].remember([target])
        return chosen

    def _may_be_told(self, host: str) -> bool:
        """Not DNS names, nor those of onion services, which are too long, nor who is in our own network."""
        if reach_of(host) is not Reach.CLEARNET or ip_of(host) is None:
            return False
        return self._network.accepts_private_peers or not is_private(host)

    def _draw_sample(self, now: float, unix_now: int) -> None:
        fresh = [_as_told(peer, unix_now) for peer in self._known.fresh(unix_now) if self._may_be_told(peer.host)]
        self._sample = tuple(self._random.sample(fresh, min(MAX_SHARED, len(fresh))))
        if len(fresh) >= WORTH_HIDING:
            self._sample_until = now + SAMPLE_SECONDS


def _as_told(peer: KnownPeer, unix_now: int) -> PeerAddress:
    """PyBitmessage takes only what was seen before its own present."""
    return PeerAddress(min(peer.seen_at, unix_now - 60), STREAM, Services.NETWORK, peer.host, peer.port)
