"""Accounts, their slots, and the names they are found by."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, bindparam, delete, exists, insert, select, update

from bmgate.bm.addresses import Address
from bmgate.domain.account import Account, AccountId, AccountSecrets, AccountState, Level
from bmgate.domain.mailbox import SPECIAL_MAILBOXES, MailboxKind
from bmgate.domain.ports.accounts import PasswordSlot
from bmgate.domain.ports.world import NewAccountKeys, NewSlot
from bmgate.errors import AccountLocked, Missing
from bmgate.storage.passwords import MASTER_SLOT, PASSWORD_SLOT, slot_owner
from bmgate.storage.repositories.aliases import claim, release
from bmgate.storage.repositories.mailboxes import AccountMailboxRepository
from bmgate.storage.repositories.removal import purge_account
from bmgate.storage.repositories.scope import AccountScope, AnyRow, GatewayScope
from bmgate.storage.schema import account as accounts
from bmgate.storage.schema import alias as aliases
from bmgate.storage.schema import dedupe
from bmgate.storage.schema import identity as identities
from bmgate.storage.schema import mailbox as mailbox_table
from bmgate.storage.schema import slot as slots
from bmgate.storage.sealing import KEY_SIZE
from bmgate.storage.statements import Prepared
from bmgate.storage.vault import AccountKeys, Purpose

_BY_ID = Prepared(select(accounts).where(accounts.c.id == bindparam("id")))
_SLOTS = Prepared(
    select(slots).where(slots.c.account == bindparam("account"), slots.c.kind == bindparam("kind")).order_by(slots.c.id)
)


@dataclass(frozen=True, slots=True)
class AccountRepository:
    """All accounts."""

    scope: GatewayScope

    def add(self, name: str, keys: NewAccountKeys, level: Level, quota_bytes: int | None, now: int) -> Account:
        """A new account with its special mailboxes; raises Conflict when the name is taken."""
        folded, connection = name.lower(), self.scope.connection
        claim(self.scope, folded, keys.uuid, now)
        values = {
            "uuid": keys.uuid,
            "name": folded,
            "state": AccountState.ACTIVE.value,
            "level": level.value,
            "quota_bytes": quota_bytes,
            "public_key": keys.public_key,
            "wrapped_data_key": keys.wrapped_data_key,
            "sealed_secrets": keys.sealed_secrets,
            "created_at": now,
            "last_uidvalidity": now + len(SPECIAL_MAILBOXES) - 1,
        }
        account = AccountId(connection.execute(insert(accounts).values(values).returning(accounts.c.id)).scalar_one())
        connection.execute(insert(aliases).values(name=folded, account=account, identity=None, created_at=now))
        for slot in keys.slots:
            self._add_slot(account, slot)
        AccountMailboxRepository(self.enter(account)).create_special(now)
        return self.get(account)

    def get(self, account: AccountId) -> Account:
        """Raises Missing."""
        return _read_account(self._row(account))

    def find(self, name: str) -> Account | None:
        """By account name or alias, both compared folded."""
        query = select(accounts).join(aliases, aliases.c.account == accounts.c.id)
        return self._only(query.where(aliases.c.name == name.lower()))

    def find_by_address(self, address: Address) -> Account | None:
        """The owner of an identity."""
        query = select(accounts).join(identities, identities.c.account == accounts.c.id)
        same = (identities.c.ripe == address.ripe, identities.c.version == address.version)
        return self._only(query.where(*same, identities.c.stream == address.stream, identities.c.deleted_at.is_(None)))

    def find_by_folded_address(self, folded: str) -> Account | None:
        """The only account with an address of this lower-case text, without `bm-`; None for none or several."""
        owners = select(identities.c.account).where(identities.c.folded == folded, identities.c.deleted_at.is_(None))
        return self._only(select(accounts).where(accounts.c.id.in_(owners)))

    def all(self) -> list[Account]:
        """By name; without those that were deleted."""
        query = select(accounts).where(accounts.c.deleted_at.is_(None)).order_by(accounts.c.name)
        return [_read_account(row) for row in self.scope.connection.execute(query)]

    def deleted(self) -> list[tuple[Account, int]]:
        """Those that can still be brought back and when they were deleted, longest ago first."""
        query = select(accounts).where(accounts.c.deleted_at.is_not(None)).order_by(accounts.c.deleted_at)
        return [(_read_account(row), row.deleted_at) for row in self.scope.connection.execute(query)]

    def without_mailbox(self, kind: MailboxKind) -> list[AccountId]:
        """Accounts older than that special mailbox."""
        there = exists().where(mailbox_table.c.account == accounts.c.id, mailbox_table.c.kind == kind.value)
        query = select(accounts.c.id).where(~there).order_by(accounts.c.id)
        return [AccountId(row) for row in self.scope.connection.execute(query).scalars()]

    def rename(self, account: AccountId, name: str, now: int) -> None:
        """Another name to log in with; the former is given up. Raises Conflict when it is taken."""
        row, folded = self._row(account), name.lower()
        claim(self.scope, folded, row.uuid, now)
        self.scope.connection.execute(update(aliases).where(aliases.c.name == row.name).values(name=folded))
        release(self.scope, row.name, row.uuid, None, now)
        self._write(account, name=folded)

    def set_state(self, account: AccountId, state: AccountState) -> None:
        self._write(account, state=state.value)

    def set_quota(self, account: AccountId, quota_bytes: int | None) -> None:
        """Room for its mail, None for no limit; what is there already stays."""
        self._write(account, quota_bytes=quota_bytes)

    def delete(self, account: AccountId, now: int) -> None:
        """Nobody logs in and its addresses receive no more; all it has stays until it is purged."""
        self._write(account, state=AccountState.DELETED.value, deleted_at=now)
        living = (identities.c.account == account, identities.c.deleted_at.is_(None))
        self.scope.connection.execute(update(identities).where(*living).values(deleted_at=now))

    def restore(self, account: AccountId) -> None:
        """Bring a deleted one back, with the addresses it had then; raises Missing."""
        deleted_at = self._row(account).deleted_at
        self._write(account, state=AccountState.ACTIVE.value, deleted_at=None)
        gone = (identities.c.account == account, identities.c.deleted_at == deleted_at)
        self.scope.connection.execute(update(identities).where(*gone).values(deleted_at=None))

    def purge(self, account: AccountId, now: int) -> bool:
        """Take out a deleted account with all it has, or a portion of that; False while there is more."""
        return purge_account(self.scope, account, now)

    def replace_secrets(self, account: AccountId, secrets: AccountSecrets) -> None:
        """Those it had at another gateway (M1); its duplicate filter begins anew."""
        row, connection = self._row(account), self.scope.connection
        sealed = self.scope.vault.seal(Purpose.SECRETS, secrets.id_key + secrets.dedupe_key, row.uuid)
        connection.execute(update(accounts).where(accounts.c.id == account).values(sealed_secrets=sealed))
        connection.execute(delete(dedupe).where(dedupe.c.account == account))
        self.scope.entered.pop(account, None)

    def password_slots(self, account: AccountId) -> list[PasswordSlot]:
        """Those made for this account's key: one copied from another account opens nothing here."""
        owner = self._row(account).public_key
        rows = _SLOTS.all(self.scope.connection, {"account": account, "kind": PASSWORD_SLOT})
        found = [PasswordSlot(row.id, account, row.parameters, row.wrapped) for row in rows]
        return [slot for slot in found if slot_owner(slot.parameters) == owner]

    def user_key(self, account: AccountId) -> bytes:
        """The user key, where the master key opens it (L0); raises AccountLocked."""
        user_key = self.enter(account).keys.user_key
        if user_key is None:
            raise AccountLocked("only its password opens this account")
        return user_key

    def replace_password_slots(self, account: AccountId, slot: NewSlot) -> None:
        """All password slots go, this one comes."""
        self.scope.connection.execute(
            delete(slots).where(slots.c.account == self.get(account).id, slots.c.kind == PASSWORD_SLOT)
        )
        self._add_slot(account, slot)

    def enter(self, account: AccountId) -> AccountScope:
        """The way into one account; raises Missing."""
        if account not in self.scope.entered:
            self.scope.entered[account] = self._entered(account)
        return self.scope.entered[account]

    def _entered(self, account: AccountId) -> AccountScope:
        row, vault = self._row(account), self.scope.vault
        opened = vault.open(Purpose.SECRETS, row.sealed_secrets, row.uuid)
        secrets = AccountSecrets(opened[:KEY_SIZE], opened[KEY_SIZE:])
        return AccountScope(self.scope.connection, vault, _read_account(row), secrets, self._keys(row))

    def _row(self, account: AccountId) -> AnyRow:
        row: AnyRow | None = _BY_ID.first(self.scope.connection, {"id": account})
        if row is None:
            raise Missing(f"there is no account {account}")
        return row

    def _write(self, account: AccountId, **values: object) -> None:
        self.scope.connection.execute(update(accounts).where(accounts.c.id == self._row(account).id).values(**values))
        self.scope.entered.pop(account, None)

    def _only(self, query: Select[Any]) -> Account | None:
        rows: Sequence[AnyRow] = self.scope.connection.execute(query).all()
        return _read_account(rows[0]) if len(rows) == 1 else None

    def _keys(self, row: AnyRow) -> AccountKeys:
        at_hand = self.scope.vault.keys_at_hand(row.public_key)
        if at_hand is not None:
            return at_hand
        master = _SLOTS.first(self.scope.connection, {"account": row.id, "kind": MASTER_SLOT})
        wrapped = None if master is None else master.wrapped
        return self.scope.vault.open_account(row.uuid, row.public_key, row.wrapped_data_key, wrapped)

    def _add_slot(self, account: AccountId, slot: NewSlot) -> None:
        values = {"account": account, "kind": slot.kind, "parameters": slot.parameters, "wrapped": slot.wrapped}
        self.scope.connection.execute(insert(slots).values(values))


def _read_account(row: AnyRow) -> Account:
    return Account(AccountId(row.id), row.uuid, row.name, AccountState(row.state), Level(row.level), row.quota_bytes)
