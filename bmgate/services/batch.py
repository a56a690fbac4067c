"""Many entries at once, all or none: every line that cannot be carried out is told, with the reason.

An entry is first prepared (parsed, its keys made, its password hashed), then applied in one transaction with all
others. Nothing is written before every entry is prepared, and a line that fails in the transaction takes all back.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from bmgate.domain.ports.database import Database, Store
from bmgate.errors import BatchRefused, GatewayError, Unavailable
from bmgate.services.finishing import finished

T = TypeVar("T")

MAX_ENTRIES = 5_000
MAX_TOLD = 1_000  # failures; whoever has more has them for one reason
TELL_EVERY = 10  # entries

Step = tuple[int, Callable[[Store], T]]
"""The line of an entry, and what applies it within a transaction."""


Tell = Callable[[int, int], Awaitable[None]]
"""Told how many of how many are done."""


class Report:
    """What is wrong, line by line."""

    def __init__(self) -> None:
        self._failures: list[tuple[int, str]] = []

    @contextmanager
    def line(self, number: int) -> Iterator[None]:
        """Note what is raised for one entry and go on; what may be better later ends the batch at once."""
        try:
            yield
        except Unavailable:
            raise
        except GatewayError as error:
            self._failures.append((number, str(error)))

    def check(self) -> None:
        """Raises BatchRefused when a line failed."""
        failures = sorted(self._failures)
        if not failures:
            return
        number, reason = failures[0]
        others = f" ({len(failures) - 1} more lines are refused)" if len(failures) > 1 else ""
        raise BatchRefused(f"nothing was done: line {number}: {reason}{others}", tuple(failures[:MAX_TOLD]))


async def untold(_done: int, _of: int) -> None:
    """For who wants to hear of no progress."""


def _nothing() -> None:
    """Follows from a batch of which nobody need hear."""


async def apply_all(
    database: Database, steps: Iterable[Step[T]], tell: Tell = untold, then: Callable[[], None] = _nothing
) -> list[T]:
    """Carry out every step in one transaction, in order; raises BatchRefused, and then nothing has changed.

    `then` is called behind the commit, whatever has become of the caller.
    """
    wanted, loop, news = list(steps), asyncio.get_running_loop(), asyncio.Queue[int]()

    def apply(store: Store) -> list[T]:
        report, results = Report(), list[T]()
        for done, (number, step) in enumerate(wanted, 1):
            with report.line(number):
                results.append(step(store))
            if done % TELL_EVERY == 0:
                loop.call_soon_threadsafe(news.put_nowait, done)
        report.check()
        return results

    async def commit() -> list[T]:
        results = await database.transact(apply)
        then()
        return results

    telling = asyncio.ensure_future(_tell_all(news, len(wanted), tell))
    try:
        return await finished(commit())
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


async def _tell_all(news: "asyncio.Queue[int]", of: int, tell: Tell) -> None:
    """Until cancelled, or until nobody listens any more: what is begun is finished all the same."""
    while True:
        await tell(await news.get(), of)
