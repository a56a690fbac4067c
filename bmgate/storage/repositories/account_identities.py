"""Identities of one account, their keys and their names."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update

from bmgate.bm.addresses import PREFIX, Address
from bmgate.domain.identity import Identity, IdentityId, NewIdentity
from bmgate.errors import Conflict, Missing
from bmgate.storage.repositories.aliases import AliasNames
from bmgate.storage.repositories.identity_rows import (
    BY_ID,
    OLDEST_FIRST,
    ON_REQUEST,
    OUTDATED,
    WITH_ADDRESS,
    address_of,
    parts_of,
    read_identity,
)
from bmgate.storage.repositories.scope import (
    AccountScope,
    AnyRow,
    encode_nonce,
)
from bmgate.storage.schema import alias as aliases
from bmgate.storage.schema import chan as chans
from bmgate.storage.schema import identity as identities
from bmgate.storage.statements import Prepared
from bmgate.storage.vault import Purpose

_BY_OWN_ID = Prepared(BY_ID.where(identities.c.account == bindparam("account")))
_OF_ACCOUNT = Prepared(
    OLDEST_FIRST.where(identities.c.account == bindparam("account"), identities.c.deleted_at.is_(None))
)
_BY_OWN_ADDRESS = Prepared(WITH_ADDRESS.where(identities.c.account == bindparam("account")))
_COUNT = Prepared(
    select(func.count().label("number")).where(
        identities.c.account == bindparam("account"), identities.c.deleted_at.is_(None)
    )
)
_DEFAULT = Prepared(OLDEST_FIRST.where(identities.c.account == bindparam("account"), identities.c.is_default.is_(True)))
_WITH_RIPE = Prepared(select(identities).where(identities.c.ripe == bindparam("ripe")))
_CHAN_WITH_RIPE = Prepared(select(chans.c.id).where(chans.c.ripe == bindparam("ripe")))
_NEW = Prepared(insert(identities).returning(identities.c.id))


@dataclass(frozen=True, slots=True)
class AccountIdentityRepository:
    """One account's identities and aliases."""

    scope: AccountScope

    def add(self, identity: NewIdentity) -> Identity:
        """Raises Conflict when the gateway has an identity or a chan of the same ripe."""
        connection, address, keys = self.scope.connection, identity.address, self.scope.keys
        self._check_new(address)
        if identity.is_default:
            connection.execute(self._mine(update(identities)).values(is_default=False))
        public, uuid = identity.keys.public, self.scope.account.uuid
        sealed = self.scope.vault.seal(Purpose.ENCRYPTION_KEYS, identity.keys.encryption, uuid, address.ripe)
        values = {
            "account": self.scope.account.id,
            "version": address.version,
            "stream": address.stream,
            "ripe": address.ripe,
            "lookup": address.lookup,
            "folded": str(address).removeprefix(PREFIX).lower(),
            "signing_key": public.signing,
            "encryption_key": public.encryption,
            "sealed_signing_key": keys.seal(identity.keys.signing, b"signing key", address.ripe),
            "sealed_encryption_key": sealed,
            "sealed_label": keys.seal(identity.label.encode(), b"identity label", address.ripe),
            "behavior": identity.behavior,
            "nonce_trials_per_byte": identity.nonce_trials_per_byte,
            "payload_length_extra_bytes": identity.payload_length_extra_bytes,
            "enabled": True,
            "is_default": identity.is_default,
            "created_at": identity.created_at,
            "pubkey_nonce": encode_nonce(0),
            "pubkey_note": ON_REQUEST if identity.publish_on_request else None,
            "pubkey_sent_at": identity.pubkey_sent_at,
        }
        return self.get(IdentityId(_NEW.new_id(connection, values)))

    def all(self) -> list[Identity]:
        """Oldest first."""
        rows = _OF_ACCOUNT.all(self.scope.connection, {"account": self.scope.account.id})
        return [read_identity(row, self.scope.keys) for row in rows]

    def count(self) -> int:
        """How many there are, without looking into them."""
        return int(_COUNT.scalar(self.scope.connection, {"account": self.scope.account.id}) or 0)

    def find(self, address: Address) -> Identity | None:
        """The one of this address."""
        wanted = parts_of(address) | {"account": self.scope.account.id}
        row = _BY_OWN_ADDRESS.first(self.scope.connection, wanted)
        return None if row is None else read_identity(row, self.scope.keys)

    def default(self) -> Identity | None:
        row = _DEFAULT.first(self.scope.connection, {"account": self.scope.account.id})
        return None if row is None else read_identity(row, self.scope.keys)

    def get(self, identity: IdentityId) -> Identity:
        """Raises Missing."""
        return read_identity(self._row(identity), self.scope.keys)

    def private_keys(self, identity: IdentityId) -> tuple[bytes, bytes]:
        """Signing and encryption key, 32 bytes each; raises AccountLocked."""
        row, uuid = self._row(identity), self.scope.account.uuid
        signing = self.scope.keys.open(row.sealed_signing_key, b"signing key", row.ripe)
        opened = self.scope.vault.open(Purpose.ENCRYPTION_KEYS, row.sealed_encryption_key, uuid, row.ripe)
        return signing, opened

    def set_demand(self, identity: IdentityId, nonce_trials_per_byte: int) -> None:
        """The work this address demands from now on; a pubkey that says otherwise is outdated."""
        self._set(self._row(identity), nonce_trials_per_byte=nonce_trials_per_byte)

    def set_behavior(self, identity: IdentityId, behavior: int) -> None:
        """The behavior bits this address shows from now on; a pubkey that says otherwise is outdated."""
        self._set(self._row(identity), behavior=behavior)

    def set_label(self, identity: IdentityId, label: str) -> None:
        """The owner's own word for it."""
        row = self._row(identity)
        sealed = self.scope.keys.seal(label.encode(), b"identity label", row.ripe)
        self._write(identity, sealed_label=sealed)

    def set_enabled(self, identity: IdentityId, enabled: bool) -> None:
        """A disabled one neither receives nor sends."""
        self._write(self._row(identity).id, enabled=enabled)

    def set_default(self, identity: IdentityId) -> None:
        """The one that the account's name means."""
        wanted = self._row(identity)
        self.scope.connection.execute(self._mine(update(identities)).values(is_default=False))
        self._write(wanted.id, is_default=True)

    def delete(self, identity: IdentityId, now: int) -> None:
        """It receives no more and its names are free for this account; its keys stay until it is purged."""
        row = self._row(identity)
        AliasNames(self.scope).release_all(identity, row.ripe, now)
        self._write(row.id, deleted_at=now, enabled=False, is_default=False, pubkey_payload=None)

    def restore(self, identity: IdentityId, now: int) -> None:
        """Bring back a deleted one, with its names; raises Missing."""
        row = self._row(identity)
        self._write(row.id, deleted_at=None, enabled=True)
        AliasNames(self.scope).take_back(identity, row.ripe, now)

    def deleted(self) -> list[Identity]:
        """Those that can still be brought back, oldest first."""
        query = self._mine(OLDEST_FIRST).where(identities.c.deleted_at.is_not(None))
        return [read_identity(row, self.scope.keys) for row in self.scope.connection.execute(query)]

    def add_alias(self, name: str, identity: IdentityId, now: int) -> None:
        """Raises Conflict when the name is somebody's, or was within a year."""
        AliasNames(self.scope).add(name, self.get(identity).id, now)

    def remove_alias(self, name: str, now: int) -> IdentityId:
        """Give up a name, which told this identity; raises Missing, NotAllowed for the account's own name."""
        names = AliasNames(self.scope)
        owner = names.check_removable(name)
        names.remove(name, self._row(owner).ripe, now)
        return owner

    def aliases(self) -> dict[str, IdentityId]:
        """By name; the account's own name stands for its default identity."""
        default = self.default()
        query = select(aliases).where(aliases.c.account == self.scope.account.id).order_by(aliases.c.name)
        meant = {row.name: row.identity for row in self.scope.connection.execute(query)}
        if default is not None:
            meant = {name: default.id if identity is None else identity for name, identity in meant.items()}
        return {name: IdentityId(identity) for name, identity in meant.items() if identity is not None}

    def former_aliases(self, identity: IdentityId) -> list[str]:
        """The names that a deleted one would have again; raises Missing."""
        return AliasNames(self.scope).given_up(self._row(identity).ripe)

    def _check_new(self, address: Address) -> None:
        connection = self.scope.connection
        row: AnyRow | None = _WITH_RIPE.first(connection, {"ripe": address.ripe})
        there = address if row is None else address_of(row)
        same_keys = "" if there == address else f"{address} has the same keys as {there} (v{there.version}): "
        if row is not None and row.deleted_at is not None and row.account == self.scope.account.id:
            raise Conflict(f"{same_keys}{there} was deleted; bring it back: bmgate address undelete {there}")
        if row is not None:
            raise Conflict(f"{same_keys}this gateway has {there} already")
        if _CHAN_WITH_RIPE.first(connection, {"ripe": address.ripe}) is not None:
            raise Conflict(f"{address} is a chan of this gateway, and cannot be an address of one account as well")

    def _write(self, identity: IdentityId, **values: object) -> None:
        change = self._mine(update(identities)).where(identities.c.id == identity)
        self.scope.connection.execute(change.values(**values))

    def _mine(self, statement: Any) -> Any:
        return statement.where(identities.c.account == self.scope.account.id)

    def _set(self, row: AnyRow, **values: int) -> None:
        if all(getattr(row, name) == value for name, value in values.items()):
            return
        noted = {} if row.pubkey_sent_at is None else {"pubkey_note": OUTDATED}
        change = self._mine(update(identities)).where(identities.c.id == row.id)
        self.scope.connection.execute(change.values(**values, **noted))

    def _row(self, identity: IdentityId) -> AnyRow:
        where = {"id": identity, "account": self.scope.account.id}
        row: AnyRow | None = _BY_OWN_ID.first(self.scope.connection, where)
        if row is None:
            raise Missing(f"this account has no identity {identity}")
        return row
