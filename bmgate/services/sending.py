"""Sending: carries out what the outbox owes the world.

One task per row follows its effects until there is nothing to do but wait; a timer looks for rows whose time has come.
Every outcome comes back as an event, recorded only if the row is still where the work began (compare and set), so a
task that lost a race, to a cancel or to an ack, changes nothing. What is committed is never built again within an
attempt (O2, O3).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from bmgate.bm.acks import ack_object, ack_packet, ack_ttl
from bmgate.bm.encodings import SIMPLE, encode_message
from bmgate.bm.hashes import inventory_vector
from bmgate.bm.keys import Entropy, PrivateKeys
from bmgate.bm.network import NetworkParameters
from bmgate.bm.objects import encode_getpubkey, read_object, with_nonce
from bmgate.bm.plaintext import Pubkey, build_msg
from bmgate.domain.objects import StoredObject
from bmgate.domain.outbox import (
    FINAL,
    GIVE_UP_SECONDS,
    MAX_ATTEMPTS,
    RESUME,
    Effect,
    Event,
    OutboxId,
    OutgoingMessage,
    Reason,
    State,
    may,
)
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Announcer, Clock, Solver, Urgency, WorkJob
from bmgate.errors import OverQuota, ShuttingDown, TooLarge, Unavailable
from bmgate.pow.target import expected_trials, initial_hash, target
from bmgate.services.acks import AckWatch
from bmgate.services.delivery import Deliverer, LocalMail
from bmgate.services.events import MailboxEvents
from bmgate.services.keys import Demand, demand_of, find_pubkey, minimum
from bmgate.services.outbox import OutboxRecorder, Recorded, failure

DAY = 86_400
MAX_TTL = 28 * DAY
GETPUBKEY_TTL = 216_000
FORCE_SECONDS = 7 * DAY
HEADROOM_SECONDS = 300
TIMER_SECONDS = 2.0
STEM_SECONDS = 60  # a restart in mid-stem must not show the object to everybody at once
RETRY_SECONDS = 20.0  # after trouble that may pass: a full disk, a locked account
BATCH = 100

log = logging.getLogger("bmgate.sending")

EffectWork = Callable[["Sending", OutgoingMessage], Awaitable[Recorded | None]]


@dataclass(frozen=True, slots=True)
class SendingOptions:
    """`max_difficulty`: the work a recipient may demand, in multiples of the network's minimum."""

    max_difficulty: float = 10.0
    give_up_seconds: int = GIVE_UP_SECONDS


@dataclass(frozen=True, slots=True, repr=False)
class _Draft:
    """All that goes into a msg; `pubkey` is None while nobody has it."""

    pubkey: Pubkey | None
    sender: Pubkey
    private: PrivateKeys
    data: bytes


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
        self._database, self._solver, self._announcer = database, solver, announcer
        self._clock, self._entropy, self._network = clock, entropy, network
        self._recorder, self._deliverer, self._watch, self._events = recorder, deliverer, watch, events
        self._options = options
        self._running: dict[OutboxId, asyncio.Task[None]] = {}
        self._earliest: dict[OutboxId, float] = {}  # on the monotonic clock
        self._on_stored: Callable[[], None] = lambda: None
        self._tasks: asyncio.TaskGroup | None = None

    def when_stored(self, callback: Callable[[], None]) -> None:
        """Have `callback` called when own objects were stored: they are processed like received ones."""
        self._on_stored = callback

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
            self._stop(outcome.message.id)
            self._settle(outcome)
            self._begin(outcome.message, outcome.effects)

    async def command(self, row: OutboxId, event: Event) -> OutgoingMessage:
        """Record a user's CANCEL, RETRY or FORCED if the row still permits it; the row as it is now (O6)."""
        now = self._clock.now()

        def decide(store: Store) -> Recorded | OutgoingMessage:
            message = store.outbox.get(row)
            if not may(message.state, event):
                return message
            changes = {"forced": True} if event is Event.FORCED else {}
            return self._recorder.record(store, message, event, now, "by the user", **changes, **_fresh(message, event))

        outcome = await self._database.transact(decide)
        if isinstance(outcome, OutgoingMessage):
            return outcome
        self.recorded([outcome])
        return outcome.message

    # -- tasks -----------------------------------------------------------------------------------------------------

    def _begin(self, row: OutgoingMessage, effects: Iterable[Effect]) -> None:
        work = _work_of(effects)
        if work and self._tasks is not None:
            self._running[row.id] = self._tasks.create_task(self._follow(row, work[0]), name=f"outbox {row.name}")

    def _stop(self, row: OutboxId) -> None:
        task = self._running.pop(row, None)
        if task is not None:
            task.cancel()

    async def _follow(self, row: OutgoingMessage, effect: Effect) -> None:
        """Carry out one effect after the other until the row has to wait; trouble that may pass is waited out."""
        pending: tuple[Effect, ...] = (effect,)
        try:
            while pending:
                try:
                    outcome = await _WORK[pending[0]](self, row)
                except ShuttingDown:
                    return
                except (Unavailable, OverQuota) as error:
                    log.warning("%s waits in %s: %s", row.name, row.state, error)
                    row, pending = await self._later(row)
                    continue
                if outcome is None:
                    return
                self._settle(outcome)
                row, pending = outcome.message, _work_of(outcome.effects)
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
            return current, _work_of(RESUME[current.state])

    def _settle(self, outcome: Recorded) -> None:
        message = outcome.message
        self._earliest.pop(message.id, None)
        if message.next_attempt:  # a clock that jumps must not bring it forward (O8)
            self._earliest[message.id] = self._clock.monotonic() + message.next_attempt - self._clock.now()
        if outcome.message.state in FINAL and outcome.message.state is not State.FAILED:
            self._watch.remove(outcome.message.ack_data)
        self._events.changed(outcome.mailboxes)

    async def _advance(
        self,
        row: OutgoingMessage,
        event: Event,
        detail: str = "",
        also: Callable[[Store], None] = lambda store: None,
        **changes: Any,
    ) -> Recorded | None:
        """Record `event` if the row is still as `row` says, with `also` in the same transaction; else None."""
        now = self._clock.now()

        def compare_and_set(store: Store) -> Recorded | None:
            current = store.outbox.get(row.id)
            if (current.state, current.attempt, current.payload) != (row.state, row.attempt, row.payload):
                return None
            also(store)
            return self._recorder.record(store, current, event, now, detail, **changes)

        outcome = await self._database.transact(compare_and_set)
        if outcome is not None:
            self._recorder.failpoints.pass_(f"outbox.{event}.committed")
        return outcome

    # -- timers ----------------------------------------------------------------------------------------------------

    async def _tend(self) -> None:
        now = self._clock.now()
        for row in await self._database.read(lambda store: store.outbox.due(now, BATCH)):
            if self._clock.monotonic() < self._earliest.get(row.id, 0.0):
                continue
            outcome = await self._time_has_come(row, now)
            if outcome is not None:
                self.recorded([outcome])

    async def _time_has_come(self, row: OutgoingMessage, now: int) -> Recorded | None:
        spent = row.no_retry or now - row.created_at >= self._options.give_up_seconds
        match row.state:
            case State.PUBLISHED if spent or row.attempt >= MAX_ATTEMPTS:
                return await self._advance(row, Event.GIVEN_UP, **failure(Reason.NEVER_CONFIRMED))
            case State.PUBLISHED | State.REQUESTED if not spent:
                return await self._advance(row, Event.TTL_ELAPSED, **_fresh(row, Event.TTL_ELAPSED))
            case State.REQUESTED:
                return await self._advance(row, Event.GIVEN_UP, **failure(Reason.NO_KEY))
            case State.TOO_DIFFICULT:
                return await self._advance(row, Event.GIVEN_UP, **failure(Reason.TOO_DIFFICULT))
            case _:
                return None

    # -- the recipient's key ---------------------------------------------------------------------------------------

    async def _find_pubkey(self, row: OutgoingMessage) -> Recorded | None:
        now = self._clock.now()

        def look(store: Store) -> Recorded | None:
            current = store.outbox.get(row.id)
            if current.state is not row.state:
                return None
            if current.state is State.ACCEPTED and self._is_own(store, current):
                return self._deliver_locally(store, current, now)
            pubkey = find_pubkey(store, current.recipient)
            if pubkey is None and current.state is State.REQUESTED:
                return None
            event, changes = self.judge_key(current, pubkey, now)
            return self._recorder.record(store, current, event, now, **changes)

        return await self._database.transact(look)

    def judge_key(self, row: OutgoingMessage, pubkey: Pubkey | None, now: int) -> tuple[Event, dict[str, Any]]:
        """What having this pubkey, or none, means for a row that wants one, and the changes that go with it."""
        if pubkey is None:
            return Event.PUBKEY_MISSING, {"payload": b"", "next_attempt": 0}
        if (
            not row.forced
            and demand_of(pubkey, self._network).times_minimum(self._network) > self._options.max_difficulty
        ):
            until = now + FORCE_SECONDS
            return Event.DEMAND_TOO_HIGH, {"reason": Reason.TOO_DIFFICULT, "payload": b"", "next_attempt": until}
        return Event.PUBKEY_FOUND, {"payload": b"", "next_attempt": 0}

    def _is_own(self, store: Store, row: OutgoingMessage) -> bool:
        owner = store.identities.by_address(row.recipient)
        return owner is not None and owner.account == row.account

    def _deliver_locally(self, store: Store, row: OutgoingMessage, now: int) -> Recorded:
        """Mail to an identity of the same account needs no object (M9)."""
        submission = store.outbox.submission(row.submission)
        sender = store.account(row.account).identities.get(row.identity).address
        mail = LocalMail(row.account, sender, row.recipient, submission.subject, submission.body, row.ack_data)
        mailbox = self._deliverer.deliver_local(store, mail, now)
        outcome = self._recorder.record(store, row, Event.DELIVERED_LOCALLY, now, "own address")
        return Recorded(outcome.message, outcome.effects, (*outcome.mailboxes, mailbox))

    async def _solve_getpubkey(self, row: OutgoingMessage) -> Recorded | None:
        now = self._clock.now()
        if not row.payload:
            lookup = row.recipient.lookup
            live = await self._database.read(lambda store: store.inventory.live_getpubkey(lookup, now))
            if live is not None:
                return await self._advance(
                    row, Event.WORK_DONE, "asked already", next_attempt=_after(now, live.expires_time - now)
                )
            ttl = min(GETPUBKEY_TTL * 2 ** (row.getpubkey_attempt - 1), MAX_TTL)
            expires = now + ttl + self._jitter()
            begun = await self._keep_payload(row, encode_getpubkey(row.recipient, expires), expires)
            if begun is None:
                return None
            row = begun
        elif self._is_outdated(row, minimum(self._network)):
            return await self._advance(row, Event.OUTDATED, payload=b"")
        nonce = await self._search(row, minimum(self._network))
        asked = read_object(with_nonce(row.payload, nonce))
        outcome = await self._advance(
            row,
            Event.WORK_DONE,
            also=lambda store: self._store_own(store, asked.encoded),
            payload=b"",
            getpubkey_attempt=row.getpubkey_attempt + 1,
            next_attempt=_after(self._clock.now(), row.expires_time - self._clock.now()),
        )
        return self._announced(outcome, asked.encoded)

    async def _keep_payload(self, row: OutgoingMessage, payload: bytes, expires: int) -> OutgoingMessage | None:
        """Commit a getpubkey before work on it begins; the row with it, or None when it has moved on."""
        now = self._clock.now()

        def keep(store: Store) -> OutgoingMessage | None:
            current = store.outbox.get(row.id)
            if current.state is not State.NEED_PUBKEY or current.payload:
                return None
            return store.outbox.save(replace(current, payload=payload, expires_time=expires, saved_nonce=0), now, "")

        return await self._database.transact(keep)

    # -- the msg ---------------------------------------------------------------------------------------------------

    async def _build(self, row: OutgoingMessage) -> Recorded | None:
        draft = await self._draft(row)
        now = self._clock.now()
        event, changes = self.judge_key(row, draft.pubkey, now)
        if draft.pubkey is None or event is not Event.PUBKEY_FOUND:
            return await self._advance(row, event, **changes)
        if row.ack_data and draft.pubkey.does_ack:
            expires = now + ack_ttl(row.ttl_seconds) + self._jitter()
            return await self._advance(
                row, Event.ACK_CHOSEN, payload=ack_object(row.ack_data, expires), expires_time=expires
            )
        return await self._commit_msg(row, draft, draft.pubkey, b"")

    async def _solve_ack(self, row: OutgoingMessage) -> Recorded | None:
        if self._is_outdated(row, minimum(self._network)):
            return await self._advance(row, Event.OUTDATED, payload=b"", attempt=row.attempt + 1)
        nonce = await self._search(row, minimum(self._network))
        draft = await self._draft(row)
        event, changes = self.judge_key(row, draft.pubkey, self._clock.now())
        if draft.pubkey is None or event is not Event.PUBKEY_FOUND:
            return await self._advance(row, event, **changes)
        ack = ack_packet(with_nonce(row.payload, nonce), self._network.magic)
        return await self._commit_msg(row, draft, draft.pubkey, ack)

    async def _commit_msg(self, row: OutgoingMessage, draft: _Draft, recipient: Pubkey, ack: bytes) -> Recorded | None:
        """Sign and encrypt, and commit that before any work: BUILT (O2)."""
        expires = self._clock.now() + row.ttl_seconds + self._jitter()
        try:
            payload = await asyncio.to_thread(
                build_msg, draft.sender, draft.private, recipient, SIMPLE, draft.data, ack, expires, self._entropy
            )
        except TooLarge:
            return await self._advance(row, Event.KEY_UNUSABLE, **failure(Reason.TOO_LARGE))
        except ValueError:  # a key that is no point of the curve: PyBitmessage stores such
            return await self._advance(row, Event.KEY_UNUSABLE, **failure(Reason.BAD_KEY))
        ack_data = row.ack_data if ack else b""
        return await self._advance(row, Event.BUILT, payload=payload, expires_time=expires, ack_data=ack_data)

    async def _solve_msg(self, row: OutgoingMessage) -> Recorded | None:
        pubkey = await self._database.read(lambda store: find_pubkey(store, row.recipient))
        demand = minimum(self._network) if pubkey is None else demand_of(pubkey, self._network)
        if self._is_outdated(row, demand):
            return await self._advance(row, Event.OUTDATED, payload=b"", attempt=row.attempt + 1)
        nonce = await self._search(row, demand)
        encoded = with_nonce(row.payload, nonce)
        now = self._clock.now()
        outcome = await self._advance(
            row,
            Event.WORK_DONE if row.ack_data else Event.WORK_DONE_WITHOUT_ACK,
            also=lambda store: self._store_own(store, encoded),
            payload=b"",
            next_attempt=_after(now, row.ttl_seconds) if row.ack_data else 0,
        )
        return self._announced(outcome, encoded)

    async def _draft(self, row: OutgoingMessage) -> _Draft:
        def gather(store: Store) -> _Draft:
            submission = store.outbox.submission(row.submission)
            signing, encryption = store.account(row.account).identities.private_keys(row.identity)
            return _Draft(
                pubkey=find_pubkey(store, row.recipient),
                sender=store.identities.public_record(row.identity),
                private=PrivateKeys(signing, encryption),
                data=encode_message(submission.subject, submission.body),
            )

        return await self._database.read(gather)

    # -- proof of work ---------------------------------------------------------------------------------------------

    async def _search(self, row: OutgoingMessage, demand: Demand) -> int:
        ttl = max(row.expires_time - self._clock.now(), 0) + HEADROOM_SECONDS
        job = WorkJob(
            initial_hash(row.payload),
            target(len(row.payload), ttl, demand.nonce_trials_per_byte, demand.payload_length_extra_bytes),
            row.saved_nonce,
            Urgency.MAIL if row.attempt == 1 else Urgency.RETRY,
            row.account,
        )
        return await self._solver.search(job, lambda nonce: self._save_nonce(row.id, nonce))

    def _save_nonce(self, row: OutboxId, nonce: int) -> None:
        if self._tasks is not None:
            self._tasks.create_task(self._keep_nonce(row, nonce))

    async def _keep_nonce(self, row: OutboxId, nonce: int) -> None:
        with suppress(Unavailable):  # then a restart works a little longer
            await self._database.transact(lambda store: store.outbox.save_nonce(row, nonce))

    def _is_outdated(self, row: OutgoingMessage, demand: Demand) -> bool:
        """Whether the payload expires before twice the expected work is done (O7)."""
        left = row.expires_time - self._clock.now()
        trials = expected_trials(
            len(row.payload), max(left, 0), demand.nonce_trials_per_byte, demand.payload_length_extra_bytes
        )
        return left <= 2 * trials / self._solver.trials_per_second

    def _store_own(self, store: Store, encoded: bytes) -> None:
        hidden = self._clock.now() + int(self._network.stem_time(STEM_SECONDS))
        store.inventory.add([StoredObject(read_object(encoded), own=True, stem_until=hidden)])

    def _announced(self, outcome: Recorded | None, encoded: bytes) -> Recorded | None:
        if outcome is not None:
            self._announcer.announce([inventory_vector(encoded)])
            self._on_stored()
        return outcome

    def _jitter(self) -> int:
        """-300 to 299 seconds, so that times of expiry tell nothing."""
        return int.from_bytes(self._entropy(2), "big") % 600 - 300


def _work_of(effects: Iterable[Effect]) -> tuple[Effect, ...]:
    """Those that take time; the others are done with the commit."""
    return tuple(effect for effect in effects if effect in _WORK)


def _fresh(row: OutgoingMessage, event: Event) -> dict[str, Any]:
    """The changes with which a row leaves its object behind; a msg sent again lives twice as long (O4)."""
    changes: dict[str, Any] = {"payload": b"", "next_attempt": 0}
    if row.state is State.PUBLISHED and event in (Event.TTL_ELAPSED, Event.RETRY):
        changes |= {"attempt": row.attempt + 1, "ttl_seconds": min(2 * row.ttl_seconds, MAX_TTL)}
    return changes


def _after(now: int, ttl: int) -> int:
    """When an object that lives `ttl` seconds from `now` counts as unanswered."""
    return now + ttl * 11 // 10


_WORK: dict[Effect, EffectWork] = {
    Effect.FIND_PUBKEY: Sending._find_pubkey,
    Effect.SOLVE_GETPUBKEY: Sending._solve_getpubkey,
    Effect.BUILD: Sending._build,
    Effect.SOLVE_ACK: Sending._solve_ack,
    Effect.SOLVE_MSG: Sending._solve_msg,
}
