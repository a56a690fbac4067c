"""What the node remembers, and how arrivals become transactions."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from peers import MemoryDatabase

from bmgate.bm.hashes import InventoryVector
from bmgate.bm.node import inventory as module
from bmgate.bm.node.inventory import MAX_BATCH, MAX_BATCH_BYTES, MAX_REJECTED, Arrival, Inventory
from bmgate.bm.objects import ObjectType, encode_object, read_object
from bmgate.domain.objects import StoredObject
from bmgate.errors import StorageBusy

NOW = 1_795_300_000


class StillClock:
    """Time that moves only while somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = NOW

    def now(self) -> int:
        return self.seconds

    def monotonic(self) -> float:
        return float(self.seconds)

    async def sleep(self, seconds: float) -> None:
        self.seconds += int(seconds)
        await asyncio.sleep(0)


def arrival(number: int, expires_time: int = NOW + 60, size: int = 8) -> Arrival:
    encoded = encode_object(expires_time, ObjectType.MSG, 1, 1, number.to_bytes(size))
    obj = read_object(encoded)
    return Arrival(obj.vector, obj, (), None)


@contextmanager
def storing(inventory: Inventory) -> Iterator[asyncio.Queue[list[Arrival]]]:
    stored: asyncio.Queue[list[Arrival]] = asyncio.Queue()
    task = asyncio.get_running_loop().create_task(inventory.store_arrivals(stored.put_nowait))
    try:
        yield stored
    finally:
        task.cancel()


async def test_one_object_is_written_at_once_and_a_flood_in_batches() -> None:
    database = MemoryDatabase()
    inventory = Inventory(database, StillClock())
    with storing(inventory) as stored:
        inventory.offer(arrival(0))
        assert len(await stored.get()) == 1
        for number in range(1, 2 * MAX_BATCH + 200):
            inventory.offer(arrival(number))
        assert [len(await stored.get()) for _ in range(3)] == [MAX_BATCH, MAX_BATCH, 199]
    assert database.batches == [1, MAX_BATCH, MAX_BATCH, 199]
    assert len(inventory) == 2 * MAX_BATCH + 200


async def test_large_objects_share_a_transaction_by_their_bytes() -> None:
    inventory = Inventory(MemoryDatabase(), StillClock())
    with storing(inventory) as stored:
        for number in range(1, 40):
            inventory.offer(arrival(number, size=200_000))
        assert [len(await stored.get()) for _ in range(2)] == [MAX_BATCH_BYTES // 200_000, 19]


async def test_an_object_is_known_while_it_waits_and_stored_only_after_its_transaction() -> None:
    database = MemoryDatabase()
    inventory = Inventory(database, StillClock())
    one = arrival(1)
    inventory.offer(one)
    assert one.vector in inventory
    assert not inventory.is_stored(one.vector)
    with storing(inventory) as stored:
        await stored.get()
    assert inventory.is_stored(one.vector)
    assert await inventory.get([one.vector]) == {one.vector: one.object.encoded}


async def test_a_transaction_that_fails_for_now_is_repeated() -> None:
    database, clock = MemoryDatabase(), StillClock()
    inventory = Inventory(database, clock)
    database.failures += [StorageBusy("disk full")] * 60
    with storing(inventory) as stored:
        inventory.offer(arrival(1))
        assert len(await stored.get()) == 1
    assert clock.seconds == NOW + 60


def test_a_full_queue_has_room_again_at_the_half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUEUE_OBJECTS", 10)
    inventory = Inventory(MemoryDatabase(), StillClock())
    for number in range(10):
        assert not inventory.is_full
        inventory.offer(arrival(number))
    assert inventory.is_full
    assert not inventory.has_room


def test_large_objects_fill_the_queue_by_their_bytes() -> None:
    inventory = Inventory(MemoryDatabase(), StillClock())
    for number in range(160):
        inventory.offer(arrival(number, size=200_000))
    assert inventory.is_full


async def test_a_restart_knows_what_is_stored_and_which_stems_are_not_over() -> None:
    database = MemoryDatabase()
    one, two = arrival(1), arrival(2, expires_time=NOW - 60)
    database.inventory.add([StoredObject(one.object, stem_until=NOW + 5), StoredObject(two.object, stem_until=NOW - 5)])
    inventory = Inventory(database, StillClock())
    assert await inventory.load() == [(one.vector, NOW + 5)]
    assert inventory.is_stored(two.vector)
    assert set(inventory.in_no_order()) == {one.vector, two.vector}
    assert inventory.unexpired([one.vector, two.vector, arrival(3).vector], NOW) == [one.vector]


async def test_p17_hashes_of_expired_objects_are_kept_for_three_hours() -> None:
    database, clock = MemoryDatabase(), StillClock()
    one = arrival(1)
    database.inventory.add([StoredObject(one.object)])
    inventory = Inventory(database, clock)
    await inventory.load()
    clock.seconds = NOW + 60 + 10_800
    assert await inventory.purge() == []
    assert one.vector in inventory
    clock.seconds += 1
    assert await inventory.purge() == [one.vector]
    assert one.vector not in inventory


def test_refused_objects_are_remembered_within_a_limit() -> None:
    inventory = Inventory(MemoryDatabase(), StillClock())
    vectors = [InventoryVector(number.to_bytes(32)) for number in range(MAX_REJECTED + 1)]
    for vector in vectors:
        inventory.reject(vector)
    assert vectors[0] not in inventory
    assert vectors[-1] in inventory


# --- P40: room ---


def processed(database: MemoryDatabase, *arrivals: Arrival, own: bool = False) -> None:
    database.inventory.add([StoredObject(each.object, to_process=False, own=own) for each in arrivals])


async def limited(database: MemoryDatabase, limit: int) -> Inventory:
    inventory = Inventory(database, StillClock(), limit)
    await inventory.load()
    await inventory.measure()
    return inventory


async def test_p40_what_expires_first_makes_room_for_what_is_new_and_is_not_fetched_again() -> None:
    database = MemoryDatabase()
    old = [arrival(number, NOW + 1_000 - number, 1_000) for number in range(10)]
    size = len(old[0].object.encoded)
    processed(database, *old)
    inventory = await limited(database, 10 * size)
    assert inventory.stored_bytes == 10 * size
    new = arrival(99, NOW + 500, 1_000)
    with storing(inventory) as stored:
        inventory.offer(new)
        await stored.get()
        await asyncio.sleep(0)
    assert inventory.stored_bytes == 10 * size
    assert [each for each in old if not inventory.is_stored(each.vector)] == [old[9]]
    assert inventory.is_stored(new.vector)
    assert inventory.lacking([old[9].vector]) == []
    assert await inventory.get([old[9].vector]) == {}


async def test_p40_own_objects_and_unprocessed_ones_go_last_or_stay() -> None:
    database = MemoryDatabase()
    mine, waiting = arrival(1, NOW + 1, 1_000), arrival(2, NOW + 2, 1_000)
    others = [arrival(number, NOW + 100, 1_000) for number in range(3, 6)]
    processed(database, mine, own=True)
    processed(database, *others)
    database.inventory.add([StoredObject(waiting.object)])
    size = len(mine.object.encoded)
    inventory = await limited(database, 2 * size)
    with storing(inventory) as stored:
        inventory.offer(arrival(9, NOW + 200, 1_000))
        await stored.get()
        await asyncio.sleep(0)
    assert set(database.inventory.objects) == {waiting.vector, arrival(9, NOW + 200, 1_000).vector}


async def test_p40_own_objects_outlive_others_that_expire_later() -> None:
    database = MemoryDatabase()
    mine, other = arrival(1, NOW + 1, 1_000), arrival(2, NOW + 100, 1_000)
    processed(database, mine, own=True)
    processed(database, other)
    inventory = await limited(database, 2 * len(mine.object.encoded))
    with storing(inventory) as stored:
        inventory.offer(arrival(9, NOW + 200, 1_000))
        await stored.get()
        await asyncio.sleep(0)
    assert inventory.is_stored(mine.vector)
    assert not inventory.is_stored(other.vector)


async def test_p40_where_nothing_may_go_the_inventory_grows() -> None:
    database = MemoryDatabase()
    inventory = await limited(database, 1_000)
    with storing(inventory) as stored:
        for number in range(3):
            inventory.offer(arrival(number, size=1_000))
        await stored.get()
        await asyncio.sleep(0)
    assert len(inventory) == 3


async def test_p40_evicted_hashes_are_forgotten_when_they_have_expired() -> None:
    database, clock = MemoryDatabase(), StillClock()
    old = arrival(1, NOW + 1, 1_000)
    processed(database, old)
    inventory = Inventory(database, clock, 1_000)
    await inventory.load()
    await inventory.measure()
    with storing(inventory) as stored:
        inventory.offer(arrival(2, NOW + 100_000, 10))
        await stored.get()
        await asyncio.sleep(0)
    assert inventory.lacking([old.vector]) == []
    clock.seconds = NOW + 2 + 10_800
    await inventory.purge()
    assert inventory.lacking([old.vector]) == [old.vector]
