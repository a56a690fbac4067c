"""What the node has: the vectors in memory, the objects in the database, and the queue between peers and database.

Objects wait in the queue until the transaction before is done, then all of them, at most `MAX_BATCH`, go into the next:
one alone is written at once, a flood in large batches. When the queue is full, peers are not read. When the database
holds more than it may, the objects that expire first go, and are not fetched again (P40).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TypeVar

from bmgate.bm.hashes import InventoryVector
from bmgate.bm.network import PURGE_AFTER_EXPIRY_SECONDS
from bmgate.bm.node.download import PeerId
from bmgate.bm.objects import BitmessageObject
from bmgate.domain.objects import StoredObject
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Clock
from bmgate.errors import Unavailable

MAX_BATCH = 2_000  # of 1 kB, in a twentieth of a second; indexes are written once for all of them
MAX_BATCH_BYTES = 4_000_000
QUEUE_BYTES = 16_000_000
QUEUE_OBJECTS = 2 * MAX_BATCH  # one batch on its way, and one more
MAX_REJECTED = 20_000
MAX_EVICTED = 200_000
INVENTORY_LIMIT = 2 << 30  # bytes of all stored objects
EVICTED_AT_ONCE = 1_000_000  # bytes in one transaction
RETRY_SECONDS = 1.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Arrival:
    """An accepted object on its way into the database, and how it came."""

    vector: InventoryVector
    object: BitmessageObject
    known_to: tuple[PeerId, ...]
    stem_source: PeerId | None  # it came in a Dandelion stem


class Inventory:
    """Vectors that are known, and the way to their objects. `is_full` tells whether peers should wait.

    `limit`: bytes of all stored objects together.
    """

    def __init__(self, database: Database, clock: Clock, limit: int = INVENTORY_LIMIT) -> None:
        self._database, self._clock, self._limit = database, clock, limit
        self._expiry: dict[InventoryVector, int] = {}
        self._queue: deque[Arrival] = deque()
        self._waiting: set[InventoryVector] = set()
        self._rejected: dict[InventoryVector, None] = {}
        self._evicted: dict[InventoryVector, int] = {}  # and when they expire
        self._stored_bytes = 0
        self._bytes = 0  # in the queue
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._expiry)

    def __contains__(self, vector: InventoryVector) -> bool:
        """Stored, on its way to it, or once refused or evicted: not to be fetched."""
        return vector in self._expiry or vector in self._waiting or self._is_refused(vector)

    def lacking(self, vectors: Iterable[InventoryVector]) -> list[InventoryVector]:
        """Those of `vectors` that are not in the inventory."""
        stored, waiting, is_refused = self._expiry, self._waiting, self._is_refused
        return [each for each in vectors if each not in stored and each not in waiting and not is_refused(each)]

    def _is_refused(self, vector: InventoryVector) -> bool:
        return vector in self._rejected or vector in self._evicted

    @property
    def stored_bytes(self) -> int:
        """What all stored objects take together."""
        return self._stored_bytes

    @property
    def is_full(self) -> bool:
        return self._bytes >= QUEUE_BYTES or len(self._queue) >= QUEUE_OBJECTS

    @property
    def has_room(self) -> bool:
        """Well below full: peers are read again."""
        return self._bytes < QUEUE_BYTES // 2 and len(self._queue) < QUEUE_OBJECTS // 2

    def is_stored(self, vector: InventoryVector) -> bool:
        return vector in self._expiry

    def in_no_order(self) -> list[InventoryVector]:
        """All that is stored. A set orders bytes by a hash that is keyed anew in each process, and takes no time."""
        return list(set(self._expiry))

    def unexpired(self, vectors: Iterable[InventoryVector], now: int) -> list[InventoryVector]:
        """Those of `vectors` that are stored and not over; `now` in Unix seconds."""
        return [vector for vector in vectors if self._expiry.get(vector, 0) > now]

    async def load(self) -> list[tuple[InventoryVector, int]]:
        """Learn what is stored; returns vector and end (Unix seconds) of each stem that is not over."""
        rows = await self._database.read(lambda store: store.inventory.vectors())
        self._expiry = {vector: expires_time for vector, expires_time, _ in rows}
        now = self._clock.now()
        return [(vector, stem_until) for vector, _, stem_until in rows if stem_until > now]

    async def measure(self) -> None:
        """Learn how much is stored: a look at every object, so after the start."""
        self._stored_bytes += await self._patiently(self._database.read, lambda store: store.inventory.size())

    async def get(self, vectors: Collection[InventoryVector]) -> dict[InventoryVector, bytes]:
        """The encoded objects among `vectors`."""
        return await self._patiently(self._database.read, lambda store: store.inventory.get(vectors))

    def note_stored(self, obj: BitmessageObject) -> None:
        """Somebody else stored this object."""
        self._expiry[obj.vector] = obj.expires_time
        self._stored_bytes += len(obj.encoded)

    def reject(self, vector: InventoryVector) -> None:
        """Remember an object that is not worth fetching again; the last `MAX_REJECTED` of them."""
        self._rejected[vector] = None
        if len(self._rejected) > MAX_REJECTED:
            del self._rejected[next(iter(self._rejected))]

    def offer(self, arrival: Arrival) -> None:
        """Queue an accepted object."""
        self._queue.append(arrival)
        self._waiting.add(arrival.vector)
        self._bytes += len(arrival.object.encoded)
        self._arrived.set()

    async def store_arrivals(self, stored: Callable[[list[Arrival]], None]) -> None:
        """Write what is offered, for ever, and tell `stored` of it after each commit."""
        while True:
            await self._arrived.wait()
            batch = self._next_batch()
            if not self._queue:
                self._arrived.clear()
            await self._patiently(self._database.transact, partial(_add, batch))
            for arrival in batch:
                size = len(arrival.object.encoded)
                self._expiry[arrival.vector] = arrival.object.expires_time
                self._waiting.discard(arrival.vector)
                self._bytes -= size
                self._stored_bytes += size
            stored(batch)
            if self._stored_bytes > self._limit:
                await self._make_room()

    def _next_batch(self) -> list[Arrival]:
        batch: list[Arrival] = []
        size = 0
        while self._queue and len(batch) < MAX_BATCH and size < MAX_BATCH_BYTES:
            batch.append(self._queue.popleft())
            size += len(batch[-1].object.encoded)
        return batch

    async def _make_room(self) -> None:
        """Evict what expires first, with some room to spare; nothing while all is still to be processed."""
        surplus = min(EVICTED_AT_ONCE, self._limit // 10)
        while self._stored_bytes > self._limit:
            gone = await self._patiently(self._database.transact, lambda store: store.inventory.evict(surplus))
            if not gone:
                return
            for vector, size in gone.items():
                self._stored_bytes -= size
                self._evicted[vector] = self._expiry.pop(vector, 0)
            for vector in list(islice(self._evicted, max(0, len(self._evicted) - MAX_EVICTED))):
                del self._evicted[vector]

    async def purge(self) -> list[InventoryVector]:
        """Forget what expired more than three hours ago, until when nobody should make us fetch it again."""
        before = self._clock.now() - PURGE_AFTER_EXPIRY_SECONDS
        gone = await self._database.transact(lambda store: store.inventory.purge(before))
        for vector, size in gone.items():
            self._expiry.pop(vector, None)
            self._stored_bytes -= size
        self._evicted = {vector: expires for vector, expires in self._evicted.items() if expires >= before}
        return list(gone)

    async def _patiently(self, run: Callable[[Callable[[Store], T]], Awaitable[T]], work: Callable[[Store], T]) -> T:
        """A unit of work, again and again while the database is away: peers wait meanwhile (D1)."""
        while True:
            try:
                return await run(work)
            except Unavailable:
                await self._clock.sleep(RETRY_SECONDS)


def _add(batch: list[Arrival], store: Store) -> list[InventoryVector]:
    return store.inventory.add(StoredObject(arrival.object) for arrival in batch)
