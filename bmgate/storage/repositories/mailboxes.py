"""One account's mailboxes. Their names are sealed; a tag finds one by its name."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, case, delete, func, insert, select, update

from bmgate.domain.mailbox import SPECIAL_MAILBOXES, Flags, Mailbox, MailboxId, MailboxKind, MailboxStatus
from bmgate.errors import MailboxExists, MailboxMissing
from bmgate.storage.repositories.contents import delete_unshown
from bmgate.storage.repositories.scope import AccountScope, AnyRow
from bmgate.storage.schema import account as accounts
from bmgate.storage.schema import content as contents
from bmgate.storage.schema import expunged, former_mailbox
from bmgate.storage.schema import mailbox as mailboxes
from bmgate.storage.schema import message as messages
from bmgate.storage.statements import Prepared

_MINE = select(mailboxes).where(mailboxes.c.account == bindparam("account"))
_ALL = Prepared(_MINE)
_BY_ID = Prepared(_MINE.where(mailboxes.c.id == bindparam("id")))
_NEW = Prepared(insert(mailboxes))
_NEW_ONE = Prepared(insert(mailboxes).returning(mailboxes.c.id))
_BY_TAG = Prepared(_MINE.where(mailboxes.c.name_tag == bindparam("tag")))
_BY_KIND = Prepared(_MINE.where(mailboxes.c.kind == bindparam("kind")).order_by(mailboxes.c.id))
_LAST = accounts.c.last_uidvalidity
_NEXT_UIDVALIDITY = Prepared(
    update(accounts)
    .where(accounts.c.id == bindparam("of"))
    .values(last_uidvalidity=case((bindparam("now") < _LAST + 1, _LAST + 1), else_=bindparam("now")))
    .returning(_LAST)
)

_COUNT = Prepared(select(func.count().label("number")).where(mailboxes.c.account == bindparam("account")))

_FORMER = select(former_mailbox).where(former_mailbox.c.account == bindparam("account"))
_FORMER_ONE = Prepared(_FORMER.where(former_mailbox.c.name_tag == bindparam("tag")))
_FORMER_COUNT = Prepared(select(func.count().label("number")).where(former_mailbox.c.account == bindparam("account")))
_FORGET = Prepared(
    delete(former_mailbox).where(
        former_mailbox.c.account == bindparam("account"), former_mailbox.c.name_tag == bindparam("tag")
    )
)
FORMER_KEPT = 1_000  # per account
_ORDER = {kind: place for place, kind in enumerate(SPECIAL_MAILBOXES)}


@dataclass(frozen=True, slots=True)
class AccountMailboxRepository:
    """One account's mailboxes; UIDs, UIDVALIDITY and MODSEQ come from stored counters, moved in the transaction."""

    scope: AccountScope

    def all(self) -> list[Mailbox]:
        """Special ones first, then by name."""
        rows = _ALL.all(self.scope.connection, {"account": self.scope.account.id})
        return sorted(map(self._read, rows), key=lambda mailbox: (_ORDER.get(mailbox.kind, len(_ORDER)), mailbox.name))

    def count(self) -> int:
        """How many there are."""
        return int(_COUNT.scalar(self.scope.connection, {"account": self.scope.account.id}) or 0)

    def find(self, name: str) -> Mailbox | None:
        """Exact name; INBOX in any case."""
        row = _BY_TAG.first(self.scope.connection, {"account": self.scope.account.id, "tag": self._tag(name)})
        return None if row is None else self._read(row)

    def get(self, mailbox: MailboxId) -> Mailbox:
        """Raises MailboxMissing."""
        row = _BY_ID.first(self.scope.connection, {"account": self.scope.account.id, "id": mailbox})
        if row is None:
            raise MailboxMissing("this mailbox is not there any more")
        return self._read(row)

    def by_kind(self, kind: MailboxKind) -> Mailbox:
        """A special mailbox, also of a locked account; raises MailboxMissing."""
        row = _BY_KIND.first(self.scope.connection, {"account": self.scope.account.id, "kind": kind.value})
        if row is None:
            raise MailboxMissing(f"no mailbox of kind {kind}")
        return self._read(row)

    def create(self, name: str, kind: MailboxKind, now: int, subscribed: bool = True) -> Mailbox:
        """Raises MailboxExists; UIDVALIDITY is max(last + 1, now) of the account (U3).

        It is subscribed too where a former one of that name was.
        """
        self._require_free(name)
        subscribed = self.forget_subscription(name) or subscribed
        tag, uidvalidity = self._tag(name), self._next_uidvalidity(now)
        values = {
            "account": self.scope.account.id,
            "kind": kind.value,
            "name_tag": tag,
            "sealed_name": self.scope.keys.seal(name.encode(), b"mailbox", tag),
            "subscribed": subscribed,
            "uidvalidity": uidvalidity,
            "uidnext": 1,
            "modseq": 1,
        }
        new = _NEW_ONE.new_id(self.scope.connection, values)
        return Mailbox(MailboxId(new), name, kind, subscribed, uidvalidity, uidnext=1, modseq=1)

    def create_special(self, now: int) -> None:
        """Those of a new account, whose `last_uidvalidity` is that of the last of them."""
        rows = []
        for uidvalidity, (kind, name) in enumerate(SPECIAL_MAILBOXES.items(), now):
            tag = self._tag(name)
            values = {"account": self.scope.account.id, "kind": kind.value, "name_tag": tag, "subscribed": True}
            values |= {"sealed_name": self.scope.keys.seal(name.encode(), b"mailbox", tag)}
            rows.append(values | {"uidvalidity": uidvalidity, "uidnext": 1, "modseq": 1})
        _NEW.run_all(self.scope.connection, rows)

    def delete(self, mailbox: MailboxId) -> None:
        """With its messages; who is subscribed to it stays so (RFC 3501 6.3.6)."""
        connection, gone = self.scope.connection, self.get(mailbox)
        doomed = gone.id
        shown = connection.execute(select(messages.c.content).where(messages.c.mailbox == doomed)).scalars().all()
        for table in (messages, expunged):
            connection.execute(delete(table).where(table.c.mailbox == doomed))
        connection.execute(delete(mailboxes).where(mailboxes.c.id == doomed))
        if gone.subscribed:
            self.keep_subscription(gone.name)
        delete_unshown(self.scope, shown)

    def rename(self, mailbox: MailboxId, name: str) -> None:
        """Raises MailboxExists."""
        self._require_free(name)
        tag = self._tag(name)
        sealed = self.scope.keys.seal(name.encode(), b"mailbox", tag)
        self._change(mailbox, name_tag=tag, sealed_name=sealed)
        if self.forget_subscription(name):
            self.set_subscribed(mailbox, True)

    def set_subscribed(self, mailbox: MailboxId, subscribed: bool) -> None:
        """Raises MailboxMissing."""
        self._change(mailbox, subscribed=subscribed)

    def former_subscriptions(self) -> list[str]:
        """Names of mailboxes that are gone, and still subscribed to."""
        rows = self.scope.connection.execute(_FORMER, {"account": self.scope.account.id})
        return sorted(self.scope.keys.open(row.sealed_name, b"mailbox", row.name_tag).decode() for row in rows)

    def forget_subscription(self, name: str) -> bool:
        """Whether that was the name of a mailbox that is gone."""
        own = {"account": self.scope.account.id, "tag": self._tag(name)}
        return _FORGET.run(self.scope.connection, own) > 0

    def keep_subscription(self, name: str) -> None:
        """Somebody is subscribed to this name, of which there is no mailbox; beyond a number it is passed over."""
        tag = self._tag(name)
        own = {"account": self.scope.account.id}
        is_there = _FORMER_ONE.first(self.scope.connection, own | {"tag": tag}) is not None
        if is_there or int(_FORMER_COUNT.scalar(self.scope.connection, own) or 0) >= FORMER_KEPT:
            return
        sealed = self.scope.keys.seal(name.encode(), b"mailbox", tag)
        values = {"account": self.scope.account.id, "name_tag": tag, "sealed_name": sealed}
        self.scope.connection.execute(insert(former_mailbox).values(values))

    def status(self, mailbox: MailboxId, recent_uid: int = 1) -> MailboxStatus:
        """With the messages from `recent_uid` on counted as recent, if the mailbox does not say a later one.

        Raises MailboxMissing.
        """
        found = self.get(mailbox)
        where = {"mailbox": found.id, "recent": max(found.recent_uid, recent_uid)}
        total, unseen, deleted, *sums = self.scope.connection.execute(_COUNTS, where).one()
        return MailboxStatus(found, total, unseen, deleted, *map(int, sums))

    def claim_recent(self, mailbox: MailboxId, uid: int) -> None:
        """Messages below `uid` are recent for no further session. Raises MailboxMissing."""
        mine = (mailboxes.c.id == self.get(mailbox).id, func.coalesce(mailboxes.c.recent_uid, 0) < uid)
        self.scope.connection.execute(update(mailboxes).where(*mine).values(recent_uid=uid))

    def _change(self, mailbox: MailboxId, **values: object) -> None:
        self.scope.connection.execute(update(mailboxes).where(mailboxes.c.id == self.get(mailbox).id).values(values))

    def _require_free(self, name: str) -> None:
        if self.find(name) is not None:
            raise MailboxExists(f"mailbox {name!r} exists already")

    def _next_uidvalidity(self, now: int) -> int:
        return _NEXT_UIDVALIDITY.new_id(self.scope.connection, {"of": self.scope.account.id, "now": now})

    def _tag(self, name: str) -> bytes:
        spelled = "INBOX" if name.upper() == "INBOX" else name
        return self.scope.vault.tag(b"mailbox", self.scope.account.uuid, spelled.encode())

    def _read(self, row: AnyRow) -> Mailbox:
        kind = MailboxKind(row.kind)
        name = SPECIAL_MAILBOXES.get(kind)  # never renamed, so a locked account has them too
        if name is None:
            name = self.scope.keys.open(row.sealed_name, b"mailbox", row.name_tag).decode()
        recent = row.recent_uid or 1
        return Mailbox(MailboxId(row.id), name, kind, row.subscribed, row.uidvalidity, row.uidnext, row.modseq, recent)


def _count_flag(flag: Flags, present: int, each: Any = 1) -> Any:
    return func.coalesce(func.sum(case((messages.c.flags.op("&")(int(flag)) == present, each), else_=0)), 0)


_COUNTS = (
    select(
        func.count(),
        _count_flag(Flags.SEEN, 0),
        _count_flag(Flags.DELETED, int(Flags.DELETED)),
        func.coalesce(func.sum(contents.c.size_class), 0),
        _count_flag(Flags.DELETED, int(Flags.DELETED), contents.c.size_class),
        func.coalesce(func.sum(case((messages.c.uid >= bindparam("recent"), 1), else_=0)), 0),
    )
    .select_from(messages.join(contents, contents.c.id == messages.c.content))
    .where(messages.c.mailbox == bindparam("mailbox"))
)
