"""Announcements in the trade with peers: little at once, much in its turn, and nobody read who is ahead of us."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from random import Random
from typing import cast

from peers import MemoryDatabase

from bmgate.bm.commands import Command, Getdata
from bmgate.bm.hashes import InventoryVector
from bmgate.bm.network import TESTNET
from bmgate.bm.node.download import DownloadLimits, PeerId
from bmgate.bm.node.exchange import DIGESTED_AT_ONCE, PROMPT_INVS, PROMPT_VECTORS, Exchange, ExchangeSettings
from bmgate.bm.node.inventory import Inventory
from bmgate.bm.node.peer import Pause, PeerProtocol
from bmgate.bm.peer_events import Announced
from bmgate.clock import SystemClock


def vectors(number: int, start: int = 0) -> tuple[InventoryVector, ...]:
    return tuple(InventoryVector(index.to_bytes(32)) for index in range(start, start + number))


class RecordingPeer:
    """What the trade needs of a peer, without a connection."""

    def __init__(self, number: int) -> None:
        self.id = PeerId(number)
        self.asked: list[InventoryVector] = []
        self.pauses: set[Pause] = set()
        self.can_write = asyncio.Event()

    @property
    def protocol(self) -> PeerProtocol:
        return cast(PeerProtocol, self)

    def say(self, commands: Iterable[Command]) -> None:
        self.asked += [vector for each in commands if isinstance(each, Getdata) for vector in each.vectors]

    def pause_reading(self, pause: Pause) -> None:
        self.pauses.add(pause)

    def resume_reading(self, pause: Pause) -> None:
        self.pauses.discard(pause)


@asynccontextmanager
async def trade(*peers: RecordingPeer) -> AsyncIterator[Exchange]:
    """An exchange with these peers, which it may ask without limit."""
    settings = ExchangeSettings(first_getdata=0.0, download=DownloadLimits(first_window=1_000_000))
    clock, tasks = SystemClock(), list[asyncio.Task[None]]()
    async with asyncio.TaskGroup() as group:

        def spawn(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
            tasks.append(group.create_task(work))
            return tasks[-1]

        def received(objects: object) -> None:
            assert not objects

        exchange = Exchange(
            TESTNET,
            settings,
            Inventory(MemoryDatabase(), clock),
            clock,
            Random(1),
            spawn,
            received,
            received,
        )
        await exchange.start()
        for peer in peers:
            exchange.established(peer.protocol, outbound=False)
        try:
            yield exchange
        finally:
            for task in tasks:
                task.cancel()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the exchange tells nobody of these things
            await asyncio.sleep(0)


async def test_a_small_inv_is_answered_at_once() -> None:
    alice = RecordingPeer(1)
    async with trade(alice) as exchange:
        exchange.handle(alice.protocol, Announced(vectors(PROMPT_VECTORS)))
        assert alice.asked == list(vectors(PROMPT_VECTORS))
        assert not alice.pauses


async def test_t1_p9_a_peer_that_announces_much_is_not_read_until_it_is_digested_and_others_are_served() -> None:
    flooder, other = RecordingPeer(1), RecordingPeer(2)
    async with trade(flooder, other) as exchange:
        exchange.handle(flooder.protocol, Announced(vectors(50_000)))
        assert flooder.pauses == {Pause.DIGESTING}
        assert not flooder.asked
        exchange.handle(other.protocol, Announced(vectors(10, start=60_000)))
        assert other.asked == list(vectors(10, start=60_000))
        await until(lambda: bool(flooder.asked))
        assert len(flooder.asked) == DIGESTED_AT_ONCE
        assert flooder.pauses
        await until(lambda: not flooder.pauses)
        exchange.tick()
        exchange.handle(flooder.protocol, Announced(vectors(10, start=70_000)))
        assert not flooder.pauses


async def test_t1_peers_that_flood_are_digested_in_turn() -> None:
    flooders = [RecordingPeer(number) for number in range(1, 4)]
    async with trade(*flooders) as exchange:
        for index, flooder in enumerate(flooders):
            exchange.handle(flooder.protocol, Announced(vectors(5 * DIGESTED_AT_ONCE, start=index * 10_000)))
        await until(lambda: all(flooder.asked for flooder in flooders))
        assert all(flooder.pauses for flooder in flooders)
        await until(lambda: not any(flooder.pauses for flooder in flooders))


async def test_t1_many_small_invs_wait_like_a_large_one() -> None:
    alice = RecordingPeer(1)
    async with trade(alice) as exchange:
        for index in range(PROMPT_INVS + 1):
            assert not alice.pauses
            exchange.handle(alice.protocol, Announced(vectors(1, start=index)))
        assert len(alice.asked) == PROMPT_INVS
        assert alice.pauses == {Pause.DIGESTING}
        await until(lambda: not alice.pauses)
        assert alice.asked == list(vectors(PROMPT_INVS + 1))


async def test_t1_the_backlog_of_a_peer_that_went_is_forgotten() -> None:
    alice, bob = RecordingPeer(1), RecordingPeer(2)
    async with trade(alice, bob) as exchange:
        exchange.handle(alice.protocol, Announced(vectors(5_000)))
        exchange.handle(bob.protocol, Announced(vectors(5_000, start=5_000)))
        exchange.closed(alice.protocol)
        await until(lambda: not bob.pauses)
        assert not alice.asked
