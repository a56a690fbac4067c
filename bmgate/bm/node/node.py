"""The live Bitmessage node: listens, finds and calls peers, hands objects in and out, and stops cleanly.

Puts together what the other modules of this folder decide. Knows no mail and no keys.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Collection, Coroutine
from contextlib import suppress
from random import Random
from typing import Any

from bmgate.bm.acceptance import Verdict
from bmgate.bm.handshake import Ending
from bmgate.bm.hashes import InventoryVector
from bmgate.bm.keys import Entropy
from bmgate.bm.node.bans import Bans, Offence
from bmgate.bm.node.connections import ConnectionHooks, Connections, PeerInfo
from bmgate.bm.node.connections import Trace as Trace
from bmgate.bm.node.connections import not_traced as not_traced
from bmgate.bm.node.connectors import Connector, DirectConnector, loopback_of
from bmgate.bm.node.dialing import Dialer
from bmgate.bm.node.exchange import Exchange, always
from bmgate.bm.node.finding import Finding
from bmgate.bm.node.inventory import Inventory
from bmgate.bm.node.lan import NOBODY, LanDiscovery
from bmgate.bm.node.peer import PeerProtocol
from bmgate.bm.node.peer_clocks import ClockWatch
from bmgate.bm.node.peer_memory import PeerMemory
from bmgate.bm.node.pool import TRADING, Connection, Kind, Pool
from bmgate.bm.node.settings import NodeSettings as NodeSettings
from bmgate.bm.node.state import NodeState, PeerNews
from bmgate.bm.node.targets import PeerTarget
from bmgate.bm.objects import BitmessageObject
from bmgate.bm.peer_events import PeerEvent, PeersLearned
from bmgate.domain.peers import Standing
from bmgate.domain.ports.database import Database
from bmgate.domain.ports.world import Clock

log = logging.getLogger(__name__)

STOP_SECONDS = 1.0
MAX_NEWS = 1_000  # that one listener has not heard yet
CROWD_SECONDS = 60.0  # between two log lines that count refused connections


class Node:
    """One node; fulfils the `Announcer` port.

    `received` is called in the loop with objects that have just been stored and are to be processed. `random` is one
    that peers cannot guess. Without a `connector` peers are called straight through the Internet. While the disk
    `has_room` no more, no objects are fetched.
    """

    def __init__(
        self,
        settings: NodeSettings,
        database: Database,
        clock: Clock,
        entropy: Entropy,
        random: Random,
        received: Callable[[list[BitmessageObject]], None],
        trace: Trace = not_traced,
        connector: Connector | None = None,
        has_room: Callable[[], bool] = always,
    ) -> None:
        self._settings, self._clock = settings, clock
        connector = self._connector = connector or DirectConnector(loopback_of(settings.listen))
        self._bans = Bans()
        self._pool = Pool(settings.network, settings.lan, self._bans, entropy(32), settings.pool, settings.proxies)
        hooks = ConnectionHooks(self._established, self._said, self._ended)
        self._connections = Connections(settings, self._pool, self._bans, connector, clock, entropy, trace, hooks)
        self._dialer = Dialer(connector, clock, random, settings.backoff, self._connections.outgoing, self._is_free)
        self._finding = Finding(settings, self._pool, self._bans, connector, self._dialer, clock, random, self._spawn)
        self._memory = PeerMemory(database, self._finding.known, self._bans, clock)
        self._exchange = Exchange(
            settings.network,
            settings.exchange,
            Inventory(database, clock, settings.exchange.inventory_limit),
            clock,
            random,
            self._spawn,
            received,
            self._complain,
            self._finding.hinted,
            lambda: len(self._finding.known),
            has_room,
            lambda: not self._watch.is_far_off,
        )
        self._watch = ClockWatch(clock, self.announce)
        self._dialled: set[PeerTarget] = set()
        self._servers: list[asyncio.Server] = []
        self._group: asyncio.TaskGroup | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._listeners: list[asyncio.Queue[PeerNews]] = []

    # --- life ---

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Load the inventory and what is known of others, listen, dial; the node's tasks are `group`'s until `stop`."""
        self._group = group
        await self._memory.load()
        self._connections.open()
        await self._exchange.start()
        await self._listen()
        self._finding.start()
        self._spawn(self._tick())
        self._spawn(self._tell_of_crowds())
        self._spawn(self._memory.run())
        if self._settings.lan and self._settings.finds_peers and self._connector.is_direct(NOBODY):
            self._look_around()
        for target in self._settings.peers:
            self.add_peer(target)

    async def stop(self) -> None:
        """Close everything within `STOP_SECONDS`; what is stored stays stored."""
        if self._group is None:
            return
        self._finding.note_who_is_there()
        self._group = None
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        waiting: list[asyncio.Future[Any]] = [*self._tasks, *self._connections.close()]
        if waiting:
            await asyncio.wait(waiting, timeout=STOP_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self._memory.save()

    # --- what others ask of the node ---

    @property
    def listening(self) -> tuple[PeerTarget, ...]:
        """The addresses and ports actually bound."""
        names = [bound.getsockname() for server in self._servers for bound in server.sockets]
        return tuple(PeerTarget(host, port) for host, port, *_ in names)

    def add_peer(self, target: PeerTarget) -> None:
        """Stay connected to this peer from now on."""
        if target not in self._dialled:
            self._dialled.add(target)
            self._pool.exempt.add(target.host)
            self._spawn(self._dialer.stay_connected(target))

    def accept(self, host: str) -> PeerProtocol:
        """Our end of a connection that a proxy brings us from `host`, a name of an anonymous network."""
        return self._connections.incoming(host)

    def add_own_host(self, host: str) -> None:
        """A name under which this node is reached: it never calls itself there."""
        self._finding.add_own_host(host)

    def announce(self, vectors: Collection[InventoryVector]) -> None:
        """Tell peers of own objects that stand in the database: after a random delay, by way of a stem.

        While our clock is far from everybody's that waits: nobody would take them (D6).
        """
        if self._watch.is_far_off:
            self._watch.hold_back(vectors)
        elif self._group is not None:  # else we are stopping, and the next start announces what is due
            self._spawn(self._exchange.announce_own(vectors))

    def peers(self) -> list[PeerInfo]:
        """Every connection, oldest first."""
        return self._connections.infos()

    async def ban(self, host: str, seconds: int | None = None) -> Standing:
        """Refuse this host, for ever or a while, and end its connections; outlives a restart."""
        standing = self._bans.ban(host, self._clock.now(), seconds)
        self._connections.hang_up_on_refused()
        await self._memory.save()
        return standing

    async def unban(self, host: str) -> bool:
        """Forget all that is held against this host; whether there was anything."""
        was_there = self._bans.unban(host)
        await self._memory.save()
        return was_there

    def banned(self) -> list[Standing]:
        """Who is refused now, by the operator or for what it did."""
        return self._bans.refused(self._clock.now())

    async def news(self) -> AsyncGenerator[PeerNews, None]:
        """What happens to connections from now on; whoever listens slowly misses some."""
        queue: asyncio.Queue[PeerNews] = asyncio.Queue(MAX_NEWS)
        self._listeners.append(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.remove(queue)

    @property
    def state(self) -> NodeState:
        known, (bytes_in, bytes_out) = self._finding.known, self._connections.bytes_in_and_out
        exchange = self._exchange.state
        banned = len(self.banned())
        return NodeState(len(known), known.tried_count, banned, bytes_in, bytes_out, self._watch.offset, exchange)

    # --- connections ---

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for listen in self._settings.listen:
            server = await loop.create_server(self._connections.incoming, listen.host, listen.port)
            self._servers.append(server)
        for bound in self.listening:
            log.info("Bitmessage node listens on %s", bound)
        told = [bound.port for bound in self.listening if not self._pool.is_proxy(bound.host)]
        if told:  # the port behind a proxy is ours alone: it would link our connections (V18)
            self._connections.listening_port = told[0]

    def _look_around(self) -> None:
        """Find nodes of the local network, and be found where we listen."""
        for bound in self.listening:
            if ":" not in bound.host and not self._pool.is_proxy(bound.host):
                broadcast = self._settings.lan_broadcast
                near = LanDiscovery(self._settings.network, bound, broadcast, self._clock, self._finding.found_near)
                self._spawn(near.run())
                return

    def _is_free(self, host: str) -> bool:
        return not self._pool.is_connected(host) and not self._bans.is_banned(host, self._clock.now())

    def _established(self, peer: PeerProtocol, connection: Connection) -> None:
        self._watch.listen(connection, peer.conversation)
        if connection.kind in TRADING:
            self._exchange.established(peer, outbound=not connection.inbound)
        self._finding.established(peer, connection)
        if connection.kind is not Kind.FEELER:
            self._tell("established", connection, "TLS" if connection.tls else "in clear")

    def _said(self, peer: PeerProtocol, connection: Connection, event: PeerEvent) -> None:
        if isinstance(event, PeersLearned):
            if not self._finding.heard(peer, connection, event):
                self._connections.charge(connection, Offence.FLOOD)
        elif connection.kind in TRADING:
            self._exchange.handle(peer, event)

    def _ended(self, peer: PeerProtocol, connection: Connection, ending: Ending, detail: str) -> None:
        if not connection.established:
            self._watch.listen(connection, peer.conversation)
        self._exchange.closed(peer)
        self._finding.ended(peer, connection, ending)
        if connection.established and connection.kind is not Kind.FEELER:
            self._tell("closed", connection, f"{ending.name}: {detail}")

    def _complain(self, peer: PeerProtocol, verdict: Verdict) -> None:
        offence = Offence.BAD_WORK if verdict is Verdict.TOO_LITTLE_WORK else Offence.BAD_OBJECT
        self._connections.charge(self._pool[peer.id], offence)

    def _tell(self, event: str, connection: Connection, detail: str) -> None:
        news = PeerNews(self._clock.now(), event, connection.host, connection.port, connection.kind.value, detail)
        for listener in self._listeners:
            if not listener.full():
                listener.put_nowait(news)

    # --- tasks ---

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(self._settings.tick_seconds)
            self._watch.tick()
            self._connections.tick()
            self._exchange.tick()
            self._finding.tick(self._connections.protocol)

    async def _tell_of_crowds(self) -> None:
        """However many connections we refuse, the log grows by one line a minute."""
        while True:
            await self._clock.sleep(CROWD_SECONDS)
            if self._connections.not_let_in:
                log.info("%d connections were not let in: too many, or banned", self._connections.not_let_in)
                self._connections.not_let_in = 0

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        assert self._group is not None
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
