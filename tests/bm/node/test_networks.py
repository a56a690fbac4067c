"""Twenty nodes: everything reaches everyone, partitions heal, and a spy rarely learns where an object began."""

import asyncio
from random import Random

import pytest
from networks import MemoryNetwork, in_virtual_time, stopping

from bmgate.bm.hashes import InventoryVector
from bmgate.bm.node.exchange import ExchangeSettings

NODES = 20
DIALLED = 4  # by each node
TRIALS = 200
WITH, WITHOUT = (ExchangeSettings(first_getdata=0.0, dandelion=dandelion) for dandelion in (True, False))
UNTIL_LINKED, BETWEEN, UNTIL_QUIET = 20.0, 60.0, 240.0  # seconds


async def share_named(settings: ExchangeSettings, seed: int, trials: int) -> float:
    """How often a spy at every node names the true origin, when it names who told it first."""
    network = MemoryNetwork(Random(seed), settings)
    with stopping(network):
        await network.add_nodes(NODES, DIALLED)
        spy = network.add_spy()
        await asyncio.sleep(UNTIL_LINKED)
        origins: dict[InventoryVector, int] = {}
        for _ in range(trials):
            origin = network.random.randrange(NODES)
            origins[await network.nodes[origin].publish(network.new_object())] = origin
            await asyncio.sleep(BETWEEN)
        await asyncio.sleep(UNTIL_QUIET)
        assert all(node.has(vector) for node in network.nodes for vector in origins)
    return sum(spy.first[vector] == origin for vector, origin in origins.items()) / trials


def test_t3_v22_a_spy_at_every_node_rarely_names_the_origin_of_an_object() -> None:
    with_stems = in_virtual_time(share_named(WITH, 1, TRIALS))
    without = in_virtual_time(share_named(WITHOUT, 1, TRIALS // 4))
    assert with_stems <= 0.30
    assert without >= 0.80
    assert with_stems < without / 2


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(20))
def test_t3_v22_the_origin_stays_hidden_in_many_networks(seed: int) -> None:
    assert in_virtual_time(share_named(WITH, seed, 500)) <= 0.30


async def heal(settings: ExchangeSettings, seed: int) -> tuple[set[frozenset[InventoryVector]], int]:
    """The different inventories there are after two halves of a network were apart and met again, and one's size."""
    network = MemoryNetwork(Random(seed), settings)
    with stopping(network):
        await network.add_nodes(NODES, DIALLED)
        await asyncio.sleep(UNTIL_LINKED)
        for index in range(NODES):
            await network.nodes[index].publish(network.new_object())
        await asyncio.sleep(UNTIL_QUIET)
        network.partition(range(NODES // 2))
        for index in (0, NODES - 1):
            network.unlink(index)
        for index in range(NODES):
            await network.nodes[index].publish(network.new_object())
        await asyncio.sleep(UNTIL_QUIET)
        assert len({frozenset(node.vectors) for node in network.nodes}) == 4
        for index in range(NODES):
            for called in network.random.sample([other for other in range(NODES) if other != index], 2):
                network.link(index, called)
        await asyncio.sleep(UNTIL_QUIET)
        inventories = {frozenset(node.vectors) for node in network.nodes}
    return inventories, len(next(iter(inventories)))


@pytest.mark.parametrize("settings", [WITH, WITHOUT], ids=["with Dandelion", "without"])
def test_after_a_partition_heals_all_inventories_are_equal(settings: ExchangeSettings) -> None:
    inventories, size = in_virtual_time(heal(settings, 1))
    assert len(inventories) == 1
    assert size == 2 * NODES


async def lose_the_child() -> float:
    """Seconds until everybody has an object whose stem ended at a peer that was gone before it could pass it on."""
    network = MemoryNetwork(Random(3), WITH)
    with stopping(network):
        await network.add_nodes(NODES, DIALLED)
        await asyncio.sleep(UNTIL_LINKED)
        published = network.clock.monotonic()
        vector = await network.nodes[0].publish(network.new_object())
        while not (reached := [index for index in range(1, NODES) if network.nodes[index].has(vector)]):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        network.unlink(reached[0])
        others = [node for index, node in enumerate(network.nodes) if index != reached[0]]
        while not all(node.has(vector) for node in others):  # noqa: ASYNC110 - time here is virtual
            await asyncio.sleep(1)
        return network.clock.monotonic() - published


def test_an_object_whose_stem_breaks_off_is_spread_when_its_time_is_over() -> None:
    assert in_virtual_time(lose_the_child()) < 300
