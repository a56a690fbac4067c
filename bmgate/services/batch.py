"""Many entries at once, all or none: every line that cannot be carried out is told, with the reason.

An entry is first prepared (parsed, its keys made, its password hashed), then applied in one transaction with all
others. Nothing is written before every entry is prepared, and a line that fails in the transaction takes all back.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from bmgate.domain.ports.database import Database, Store
from bmgate.errors import BatchRefused, GatewayError, Unavailable

T = TypeVar("T")

MAX_ENTRIES = 5_000
MAX_TOLD = 1_000  # failures; whoever has more has them for one reason

Step = tuple[int, Callable[[Store], T]]
"""The line of an entry, and what applies it within a transaction."""


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


async def apply_all(database: Database, steps: Iterable[Step[T]]) -> list[T]:
    """Carry out every step in one transaction, in order; raises BatchRefused, and then nothing has changed."""

    def apply(store: Store) -> list[T]:
        report, results = Report(), list[T]()
        for number, step in steps:
            with report.line(number):
                results.append(step(store))
        report.check()
        return results

    return await database.transact(apply)
