"""The clock of the outbox: rows whose time has come, senders who are to hear that their mail waits, peers that came.

What happens to several recipients of one mail at once is recorded in one transaction, so that one notice tells of it.
"""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import groupby
from typing import Any

from bmgate.domain.mailbox import MailboxId
from bmgate.domain.outbox import MAX_ATTEMPTS, Event, OutboxId, OutgoingMessage, Reason, State
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Clock
from bmgate.mail.wishes import MAX_TTL
from bmgate.services.outbound.outbox import OutboxRecorder, Recorded, Step, failure

BATCH = 100
LOOK_SECONDS = 60.0  # after the first peer: what was on its way to be published then is held too


class Timers:
    """Looks, when told to. `connected` says whether the node has peers."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        recorder: OutboxRecorder,
        connected: Callable[[], bool],
    ) -> None:
        self._database, self._clock, self._recorder = database, clock, recorder
        self._connected = connected
        self._earliest: dict[OutboxId, float] = {}  # on the monotonic clock
        self._was_connected, self._look_until = False, 0.0

    def set(self, row: OutgoingMessage) -> None:
        """A clock that jumps must not bring forward what waits from now on (O8)."""
        self._earliest.pop(row.id, None)
        if row.next_attempt:
            self._earliest[row.id] = self._clock.monotonic() + row.next_attempt - self._clock.now()

    async def due(self) -> list[OutgoingMessage]:
        """Rows whose time has come."""
        now = self._clock.now()
        rows = await self._database.read(lambda store: store.outbox.due(now, BATCH))
        return [row for row in rows if self._clock.monotonic() >= self._earliest.get(row.id, 0.0)]

    async def move_on(self, rows: Iterable[OutgoingMessage]) -> list[Recorded]:
        """Record what it means that the time of these rows has come."""
        now, outcomes = self._clock.now(), list[Recorded]()
        for of_one in _by_submission(rows):
            outcomes += await self._database.transact(partial(self._record, rows=of_one, now=now))
        return outcomes

    async def fail_left(self) -> list[Recorded]:
        """Record that posts fail which wait for their send delay, and whose author left the chan meanwhile."""
        now, outcomes = self._clock.now(), list[Recorded]()
        left = await self._database.read(
            lambda store: [row for row in store.outbox.held(Reason.SEND_DELAY) if _is_left(store, row)]
        )
        for of_one in _by_submission(left):
            outcomes += await self._database.transact(partial(self._fail_left, rows=of_one, now=now))
        return outcomes

    async def remind(self) -> tuple[MailboxId, ...]:
        """Tell senders whose mail still waits; which mailboxes changed."""
        now, changed = self._clock.now(), set[MailboxId]()
        due = await self._database.read(lambda store: store.outbox.notices_due(now, BATCH))
        for rows in _by_submission(due):
            changed.update(await self._database.transact(partial(self._remind, rows=rows, now=now)))
        return tuple(changed)

    async def look_for_peers(self) -> tuple[MailboxId, ...]:
        """What was published while nobody was there is no longer held when somebody is; which mailboxes changed."""
        now_connected, moment = self._connected(), self._clock.monotonic()
        if now_connected and not self._was_connected:
            self._look_until = moment + LOOK_SECONDS
        self._was_connected = now_connected
        if not now_connected or moment > self._look_until:
            return ()
        now = self._clock.now()
        if not await self._database.read(lambda store: store.outbox.held(Reason.NO_PEERS)):
            return ()

        def release(store: Store) -> set[MailboxId]:
            held = store.outbox.held(Reason.NO_PEERS)
            return {changed for row in held for changed in self._recorder.hold(store, row, Reason.NONE, now)}

        return tuple(await self._database.transact(release))

    def _remind(self, store: Store, rows: list[OutgoingMessage], now: int) -> tuple[MailboxId, ...]:
        still = {row.id: row for row in store.outbox.notices_due(now, BATCH)}
        rows = [still[row.id] for row in rows if row.id in still]
        return self._recorder.remind(store, rows, now) if rows else ()

    def _fail_left(self, store: Store, rows: list[OutgoingMessage], now: int) -> list[Recorded]:
        current = [store.outbox.get(row.id) for row in rows]
        left = [row for row in current if row.state is State.ACCEPTED and _is_left(store, row)]
        steps = [Step(row, Event.KEY_UNUSABLE, failure(Reason.LEFT_CHAN)) for row in left]
        return self._recorder.record_all(store, steps, now) if steps else []

    def _record(self, store: Store, rows: list[OutgoingMessage], now: int) -> list[Recorded]:
        """Of rows that are still as they were when they were looked at."""
        current = [(row, store.outbox.get(row.id)) for row in rows]
        steps = [self._step(store, after, now) for before, after in current if _is_same(before, after)]
        wanted = [step for step in steps if step is not None]
        return self._recorder.record_all(store, wanted, now) if wanted else []

    def _step(self, store: Store, row: OutgoingMessage, now: int) -> Step | None:
        is_unheard = row.reason is Reason.NO_PEERS
        spent = row.no_retry or now >= self._recorder.give_up_at(store, row)
        match row.state:
            case State.PUBLISHED if spent or row.attempt >= MAX_ATTEMPTS:
                return Step(row, Event.GIVEN_UP, failure(Reason.NO_NETWORK if is_unheard else Reason.NEVER_CONFIRMED))
            case State.PUBLISHED | State.REQUESTED if not spent:
                return Step(row, Event.TTL_ELAPSED, left_behind(row, Event.TTL_ELAPSED))
            case State.REQUESTED:
                return Step(row, Event.GIVEN_UP, failure(Reason.NO_NETWORK if is_unheard else Reason.NO_KEY))
            case State.TOO_DIFFICULT:
                return Step(row, Event.GIVEN_UP, failure(Reason.TOO_DIFFICULT))
            case _:
                return None


def left_behind(row: OutgoingMessage, event: Event) -> dict[str, Any]:
    """The changes with which a row leaves its object behind; a msg sent again lives twice as long (O4)."""
    changes: dict[str, Any] = {"payload": b"", "next_attempt": 0}
    if row.state is State.PUBLISHED and event in (Event.TTL_ELAPSED, Event.RETRY):
        changes |= {"attempt": row.attempt + 1, "ttl_seconds": min(2 * row.ttl_seconds, MAX_TTL)}
    return changes


def _is_left(store: Store, row: OutgoingMessage) -> bool:
    """Whether it is a post to a chan in which its author takes no part any more."""
    return row.kind.is_post and store.account(row.account).chans.find(row.recipient) is None


def _by_submission(rows: Iterable[OutgoingMessage]) -> list[list[OutgoingMessage]]:
    ordered = sorted(rows, key=lambda row: (row.submission, row.n))
    return [list(group) for _, group in groupby(ordered, key=lambda row: row.submission)]


def _is_same(one: OutgoingMessage, other: OutgoingMessage) -> bool:
    return (one.state, one.attempt, one.payload, one.no_retry) == (
        other.state,
        other.attempt,
        other.payload,
        other.no_retry,
    )
