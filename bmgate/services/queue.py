"""The queue as its owner sees it: outgoing messages, their history, and commands on them."""

from dataclasses import dataclass

from bmgate.bm.network import NetworkParameters
from bmgate.domain.account import AccountId
from bmgate.domain.outbox import FINAL, Event, HistoryEntry, OutgoingMessage, State
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Clock, Solver
from bmgate.errors import Missing, NotAllowed
from bmgate.pow.target import expected_trials
from bmgate.services.keys import minimum
from bmgate.services.sending import Sending


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """One outgoing message with its subject (empty once the text is gone), history and what its work costs.

    `expected_trials` is for the object being worked on now, 0 where there is none.
    """

    message: OutgoingMessage
    subject: str
    history: list[HistoryEntry]
    expected_trials: int
    expected_seconds: float


class Queue:
    """One account's outgoing messages, by queue id or `QUEUEID-n`."""

    def __init__(
        self, database: Database, sending: Sending, solver: Solver, clock: Clock, network: NetworkParameters
    ) -> None:
        self._database, self._sending, self._solver = database, sending, solver
        self._clock, self._network = clock, network

    async def rows(self, account: AccountId, *, unfinished_only: bool = False) -> list[OutgoingMessage]:
        """Newest first."""
        rows = await self._database.read(lambda store: store.account(account).outbox.rows())
        return [row for row in rows if row.state not in FINAL] if unfinished_only else rows

    async def show(self, account: AccountId, name: str) -> list[QueueEntry]:
        """The rows that `name` means; raises Missing."""

        def gather(store: Store) -> list[QueueEntry]:
            outbox = store.account(account).outbox
            return [
                self._entry(row, store.outbox.submission(row.submission).subject, outbox.history(row.id))
                for row in _named(store, account, name)
            ]

        return await self._database.read(gather)

    async def cancel(self, account: AccountId, name: str) -> list[OutgoingMessage]:
        """Stop what is not published yet (O6); what is published makes no further attempts. Raises NotAllowed."""
        return await self._command(account, name, Event.CANCEL)

    async def retry(self, account: AccountId, name: str) -> list[OutgoingMessage]:
        """Ask for the key again, or send again, without waiting for the time set; raises NotAllowed."""
        return await self._command(account, name, Event.RETRY)

    async def force(self, account: AccountId, name: str) -> list[OutgoingMessage]:
        """Do the work that a recipient demands beyond `max_difficulty`; raises NotAllowed."""
        return await self._command(account, name, Event.FORCED)

    async def _command(self, account: AccountId, name: str, event: Event) -> list[OutgoingMessage]:
        rows = await self._database.read(lambda store: _named(store, account, name))
        after = [await self._sending.command(row.id, event) for row in rows]
        if all(row == former for row, former in zip(after, rows, strict=True)):
            raise NotAllowed(_too_late(rows[0], event))
        return after

    def _entry(self, row: OutgoingMessage, subject: str, history: list[HistoryEntry]) -> QueueEntry:
        trials = 0
        if row.payload:
            ttl = max(row.expires_time - self._clock.now(), 0)
            demand = minimum(self._network)
            trials = expected_trials(
                len(row.payload), ttl, demand.nonce_trials_per_byte, demand.payload_length_extra_bytes
            )
        return QueueEntry(row, subject, history, trials, trials / self._solver.trials_per_second)


def _named(store: Store, account: AccountId, name: str) -> list[OutgoingMessage]:
    rows = store.account(account).outbox.find(name.upper())
    if not rows:
        raise Missing(f"nothing in the queue is called {name}; see: bmgate queue list")
    return rows


def _too_late(row: OutgoingMessage, event: Event) -> str:
    if event is Event.CANCEL:
        too_late = row.state in (State.PUBLISHED, State.ACKED, State.NO_ACK_EXPECTED)  # and asked before
        return f"{row.name} is {'published: too late to cancel' if too_late else row.state.lower()}"
    return f"{row.name} is {row.state.lower()}: there is nothing to {'retry' if event is Event.RETRY else 'force'}"
