"""The queue of proof of work: which job is searched next, by whom, and how far it is.

Every job is cut into chunks of consecutive nonces that all lanes of the engine claim from one counter, so a single
job has the whole machine and a more urgent one waits for no more than a chunk. The queue is in memory: jobs are rows
of the outbox and come back after a restart, from their saved nonce.
"""

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from bmgate.domain.account import AccountId
from bmgate.domain.ports.world import Clock, WorkJob
from bmgate.errors import ShuttingDown
from bmgate.pow.local import Trials

REPORT_SECONDS = 10.0  # what a restart may lose
REPORT_SHARE = 20  # or a twentieth of the expected work, if that takes a second at least
REPORT_PAUSE = 1.0
RATE_WEIGHT = 0.1  # of the newest chunk in the moving average
RATE_TRIALS = 4096  # shorter chunks measure the thread switch

log = logging.getLogger(__name__)


class Engine(Protocol):
    """Lanes that search at the same time; `pow.local` has the real one."""

    @property
    def lanes(self) -> int: ...
    @property
    def chunk(self) -> int: ...
    async def start(self) -> float: ...
    async def search(self, lane: int, initial_hash: bytes, target: int, start: int, count: int) -> Trials: ...
    def stop(self, lane: int) -> None: ...
    async def close(self) -> None: ...


@dataclass(slots=True, eq=False)
class Work:
    """A job in the queue and how far it is."""

    job: WorkJob
    on_progress: Callable[[int], None]
    found: asyncio.Future[int]
    next_nonce: int
    reported_at: float
    reported_nonce: int
    running: dict[int, int] = field(default_factory=dict)  # lane -> first nonce of its chunk
    returned: list[tuple[int, int]] = field(default_factory=list)  # start and count of what a lane gave up

    def claim(self, lane: int, chunk: int) -> tuple[int, int]:
        """The next nonces for `lane`: start and count."""
        if self.returned:
            start, count = self.returned.pop()
        else:
            start, count = self.next_nonce, chunk
            self.next_nonce += chunk
        self.running[lane] = start
        return start, count

    @property
    def next_untried(self) -> int:
        """All nonces of the job below this one have been tried."""
        return min([self.next_nonce, *self.running.values(), *(start for start, _ in self.returned)])


class FairQueue:
    """Picks the most urgent work; within an urgency, of the owner who had the fewest trials; of that owner, the oldest.

    An owner who comes back starts level with the one served last: nobody saves up turns, nobody is made to wait for
    what he used while he was alone.
    """

    def __init__(self) -> None:
        self._levels: dict[int, dict[AccountId | None, dict[int, Work]]] = {}
        self._places: dict[Work, int] = {}
        self._used: dict[AccountId | None, int] = {}
        self._served = 0  # trials of the owner served last, when it was chosen
        self._counter = itertools.count()

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Work]:
        return iter(list(self._places))

    def __contains__(self, work: Work) -> bool:
        return work in self._places

    def add(self, work: Work) -> None:
        """Last in its owner's line."""
        owner, place = work.job.owner, next(self._counter)
        self._places[work] = place
        self._levels.setdefault(work.job.urgency, {}).setdefault(owner, {})[place] = work
        self._used[owner] = max(self._used.get(owner, 0), self._served)

    def remove(self, work: Work) -> None:
        """Out of the queue."""
        place = self._places.pop(work)
        urgency, owner = work.job.urgency, work.job.owner
        owners = self._levels[urgency]
        del owners[owner][place]
        if not owners[owner]:
            del owners[owner]
        if not owners:
            del self._levels[urgency]
        if not any(owner in others for others in self._levels.values()):
            del self._used[owner]

    def pick(self) -> Work | None:
        """What to search next; it stays in the queue."""
        if not self._levels:
            return None
        owners = self._levels[min(self._levels)]
        owner = min(owners, key=self._used.__getitem__)
        self._served = max(self._served, self._used[owner])
        return next(iter(owners[owner].values()))

    def charge(self, work: Work, trials: int) -> None:
        """Put trials on the account of the work's owner, or give them back where `trials` is negative."""
        if work.job.owner in self._used:
            self._used[work.job.owner] += trials


class LocalSolver:
    """The `Solver` port over an engine of this machine."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock
        self._queue = FairQueue()
        self._filled = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._lane_rate = 1.0
        self._ended: BaseException | None = None

    @property
    def trials_per_second(self) -> float:
        """All lanes together: measured by `start`, then a moving average over what they search."""
        return self._lane_rate * self._engine.lanes

    @property
    def queue_depth(self) -> int:
        """Jobs waiting or being searched."""
        return len(self._queue)

    async def start(self) -> None:
        """Start the engine and its lanes; jobs may be handed in before."""
        self._lane_rate = await self._engine.start()
        self._tasks = [asyncio.create_task(self._work(lane)) for lane in range(self._engine.lanes)]
        for task in self._tasks:
            task.add_done_callback(self._lane_ended)

    async def close(self) -> None:
        """Stop all searches; whoever still waits for a nonce gets ShuttingDown."""
        self._end(ShuttingDown("the proof of work has stopped"))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._engine.close()

    async def search(self, job: WorkJob, on_progress: Callable[[int], None]) -> int:
        """The nonce of `job`; raises ShuttingDown. Cancelling the caller frees the lanes within milliseconds."""
        if self._ended is not None:
            raise ShuttingDown("the proof of work has stopped") from self._ended
        found: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        work = Work(job, on_progress, found, job.start_nonce, self._clock.monotonic(), job.start_nonce)
        self._queue.add(work)
        self._filled.set()
        try:
            return await found
        finally:
            self._retire(work)

    async def _work(self, lane: int) -> None:
        """The life of a lane: chunk after chunk of whatever the queue picks."""
        while True:
            work = self._queue.pick()
            if work is None:
                self._filled.clear()
                await self._filled.wait()
                continue
            start, count = work.claim(lane, self._engine.chunk)
            self._queue.charge(work, count)
            trials = await self._engine.search(lane, work.job.initial_hash, work.job.target, start, count)
            self._settle(work, lane, start, count, trials)

    def _settle(self, work: Work, lane: int, start: int, count: int, trials: Trials) -> None:
        """Book what a lane has done with its chunk."""
        del work.running[lane]
        tried = trials.next_untried - start
        self._note_rate(tried, trials.seconds)
        self._queue.charge(work, tried - count)
        if work not in self._queue:
            return
        if trials.nonce is not None:
            work.found.set_result(trials.nonce)
            self._retire(work)
            return
        if tried < count:
            work.returned.append((trials.next_untried, count - tried))
        self._report(work)

    def _retire(self, work: Work) -> None:
        """Take the work out of the queue and its lanes off it; nothing happens if it is out already."""
        if work not in self._queue:
            return
        self._queue.remove(work)
        for lane in work.running:
            self._engine.stop(lane)

    def _report(self, work: Work) -> None:
        now, nonce = self._clock.monotonic(), work.next_untried
        elapsed, tried = now - work.reported_at, nonce - work.reported_nonce
        share_done = elapsed >= REPORT_PAUSE and tried * (work.job.target + 1) * REPORT_SHARE >= 1 << 64
        if tried > 0 and (elapsed >= REPORT_SECONDS or share_done):
            work.reported_at, work.reported_nonce = now, nonce
            work.on_progress(nonce)

    def _note_rate(self, tried: int, seconds: float) -> None:
        if tried >= RATE_TRIALS and seconds > 0:
            self._lane_rate += RATE_WEIGHT * (tried / seconds - self._lane_rate)

    def _lane_ended(self, task: asyncio.Task[None]) -> None:
        """A lane that fails by our own mistake fails every job: nobody waits for a nonce that cannot come."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a lane of the proof of work failed", exc_info=error)
            self._end(error)

    def _end(self, reason: BaseException) -> None:
        self._ended = reason
        for work in self._queue:
            if not work.found.done():
                work.found.set_exception(reason)
            self._retire(work)
