"""Searching for nonces on this machine, off the loop: native code in threads, or hashlib in processes.

An engine has lanes that search at the same time, one chunk of nonces each; which chunks those are is the solver's
business. The native kernel runs without the GIL, so a lane is a thread; the hashlib loop keeps the GIL, so there each
lane drives a process of its own.
"""

import asyncio
import logging
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Protocol

from bmgate.native import Backend, Buffer, Search

CHUNK_SECONDS = 0.05  # what another account's first job waits for
CHUNK_STEP = 4096  # trials; a chunk is so many times this
MEASURE_SECONDS = 0.02
MEASURE_CHUNK = 4096
EXIT_SECONDS = 5.0  # a worker process gets to end by itself

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trials:
    """What came of a chunk: the nonce if there was one, the first nonce not tried, and the time it took."""

    nonce: int | None
    next_untried: int
    seconds: float


class Engine(Protocol):
    """Lanes that search at the same time, in chunks of `chunk` nonces; `start` tells the rate of one of them."""

    @property
    def lanes(self) -> int: ...
    @property
    def chunk(self) -> int: ...
    def estimate(self) -> float: ...
    async def start(self) -> float: ...
    async def search(self, lane: int, initial_hash: bytes, target: int, start: int, count: int) -> Trials: ...
    def stop(self, lane: int) -> None: ...
    async def close(self) -> None: ...


class Lane(Protocol):
    """One search at a time; `search` blocks its thread, `stop` may be called from any other."""

    def search(self, initial_hash: bytes, target: int, start: int, count: int) -> tuple[int | None, int]: ...
    def stop(self) -> None: ...
    def clear(self) -> None: ...
    def close(self) -> None: ...


class LocalEngine:
    """Lanes on this machine. `start` before the first search, `close` after the last."""

    def __init__(self, backend: Backend, lanes: int, nice: int) -> None:
        self.chunk = CHUNK_STEP
        self._backend, self._count, self._nice = backend, lanes, nice
        self._lanes: list[Lane] = []
        self._threads = ThreadPoolExecutor(
            lanes, "pow", initializer=_lower_priority, initargs=(0 if backend.needs_processes else nice,)
        )

    @property
    def lanes(self) -> int:
        """How many searches run at the same time."""
        return self._count

    def estimate(self) -> float:
        """The trials per second of one lane, measured in this thread for 20 ms: for who only asks."""
        return _measure(ThreadLane(self._backend.search))

    async def start(self) -> float:
        """Make the lanes; returns the trials per second of one of them, measured for 20 ms."""
        loop = asyncio.get_running_loop()
        self._lanes = await loop.run_in_executor(self._threads, self._make_lanes)
        rate = await loop.run_in_executor(self._threads, _measure, self._lanes[0])
        self.chunk = max(1, round(rate * CHUNK_SECONDS / CHUNK_STEP)) * CHUNK_STEP
        return rate

    async def search(self, lane: int, initial_hash: bytes, target: int, start: int, count: int) -> Trials:
        """Search `count` nonces from `start` on, in a lane that is free; cancelling leaves it running until `stop`."""
        chosen = self._lanes[lane]
        chosen.clear()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _timed, chosen, initial_hash, target, start, count)

    def stop(self, lane: int) -> None:
        """End what the lane is searching, within a few milliseconds."""
        self._lanes[lane].stop()

    async def close(self) -> None:
        """Stop everything and wait until no thread and no process is left."""
        for lane in self._lanes:
            lane.stop()
        await asyncio.to_thread(self._end)

    def _make_lanes(self) -> list[Lane]:
        if self._backend.needs_processes:
            return [ProcessLane(self._backend.search, self._nice) for _ in range(self._count)]
        return [ThreadLane(self._backend.search) for _ in range(self._count)]

    def _end(self) -> None:
        self._threads.shutdown(cancel_futures=True)
        for lane in self._lanes:
            lane.close()


class ThreadLane:
    """Searches in the thread that asks."""

    def __init__(self, search: Search) -> None:
        self._search, self._flag = search, bytearray(1)

    def search(self, initial_hash: bytes, target: int, start: int, count: int) -> tuple[int | None, int]:
        return self._search(initial_hash, target, start, count, self._flag)

    def stop(self) -> None:
        self._flag[0] = 1

    def clear(self) -> None:
        self._flag[0] = 0

    def close(self) -> None:
        """Nothing to give back."""


class ProcessLane:
    """Searches in a process of its own, which ends when its pipe does: also when this process is killed."""

    def __init__(self, search: Search, nice: int) -> None:
        self._search, self._nice = search, nice
        self._context = get_context("spawn")
        self._flag = self._context.RawArray("B", 1)
        self._begin()

    @property
    def process_id(self) -> int | None:
        return self._process.pid

    def search(self, initial_hash: bytes, target: int, start: int, count: int) -> tuple[int | None, int]:
        try:
            self._pipe.send((initial_hash, target, start, count))
            nonce, next_untried = self._pipe.recv()
        except (EOFError, OSError):
            log.warning("a worker process ended with %s; another takes its place", self._process.exitcode)
            self.close()
            self._begin()
            return None, start
        return nonce, next_untried

    def stop(self) -> None:
        self._flag[0] = 1

    def clear(self) -> None:
        self._flag[0] = 0

    def close(self) -> None:
        self._pipe.close()
        self._process.join(EXIT_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()

    def _begin(self) -> None:
        self._pipe, other_end = self._context.Pipe()
        self._process = self._context.Process(
            target=_serve, args=(self._search, other_end, self._flag, self._nice), name="bmgate-pow", daemon=True
        )
        self._process.start()
        other_end.close()


def _serve(search: Search, pipe: Connection, flag: Buffer, nice: int) -> None:
    """The life of a worker process: searches in, results out, until the other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the gateway, which then closes the pipe
    _lower_priority(nice)
    stop = memoryview(flag).cast("B")
    while True:
        try:
            initial_hash, target, start, count = pipe.recv()
            pipe.send(search(initial_hash, target, start, count, stop))
        except (EOFError, OSError):
            return


def _timed(lane: Lane, initial_hash: bytes, target: int, start: int, count: int) -> Trials:
    begun = time.perf_counter()
    nonce, next_untried = lane.search(initial_hash, target, start, count)
    return Trials(nonce, next_untried, time.perf_counter() - begun)


def _measure(lane: Lane) -> float:
    """Trials per second, from searches that cannot succeed."""
    lane.search(bytes(64), 0, 0, 1)  # a process takes its time to come up
    begun, elapsed, tried = time.perf_counter(), 0.0, 0
    while elapsed < MEASURE_SECONDS:
        tried = lane.search(bytes(64), 0, tried, MEASURE_CHUNK)[1]
        elapsed = time.perf_counter() - begun
    return tried / elapsed


def _lower_priority(nice: int) -> None:
    """Make the calling thread at least this nice; elsewhere than on Linux that would be the whole process."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, 0, max(nice, os.getpriority(os.PRIO_PROCESS, 0)))
