"""What the node has: the vectors in memory, the objects in the database, and the queue between peers and database.

Objects wait in the queue until the transaction before is done, then all of them, at most `MAX_BATCH`, go into the next:
one alone is written at once, a flood in large batches. When the queue is full, peers are not read.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from bmgate.bm.hashes import InventoryVector
from bmgate.bm.network import PURGE_AFTER_EXPIRY_SECONDS
from bmgate.bm.node.download import PeerId
from bmgate.bm.objects import BitmessageObject
from bmgate.domain.objects import StoredObject
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Clock
from bmgate.errors import Unavailable

MAX_BATCH = 500
QUEUE_BYTES = 32_000_000
QUEUE_OBJECTS = 20_000
MAX_REJECTED = 20_000
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
    """Vectors that are known, and the way to their objects. `is_full` tells whether peers should wait."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._expiry: dict[InventoryVector, int] = {}
        self._queue: deque[Arrival] = deque()
        self._waiting: set[InventoryVector] = set()
        self._rejected: dict[InventoryVector, None] = {}
        self._bytes = 0
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._expiry)

    def __contains__(self, vector: InventoryVector) -> bool:
        """Stored, on its way to it, or once refused: not to be fetched."""
        return vector in self._expiry or vector in self._waiting or vector in self._rejected

    def lacking(self, vectors: Iterable[InventoryVector]) -> list[InventoryVector]:
        """Those of `vectors` that are not in the inventory."""
        stored, waiting, rejected = self._expiry, self._waiting, self._rejected
        return [each for each in vectors if each not in stored and each not in waiting and each not in rejected]

    @property
    def is_full(self) -> bool:
        return self._bytes >= QUEUE_BYTES or len(self._queue) >= QUEUE_OBJECTS

    @property
    def has_room(self) -> bool:
        """Well below full: peers are read again."""
        return self._bytes < QUEUE_BYTES // 2 and len(self._queue) < QUEUE_OBJECTS // 2

    def is_stored(self, vector: InventoryVector) -> bool:
        return vector in self._expiry

    def unexpired(self, now: int) -> list[InventoryVector]:
        """`now` in Unix seconds."""
        return [vector for vector, expires_time in self._expiry.items() if expires_time > now]

    async def load(self) -> list[tuple[InventoryVector, int]]:
        """Learn what is stored; returns vector and end (Unix seconds) of each stem that is not over."""
        rows = await self._database.read(lambda store: store.inventory.vectors())
        self._expiry = {vector: expires_time for vector, expires_time, _ in rows}
        now = self._clock.now()
        return [(vector, stem_until) for vector, _, stem_until in rows if stem_until > now]

    async def get(self, vectors: Collection[InventoryVector]) -> dict[InventoryVector, bytes]:
        """The encoded objects among `vectors`."""
        return await self._patiently(self._database.read, lambda store: store.inventory.get(vectors))

    def note_stored(self, vector: InventoryVector, expires_time: int) -> None:
        """Somebody else stored this object."""
        self._expiry[vector] = expires_time

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
            batch = [self._queue.popleft() for _ in range(min(MAX_BATCH, len(self._queue)))]
            if not self._queue:
                self._arrived.clear()
            await self._patiently(self._database.transact, partial(_add, batch))
            for arrival in batch:
                self._expiry[arrival.vector] = arrival.object.expires_time
                self._waiting.discard(arrival.vector)
                self._bytes -= len(arrival.object.encoded)
            stored(batch)

    async def purge(self) -> list[InventoryVector]:
        """Forget what expired more than three hours ago, until when nobody should make us fetch it again."""
        before = self._clock.now() - PURGE_AFTER_EXPIRY_SECONDS
        gone = await self._database.transact(lambda store: store.inventory.purge(before))
        for vector in gone:
            self._expiry.pop(vector, None)
        return gone

    async def _patiently(self, run: Callable[[Callable[[Store], T]], Awaitable[T]], work: Callable[[Store], T]) -> T:
        """A unit of work, again and again while the database is away: peers wait meanwhile (D1)."""
        while True:
            try:
                return await run(work)
            except Unavailable:
                await self._clock.sleep(RETRY_SECONDS)


def _add(batch: list[Arrival], store: Store) -> list[InventoryVector]:
    return store.inventory.add(StoredObject(arrival.object) for arrival in batch)
