"""The node checks and stores at least 20,000 objects a second, with 200,000 stored already.

Objects of 1 kB take the node's own way from the moment a peer's packet was read: inventory vector, acceptance with its
proof of work, queue, transactions of the one writer with synchronous=FULL. Beside it, in turns, the same checks and a
bare sqlite3 connection with the same settings on a copy of the same database.
"""

import asyncio
import os
import shutil
import sqlite3
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from common import Figure, Must, Options, median_ratio, read_options, report, scratch

from bmgate.bm.acceptance import Verdict, judge
from bmgate.bm.hashes import inventory_vector
from bmgate.bm.network import TESTNET
from bmgate.bm.node.inventory import MAX_BATCH, Arrival, Inventory
from bmgate.bm.objects import ObjectType, encode_object, read_object, with_nonce
from bmgate.clock import SystemClock
from bmgate.domain.objects import StoredObject
from bmgate.native import choose_backend
from bmgate.pow.target import initial_hash, target
from bmgate.storage.database import SealedDatabase, open_database
from bmgate.storage.vault import Vault

PAYLOAD = 978  # octets behind the header: 1,000 in all
TTL_SECONDS = 600
READ_AT_ONCE = 64  # objects in what one read of a socket brings
MASTER_KEY_SIZE = 32
NETWORK = replace(TESTNET, payload_length_extra_bytes=0)  # the check costs the same, the search before it less
SAME_SETTINGS = (
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-32768",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA wal_autocheckpoint=10000",
)
INSERT = (
    "INSERT OR IGNORE INTO object"
    " (vector, object_type, version, expires_time, stem_until, tag, to_process, own, encoded)"
    " VALUES (?, ?, ?, ?, 0, NULL, 1, 0, ?)"
)


def main() -> None:
    options = read_options(__doc__)
    report(options, "Objects: accepted, checked, stored", asyncio.run(measure(options)))


async def measure(options: Options) -> list[Figure]:
    """Rounds in turns over two copies of one filled database."""
    stored, each = options.pick(200_000, 20_000, 500), options.pick(5_000, 2_000, 100)
    rounds = options.pick(7, 5, 1)
    with scratch() as folder:
        ours, bare, key = folder / "ours.db", folder / "bare.db", os.urandom(MASTER_KEY_SIZE)
        await fill(ours, key, stored)
        shutil.copyfile(ours, bare)
        fresh = solved(each * rounds * 2)
        database = open_database(ours, Vault(key, os.urandom), NETWORK.name)
        with closing(sqlite3.connect(bare, isolation_level=None)) as connection:
            for pragma in SAME_SETTINGS:
                connection.execute(pragma)
            rates: dict[str, list[float]] = {"ours": [], "bare": []}
            for turn in range(rounds):
                mine, theirs = (fresh[at : at + each] for at in (2 * turn * each, (2 * turn + 1) * each))
                for name in ("ours", "bare")[:: -1 if turn % 2 else 1]:
                    elapsed = await accept(database, mine) if name == "ours" else accept_bare(connection, theirs)
                    rates[name].append(each / elapsed)
        total, _ = await database.read(lambda store: store.inventory.count())
        await database.close()
    assert total == stored + each * rounds, total
    return [
        Figure(
            f"objects of 1 kB with {stored:,} stored, {rounds} rounds of {each:,}",
            statistics.median(rates["ours"]),
            "/s",
            Must(20_000),
            "bare sqlite3, same settings",
            median_ratio(rates["ours"], rates["bare"]),
        ),
        Figure("bare sqlite3, same checks", statistics.median(rates["bare"]), "/s"),
        Figure("parsed and checked only, one thread", check_rate(fresh), "/s"),
    ]


async def fill(path: Path, key: bytes, count: int) -> None:
    """`count` objects of random content, processed already; nobody checks their work."""
    database, expires = open_database(path, Vault(key, os.urandom), NETWORK.name), int(time.time()) + TTL_SECONDS
    for start in range(0, count, MAX_BATCH):
        objects = [
            StoredObject(
                read_object(encode_object(expires, ObjectType.MSG, 1, 1, os.urandom(PAYLOAD))), to_process=False
            )
            for _ in range(min(MAX_BATCH, count - start))
        ]
        await database.transact(partial(lambda store, batch: store.inventory.add(batch), batch=objects))
    await database.close()


def solved(count: int) -> list[bytes]:
    """Encoded objects with their proof of work."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return list(threads.map(lambda _: solve(), range(count)))


def solve() -> bytes:
    encoded = encode_object(int(time.time()) + TTL_SECONDS, ObjectType.MSG, 1, 1, os.urandom(PAYLOAD))
    minimum = (NETWORK.nonce_trials_per_byte, NETWORK.payload_length_extra_bytes)
    limit = target(len(encoded), TTL_SECONDS, *minimum)
    nonce, _ = choose_backend().search(initial_hash(encoded), limit, 0, 1 << 40, bytearray(1))
    assert nonce is not None
    return with_nonce(encoded, nonce)


async def accept(database: SealedDatabase, encoded: Sequence[bytes]) -> float:
    """Seconds until all are stored, each as when a peer sends it."""
    inventory, done = Inventory(database, SystemClock()), asyncio.Event()
    left = len(encoded)

    def stored(arrivals: list[Arrival]) -> None:
        nonlocal left
        left -= len(arrivals)
        if not left:
            done.set()

    async with asyncio.TaskGroup() as tasks:
        storing = tasks.create_task(inventory.store_arrivals(stored))
        begun = time.perf_counter()
        for start in range(0, len(encoded), READ_AT_ONCE):
            for each in encoded[start : start + READ_AT_ONCE]:
                offer(inventory, each)
            await asyncio.sleep(0)
        await done.wait()
        elapsed = time.perf_counter() - begun
        storing.cancel()
    return elapsed


def offer(inventory: Inventory, encoded: bytes) -> None:
    """What the node does with an object that arrives."""
    vector = inventory_vector(encoded)
    if vector in inventory:
        return
    verdict, obj = judge(encoded, int(time.time()), NETWORK)
    assert verdict is Verdict.ACCEPT
    assert obj is not None
    inventory.offer(Arrival(vector, obj, (), None))


def accept_bare(connection: sqlite3.Connection, encoded: Sequence[bytes]) -> float:
    """Seconds of the same checks and one insert for each batch."""
    begun = time.perf_counter()
    for start in range(0, len(encoded), MAX_BATCH):
        rows = []
        for each in encoded[start : start + MAX_BATCH]:
            vector = inventory_vector(each)
            verdict, obj = judge(each, int(time.time()), NETWORK)
            assert verdict is Verdict.ACCEPT
            assert obj is not None
            rows.append((vector, obj.object_type, obj.version, obj.expires_time, each))
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(INSERT, rows)
        connection.execute("COMMIT")
    return time.perf_counter() - begun


def check_rate(encoded: Sequence[bytes]) -> float:
    """Objects per second without storing."""
    some, now = encoded[:5_000], int(time.time())
    begun = time.perf_counter()
    for each in some:
        inventory_vector(each)
        judge(each, now, NETWORK)
    return len(some) / (time.perf_counter() - begun)


if __name__ == "__main__":
    main()
