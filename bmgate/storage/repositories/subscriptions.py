"""Subscriptions: whose broadcasts an account reads.

The addresses are sealed under the master key, because broadcasts are opened while nobody is logged in, and found by a
tag of what a broadcast tells of its sender: the address tag (v5), nothing at all (v4).
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, delete, func, insert, select, update

from bmgate.bm.addresses import Address, parse_address
from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import MailboxId
from bmgate.domain.subscription import Subscription, SubscriptionId
from bmgate.errors import Conflict, Missing
from bmgate.storage.repositories.scope import AccountScope, AnyRow, GatewayScope
from bmgate.storage.schema import subscription as subscriptions
from bmgate.storage.statements import Prepared
from bmgate.storage.vault import Purpose, Vault

_ALL = select(subscriptions).order_by(subscriptions.c.id)
_MINE = _ALL.where(subscriptions.c.account == bindparam("account"))
_EVERY = Prepared(_MINE)
_BY_TAG = Prepared(_MINE.where(subscriptions.c.address_tag == bindparam("tag")))
_BY_MAILBOX = Prepared(_MINE.where(subscriptions.c.mailbox == bindparam("mailbox")))
_COUNT = Prepared(select(func.count().label("number")).where(subscriptions.c.account == bindparam("account")))
_NEW = Prepared(insert(subscriptions).returning(subscriptions.c.id))


@dataclass(frozen=True, slots=True)
class SubscriptionRepository:
    """The enabled subscriptions of all accounts, for receiving."""

    scope: GatewayScope

    def by_tag(self, tag: bytes) -> list[Subscription]:
        """Those to the address of a v5 broadcast's 32-byte tag."""
        found = subscriptions.c.lookup_tag == _lookup_tag(self.scope.vault, tag)
        return self._read_all(_ALL.where(found, subscriptions.c.is_tagged.is_(True)))

    def untagged(self) -> list[Subscription]:
        """Those to v2 and v3 addresses: whose v4 broadcast one is, only trying tells."""
        return self._read_all(_ALL.where(subscriptions.c.is_tagged.is_(False)))

    def to(self, address: Address) -> list[Subscription]:
        """Those to one address."""
        found = self._read_all(_ALL.where(subscriptions.c.lookup_tag == _lookup_tag(self.scope.vault, address.lookup)))
        return [each for each in found if each.address == address]

    def unscanned(self) -> list[Subscription]:
        """Those whose broadcasts are still looked for among the stored objects, oldest first."""
        return self._read_all(_ALL.where(subscriptions.c.scan_from.is_not(None)))

    def note_scanned(self, subscription: SubscriptionId, scan_from: int | None) -> None:
        """Where to go on, None for nowhere."""
        change = update(subscriptions).where(subscriptions.c.id == subscription)
        self.scope.connection.execute(change.values(scan_from=scan_from))

    def _read_all(self, query: Select[Any]) -> list[Subscription]:
        rows = self.scope.connection.execute(query.where(subscriptions.c.enabled.is_(True)))
        return [_read(self.scope.vault, row) for row in rows]


@dataclass(frozen=True, slots=True)
class AccountSubscriptionRepository:
    """One account's subscriptions."""

    scope: AccountScope

    def all(self) -> list[Subscription]:
        """Oldest first."""
        rows = _EVERY.all(self.scope.connection, {"account": self.scope.account.id})
        return [_read(self.scope.vault, row) for row in rows]

    def count(self) -> int:
        """How many there are."""
        return int(_COUNT.scalar(self.scope.connection, {"account": self.scope.account.id}) or 0)

    def find(self, address: Address) -> Subscription | None:
        return self._first(_BY_TAG, tag=self._tag(address))

    def by_mailbox(self, mailbox: MailboxId) -> Subscription | None:
        """The one whose broadcasts that mailbox takes."""
        return self._first(_BY_MAILBOX, mailbox=mailbox)

    def add(self, address: Address, mailbox: MailboxId, now: int) -> Subscription:
        """Raises Conflict when it is there already."""
        if self.find(address) is not None:
            raise Conflict(f"you are subscribed to {address} already")
        tag = self._tag(address)
        values = {
            "account": self.scope.account.id,
            "address_tag": tag,
            "lookup_tag": _lookup_tag(self.scope.vault, address.lookup),
            "is_tagged": address.version >= 4,
            "sealed_address": self.scope.vault.seal(Purpose.SUBSCRIPTIONS, str(address).encode(), tag),
            "mailbox": mailbox,
            "enabled": True,
            "created_at": now,
            "scan_from": 0,
        }
        new = SubscriptionId(_NEW.new_id(self.scope.connection, values))
        return Subscription(new, self.scope.account.id, address, mailbox, True, now, scan_from=0)

    def set_enabled(self, subscription: SubscriptionId, enabled: bool) -> None:
        """What came in between is looked for again; raises Missing."""
        change = update(subscriptions).where(self._is_mine(subscription)).values(enabled=enabled, scan_from=0)
        self._require(self.scope.connection.execute(change).rowcount)

    def remove(self, subscription: SubscriptionId) -> None:
        """Raises Missing."""
        self._require(self.scope.connection.execute(delete(subscriptions).where(self._is_mine(subscription))).rowcount)

    def _require(self, changed: int) -> None:
        if not changed:
            raise Missing("you are not subscribed to that")

    def _is_mine(self, subscription: SubscriptionId) -> ColumnElement[bool]:
        return (subscriptions.c.account == self.scope.account.id) & (subscriptions.c.id == subscription)

    def _first(self, statement: Prepared, **values: object) -> Subscription | None:
        row = statement.first(self.scope.connection, {"account": self.scope.account.id, **values})
        return None if row is None else _read(self.scope.vault, row)

    def _tag(self, address: Address) -> bytes:
        return self.scope.vault.tag(b"subscription", self.scope.account.uuid, str(address).encode())


def _lookup_tag(vault: Vault, lookup: bytes) -> bytes:
    return vault.tag(b"broadcasts of", lookup)


def _read(vault: Vault, row: AnyRow) -> Subscription:
    return Subscription(
        SubscriptionId(row.id),
        AccountId(row.account),
        parse_address(vault.open(Purpose.SUBSCRIPTIONS, row.sealed_address, row.address_tag).decode()),
        MailboxId(row.mailbox),
        row.enabled,
        row.created_at,
        row.scan_from,
    )
