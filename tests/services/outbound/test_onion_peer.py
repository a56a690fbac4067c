"""The network is told of our onion service, and not more often than it forgets."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fakes import FakeAnnouncer, FakeClock, FakeSolver, WatchedDatabase, WatchedThreads, settle
from storage_fixtures import make_database, make_vault

from bmgate.bm.network import TESTNET
from bmgate.bm.objects import ObjectType, OnionPeer, encode_onionpeer, read_object, read_onionpeer
from bmgate.domain.objects import StoredObject
from bmgate.services.outbound.onion_peer import FIRST_MEAN_SECONDS, LOOK_SECONDS, TTL_SECONDS, OnionPeerPublisher

NOW = 1_795_300_000
OWN = OnionPeer("a" * 55 + "d.onion", 8444)


@dataclass
class Published:
    """A publisher at work, and the world around it."""

    publisher: OnionPeerPublisher
    database: WatchedDatabase
    clock: FakeClock
    announcer: FakeAnnouncer
    solver: FakeSolver

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await settle([self.database], WatchedThreads())


@asynccontextmanager
async def publishing(folder: Path) -> AsyncIterator[Published]:
    sealed = make_database(folder, make_vault())
    database, clock, announcer, solver = WatchedDatabase(sealed), FakeClock(NOW), FakeAnnouncer(), FakeSolver()
    publisher = OnionPeerPublisher(database, solver, announcer, clock, os.urandom, TESTNET)
    task = asyncio.create_task(publisher.run())
    try:
        yield Published(publisher, database, clock, announcer, solver)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await sealed.close()


async def test_without_a_name_nothing_is_published(tmp_path: Path) -> None:
    async with publishing(tmp_path) as made:
        for _ in range(3):
            await made.pass_time(LOOK_SECONDS)
        assert made.announcer.announced == []
        assert made.solver.jobs == []


async def test_our_onion_service_is_published_once_and_again_when_that_has_expired(tmp_path: Path) -> None:
    async with publishing(tmp_path) as made:
        made.publisher.named(OWN)
        await made.pass_time(0)
        await made.pass_time(100 * FIRST_MEAN_SECONDS)
        (vector,) = made.announcer.announced
        found = await made.database.read(lambda store: store.inventory.get([vector]))
        obj = read_object(found[vector])
        assert obj.object_type == ObjectType.ONIONPEER
        assert read_onionpeer(obj) == OWN
        assert TTL_SECONDS - 1 <= obj.expires_time - made.clock.now() <= TTL_SECONDS
        for _ in range(TTL_SECONDS // LOOK_SECONDS - 1):
            await made.pass_time(LOOK_SECONDS)
        assert made.announcer.announced == [vector]
        for _ in range(2):
            await made.pass_time(LOOK_SECONDS)
        assert len(made.announcer.announced) == 2


async def test_a_copy_that_somebody_else_published_will_do(tmp_path: Path) -> None:
    async with publishing(tmp_path) as made:
        theirs = StoredObject(read_object(encode_onionpeer(OWN, NOW + TTL_SECONDS)))
        other = StoredObject(read_object(encode_onionpeer(OnionPeer(OWN.host, 8445), NOW + TTL_SECONDS)))
        await made.database.transact(lambda store: store.inventory.add([theirs, other]))
        made.publisher.named(OWN)
        await made.pass_time(0)
        await made.pass_time(100 * FIRST_MEAN_SECONDS)
        assert made.announcer.announced == []
