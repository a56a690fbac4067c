"""The live Bitmessage node among peers it was told of: listens, dials, hands objects in and out, and stops cleanly.

Puts together what the other modules of this folder decide. Knows no mail and no keys. Finding peers by itself is left
out: no bootstrap, no gossip.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from bmgate import __version__
from bmgate.bm.commands import NONCE_SIZE, PROTOCOL_VERSION, Command, NetAddress, Services, VersionCommand
from bmgate.bm.conversation import Conversation, Deadlines, Direction
from bmgate.bm.handshake import Ending
from bmgate.bm.hashes import InventoryVector
from bmgate.bm.keys import Entropy
from bmgate.bm.network import STREAM, NetworkParameters
from bmgate.bm.node.dialing import Backoff, Dialer, PeerTarget
from bmgate.bm.node.download import PeerId
from bmgate.bm.node.exchange import Exchange, ExchangeSettings
from bmgate.bm.node.inventory import Inventory
from bmgate.bm.node.peer import PeerHooks, PeerProtocol
from bmgate.bm.node.pool import Connection, DayNotes, Pool, PoolLimits
from bmgate.bm.objects import BitmessageObject
from bmgate.bm.peer_events import Established, PeerEvent, PeersLearned
from bmgate.bm.tls import peer_context, tls_works
from bmgate.domain.ports.database import Database
from bmgate.domain.ports.world import Clock
from bmgate.domain.sources import source_group

log = logging.getLogger(__name__)

USER_AGENT = f"/bmgate:{'.'.join(__version__.split('.')[:2])}/".encode()
STOP_SECONDS = 1.0
CROWD_SECONDS = 60.0  # between two log lines that count refused connections
DISCOURAGED = "too many objects without their work"

Trace = Callable[[str, Direction, Command], None]


def not_traced(peer: str, direction: Direction, command: Command) -> None:
    """The trace of a node nobody watches."""


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """`listen`: none for no inbound connections, port 0 for a free one."""

    network: NetworkParameters
    listen: tuple[PeerTarget, ...]
    peers: tuple[PeerTarget, ...] = ()
    lan: bool = False
    tls_inbound: bool = False
    exchange: ExchangeSettings = field(default_factory=ExchangeSettings)
    pool: PoolLimits = field(default_factory=PoolLimits)
    deadlines: Deadlines = field(default_factory=Deadlines)
    backoff: Backoff = field(default_factory=Backoff)
    tick_seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """One connection, for people. `since` in Unix seconds; `services` are the peer's, 0 until it told them."""

    host: str
    port: int
    inbound: bool
    established: bool
    tls: bool
    user_agent: str
    services: int
    bytes_in: int
    bytes_out: int
    since: int


class Node:
    """One node; fulfils the `Announcer` port.

    `received` is called in the loop with objects that have just been stored and are to be processed. `random` is one
    that peers cannot guess.
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
    ) -> None:
        self._settings, self._clock, self._entropy, self._trace = settings, clock, entropy, trace
        self._inventory = Inventory(database, clock)
        self._pool = Pool(settings.network, settings.lan, settings.pool)
        self._exchange = Exchange(
            settings.network,
            settings.exchange,
            self._inventory,
            clock,
            random,
            self._spawn,
            received,
            self._discourage,
        )
        self._dialer = Dialer(self._pool, clock, random, settings.backoff, self._new_peer, self._own_loopback())
        self._without_tls_inbound = DayNotes()
        self._contexts: dict[bool, ssl.SSLContext] = {}  # by server_side; empty where TLS does not work
        self._peers: dict[PeerId, PeerProtocol] = {}
        self._dialled: set[PeerTarget] = set()
        self._last_id = 0
        self._not_let_in = 0  # since the last log line of them
        self._servers: list[asyncio.Server] = []
        self._group: asyncio.TaskGroup | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # --- life ---

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Load the inventory, listen, dial; the node's tasks are `group`'s until `stop`."""
        self._group = group
        if tls_works():
            self._contexts = {server_side: peer_context(server_side) for server_side in (False, True)}
        else:
            log.warning("the linked %s cannot speak TLS with peers: connections are in clear", ssl.OPENSSL_VERSION)
        await self._exchange.start()
        await self._listen()
        self._spawn(self._tick())
        self._spawn(self._tell_of_crowds())
        for target in self._settings.peers:
            self.add_peer(target)

    async def stop(self) -> None:
        """Close everything within `STOP_SECONDS`; what is stored stays stored."""
        self._group = None
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        peers = list(self._peers.values())
        for peer in peers:
            peer.hang_up(Ending.STOPPED, "we stop")
            peer.abort()
        waiting: list[asyncio.Future[Any]] = [*self._tasks, *(peer.closed for peer in peers)]
        if waiting:
            await asyncio.wait(waiting, timeout=STOP_SECONDS)

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

    def announce(self, vectors: Collection[InventoryVector]) -> None:
        """Tell peers of own objects that stand in the database: after a random delay, by way of a stem."""
        if self._group is not None:  # else we are stopping, and the next start announces what is due
            self._spawn(self._exchange.announce_own(vectors))

    def peers(self) -> list[PeerInfo]:
        """Every connection, oldest first."""
        return [self._info(connection) for connection in self._pool]

    @property
    def inventory_size(self) -> int:
        return len(self._inventory)

    # --- connections ---

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for listen in self._settings.listen:
            server = await loop.create_server(lambda: self._new_peer(target=None), listen.host, listen.port)
            self._servers.append(server)
        for bound in self.listening:
            log.info("Bitmessage node listens on %s", bound)

    def _own_loopback(self) -> str | None:
        return next((listen.host for listen in self._settings.listen if listen.host.startswith("127.")), None)

    def _new_peer(self, target: PeerTarget | None) -> PeerProtocol:
        """`target` is None for an inbound connection."""
        self._last_id += 1
        hooks = PeerHooks(partial(self._begin, target), self._deliver, partial(self._closed, target))
        return PeerProtocol(PeerId(self._last_id), self._clock, hooks)

    def _begin(
        self, target: PeerTarget | None, peer: PeerProtocol, transport: asyncio.Transport
    ) -> Conversation | None:
        names = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        if self._group is None or None in names:  # we stop, or the peer has gone again
            return None
        (host, port), own_host = names[0][:2], names[1][0]
        if target is None and not self._pool.may_accept(host, self._clock.monotonic()):
            log.debug("peer %s is not let in: too many connections, or discouraged", host)
            self._not_let_in += 1
            return None
        context = self._tls_context(target, host)
        version = self._version(host, port, context is not None)
        self._peers[peer.id] = peer
        connection = Connection(
            peer.id, host, port, own_host, target is None, version.nonce, self._clock.now(), peer.hang_up
        )
        self._pool.add(connection)
        return Conversation(
            self._settings.network,
            version,
            initiator=target is not None,
            admit=partial(self._pool.admit, peer.id),
            tls_context=context,
            deadlines=self._settings.deadlines,
            trace=partial(self._trace, str(PeerTarget(host, port))),
        )

    def _tls_context(self, target: PeerTarget | None, host: str) -> ssl.SSLContext | None:
        """None where TLS is not offered: it failed lately, or the peer dialled us, whose client side rarely works."""
        now = self._clock.monotonic()
        if target is not None:
            return None if self._dialer.without_tls.has(str(target), now) else self._contexts.get(False)
        if not self._settings.tls_inbound or self._without_tls_inbound.has(source_group(host), now):
            return None
        return self._contexts.get(True)

    def _version(self, host: str, port: int, offers_tls: bool) -> VersionCommand:
        """What we say of ourselves; the nonce is new each time, or it would link our connections."""
        services = Services.NETWORK | (Services.SSL if offers_tls else Services(0))
        listening = self.listening
        return VersionCommand(
            protocol_version=PROTOCOL_VERSION,
            services=services,
            timestamp=self._clock.now(),
            receiver=NetAddress(Services.NETWORK, host, port),
            sender=NetAddress(services, "127.0.0.1", listening[0].port if listening else self._settings.network.port),
            nonce=self._entropy(NONCE_SIZE),
            user_agent=USER_AGENT,
            streams=(STREAM,),
        )

    def _deliver(self, peer: PeerProtocol, event: PeerEvent) -> None:
        match event:
            case Established(version, tls):
                connection = self._pool[peer.id]
                connection.established, connection.tls = True, tls
                log.info("peer %s is established, %s", self._name(connection), version.displayed_agent)
                self._exchange.established(peer, outbound=not connection.inbound)
            case PeersLearned():
                pass  # peers are explicit: addresses that others tell are not kept
            case _:
                self._exchange.handle(peer, event)

    def _closed(self, target: PeerTarget | None, peer: PeerProtocol, ending: Ending, detail: str) -> None:
        connection = self._pool[peer.id]
        is_passer_by = connection.inbound and not connection.established  # whose number nothing limits
        level = logging.DEBUG if is_passer_by else logging.INFO
        log.log(level, "peer %s is closed, %s: %s", self._name(connection), ending.name, detail)
        if target is None and ending is Ending.TLS_FAILED:
            self._without_tls_inbound.add(source_group(connection.host), self._clock.monotonic())
        self._exchange.closed(peer)
        self._pool.remove(peer.id)
        del self._peers[peer.id]

    def _discourage(self, peer: PeerProtocol) -> None:
        host = self._pool[peer.id].host
        if not self._pool.is_exempt(host):
            self._pool.discouraged.add(host, self._clock.monotonic())
        peer.hang_up(Ending.VIOLATION, DISCOURAGED)

    def _name(self, connection: Connection) -> str:
        return str(PeerTarget(connection.host, connection.port))

    def _info(self, connection: Connection) -> PeerInfo:
        conversation = self._peers[connection.id].conversation
        version = conversation.peer
        return PeerInfo(
            host=connection.host,
            port=connection.port,
            inbound=connection.inbound,
            established=connection.established,
            tls=connection.tls,
            user_agent=version.displayed_agent if version else "",
            services=int(version.services) if version else 0,
            bytes_in=conversation.bytes_in,
            bytes_out=conversation.bytes_out,
            since=connection.since,
        )

    # --- tasks ---

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(self._settings.tick_seconds)
            for peer in list(self._peers.values()):
                peer.tick()
            self._exchange.tick()

    async def _tell_of_crowds(self) -> None:
        """However many connections we refuse, the log grows by one line a minute."""
        while True:
            await self._clock.sleep(CROWD_SECONDS)
            if self._not_let_in:
                log.info("%d connections were not let in: too many, or discouraged", self._not_let_in)
                self._not_let_in = 0

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        assert self._group is not None
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
