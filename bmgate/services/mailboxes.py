"""Mailboxes as IMAP, POP3 and web ask for them.

Every method takes the account it acts for. What changed is committed before a method returns, and watchers of the
mailbox are told after that. Mail is indexed once, when it is stored; nothing here parses a stored message again.
"""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass

from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import (
    DELIMITER,
    SPECIAL_MAILBOXES,
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
    NewContent,
    StoredMessage,
    Transfer,
)
from bmgate.domain.ports.account_store import AccountMailboxes, AccountStore
from bmgate.domain.ports.database import Database, Failpoints, Store
from bmgate.domain.ports.world import Clock
from bmgate.errors import LimitReached, MailboxExists, MailboxMissing, NotAllowed
from bmgate.mail.headers import message_ids_in
from bmgate.mail.structure import MessageIndex, encode_index, index_message
from bmgate.services.events import MailboxEvents

MAX_MAILBOXES = 1_000
MAX_NAME_LEVELS, MAX_NAME_CHARACTERS = 20, 200


@dataclass(frozen=True, slots=True)
class Indexed:
    """Mail with its index, ready to be stored."""

    raw: bytes
    index: MessageIndex

    @property
    def message_id(self) -> str:
        """With its angle brackets; empty when the mail has none."""
        value = self.index.value(self.raw, "message-id")
        return next(iter(message_ids_in(value)), "") if value else ""

    def content(self, message_id_tag: bytes = b"", vector_tag: bytes = b"") -> NewContent:
        """As the two blobs of storage."""
        split = self.index.header_size
        return NewContent(self.raw[:split], encode_index(self.index), self.raw[split:], message_id_tag, vector_tag)


def to_minute(now: int) -> int:
    """When mail of our own making is said to have come: the exact second is nobody's business."""
    return now // 60 * 60


def indexed(raw: bytes) -> Indexed:
    """Index `raw` (RFC 5322, any line ends); about a millisecond for 4 kB, so large mail goes through a thread."""
    return Indexed(raw, index_message(raw))


class Mailboxes:
    """The mailboxes of all accounts, one account at a time."""

    def __init__(
        self,
        database: Database,
        events: MailboxEvents,
        clock: Clock,
        failpoints: Failpoints,
        limit: int = MAX_MAILBOXES,
    ) -> None:
        self._database, self._events, self._clock, self._failpoints = database, events, clock, failpoints
        self._limit = limit

    # -- looking ---------------------------------------------------------------------------------------------------

    async def all(self, account: AccountId) -> list[Mailbox]:
        """Special mailboxes first, then by name."""
        return await self._database.read(lambda store: store.account(account).mailboxes.all())

    async def status(self, account: AccountId, name: str) -> MailboxStatus:
        """Raises MailboxMissing."""

        def count(store: Store) -> MailboxStatus:
            mailboxes = store.account(account).mailboxes
            return mailboxes.status(resolve(mailboxes, name).id)

        return await self._database.read(count)

    async def open(self, account: AccountId, name: str) -> MailboxSnapshot:
        """A mailbox with all its rows, at one instant; raises MailboxMissing."""

        def snapshot(store: Store) -> MailboxSnapshot:
            mine = store.account(account)
            mailbox = resolve(mine.mailboxes, name)
            return MailboxSnapshot(mailbox, mine.messages.rows(mailbox.id))

        return await self._database.read(snapshot)

    async def changes(self, account: AccountId, mailbox: MailboxId, since_modseq: int) -> Changes:
        """Raises MailboxMissing when it was deleted meanwhile."""

        def since(store: Store) -> Changes:
            mine = store.account(account)
            return mine.messages.changes(mine.mailboxes.get(mailbox).id, since_modseq)

        return await self._database.read(since)

    async def heads(self, account: AccountId, mailbox: MailboxId, uids: Collection[int]) -> list[MessageHead]:
        """Headers and indexes."""
        return await self._database.read(lambda store: store.account(account).messages.heads(mailbox, uids))

    async def messages(
        self, account: AccountId, mailbox: MailboxId, uids: Collection[int], budget_octets: int | None = None
    ) -> list[StoredMessage]:
        """Whole messages by ascending UID; with a budget the first of them that fit, but at least one (I7)."""
        return await self._database.read(
            lambda store: store.account(account).messages.messages(mailbox, uids, budget_octets)
        )

    def watch(self, mailbox: MailboxId, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` after each change of an opened mailbox, until the returned function is called."""
        return self._events.watch(mailbox, callback)

    # -- mailboxes -------------------------------------------------------------------------------------------------

    async def create(self, account: AccountId, name: str) -> None:
        """Make a mailbox, and those above it; a synonym of a special mailbox is there already (M3).

        Raises MailboxExists, NotAllowed for an impossible name, LimitReached at 1,000 mailboxes.
        """
        wanted = name.rstrip(DELIMITER)
        if wanted.lower() in SYNONYMS:
            return
        check_name(wanted)
        now = self._clock.now()

        def make(store: Store) -> None:
            mailboxes = store.account(account).mailboxes
            if mailboxes.find(wanted) is not None:
                raise MailboxExists(f"mailbox {wanted!r} exists already")
            if len(mailboxes.all()) >= self._limit:
                raise LimitReached(f"an account has at most {self._limit} mailboxes")
            _make_with_parents(mailboxes, wanted, now)

        await self._database.transact(make)

    async def delete(self, account: AccountId, name: str) -> None:
        """Delete a mailbox of the user's own with its messages; mailboxes below it stay."""

        def remove(store: Store) -> MailboxId:
            mailboxes = store.account(account).mailboxes
            mailbox = resolve(mailboxes, name)
            _refuse_special(mailbox, "deleted")
            mailboxes.delete(mailbox.id)
            return mailbox.id

        self._events.changed([await self._database.transact(remove)])

    async def rename(self, account: AccountId, name: str, new_name: str) -> None:
        """Rename a mailbox and those below it; INBOX keeps its place and its mail moves (RFC 9051 6.3.6)."""
        wanted = new_name.rstrip(DELIMITER)
        check_name(wanted)
        now = self._clock.now()

        def move(store: Store) -> list[MailboxId]:
            mine = store.account(account)
            mailbox = resolve(mine.mailboxes, name)
            if wanted.lower() in SYNONYMS or mine.mailboxes.find(wanted) is not None:
                raise MailboxExists(f"mailbox {wanted!r} exists already")
            if mailbox.kind is MailboxKind.INBOX:
                return _move_inbox(mine, mailbox, _make_with_parents(mine.mailboxes, wanted, now))
            _refuse_special(mailbox, "renamed")
            if wanted.startswith(mailbox.name + DELIMITER):
                raise NotAllowed("a mailbox cannot be moved below itself")
            _rename_tree(mine.mailboxes, mailbox, wanted, now)
            return []

        self._events.changed(await self._database.transact(move))

    async def set_subscribed(self, account: AccountId, name: str, subscribed: bool) -> None:
        """SUBSCRIBE and UNSUBSCRIBE; raises MailboxMissing."""

        def change(store: Store) -> None:
            mailboxes = store.account(account).mailboxes
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
        mail = await asyncio.to_thread(indexed, raw)
        date = self._clock.now() if internaldate is None else internaldate
        message_id = mail.message_id

        def store_mail(store: Store) -> tuple[MailboxId, Transfer]:
            self._failpoints.pass_("append.begin")
            mine = store.account(account)
            mailbox = resolve(mine.mailboxes, name)
            kept: tuple[str, ...] = tuple(keywords)
            if mailbox.kind is MailboxKind.SENT and message_id:
                former = mine.messages.find_by_message_id(mailbox.id, message_id)
                for same in mine.messages.messages(mailbox.id, [row.uid for row in former]):
                    if same.header + same.body == raw:
                        return mailbox.id, Transfer(mailbox.uidvalidity, [], [same.uid])
                kept += tuple(word for row in former for word in row.keywords if word not in kept)
            tag = mine.messages.message_id_tag(message_id) if message_id else b""
            content = mine.messages.add_content(mail.content(tag))
            if mailbox.kind is MailboxKind.SENT and message_id:
                mine.outbox.replace_sent_content(message_id, content)
                mine.messages.expunge(mailbox.id, [row.uid for row in former])
            row = mine.messages.append(mailbox.id, content, flags, kept, date)
            self._failpoints.pass_("append.stored")
            return mailbox.id, Transfer(mailbox.uidvalidity, [], [row.uid])

        mailbox, transfer = await self._database.transact(store_mail)
        self._failpoints.pass_("append.committed")
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
    ) -> list[MessageRow]:
        """STORE: the rows as they are now."""
        rows = await self._database.transact(
            lambda store: store.account(account).messages.set_flags(mailbox, uids, change, flags, keywords)
        )
        self._events.changed([mailbox])
        return rows

    async def expunge(self, account: AccountId, mailbox: MailboxId, uids: Collection[int] | None) -> list[int]:
        """Remove the messages marked \\Deleted, of `uids` only if given; returns the UIDs removed."""

        def remove(store: Store) -> list[int]:
            messages = store.account(account).messages
            doomed = [row.uid for row in messages.rows(mailbox) if row.flags & Flags.DELETED]
            if uids is not None:
                doomed = sorted(set(doomed) & set(uids))
            self._failpoints.pass_("expunge.begin")
            return messages.expunge(mailbox, doomed)

        expunged = await self._database.transact(remove)
        self._failpoints.pass_("expunge.committed")
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
        def carry(store: Store) -> tuple[MailboxId, Transfer]:
            mine = store.account(account)
            there = resolve(mine.mailboxes, target)
            pairs = mine.messages.copy(mailbox, uids, there.id)
            if move:
                mine.messages.expunge(mailbox, [source for source, _ in pairs])
                self._failpoints.pass_("move.stored")
            return there.id, Transfer(there.uidvalidity, [a for a, _ in pairs], [b for _, b in pairs])

        there, transfer = await self._database.transact(carry)
        self._events.changed([mailbox, there] if move else [there])
        return transfer


def resolve(mailboxes: AccountMailboxes, name: str) -> Mailbox:
    """The mailbox a client means: exact name, INBOX in any case, or a synonym of a special one; raises
    MailboxMissing.
    """
    found = mailboxes.find(name)
    if found is not None:
        return found
    kind = SYNONYMS.get(name.lower())
    if kind is None:
        raise MailboxMissing(f"no mailbox {name!r}")
    return mailboxes.by_kind(kind)


def check_name(name: str) -> None:
    """Raises NotAllowed for a name no mailbox may have (I14)."""
    levels = name.split(DELIMITER)
    if not name or any(not level.strip() for level in levels):
        raise NotAllowed("a mailbox name has no empty part")
    if len(levels) > MAX_NAME_LEVELS or len(name) > MAX_NAME_CHARACTERS:
        raise NotAllowed(f"a mailbox name has at most {MAX_NAME_LEVELS} levels and {MAX_NAME_CHARACTERS} characters")
    if any(ord(character) < 32 or ord(character) == 127 or character in "*%" for character in name):
        raise NotAllowed("a mailbox name has no control characters, '*' or '%'")
    if levels[0].upper() == "INBOX" and len(levels) > 1:
        raise NotAllowed("INBOX has no mailboxes below it; make them at top level")


def _make_with_parents(mailboxes: AccountMailboxes, name: str, now: int) -> Mailbox:
    levels = name.split(DELIMITER)
    for depth in range(1, len(levels)):
        parent = DELIMITER.join(levels[:depth])
        if mailboxes.find(parent) is None:
            mailboxes.create(parent, MailboxKind.USER, now)
    return mailboxes.create(name, MailboxKind.USER, now)


def _refuse_special(mailbox: Mailbox, verb: str) -> None:
    if mailbox.kind in SPECIAL_MAILBOXES:
        raise NotAllowed(f"{mailbox.name} is always there and cannot be {verb}")


def _rename_tree(mailboxes: AccountMailboxes, mailbox: Mailbox, wanted: str, now: int) -> None:
    below = [other for other in mailboxes.all() if other.name.startswith(mailbox.name + DELIMITER)]
    parent = wanted.rpartition(DELIMITER)[0]
    if parent and mailboxes.find(parent) is None:
        _make_with_parents(mailboxes, parent, now)
    mailboxes.rename(mailbox.id, wanted)
    for other in below:
        mailboxes.rename(other.id, wanted + other.name[len(mailbox.name) :])


def _move_inbox(mine: AccountStore, inbox: Mailbox, target: Mailbox) -> list[MailboxId]:
    uids = [row.uid for row in mine.messages.rows(inbox.id)]
    mine.messages.copy(inbox.id, uids, target.id)
    mine.messages.expunge(inbox.id, uids)
    return [inbox.id]
