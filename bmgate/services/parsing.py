"""Threads in which mail is parsed, off the loop: one for small mail, one for large, one for what is huge.

Parsing is Python all the way and keeps the GIL, so more threads would do no more, and spent a sixth of the processor on
taking it from each other. Mail has threads by its size, so that none waits behind what takes much longer; what is huge
takes seconds, and has to take turns: one mail of each account (T5).
"""

import asyncio
from collections.abc import Callable, Sized
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from weakref import WeakValueDictionary

from bmgate.domain.account import AccountId

LARGE = 256 * 1024  # octets, from which on a mail takes the second thread
HUGE = 1024 * 1024  # beyond these it takes the third

R = TypeVar("R", bound=Sized)
T = TypeVar("T")


class Parsing:
    """The threads; they are started when there is something to do."""

    def __init__(self) -> None:
        self._small = ThreadPoolExecutor(1, thread_name_prefix="parse")
        self._large = ThreadPoolExecutor(1, thread_name_prefix="parse-large")
        self._huge = ThreadPoolExecutor(1, thread_name_prefix="parse-huge")
        self._turns = WeakValueDictionary[AccountId, asyncio.Lock]()  # held by those that wait and those that run

    async def run(self, account: AccountId, work: Callable[[R], T], raw: R) -> T:
        """What `work` makes of a mail of the account.

        In the order in which they were given, apart by size; of huge ones those of one account after each other, so
        that another account waits for one of each at most.
        """
        if len(raw) <= HUGE:
            return await _in(self._small if len(raw) < LARGE else self._large, work, raw)
        async with self._turns.setdefault(account, asyncio.Lock()):
            return await _in(self._huge, work, raw)

    def close(self) -> None:
        """Begin nothing more; the threads end when they have finished what they are at."""
        for lane in (self._small, self._large, self._huge):
            lane.shutdown(wait=False, cancel_futures=True)


async def _in(lane: ThreadPoolExecutor, work: Callable[[R], T], raw: R) -> T:
    return await asyncio.get_running_loop().run_in_executor(lane, work, raw)
