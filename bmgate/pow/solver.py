"""The proof of work of this machine: which job each lane searches, when it gives way, and how far every job is.

Every job is cut into chunks of consecutive nonces that all lanes of the engine claim from one counter, so a single
job has the whole machine. What is more urgent stops the chunks of what is less. The queue is in memory: jobs are rows
of the outbox and come back after a restart, from their saved nonce.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from bmgate.domain.ports.world import Backlog, Clock, WorkJob, WorkProgress
from bmgate.errors import ShuttingDown
from bmgate.pow.fair import FairQueue, Outlook, Work, outlook, outlooks
from bmgate.pow.local import Engine, Trials

REPORT_SECONDS = 9.0  # a restart may lose ten: a chunk and a commit come on top
REPORT_SHARE = 20  # or a twentieth of the expected work, if that takes a second at least
REPORT_PAUSE = 1.0
RATE_WEIGHT = 0.1  # of the newest chunk in the moving average
RATE_TRIALS = 4096  # shorter chunks measure the thread switch
LARGE_SECONDS = 60.0  # expected, on this machine: what may be withheld
PERMISSION_SECONDS = 10.0  # how often the hour and the power supply are looked at

log = logging.getLogger(__name__)


class Permission(Protocol):
    """Whether large work must wait; `pow.permission` has the real one."""

    async def withheld(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Survey:
    """The queue at one moment. `withheld` says why jobs of more than `large` trials do not run, "" when they do."""

    known: dict[bytes, Work]
    lines: list[list[list[Work]]]
    rate: float
    withheld: str
    large: float

    def progress(self, initial_hashes: Collection[bytes]) -> Mapping[bytes, WorkProgress]:
        """How far these jobs are."""
        ahead = outlooks(self.lines)
        asked = [(name, self.known[name]) for name in initial_hashes if name in self.known]
        return {name: self._progress(work, ahead[work]) for name, work in asked if work in ahead}

    def _progress(self, work: Work, ahead: Outlook) -> WorkProgress:
        withheld = self.withheld if work.expected >= self.large else ""
        mean, likely = ahead.mean / self.rate, ahead.likely / self.rate
        return WorkProgress(work.tried, work.expected, bool(work.running), withheld, mean, likely)


class LocalSolver:
    """The `Solver` port over an engine of this machine."""

    def __init__(self, engine: Engine, clock: Clock, permission: Permission | None = None) -> None:
        self._engine, self._clock, self._permission = engine, clock, permission
        self._queue = FairQueue()
        self._known: dict[bytes, Work] = {}  # by initial hash
        self._at_work: dict[int, Work] = {}  # lane -> whose chunk it searches
        self._unsaved: dict[Work, None] = {}
        self._filled = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._lane_rate = 0.0
        self._withheld = ""
        self._ended: BaseException | None = None

    @property
    def trials_per_second(self) -> float:
        """All lanes together: measured by `start`, then a moving average over what they search."""
        if not self._lane_rate:
            self._lane_rate = self._engine.estimate()
        return self._lane_rate * self._engine.lanes

    @property
    def queue_depth(self) -> int:
        """Jobs waiting or being searched."""
        return len(self._queue)

    async def start(self) -> None:
        """Start the engine and its lanes; jobs may be handed in before."""
        self._lane_rate = await self._engine.start()
        tasks = [self._work(lane) for lane in range(self._engine.lanes)]
        if self._permission is not None:
            self._withheld = await self._permission.withheld()
            tasks.append(self._watch(self._permission))
        self._tasks = [asyncio.create_task(task) for task in tasks]
        for task in self._tasks:
            task.add_done_callback(self._task_ended)

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
        begin = job.start_nonce
        work = Work(job, on_progress, found, begin, begin, self._clock.monotonic(), begin)
        self._queue.add(work)
        self._known[job.initial_hash] = work
        self._filled.set()
        self._make_way()
        try:
            return await found
        finally:
            self._retire(work)

    def reprioritise(self, initial_hash: bytes, rank: int) -> None:
        """Give a job another place among its owner's; the lanes turn to what comes first now."""
        work = self._known.get(initial_hash)
        if work is not None and work.job.rank != rank:
            self._queue.rank(work, rank)
            self._make_way()

    def survey(self) -> Survey:
        """The queue as it is now."""
        withheld = self._withheld, LARGE_SECONDS * self.trials_per_second
        return Survey(dict(self._known), list(self._queue.lines()), self.trials_per_second, *withheld)

    def progress(self, initial_hashes: Collection[bytes]) -> Mapping[bytes, WorkProgress]:
        """How far these jobs are."""
        return self.survey().progress(initial_hashes)

    def backlog(self) -> Backlog:
        """All that is in the queue."""
        whole, rate = outlook(self._queue), self.trials_per_second
        return Backlog(len(self._queue), whole.mean / rate, whole.likely / rate)

    # -- lanes -----------------------------------------------------------------------------------------------------

    async def _work(self, lane: int) -> None:
        """The life of a lane: chunk after chunk of whatever the queue picks."""
        while True:
            work = self._queue.pick(self._may_run)
            if work is None:
                self._filled.clear()
                await self._filled.wait()
                continue
            start, count = work.claim(lane, self._engine.chunk)
            self._at_work[lane] = work
            self._queue.serve(work, count)
            trials = await self._engine.search(lane, work.job.initial_hash, work.job.target, start, count)
            self._settle(work, lane, count, trials)

    def _settle(self, work: Work, lane: int, count: int, trials: Trials) -> None:
        """Book what a lane has done with its chunk."""
        del self._at_work[lane]
        tried = work.settle(lane, count, trials.next_untried)
        self._note_rate(tried, trials.seconds)
        self._queue.refund(work, count - tried)
        if work in self._queue:
            if trials.nonce is not None:
                if not work.found.done():  # whoever waits may be cancelled, and not have run since
                    work.found.set_result(trials.nonce)
                self._retire(work)
            else:
                self._unsaved[work] = None
        for other in list(self._unsaved):  # also those that had to give way
            self._report(other)

    def _retire(self, work: Work) -> None:
        """Take the work out of the queue and its lanes off it; nothing happens if it is out already."""
        if work not in self._queue:
            return
        self._queue.remove(work)
        self._unsaved.pop(work, None)
        if self._known.get(work.job.initial_hash) is work:
            del self._known[work.job.initial_hash]
        for lane in work.running:
            self._engine.stop(lane)

    def _make_way(self) -> None:
        """Stop the chunks of what has to give way to the job that is next."""
        following = self._queue.pick(self._may_run)
        for lane, work in self._at_work.items():
            if following is not None and work in self._queue and self._queue.gives_way(work, following):
                self._engine.stop(lane)

    def _report(self, work: Work) -> None:
        now, nonce = self._clock.monotonic(), work.next_untried
        elapsed, tried = now - work.reported_at, nonce - work.reported_nonce
        share_done = elapsed >= REPORT_PAUSE and tried * REPORT_SHARE >= work.expected
        if tried > 0 and (elapsed >= REPORT_SECONDS or share_done):
            work.reported_at, work.reported_nonce = now, nonce
            if not work.running:
                self._unsaved.pop(work)
            work.on_progress(nonce)

    def _note_rate(self, tried: int, seconds: float) -> None:
        if tried >= RATE_TRIALS and seconds > 0:
            self._lane_rate += RATE_WEIGHT * (tried / seconds - self._lane_rate)

    # -- permission ------------------------------------------------------------------------------------------------

    def _may_run(self, work: Work) -> bool:
        return not self._withheld or work.expected < LARGE_SECONDS * self.trials_per_second

    async def _watch(self, permission: Permission) -> None:
        """Look at the hour and the power supply; large work stops, or goes on, when they change."""
        while True:
            await self._clock.sleep(PERMISSION_SECONDS)
            before, self._withheld = self._withheld, await permission.withheld()
            if before == self._withheld:
                continue
            log.info("large work %s", f"waits: {self._withheld}" if self._withheld else "is done again")
            self._filled.set()
            for lane, work in self._at_work.items():
                if not self._may_run(work):
                    self._engine.stop(lane)

    # -- the end ---------------------------------------------------------------------------------------------------

    def _task_ended(self, task: asyncio.Task[None]) -> None:
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
