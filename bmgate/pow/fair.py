"""Which job is searched next, fairly between owners, and what stands before each.

More urgent work goes first. Within an urgency the owner is next who had the fewest trials; of that owner's jobs the one
of the lowest rank, and of those the oldest.
"""

import asyncio
import itertools
import math
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from bmgate.domain.account import AccountId
from bmgate.domain.ports.world import WorkJob

SPREADS = 2  # a single search ends in 95 of 100 cases within mean + 2 spreads, which are 3 means

Owner = AccountId | None
Place = tuple[int, int]  # rank, and when it came


@dataclass(slots=True, eq=False)
class Work:
    """A job in the queue and how far it is."""

    job: WorkJob
    on_progress: Callable[[int], None]
    found: asyncio.Future[int]
    next_nonce: int
    tried: int
    reported_at: float
    reported_nonce: int
    running: dict[int, int] = field(default_factory=dict)  # lane -> first nonce of its chunk
    returned: list[tuple[int, int]] = field(default_factory=list)  # start and count of what a lane gave up
    expected: int = field(init=False)  # trials

    def __post_init__(self) -> None:
        self.expected = self.job.expected_trials

    def claim(self, lane: int, chunk: int) -> tuple[int, int]:
        """The next nonces for `lane`: start and count."""
        if self.returned:
            start, count = self.returned.pop()
        else:
            start, count = self.next_nonce, chunk
            self.next_nonce += chunk
        self.running[lane] = start
        return start, count

    def settle(self, lane: int, count: int, next_untried: int) -> int:
        """A lane gives its chunk of `count` nonces back: the number of those tried."""
        start = self.running.pop(lane)
        tried = next_untried - start
        self.tried += tried
        if tried < count:
            self.returned.append((next_untried, count - tried))
        return tried

    @property
    def next_untried(self) -> int:
        """All nonces of the job below this one have been tried."""
        return min([self.next_nonce, *self.running.values(), *(start for start, _ in self.returned)])


class FairQueue:
    """The jobs, and whose turn it is.

    An owner who comes back starts level with the one served last: nobody saves up turns, nobody is made to wait for
    what he used while he was alone.
    """

    def __init__(self) -> None:
        self._levels: dict[int, dict[Owner, list[tuple[Place, Work]]]] = {}
        self._places: dict[Work, Place] = {}
        self._used: dict[Owner, int] = {}
        self._served = 0  # trials of the owner served last, when it was chosen
        self._counter = itertools.count()

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Work]:
        return iter(list(self._places))

    def __contains__(self, work: Work) -> bool:
        return work in self._places

    def add(self, work: Work) -> None:
        """Behind what its owner has of the same rank."""
        self._put(work, (work.job.rank, next(self._counter)))

    def remove(self, work: Work) -> None:
        """Out of the queue."""
        place = self._places.pop(work)
        urgency, owner = work.job.urgency, work.job.owner
        owners = self._levels[urgency]
        line = owners[owner]
        del line[bisect_left(line, place, key=_place)]
        if not line:
            del owners[owner]
        if not owners:
            del self._levels[urgency]
        if not any(owner in others for others in self._levels.values()):
            del self._used[owner]

    def rank(self, work: Work, rank: int) -> None:
        """Move it among its owner's jobs."""
        place, used = self._places[work], self._used[work.job.owner]
        self.remove(work)
        work.job = replace(work.job, rank=rank)
        self._put(work, (rank, place[1]))
        self._used[work.job.owner] = used

    def pick(self, may_run: Callable[[Work], bool]) -> Work | None:
        """What to search next; it stays in the queue."""
        for urgency in sorted(self._levels):
            owners = self._levels[urgency]
            for owner in sorted(owners, key=self._used.__getitem__):
                work = next((work for _, work in owners[owner] if may_run(work)), None)
                if work is not None:
                    return work
        return None

    def serve(self, work: Work, trials: int) -> None:
        """It is its owner's turn, who gets so many trials."""
        self._served = max(self._served, self._used[work.job.owner])
        self._used[work.job.owner] += trials

    def refund(self, work: Work, trials: int) -> None:
        """Its owner did not get so many of them."""
        if work.job.owner in self._used:
            self._used[work.job.owner] -= trials

    def gives_way(self, running: Work, other: Work) -> bool:
        """Whether `running` is to stop in the middle of a chunk because `other` is there.

        Between owners of the same urgency the chunk ends first: turns are for them.
        """
        if running.job.urgency != other.job.urgency:
            return running.job.urgency > other.job.urgency
        return running.job.owner == other.job.owner and self._places[running] > self._places[other]

    def lines(self) -> Iterator[list[list[Work]]]:
        """Each urgency's jobs, the most urgent first: a line of them for each owner."""
        for urgency in sorted(self._levels):
            yield [[work for _, work in line] for line in self._levels[urgency].values()]

    def _put(self, work: Work, place: Place) -> None:
        owner = work.job.owner
        self._places[work] = place
        insort(self._levels.setdefault(work.job.urgency, {}).setdefault(owner, []), (place, work), key=_place)
        self._used[owner] = max(self._used.get(owner, 0), self._served)


class Outlook(NamedTuple):
    """Trials until something is done: their mean and the square of their spread."""

    mean: float
    variance: float

    @property
    def likely(self) -> float:
        """What they exceed in 5 of 100 cases only; somewhat more than that for many jobs in a row."""
        return self.mean + SPREADS * math.sqrt(self.variance)


def outlook(works: Iterable[Work]) -> Outlook:
    """Until all of these are done: each has its whole expected work before it, as searches have no memory."""
    expected = [work.expected for work in works]
    return Outlook(sum(expected), sum(each * each for each in expected))


def outlooks(lines: Iterable[list[list[Work]]]) -> Mapping[Work, Outlook]:
    """Until each job is done. `lines` are those of `FairQueue.lines`.

    Before a job go all that is more urgent, its owner's jobs in front of it, and of every other owner's as much again:
    they take turns.
    """
    found: dict[Work, Outlook] = {}
    before = Outlook(0, 0)
    for level in lines:
        totals = sorted((outlook(line) for line in level), key=_mean)
        shorter = list(itertools.accumulate(totals, _sum, initial=Outlook(0, 0)))
        shares = list(itertools.accumulate((each.variance / each.mean for each in totals), initial=0.0))
        for line in level:
            _look_along(line, before, totals, shorter, shares, found)
        before = _sum(before, shorter[-1])
    return found


def _look_along(
    line: list[Work],
    before: Outlook,
    totals: list[Outlook],
    shorter: list[Outlook],
    shares: list[float],
    found: dict[Work, Outlook],
) -> None:
    """The outlook of each job of one owner; plain numbers, for there may be ten thousand of them."""
    whole = outlook(line)
    share = shares[-1] - whole.variance / whole.mean
    mean = variance = 0.0
    ended, ends = 0, [each.mean for each in totals]  # lines that are done by then, among them not this one
    for work in line:
        expected = work.expected
        mean += expected
        variance += expected * expected
        while ends[ended] < mean:
            ended += 1
        theirs = max(mean * (share - shares[ended]), 0.0)
        ahead, longer = shorter[ended], len(ends) - ended
        found[work] = Outlook(before[0] + ahead[0] + longer * mean, before[1] + ahead[1] + variance + theirs)


def _sum(one: Outlook, other: Outlook) -> Outlook:
    return Outlook(one.mean + other.mean, one.variance + other.variance)


def _mean(of: Outlook) -> float:
    return of.mean


def _place(entry: tuple[Place, Work]) -> Place:
    return entry[0]
