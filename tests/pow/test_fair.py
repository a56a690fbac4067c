"""What stands before each job: the outlook against the plain definition."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.domain.account import AccountId
from bmgate.domain.ports.world import Urgency, WorkJob
from bmgate.pow.fair import FairQueue, Outlook, Work, outlooks

JOBS = st.lists(
    st.tuples(st.sampled_from(Urgency), st.integers(1, 4), st.integers(0, 2), st.integers(1, 10**6)), max_size=12
)


def work(urgency: Urgency, owner: int, rank: int, expected: int) -> Work:
    job = WorkJob(bytes(64), (1 << 64) // expected - 1, 0, urgency, AccountId(owner), rank)
    return Work(job, print, None, 0, 0, 0.0, 0)  # type: ignore[arg-type]  # nobody waits for these


def plain(queue: FairQueue, wanted: Work) -> Outlook:
    """By the definition, job by job."""
    mean = variance = 0.0
    for level in queue.lines():
        lines = [[each.job.expected_trials for each in line] for line in level]
        mine = next((line for line in level if wanted in line), None)
        if mine is None:
            mean += sum(map(sum, lines))
            variance += sum(each * each for line in lines for each in line)
            continue
        own = [each.job.expected_trials for each in mine[: mine.index(wanted) + 1]]
        mean += sum(own)
        variance += sum(each * each for each in own)
        for line, works in zip(lines, level, strict=True):
            if works is not mine:
                share = min(1.0, sum(own) / sum(line))
                mean += share * sum(line)
                variance += share * sum(each * each for each in line)
        break
    return Outlook(mean, variance)


@given(JOBS)
def test_the_outlook_of_a_job_is_all_that_goes_before_it(jobs: list[tuple[Urgency, int, int, int]]) -> None:
    queue = FairQueue()
    works = [work(*each) for each in jobs]
    for each in works:
        queue.add(each)
    found = outlooks(queue.lines())
    assert set(found) == set(works)
    for each in works:
        expected = plain(queue, each)
        assert found[each].mean == pytest.approx(expected.mean)
        assert found[each].variance == pytest.approx(expected.variance)


@given(JOBS, st.data())
def test_a_queue_loses_nothing_whatever_is_moved_and_removed(
    jobs: list[tuple[Urgency, int, int, int]], data: st.DataObject
) -> None:
    queue, works = FairQueue(), [work(*each) for each in jobs]
    for each in works:
        queue.add(each)
    while works:
        chosen = data.draw(st.sampled_from(works))
        if data.draw(st.booleans()):
            queue.rank(chosen, data.draw(st.integers(0, 2)))
            works.remove(chosen)  # moved once
        else:
            queue.remove(chosen)
            works.remove(chosen)
    left = [each for level in queue.lines() for line in level for each in line]
    assert set(left) == set(queue)
    urgencies = [each.job.urgency for each in left]
    assert urgencies == sorted(urgencies)
    for level in queue.lines():
        assert all([each.job.rank for each in line] == sorted(each.job.rank for each in line) for line in level)


@given(st.integers(1, 4), st.lists(st.tuples(st.integers(0, 3), st.floats(0, 1)), max_size=40))
def test_no_nonce_is_skipped_and_none_tried_twice_however_often_lanes_are_stopped(
    lanes: int, steps: list[tuple[int, float]]
) -> None:
    torn, tried = work(Urgency.MAIL, 1, 1, 1000), set[int]()
    claimed = {lane: torn.claim(lane, 10) for lane in range(lanes)}
    for step, share in steps:
        lane = step % lanes
        start, count = claimed[lane]
        done = range(start, start + round(count * share))
        assert not tried & set(done)
        tried |= set(done)
        assert torn.settle(lane, count, done.stop) == len(done)
        assert set(range(torn.next_untried)) <= tried, "what is saved leaves nothing out"
        claimed[lane] = torn.claim(lane, 10)
    assert torn.tried == len(tried)


def test_one_search_ends_within_three_means_in_95_of_100_cases() -> None:
    single = Outlook(1000.0, 1000.0**2)
    assert 1 - math.exp(-single.likely / single.mean) == pytest.approx(0.95, abs=0.001)
