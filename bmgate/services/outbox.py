"""What every change of an outgoing message brings with it, inside the transaction of the change.

One row moves on by one event; its mail in Sent shows the new status, the sender gets the notice he asked for, and the
text goes when nobody needs it any more. Whoever records an event tells `Sending` afterwards, which carries out the
effects.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from bmgate.bm.encodings import encode_message
from bmgate.bm.network import NetworkParameters
from bmgate.domain.mailbox import Flags, MailboxId, MailboxKind
from bmgate.domain.outbox import (
    FINAL,
    Effect,
    Event,
    OutgoingMessage,
    Reason,
    State,
    Submission,
    SubmissionId,
    advance,
)
from bmgate.domain.ports.database import Failpoints, Store
from bmgate.errors import OverQuota
from bmgate.services.keys import demand_of, find_demand, find_pubkey
from bmgate.services.mailboxes import indexed, to_minute
from bmgate.services.notices import NoticeWriter
from bmgate.services.pricing import UNBUILT, Pricing

PENDING = "bm-pending"  # of a mail that was just accepted
WORKING = "bm-pow"  # beside bm-pending, with one of:
QUARTERS = ("bm-pow25", "bm-pow50", "bm-pow75")
STATUS_KEYWORDS = (PENDING, "bm-sent", "bm-noack", "bm-acked", "bm-cancelled", "bm-failed", WORKING, *QUARTERS)

_UNPUBLISHED = UNBUILT | {State.ACK_POW, State.BUILT}


@dataclass(frozen=True, slots=True)
class Recorded:
    """A row after its event: what the world is owed, and which mailboxes changed."""

    message: OutgoingMessage
    event: Event
    effects: tuple[Effect, ...]
    mailboxes: tuple[MailboxId, ...]


@dataclass(frozen=True, slots=True)
class OutboxRecorder:
    """Records events. Holds what the notices are written with."""

    notices: NoticeWriter
    network: NetworkParameters
    failpoints: Failpoints

    def record(
        self, store: Store, message: OutgoingMessage, event: Event, now: int, detail: str = "", **changes: Any
    ) -> Recorded:
        """Move `message` on by `event`; `changes` are fields of the row that change with it.

        `detail` goes into the history and must hold neither addresses nor text.
        """
        state, effects = advance(message.state, event)
        changes.setdefault("saved_nonce", 0)
        after = replace(message, state=state, updated_at=now, **changes)
        self.failpoints.pass_(f"outbox.{event}")
        after = store.outbox.save(after, now, detail)
        submission = store.outbox.submission(after.submission)
        rows = store.account(submission.account).outbox.rows_of(submission.id)
        mailboxes = self._notify(store, message, after, submission, now)
        mailboxes += _show_status(store, submission, message, rows)
        if all(row.state in FINAL for row in rows):
            store.outbox.forget_text(SubmissionId(submission.id))
        return Recorded(after, event, effects, mailboxes)

    def show_progress(
        self, store: Store, before: OutgoingMessage, after: OutgoingMessage, now: int
    ) -> tuple[MailboxId, ...]:
        """Put the work done for a mail on its copy in Sent when it reaches another quarter; tells in which mailboxes.

        Work that nobody has to wait for never comes here.
        """
        submission = store.outbox.submission(after.submission)
        if submission.sent_content is None:
            return ()
        size, pricing = len(encode_message(submission.subject, submission.body)), Pricing(self.network)
        rows = store.account(submission.account).outbox.rows_of(submission.id)
        demands = [find_demand(store, row.recipient, self.network) for row in rows]

        def quarter(shown: OutgoingMessage) -> int:
            now_shown = [shown if row.id == shown.id else row for row in rows]
            shares = [
                pricing.share_done(row, size, demand, now) for row, demand in zip(now_shown, demands, strict=True)
            ]
            return int(sum(shares) / len(shares) * (len(QUARTERS) + 1))

        former, reached = quarter(before), quarter(after)
        if not former < reached <= len(QUARTERS):
            return ()
        shown = QUARTERS[reached - 1]
        messages = store.account(submission.account).messages
        return tuple(messages.status_keywords(submission.sent_content, set(QUARTERS) - {shown}, {WORKING, shown}))

    def _notify(
        self, store: Store, before: OutgoingMessage, after: OutgoingMessage, submission: Submission, now: int
    ) -> tuple[MailboxId, ...]:
        mine = store.account(after.account)
        raw = self.notices.notice(mine, before, after, submission, self._difficulty(store, after), now)
        if raw is None:
            return ()
        inbox = mine.mailboxes.by_kind(MailboxKind.INBOX)
        try:
            content = mine.messages.add_content(indexed(raw).content())
        except OverQuota:  # the keywords in Sent still tell
            return ()
        mine.messages.append(inbox.id, content, Flags.NONE, (), to_minute(now))
        return (inbox.id,)

    def _difficulty(self, store: Store, message: OutgoingMessage) -> int:
        if message.reason is not Reason.TOO_DIFFICULT:
            return 0
        pubkey = find_pubkey(store, message.recipient)
        return 0 if pubkey is None else round(demand_of(pubkey, self.network).times_minimum(self.network))


def sent_keywords(rows: Iterable[OutgoingMessage]) -> set[str]:
    """The status of a mail as keywords of its copy in Sent, from the states of its rows (mail conversion 5.1)."""
    states = [row.state for row in rows]
    others = [state for state in states if state is not State.FAILED]
    failed = {"bm-failed"} if len(others) < len(states) else set()
    if not others:
        return failed
    if any(state in _UNPUBLISHED for state in others):
        return failed | {PENDING}
    for state, keyword in (
        (State.PUBLISHED, "bm-sent"),
        (State.NO_ACK_EXPECTED, "bm-noack"),
        (State.ACKED, "bm-acked"),
    ):
        if state in others:
            return failed | {keyword}
    return failed | {"bm-cancelled"}


def _show_status(
    store: Store, submission: Submission, before: OutgoingMessage, rows: Collection[OutgoingMessage]
) -> tuple[MailboxId, ...]:
    """Put the status of a submission on its mail in Sent where the event changed it; tells in which mailboxes.

    Most events do not change it, and looking costs a fifth of their transaction. `before` is the row that moved on.
    """
    shown = sent_keywords(rows)
    former = sent_keywords(before if row.id == before.id else row for row in rows)
    undone = before.saved_nonce > 0 and any(row.id == before.id and row.state in UNBUILT for row in rows)
    if submission.sent_content is None or (shown == former and not undone):
        return ()
    messages = store.account(submission.account).messages
    return tuple(messages.status_keywords(submission.sent_content, set(STATUS_KEYWORDS) - shown, shown))


def failure(reason: Reason) -> dict[str, Any]:
    """The changes that go with an event leading to FAILED."""
    return {"reason": reason, "payload": b"", "next_attempt": 0}
