"""The trade in objects with all established peers: what to fetch, to keep, to tell of and to serve.

Joins `download`, `upload`, `announcements` and `inventory`, which decide, with the peers; `telling` does the telling.
An object is known from the moment its transaction is done, and only then told of and handed to receiving. Rules
P9-P11, P16-P19, V22.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field
from random import Random

from bmgate.bm.acceptance import KEPT, Verdict, judge
from bmgate.bm.commands import Getdata, ObjectCommand, split_vectors
from bmgate.bm.handshake import Ending
from bmgate.bm.hashes import InventoryVector, inventory_vector
from bmgate.bm.network import NetworkParameters
from bmgate.bm.node.announcements import Announcements
from bmgate.bm.node.backlog import Backlog
from bmgate.bm.node.download import DownloadLimits, Downloads, PeerId
from bmgate.bm.node.hints import Hints
from bmgate.bm.node.inventory import INVENTORY_LIMIT, Arrival, Inventory
from bmgate.bm.node.peer import Pause, PeerProtocol
from bmgate.bm.node.targets import PeerTarget
from bmgate.bm.node.telling import Telling
from bmgate.bm.node.trader import Trader
from bmgate.bm.node.upload import UploadLimits, Uploads, anti_intersection_seconds
from bmgate.bm.objects import BitmessageObject
from bmgate.bm.peer_events import Announced, ObjectArrived, PeerEvent, Requested
from bmgate.domain.ports.world import Clock
from bmgate.errors import Unavailable

log = logging.getLogger(__name__)

SERVED_AT_ONCE = 8  # objects, so at most 2 MiB, between two looks at the write buffer (T1)
PURGE_SECONDS = 3_600.0
PROMPT_VECTORS = 100  # in one inv; what is longer waits in the backlog
PROMPT_INVS = 10  # of one peer between two ticks; further ones wait as well
DIGESTED_AT_ONCE = 1_000  # announcements in one turn of the loop, a millisecond or two


@dataclass(frozen=True, slots=True)
class ExchangeSettings:
    """`first_getdata`: seconds after establishment, before the network's divisor; PyBitmessage ignores earlier ones.

    `dandelion`: own objects begin in a stem, and a dinv is understood as one. `inventory_limit` in bytes.
    """

    first_getdata: float = 20.0
    dandelion: bool = True
    inventory_limit: int = INVENTORY_LIMIT
    download: DownloadLimits = field(default_factory=DownloadLimits)
    upload: UploadLimits = field(default_factory=UploadLimits)


@dataclass(frozen=True, slots=True)
class ExchangeState:
    """For people: how much is stored, wanted and hidden, and which peers are the stems now."""

    objects: int
    stored_bytes: int
    pending_downloads: int
    in_stem: int
    stems: tuple[PeerId, ...]


def always() -> bool:
    """There is room, and our clock is right."""
    return True


def nobody_asks(hint: PeerTarget) -> None:
    """For a node whose peers are explicit."""


class Exchange:
    """What passes between the inventory and the peers.

    `spawn` starts a task that ends with the node, `received` is told of stored objects that nobody here has processed,
    `complain` of objects that are dropped and who brought them, `hinted` of nodes that objects name. `known_nodes`
    tells how large the network seems. `has_room` tells whether the disk has room for objects, `may_expire` whether our
    clock is good enough to delete them by it. `random` is one that peers cannot guess.
    """

    def __init__(
        self,
        network: NetworkParameters,
        settings: ExchangeSettings,
        inventory: Inventory,
        clock: Clock,
        random: Random,
        spawn: Callable[[Coroutine[None, None, None]], asyncio.Task[None]],
        received: Callable[[list[BitmessageObject]], None],
        complain: Callable[[PeerProtocol, Verdict], None],
        hinted: Callable[[PeerTarget], None] = nobody_asks,
        known_nodes: Callable[[], int] = lambda: 0,
        has_room: Callable[[], bool] = always,
        may_expire: Callable[[], bool] = always,
    ) -> None:
        self._network, self._settings, self._inventory = network, settings, inventory
        self._clock, self._random, self._spawn = clock, random, spawn
        self._received, self._complain, self._known_nodes = received, complain, known_nodes
        self._has_room, self._may_expire = has_room, may_expire
        self._hints = Hints(hinted)
        self._downloads = Downloads(settings.download)
        self._backlog = Backlog(settings.download.per_peer, settings.download.in_all)
        self._heard = asyncio.Event()
        self._traders: dict[PeerId, Trader] = {}
        self._announcements = Announcements(network, random)
        self._telling = Telling(network, self._announcements, inventory, self._traders, clock, random)
        self._is_full = False

    # --- life ---

    async def start(self) -> None:
        """Load the inventory and begin."""
        offset = self._clock.monotonic() - self._clock.now()
        for vector, hidden_until in await self._inventory.load():
            if self._settings.dandelion:
                self._announcements.begin_stem(vector, None, hidden_until + offset)
            else:
                self._announcements.hide(vector, hidden_until + offset)
        self._spawn(self._inventory.store_arrivals(self._stored))
        self._spawn(self._digest_backlog())
        self._spawn(self._telling.run())
        self._spawn(self._keep_house())

    @property
    def state(self) -> ExchangeState:
        stems = tuple(peer for peer in self._telling.stems.chosen if peer in self._traders)
        return ExchangeState(
            len(self._inventory), self._inventory.stored_bytes, len(self._downloads), self._announcements.hidden, stems
        )

    def tick(self) -> None:
        """Requests that came to nothing go to others."""
        for peer in self._downloads.expire(self._clock.monotonic()):
            self._traders[peer].peer.hang_up(Ending.UNHELPFUL, "it announces what it does not deliver")
        for trader in list(self._traders.values()):
            trader.prompt_invs = 0
            self._ask(trader)

    def established(self, peer: PeerProtocol, outbound: bool) -> None:
        """A peer is ready to trade."""
        now = self._clock.monotonic()
        delay = self._network.delay(anti_intersection_seconds(self._known_nodes()))
        trader = self._traders[peer.id] = Trader(peer, outbound, Uploads(now, delay, self._settings.upload))
        first_getdata = self._network.delay(self._settings.first_getdata)
        self._downloads.add_peer(peer.id, now + first_getdata)
        trader.tasks += [self._spawn(self._serve(trader)), self._spawn(self._ask_first(trader, first_getdata))]
        self._telling.established(outbound)
        if self._is_full:
            peer.pause_reading(Pause.STORING)

    def closed(self, peer: PeerProtocol) -> None:
        """The connection is gone; it need not have been established."""
        trader = self._traders.pop(peer.id, None)
        if trader is not None:
            self._backlog.remove(peer.id)
            self._telling.stems.closed(peer.id)
            self._downloads.remove_peer(peer.id)
            for task in trader.tasks:
                task.cancel()

    def handle(self, peer: PeerProtocol, event: PeerEvent) -> None:
        """What an established peer says about objects."""
        trader = self._traders[peer.id]
        match event:
            case Announced(vectors, is_stem):
                self._hear_of(trader, vectors, is_stem)
            case Requested(vectors):
                trader.uploads.request(vectors, self._clock.monotonic(), lambda vector: self._is_shown(peer.id, vector))
                trader.wanted.set()
            case ObjectArrived(encoded):
                self._take(trader, encoded)

    async def announce_own(self, vectors: Collection[InventoryVector]) -> None:
        """Begin the stem of own objects that stand in the database, or tell everyone where there is no Dandelion.

        Nothing is to be done for one that is known: it is hidden still, or all peers have heard of it.
        """
        for vector, encoded in (await self._inventory.get(vectors)).items():
            verdict, obj = judge(encoded, self._clock.now(), self._network)
            if obj is None or verdict not in KEPT:
                log.error("own object %s is not announced: %s", vector.hex(), verdict.name)
            elif not self._inventory.is_stored(vector):
                self._inventory.note_stored(obj)
                self._let_out(vector)
        self._telling.wake()

    def _let_out(self, vector: InventoryVector) -> None:
        now = self._clock.monotonic()
        if self._settings.dandelion:
            self._announcements.begin_stem(vector, None, now)
        else:
            self._announcements.spread(vector, (), now)

    # --- fetching ---

    def _hear_of(self, trader: Trader, vectors: Collection[InventoryVector], is_stem: bool) -> None:
        """At once what is little; else later, and until then the peer is not read: others have their turn (T1, P9)."""
        peer = trader.peer
        is_little = len(vectors) <= PROMPT_VECTORS and trader.prompt_invs < PROMPT_INVS
        if is_little and peer.id not in self._backlog:
            trader.prompt_invs += 1
            self._digest(trader, vectors, is_stem)
            return
        self._backlog.add(peer.id, vectors, is_stem)
        peer.pause_reading(Pause.DIGESTING)
        self._heard.set()

    async def _digest_backlog(self) -> None:
        while True:
            await self._heard.wait()
            portion = self._backlog.take(DIGESTED_AT_ONCE)
            if portion is None:
                self._heard.clear()
                continue
            trader = self._traders[portion.peer]
            self._digest(trader, portion.vectors, portion.is_stem)
            if portion.peer not in self._backlog:
                trader.peer.resume_reading(Pause.DIGESTING)
            await asyncio.sleep(0)

    def _digest(self, trader: Trader, vectors: Collection[InventoryVector], is_stem: bool) -> None:
        self._announcements.heard_from(trader.peer.id, vectors)
        unknown = self._inventory.lacking(vectors) + self._announcements.hidden_among(vectors)
        self._downloads.announced(trader.peer.id, unknown, is_stem)
        self._ask(trader)

    def _ask(self, trader: Trader) -> None:
        """Nothing while there is no room: what was announced stays wanted, and is asked for once there is (D1)."""
        if not self._has_room():
            return
        vectors = self._downloads.requests(trader.peer.id, self._clock.monotonic())
        trader.peer.say(Getdata(chunk) for chunk in split_vectors(vectors))

    async def _ask_first(self, trader: Trader, first_getdata: float) -> None:
        await self._clock.sleep(first_getdata)
        self._ask(trader)

    def _take(self, trader: Trader, encoded: bytes) -> None:
        vector, now = inventory_vector(encoded), self._clock.monotonic()
        if not self._has_room():
            self._put_off(trader, vector, now)
            return
        known_to = {*self._downloads.announcers(vector), trader.peer.id}
        is_in_stem = self._settings.dandelion and self._downloads.is_stem(vector)
        stem_source = trader.peer.id if is_in_stem else None
        self._downloads.delivered(trader.peer.id, vector, now)
        if self._announcements.is_hidden(vector):  # the network has it by now: a stem that came round has ended
            self._announcements.spread(vector, known_to, now)
            self._telling.wake()
        elif vector not in self._inventory:
            self._judge(trader, vector, encoded, tuple(known_to), stem_source)
        self._ask(trader)

    def _put_off(self, trader: Trader, vector: InventoryVector, now: float) -> None:
        """It is here, and there is no room: it is wanted again later, of the same peer."""
        is_stem = self._downloads.is_stem(vector)
        if self._downloads.delivered(trader.peer.id, vector, now):
            self._downloads.announced(trader.peer.id, [vector], is_stem)

    def _judge(
        self,
        trader: Trader,
        vector: InventoryVector,
        encoded: bytes,
        known_to: tuple[PeerId, ...],
        stem_source: PeerId | None,
    ) -> None:
        verdict, obj = judge(encoded, self._clock.now(), self._network)
        if obj is not None and verdict in KEPT:
            self._inventory.offer(Arrival(vector, obj, known_to, stem_source))
            trader.peer.useful_at = self._clock.monotonic()
            self._pause_or_resume()
            return
        self._inventory.reject(vector)
        self._complain(trader.peer, verdict)

    # --- keeping ---

    def _stored(self, arrivals: list[Arrival]) -> None:
        now = self._clock.monotonic()
        for arrival in arrivals:
            if arrival.stem_source is not None:
                self._announcements.begin_stem(arrival.vector, arrival.stem_source, now)
            elif not self._traders.keys() <= set(arrival.known_to):
                self._announcements.spread(arrival.vector, arrival.known_to, now)
            self._hints.look_at(arrival.object, now)
        self._telling.wake()
        self._pause_or_resume()
        self._received([arrival.object for arrival in arrivals])

    def _pause_or_resume(self) -> None:
        if self._inventory.is_full and not self._is_full:
            self._is_full = True
            for trader in self._traders.values():
                trader.peer.pause_reading(Pause.STORING)
        elif self._is_full and self._inventory.has_room:
            self._is_full = False
            for trader in self._traders.values():
                trader.peer.resume_reading(Pause.STORING)

    async def _keep_house(self) -> None:
        await self._inventory.measure()
        while True:
            try:
                if self._may_expire():
                    self._announcements.forget(await self._inventory.purge())
            except Unavailable as error:
                log.warning("expired objects stay for now: %s", error)
            await self._clock.sleep(PURGE_SECONDS)

    # --- serving ---

    def _is_shown(self, peer: PeerId, vector: InventoryVector) -> bool:
        return self._inventory.is_stored(vector) and self._announcements.is_shown_to(peer, vector)

    async def _serve(self, trader: Trader) -> None:
        """First all we have, then what the peer asks for, always at the pace at which it reads."""
        await self._telling.tell_everything(trader)
        while True:
            await trader.wanted.wait()
            await trader.peer.can_write.wait()
            await self._serve_some(trader)
            if not trader.uploads:
                trader.wanted.clear()

    async def _serve_some(self, trader: Trader) -> None:
        vectors = trader.uploads.take(SERVED_AT_ONCE, self._clock.monotonic())
        if vectors:
            objects = await self._inventory.get(vectors)
            trader.uploads.spend(sum(map(len, objects.values())))
            trader.peer.say(ObjectCommand(objects[vector]) for vector in vectors if vector in objects)
        elif trader.uploads:
            await self._clock.sleep(trader.uploads.wait(self._clock.monotonic()))
