"""Failpoints: named places at which a test kills the process, to see what a restart makes of it.

`BMGATE_FAILPOINT=name:n` ends the process at the n-th pass of `name`, as kill -9 would.
"""

import os
import threading
from typing import NoReturn

from bmgate.domain.outbox import Event
from bmgate.errors import ConfigError

EXIT_CODE = 137  # what a shell reports after kill -9

FAILPOINTS: dict[str, str] = {
    "storage.begin": "a batch of units of work is about to begin its transaction",
    "storage.before_commit": "all units of a batch have run, nothing is committed",
    "storage.after_commit": "a batch is committed, nobody knows yet",
    "storage.checkpoint": "the gateway closes, the last checkpoint is about to be made",
    "storage.migrate": "the schema is about to be made or upgraded",
    "storage.migrated": "the schema is made, its transaction is not committed",
    "submission.begin": "a mail is about to be recorded",
    "submission.stored": "a mail and its rows are recorded, not committed",
    "submission.committed": "a mail is committed, the client has no answer yet",
    "append.begin": "APPEND is about to store",
    "append.staged": "a piece of a large mail of APPEND is committed where nobody sees it",
    "append.stored": "APPEND has stored, not committed",
    "append.committed": "APPEND is committed, the client has no answer yet",
    "expunge.begin": "EXPUNGE is about to delete",
    "expunge.committed": "EXPUNGE is committed, the client has no answer yet",
    "move.stored": "MOVE has copied and expunged, not committed",
    "import.batch": "a part of an import is committed where nobody sees it",
    "import.staged": "all mail of an import is committed where nobody sees it",
    "receiving.recorded": "an object is processed, not committed",
    "receiving.committed": "the processing of an object is committed",
    "delivery.store": "a received mail is about to go into its mailbox",
    "pubkey.begun": "a pubkey is signed and stored, its work begins",
    "pubkey.published": "a pubkey is in the inventory",
    **{f"outbox.{event}": f"a row is about to be saved after {event}" for event in Event},
    **{f"outbox.{event}.committed": f"{event} is committed, its effects are owed" for event in Event},
}
"""Every point and what has happened there."""


class NoFailpoints:
    """Lets everything pass."""

    def pass_(self, name: str) -> None:
        """Nothing happens."""


class Failpoints:
    """Kills the process at the `n`-th pass of the point `name`."""

    def __init__(self, name: str, n: int) -> None:
        self._name, self._left, self._lock = name, n, threading.Lock()

    def pass_(self, name: str) -> None:
        """Count a pass of `name`; does not return from the chosen one."""
        if name != self._name:
            return
        with self._lock:
            self._left -= 1
            if self._left == 0:
                _die()


def read_failpoint(text: str) -> Failpoints:
    """The failpoint of `name:n` (or `name` for the first pass); raises ConfigError."""
    name, _, number = text.partition(":")
    if name not in FAILPOINTS or not (number or "1").isdecimal() or int(number or "1") < 1:
        raise ConfigError(f"BMGATE_FAILPOINT: {text!r} found, hoped for name:n; see: bmgate failpoints")
    return Failpoints(name, int(number or "1"))


def _die() -> NoReturn:
    os._exit(EXIT_CODE)
