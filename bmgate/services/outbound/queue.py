"""The queue as its owner sees it: outgoing messages, what they cost, how far the work is, and commands on them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from bmgate.bm.network import NetworkParameters
from bmgate.domain.account import AccountId
from bmgate.domain.outbox import FINAL, Event, HistoryEntry, OutboxId, OutgoingMessage, Priority, State
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Backlog, Clock, Solver, Survey, WorkProgress
from bmgate.errors import Missing, NotAllowed
from bmgate.pow.target import initial_hash
from bmgate.services.objects.keys import demand_for, minimum
from bmgate.services.objects.pricing import WORKED_ON, Price, Pricing
from bmgate.services.outbound.sending import Sending

WATCH_SECONDS = 0.5
MANY = 200  # rows: more are looked through on a thread
_LIKELY = 3  # means: one search in twenty takes longer


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One outgoing message; `work` tells of the object that is worked for now, None when there is none."""

    message: OutgoingMessage
    work: WorkProgress | None

    @property
    def worked_on(self) -> str:
        """`getpubkey`, `ack` or `msg`; "" when nothing is worked for."""
        return WORKED_ON[self.message.state] if self.work is not None else ""


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """A row with its subject (empty once the text is gone), history and the work that this attempt still takes.

    `left_out` names parts of the mail that travel to nobody (O7).
    """

    row: QueueRow
    subject: str
    history: list[HistoryEntry]
    price: Price
    price_seconds: float
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QueueNews:
    """What a watcher is told: the rows that changed, and all work of this gateway together."""

    rows: list[QueueRow]
    backlog: Backlog


@dataclass(frozen=True, slots=True)
class _Worked:
    """A row with the name and the expected trials of its work."""

    message: OutgoingMessage
    initial_hash: bytes
    expected: int


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is told of one row only when it is asked for."""

    subject: str
    price: Price
    left_out: tuple[str, ...]


class Queue:
    """One account's outgoing messages, by queue id or `QUEUEID-n`."""

    def __init__(
        self, database: Database, sending: Sending, solver: Solver, clock: Clock, network: NetworkParameters
    ) -> None:
        self._database, self._sending, self._solver = database, sending, solver
        self._clock, self._network, self._pricing = clock, network, Pricing(network)

    async def rows(self, account: AccountId, *, unfinished_only: bool = False) -> list[QueueRow]:
        """Newest first."""

        def gather(store: Store) -> list[_Worked]:
            outbox = store.account(account).outbox
            return self._worked(store, outbox.unfinished() if unfinished_only else outbox.rows())

        return await self._with_progress(await self._database.read(gather))

    async def show(self, account: AccountId, name: str) -> list[QueueEntry]:
        """The rows that `name` means; raises Missing."""

        def gather(store: Store) -> list[tuple[_Worked, _Facts, list[HistoryEntry]]]:
            outbox = store.account(account).outbox
            return [
                (worked, self._facts(store, worked.message), outbox.history(worked.message.id))
                for worked in self._worked(store, _named(store, account, name))
            ]

        gathered = await self._database.read(gather)
        rows = await self._with_progress([worked for worked, *_ in gathered])
        rate = self._solver.trials_per_second
        return [
            QueueEntry(row, facts.subject, history, facts.price, facts.price.trials / rate, facts.left_out)
            for row, (_, facts, history) in zip(rows, gathered, strict=True)
        ]

    async def watch(self, account: AccountId, name: str, tell: Callable[[QueueNews], Awaitable[None]]) -> None:
        """Tell `name`'s rows, "" for all unfinished ones, and again what changes, until all are final.

        Raises Missing.
        """
        known: dict[OutboxId, QueueRow] = {}
        told_backlog: tuple[object, ...] = ()
        while True:
            rows = await self._watched(account, name, known)
            backlog = self._solver.backlog()
            news = await asyncio.to_thread(_news, rows, known) if len(rows) >= MANY else _news(rows, known)
            if news or _backlog_look(backlog) != told_backlog:
                await tell(QueueNews(news, backlog))
            known |= {row.message.id: row for row in news}
            told_backlog = _backlog_look(backlog)
            if all(row.message.state in FINAL for row in rows):
                return
            await self._clock.sleep(WATCH_SECONDS)

    async def prioritise(self, account: AccountId, name: str, priority: Priority) -> list[OutgoingMessage]:
        """Work on these before or after the account's others; raises NotAllowed."""
        rows = await self._database.read(lambda store: _named(store, account, name))
        if all(row.state in FINAL for row in rows):
            raise NotAllowed(f"{rows[0].name} is {rows[0].state.lower()}: there is no work to put in order")
        return [await self._sending.prioritise(row.id, priority) for row in rows]

    async def set_ttl(self, account: AccountId, name: str, ttl_seconds: int) -> list[OutgoingMessage]:
        """Have what is not published yet live so long on the network; what is worked for begins anew.

        Raises NotAllowed.
        """
        rows = await self._database.read(lambda store: _named(store, account, name))
        open_rows = [row for row in rows if row.state not in FINAL and row.state is not State.PUBLISHED]
        if not open_rows:
            state = "published" if rows[0].state is State.PUBLISHED else rows[0].state.lower()
            raise NotAllowed(f"{rows[0].name} is {state}: how long it lives is settled")
        return [await self._sending.set_ttl(row.id, ttl_seconds) for row in open_rows]

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

    # -- work ------------------------------------------------------------------------------------------------------

    def _worked(self, store: Store, rows: Sequence[OutgoingMessage]) -> list[_Worked]:
        """Rows with what there is to know of their work; hashing takes long enough not to be done on the loop."""
        now = self._clock.now()
        found = []
        for row in rows:
            demand = minimum(self._network)
            if row.payload and row.state is State.BUILT:
                demand = demand_for(store, row.kind, row.recipient, self._network)
            expected = self._pricing.payload(row, demand, now)
            found.append(_Worked(row, initial_hash(row.payload) if expected else b"", expected))
        return found

    async def _with_progress(self, rows: Sequence[_Worked]) -> list[QueueRow]:
        """The solver knows best; without it, what was saved. Ten thousand rows take too long for the loop."""
        survey, rate = self._solver.survey(), self._solver.trials_per_second
        if len(rows) < MANY:
            return _joined(rows, survey, rate)
        return await asyncio.to_thread(_joined, rows, survey, rate)

    def _facts(self, store: Store, row: OutgoingMessage) -> _Facts:
        submission = store.outbox.submission(row.submission)
        size = submission.size
        demand = demand_for(store, row.kind, row.recipient, self._network)
        left_out = store.account(row.account).outbox.enclosures(row.submission).left_out
        return _Facts(submission.subject, self._pricing.left(row, size, demand, self._clock.now()), left_out)

    async def _watched(self, account: AccountId, name: str, known: dict[OutboxId, QueueRow]) -> list[QueueRow]:
        """The rows that are watched; those that were open when last told stay among them."""
        opened = {row for row, last in known.items() if last.message.state not in FINAL}

        def gather(store: Store) -> list[_Worked]:
            if name:
                return self._worked(store, _named(store, account, name))
            unfinished = store.account(account).outbox.unfinished()
            ended = opened - {row.id for row in unfinished}
            return self._worked(store, [*unfinished, *(store.outbox.get(row) for row in ended)])

        return await self._with_progress(await self._database.read(gather))


def _joined(rows: Sequence[_Worked], survey: Survey, rate: float) -> list[QueueRow]:
    live = survey.progress([row.initial_hash for row in rows if row.expected])
    return [
        QueueRow(row.message, (live.get(row.initial_hash) or _saved(row, rate)) if row.expected else None)
        for row in rows
    ]


def _news(rows: Sequence[QueueRow], known: Mapping[OutboxId, QueueRow]) -> list[QueueRow]:
    return [row for row in rows if _look(row) != _look(known.get(row.message.id))]


def _saved(row: _Worked, rate: float) -> WorkProgress:
    """The work of a row whose search is not in the solver's queue."""
    mean = row.expected / rate
    return WorkProgress(row.message.saved_nonce, row.expected, False, "", mean, _LIKELY * mean)


def _look(row: QueueRow | None) -> tuple[object, ...]:
    """What of a row is worth telling again when it changes; times to two figures."""
    if row is None:
        return ()
    message, work = row.message, row.work
    facts = (message.state, message.reason, message.attempt, message.next_attempt, message.no_retry, message.priority)
    return facts if work is None else (*facts, work.tried, work.running, work.withheld, f"{work.mean_seconds:.1e}")


def _backlog_look(backlog: Backlog) -> tuple[object, ...]:
    return backlog.jobs, f"{backlog.mean_seconds:.1e}"


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
