"""Sending: sees to it that what the outbox owes the world is carried out.

One task per row follows its effects until there is nothing to do but wait; a timer looks for rows whose time has come.
What an effect takes is in `effects`.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bmgate.bm.keys import Entropy
from bmgate.bm.network import NetworkParameters
from bmgate.bm.plaintext import Pubkey
from bmgate.domain.mailbox import MailboxId
from bmgate.domain.outbox import (
    FINAL,
    RESUME,
    Effect,
    Event,
    OutboxId,
    OutgoingMessage,
    Priority,
    Reason,
    State,
)
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Announcer, Clock, Solver
from bmgate.errors import OverQuota, ShuttingDown, Unavailable
from bmgate.services.delivery.delivery import Deliverer
from bmgate.services.events import MailboxEvents
from bmgate.services.objects.acks import AckWatch
from bmgate.services.objects.own_objects import RETRY_SECONDS
from bmgate.services.outbound.effects import Effects
from bmgate.services.outbound.outbox import OutboxRecorder, Recorded
from bmgate.services.outbound.payloads import Payload, Payloads
from bmgate.services.outbound.row_commands import RowCommands
from bmgate.services.outbound.timers import Timers

TIMER_SECONDS = 2.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SendingOptions:
    """`max_difficulty`: the work a recipient may demand, in multiples of the network's minimum."""

    max_difficulty: float = 10.0


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
        payloads: Payloads,
        watch: AckWatch,
        events: MailboxEvents,
        options: SendingOptions,
        connected: Callable[[], bool] = lambda: True,
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
            payloads,
            options.max_difficulty,
            self._spawn,
            events.changed,
        )
        self._effects.connected, self._effects.accepted = connected, self.accepted
        self._timers = Timers(database, clock, recorder, connected)
        self._commands = RowCommands(recorder)
        self._on_accepted: Callable[[Iterable[OutgoingMessage]], None] = lambda rows: None
        self._running: dict[OutboxId, asyncio.Task[None]] = {}
        self._chan_changes, self._seen_changes = 1, 0  # posts to chans that were left are looked for after each
        self._tasks: asyncio.TaskGroup | None = None

    def when_stored(self, callback: Callable[[], None]) -> None:
        """Have `callback` called when own objects were stored: they are processed like received ones."""
        self._effects.on_stored = callback

    def chans_changed(self) -> None:
        """Somebody joined or left: posts that wait to be sent to a chan that was left fail with the next look."""
        self._chan_changes += 1

    def when_accepted(self, callback: Callable[[Iterable[OutgoingMessage]], None]) -> None:
        """Have `callback` called with new rows."""
        self._on_accepted = callback

    def when_delivered(self, callback: Callable[[Store, OutgoingMessage, Payload, int], list[OutgoingMessage]]) -> None:
        """Have `callback` called with mail for the account itself, in the transaction that delivers it; with the rows
        it makes it goes on.
        """
        self._effects.delivered = callback

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
        """New rows stand in the outbox: watch for their acks and begin, now or when their send delay is over."""
        new = list(rows)
        for row in new:
            self._watch.add(row.ack_data, row.id)
            self._timers.set(row)
            self._begin(row, RESUME[row.state])
        self._on_accepted(new)

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
        outcome = await self._database.transact(lambda store: self._commands.decide(store, row, event, now))
        self.recorded([outcome] if isinstance(outcome, Recorded) else [])
        if isinstance(outcome, Recorded):
            return outcome.message
        self._events.changed(outcome.mailboxes)
        if outcome.begins:
            self.accepted([outcome.message])
        return outcome.message

    async def prioritise(self, row: OutboxId, priority: Priority) -> OutgoingMessage:
        """Give a row that is not final another priority, and its work another place; the row as it is now."""
        now = self._clock.now()
        message, mailboxes = await self._database.transact(
            lambda store: self._commands.prioritise(store, row, priority, now)
        )
        self._events.changed(mailboxes)
        self.reprioritised(message)
        return message

    def reprioritised(self, message: OutgoingMessage) -> None:
        """The priority of a row was changed: its work moves."""
        self._effects.reprioritise(message)

    async def set_ttl(self, row: OutboxId, ttl_seconds: int) -> OutgoingMessage:
        """Have a row that is not published live so long on the network; what was built for another time is built
        anew. The row as it is now.
        """
        now = self._clock.now()
        message, outcome = await self._database.transact(
            lambda store: self._commands.set_ttl(store, row, ttl_seconds, now)
        )
        if outcome is not None:
            self.recorded([outcome])
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
        if row.state is not State.ACCEPTED or row.next_attempt <= self._clock.now():
            self._start(row, effects)

    def _start(self, row: OutgoingMessage, effects: Iterable[Effect]) -> None:
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
                    if isinstance(error, OverQuota):
                        await self._hold(row, Reason.OVER_QUOTA)
                    row, pending = await self._later(row)
                    continue
                if outcome is None:
                    return
                self._settle(outcome)
                row, pending = outcome.message, self._work_of(outcome.effects)
        finally:
            if self._running.get(row.id) is asyncio.current_task():
                del self._running[row.id]

    async def _hold(self, row: OutgoingMessage, reason: Reason) -> None:
        now = self._clock.now()

        def hold(store: Store) -> tuple[MailboxId, ...]:
            current = store.outbox.get(row.id)
            return self._recorder.hold(store, current, reason, now) if current.state is row.state else ()

        with suppress(Unavailable):
            self._events.changed(await self._database.transact(hold))

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
        self._timers.set(message)
        if message.state in FINAL and message.state is not State.FAILED:
            self._watch.remove(message.ack_data)
        self._events.changed(outcome.mailboxes)

    # -- timers ----------------------------------------------------------------------------------------------------

    async def _tend(self) -> None:
        self._events.changed(await self._timers.remind())
        if (changes := self._chan_changes) != self._seen_changes:
            self.recorded(await self._timers.fail_left())
            self._seen_changes = changes
        due = await self._timers.due()
        for row in due:
            if row.state is State.ACCEPTED and row.id not in self._running:  # its send delay is over
                self._start(row, RESUME[row.state])
        self.recorded(await self._timers.move_on(row for row in due if row.state is not State.ACCEPTED))
        self._events.changed(await self._timers.look_for_peers())
