"""The proof of work of a machine: order, giving way, progress, permission, ends."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha512

import pytest
from fakes import FakeClock

from bmgate.clock import SystemClock
from bmgate.domain.account import AccountId
from bmgate.domain.ports.world import Clock, Solver, Urgency, WorkJob
from bmgate.errors import ShuttingDown
from bmgate.native import choose_backend
from bmgate.pow.local import LocalEngine, Trials
from bmgate.pow.solver import LocalSolver
from bmgate.pow.target import trial_value

CHUNK = 1000


class ManualEngine:
    """Lanes whose chunks end when the test says so."""

    def __init__(self, lanes: int) -> None:
        self.lanes, self.chunk = lanes, CHUNK
        self.chunks: dict[int, tuple[bytes, int, int]] = {}  # what each lane searches: hash, start, count
        self.stopped: list[int] = []
        self.closed = False
        self._ends: dict[int, asyncio.Future[Trials]] = {}

    def estimate(self) -> float:
        return 500.0

    async def start(self) -> float:
        return 1000.0

    async def search(self, lane: int, initial_hash: bytes, target: int, start: int, count: int) -> Trials:
        self.chunks[lane] = (initial_hash, start, count)
        self._ends[lane] = asyncio.get_running_loop().create_future()
        return await self._ends[lane]

    def stop(self, lane: int) -> None:
        self.stopped.append(lane)

    async def close(self) -> None:
        self.closed = True

    async def end(self, lane: int, nonce: int | None = None, tried: int = CHUNK, seconds: float = 1.0) -> None:
        """Let the lane report, and the solver decide what it does next."""
        _, start, _ = self.chunks.pop(lane)
        self._ends[lane].set_result(Trials(nonce, start + tried, seconds))
        await settle()

    def fail(self, lane: int, error: Exception) -> None:
        self._ends[lane].set_exception(error)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def job(
    name: str,
    owner: int | None = 1,
    urgency: Urgency = Urgency.MAIL,
    start_nonce: int = 0,
    rank: int = 1,
    expected: int = 1 << 34,
) -> WorkJob:
    account = None if owner is None else AccountId(owner)
    return WorkJob(named(name), (1 << 64) // expected - 1, start_nonce, urgency, account, rank)


def named(name: str) -> bytes:
    return sha512(name.encode()).digest()


class Rule:
    """A `Permission` that the test gives and takes."""

    def __init__(self) -> None:
        self.reason = ""

    async def withheld(self) -> str:
        return self.reason


class Desk:
    """A solver over a manual engine, and the jobs handed in."""

    def __init__(self, lanes: int, rule: Rule | None = None) -> None:
        self.engine, self.clock = ManualEngine(lanes), FakeClock(0)
        self.solver = LocalSolver(self.engine, self.clock, rule)
        self.reports: list[int] = []

    @property
    def searched(self) -> list[bytes]:
        """The job of each lane that is at work."""
        return [name for _, (name, _, _) in sorted(self.engine.chunks.items())]

    async def submit(self, work: WorkJob) -> asyncio.Task[int]:
        task = asyncio.create_task(self.solver.search(work, self.reports.append))
        await settle()
        return task


@asynccontextmanager
async def desk(lanes: int, rule: Rule | None = None) -> AsyncIterator[Desk]:
    place = Desk(lanes, rule)
    await place.solver.start()
    try:
        yield place
    finally:
        await place.solver.close()


async def drop(*tasks: asyncio.Task[int]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("backend", ["scalar", "hashlib"])
async def test_real_lanes_find_a_nonce_that_every_peer_accepts(backend: str) -> None:
    engine = LocalEngine(choose_backend(backend), lanes=2, nice=0)
    clock: Clock = SystemClock()
    solver = LocalSolver(engine, clock)
    port: Solver = solver
    await solver.start()
    target = (1 << 64) // 20_000
    try:
        wanted = [WorkJob(named(str(i)), target, 1, Urgency.MAIL, AccountId(i)) for i in range(4)]
        nonces = await asyncio.gather(*(port.search(work, print) for work in wanted))
        assert all(trial_value(nonce, work.initial_hash) <= target for nonce, work in zip(nonces, wanted, strict=True))
        assert solver.trials_per_second > 0
        assert solver.queue_depth == 0
    finally:
        await solver.close()


async def test_all_lanes_share_the_nonces_of_one_job() -> None:
    async with desk(lanes=3) as place:
        task = await place.submit(job("one", start_nonce=7))
        starts = sorted(start for _, start, _ in place.engine.chunks.values())
        assert starts == [7, 7 + CHUNK, 7 + 2 * CHUNK]
        await place.engine.end(1, nonce=1500, tried=494)
        assert await task == 1500
        assert sorted(place.engine.stopped) == [0, 2]
        assert place.solver.queue_depth == 0


async def test_the_second_account_is_worked_on_next_whatever_the_first_has_queued() -> None:
    async with desk(lanes=1) as place:
        many = [await place.submit(job(f"first {i}", owner=1)) for i in range(500)]
        for _ in range(5):
            await place.engine.end(0)
        other = await place.submit(job("second", owner=2))
        await place.engine.end(0)
        assert place.engine.chunks[0][0] == named("second")
        assert place.solver.queue_depth == 501
        await drop(other, *many)


async def test_accounts_take_turns_and_each_works_on_its_oldest() -> None:
    async with desk(lanes=1) as place:
        tasks = [await place.submit(job(name, owner=int(name[0]))) for name in ("1a", "1b", "2a", "3a")]
        served = []
        for _ in range(9):
            served.append(place.engine.chunks[0][0])
            await place.engine.end(0)
        assert sorted(served) == sorted([named("1a"), named("2a"), named("3a")] * 3)
        assert named("1b") not in served
        await drop(*tasks)


async def test_an_account_that_comes_back_has_saved_up_no_turns() -> None:
    async with desk(lanes=1) as place:
        long = await place.submit(job("long", owner=1))
        short = await place.submit(job("short", owner=2))
        await drop(short)
        for _ in range(20):
            await place.engine.end(0)
        back = await place.submit(job("back", owner=2))
        served = []
        for _ in range(6):
            await place.engine.end(0)
            served.append(place.engine.chunks[0][0])
        assert served.count(named("back")) == 3
        await drop(long, back)


async def test_more_urgent_work_goes_first_and_the_rest_waits() -> None:
    async with desk(lanes=1) as place:
        bulk = await place.submit(job("bulk", owner=None, urgency=Urgency.BULK))
        retry = await place.submit(job("retry", urgency=Urgency.RETRY))
        mail = await place.submit(job("mail", urgency=Urgency.MAIL))
        order = [place.engine.chunks[0][0]]
        for task in (mail, retry, bulk):
            await place.engine.end(0)
            order.append(place.engine.chunks[0][0])
            await drop(task)
        assert order == [named("bulk"), named("mail"), named("retry"), named("bulk")]


async def test_more_urgent_work_stops_the_chunks_of_the_rest() -> None:
    async with desk(lanes=2) as place:
        bulk = await place.submit(job("bulk", owner=None, urgency=Urgency.BULK))
        retry = await place.submit(job("retry", urgency=Urgency.RETRY))
        assert sorted(place.engine.stopped) == [0, 1]
        for lane in (0, 1):
            await place.engine.end(lane, tried=400)
        assert place.searched == [named("retry")] * 2
        place.engine.stopped.clear()
        later = await place.submit(job("later", urgency=Urgency.PUBKEY))
        assert place.engine.stopped == []
        await drop(retry, later)
        for lane in (0, 1):
            await place.engine.end(lane)
        starts = sorted(start for _, start, _ in place.engine.chunks.values())
        assert starts == [400, CHUNK + 400], "bulk goes on where it was stopped"
        await drop(bulk)


async def test_work_of_other_owners_and_equal_urgency_ends_its_chunk_first() -> None:
    async with desk(lanes=1) as place:
        tasks = [await place.submit(job("first", owner=1)), await place.submit(job("second", owner=2, rank=0))]
        assert place.engine.stopped == []
        await drop(*tasks)


async def test_an_account_orders_its_own_mail() -> None:
    async with desk(lanes=1) as place:
        normal = await place.submit(job("normal"))
        low = await place.submit(job("low", rank=2))
        assert place.engine.stopped == []
        high = await place.submit(job("high", rank=0))
        assert place.engine.stopped == [0]
        order = []
        for task in (high, normal, low):
            await place.engine.end(0, tried=0)
            order += place.searched
            await drop(task)
        assert order == [named("high"), named("normal"), named("low")]


async def test_a_job_that_gets_another_rank_takes_the_lane_at_once() -> None:
    async with desk(lanes=1) as place:
        tasks = [await place.submit(job(name)) for name in ("a", "b", "c")]
        place.solver.reprioritise(named("c"), 0)
        assert place.engine.stopped == [0]
        await place.engine.end(0, tried=10)
        assert place.searched == [named("c")]
        place.solver.reprioritise(named("c"), 2)
        await place.engine.end(0, tried=10)
        assert place.engine.chunks[0] == (named("a"), 10, CHUNK - 10)
        place.solver.reprioritise(named("nobody knows it"), 0)
        await drop(*tasks)


async def test_large_work_is_withheld_and_small_work_done() -> None:
    rule = Rule()
    rule.reason = "schedule"
    async with desk(lanes=1, rule=rule) as place:
        large = await place.submit(job("large", expected=60_000, urgency=Urgency.MAIL))
        assert place.searched == []
        small = await place.submit(job("small", expected=59_000, urgency=Urgency.BULK))
        assert place.searched == [named("small")]
        told = place.solver.progress([named("large"), named("small")])
        assert (told[named("large")].withheld, told[named("small")].withheld) == ("schedule", "")
        rule.reason = ""
        place.clock.advance(10)
        await settle()
        await place.engine.end(0)
        assert place.searched == [named("large")]
        rule.reason = "battery"
        place.clock.advance(10)
        await settle()
        assert place.engine.stopped == [0]
        await place.engine.end(0, tried=700)
        assert place.searched == [named("small")]
        await drop(large, small)


async def test_large_work_begins_when_it_may_though_nothing_else_happens() -> None:
    rule = Rule()
    rule.reason = "battery"
    async with desk(lanes=1, rule=rule) as place:
        large = await place.submit(job("large"))
        rule.reason = ""
        place.clock.advance(10)
        await settle()
        assert place.searched == [named("large")]
        await drop(large)


async def test_progress_tells_trials_rate_and_what_goes_before() -> None:
    async with desk(lanes=2) as place:
        first = await place.submit(job("first", expected=20_000, start_nonce=500))
        second = await place.submit(job("second", expected=10_000))
        await place.engine.end(0)
        told = place.solver.progress([named("first"), named("second"), named("unknown")])
        assert list(told) == [named("first"), named("second")]
        one, other = told.values()
        assert (one.tried, one.expected, one.running, other.running) == (500 + CHUNK, 20_000, True, False)
        assert one.probability == pytest.approx(1 - math.exp(-0.075))
        assert (one.mean_seconds, one.likely_seconds) == (10.0, 30.0)
        assert (other.tried, other.probability) == (0, 0.0)
        assert other.mean_seconds == 15.0
        assert other.likely_seconds == pytest.approx(15 + 2 * math.sqrt(125))
        everything = place.solver.backlog()
        assert (everything.jobs, everything.mean_seconds) == (2, 15.0)
        await drop(first, second)


async def test_the_rate_is_known_without_a_start() -> None:
    assert Desk(lanes=2).solver.trials_per_second == 1000.0


async def test_jobs_of_many_owners_are_hoped_for_in_their_order() -> None:
    async with desk(lanes=1) as place:
        tasks = [await place.submit(job(f"{i}", owner=i % 50)) for i in range(300)]
        told = place.solver.progress([named(f"{i}") for i in range(300)])
        means = [told[named(f"{i}")].mean_seconds for i in range(300)]
        assert means == sorted(means)
        await drop(*tasks)


async def test_cancelling_stops_the_lanes_at_once_and_the_next_job_gets_them() -> None:
    async with desk(lanes=2) as place:
        first, second = await place.submit(job("first")), await place.submit(job("second"))
        first.cancel()
        await settle()
        assert sorted(place.engine.stopped) == [0, 1]
        assert place.solver.queue_depth == 1
        await place.engine.end(0, tried=10)
        await place.engine.end(1, tried=10)
        assert {chunk[0] for chunk in place.engine.chunks.values()} == {named("second")}
        await drop(first, second)


async def test_a_job_cancelled_in_the_turn_of_the_loop_that_brings_its_nonce_is_simply_gone() -> None:
    async with desk(lanes=1) as place:
        task, other = await place.submit(job("late")), await place.submit(job("other"))
        ending = asyncio.create_task(place.engine.end(0, nonce=5, tried=6))
        asyncio.get_running_loop().call_soon(task.cancel)
        await ending
        assert task.cancelled()
        assert place.searched == [named("other")]
        await drop(other)


async def test_a_job_cancelled_while_its_nonce_is_on_the_way_is_simply_gone() -> None:
    async with desk(lanes=1) as place:
        task = await place.submit(job("late"))
        task.cancel()
        await place.engine.end(0, nonce=5, tried=6)
        assert task.cancelled()
        assert place.solver.queue_depth == 0


async def test_progress_is_told_in_time_for_a_restart_to_lose_ten_seconds_and_never_skips_a_nonce() -> None:
    async with desk(lanes=2) as place:
        task = await place.submit(job("slow"))
        place.clock.advance(9.0)
        await place.engine.end(1)  # nonces from 1000 on; lane 0 still holds 0 to 999
        assert place.reports == []
        await place.engine.end(0)
        assert place.reports == [2 * CHUNK]
        place.clock.advance(8.9)
        await place.engine.end(1)
        assert place.reports == [2 * CHUNK]
        place.clock.advance(0.1)
        await place.engine.end(0)
        assert place.reports == [2 * CHUNK, 4 * CHUNK]
        await drop(task)


async def test_progress_of_a_job_that_had_to_give_way_is_told_too() -> None:
    async with desk(lanes=1) as place:
        slow = await place.submit(job("slow", urgency=Urgency.BULK))
        place.clock.advance(5.0)
        mail = await place.submit(job("mail"))
        await place.engine.end(0, tried=300)
        assert place.searched == [named("mail")]
        place.clock.advance(5.0)
        await place.engine.end(0)
        assert place.reports == [300], "ten seconds after the last report, though it waits"
        await drop(mail, slow)


async def test_progress_is_told_after_a_twentieth_of_the_work_but_not_more_than_once_a_second() -> None:
    async with desk(lanes=1) as place:
        task = await place.submit(job("quick", expected=20 * CHUNK))  # a chunk is a twentieth
        place.clock.advance(0.9)
        await place.engine.end(0)
        assert place.reports == []
        place.clock.advance(0.1)
        await place.engine.end(0)
        assert place.reports == [2 * CHUNK]
        await drop(task)


async def test_what_a_lane_gave_up_is_searched_again() -> None:
    async with desk(lanes=1) as place:
        task = await place.submit(job("torn"))
        await place.engine.end(0, tried=300)
        assert place.engine.chunks[0] == (named("torn"), 300, CHUNK - 300)
        await place.engine.end(0, tried=CHUNK - 300)
        assert place.engine.chunks[0] == (named("torn"), CHUNK, CHUNK)
        await drop(task)


async def test_closing_refuses_whoever_waits_and_whoever_comes_later() -> None:
    async with desk(lanes=1) as place:
        running, waiting = await place.submit(job("running")), await place.submit(job("waiting"))
        await place.solver.close()
        for task in (running, waiting):
            with pytest.raises(ShuttingDown):
                await task
        with pytest.raises(ShuttingDown):
            await place.solver.search(job("late"), place.reports.append)
        assert place.engine.closed


async def test_a_lane_that_fails_lets_nobody_wait_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    async with desk(lanes=1) as place:
        task = await place.submit(job("doomed"))
        place.engine.fail(0, MemoryError("no room"))
        with pytest.raises(MemoryError):
            await task
        with pytest.raises(ShuttingDown):
            await place.solver.search(job("late"), place.reports.append)
    assert [record.getMessage() for record in caplog.records] == ["a lane of the proof of work failed"]


async def test_the_rate_is_measured_at_the_start_and_follows_what_is_searched() -> None:
    async with desk(lanes=2) as place:
        assert place.solver.trials_per_second == 2000.0
        task = await place.submit(job("any"))
        await place.engine.end(0, tried=CHUNK, seconds=0.001)  # too short to tell
        assert place.solver.trials_per_second == 2000.0
        place.engine.chunk = 10_000
        await place.engine.end(0)
        await place.engine.end(0, tried=10_000, seconds=1.0)
        assert 2000.0 < place.solver.trials_per_second < 20_000.0
        await drop(task)


async def test_jobs_handed_in_before_the_start_are_searched_after_it() -> None:
    place = Desk(lanes=1)
    task = await place.submit(job("early"))
    await place.solver.start()
    await settle()
    assert place.engine.chunks[0][0] == named("early")
    await drop(task)
    await place.solver.close()
