"""Sending: sees to it that what the outbox owes the world is carried out.

One task per row follows its effects until there is nothing to do but wait; a timer looks for rows whose time has come.
What an effect takes is in `effects`.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, replace
from typing import Any

from bmgate.bm.keys import Entropy
from bmgate.bm.network import NetworkParameters
from bmgate.bm.plaintext import Pubkey
from bmgate.domain.outbox import (
    FINAL,
    GIVE_UP_SECONDS,
    MAX_ATTEMPTS,
    RESUME,
    Effect,
    Event,
    OutboxId,
    OutgoingMessage,
    Priority,
    Reason,
    State,
    may,
)
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Announcer, Clock, Solver
from bmgate.errors import OverQuota, ShuttingDown, Unavailable
from bmgate.mail.wishes import MAX_TTL
from bmgate.services.acks import AckWatch
from bmgate.services.delivery import Deliverer
from bmgate.services.effects import Effects
from bmgate.services.events import MailboxEvents
from bmgate.services.outbox import OutboxRecorder, Recorded, failure
from bmgate.services.own_objects import RETRY_SECONDS

TIMER_SECONDS = 2.0
BATCH = 100

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SendingOptions:
    """`max_difficulty`: the work a recipient may demand, in multiples of the network's minimum."""

    max_difficulty: float = 10.0
    give_up_seconds: int = GIVE_UP_SECONDS


class Sending:
    """The outbox at work. `run` lives as long as the gateway."""

    def __init__(
        self,
        database: Database,
        solver: Solver,
        announcer: Announcer,
        clock: Clock,
        entropy: Entropy,
        network: NetworkParameters,
        recorder: OutboxRecorder,
        deliverer: Deliverer,
        watch: AckWatch,
        events: MailboxEvents,
        options: SendingOptions,
    ) -> None:
        self._database, self._clock, self._options = database, clock, options
        self._recorder, self._watch, self._events = recorder, watch, events
        self._effects = Effects(
            database,
            solver,
            announcer,
            clock,
            entropy,
            network,
            recorder,
            deliverer,
            options.max_difficulty,
            self._spawn,
            events.changed,
        )
        self._running: dict[OutboxId, asyncio.Task[None]] = {}
        self._earliest: dict[OutboxId, float] = {}  # on the monotonic clock
        self._tasks: asyncio.TaskGroup | None = None

    def when_stored(self, callback: Callable[[], None]) -> None:
        """Have `callback` called when own objects were stored: they are processed like received ones."""
        self._effects.on_stored = callback

    async def run(self) -> None:
        """Take up every unfinished row where it was left, then tend the timers until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for row in await self._database.read(lambda store: store.outbox.unfinished()):
                self._begin(row, RESUME[row.state])
            while True:
                try:
                    await self._tend()
                except ShuttingDown:
                    return
                except Unavailable as error:
                    log.warning("the outbox waits: %s", error)
                await self._clock.sleep(TIMER_SECONDS)

    def accepted(self, rows: Iterable[OutgoingMessage]) -> None:
        """New rows stand in the outbox: watch for their acks and begin."""
        for row in rows:
            self._watch.add(row.ack_data, row.id)
            self._begin(row, RESUME[row.state])

    def recorded(self, outcomes: Iterable[Recorded]) -> None:
        """Somebody else recorded events (an ack, a pubkey, a command): carry on from there."""
        for outcome in outcomes:
            self._effects.committed(outcome)
            self._carry_on(outcome)

    async def command(self, row: OutboxId, event: Event) -> OutgoingMessage:
        """Record a user's CANCEL, RETRY or FORCED if the row still permits it; the row as it is now (O6).

        It is too late to cancel what is published: it makes no further attempt, and an ack still counts.
        """
        now = self._clock.now()

        def decide(store: Store) -> Recorded | OutgoingMessage:
            message = store.outbox.get(row)
            if event is Event.CANCEL and message.state is State.PUBLISHED and not message.no_retry:
                return store.outbox.save(replace(message, no_retry=True), now, "")
            if not may(message.state, event):
                return message
            changes: dict[str, Any] = {"forced": True, "reason": Reason.NONE} if event is Event.FORCED else {}
            return self._recorder.record(store, message, event, now, "by the user", **changes, **_fresh(message, event))

        outcome = await self._database.transact(decide)
        if isinstance(outcome, OutgoingMessage):
            return outcome
        self.recorded([outcome])
        return outcome.message

    async def prioritise(self, row: OutboxId, priority: Priority) -> OutgoingMessage:
        """Give a row that is not final another priority, and its work another place; the row as it is now."""
        now = self._clock.now()

        def change(store: Store) -> OutgoingMessage:
            message = store.outbox.get(row)
            if message.state in FINAL or message.priority is priority:
                return message
            return store.outbox.save(replace(message, priority=priority), now, "")

        message = await self._database.transact(change)
        self._effects.reprioritise(message)
        return message

    def judge_key(self, row: OutgoingMessage, pubkey: Pubkey, now: int) -> tuple[Event, dict[str, Any]]:
        """What it means for a row that this pubkey was learnt, and the changes that go with it."""
        return self._effects.judge_key(row, pubkey, now)

    # -- tasks -----------------------------------------------------------------------------------------------------

    def _carry_on(self, outcome: Recorded) -> None:
        self._stop(outcome.message.id)
        self._settle(outcome)
        self._begin(outcome.message, outcome.effects)

    def _begin(self, row: OutgoingMessage, effects: Iterable[Effect]) -> None:
        work = self._work_of(effects)
        if work and self._tasks is not None:
            self._running[row.id] = self._tasks.create_task(self._follow(row, work[0]), name=f"outbox {row.name}")

    def _stop(self, row: OutboxId) -> None:
        task = self._running.pop(row, None)
        if task is not None:
            task.cancel()

    def _work_of(self, effects: Iterable[Effect]) -> tuple[Effect, ...]:
        return tuple(effect for effect in effects if effect in self._effects.work)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        if self._tasks is None:
            work.close()
        else:
            self._tasks.create_task(work)

    async def _follow(self, row: OutgoingMessage, effect: Effect) -> None:
        """Carry out one effect after the other until the row has to wait; trouble that may pass is waited out."""
        pending: tuple[Effect, ...] = (effect,)
        try:
            while pending:
                try:
                    outcome = await self._effects.work[pending[0]](row)
                except ShuttingDown:
                    return
                except (Unavailable, OverQuota) as error:
                    log.warning("%s waits in %s: %s", row.name, row.state, error)
                    row, pending = await self._later(row)
                    continue
                if outcome is None:
                    return
                self._settle(outcome)
                row, pending = outcome.message, self._work_of(outcome.effects)
        finally:
            if self._running.get(row.id) is asyncio.current_task():
                del self._running[row.id]

    async def _later(self, row: OutgoingMessage) -> tuple[OutgoingMessage, tuple[Effect, ...]]:
        """After a while, the row as it is then and what it needs."""
        while True:
            await self._clock.sleep(RETRY_SECONDS)
            try:
                current = await self._database.read(lambda store: store.outbox.get(row.id))
            except ShuttingDown:
                return row, ()
            except Unavailable:
                continue
            return current, self._work_of(RESUME[current.state])

    def _settle(self, outcome: Recorded) -> None:
        message = outcome.message
        self._earliest.pop(message.id, None)
        if message.next_attempt:  # a clock that jumps must not bring it forward (O8)
            self._earliest[message.id] = self._clock.monotonic() + message.next_attempt - self._clock.now()
        if outcome.message.state in FINAL and outcome.message.state is not State.FAILED:
            self._watch.remove(outcome.message.ack_data)
        self._events.changed(outcome.mailboxes)

    # -- timers ----------------------------------------------------------------------------------------------------

    async def _tend(self) -> None:
        now = self._clock.now()
        for row in await self._database.read(lambda store: store.outbox.due(now, BATCH)):
            if self._clock.monotonic() < self._earliest.get(row.id, 0.0):
                continue
            outcome = await self._time_has_come(row, now)
            if outcome is not None:
                self._carry_on(outcome)

    async def _time_has_come(self, row: OutgoingMessage, now: int) -> Recorded | None:
        spent = row.no_retry or now - row.created_at >= self._options.give_up_seconds
        match row.state:
            case State.PUBLISHED if spent or row.attempt >= MAX_ATTEMPTS:
                return await self._effects.advance(row, Event.GIVEN_UP, **failure(Reason.NEVER_CONFIRMED))
            case State.PUBLISHED | State.REQUESTED if not spent:
                return await self._effects.advance(row, Event.TTL_ELAPSED, **_fresh(row, Event.TTL_ELAPSED))
            case State.REQUESTED:
                return await self._effects.advance(row, Event.GIVEN_UP, **failure(Reason.NO_KEY))
            case State.TOO_DIFFICULT:
                return await self._effects.advance(row, Event.GIVEN_UP, **failure(Reason.TOO_DIFFICULT))
            case _:
                return None


def _fresh(row: OutgoingMessage, event: Event) -> dict[str, Any]:
    """The changes with which a row leaves its object behind; a msg sent again lives twice as long (O4)."""
    changes: dict[str, Any] = {"payload": b"", "next_attempt": 0}
    if row.state is State.PUBLISHED and event in (Event.TTL_ELAPSED, Event.RETRY):
        changes |= {"attempt": row.attempt + 1, "ttl_seconds": min(2 * row.ttl_seconds, MAX_TTL)}
    return changes
