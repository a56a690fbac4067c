"""A network of many exchanges in memory, in a time of its own: hours pass as fast as the machine can think."""

import asyncio
import selectors
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, TypeVar, cast

from peers import UNIX_NOW, MemoryDatabase, worked_object

from bmgate.bm.acceptance import Verdict
from bmgate.bm.commands import Command, Dinv, Getdata, Inv, ObjectCommand, Services
from bmgate.bm.handshake import Ending
from bmgate.bm.hashes import InventoryVector
from bmgate.bm.network import TESTNET, NetworkParameters
from bmgate.bm.node.download import PeerId
from bmgate.bm.node.exchange import Exchange, ExchangeSettings
from bmgate.bm.node.inventory import Inventory
from bmgate.bm.node.peer import Pause, PeerProtocol
from bmgate.bm.peer_events import Announced, ObjectArrived, PeerEvent, Requested

T = TypeVar("T")

LIVE_TIMES: NetworkParameters = replace(TESTNET, payload_length_extra_bytes=0, delay_divisor=1, stem_divisor=1)
"""The delays of the live network, and work that costs nothing."""

LATENCY_SECONDS = 0.1
TICK_SECONDS = 15.0
DAY_SECONDS = 86_400


# --- time ---


class _Selector(selectors.SelectSelector):
    """Waits for nothing: the time somebody wanted to wait has passed at once."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.passed += max(timeout or 0.0, 0.0)
        return super().select(0)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next thing that is to happen. For what needs no threads and no sockets."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.passed


class LoopClock:
    """The `Clock` of such a loop."""

    def now(self) -> int:
        return UNIX_NOW + int(self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def in_virtual_time(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end in a loop and a time of its own."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


# --- nodes and links ---


class Link:
    """One end of a connection: what it is made to say arrives at the other a little later."""

    def __init__(self, number: int, services: Services, hear: Callable[["Link", PeerEvent], None]) -> None:
        self.id, self.services = PeerId(number), services
        self._hear = hear
        self.other: Link
        self.is_open = True
        self.can_write = asyncio.Event()
        self.can_write.set()

    def say(self, commands: Iterable[Command]) -> None:
        for command in commands:
            event = _event(command)
            asyncio.get_running_loop().call_later(LATENCY_SECONDS, self.other.arrive, event)

    def arrive(self, event: PeerEvent) -> None:
        if self.is_open:
            self._hear(self, event)

    def pause_reading(self, pause: Pause) -> None: ...

    def resume_reading(self, pause: Pause) -> None: ...

    def hang_up(self, ending: Ending, detail: str) -> None:
        raise AssertionError(f"{ending}: {detail}")


def _event(command: Command) -> PeerEvent:
    match command:
        case Inv(vectors):
            return Announced(vectors)
        case Dinv(vectors):
            return Announced(vectors, stem=True)
        case Getdata(vectors):
            return Requested(vectors)
        case ObjectCommand(encoded):
            return ObjectArrived(encoded)
        case _:
            raise AssertionError(command)


@dataclass
class MemoryNode:
    """An exchange and what it stands on."""

    exchange: Exchange
    database: MemoryDatabase
    links: list[Link] = field(default_factory=list)

    async def publish(self, encoded: bytes) -> InventoryVector:
        """Store and announce, as a service does."""
        vector = self.database.store(encoded)
        await self.exchange.announce_own([vector])
        return vector

    def has(self, vector: InventoryVector) -> bool:
        return vector in self.database.inventory.objects

    @property
    def vectors(self) -> set[InventoryVector]:
        return set(self.database.inventory.objects)


@dataclass
class Spy:
    """Whoever is connected to all nodes and says nothing: where each object was heard of first."""

    first: dict[InventoryVector, int] = field(default_factory=dict)

    def hear(self, node: int, event: PeerEvent) -> None:
        if isinstance(event, Announced):
            for vector in event.vectors:
                self.first.setdefault(vector, node)


class MemoryNetwork:
    """Nodes that are all somehow connected. All that is random comes from `random`."""

    def __init__(self, random: Random, settings: ExchangeSettings, network: NetworkParameters = LIVE_TIMES) -> None:
        self.random, self.settings, self.network = random, settings, network
        self.clock = LoopClock()
        self.nodes: list[MemoryNode] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._links = 0

    async def add_nodes(self, number: int, outbound: int) -> None:
        """Nodes that each have dialled `outbound` others of them."""
        for _ in range(number):
            self.nodes.append(await self._make_node())
        for caller in range(number):
            others = [index for index in range(number) if index != caller]
            for called in self.random.sample(others, outbound):
                if not self._are_linked(caller, called):
                    self.link(caller, called)
        self._spawn(self._tick())

    async def _make_node(self) -> MemoryNode:
        database = MemoryDatabase()
        exchange = Exchange(
            self.network,
            self.settings,
            Inventory(database, self.clock),
            self.clock,
            Random(self.random.random()),
            self._spawn,
            lambda objects: None,
            _nobody_is_discouraged,
        )
        await exchange.start()
        return MemoryNode(exchange, database)

    def link(self, caller: int, called: int) -> None:
        """One node dials another."""
        services = Services.NETWORK | (Services.DANDELION if self.settings.dandelion else Services(0))
        ends = [self._end(index, services) for index in (caller, called)]
        ends[0].other, ends[1].other = ends[1], ends[0]
        for index, end in ((caller, ends[0]), (called, ends[1])):
            self.nodes[index].links.append(end)
            self.nodes[index].exchange.established(cast(PeerProtocol, end), outbound=index == caller)

    def unlink(self, node: int) -> None:
        """All connections of this node end."""
        for end in list(self.nodes[node].links):
            self._cut(end)

    def partition(self, some: Collection[int]) -> None:
        """All connections between `some` and the rest end."""
        for index in some:
            for end in list(self.nodes[index].links):
                if self._owner(end.other) not in some:
                    self._cut(end)

    def _cut(self, end: Link) -> None:
        for each in (end, end.other):
            each.is_open = False
            owner = self.nodes[self._owner(each)]
            owner.links.remove(each)
            owner.exchange.closed(cast(PeerProtocol, each))

    def _owner(self, end: Link) -> int:
        return next(index for index, node in enumerate(self.nodes) if end in node.links)

    def add_spy(self) -> Spy:
        """Somebody dials every node."""
        spy = Spy()
        for index, node in enumerate(self.nodes):
            inside = self._end(index, Services.NETWORK | Services.DANDELION)
            outside = Link(0, Services.NETWORK, lambda _, event, index=index: spy.hear(index, event))  # type: ignore[misc]
            inside.other, outside.other = outside, inside
            node.links.append(inside)
            node.exchange.established(cast(PeerProtocol, inside), outbound=False)
        return spy

    def new_object(self, ttl_seconds: int = DAY_SECONDS) -> bytes:
        now = self.clock.now()
        return worked_object(self.random.randbytes(20), now + ttl_seconds, now, self.network)

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _end(self, node: int, services: Services) -> Link:
        self._links += 1
        exchange = self.nodes[node].exchange
        return Link(self._links, services, lambda end, event: exchange.handle(cast(PeerProtocol, end), event))

    def _are_linked(self, one: int, two: int) -> bool:
        return any(end.other in self.nodes[two].links for end in self.nodes[one].links)

    async def _tick(self) -> None:
        while True:
            await self.clock.sleep(TICK_SECONDS)
            for node in self.nodes:
                node.exchange.tick()

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.append(task)
        return task


def _nobody_is_discouraged(peer: PeerProtocol, verdict: Verdict) -> None:
    raise AssertionError("an honest node was found at fault")


@contextmanager
def stopping(network: MemoryNetwork) -> Iterator[MemoryNetwork]:
    """The tasks of the network end here."""
    try:
        yield network
    finally:
        network.stop()
