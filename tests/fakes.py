"""The world outside storage, under the control of a test: time, proof of work, the network, and crashes."""

import asyncio
import heapq
import itertools
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from bmgate.bm.hashes import InventoryVector
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Backlog, WorkJob, WorkProgress
from bmgate.native import choose_backend

T = TypeVar("T")

SPINS = 20  # turns of the loop after which a chain of callbacks has ended
SETTLE_SECONDS = 20.0


class FakeClock:
    """A `Clock` that stands still until it is moved; wall clock and monotonic clock move apart by `jump` only."""

    def __init__(self, now: int) -> None:
        self._wall, self._monotonic = float(now), 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def now(self) -> int:
        return int(self._wall)

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            return await asyncio.sleep(0)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._monotonic + seconds, next(self._numbers), future))
        return await future

    def advance(self, seconds: float) -> None:
        """Let time pass and wake whoever slept no longer than that."""
        self._wall += seconds
        self._monotonic += seconds
        while self._sleepers and self._sleepers[0][0] <= self._monotonic:
            future = heapq.heappop(self._sleepers)[2]
            if not future.done():
                future.set_result(None)

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward or back: no time passes."""
        self._wall += seconds


class FakeSolver:
    """A `Solver` that works at once, or only when it is let; `honest` finds true nonces, else any number will do."""

    def __init__(self, honest: bool = True) -> None:
        self.trials_per_second = 1e6
        self.jobs: list[WorkJob] = []
        self.held = False
        self.waiting: list[asyncio.Future[None]] = []
        self.reports: list[Callable[[int], None]] = []  # of those that wait
        self.queue: list[WorkJob] = []  # the same
        self.tried: dict[bytes, int] = {}
        self._search = choose_backend().search if honest else None

    async def search(self, job: WorkJob, on_progress: Callable[[int], None]) -> int:
        self.jobs.append(job)
        if self.held:
            gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.waiting.append(gate)
            self.reports.append(on_progress)
            self.queue.append(job)
            try:
                await gate
            finally:
                index = self.waiting.index(gate)
                del self.waiting[index], self.reports[index], self.queue[index]
        if self._search is None:
            return job.start_nonce + 1
        nonce, _ = self._search(job.initial_hash, job.target, job.start_nonce, 1 << 40, bytearray(1))
        assert nonce is not None
        return nonce

    def reprioritise(self, initial_hash: bytes, rank: int) -> None:
        self.queue = [replace(job, rank=rank) if job.initial_hash == initial_hash else job for job in self.queue]

    def survey(self) -> "FakeSolver":
        return self

    def progress(self, initial_hashes: Collection[bytes]) -> Mapping[bytes, WorkProgress]:
        waiting = [job for job in self.queue if job.initial_hash in initial_hashes]
        return {job.initial_hash: self._progress(job) for job in waiting}

    def backlog(self) -> Backlog:
        seconds = sum(job.expected_trials for job in self.queue) / self.trials_per_second
        return Backlog(len(self.queue), seconds, 3 * seconds)

    def _progress(self, job: WorkJob) -> WorkProgress:
        seconds = job.expected_trials / self.trials_per_second
        tried = self.tried.get(job.initial_hash, job.start_nonce)
        return WorkProgress(tried, job.expected_trials, True, "", seconds, 3 * seconds)

    def release(self, which: int = 0) -> None:
        """Let one of the waiting jobs end."""
        if not self.waiting[which].done():
            self.waiting[which].set_result(None)


class FakeAnnouncer:
    """An `Announcer` that remembers."""

    def __init__(self) -> None:
        self.announced: list[InventoryVector] = []

    def announce(self, vectors: Collection[InventoryVector]) -> None:
        self.announced += vectors


class Killed(BaseException):
    """What a failpoint of these tests raises: nothing of ours may catch it."""


class Failpoints:
    """Counts the passes of all points, and at the n-th one raises `Killed` instead of ending the process."""

    def __init__(self, kill_at: int | None = None) -> None:
        self.passed: list[str] = []
        self.kill_at, self._lock = kill_at, threading.Lock()

    def pass_(self, name: str) -> None:
        with self._lock:
            self.passed.append(name)
            if len(self.passed) == self.kill_at:
                raise Killed(name)


class WatchedDatabase:
    """A `Database` that knows how many units of work are under way, and can be made to fail."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.under_way = 0
        self.failure: Exception | None = None

    async def transact(self, work: Callable[[Store], T]) -> T:
        with self._counted():
            return await self._database.transact(work)

    async def read(self, work: Callable[[Store], T]) -> T:
        with self._counted():
            return await self._database.read(work)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        if self.failure is not None:
            raise self.failure
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1


class WatchedThreads:
    """Stands in for `asyncio.to_thread` and counts what is under way there, like the units of work."""

    def __init__(self) -> None:
        self.under_way = 0
        self._to_thread = asyncio.to_thread

    async def to_thread(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        self.under_way += 1
        try:
            return await self._to_thread(function, *args, **kwargs)
        finally:
            self.under_way -= 1


async def settle(databases: Collection[WatchedDatabase], threads: WatchedThreads) -> None:
    """Wait until everybody waits: for the clock, for held work, or for an event."""
    async with asyncio.timeout(SETTLE_SECONDS):
        quiet = 0
        while quiet < SPINS:
            busy = threads.under_way or any(database.under_way for database in databases)
            quiet = 0 if busy else quiet + 1
            await asyncio.sleep(0.0005 if busy else 0)
