"""The services the IMAP door asks, in memory: stored counters, MODSEQ, and watchers told after the change."""

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import TypeVar

from door_accounts import ALICE, FakeAccounts
from stored_mail import PORTION, head_of, stored

from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import (
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
    NewMail,
    StoredMessage,
    Transfer,
)
from bmgate.domain.ports.spool import Spool, Spools
from bmgate.errors import MailboxExists, MailboxMissing, MessageMissing, NotAllowed, StorageFull
from bmgate.imap.ports import ImapServices
from bmgate.services.mailboxes.lazy_mail import LazyMail

T = TypeVar("T")

NOW = 1_795_000_000


@dataclass
class FakeMailbox:
    """One mailbox with its messages."""

    mailbox: Mailbox
    rows: dict[int, MessageRow] = field(default_factory=dict)
    raws: dict[int, bytes] = field(default_factory=dict)
    expunged: list[tuple[int, int]] = field(default_factory=list)  # uid, modseq

    def next_modseq(self) -> int:
        self.mailbox = replace(self.mailbox, modseq=self.mailbox.modseq + 1)
        return self.mailbox.modseq

    def add(self, raw: bytes, flags: Flags, keywords: Collection[str], internaldate: int) -> int:
        uid = self.mailbox.uidnext
        self.mailbox = replace(self.mailbox, uidnext=uid + 1)
        self.rows[uid] = MessageRow(uid, self.next_modseq(), flags, tuple(keywords), internaldate)
        self.raws[uid] = raw
        return uid

    def remove(self, uids: Iterable[int]) -> list[int]:
        gone = [uid for uid in uids if uid in self.rows]
        modseq = self.next_modseq()
        for uid in gone:
            del self.rows[uid], self.raws[uid]
            self.expunged.append((uid, modseq))
        return gone


class FakeMailboxes:
    """The mailboxes of all accounts."""

    def __init__(self) -> None:
        self._boxes: dict[AccountId, dict[str, FakeMailbox]] = {}
        self._former: dict[AccountId, set[str]] = {}
        self._watchers: dict[MailboxId, set[Callable[[], None]]] = {}
        self._last_id = self._last_uidvalidity = 0
        self.reads = 0
        self.octets_read: list[int] = []  # by each call of `messages`
        self.head_octets_read: list[int] = []  # headers and indexes
        self.recent_from = 1_000_000  # the first UID that can be recent
        self.body_octets = PORTION
        self.claimed: dict[MailboxId, int] = {}
        self.limit: int | None = None  # octets
        self.turns = 1  # of the loop that every call takes

    def of(self, account: AccountId) -> dict[str, FakeMailbox]:
        """The account's mailboxes by name."""
        if account not in self._boxes:
            self._boxes[account] = {}
            for kind, name in SPECIAL_MAILBOXES.items():
                self._make(account, name, kind)
        return self._boxes[account]

    def fill(self, name: str, *raws: bytes, flags: Flags = Flags.NONE, account: AccountId = ALICE) -> list[int]:
        """Deliver mail, and tell the watchers."""
        box = self.of(account)[name]
        uids = [box.add(raw, flags, (), NOW) for raw in raws]
        self._tell(box)
        return uids

    def drop(self, name: str, *uids: int, account: AccountId = ALICE) -> None:
        """Expunge, as another session would."""
        box = self.of(account)[name]
        box.remove(uids)
        self._tell(box)

    def mark(self, name: str, uid: int, flags: Flags, *keywords: str, account: AccountId = ALICE) -> None:
        """Set flags, as another session would."""
        box = self.of(account)[name]
        box.rows[uid] = box.rows[uid]._replace(flags=flags, keywords=keywords, modseq=box.next_modseq())
        self._tell(box)

    def _make(self, account: AccountId, name: str, kind: MailboxKind) -> Mailbox:
        self._last_id += 1
        self._last_uidvalidity = max(self._last_uidvalidity + 1, NOW)
        mailbox = Mailbox(
            MailboxId(self._last_id),
            name,
            kind,
            subscribed=True,
            uidvalidity=self._last_uidvalidity,
            uidnext=1,
            modseq=1,
        )
        self._boxes[account][name] = FakeMailbox(mailbox)
        return mailbox

    def _named(self, account: AccountId, name: str) -> FakeMailbox:
        boxes = self.of(account)
        if name not in boxes and name.lower() in SYNONYMS:
            name = SPECIAL_MAILBOXES[SYNONYMS[name.lower()]]
        if name not in boxes:
            raise MailboxMissing(f"no mailbox {name!r}")
        return boxes[name]

    def _by_id(self, account: AccountId, mailbox: MailboxId) -> FakeMailbox:
        for box in self.of(account).values():
            if box.mailbox.id == mailbox:
                return box
        raise MailboxMissing("no such mailbox")

    def _tell(self, box: FakeMailbox) -> None:
        for callback in tuple(self._watchers.get(box.mailbox.id, ())):
            callback()

    async def _pause(self) -> None:
        for _ in range(self.turns):
            await asyncio.sleep(0)

    async def status(self, account: AccountId, name: str) -> MailboxStatus:
        await self._pause()
        box = self._named(account, name)
        rows = box.rows.values()
        unseen = sum(not row.flags & Flags.SEEN for row in rows)
        deleted = sum(bool(row.flags & Flags.DELETED) for row in rows)
        size = sum(map(len, box.raws.values()))
        gone = sum(len(box.raws[row.uid]) for row in rows if row.flags & Flags.DELETED)
        return MailboxStatus(box.mailbox, len(rows), unseen, deleted, size, gone)

    async def quota(self, account: AccountId) -> tuple[int, int | None]:
        await self._pause()
        return sum(len(raw) for box in self.of(account).values() for raw in box.raws.values()), self.limit

    def claim_recent(self, mailbox: MailboxId, uidnext: int) -> int:
        first = max(self.claimed.get(mailbox, 1), self.recent_from)
        self.claimed[mailbox] = uidnext
        return first

    def now(self) -> int:
        return NOW + 1000

    async def open(self, account: AccountId, name: str, read_only: bool = True) -> MailboxSnapshot:
        await self._pause()
        box = self._named(account, name)
        mailbox = replace(box.mailbox, recent_uid=self.claimed.get(box.mailbox.id, self.recent_from))
        if not read_only:
            self.claim_recent(mailbox.id, mailbox.uidnext)
        return MailboxSnapshot(mailbox, [box.rows[uid] for uid in sorted(box.rows)])

    async def changes(self, account: AccountId, mailbox: MailboxId, since_modseq: int) -> Changes:
        await self._pause()
        box = self._by_id(account, mailbox)
        updated = [box.rows[uid] for uid in sorted(box.rows) if box.rows[uid].modseq > since_modseq]
        expunged = [uid for uid, modseq in box.expunged if modseq > since_modseq]
        return Changes(box.mailbox.modseq, box.mailbox.uidnext, updated, expunged)

    async def heads(
        self, account: AccountId, mailbox: MailboxId, uids: Collection[int], budget_octets: int | None = None
    ) -> list[MessageHead]:
        await self._pause()
        self.reads += 1
        found = [head_of(one) for one in self._stored(account, mailbox, uids)]
        sums = list(accumulate(len(one.header) + len(one.encoded_index) for one in found))
        count = len(found) if budget_octets is None else max(bisect_right(sums, budget_octets), 1)
        self.head_octets_read += sums[:count][-1:]
        return found[:count]

    async def messages(
        self, account: AccountId, mailbox: MailboxId, uids: Collection[int], budget_octets: int | None = None
    ) -> list[StoredMessage]:
        await self._pause()
        self.reads += 1
        found = self._stored(account, mailbox, uids)
        sums = list(accumulate(len(one.header) + len(one.body) for one in found))
        fitting = [one for one, octets in zip(found, sums, strict=True) if octets <= (budget_octets or octets)]
        self.octets_read.append(sums[max(len(fitting), 1) - 1] if found else 0)
        return fitting or found[:1]

    async def portion(
        self, account: AccountId, mailbox: MailboxId, uids: Collection[int], budget_octets: int
    ) -> list[StoredMessage] | list[MessageHead]:
        found = await self.messages(account, mailbox, uids, budget_octets)
        is_large = len(found) == 1 and len(found[0].header) + len(found[0].body) > budget_octets
        if is_large:
            self.octets_read[-1] = 0
        return [head_of(one) for one in found] if is_large else found

    async def body(self, account: AccountId, uuid: bytes, start: int, end: int) -> bytes:
        await self._pause()
        return self._body(account, uuid, start, end)

    def _body(self, account: AccountId, uuid: bytes, start: int, end: int) -> bytes:
        for box in self.of(account).values():
            for raw in box.raws.values():
                if stored(raw).uuid == uuid:
                    portion = stored(raw).body[start : min(end, start + self.body_octets)]
                    self.octets_read.append(len(portion))
                    return portion
        raise MessageMissing("this message is not there any more")

    async def look_into(self, account: AccountId, head: MessageHead, look: Callable[[LazyMail], T]) -> T:
        await self._pause()
        return look(LazyMail(head, lambda start, end: self._body(account, head.uuid, start, end)))

    def _stored(self, account: AccountId, mailbox: MailboxId, uids: Collection[int]) -> list[StoredMessage]:
        box = self._by_id(account, mailbox)
        return [
            stored(box.raws[uid])._replace(uid=uid, internaldate=box.rows[uid].internaldate)
            for uid in sorted(set(uids) & box.rows.keys())
        ]

    def watch(self, mailbox: MailboxId, callback: Callable[[], None]) -> Callable[[], None]:
        watchers = self._watchers.setdefault(mailbox, set())
        watchers.add(callback)
        return lambda: watchers.discard(callback)

    async def create(self, account: AccountId, name: str) -> Mailbox:
        await self._pause()
        if name.lower() in SYNONYMS:
            return self._named(account, name).mailbox
        if name in self.of(account):
            raise MailboxExists(f"mailbox {name!r} exists already")
        if not name or "//" in name or name.startswith("/"):
            raise NotAllowed("no such name")
        return self._make(account, name, MailboxKind.USER)

    async def delete(self, account: AccountId, name: str) -> MailboxId:
        await self._pause()
        box = self._named(account, name)
        if box.mailbox.kind is not MailboxKind.USER:
            raise NotAllowed(f"{name} is always there and cannot be deleted")
        del self._boxes[account][name]
        if box.mailbox.subscribed:
            self._former.setdefault(account, set()).add(name)
        self._tell(box)
        return box.mailbox.id

    async def rename(self, account: AccountId, name: str, new_name: str) -> None:
        await self._pause()
        box = self._named(account, name)
        if new_name in self.of(account):
            raise MailboxExists(f"mailbox {new_name!r} exists already")
        if new_name.startswith(name + "/"):
            raise NotAllowed("a mailbox cannot be moved below itself")
        boxes = self._boxes[account]
        del boxes[name]
        box.mailbox = replace(box.mailbox, name=new_name)
        boxes[new_name] = box

    async def set_subscribed(self, account: AccountId, name: str, subscribed: bool) -> None:
        await self._pause()
        if not subscribed and name in self._former.get(account, ()):
            self._former[account].remove(name)
            return
        box = self._named(account, name)
        box.mailbox = replace(box.mailbox, subscribed=subscribed)

    async def former_subscriptions(self, account: AccountId) -> list[str]:
        await self._pause()
        return sorted(self._former.get(account, ()))

    async def append_all(self, account: AccountId, name: str, mails: Sequence[NewMail]) -> Transfer:
        await self._pause()
        box = self._named(account, name)
        dates = [NOW if mail.internaldate is None else mail.internaldate for mail in mails]
        uids = [box.add(mail.raw[:], mail.flags, mail.keywords, date) for mail, date in zip(mails, dates, strict=True)]
        self._tell(box)
        return Transfer(box.mailbox.uidvalidity, [], uids)

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
        await self._pause()
        box = self._by_id(account, mailbox)
        modseq = box.next_modseq()
        out = []
        for uid in sorted(set(uids) & box.rows.keys()):
            row = box.rows[uid]
            if unchanged_since is not None and row.modseq > unchanged_since:
                continue
            after = row._replace(
                flags=_changed(row.flags, change, flags), keywords=_words(row.keywords, change, keywords)
            )
            box.rows[uid] = after if after == row else after._replace(modseq=modseq)
            out.append(box.rows[uid])
        self._tell(box)
        return out

    async def expunge(self, account: AccountId, mailbox: MailboxId, uids: Collection[int] | None) -> list[int]:
        await self._pause()
        box = self._by_id(account, mailbox)
        doomed = [uid for uid, row in box.rows.items() if row.flags & Flags.DELETED and (uids is None or uid in uids)]
        gone = box.remove(sorted(doomed))
        self._tell(box)
        return gone

    async def copy(self, account: AccountId, mailbox: MailboxId, uids: Collection[int], target: str) -> Transfer:
        await self._pause()
        box, there = self._by_id(account, mailbox), self._named(account, target)
        sources = sorted(set(uids) & box.rows.keys())
        targets = []
        for uid in sources:
            row = box.rows[uid]
            targets.append(there.add(box.raws[uid], row.flags, row.keywords, row.internaldate))
        self._tell(there)
        return Transfer(there.mailbox.uidvalidity, sources, targets)

    async def move(self, account: AccountId, mailbox: MailboxId, uids: Collection[int], target: str) -> Transfer:
        transfer = await self.copy(account, mailbox, uids, target)
        box = self._by_id(account, mailbox)
        box.remove(transfer.source_uids)
        self._tell(box)
        return transfer

    async def all(self, account: AccountId) -> list[Mailbox]:
        await self._pause()
        return [box.mailbox for box in self.of(account).values()]


def _changed(before: Flags, change: FlagChange, flags: Flags) -> Flags:
    if change is FlagChange.ADD:
        return before | flags
    return before & ~flags if change is FlagChange.REMOVE else flags


def _words(before: tuple[str, ...], change: FlagChange, words: Collection[str]) -> tuple[str, ...]:
    folded = {word.lower() for word in words}
    if change is FlagChange.REPLACE:
        return tuple(words)
    kept = tuple(word for word in before if word.lower() not in folded)
    return kept if change is FlagChange.REMOVE else (*kept, *words)


class NoSpools:
    """No room for large mail."""

    def open(self, account: AccountId, on_room: Callable[[], None]) -> Spool:
        raise StorageFull("the disk is full")


@dataclass
class FakeServices:
    """Both, with their own types."""

    accounts: FakeAccounts = field(default_factory=FakeAccounts)
    mailboxes: FakeMailboxes = field(default_factory=FakeMailboxes)
    spools: Spools = field(default_factory=NoSpools)

    @property
    def ports(self) -> ImapServices:
        """As the door takes them."""
        return ImapServices(self.accounts, self.mailboxes, self.spools)
