"""What every change of an outgoing message brings with it, inside the transaction of the change.

A row moves on by one event; its mail in Sent shows the new status, its message in the Outbox is outdated, the sender
gets the notice he asked for, and the text goes when nobody needs it any more. Whoever records an event tells `Sending`
afterwards, which carries out the effects.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from bmgate.bm.network import NetworkParameters
from bmgate.domain.mailbox import Flags, MailboxId, MailboxKind
from bmgate.domain.outbox import (
    FINAL,
    HELD,
    Effect,
    Event,
    OutgoingMessage,
    Reason,
    Submission,
    SubmissionId,
    advance,
)
from bmgate.domain.policy import Policy
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Failpoints, Store
from bmgate.mail.causes import Cause
from bmgate.services.mailboxes.indexed import indexed, to_minute
from bmgate.services.mailboxes.sent_status import ProgressShown, show_status
from bmgate.services.objects.keys import demand_for
from bmgate.services.objects.pricing import Pricing
from bmgate.services.outbound.notices import Change, NoticeWriter, Work, next_reminder
from bmgate.services.policies import Policies


@dataclass(frozen=True, slots=True)
class Step:
    """An event of a row; `changes` are fields of the row that change with it."""

    message: OutgoingMessage
    event: Event
    changes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A row after its event: what the world is owed, and which mailboxes changed."""

    message: OutgoingMessage
    event: Event
    effects: tuple[Effect, ...]
    mailboxes: tuple[MailboxId, ...]


@dataclass(frozen=True, slots=True)
class OutboxRecorder:
    """Records events. Holds what the notices are written with; `rate` is that of the proof of work, 0 for unknown."""

    notices: NoticeWriter
    network: NetworkParameters
    failpoints: Failpoints
    rate: Callable[[], float] = lambda: 0.0
    policies: Policies = field(default_factory=lambda: Policies(Policy()))

    def record(
        self, store: Store, message: OutgoingMessage, event: Event, now: int, detail: str = "", **changes: Any
    ) -> Recorded:
        """Move `message` on by `event`; `changes` are fields of the row that change with it.

        `detail` goes into the history and must hold neither addresses nor text.
        """
        (recorded,) = self.record_all(store, [Step(message, event, changes)], now, detail)
        return recorded

    def record_all(self, store: Store, steps: Sequence[Step], now: int, detail: str = "") -> list[Recorded]:
        """The same for several rows at once; those of one mail to which the same happens share a notice."""
        moved = [self._move(store, step, now, detail) for step in steps]
        news: dict[SubmissionId, tuple[MailboxId, ...]] = {}
        for submission in {after.submission for after, _ in moved}:
            changes = [
                Change(step.message, after, step.event)
                for step, (after, _) in zip(steps, moved, strict=True)
                if after.submission == submission
            ]
            news[submission] = self._follow_up(store, submission, changes, now)
        return [
            Recorded(after, step.event, effects, news[after.submission])
            for step, (after, effects) in zip(steps, moved, strict=True)
        ]

    def hold(self, store: Store, message: OutgoingMessage, reason: Reason, now: int) -> tuple[MailboxId, ...]:
        """A row waits for `reason` beside its state, or with NONE no longer; tells which mailboxes changed."""
        if message.reason is reason or message.state in FINAL:
            return ()
        after = store.outbox.save(replace(message, reason=reason), now, "")
        mine = store.account(message.account)
        submission = store.outbox.submission(message.submission)
        rows = mine.outbox.rows_of(submission.id)
        return outdate(store, mine, after) + show_status(mine, submission, {message.id: message}, rows)

    def remind(self, store: Store, rows: Sequence[OutgoingMessage], now: int) -> tuple[MailboxId, ...]:
        """Tell the sender of one mail that it still waits for these recipients, where he wants to know."""
        waiting: dict[Cause, list[OutgoingMessage]] = {}
        for row in rows:
            store.outbox.remind(row.id, next_reminder(row, now))
            cause = self.notices.waiting(row, self.give_up_at(store, row), now)
            if cause is not None:
                waiting.setdefault(cause, []).append(row)
        mine, submission = store.account(rows[0].account), store.outbox.submission(rows[0].submission)
        return self._tell(mine, submission, waiting, now)

    def show_progress(
        self, store: Store, before: OutgoingMessage, after: OutgoingMessage, now: int
    ) -> tuple[MailboxId, ...]:
        """Put the work done for a mail on it when it reaches another quarter; tells in which mailboxes."""
        return ProgressShown(self.network).show(store, before, after, now)

    def give_up_at(self, store: Store, row: OutgoingMessage) -> int:
        """After which no new attempt begins."""
        return row.created_at + self.policies.of(store.account(row.account)).give_up

    def _move(self, store: Store, step: Step, now: int, detail: str) -> tuple[OutgoingMessage, tuple[Effect, ...]]:
        state, effects = advance(step.message.state, step.event)
        usual: dict[str, Any] = {"saved_nonce": 0, "shown_uid": 0}
        if step.message.reason in HELD:
            usual["reason"] = Reason.NONE
        after = replace(step.message, state=state, updated_at=now, **(usual | step.changes))
        self.failpoints.pass_(f"outbox.{step.event}")
        return store.outbox.save(after, now, detail), effects

    def _follow_up(self, store: Store, of: SubmissionId, changes: Sequence[Change], now: int) -> tuple[MailboxId, ...]:
        submission = store.outbox.submission(of)
        mine = store.account(submission.account)
        told: dict[Cause, list[OutgoingMessage]] = {}
        for change in changes:
            work = self._work(store, change.after, submission)
            cause = self.notices.cause(change, work, partial(self.give_up_at, store, change.after), now)
            if cause is not None:
                told.setdefault(cause, []).append(change.after)
        mailboxes = self._tell(mine, submission, told, now)
        for change in changes:
            mailboxes += outdate(store, mine, change.before)
        rows = mine.outbox.rows_of(submission.id)
        mailboxes += show_status(mine, submission, {change.before.id: change.before for change in changes}, rows)
        if all(row.state in FINAL for row in rows):
            store.outbox.forget_text(submission.id)
        return mailboxes

    def _tell(
        self, mine: AccountStore, submission: Submission, news: dict[Cause, list[OutgoingMessage]], now: int
    ) -> tuple[MailboxId, ...]:
        """One notice for each cause, in INBOX."""
        mailboxes: tuple[MailboxId, ...] = ()
        for cause, rows in news.items():
            raw = self.notices.write(mine, submission, cause, rows, now)
            inbox = mine.mailboxes.by_kind(MailboxKind.INBOX)
            content = mine.messages.add_content(replace(indexed(raw).content(), beyond_quota=True))
            mine.messages.append(inbox.id, content, Flags.NONE, (), to_minute(now))
            mailboxes = (inbox.id,)
        return mailboxes

    def _work(self, store: Store, message: OutgoingMessage, submission: Submission) -> Work:
        """What a recipient demands, where that is what it is about."""
        if message.reason is not Reason.TOO_DIFFICULT:
            return Work()
        demand, rate = demand_for(store, message.kind, message.recipient, self.network), self.rate()
        size = submission.size
        price = Pricing(self.network).before(size, message.ack_data, message.ttl_seconds, demand, message.kind)
        return Work(round(demand.times_minimum(self.network)), price.msg / rate if rate else 0.0)


def outdate(store: Store, mine: AccountStore, row: OutgoingMessage) -> tuple[MailboxId, ...]:
    """The message of `row` in the Outbox goes; whoever looks next finds a new one (`outbox_mailbox`)."""
    if not row.shown_uid:
        return ()
    outbox = mine.mailboxes.by_kind(MailboxKind.OUTBOX).id
    mine.messages.expunge(outbox, [row.shown_uid])
    store.outbox.show(row.id, None, row.rendering)
    return (outbox,)


def failure(reason: Reason) -> dict[str, Any]:
    """The changes that go with an event leading to FAILED."""
    return {"reason": reason, "payload": b"", "next_attempt": 0}
