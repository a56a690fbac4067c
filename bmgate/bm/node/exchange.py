"""The trade in objects with all established peers: what to fetch, to keep, to tell of and to serve.

Joins `download`, `upload`, `announcements` and `inventory`, which decide, with the peers. An object is known from the
moment its transaction is done, and only then told of and handed to receiving. Rules P9-P11, P16-P19, V22.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field
from random import Random

from bmgate.bm.acceptance import KEPT, Verdict, judge
from bmgate.bm.commands import Getdata, Inv, ObjectCommand, split_vectors
from bmgate.bm.handshake import Ending
from bmgate.bm.hashes import InventoryVector, inventory_vector
from bmgate.bm.network import NetworkParameters
from bmgate.bm.node.announcements import Announcements, Due
from bmgate.bm.node.backlog import Backlog
from bmgate.bm.node.download import DownloadLimits, Downloads, PeerId
from bmgate.bm.node.inventory import Arrival, Inventory
from bmgate.bm.node.peer import Pause, PeerProtocol
from bmgate.bm.node.upload import ANTI_INTERSECTION_SECONDS, UploadLimits, Uploads
from bmgate.bm.objects import BitmessageObject
from bmgate.bm.peer_events import Announced, ObjectArrived, PeerEvent, Requested
from bmgate.domain.ports.world import Clock
from bmgate.errors import Unavailable

log = logging.getLogger(__name__)

ANNOUNCE_INTERVAL_SECONDS = 1.0  # between two rounds of inv: what is due meanwhile shares a packet
STEM_EPOCH_SECONDS = 600.0
SERVED_AT_ONCE = 16  # objects, so at most 4 MiB, between two looks at the write buffer
PURGE_SECONDS = 3_600.0
PROMPT_VECTORS = 100  # in one inv; what is longer waits in the backlog
PROMPT_INVS = 10  # of one peer between two ticks; further ones wait as well
DIGESTED_AT_ONCE = 1_000  # announcements in one turn of the loop, a millisecond or two
MAX_BAD_WORK = 10  # objects an hour (P16)
HOUR_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True)
class ExchangeSettings:
    """`first_getdata`: seconds after establishment, before the network's divisor; PyBitmessage ignores earlier ones."""

    first_getdata: float = 20.0
    download: DownloadLimits = field(default_factory=DownloadLimits)
    upload: UploadLimits = field(default_factory=UploadLimits)


@dataclass(slots=True)
class _Trader:
    """One established peer."""

    peer: PeerProtocol
    outbound: bool
    uploads: Uploads
    prompt_invs: int = 0  # handled at once since the last tick
    wanted: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    bad_work: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_BAD_WORK))


class Exchange:
    """What passes between the inventory and the peers.

    `spawn` starts a task that ends with the node, `received` is told of stored objects that nobody here has processed,
    `discourage` of peers not worth connecting to for a while. `random` is one that peers cannot guess.
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
        discourage: Callable[[PeerProtocol], None],
    ) -> None:
        self._network, self._settings, self._inventory = network, settings, inventory
        self._clock, self._random, self._spawn = clock, random, spawn
        self._received, self._discourage = received, discourage
        self._downloads = Downloads(settings.download)
        self._backlog = Backlog(settings.download.per_peer, settings.download.in_all)
        self._heard = asyncio.Event()
        self._announcements = Announcements(network, random)
        self._traders: dict[PeerId, _Trader] = {}
        self._stem_peer: PeerId | None = None
        self._stem_epoch_ends = 0.0
        self._news = asyncio.Event()
        self._is_full = False

    # --- life ---

    async def start(self) -> None:
        """Load the inventory and begin."""
        offset = self._clock.monotonic() - self._clock.now()
        for vector, stem_until in await self._inventory.load():
            self._announcements.hide(vector, stem_until + offset)
        self._spawn(self._inventory.store_arrivals(self._stored))
        self._spawn(self._digest_backlog())
        self._spawn(self._announce_what_is_due())
        self._spawn(self._purge())

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
        uploads = Uploads(now, self._network.delay(ANTI_INTERSECTION_SECONDS), self._settings.upload)
        trader = self._traders[peer.id] = _Trader(peer, outbound, uploads)
        first_getdata = self._network.delay(self._settings.first_getdata)
        self._downloads.add_peer(peer.id, now + first_getdata)
        trader.tasks += [self._spawn(self._serve(trader)), self._spawn(self._ask_first(trader, first_getdata))]
        if self._is_full:
            peer.pause_reading(Pause.STORING)

    def closed(self, peer: PeerProtocol) -> None:
        """The connection is gone; it need not have been established."""
        trader = self._traders.pop(peer.id, None)
        if trader is not None:
            self._backlog.remove(peer.id)
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
        """Begin the stem of own objects that stand in the database; known ones are spread once more."""
        for vector, encoded in (await self._inventory.get(vectors)).items():
            verdict, obj = judge(encoded, self._clock.now(), self._network)
            if obj is None or verdict not in KEPT:
                log.error("own object %s is not announced: %s", vector.hex(), verdict.name)
            elif self._announcements.is_hidden(vector):
                continue
            elif self._inventory.is_stored(vector):
                self._announcements.spread(vector, (), self._clock.monotonic())
            else:
                self._inventory.note_stored(vector, obj.expires_time)
                self._announcements.begin_stem(vector, None, self._clock.monotonic())
        self._news.set()

    # --- fetching ---

    def _hear_of(self, trader: _Trader, vectors: Collection[InventoryVector], is_stem: bool) -> None:
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

    def _digest(self, trader: _Trader, vectors: Collection[InventoryVector], is_stem: bool) -> None:
        self._announcements.heard_from(trader.peer.id, vectors)
        unknown = self._inventory.lacking(vectors) + self._announcements.hidden_among(vectors)
        self._downloads.announced(trader.peer.id, unknown, is_stem)
        self._ask(trader)

    def _ask(self, trader: _Trader) -> None:
        vectors = self._downloads.requests(trader.peer.id, self._clock.monotonic())
        trader.peer.say(Getdata(chunk) for chunk in split_vectors(vectors))

    async def _ask_first(self, trader: _Trader, first_getdata: float) -> None:
        await self._clock.sleep(first_getdata)
        self._ask(trader)

    def _take(self, trader: _Trader, encoded: bytes) -> None:
        vector, now = inventory_vector(encoded), self._clock.monotonic()
        known_to = {*self._downloads.announcers(vector), trader.peer.id}
        stem_source = trader.peer.id if self._downloads.is_stem(vector) else None
        self._downloads.delivered(trader.peer.id, vector, now)
        if self._announcements.is_hidden(vector):  # the network has it by now: a stem that came round has ended
            self._announcements.spread(vector, known_to, now)
            self._news.set()
        elif vector not in self._inventory:
            self._judge(trader, vector, encoded, tuple(known_to), stem_source)
        self._ask(trader)

    def _judge(
        self,
        trader: _Trader,
        vector: InventoryVector,
        encoded: bytes,
        known_to: tuple[PeerId, ...],
        stem_source: PeerId | None,
    ) -> None:
        verdict, obj = judge(encoded, self._clock.now(), self._network)
        if obj is not None and verdict in KEPT:
            self._inventory.offer(Arrival(vector, obj, known_to, stem_source))
            self._pause_or_resume()
            return
        self._inventory.reject(vector)
        if verdict is Verdict.TOO_LITTLE_WORK:
            self._count_bad_work(trader)

    def _count_bad_work(self, trader: _Trader) -> None:
        now = self._clock.monotonic()
        trader.bad_work.append(now)
        if len(trader.bad_work) == MAX_BAD_WORK and now - trader.bad_work[0] < HOUR_SECONDS:
            self._discourage(trader.peer)

    # --- keeping ---

    def _stored(self, arrivals: list[Arrival]) -> None:
        now = self._clock.monotonic()
        for arrival in arrivals:
            if arrival.stem_source is None:
                self._announcements.spread(arrival.vector, arrival.known_to, now)
            else:
                self._announcements.begin_stem(arrival.vector, arrival.stem_source, now)
        self._news.set()
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

    async def _purge(self) -> None:
        while True:
            try:
                self._announcements.forget(await self._inventory.purge())
            except Unavailable as error:
                log.warning("expired objects stay for now: %s", error)
            await self._clock.sleep(PURGE_SECONDS)

    # --- telling ---

    async def _announce_what_is_due(self) -> None:
        while True:
            due = self._announcements.next_due()
            wait = None if due is None else due - self._clock.monotonic()
            if wait is not None and wait <= 0:
                self._tell(self._announcements.take_due(self._clock.monotonic()))
                await self._clock.sleep(self._network.delay(ANNOUNCE_INTERVAL_SECONDS))
                continue
            self._news.clear()
            try:
                async with asyncio.timeout(wait):
                    await self._news.wait()
            except TimeoutError:
                continue

    def _tell(self, due: list[Due]) -> None:
        news: dict[PeerId, list[InventoryVector]] = {peer: [] for peer in self._traders}
        for each in due:
            for peer in self._audience(each):
                news[peer].append(each.vector)
        for peer, vectors in news.items():
            self._random.shuffle(vectors)
            self._traders[peer].peer.say(Inv(chunk) for chunk in split_vectors(vectors))

    def _audience(self, due: Due) -> list[PeerId]:
        if not due.to_stem:
            return [peer for peer in self._traders if peer not in due.known_to]
        child = self._stem_child(self._announcements.source_of(due.vector))
        if child is None:
            return []
        self._announcements.told_to_child(due.vector, child)
        return [child]

    def _stem_child(self, source: PeerId | None) -> PeerId | None:
        """One outbound peer for a whole epoch, as long as it stays; nobody's own stem is led back to it."""
        now = self._clock.monotonic()
        candidates = [peer for peer, trader in self._traders.items() if trader.outbound]
        if self._stem_peer not in candidates or now >= self._stem_epoch_ends:
            self._stem_peer = self._random.choice(candidates) if candidates else None
            self._stem_epoch_ends = now + self._network.stem_time(STEM_EPOCH_SECONDS)
        return self._stem_peer if self._stem_peer != source else None

    # --- serving ---

    def _is_shown(self, peer: PeerId, vector: InventoryVector) -> bool:
        return self._inventory.is_stored(vector) and self._announcements.is_shown_to(peer, vector)

    async def _serve(self, trader: _Trader) -> None:
        """First all we have, then what the peer asks for, always at the pace at which it reads."""
        shown = [
            vector
            for vector in self._inventory.unexpired(self._clock.now())
            if not self._announcements.is_hidden(vector)
        ]
        self._random.shuffle(shown)
        for chunk in split_vectors(shown):
            await trader.peer.can_write.wait()
            trader.peer.say([Inv(chunk)])
        while True:
            await trader.wanted.wait()
            await trader.peer.can_write.wait()
            await self._serve_some(trader)
            if not trader.uploads:
                trader.wanted.clear()

    async def _serve_some(self, trader: _Trader) -> None:
        vectors = trader.uploads.take(SERVED_AT_ONCE, self._clock.monotonic())
        if vectors:
            objects = await self._inventory.get(vectors)
            trader.peer.say(ObjectCommand(objects[vector]) for vector in vectors if vector in objects)
        elif trader.uploads:
            await self._clock.sleep(trader.uploads.wait(self._clock.monotonic()))
