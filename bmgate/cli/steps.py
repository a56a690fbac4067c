"""How far a long command is: a line that is written over on a terminal, and nothing elsewhere."""

import sys
from types import TracebackType
from typing import Any

import click


class Steps:
    """Shows progress of the form `{"step", "done", "of"}` on standard error."""

    def __init__(self) -> None:
        self._is_shown, self._has_line = sys.stderr.isatty(), False

    def __enter__(self) -> "Steps":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._has_line:
            click.echo(err=True)

    def tell(self, value: Any) -> None:
        """One piece of progress."""
        if not self._is_shown:
            return
        of = f" of {value['of']}" if value["of"] is not None else ""
        click.echo(f"\r{value['step']}: {value['done']}{of} messages\x1b[K", err=True, nl=False)
        self._has_line = True
