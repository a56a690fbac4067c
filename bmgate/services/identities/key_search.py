"""Looking for keys whose address is short: each zero byte more costs 256 times as many draws.

A handful of addresses is made on a thread. What takes longer is drawn in processes, one for each core at low priority,
in portions of some hundredths of a second: the loop and its doors go on, and whoever cancels waits for none of them.
"""

import asyncio
import os
import signal
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from multiprocessing import get_context

from bmgate.bm.keys import (
    Entropy,
    PrivateKeys,
    deterministic_keys,
    deterministic_portion,
    random_keys,
    random_portion,
)
from bmgate.domain.ports.world import Clock

PORTION = 500  # draws
SMALL = 4_000  # draws expected, up to which one thread does it
MEASURED = 100  # draws, some milliseconds
TELL_SECONDS = 0.5
NICENESS = 10


@dataclass(frozen=True, slots=True, repr=False)
class Wish:
    """Keys for `number` addresses whose ripe begins with `leading_zeros` zero bytes; random without `passphrase`."""

    passphrase: bytes = b""
    number: int = 1
    leading_zeros: int = 1

    @property
    def draws(self) -> int:
        """How many are expected; the search has no memory, so that many are to come until it ends."""
        return self.number << 8 * self.leading_zeros


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a search is. `seconds` are those to come, on average."""

    found: int
    number: int
    tried: int
    expected: int
    seconds: float


Tell = Callable[[Progress], Awaitable[None]]


async def untold(progress: Progress) -> None:
    """For who waits for the keys alone."""


class KeySearch:
    """Finds keys. Several searches may run at the same time, and then share the machine."""

    def __init__(self, entropy: Entropy, clock: Clock, workers: int = 0) -> None:
        """`workers` 0: as many as the machine has cores."""
        self._entropy, self._clock = entropy, clock
        self._workers = workers or os.cpu_count() or 1

    async def find(self, wish: Wish, tell: Tell = untold) -> list[PrivateKeys]:
        """As many as wished for, those of a passphrase in their order; cancellable."""
        if wish.draws <= SMALL:
            return await asyncio.to_thread(self._find_here, wish)
        return await self._find_in_processes(wish, tell)

    async def price(self, wish: Wish) -> Progress:
        """What a search will probably cost."""
        begin = self._clock.monotonic()
        await asyncio.to_thread(_draw, wish, self._entropy, 0, MEASURED)
        seconds = max(self._clock.monotonic() - begin, 1e-6) / MEASURED * wish.draws / self._workers
        return Progress(0, wish.number, 0, wish.draws, seconds)

    def _find_here(self, wish: Wish) -> list[PrivateKeys]:
        if wish.passphrase:
            return list(islice(deterministic_keys(wish.passphrase, wish.leading_zeros), wish.number))
        return [random_keys(self._entropy, wish.leading_zeros) for _ in range(wish.number)]

    async def _find_in_processes(self, wish: Wish, tell: Tell) -> list[PrivateKeys]:
        price = await self.price(wish)
        await tell(price)
        found, tried = list[PrivateKeys](), 0
        begin = told = self._clock.monotonic()
        pool = ProcessPoolExecutor(self._workers, get_context("spawn"), _begin_quietly)
        try:
            running = deque[asyncio.Future[list[PrivateKeys]]]()
            firsts = count(step=PORTION)
            while len(found) < wish.number:
                while len(running) <= self._workers:
                    work = partial(_draw, wish, self._entropy, next(firsts), PORTION)
                    running.append(asyncio.get_running_loop().run_in_executor(pool, work))
                found += await running.popleft()  # in order, as those of a passphrase are numbered
                tried += PORTION
                now = self._clock.monotonic()
                if now - told >= TELL_SECONDS:
                    told, left = now, (wish.number - len(found)) << 8 * wish.leading_zeros
                    await tell(Progress(len(found), wish.number, tried, wish.draws, left * (now - begin) / tried))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        return found[: wish.number]


def _draw(wish: Wish, entropy: Entropy, first: int, draws: int) -> list[PrivateKeys]:
    if wish.passphrase:
        return deterministic_portion(wish.passphrase, first, draws, wish.leading_zeros)
    return random_portion(entropy, draws, wish.leading_zeros)


def _begin_quietly() -> None:
    """Ctrl-C is for whoever waits for the keys; he ends the pool."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
