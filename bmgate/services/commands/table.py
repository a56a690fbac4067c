"""What the table of mail commands is made of: a handler for each command, in families."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from bmgate.domain.account import AccountId
from bmgate.mail.command_line import CommandLine

Handler = Callable[[AccountId, CommandLine], Awaitable[str]]
"""Carries out a command for an account; the text of the answer. What it raises is told as an error."""


class Family(Protocol):
    """Commands that belong together."""

    def table(self) -> Mapping[str, Handler]:
        """Each under the name of its command."""
        ...


def told(rows: list[str], none: str) -> str:
    """A list, or what is said in its place."""
    return "\n".join(rows) if rows else none
