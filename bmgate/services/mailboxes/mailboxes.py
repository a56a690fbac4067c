"""Mailboxes as IMAP, POP3 and web ask for them.

Every method takes the account it acts for. What changed is committed before a method returns, and watchers of the
mailbox are told after that. Mail is indexed once, when it is stored; nothing here parses a stored message again.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TypeVar

from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import (
    DELIMITER,
    SYNONYMS,
    Changes,
    FlagChange,
    Flags,
    Mailbox,
    MailboxId,
    MailboxKind,
    MailboxSnapshot,
    MailboxStatus,
    MessageHead,
    MessageRow,
    NewMail,
    StoredMessage,
    Transfer,
)
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Database, Failpoints, Store
from bmgate.domain.ports.world import Clock
from bmgate.errors import NotAllowed
from bmgate.services.disk import room_for_all
from bmgate.services.events import MailboxEvents
from bmgate.services.mailboxes.incoming_mail import IncomingMails, add_mail
from bmgate.services.mailboxes.indexed import to_minute
from bmgate.services.mailboxes.keywords import refuse_many_of_mailbox, refuse_many_of_message
from bmgate.services.mailboxes.large_mail import LargeMails, drop_unshown
from bmgate.services.mailboxes.lazy_mail import LazyMail
from bmgate.services.mailboxes.mailbox_names import (
    MAX_MAILBOXES,
    Tree,
    check_name,
    make_with_parents,
    move_inbox,
    refuse_special,
    refuse_taken,
    rename_tree,
    resolve,
    resolve_doomed,
    resolve_with_mail,
    spelled_here,
    tree_of,
)
from bmgate.services.mailboxes.mailbox_rules import Effects, Made, MailboxRules, RuleBook
from bmgate.services.mailboxes.status_flags import WITH_STATUS, set_flags_of_client
from bmgate.services.parsing import Parsing

T = TypeVar("T")


class Mailboxes:
    """The mailboxes of all accounts, one account at a time."""

    def __init__(
        self,
        database: Database,
        events: MailboxEvents,
        clock: Clock,
        failpoints: Failpoints,
        limit: int = MAX_MAILBOXES,
        rules: Sequence[MailboxRules] = (),
        check_room: Callable[[], None] = room_for_all,
        parsing: Parsing | None = None,
    ) -> None:
        parsing = parsing or Parsing()
        self._database, self._events, self._clock, self._failpoints = database, events, clock, failpoints
        self._limit, self._rules, self._check_room = limit, RuleBook(rules), check_room
        self._incoming = IncomingMails(LargeMails(database, failpoints, parsing), parsing)
        self._told: dict[MailboxId, int] = {}  # the first UID that no session was told of, since the start

    # -- looking ---------------------------------------------------------------------------------------------------

    async def all(self, account: AccountId) -> list[Mailbox]:
        """Special mailboxes first, then by name."""
        return await self._database.read(lambda store: store.account(account).mailboxes.all())

    async def former_subscriptions(self, account: AccountId) -> list[str]:
        """Names of mailboxes that were deleted while they were subscribed to."""
        return await self._database.read(lambda store: store.account(account).mailboxes.former_subscriptions())

    async def status(self, account: AccountId, name: str) -> MailboxStatus:
        """Raises MailboxMissing, NotAllowed for one that holds no mail."""

        def count(store: Store) -> MailboxStatus:
            mailboxes = store.account(account).mailboxes
            mailbox = resolve_with_mail(mailboxes, name)
            return mailboxes.status(mailbox.id, self._told.get(mailbox.id, 1))

        await self._rules.of(name).looking(account)
        return await self._database.read(count)

    async def quota(self, account: AccountId) -> tuple[int, int | None]:
        """Octets in use, and how many there may be; None without a limit."""

        def look(store: Store) -> tuple[int, int | None]:
            mine = store.account(account)
            return mine.messages.used_octets(), mine.account.quota_bytes

        return await self._database.read(look)

    def now(self) -> int:
        """Unix seconds."""
        return self._clock.now()

    async def open(self, account: AccountId, name: str, read_only: bool = True) -> MailboxSnapshot:
        """A mailbox with all its rows, at one instant; raises MailboxMissing, NotAllowed for one that holds no mail.

        What it calls recent is recent for no later session, unless this one only reads (U7).
        """

        def snapshot(store: Store) -> MailboxSnapshot:
            mine = store.account(account)
            mailbox = resolve_with_mail(mine.mailboxes, name)
            return MailboxSnapshot(mailbox, mine.messages.rows(mailbox.id))

        await self._rules.of(name).looking(account)
        found = await self._database.read(snapshot)
        mailbox = found.mailbox
        self._rules.opened(mailbox)
        first = max(mailbox.recent_uid, self._told.get(mailbox.id, 1))
        if not read_only and mailbox.recent_uid < mailbox.uidnext:
            self.claim_recent(mailbox.id, mailbox.uidnext)
            await self._database.transact(
                lambda store: store.account(account).mailboxes.claim_recent(mailbox.id, mailbox.uidnext)
            )
        return replace(found, mailbox=replace(mailbox, recent_uid=first))

    def claim_recent(self, mailbox: MailboxId, uidnext: int) -> int:
        r"""A session is told of all messages below `uidnext`; those from the returned UID on are \Recent for it.

        Only remembered: the next SELECT stores it, so after a crash some mail is recent once more (RFC 3501 2.3.2).
        """
        first = self._told.get(mailbox, 1)
        self._told[mailbox] = max(first, uidnext)
        return first

    async def changes(self, account: AccountId, mailbox: MailboxId, since_modseq: int) -> Changes:
        """Raises MailboxMissing when it was deleted meanwhile."""

        def since(store: Store) -> Changes:
            mine = store.account(account)
            return mine.messages.changes(mine.mailboxes.get(mailbox).id, since_modseq)

        await self._rules.of_opened(mailbox).looking(account)
        return await self._database.read(since)

    async def heads(
        self, account: AccountId, mailbox: MailboxId, uids: Collection[int], budget_octets: int | None = None
    ) -> list[MessageHead]:
        """Headers and indexes by ascending UID; with a budget the first of them that fit, but at least one (I7)."""
        return await self._database.read(
            lambda store: store.account(account).messages.heads(mailbox, uids, budget_octets)
        )

    async def messages(
        self, account: AccountId, mailbox: MailboxId, uids: Collection[int], budget_octets: int | None = None
    ) -> list[StoredMessage]:
        """Whole messages by ascending UID; with a budget the first of them that fit, but at least one (I7)."""
        return await self._database.read(
            lambda store: store.account(account).messages.messages(mailbox, uids, budget_octets)
        )

    async def portion(
        self, account: AccountId, mailbox: MailboxId, uids: Collection[int], budget_octets: int
    ) -> list[StoredMessage] | list[MessageHead]:
        """The first messages that fit together; one that is larger than the budget comes alone, as its head (I7)."""
        return await self._database.read(
            lambda store: store.account(account).messages.portion(mailbox, uids, budget_octets)
        )

    async def body(self, account: AccountId, uuid: bytes, start: int, end: int) -> bytes:
        """Octets of a large body from `start` on: some at least, and none from `end` on.

        Raises MessageMissing when the last message that showed this content was expunged meanwhile.
        """
        return await self._database.read(lambda store: store.account(account).messages.body(uuid, start, end))

    async def look_into(self, account: AccountId, head: MessageHead, look: Callable[[LazyMail], T]) -> T:
        """What `look` finds in a large mail, off the loop; it reads what it needs. Raises MessageMissing."""

        def read(store: Store) -> T:
            messages = store.account(account).messages
            return look(LazyMail(head, lambda start, end: messages.body(head.uuid, start, end)))

        return await self._database.read(read)

    def watch(self, mailbox: MailboxId, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` after each change of an opened mailbox, until the returned function is called."""
        return self._events.watch(mailbox, callback)

    # -- mailboxes -------------------------------------------------------------------------------------------------

    async def create(self, account: AccountId, name: str) -> Mailbox:
        """Make a mailbox, and those above it; a synonym of a special mailbox is there already (M3).

        Raises MailboxExists, NotAllowed for an impossible name, LimitReached at 1,000 mailboxes.
        """
        wanted = spelled_here(name.rstrip(DELIMITER))
        if name.rstrip(DELIMITER).lower() in SYNONYMS:
            return await self._database.read(lambda store: resolve(store.account(account).mailboxes, wanted))
        check_name(wanted)
        now, rules = self._clock.now(), self._rules.of(wanted)
        await rules.prepare(account, wanted)

        def make(store: Store) -> Made:
            mine = store.account(account)
            refuse_taken(mine.mailboxes, wanted)
            own = rules.creating(mine, wanted, now)
            return own or Made(make_with_parents(mine.mailboxes, wanted, now, False, self._limit))

        made = await self._database.transact(make)
        _carry_out(made.effects)
        return made.mailbox

    async def delete(self, account: AccountId, name: str) -> MailboxId:
        """Delete a mailbox of the user's own with its messages; mailboxes below it stay. Returns which it was."""

        def remove(store: Store) -> tuple[MailboxId, Effects]:
            mine = store.account(account)
            mailbox = resolve_doomed(mine.mailboxes, name)
            refuse_special(mailbox, "deleted")
            effects = self._rules.of(mailbox.name).deleting(mine, mailbox)
            mine.mailboxes.delete(mailbox.id)
            return mailbox.id, effects

        gone, effects = await self._database.transact(remove)
        _carry_out(effects)
        self._told.pop(gone, None)
        self._events.changed([gone])
        return gone

    async def rename(self, account: AccountId, name: str, new_name: str) -> None:
        """Rename a mailbox and those below it; INBOX keeps its place and its mail moves (RFC 9051 6.3.6)."""
        wanted = spelled_here(new_name.rstrip(DELIMITER))
        check_name(wanted)
        now = self._clock.now()

        def move(store: Store) -> tuple[list[MailboxId], Effects]:
            mine = store.account(account)
            tree = tree_of(mine.mailboxes, name)
            refuse_taken(mine.mailboxes, wanted)
            effects = self._renaming(mine, tree, wanted)
            if tree.top is not None and tree.top.kind is MailboxKind.INBOX:
                target = make_with_parents(mine.mailboxes, wanted, now, False, self._limit)
                return move_inbox(mine, tree.top, target, to_minute(now)), effects
            if tree.top is not None:
                refuse_special(tree.top, "renamed")
            if wanted.startswith(tree.name + DELIMITER):
                raise NotAllowed("a mailbox cannot be moved below itself")
            rename_tree(mine.mailboxes, tree, wanted, now, self._limit)
            return [], effects

        changed, effects = await self._database.transact(move)
        _carry_out(effects)
        self._events.changed(changed)

    def _renaming(self, mine: AccountStore, tree: Tree, wanted: str) -> Effects:
        """Ask the rules of the old name and of the new one, once where they are the same; for those below only where
        there is nothing above them.
        """
        effects: Effects = ()
        for mailbox, new_name in tree.renamed(wanted)[: 1 if tree.top else None]:
            asked = {id(rules): rules for rules in (self._rules.of(mailbox.name), self._rules.of(new_name))}
            for rules in asked.values():
                effects += rules.renaming(mine, mailbox, new_name)
        return effects

    async def set_subscribed(self, account: AccountId, name: str, subscribed: bool) -> None:
        """SUBSCRIBE and UNSUBSCRIBE; raises MailboxMissing."""

        def change(store: Store) -> None:
            mailboxes = store.account(account).mailboxes
            if not subscribed and mailboxes.forget_subscription(name):
                return
            mailboxes.set_subscribed(resolve(mailboxes, name).id, subscribed)

        await self._database.transact(change)

    # -- messages --------------------------------------------------------------------------------------------------

    async def append(
        self,
        account: AccountId,
        name: str,
        raw: bytes,
        flags: Flags,
        keywords: Collection[str],
        internaldate: int | None,
    ) -> Transfer:
        """Store a mail; durable when this returns. Raises MailboxMissing, OverQuota.

        In Sent, the client's copy of a mail that was submitted here takes the place of the gateway's (M7).
        """
        return await self.append_all(account, name, [NewMail(raw, flags, tuple(keywords), internaldate)])

    async def append_all(self, account: AccountId, name: str, mails: Sequence[NewMail]) -> Transfer:
        """Store several mails, all or none."""
        self._check_room()
        now = self._clock.now()
        new = await self._incoming.prepared(account, name, mails)

        def store_mails(store: Store) -> tuple[MailboxId, Transfer, Effects]:
            self._failpoints.pass_("append.begin")
            mine = store.account(account)
            mailbox = resolve(mine.mailboxes, name)
            effects = self._rules.of(mailbox.name).appending(mine, mailbox, mails)
            refuse_many_of_mailbox(mine.messages, mailbox.id, [word for mail in mails for word in mail.keywords])
            uids = [add_mail(mine, mailbox, mail, each, now) for mail, each in zip(mails, new, strict=True)]
            drop_unshown(mine, new)
            self._failpoints.pass_("append.stored")
            return mailbox.id, Transfer(mailbox.uidvalidity, [], uids), effects

        try:
            mailbox, transfer, effects = await self._database.transact(store_mails)
        except BaseException:
            await self._incoming.drop(account, new)
            raise
        self._failpoints.pass_("append.committed")
        _carry_out(effects)
        self._events.changed([mailbox])
        return transfer

    async def set_flags(
        self,
        account: AccountId,
        mailbox: MailboxId,
        uids: Collection[int],
        change: FlagChange,
        flags: Flags,
        keywords: Collection[str],
        unchanged_since: int | None = None,
    ) -> list[MessageRow]:
        """STORE: the rows as they are now, without those that changed after `unchanged_since`."""

        def store_flags(store: Store) -> tuple[list[MessageRow], Effects]:
            mine = store.account(account)
            it = mine.mailboxes.get(mailbox)
            effects = self._rules.of(it.name).flagging(mine, it, uids, change, flags)
            if change is not FlagChange.REMOVE:
                refuse_many_of_mailbox(mine.messages, mailbox, keywords)
            if it.kind in WITH_STATUS:
                rows = set_flags_of_client(mine.messages, mailbox, uids, change, flags, keywords, unchanged_since)
            else:
                rows = mine.messages.set_flags(mailbox, uids, change, flags, keywords, unchanged_since)
            if change is not FlagChange.REMOVE and keywords:
                refuse_many_of_message(rows)
            return rows, effects

        rows, effects = await self._database.transact(store_flags)
        _carry_out(effects)
        self._events.changed([mailbox])
        return rows

    async def expunge(self, account: AccountId, mailbox: MailboxId, uids: Collection[int] | None) -> list[int]:
        """Remove the messages marked \\Deleted, of `uids` only if given; returns the UIDs removed."""
        done = await self._rules.of_opened(mailbox).expunging(account, mailbox, uids)
        if done is not None:
            return done

        def remove(store: Store) -> tuple[list[int], Effects]:
            mine = store.account(account)
            it = mine.mailboxes.get(mailbox)
            doomed = [row.uid for row in mine.messages.rows(mailbox) if row.flags & Flags.DELETED]
            if uids is not None:
                doomed = sorted(set(doomed) & set(uids))
            self._failpoints.pass_("expunge.begin")
            effects = self._rules.of(it.name).leaving(mine, it, doomed, None) if doomed else ()
            return mine.messages.expunge(mailbox, doomed), effects

        expunged, effects = await self._database.transact(remove)
        self._failpoints.pass_("expunge.committed")
        _carry_out(effects)
        if expunged:
            self._events.changed([mailbox])
        return expunged

    async def copy(self, account: AccountId, mailbox: MailboxId, uids: Collection[int], target: str) -> Transfer:
        """COPY; raises MailboxMissing for the target."""
        return await self._transfer(account, mailbox, uids, target, move=False)

    async def move(self, account: AccountId, mailbox: MailboxId, uids: Collection[int], target: str) -> Transfer:
        """MOVE: copy and expunge in one transaction (RFC 6851)."""
        return await self._transfer(account, mailbox, uids, target, move=True)

    async def _transfer(
        self, account: AccountId, mailbox: MailboxId, uids: Collection[int], target: str, *, move: bool
    ) -> Transfer:
        done = await self._rules.of_opened(mailbox).transferring(account, mailbox, uids, target, move)
        if done is not None:
            return done
        now = to_minute(self._clock.now())

        def carry(store: Store) -> tuple[MailboxId, Transfer, Effects]:
            mine = store.account(account)
            here, there = mine.mailboxes.get(mailbox), resolve(mine.mailboxes, target)
            effects = self._rules.of(there.name).arriving(mine, there, here, uids, move)
            if move:
                effects += self._rules.of(here.name).leaving(mine, here, uids, there)
            refuse_many_of_mailbox(mine.messages, there.id, mine.messages.keywords(mailbox, uids))
            pairs = mine.messages.copy(mailbox, uids, there.id, now)
            if move:
                mine.messages.expunge(mailbox, [source for source, _ in pairs])
                self._failpoints.pass_("move.stored")
            return there.id, Transfer(there.uidvalidity, [a for a, _ in pairs], [b for _, b in pairs]), effects

        there, transfer, effects = await self._database.transact(carry)
        _carry_out(effects)
        self._events.changed([mailbox, there] if move else [there])
        return transfer


def _carry_out(effects: Effects) -> None:
    for effect in effects:
        effect()
