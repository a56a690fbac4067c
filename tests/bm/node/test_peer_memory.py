"""Known nodes and bans on their way to the database and back."""

from random import Random

import pytest
from fakes import FakeClock
from peers import UNIX_NOW, MemoryDatabase

from bmgate.bm.node.bans import Bans
from bmgate.bm.node.known_nodes import KnownNodes
from bmgate.bm.node.peer_memory import PeerMemory
from bmgate.bm.node.targets import PeerTarget
from bmgate.errors import StorageBusy


class Run:
    """One run of a node, as far as it remembers."""

    def __init__(self, database: MemoryDatabase) -> None:
        self.database, self.known, self.bans = database, KnownNodes(Random(1)), Bans()
        self.memory = PeerMemory(database, self.known, self.bans, FakeClock(UNIX_NOW))

    def learn(self, number: int) -> None:
        for index in range(number):
            target = PeerTarget(f"{20 + index // 250}.{index % 250}.1.1", 8444)
            self.known.hear(target, f"{index % 100}.1.0.0/16", UNIX_NOW, UNIX_NOW)


async def test_what_one_run_knew_the_next_one_knows() -> None:
    first = Run(MemoryDatabase())
    await first.memory.load()
    first.learn(1_200)
    first.bans.discourage("66.1.1.1", "bad work", UNIX_NOW)
    await first.memory.save()
    assert len(first.database.batches) > 2  # in portions
    second = Run(first.database)
    await second.memory.load()
    assert sorted(map(str, second.known)) == sorted(map(str, first.known))
    assert second.bans.is_refused("66.1.1.1", UNIX_NOW)


async def test_what_cannot_be_written_waits(caplog: pytest.LogCaptureFixture) -> None:
    run = Run(MemoryDatabase())
    await run.memory.load()
    run.learn(700)
    run.bans.ban("66.1.1.1", UNIX_NOW)
    run.database.failures += [StorageBusy("busy")]
    await run.memory.save()
    assert "not saved for now" in caplog.text
    assert run.database.peers.known() == []
    await run.memory.save()
    assert len(run.database.peers.known()) == len(run.known)
    assert [each.source for each in run.database.peers.standings()] == ["66.1.1.1"]


async def test_nothing_new_writes_nothing() -> None:
    run = Run(MemoryDatabase())
    await run.memory.load()
    await run.memory.save()
    assert run.database.batches == []
