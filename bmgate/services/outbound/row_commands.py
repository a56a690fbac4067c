"""What a user may order about one row of the outbox, within the transaction that decides whether it is not too late."""

from dataclasses import dataclass, replace
from typing import Any

from bmgate.domain.mailbox import FlagChange, Flags, MailboxId, MailboxKind
from bmgate.domain.outbox import FINAL, Event, OutboxId, OutgoingMessage, Priority, Reason, State, may
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Store
from bmgate.services.outbound.outbox import OutboxRecorder, Recorded, outdate
from bmgate.services.outbound.timers import left_behind


@dataclass(frozen=True, slots=True)
class Unmoved:
    """The row is in the state it was in; `begins` says that its work begins now."""

    message: OutgoingMessage
    mailboxes: tuple[MailboxId, ...] = ()
    begins: bool = False


@dataclass(frozen=True, slots=True)
class RowCommands:
    """Decides commands, and records what comes of them."""

    recorder: OutboxRecorder

    def decide(self, store: Store, row: OutboxId, event: Event, now: int) -> Recorded | Unmoved:
        """CANCEL, RETRY or FORCED, where the row still permits it (O6)."""
        message = store.outbox.get(row)
        if event is Event.CANCEL and message.state is State.PUBLISHED and not message.no_retry:
            return self._let_be(store, message, now)
        if event is Event.RETRY and message.reason is Reason.SEND_DELAY:
            return self._begin_now(store, message, now)
        if not may(message.state, event):
            return Unmoved(message)
        changes: dict[str, Any] = {"forced": True, "reason": Reason.NONE} if event is Event.FORCED else {}
        if event is Event.RETRY:
            changes["no_retry"] = False
            store.outbox.show(message.id, message.shown_uid or None, message.rendering)
        return self.recorder.record(store, message, event, now, "by the user", **changes, **left_behind(message, event))

    def prioritise(
        self, store: Store, row: OutboxId, priority: Priority, now: int
    ) -> tuple[OutgoingMessage, tuple[MailboxId, ...]]:
        r"""Another priority, with \Flagged in the Outbox for a high one."""
        former = store.outbox.get(row)
        mine = store.account(former.account)
        message = self.reorder(mine, former, priority, now)
        if message is former or not message.shown_uid:
            return message, ()
        outbox = mine.mailboxes.by_kind(MailboxKind.OUTBOX).id
        change = FlagChange.ADD if priority is Priority.HIGH else FlagChange.REMOVE
        mine.messages.set_flags(outbox, [message.shown_uid], change, Flags.FLAGGED, ())
        return message, (outbox,)

    def reorder(self, mine: AccountStore, message: OutgoingMessage, priority: Priority, now: int) -> OutgoingMessage:
        """The row alone: `message` itself where it is final or has this priority."""
        if message.state in FINAL or message.priority is priority:
            return message
        mine.outbox.prioritise(message.id, priority, now)
        return replace(message, priority=priority, updated_at=now)

    def set_ttl(
        self, store: Store, row: OutboxId, ttl_seconds: int, now: int
    ) -> tuple[OutgoingMessage, Recorded | None]:
        """Another TTL for what is not published; what was built is built anew, as another attempt (O2)."""
        message = store.outbox.get(row)
        if message.state in FINAL or message.state is State.PUBLISHED or message.ttl_seconds == ttl_seconds:
            return message, None
        if message.state not in (State.ACK_POW, State.BUILT):
            return store.outbox.save(replace(message, ttl_seconds=ttl_seconds), now, ""), None
        changes: dict[str, Any] = {"payload": b"", "attempt": message.attempt + 1, "ttl_seconds": ttl_seconds}
        outcome = self.recorder.record(store, message, Event.OUTDATED, now, "another TTL", **changes)
        return outcome.message, outcome

    def _let_be(self, store: Store, message: OutgoingMessage, now: int) -> Unmoved:
        """It is published: no further attempt, and an ack still counts."""
        after = store.outbox.save(replace(message, no_retry=True), now, "")
        return Unmoved(after, outdate(store, store.account(after.account), after))

    def _begin_now(self, store: Store, message: OutgoingMessage, now: int) -> Unmoved:
        mailboxes = self.recorder.hold(store, replace(message, next_attempt=0), Reason.NONE, now)
        return Unmoved(store.outbox.get(message.id), mailboxes, begins=True)
