"""The one thread that writes: what waits is carried out together and committed once (group commit).

Each unit of work of a batch stands in its own savepoint, so it fails alone. What gathers while one commit runs goes
into the next. Where several came together they will again, as their clients were answered at the same time: the next
batch waits a moment for as many. A lone writer never waits.

Between two batches a portion of what was dropped is removed, in a transaction of its own.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bmgate.domain.ports.database import Failpoints, Store
from bmgate.errors import ShuttingDown, StorageBusy, StorageFailed
from bmgate.storage.backend import Backend, Spare, translated
from bmgate.storage.repositories.contents import owe_dropped, owes_dropped, remove_dropped
from bmgate.storage.statements import control
from bmgate.storage.store import open_store
from bmgate.storage.vault import Vault

BATCH_SECONDS = 0.05  # of work, after which a batch is committed though more is waiting
GATHER_SECONDS = 0.004  # that the first unit waits for others; a commit costs as much as one or two mails
FAREWELL_SECONDS = 0.5  # at the end, to remove what was dropped; the rest goes in the next run
CROWD = 3  # units in a batch, from which on more are expected


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of work and the future of whoever waits for it."""

    work: Callable[[Store], Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a unit: `error` is None when `result` is durable."""

    unit: Unit
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Owns the writing connection and its thread."""

    def __init__(
        self,
        backend: Backend,
        connection: Connection,
        vault: Vault,
        failpoints: Failpoints,
        on_failure: Callable[[StorageFailed], None],
    ) -> None:
        self._backend, self._vault, self._failpoints, self._on_failure = backend, vault, failpoints, on_failure
        self._connection: Connection | None = connection
        self._waiting: deque[Unit] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._former = 0  # units in the last batch
        self._failure: StorageFailed | None = None
        self._owes = False  # there is something to remove
        self.spare = Spare()  # as it was after the last batch
        with suppress(SQLAlchemyError):  # a full disk; what is worse shows in the first batch
            self.spare = backend.tidy(connection)
        owe_dropped(connection)  # what the last run left is looked for behind the first batch
        self._thread = threading.Thread(target=self._run, name="storage-writer", daemon=True)
        self._thread.start()

    def submit(self, unit: Unit) -> None:
        """Put a unit behind those that wait; raises ShuttingDown."""
        with self._changed:
            if self._closing:
                raise ShuttingDown("the gateway is about to stop")
            self._waiting.append(unit)
            self._changed.notify()

    def close(self, timeout_seconds: float) -> bool:
        """Finish what waits and end the thread; False when it did not end in time."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    # -- on the thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while self._wait():
            if self._waiting:
                _tell(self._carry_out())
            self._tidy()
        deadline = time.monotonic() + FAREWELL_SECONDS
        while self._owes and time.monotonic() < deadline:
            self._tidy()
        if self._connection is None:
            return
        self._failpoints.pass_("storage.checkpoint")
        try:
            self._backend.before_close(self._connection)
        finally:
            self._connection.close()

    def _wait(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing or self._owes)
            if self._waiting and self._former >= CROWD:
                self._changed.wait_for(lambda: len(self._waiting) >= self._former or self._closing, GATHER_SECONDS)
            return bool(self._waiting) or (self._owes and not self._closing)

    def _carry_out(self) -> list[Outcome]:
        """One batch: what waits, as far as it fits a short transaction."""
        begun: list[Unit] = []
        try:
            return self._run_batch(begun)
        except Exception as error:  # noqa: BLE001  # raised again where the units are waited for; the thread goes on
            failed = self._known(error)
        self._let_go()
        return [Outcome(unit, error=failed) for unit in begun or self._take_all()]

    def _tidy(self) -> None:
        """Nobody waits for this: what fails, for want of room perhaps, is tried again behind the next batch."""
        connection, self._owes = self._connection, False
        if connection is None or self._failure is not None:
            return
        owes = False
        try:
            if owes := owes_dropped(connection):
                with connection.begin():
                    owes = not remove_dropped(connection)
                self._owes = owes
            self.spare = self._backend.tidy(connection)
        except SQLAlchemyError as error:
            self._owes = False
            self._known(error)
            self._let_go()
        if owes and self._connection is not None:
            owe_dropped(connection)

    def _let_go(self) -> None:
        """Of a connection on which the server hung up: the next batch connects anew."""
        if self._connection is not None and self._connection.invalidated:
            self._connection.close()
            self._connection = None

    def _run_batch(self, begun: list[Unit]) -> list[Outcome]:
        """Raises what concerns all units alike; `begun` tells which those are."""
        if self._failure is not None:
            raise self._failure
        if self._connection is None:
            self._connection = self._backend.connect_writer()
            owe_dropped(self._connection)
        connection, count = self._connection, len(self._waiting)
        deadline = time.monotonic() + BATCH_SECONDS
        outcomes: list[Outcome] = []
        self._failpoints.pass_("storage.begin")
        with connection.begin():
            while len(begun) < count and (not begun or time.monotonic() < deadline):
                begun.append(self._waiting.popleft())
                if not begun[-1].future.cancelled():
                    outcomes.append(self._attempt(connection, begun[-1]))
            self._failpoints.pass_("storage.before_commit")
        self._failpoints.pass_("storage.after_commit")
        self._former = len(begun)
        return outcomes

    def _attempt(self, connection: Connection, unit: Unit) -> Outcome:
        control(connection, "SAVEPOINT unit")
        try:
            outcome = Outcome(unit, unit.work(open_store(connection, self._vault)))
        except BaseException as error:  # raised again where the unit is waited for
            known = self._known(error)
            if isinstance(error, SQLAlchemyError) and isinstance(known, StorageBusy):
                raise known from error  # of no unit's making: it may have ended the transaction
            control(connection, "ROLLBACK TO SAVEPOINT unit")
            outcome = Outcome(unit, error=known)
        control(connection, "RELEASE SAVEPOINT unit")
        return outcome

    def _known(self, error: BaseException) -> BaseException:
        """The error to raise for `error`; where the storage itself failed, nothing is written from now on."""
        known = translated(error, self._backend) if isinstance(error, SQLAlchemyError) else error
        if isinstance(known, StorageFailed) and self._failure is None:
            self._failure = known
            self._on_failure(known)
        return known

    def _take_all(self) -> list[Unit]:
        with self._changed:
            units = list(self._waiting)
            self._waiting.clear()
            return units


def _tell(outcomes: list[Outcome]) -> None:
    """Wake whoever waits, one call for each loop."""
    for loop in {outcome.unit.loop for outcome in outcomes}:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_resolve, [outcome for outcome in outcomes if outcome.unit.loop is loop])


def _resolve(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.unit.future.done():
            continue
        if outcome.error is not None:
            outcome.unit.future.set_exception(outcome.error)
        else:
            outcome.unit.future.set_result(outcome.result)
