"""What became of a row, in the words that mail has for it: in the Outbox and in answers to commands (5.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bmgate.domain.outbox import MAX_ATTEMPTS, OutgoingMessage, Reason, State
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Clock
from bmgate.mail.causes import time_words

STATE_WORDS: Mapping[State, str] = {
    State.ACCEPTED: "queued",
    State.NEED_PUBKEY: "waiting for the recipient's key; it is being asked for",
    State.REQUESTED: "waiting for the recipient's key",
    State.READY: "computing proof of work",
    State.ACK_POW: "computing proof of work",
    State.BUILT: "computing proof of work",
    State.PUBLISHED: "sent",
    State.ACKED: "acknowledged",
    State.NO_ACK_EXPECTED: "sent, no acknowledgement is expected",
    State.TOO_DIFFICULT: "recipient demands too much work",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
}

_HELD = {
    Reason.NO_PEERS: "held; no connection to the Bitmessage network",
    Reason.OVER_QUOTA: "held; your mailbox is full",
}


class Writer(Protocol):
    """Whoever knows what a row demands."""

    def status(self, store: Store, row: OutgoingMessage, now: int) -> str:
        """The words for one row."""
        ...


@dataclass(frozen=True, slots=True)
class StatusWords:
    """The words for many rows."""

    database: Database
    clock: Clock
    writer: Writer

    async def of(self, rows: Sequence[OutgoingMessage]) -> list[str]:
        """One after another."""
        now = self.clock.now()
        return await self.database.read(lambda store: [self.writer.status(store, row, now) for row in rows])


def status_words(row: OutgoingMessage, times: int, work: str, give_up_at: int) -> str:
    """`times` the usual work is demanded, `work` are the words for what is left; no attempt begins after `give_up_at`
    (Unix seconds).
    """
    if row.reason is Reason.SEND_DELAY:
        return f"held; send delay until {time_words(row.next_attempt)}"
    if row.reason in _HELD:
        return _HELD[row.reason]
    words = STATE_WORDS[row.state]
    match row.state:
        case State.REQUESTED:
            again = f", again {time_words(row.next_attempt)}" if row.next_attempt else ""
            return f"{words}; asked {time_words(row.updated_at)}{again}"
        case State.READY | State.ACK_POW | State.BUILT:
            return words + (f", attempt {row.attempt}" if row.attempt > 1 else "")
        case State.TOO_DIFFICULT:
            time = work.partition(", ")[2]
            how_much = f"{times} times the usual work" + (f" ({time})" if time else "")
            return f'recipient demands {how_much}; "force {row.name}" accepts'
        case State.PUBLISHED:
            sent = f"{words} {time_words(row.updated_at)}, attempt {row.attempt}"
            return f"{sent}, not yet acknowledged, {_next(row, give_up_at)}"
        case State.FAILED:
            return f"{words}; {row.reason.value.replace('_', ' ')}" if row.reason.value else words
        case _:
            return words


def _next(row: OutgoingMessage, give_up_at: int) -> str:
    last = row.no_retry or row.attempt >= MAX_ATTEMPTS
    if last or row.next_attempt >= give_up_at:
        return "no further attempt"
    return f"next attempt {time_words(row.next_attempt)}"
