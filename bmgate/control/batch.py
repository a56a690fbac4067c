"""Batches on the control socket: entries in, one piece of progress for each that was applied, the counts as result.

An entry is an object with its `line` and the fields of one call. What became of each is told as progress, as a
thousand of them are longer than a line may be.
"""

from collections.abc import Iterable
from typing import Any

from bmgate.control.protocol import Tell
from bmgate.control.table import Param, checked
from bmgate.errors import ProtocolError, TooLarge
from bmgate.services.batch import MAX_ENTRIES, Report
from bmgate.services.batch import Tell as Progress

BATCH_PARAMS = (Param("entries", list), Param("if_missing", bool, False))
"""What every method takes that carries out a batch."""

Entry = tuple[int, dict[str, Any]]
"""The line it stands in, and all its fields."""


def read_entries(what: str, fields: tuple[Param, ...], entries: Iterable[Any]) -> list[Entry]:
    """The entries of a batch with every field of `fields`; raises BatchRefused for all that are wrong, TooLarge."""
    given, report, read = list(entries), Report(), list[Entry]()
    if len(given) > MAX_ENTRIES:
        raise TooLarge(f"{len(given)} entries are too many at once; at most {MAX_ENTRIES}")
    for place, entry in enumerate(given, 1):
        if not isinstance(entry, dict) or type(entry.get("line", place)) is not int:
            raise ProtocolError("an entry is an object with its line and its fields")
        number = entry.get("line", place)
        with report.line(number):
            values = {name: value for name, value in entry.items() if name != "line"}
            read.append((number, checked(what, fields, values)))
    report.check()
    return read


def made(is_new: bool, if_missing: bool = True) -> dict[str, str]:
    """What the result of a single call says beside its value, where it may have found what it should make."""
    return {"is": "made" if is_new else "there"} if if_missing else {}


def telling(tell: Tell, *, applied: bool = True) -> Progress:
    """Tells how many entries of how many are applied, or only prepared for it."""

    async def told(done: int, of: int) -> None:
        await tell({"done": done, "of": of, "applied": applied})

    return told


async def tell_entries(tell: Tell, done: Iterable[tuple[dict[str, Any], bool]]) -> dict[str, int]:
    """Tell each entry's result, made anew or there before; the result of the whole call."""
    counts = {"made": 0, "there": 0}
    for value, is_new in done:
        state = made(is_new)
        counts[state["is"]] += 1
        await tell({"entry": value, **state})
    return counts
