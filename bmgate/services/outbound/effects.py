"""The effects of the outbox: what each takes, from finding a pubkey to the proof of work of a msg.

Every outcome comes back as an event, recorded only if the row is still where the work began (compare and set), so work
that lost a race, to a cancel or to an ack, changes nothing. What is committed is never built again within an attempt
(O2, O3).
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from bmgate.bm.acks import ack_object, ack_packet, ack_ttl
from bmgate.bm.encodings import DecodedMessage
from bmgate.bm.hashes import inventory_vector
from bmgate.bm.keys import Entropy
from bmgate.bm.network import NetworkParameters
from bmgate.bm.objects import encode_getpubkey, read_object, with_nonce
from bmgate.bm.plaintext import Pubkey
from bmgate.domain.mailbox import MailboxId
from bmgate.domain.outbox import (
    Effect,
    Event,
    Kind,
    OutgoingMessage,
    Reason,
    State,
)
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Announcer, Clock, Solver, Urgency
from bmgate.errors import AccountLocked, TooLarge, Unavailable
from bmgate.mail.wishes import MAX_TTL
from bmgate.pow.target import expected_trials, initial_hash
from bmgate.services.delivery.delivery import Deliverer, LocalMail
from bmgate.services.objects.keys import Demand, demand_for, demand_of, key_for, minimum
from bmgate.services.objects.own_objects import own_object, work_job, work_rank
from bmgate.services.outbound.drafts import Draft, gather_draft, note_published
from bmgate.services.outbound.outbox import OutboxRecorder, Recorded, failure
from bmgate.services.outbound.payloads import Payload, Payloads
from bmgate.units import DAY

GETPUBKEY_TTL = 216_000
FORCE_SECONDS = 7 * DAY
UNITS_AT_ONCE = 4
JITTER_SECONDS = 300

T = TypeVar("T")
Work = Callable[[OutgoingMessage], Awaitable[Recorded | None]]


class Effects:
    """Carries out effects, one call for each.

    `spawn` starts a task that lives as long as the outbox does; `changed` is told which mailboxes show progress.
    """

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
        max_difficulty: float,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        changed: Callable[[Collection[MailboxId]], None],
    ) -> None:
        self._database, self._solver, self._announcer = database, solver, announcer
        self._clock, self._entropy, self._network = clock, entropy, network
        self._recorder, self._deliverer, self._payloads = recorder, deliverer, payloads
        self._max_difficulty, self._spawn, self._changed = max_difficulty, spawn, changed
        self._turn = asyncio.Semaphore(UNITS_AT_ONCE)
        self.on_stored: Callable[[], None] = lambda: None
        self.accepted: Callable[[Iterable[OutgoingMessage]], None] = lambda rows: None
        self.delivered: Callable[[Store, OutgoingMessage, Payload, int], list[OutgoingMessage]] = lambda *_: []
        self.connected: Callable[[], bool] = lambda: True  # whether there are peers
        self.work: dict[Effect, Work] = {
            Effect.FIND_PUBKEY: self._find_pubkey,
            Effect.SOLVE_GETPUBKEY: self._solve_getpubkey,
            Effect.BUILD: self._build,
            Effect.SOLVE_ACK: self._solve_ack,
            Effect.SOLVE_MSG: self._solve_msg,
        }
        """Those effects that take time; the others are done with the commit."""

    async def _transact(self, work: Callable[[Store], T]) -> T:
        """A unit of work in its turn: a crowded outbox must not crowd out those who hand in mail."""
        async with self._turn:
            return await self._database.transact(work)

    async def advance(
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

        outcome = await self._transact(compare_and_set)
        return self.committed(outcome)

    def committed(self, outcome: Recorded | None) -> Recorded | None:
        if outcome is not None:
            self._recorder.failpoints.pass_(f"outbox.{outcome.event}.committed")
        return outcome

    # -- the recipient's key ---------------------------------------------------------------------------------------

    async def _find_pubkey(self, row: OutgoingMessage) -> Recorded | None:
        now, passed_on = self._clock.now(), list[OutgoingMessage]()

        def look(store: Store) -> Recorded | None:
            passed_on.clear()
            current = store.outbox.get(row.id)
            if current.state is not row.state:
                return None
            if current.state is State.ACCEPTED and self._is_own(store, current):
                return self._deliver_locally(store, current, now, passed_on)
            if current.kind.is_public:  # no key to wait for: whether the chan is still joined is seen at building
                return self._recorder.record(store, current, Event.PUBKEY_FOUND, now, next_attempt=0)
            pubkey = key_for(store, current, self._network)
            if pubkey is None and current.state is State.REQUESTED:
                return None
            event, changes = self.judge_key(current, pubkey, now)
            return self._recorder.record(store, current, event, now, **changes)

        outcome = self.committed(await self._transact(look))
        self.accepted(passed_on)
        return outcome

    def judge_key(self, row: OutgoingMessage, pubkey: Pubkey | None, now: int) -> tuple[Event, dict[str, Any]]:
        """What having this pubkey, or none, means for a row that wants one, and the changes that go with it."""
        if pubkey is None:
            return Event.PUBKEY_MISSING, {"payload": b"", "next_attempt": 0}
        if row.kind.is_public:
            return Event.PUBKEY_FOUND, {"payload": b"", "next_attempt": 0}
        if not row.forced and demand_of(pubkey, self._network).times_minimum(self._network) > self._max_difficulty:
            until = now + FORCE_SECONDS
            return Event.DEMAND_TOO_HIGH, {"reason": Reason.TOO_DIFFICULT, "payload": b"", "next_attempt": until}
        return Event.PUBKEY_FOUND, {"payload": b"", "next_attempt": 0}

    def _is_own(self, store: Store, row: OutgoingMessage) -> bool:
        if row.kind is not Kind.MSG:
            return False
        owner = store.identities.by_address(row.recipient)
        return owner is not None and owner.account == row.account

    def _deliver_locally(
        self, store: Store, row: OutgoingMessage, now: int, passed_on: list[OutgoingMessage]
    ) -> Recorded:
        """Mail to an identity of the same account needs no object (M9). A list passes it on."""
        submission = store.outbox.submission(row.submission)
        sender = store.account(row.account).identities.get(row.identity).address
        payload = self._payloads.payload_of(store, submission, row)
        decoded = DecodedMessage(payload.subject, payload.body, payload.files, payload.parents)
        mail = LocalMail(row.account, sender, row.recipient, decoded, row.ack_data)
        mailbox = self._deliverer.deliver_local(store, mail, now)
        passed_on += self.delivered(store, row, payload, now)
        outcome = self._recorder.record(store, row, Event.DELIVERED_LOCALLY, now, "own address")
        return replace(outcome, mailboxes=(*outcome.mailboxes, mailbox))

    async def _solve_getpubkey(self, row: OutgoingMessage) -> Recorded | None:
        now = self._clock.now()
        if not row.payload:
            lookup = row.recipient.lookup
            live = await self._database.read(lambda store: store.inventory.live_getpubkey(lookup, now))
            if live is not None:
                return await self.advance(
                    row, Event.WORK_DONE, "asked already", next_attempt=_after(now, live.expires_time - now)
                )
            expires = now + _question_ttl(row) + self._jitter()
            begun = await self._keep_payload(row, encode_getpubkey(row.recipient, expires), expires)
            if begun is None:
                return None
            row = begun
        elif self._is_outdated(row, minimum(self._network), _question_ttl(row)):
            return await self.advance(row, Event.OUTDATED, payload=b"")
        nonce = await self._search(row, minimum(self._network))
        asked = read_object(with_nonce(row.payload, nonce))
        outcome = await self.advance(
            row,
            Event.WORK_DONE,
            also=lambda store: self._store_own(store, asked.encoded),
            payload=b"",
            getpubkey_attempt=row.getpubkey_attempt + 1,
            reason=self._held(),
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

        return await self._transact(keep)

    # -- the msg ---------------------------------------------------------------------------------------------------

    async def _build(self, row: OutgoingMessage) -> Recorded | None:
        draft = await self._draft(row)
        if draft.refused:
            return await self.advance(row, Event.KEY_UNUSABLE, **failure(draft.refused))
        now = self._clock.now()
        event, changes = self.judge_key(row, draft.pubkey, now)
        if draft.pubkey is None or event is not Event.PUBKEY_FOUND:
            return await self.advance(row, event, **changes)
        if row.ack_data and draft.pubkey.does_ack:
            expires = now + ack_ttl(row.ttl_seconds) + self._jitter()
            return await self.advance(
                row, Event.ACK_CHOSEN, payload=ack_object(row.ack_data, expires), expires_time=expires
            )
        return await self._commit_msg(row, draft, draft.pubkey, b"")

    async def _solve_ack(self, row: OutgoingMessage) -> Recorded | None:
        if self._is_outdated(row, minimum(self._network), ack_ttl(row.ttl_seconds)):
            return await self.advance(row, Event.OUTDATED, payload=b"", attempt=row.attempt + 1)
        nonce = await self._search(row, minimum(self._network))
        draft = await self._draft(row)
        event, changes = self.judge_key(row, draft.pubkey, self._clock.now())
        if draft.pubkey is None or event is not Event.PUBKEY_FOUND:
            return await self.advance(row, event, **changes)
        if draft.refused:
            return await self.advance(row, Event.KEY_UNUSABLE, **failure(draft.refused))
        ack = ack_packet(with_nonce(row.payload, nonce), self._network.magic)
        return await self._commit_msg(row, draft, draft.pubkey, ack)

    async def _commit_msg(self, row: OutgoingMessage, draft: Draft, recipient: Pubkey, ack: bytes) -> Recorded | None:
        """Sign and encrypt, and commit that before any work: BUILT (O2)."""
        expires = self._clock.now() + row.ttl_seconds + self._jitter()
        try:
            payload = await asyncio.to_thread(draft.built, recipient, ack, expires, self._entropy)
        except TooLarge:
            return await self.advance(row, Event.KEY_UNUSABLE, **failure(Reason.TOO_LARGE))
        except ValueError:  # a key that is no point of the curve: PyBitmessage stores such
            return await self.advance(row, Event.KEY_UNUSABLE, **failure(Reason.BAD_KEY))
        ack_data = row.ack_data if ack else b""
        return await self.advance(row, Event.BUILT, payload=payload, expires_time=expires, ack_data=ack_data)

    async def _solve_msg(self, row: OutgoingMessage) -> Recorded | None:
        demand = await self._database.read(lambda store: demand_for(store, row.kind, row.recipient, self._network))
        if self._is_outdated(row, demand, row.ttl_seconds):
            return await self.advance(row, Event.OUTDATED, payload=b"", attempt=row.attempt + 1)
        nonce = await self._search(row, demand)
        encoded = with_nonce(row.payload, nonce)
        now = self._clock.now()
        outcome = await self.advance(
            row,
            Event.WORK_DONE if row.ack_data else Event.WORK_DONE_WITHOUT_ACK,
            also=lambda store: self._store_msg(store, row, encoded),
            payload=b"",
            next_attempt=_after(now, row.ttl_seconds) if row.ack_data else 0,
            reason=self._held(),
        )
        return self._announced(outcome, encoded)

    async def _draft(self, row: OutgoingMessage) -> Draft:
        return await self._database.read(lambda store: gather_draft(store, self._payloads, row, self._network))

    # -- proof of work ---------------------------------------------------------------------------------------------

    def reprioritise(self, row: OutgoingMessage) -> None:
        """Let the work on the row's payload, if there is any, take the place of the row's priority."""
        if row.payload:
            self._solver.reprioritise(initial_hash(row.payload), work_rank(row))

    async def _search(self, row: OutgoingMessage, demand: Demand) -> int:
        urgency = Urgency.MAIL if row.attempt == 1 else Urgency.RETRY
        rank = work_rank(row)
        job = work_job(row.payload, row.saved_nonce, demand, urgency, row.account, self._clock.now(), rank)
        return await self._solver.search(job, lambda nonce: self._spawn(self._keep_nonce(row, nonce)))

    async def _keep_nonce(self, row: OutgoingMessage, nonce: int) -> None:
        now = self._clock.now()

        def keep(store: Store) -> tuple[MailboxId, ...]:
            current = store.outbox.get(row.id)
            if current.payload != row.payload:
                return ()
            store.outbox.save_nonce(row.id, nonce)
            with suppress(AccountLocked):
                return self._recorder.show_progress(store, current, replace(current, saved_nonce=nonce), now)
            return ()

        with suppress(Unavailable):  # then a restart works a little longer
            self._changed(await self._transact(keep))

    def _is_outdated(self, row: OutgoingMessage, demand: Demand, fresh_seconds: int) -> bool:
        """Whether the payload expires before twice the expected work is done (O7).

        Never of one as good as new: a payload made anew, which lives `fresh_seconds`, would fare no better.
        """
        left = row.expires_time - self._clock.now()
        trials = expected_trials(
            len(row.payload), max(left, 0), demand.nonce_trials_per_byte, demand.payload_length_extra_bytes
        )
        return left < fresh_seconds - 2 * JITTER_SECONDS and left <= 2 * trials / self._solver.trials_per_second

    def _store_own(self, store: Store, encoded: bytes) -> None:
        store.inventory.add([own_object(encoded, self._clock.now(), self._network)])

    def _store_msg(self, store: Store, row: OutgoingMessage, encoded: bytes) -> None:
        self._store_own(store, encoded)
        note_published(store, row, self._payloads.domain, inventory_vector(encoded), self._clock.now())

    def _held(self) -> Reason:
        """What is published while nobody is there to take it is held until somebody is."""
        return Reason.NONE if self.connected() else Reason.NO_PEERS

    def _announced(self, outcome: Recorded | None, encoded: bytes) -> Recorded | None:
        if outcome is not None:
            self._announcer.announce([inventory_vector(encoded)])
            self.on_stored()
        return outcome

    def _jitter(self) -> int:
        """-300 to 299 seconds, so that times of expiry tell nothing."""
        return int.from_bytes(self._entropy(2), "big") % (2 * JITTER_SECONDS) - JITTER_SECONDS


def _question_ttl(row: OutgoingMessage) -> int:
    """How long the next getpubkey lives: twice as long each time."""
    return min(GETPUBKEY_TTL << row.getpubkey_attempt - 1, MAX_TTL)


def _after(now: int, ttl: int) -> int:
    """When an object that lives `ttl` seconds from `now` counts as unanswered."""
    return now + ttl * 11 // 10
