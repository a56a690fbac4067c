"""Twenty real nodes in one process, each on its own 127.x.y.z: what one publishes all get, whoever comes and goes."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random, SystemRandom

from live_nodes import until
from peers import MemoryDatabase, worked_object

from bmgate.bm.hashes import InventoryVector
from bmgate.bm.network import TESTNET
from bmgate.bm.node.dialing import Backoff
from bmgate.bm.node.node import Node, NodeSettings
from bmgate.bm.node.targets import PeerTarget
from bmgate.clock import SystemClock

NODES, HALF = 20, 10
DIALLED = 3
HOUR = 3_600
FAST = Backoff(first=0.02, longest=0.1)


@dataclass
class Place:
    """Where a node lives, and what outlives it."""

    host: str
    group: asyncio.TaskGroup
    database: MemoryDatabase = field(default_factory=MemoryDatabase)
    port: int = 0
    node: Node | None = None

    @property
    def target(self) -> PeerTarget:
        return PeerTarget(self.host, self.port)

    async def start(self, peers: Iterable["Place"] = ()) -> None:
        settings = NodeSettings(
            TESTNET,
            (self.target,),
            peers=tuple(peer.target for peer in peers),
            backoff=FAST,
            tick_seconds=0.1,
        )
        self.node = Node(settings, self.database, SystemClock(), os.urandom, SystemRandom(), lambda _: None)
        await self.node.start(self.group)
        self.port = self.node.listening[0].port

    async def stop(self) -> None:
        if self.node is not None:
            await self.node.stop()
            self.node = None

    def publish(self) -> InventoryVector:
        assert self.node is not None
        now = int(time.time())
        vector = self.database.store(worked_object(os.urandom(20), now + HOUR, now))
        self.node.announce([vector])
        return vector


@asynccontextmanager
async def places() -> AsyncIterator[list[Place]]:
    async with asyncio.TaskGroup() as group:
        made = [Place(f"127.78.0.{number}", group) for number in range(1, NODES + 1)]
        try:
            yield made
        finally:
            for place in made:
                await place.stop()


def all_have(some: Iterable[Place], vectors: Iterable[InventoryVector]) -> Callable[[], bool]:
    wanted = set(vectors)
    return lambda: all(wanted <= place.database.inventory.objects.keys() for place in some)


async def start_linked(some: list[Place], random: Random) -> None:
    """Each dials some of those that started before it."""
    for index, place in enumerate(some):
        await place.start(random.sample(some[:index], min(DIALLED, index)))


async def test_what_one_node_of_twenty_publishes_all_get_and_after_a_partition_heals_all_have_all() -> None:
    random = Random(1)
    async with places() as all_of_them:
        await start_linked(all_of_them, random)
        first = all_of_them[7].publish()
        await until(all_have(all_of_them, [first]))
        for place in all_of_them:
            await place.stop()
        left, right = all_of_them[:HALF], all_of_them[HALF:]
        await start_linked(left, random)
        await start_linked(right[1:], random)
        apart = [left[0].publish(), right[3].publish()]
        await until(all_have(left, [first, apart[0]]))
        await until(all_have(right[1:], [first, apart[1]]))
        assert apart[1] not in left[0].database.inventory.objects
        await right[0].start([left[5], right[6]])  # the dead one comes back, and joins the two halves
        await until(all_have(all_of_them, [first, *apart]))
        assert len({frozenset(place.database.inventory.objects) for place in all_of_them}) == 1
