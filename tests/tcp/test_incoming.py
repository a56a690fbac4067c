"""A client has to bring what it announced at a least rate, and only while it is read."""

from collections.abc import Callable

from bmgate.tcp.incoming import Pace

RATE, GRACE = 100.0, 10.0  # octets a second, seconds


class FakeTimers:
    """A loop whose time is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pending: list[FakeTimer] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> "FakeTimer":
        self.pending.append(FakeTimer(self, self.now + delay, callback))
        return self.pending[-1]

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [timer for timer in self.pending if timer.at <= end]:
            first = min(due, key=lambda timer: timer.at)
            self.now = first.at
            first.cancel()
            first.callback()
        self.now = end


class FakeTimer:
    """One call to come."""

    def __init__(self, timers: FakeTimers, at: float, callback: Callable[[], None]) -> None:
        self._timers, self.at, self.callback = timers, at, callback

    def cancel(self) -> None:
        self._timers.pending.remove(self)


def paced() -> tuple[FakeTimers, Pace, list[float]]:
    """A client that time counts for, and when it was told to be too slow."""
    timers, told = FakeTimers(), list[float]()
    pace = Pace(timers, RATE, GRACE, lambda: told.append(timers.now))
    pace.count(True)
    return timers, pace, told


def test_a_client_that_brings_nothing_has_the_grace() -> None:
    timers, _, told = paced()
    timers.advance(100)
    assert told == [GRACE]
    assert not timers.pending


def test_a_trickle_does_not_buy_more_than_it_is_worth() -> None:
    timers, pace, told = paced()
    for _ in range(100):
        pace.brought(int(RATE) // 2)
        timers.advance(1)
    assert told == [2 * GRACE - 1]  # one second of two is its own; the first half came when it had all


def test_whoever_keeps_the_rate_may_go_on_for_ever() -> None:
    timers, pace, told = paced()
    for _ in range(1000):
        pace.brought(int(RATE))
        timers.advance(1)
    assert not told


def test_what_came_fast_buys_no_more_than_the_grace() -> None:
    timers, pace, told = paced()
    pace.brought(1_000_000)
    timers.advance(5)
    pace.brought(1_000_000)
    timers.advance(100)
    assert told == [5 + GRACE]


def test_time_in_which_it_is_not_read_does_not_count() -> None:
    timers, pace, told = paced()
    timers.advance(4)
    pace.count(False)
    timers.advance(100)
    assert not told
    pace.count(True)
    timers.advance(100)
    assert told == [104 + GRACE - 4]
