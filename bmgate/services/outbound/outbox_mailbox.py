r"""The Outbox: the live queue as a mailbox (M6).

One message for each row that is not final. Nothing is written while nobody looks: a message is made when somebody does,
stays as it is, and goes in the transaction that changes its row (`outbox.outdate`); the next look makes another. What
its owner does to it is an order: EXPUNGE and MOVE to Trash cancel, COPY or MOVE to Drafts cancels and gives a draft,
\Flagged means priority.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import TypeVar

from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import (
    SPECIAL_MAILBOXES,
    FlagChange,
    Flags,
    Mailbox,
    MailboxId,
    MailboxKind,
    NewMail,
    Transfer,
)
from bmgate.domain.outbox import Event, OutgoingMessage, Priority
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Clock
from bmgate.errors import AccountLocked, NotAllowed, OverQuota
from bmgate.services.events import MailboxEvents
from bmgate.services.mailboxes.indexed import indexed, to_minute
from bmgate.services.mailboxes.mailbox_names import resolve
from bmgate.services.mailboxes.mailbox_rules import Effects, Made, Permissive
from bmgate.services.mailboxes.sent_status import outbox_keyword
from bmgate.services.outbound.outbox import Recorded
from bmgate.services.outbound.queued_mail import QueuedMailWriter
from bmgate.services.outbound.row_commands import RowCommands
from bmgate.services.outbound.sending import Sending

NAME = SPECIAL_MAILBOXES[MailboxKind.OUTBOX]
T = TypeVar("T")
BATCH = 50  # messages made in one transaction
_OTHER_NAMES = tuple(f"{NAME} {number}" for number in range(2, 2_000))
_NOT_HERE = "the Outbox shows what waits to be sent; to send a mail, submit it"


class OutboxRules(Permissive):
    """Makes the messages of the Outbox, and turns what happens to them into commands."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        events: MailboxEvents,
        sending: Sending,
        commands: RowCommands,
        writer: QueuedMailWriter,
    ) -> None:
        self._database, self._clock, self._events = database, clock, events
        self._sending, self._commands, self._writer = sending, commands, writer
        self._looked_at: dict[AccountId, MailboxId] = {}
        sending.when_accepted(self._accepted)

    async def prepare_accounts(self) -> None:
        """Give accounts that are older than the Outbox theirs."""
        now = self._clock.now()
        if await self._database.read(lambda store: store.accounts.without_mailbox(MailboxKind.OUTBOX)):
            await self._database.transact(lambda store: _make_outboxes(store, now))

    # -- looking ---------------------------------------------------------------------------------------------------

    def governs(self, name: str) -> bool:
        return name == NAME

    async def looking(self, account: AccountId) -> None:
        """Make the messages that are not there yet; as many as the quota has room for."""
        mailbox = await self._database.read(lambda store: _outbox(store.account(account)).id)
        self._looked_at[account] = mailbox
        while await self._database.read(lambda store: store.account(account).outbox.unshown(1)):
            try:
                made = await self._database.transact(lambda store: self._make(store, account))
            except (OverQuota, AccountLocked):
                return
            self._events.changed([mailbox] if made else [])

    def _make(self, store: Store, account: AccountId) -> int:
        mine, now = store.account(account), self._clock.now()
        outbox, rows = _outbox(mine), mine.outbox.unshown(BATCH)
        for row in rows:
            content = mine.messages.add_content(indexed(self._writer.message(store, row, now)).content())
            flags = Flags.FLAGGED if row.priority is Priority.HIGH else Flags.NONE
            shown = mine.messages.append(outbox.id, content, flags, (outbox_keyword(row),), to_minute(row.created_at))
            store.outbox.show(row.id, shown.uid, row.rendering + 1)
        return len(rows)

    def _accepted(self, rows: Iterable[OutgoingMessage]) -> None:
        """Sessions that show an Outbox look again."""
        self._events.changed(self._looked_at[row.account] for row in rows if row.account in self._looked_at)

    # -- commands --------------------------------------------------------------------------------------------------

    async def expunging(self, account: AccountId, mailbox: MailboxId, uids: Collection[int] | None) -> list[int]:
        """Cancel what is marked; what was published makes no further attempt, and its message goes all the same."""
        return await self._order(account, partial(self._expunge, account=account, mailbox=mailbox, uids=uids))

    async def transferring(
        self, account: AccountId, mailbox: MailboxId, uids: Collection[int], target: str, moved: bool
    ) -> Transfer | None:
        """MOVE to Trash and MOVE or COPY to Drafts; None for any other COPY, which is an ordinary one."""
        there = await self._database.read(lambda store: resolve(store.account(account).mailboxes, target))
        if there.kind is MailboxKind.DRAFTS:
            work = partial(self._to_drafts, account=account, mailbox=mailbox, uids=uids, drafts=there)
        elif moved and there.kind is MailboxKind.TRASH:
            work = partial(self._to_trash, account=account, mailbox=mailbox, uids=uids, trash=there)
        elif moved:
            raise NotAllowed("what waits to be sent is moved to Trash, which cancels it, or to Drafts")
        else:
            return None
        transfer = await self._order(account, work)
        self._events.changed([there.id])
        return transfer

    async def _order(self, account: AccountId, work: Callable[[Store], tuple[T, list[Recorded]]]) -> T:
        result, recorded = await self._database.transact(work)
        self._sending.recorded(recorded)
        self._events.changed([self._looked_at[account]] if account in self._looked_at else [])
        return result

    def _expunge(
        self, store: Store, account: AccountId, mailbox: MailboxId, uids: Collection[int] | None
    ) -> tuple[list[int], list[Recorded]]:
        mine = store.account(account)
        marked = [row.uid for row in mine.messages.rows(mailbox) if row.flags & Flags.DELETED]
        doomed = marked if uids is None else sorted(set(marked) & set(uids))
        recorded = [each for uid in doomed for each in self._cancel(store, mine, mailbox, uid)]
        return doomed, recorded

    def _to_trash(
        self, store: Store, account: AccountId, mailbox: MailboxId, uids: Collection[int], trash: Mailbox
    ) -> tuple[Transfer, list[Recorded]]:
        mine, now = store.account(account), to_minute(self._clock.now())
        pairs = mine.messages.copy(mailbox, uids, trash.id, now)
        recorded = [each for uid, _ in pairs for each in self._cancel(store, mine, mailbox, uid)]
        return Transfer(trash.uidvalidity, [uid for uid, _ in pairs], [uid for _, uid in pairs]), recorded

    def _to_drafts(
        self, store: Store, account: AccountId, mailbox: MailboxId, uids: Collection[int], drafts: Mailbox
    ) -> tuple[Transfer, list[Recorded]]:
        mine, now = store.account(account), self._clock.now()
        transfer, recorded = Transfer(drafts.uidvalidity), list[Recorded]()
        for uid, row in sorted(mine.outbox.shown(uids).items()):
            content = mine.messages.add_content(indexed(self._writer.draft(store, row, now)).content())
            draft = mine.messages.append(drafts.id, content, Flags.DRAFT | Flags.SEEN, (), to_minute(now))
            transfer.source_uids.append(uid)
            transfer.target_uids.append(draft.uid)
            recorded += self._cancel(store, mine, mailbox, uid)
        return transfer, recorded

    def _cancel(self, store: Store, mine: AccountStore, mailbox: MailboxId, uid: int) -> list[Recorded]:
        """The row behind a message: cancelled, or let be where it is published; the message goes."""
        row = mine.outbox.shown([uid]).get(uid)
        outcome = None if row is None else self._commands.decide(store, row.id, Event.CANCEL, self._clock.now())
        mine.messages.expunge(mailbox, [uid])
        if isinstance(outcome, Recorded):
            return [outcome]
        if row is not None:
            store.outbox.show(row.id, 0, row.rendering)
        return []

    # -- the hooks of ordinary commands ----------------------------------------------------------------------------

    def creating(self, mine: AccountStore, name: str, now: int) -> Made | None:
        raise NotAllowed(_NOT_HERE)

    def appending(self, mine: AccountStore, mailbox: Mailbox, mails: Sequence[NewMail]) -> Effects:
        raise NotAllowed(_NOT_HERE)

    def arriving(
        self, mine: AccountStore, mailbox: Mailbox, source: Mailbox, uids: Collection[int], moved: bool
    ) -> Effects:
        raise NotAllowed(_NOT_HERE)

    def leaving(self, mine: AccountStore, mailbox: Mailbox, uids: Collection[int], target: Mailbox | None) -> Effects:
        raise NotAllowed("the Outbox must be opened to take mail out of it")

    def flagging(
        self, mine: AccountStore, mailbox: Mailbox, uids: Collection[int], change: FlagChange, flags: Flags
    ) -> Effects:
        r"""\Flagged is priority high, its absence normal; of other flags nobody here takes notice."""
        if not flags & Flags.FLAGGED and change is not FlagChange.REPLACE:
            return ()
        is_high = bool(flags & Flags.FLAGGED) and change is not FlagChange.REMOVE
        wanted, now = Priority.HIGH if is_high else Priority.NORMAL, self._clock.now()
        others = [row for row in mine.outbox.shown(uids).values() if (row.priority is Priority.HIGH) is not is_high]
        reordered = [self._commands.reorder(mine, row, wanted, now) for row in others]
        return tuple(partial(self._sending.reprioritised, row) for row in reordered)


def _outbox(mine: AccountStore) -> Mailbox:
    return mine.mailboxes.by_kind(MailboxKind.OUTBOX)


def _make_outboxes(store: Store, now: int) -> None:
    for account in store.accounts.without_mailbox(MailboxKind.OUTBOX):
        mailboxes = store.account(account).mailboxes
        own = mailboxes.find(NAME)
        if own is not None:
            mailboxes.rename(own.id, next(name for name in _OTHER_NAMES if mailboxes.find(name) is None))
        mailboxes.create(NAME, MailboxKind.OUTBOX, now)
