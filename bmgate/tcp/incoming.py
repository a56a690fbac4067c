"""Octets on their way into a door on Twisted, and whether they come fast enough for the room that is kept for them."""

from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """What will be called."""

    def cancel(self) -> None: ...


class Timers(Protocol):
    """What we use of the loop."""

    def time(self) -> float: ...
    def call_later(self, delay: float, callback: Callable[[], None], /) -> Timer: ...


class Pace:
    """The seconds that a client has left: `grace` at first and at most, one more with every `rate` octets.

    `too_slow` is called when none is left. Time does not count before `count`, nor while we do not read.
    """

    def __init__(self, timers: Timers, rate: float, grace: float, too_slow: Callable[[], None]) -> None:
        self._timers, self._rate, self._grace, self._too_slow = timers, rate, grace, too_slow
        self._left, self._since = grace, timers.time()
        self._timer: Timer | None = None  # while time counts

    def count(self, wanted: bool) -> None:
        """Let time count, or not."""
        if wanted == (self._timer is not None):
            return
        self._settle()
        if self._timer is None:
            self._timer = self._timers.call_later(self._left, self._look)
        else:
            self._timer.cancel()
            self._timer = None

    def brought(self, octets: int) -> None:
        """So many came."""
        self._settle()
        self._left = min(self._grace, self._left + octets / self._rate)

    def _settle(self) -> None:
        now = self._timers.time()
        if self._timer is not None:
            self._left = max(0.0, self._left - (now - self._since))
        self._since = now

    def _look(self) -> None:
        self._settle()
        if self._left > 0:
            self._timer = self._timers.call_later(self._left, self._look)
        else:
            self._timer = None
            self._too_slow()
