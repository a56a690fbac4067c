"""The outbox under everything that can happen to it, with a crash at any step (O1 to O9)."""

import asyncio
import math
import os
import tempfile
from collections import Counter
from collections.abc import Coroutine
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

from fakes import Failpoints, FakeClock, FakeSolver, Killed, WatchedThreads
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from stations import DOMAIN, Settings, Station, User
from storage_fixtures import NOW

from bmgate.bm.acks import ack_object
from bmgate.bm.addresses import Address
from bmgate.bm.keys import PrivateKeys, random_keys
from bmgate.bm.objects import ObjectType, read_object
from bmgate.bm.plaintext import Behavior, Pubkey, build_pubkey
from bmgate.domain.mailbox import FlagChange, Flags, MailboxKind
from bmgate.domain.objects import StoredObject
from bmgate.domain.outbox import FINAL, TRANSITIONS, OutboxId, OutgoingMessage, State, SubmissionId
from bmgate.domain.ports.database import Store
from bmgate.errors import NotAllowed
from bmgate.mail.addresses import RecipientKind, Resolved
from bmgate.services.mailboxes.sent_status import PENDING, QUARTERS, WORKING, outbox_keyword, sent_keywords
from bmgate.services.outbound.submission import Envelope, Recipient

T = TypeVar("T")

EDGES = {(before, after) for (before, _), (after, _) in TRANSITIONS.items()}
EXPIRY = 86_400 * 27
HOUR = 3_600


def stranger(behavior: Behavior = Behavior.DOES_ACK, nonce_trials_per_byte: int = 1) -> tuple[Pubkey, PrivateKeys]:
    keys = random_keys(os.urandom, leading_zeros=0)
    return Pubkey(4, 1, behavior, keys.public, nonce_trials_per_byte, 1000), keys


CHAN, BROADCAST = 4, 5
ANYBODY = st.integers(0, BROADCAST)


class OutboxMachine(RuleBasedStateMachine):
    """One account sends to four strangers: of known key, of unknown key, who never acks, who demands too much.

    And to a chan, which it leaves and joins again, and to its subscribers; alone and beside the others.
    """

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.threads = WatchedThreads()
        self.patched = patch.object(asyncio, "to_thread", self.threads.to_thread)
        self.patched.start()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = FakeClock(NOW)
        self.solver = FakeSolver(honest=False)
        self.solver.held = True
        self.points = Failpoints()
        self.submitted: list[tuple[bytes, tuple[int, ...], str]] = []
        self.payloads: dict[tuple[OutboxId, int], bytes] = {}
        self.published: dict[OutboxId, tuple[int, float, int]] = {}
        self.commanded: set[OutboxId] = set()
        self.run(self._open())

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    async def _open(self) -> None:
        self.station = Station(Path(self.folder.name), self.clock, self.threads, Settings(), self.solver)
        await self.station.start(self.points)
        self.alice: User = await self.station.add_user("alice")
        self.strangers = [stranger(), stranger(), stranger(Behavior(0)), stranger(nonce_trials_per_byte=1000)]
        await self.station.database.transact(self._learn_keys)
        self.chan = (await self.station.services.chans.join(self.alice.id, "general")).membership.address
        await self.station.settle()

    def _learn_keys(self, store: Store) -> None:
        for number in (0, 2, 3):
            store.pubkeys.save(self.strangers[number][0], NOW)

    def teardown(self) -> None:
        self.run(self.station.crash())
        self.run(self.station.close())
        self.runner.close()
        self.patched.stop()
        self.folder.cleanup()

    # -- what happens ----------------------------------------------------------------------------------------------

    @initialize(numbers=st.sets(ANYBODY, min_size=1), post_as=st.sampled_from(["chan", "identity"]))
    def first_mail(self, numbers: set[int], post_as: str) -> None:
        self.submit(numbers, post_as)

    @rule(numbers=st.sets(ANYBODY, min_size=1, max_size=3), post_as=st.sampled_from(["chan", "identity"]))
    @precondition(lambda self: len(self.submitted) < 4)
    def submit(self, numbers: set[int], post_as: str) -> None:
        number = len(self.submitted)
        head = f"From: {self.alice.mail_address}\r\nX-Bitmessage-Post-As: {post_as}\r\n"
        raw = f"{head}Subject: s\r\nMessage-ID: <{number}@here>\r\n\r\nbody {number}\r\n"
        recipients = tuple(sorted(numbers))
        queue_id = self.run(self._submit(raw.encode(), recipients))
        self.submitted.append((raw.encode(), recipients, queue_id))

    @rule(data=st.data())
    @precondition(lambda self: self.submitted)
    def submit_again(self, data: st.DataObject) -> None:
        raw, recipients, _ = data.draw(st.sampled_from(self.submitted))
        if self.clock.now() - NOW < 80_000:
            former = [queue_id for each, _, queue_id in self.submitted if each == raw]
            in_vain = self.run(self._in_vain())
            queue_id = self.run(self._submit(raw, recipients))
            if set(former) <= in_vain:
                assert queue_id not in former, "who sends again what came to nothing means it"
                self.submitted.append((raw, recipients, queue_id))
            else:
                assert queue_id in set(former) - in_vain, "O9"

    async def _in_vain(self) -> set[str]:
        """The submissions of which every row failed or was cancelled."""
        rows = await self.alice.rows()
        hoped = {row.queue_id for row in rows if row.state not in (State.FAILED, State.CANCELLED)}
        return {row.queue_id for row in rows} - hoped

    async def _submit(self, raw: bytes, numbers: tuple[int, ...]) -> str:
        recipients = tuple(
            Recipient(
                Resolved(RecipientKind.BROADCAST, word="broadcast")
                if number == BROADCAST
                else Resolved(RecipientKind.ADDRESS, self._address(number))
            )
            for number in numbers
        )
        envelope = Envelope(self.alice.id, f"{self.alice.identity.address}@{DOMAIN}", recipients)
        while True:
            try:
                return (await self.station.services.submissions.submit(envelope, raw)).queue_id
            except Killed:
                await self._restart()

    def _address(self, number: int) -> Address:
        """Of whom a number means; a broadcast has that of its sender."""
        if number < CHAN:
            return self.strangers[number][0].address
        return self.chan if number == CHAN else self.alice.identity.address

    @rule()
    def the_chan_is_left_or_joined(self) -> None:
        async def change() -> None:
            chans = self.station.services.chans
            if await chans.all(self.alice.id):
                await chans.leave(self.alice.id, str(self.chan))
            else:
                await chans.join(self.alice.id, "general")
            await self.station.settle()

        self.run(change())

    @rule(which=st.integers(0, 10))
    @precondition(lambda self: self.solver.waiting)
    def work_is_done(self, which: int) -> None:
        self.run(self._do(lambda: self.solver.release(which % len(self.solver.waiting))))

    @rule()
    @precondition(lambda self: self.solver.waiting)
    def all_work_is_done(self) -> None:
        async def work() -> None:
            while self.solver.waiting and not self.station.died:
                self.solver.release()
                await self.station.settle()

        self.run(work())

    @rule(which=st.integers(0, 10), nonce=st.integers(1, 1 << 40))
    @precondition(lambda self: self.solver.waiting)
    def work_gets_on(self, which: int, nonce: int) -> None:
        self.run(self._do(lambda: self.solver.reports[which % len(self.solver.reports)](nonce)))

    @rule(hours=st.sampled_from([1, 20, 50, 110, 24 * 8, 24 * 17]))
    def time_passes(self, hours: int) -> None:
        self.run(self._do(lambda: self.clock.advance(hours * HOUR)))

    @rule(hours=st.sampled_from([-1, 7, 24 * 30]))
    def the_clock_jumps(self, hours: int) -> None:
        async def jump() -> None:
            self.clock.jump(hours * HOUR)
            self.clock.advance(3)
            await self.station.settle()

        self.run(jump())

    @rule(data=st.data())
    def an_ack_comes(self, data: st.DataObject) -> None:
        rows = [row for row in self.run(self.station.rows()) if row.id in self.published and row.ack_data]
        if rows:
            row = data.draw(st.sampled_from(rows))
            self.run(self._receive(ack_object(row.ack_data, self.clock.now() + EXPIRY)))

    @rule()
    def the_unknown_key_comes(self) -> None:
        pubkey, keys = self.strangers[1]
        self.run(self._receive(build_pubkey(pubkey, keys, self.clock.now() + EXPIRY, os.urandom)))

    @rule(data=st.data(), command=st.sampled_from(["cancel", "retry"]))
    def the_user_commands(self, data: st.DataObject, command: str) -> None:
        row = data.draw(st.sampled_from(self.run(self.station.rows())))
        self.commanded.add(row.id)
        self.run(self._command(row, command))

    async def _command(self, row: OutgoingMessage, command: str) -> None:
        queue = self.station.services.queue
        try:
            (after,) = await (queue.cancel if command == "cancel" else queue.retry)(self.alice.id, row.name)
        except NotAllowed:
            assert command == "retry" or row.state in FINAL | {State.PUBLISHED}, "O6"
        except Killed:
            await self._restart()
        else:
            assert (
                command == "retry"
                or after.state is State.CANCELLED
                or (after.state is State.PUBLISHED and after.no_retry)
            )
        await self.station.settle()

    @rule(connected=st.booleans())
    def peers_come_and_go(self, connected: bool) -> None:
        async def change() -> None:
            self.station.connected = connected
            self.clock.advance(3)
            await self.station.settle()

        self.run(change())

    @rule()
    def the_outbox_is_looked_at(self) -> None:
        self.run(self._look())

    async def _look(self) -> None:
        try:
            snapshot = await self.station.services.mailboxes.open(self.alice.id, "Outbox")
        except Killed:
            await self._restart()
            return
        rows = {row.shown_uid: row for row in await self.station.rows() if row.state not in FINAL and row.shown_uid}
        shown = {message.uid: message.keywords for message in snapshot.rows}
        assert set(rows) == set(shown), "M6: one message for each row that is not final"
        for uid, words in shown.items():
            assert words[0] == outbox_keyword(rows[uid])
            assert set(words[1:]) <= set(QUARTERS)
            assert len(words) <= 2

    @rule(data=st.data(), to=st.sampled_from(["", "Trash", "Drafts"]))
    def a_message_is_taken_out_of_the_outbox(self, data: st.DataObject, to: str) -> None:
        rows = [row for row in self.run(self.station.rows()) if row.shown_uid and row.state not in FINAL]
        if rows:
            row = data.draw(st.sampled_from(rows))
            self.commanded.add(row.id)
            self.run(self._take_out(row, to))

    async def _take_out(self, row: OutgoingMessage, to: str) -> None:
        mailboxes = self.station.services.mailboxes
        try:
            box = (await mailboxes.open(self.alice.id, "Outbox")).mailbox.id
            if to:
                await mailboxes.move(self.alice.id, box, [row.shown_uid], to)
            else:
                await mailboxes.set_flags(self.alice.id, box, [row.shown_uid], FlagChange.ADD, Flags.DELETED, ())
                await mailboxes.expunge(self.alice.id, box, [row.shown_uid])
        except Killed:
            await self._restart()
            return
        after = next(each for each in await self.station.rows() if each.id == row.id)
        assert after.state is State.CANCELLED or (after.state is State.PUBLISHED and after.no_retry)
        await self.station.settle()

    @rule()
    def a_crash(self) -> None:
        self.run(self._restart())

    @rule(passes=st.integers(1, 6))
    def a_crash_is_near(self, passes: int) -> None:
        """At one of the next named points, inside a transaction or right behind one."""
        self.points.kill_at = len(self.points.passed) + passes

    async def _do(self, action: Any) -> None:
        action()
        await self.station.settle()

    async def _receive(self, encoded: bytes) -> None:
        received = StoredObject(read_object(encoded))
        await self.station.database.transact(lambda store: store.inventory.add([received]))
        self.station.services.receiving.wake()
        await self.station.settle()

    async def _restart(self) -> None:
        await self.station.crash()
        self.points = Failpoints()
        published = [row for row in await self.station.rows() if row.state is State.PUBLISHED]
        self.published = {row.id: (row.attempt, -math.inf, row.ttl_seconds) for row in published}  # whenever that was
        await self.station.start(self.points)

    # -- what always holds -----------------------------------------------------------------------------------------

    @invariant()
    def the_promises_hold(self) -> None:
        self.run(self._check())

    async def _check(self) -> None:
        await self.station.settle()
        if self.station.died:
            assert len(self.points.passed) >= (self.points.kill_at or 1 << 60), "only a killer ends the services"
            await self._restart()
        rows = await self.station.rows()
        expected = [(queue_id, self._address(number)) for _, each, queue_id in self.submitted for number in each]
        assert sorted((row.queue_id, str(row.recipient)) for row in rows) == sorted(
            (queue_id, str(address)) for queue_id, address in expected
        ), "O1, O9: every row is there, once"
        histories = {row.id: await self._history(row) for row in rows}
        for row in rows:
            self._check_edges(row, histories[row.id])
            self._check_payload(row)
            self._check_resending(row)
            if row.kind.is_public:
                assert not {State.PUBLISHED, State.ACKED} & set(histories[row.id]), "nobody confirms it"
        await self._check_objects(histories)
        await self._check_notices(rows, histories)
        await self._check_texts_and_keywords(rows)

    async def _history(self, row: OutgoingMessage) -> list[State]:
        entries = await self.station.database.read(lambda store: store.account(self.alice.id).outbox.history(row.id))
        return [entry.state for entry in entries]

    def _check_edges(self, row: OutgoingMessage, states: list[State]) -> None:
        assert states[0] is State.ACCEPTED
        assert states[-1] is row.state
        assert set(pairwise(states)) <= EDGES, "O1: only the drawn edges"
        assert states.count(State.FAILED) <= 1

    def _check_payload(self, row: OutgoingMessage) -> None:
        if row.state is State.BUILT:
            assert self.payloads.setdefault((row.id, row.attempt), row.payload) == row.payload, "O2: signed once"

    def _check_resending(self, row: OutgoingMessage) -> None:
        """O4 and O8: within a run, the next attempt begins no earlier than the last one's TTL x 1.1 of real time."""
        attempt, since, ttl = self.published.get(row.id, (row.attempt, 0.0, 0))
        if row.attempt > attempt and row.id not in self.commanded:
            assert self.clock.monotonic() - since >= ttl * 1.1 - 2
        if row.state is State.PUBLISHED and attempt <= row.attempt:
            since = since if row.id in self.published and row.attempt == attempt else self.clock.monotonic()
            self.published[row.id] = (row.attempt, since, row.ttl_seconds)

    async def _check_objects(self, histories: dict[OutboxId, list[State]]) -> None:
        stored = await self.station.database.read(
            lambda store: store.inventory.get([vector for vector, _, _ in store.inventory.vectors()])
        )
        kinds = (ObjectType.MSG, ObjectType.BROADCAST)
        msgs = [each for each in map(read_object, stored.values()) if each.object_type in kinds]
        sent = sum(states.count(State.PUBLISHED) + states.count(State.NO_ACK_EXPECTED) for states in histories.values())
        assert len(msgs) == sent, "O3: one inventory vector for each publication"

    async def _check_notices(self, rows: list[OutgoingMessage], histories: dict[OutboxId, list[State]]) -> None:
        failed = [each for each in await self.alice.messages() if b"Subject: Not delivered" in each.header]
        failures = sum(message.body.count(b"Final-Recipient: ") for message in failed)
        assert failures == sum(states.count(State.FAILED) for states in histories.values()), "O4: one final notice"

    async def _check_texts_and_keywords(self, rows: list[OutgoingMessage]) -> None:
        by_submission: dict[SubmissionId, list[OutgoingMessage]] = {}
        for row in rows:
            by_submission.setdefault(row.submission, []).append(row)
        for submission, mine in by_submission.items():
            text = await self._text(submission)
            assert bool(text) == any(row.state not in FINAL for row in mine)
        quarters = {WORKING, *QUARTERS}
        for words in await self.alice.keywords(MailboxKind.SENT):
            assert not quarters & set(words) or {PENDING, WORKING} < set(words)
            assert len(quarters & set(words)) in (0, 2), "bm-pow, and how far"
        shown = Counter(frozenset(words) - quarters for words in await self.alice.keywords(MailboxKind.SENT))
        assert shown == Counter(frozenset(sent_keywords(mine)) for mine in by_submission.values())

    async def _text(self, submission: SubmissionId) -> str:
        return (await self.station.database.read(lambda store: store.outbox.submission(submission))).body


TestOutbox = OutboxMachine.TestCase
TestOutbox.settings = settings(max_examples=15, stateful_step_count=30)
