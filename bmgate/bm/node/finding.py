"""Finding peers: calls whom `outbound` chooses, asks the bootstrap when nobody is known, and passes addresses on.

Carries out what `outbound`, `gossip` and `bootstrap` decide.
"""

import logging
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

from bmgate.bm.handshake import Ending
from bmgate.bm.node.bans import Bans
from bmgate.bm.node.bootstrap import NAMES, NODES, SOURCE, Need
from bmgate.bm.node.connectors import Connector
from bmgate.bm.node.dialing import Dialer
from bmgate.bm.node.gossip import Gossip
from bmgate.bm.node.known_nodes import KnownNodes
from bmgate.bm.node.outbound import ANCHORS, Attempt, Held, Outbound
from bmgate.bm.node.peer import PeerProtocol
from bmgate.bm.node.pool import TRADING, Connection, Kind, Pool
from bmgate.bm.node.settings import NodeSettings
from bmgate.bm.node.targets import PeerTarget
from bmgate.bm.peer_events import PeersLearned
from bmgate.domain.ports.world import Clock

log = logging.getLogger(__name__)

SEED_SECONDS = 60.0  # a name we asked for peers may take so long
SEEN_SECONDS = 600.0  # between two notes that a peer is still there


class Finding:
    """The node's search for others. `spawn` starts a task that ends with the node."""

    def __init__(
        self,
        settings: NodeSettings,
        pool: Pool,
        bans: Bans,
        connector: Connector,
        dialer: Dialer,
        clock: Clock,
        random: Random,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._settings, self._pool, self._bans, self._connector = settings, pool, bans, connector
        self._dialer, self._clock, self._spawn = dialer, clock, spawn
        self.known = KnownNodes(random)
        self._outbound = Outbound(settings.network, self.known, random, settings.outbound, self._may_dial)
        self._gossip = Gossip(settings.network, self.known, random, self._is_dialable, settings.lan)
        self._need = Need()
        self._own_hosts = {listen.host for listen in settings.listen}
        self._seen_at = 0.0

    def start(self) -> None:
        """The known nodes are loaded: begin."""
        self._outbound.start()

    def tick(self, say: Callable[[Connection], PeerProtocol]) -> None:
        """Make the calls that are due, and pass on what is."""
        now, unix_now = self._clock.monotonic(), self._clock.now()
        if now - self._seen_at >= SEEN_SECONDS:
            self._seen_at = now
            self.note_who_is_there()
        for peer, addr in self._gossip.relays(now, unix_now):
            if peer in self._pool:
                say(self._pool[peer]).say([addr])
        if self._settings.finds_peers:
            self._find(now, unix_now)

    def add_own_host(self, host: str) -> None:
        """A name or address of this node: it is neither called nor believed to be somebody else (P13)."""
        self._own_hosts.add(host)

    # --- what peers do ---

    def established(self, peer: PeerProtocol, connection: Connection) -> None:
        """The handshake was done."""
        unix_now = self._clock.now()
        if connection.target is not None:
            self._outbound.established(connection.target, unix_now)
        if connection.kind is Kind.FEELER:
            self._gossip.reached(connection.target or PeerTarget(connection.host, connection.port))
            peer.hang_up(Ending.DONE, "it is there")
        elif self._settings.gossips:
            self._begin_talk(peer, connection, unix_now)

    def heard(self, peer: PeerProtocol, connection: Connection, addresses: PeersLearned) -> bool:
        """Addresses from a peer; False when it tells too many."""
        if not self._settings.gossips:
            return True
        now, unix_now = self._clock.monotonic(), self._clock.now()
        is_decent = self._gossip.hear(peer.id, addresses.peers, now, unix_now)
        if connection.kind is Kind.SEED:
            peer.hang_up(Ending.DONE, "it told us of others")
        return is_decent

    def hinted(self, target: PeerTarget) -> None:
        """An object names a node; anybody could have written it."""
        if self._settings.gossips and self._gossip.is_possible(target):
            self.known.hear(target, "objects", self._clock.now(), self._clock.now())

    def found_near(self, target: PeerTarget) -> None:
        """A node of the local network says that it is there."""
        if self._gossip.is_possible(target) and target not in self.known:
            log.info("node %s is found in the local network", target)
            self.known.hear(target, "local network", self._clock.now(), self._clock.now())

    def ended(self, peer: PeerProtocol, connection: Connection, ending: Ending) -> None:
        """A connection is over, established or not."""
        self._gossip.closed(peer.id)
        if connection.target is not None and ending is Ending.SELF:
            self._outbound.is_ourselves(connection.target)
        elif connection.established and connection.kind is Kind.OUTBOUND and connection.target is not None:
            self.known.seen(connection.target, self._clock.now())

    def note_who_is_there(self) -> None:
        """Nodes we are connected to were seen now; those for longest are the next run's anchors."""
        now = self._clock.now()
        there = [
            (each.since, each.target)
            for each in self._pool
            if each.kind is Kind.OUTBOUND and each.established and each.target is not None
        ]
        for _, target in there:
            self.known.seen(target, now)
        if there:
            self.known.keep_anchors({target for _, target in sorted(there, key=lambda each: each[0])[:ANCHORS]})

    def _begin_talk(self, peer: PeerProtocol, connection: Connection, unix_now: int) -> None:
        chosen = not connection.inbound
        told = self._gossip.established(peer.id, connection.host, chosen, self._clock.monotonic(), unix_now)
        if connection.kind in TRADING:
            peer.say(told)
        version = connection.version
        if connection.kind is Kind.OUTBOUND and connection.target is not None:
            self._gossip.reached(connection.target)
        elif connection.inbound and version is not None and not self._pool.is_proxy(connection.host):
            self._gossip.introduced(PeerTarget(connection.host, version.sender.port), unix_now)

    # --- calls ---

    def _find(self, now: float, unix_now: int) -> None:
        held = [Held(each.host, each.kind, each.established) for each in self._pool]
        for attempt in self._outbound.attempts(held, now, unix_now):
            self._spawn(self._call(attempt))
        is_connected = any(each.established and each.kind is not Kind.INBOUND for each in held)
        if self._settings.bootstraps and self._need.is_due(len(self.known) > 0, is_connected, now):
            self._spawn(self._bootstrap())

    async def _call(self, attempt: Attempt) -> None:
        ending: Ending | None = Ending.STOPPED
        was_established = False
        try:
            peer = await self._dialer.call(attempt.target, attempt.kind)
            ending = None if peer is None else await peer.closed
            was_established = peer is not None and peer.was_established
        finally:
            self._outbound.ended(attempt, ending, was_established, self._is_online())

    async def _bootstrap(self) -> None:
        log.info("no node is known or answers: asking the bootstrap")
        now = self._clock.now()
        for node in NODES:
            if self._is_dialable(node):
                self.known.hear(node, SOURCE, now, now)
        for name in NAMES:
            try:
                found = await self._connector.resolve(name.host, name.port)
            except (OSError, TimeoutError) as error:
                log.info("bootstrap: %s: %s", name.host, error or "no answer")
                continue
            for node in found:
                if self._gossip.is_possible(node):
                    self.known.hear(node, name.host, now, now)
            if not found and self._connector.reaches(name.host):
                self._spawn(self._ask_seed(name))

    async def _ask_seed(self, name: PeerTarget) -> None:
        """Behind a proxy a name is dialled as it is, for the addresses its node tells."""
        peer = await self._dialer.call(name, Kind.SEED)
        if peer is not None and not peer.closed.done():
            await self._clock.sleep(SEED_SECONDS)
            if not peer.closed.done():
                peer.hang_up(Ending.DONE, "it told us of nobody")

    def _is_online(self) -> bool:
        """Whether anybody whom we called is there: else an attempt that failed says nothing about its target."""
        return any(each.established and not each.inbound for each in self._pool)

    def _may_dial(self, host: str) -> bool:
        is_other = host not in self._own_hosts and self._connector.reaches(host)
        return is_other and not self._bans.is_refused(host, self._clock.now())

    def _is_dialable(self, target: PeerTarget) -> bool:
        if target.host in self._own_hosts or self._outbound.is_own(target):
            return False
        return self._connector.reaches(target.host)
