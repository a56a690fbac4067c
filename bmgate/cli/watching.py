"""`bmgate queue watch`: bars on a terminal, a line for each step elsewhere, JSON on request."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bmgate.cli.output import printable
from bmgate.cli.progress import FINAL, expectation, percentage, prospect

BAR_WIDTH = 24
STEP = 5  # percent: what is worth a line of its own
COLUMNS = 4  # of a width that is known
MARGIN = 3  # lines of the terminal that are not rows
REFRESHES = 4  # a second

Show = Callable[[Any], None]


@contextmanager
def watching(as_json: bool) -> Iterator[Show]:
    """Gives the function that takes what `queue.watch` tells. Ctrl-C is an ordinary way out."""
    try:
        if as_json:
            yield _show_json
        elif sys.stdout.isatty():
            screen = Screen(Console(file=sys.stdout, highlight=False))
            with screen.live:
                yield screen.show
            click.echo(screen.farewell)
        else:
            yield Lines().show
    except KeyboardInterrupt:
        return


def _show_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False))


class Lines:
    """One line for each row that changed visibly."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[str, int]] = {}

    def show(self, value: Any) -> None:
        if "backlog" in value:
            return
        look = (value["state"], int(100 * value["work"]["probability"]) // STEP if value["work"] else 0)
        if self._told.get(value["id"]) != look:
            self._told[value["id"]] = look
            words = (value["id"], f"{value['state']:<15}", f"{percentage(value):>5}", prospect(value))
            click.echo("  ".join(map(printable, words)).rstrip())


class Screen:
    """All rows with their bars, as many as the terminal has room for; what is worked on stands first."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rows: dict[str, dict[str, Any]] = {}
        self._backlog: dict[str, Any] = {"jobs": 0}
        self.live = Live(get_renderable=self.picture, console=console, refresh_per_second=REFRESHES)

    def show(self, value: Any) -> None:
        if "backlog" in value:
            self._backlog = value["backlog"]
        else:
            self._rows[value["id"]] = value

    @property
    def farewell(self) -> str:
        """What is said when everything has come to its end."""
        return "Nothing is on its way." if not self._rows else "All of it has come to its end."

    def picture(self) -> RenderableType:
        """What the terminal shows now."""
        rows = sorted(self._rows.values(), key=_importance)
        room = max(self._console.height - MARGIN, 1)
        table = Table(box=None, pad_edge=False, show_header=False, expand=True)
        for _ in range(COLUMNS):
            table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)  # what does not fit is cut here
        for row in rows[:room]:
            done = row["work"]["probability"] if row["work"] else float(row["state"] in FINAL)
            bar = ProgressBar(total=1.0, completed=done, width=BAR_WIDTH)
            words = [printable(word) for word in (row["id"], row["state"], percentage(row), prospect(row))]
            table.add_row(Text(words[0]), Text(words[1]), bar, Text(words[2]), Text(words[3]))
        hidden = f"... and {len(rows) - room} more\n" if len(rows) > room else ""
        jobs = self._backlog["jobs"]
        work = f"{jobs} {'search' if jobs == 1 else 'searches'} in all: {expectation(self._backlog)}" if jobs else ""
        return Group(table, Text(f"{hidden}{work}"))


def _importance(row: dict[str, Any]) -> tuple[bool, bool, float, str]:
    work = row["work"]
    if work is None:
        return (row["state"] in FINAL, True, 0.0, row["id"])
    return (False, False, work["mean_seconds"], row["id"])
