"""Lanes of this machine: native code in threads, hashlib in processes."""

import os
import signal
from collections.abc import AsyncIterator
from typing import cast

import psutil
import pytest

from bmgate.native import choose_backend, hashlib_search
from bmgate.pow.local import LocalEngine, ProcessLane

EASY = (1 << 64) // 300
HASH = bytes(range(64))


@pytest.fixture(params=["scalar", "hashlib"])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[LocalEngine]:
    engine = LocalEngine(choose_backend(request.param), lanes=2, nice=5)
    assert await engine.start() > 0
    yield engine
    await engine.close()


async def test_a_lane_finds_the_first_nonce_and_tells_where_it_stands(engine: LocalEngine) -> None:
    nonce, next_untried = hashlib_search(HASH, EASY, 5, 10_000, bytearray(1))
    trials = await engine.search(1, HASH, EASY, 5, 10_000)
    assert (trials.nonce, trials.next_untried) == (nonce, next_untried)
    assert trials.seconds > 0
    missed = await engine.search(0, HASH, 0, 5, 2_000)
    assert (missed.nonce, missed.next_untried) == (None, 2_005)


async def test_a_stopped_lane_searches_again_when_asked_again(engine: LocalEngine) -> None:
    engine.stop(0)
    trials = await engine.search(0, HASH, 0, 0, 3_000)
    assert trials.next_untried == 3_000


async def test_closing_ends_a_search_that_would_never_end() -> None:
    engine = LocalEngine(choose_backend(), lanes=1, nice=0)
    await engine.start()
    search = engine.search(0, HASH, 0, 0, 1 << 60)
    search.send(None)  # hands the chunk to its thread
    await engine.close()
    search.close()


async def test_no_process_is_left_after_closing() -> None:
    engine = LocalEngine(choose_backend("hashlib"), lanes=2, nice=0)
    await engine.start()
    workers = [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]
    assert len(workers) == 2
    await engine.close()
    assert not any(worker.is_running() for worker in workers)


def test_a_worker_process_that_is_killed_is_replaced_and_its_chunk_given_back() -> None:
    lane = ProcessLane(hashlib_search, nice=0)
    try:
        assert lane.search(HASH, 0, 0, 10) == (None, 10)
        os.kill(cast(int, lane.process_id), signal.SIGKILL)
        assert lane.search(HASH, 0, 50, 10) == (None, 50)
        assert lane.search(HASH, 0, 50, 10) == (None, 60)
    finally:
        lane.close()


def test_a_worker_process_heeds_the_stop_flag() -> None:
    lane = ProcessLane(hashlib_search, nice=0)
    try:
        lane.stop()
        assert lane.search(HASH, 0, 7, 1 << 60) == (None, 7)
        lane.clear()
        assert lane.search(HASH, 0, 7, 3) == (None, 10)
    finally:
        lane.close()
