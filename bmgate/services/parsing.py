"""Threads in which mail is parsed, off the loop: one for small mail, one for large.

Parsing is Python all the way and keeps the GIL, so more threads would do no more, and spent a sixth of the processor on
taking it from each other. Large mail has a thread of its own, so that small mail does not wait behind it.
"""

import asyncio
from collections.abc import Callable, Sized
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

LARGE = 256 * 1024  # octets, from which on a mail takes the other thread

R = TypeVar("R", bound=Sized)
T = TypeVar("T")


class Parsing:
    """The two threads; they are started when there is something to do."""

    def __init__(self) -> None:
        self._small = ThreadPoolExecutor(1, thread_name_prefix="parse")
        self._large = ThreadPoolExecutor(1, thread_name_prefix="parse-large")

    async def run(self, work: Callable[[R], T], raw: R) -> T:
        """What `work` makes of the mail; in the order in which they were given, small and large apart."""
        lane = self._small if len(raw) < LARGE else self._large
        return await asyncio.get_running_loop().run_in_executor(lane, work, raw)

    def close(self) -> None:
        """Begin nothing more; the threads end when they have finished what they are at."""
        for lane in (self._small, self._large):
            lane.shutdown(wait=False, cancel_futures=True)
