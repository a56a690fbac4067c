"""Identities: their keys, their pubkeys on the way out, and the names of an account.

Encryption keys are sealed under the master key, because mail is recognised while nobody is logged in; signing keys and
labels under the account's own.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, bindparam, delete, func, insert, select, update

from bmgate.bm.addresses import PREFIX, Address
from bmgate.bm.keys import PublicKeys
from bmgate.bm.plaintext import Pubkey
from bmgate.domain.account import AccountId
from bmgate.domain.identity import Identity, IdentityId, NewIdentity, PubkeyWork, ReceivingKey
from bmgate.errors import Conflict, Missing
from bmgate.storage.repositories.accounts import AccountRepository
from bmgate.storage.repositories.aliases import AliasNames
from bmgate.storage.repositories.removal import purge_identity
from bmgate.storage.repositories.scope import (
    AccountScope,
    AnyRow,
    GatewayScope,
    decode_nonce,
    encode_nonce,
    portions,
)
from bmgate.storage.schema import account as accounts
from bmgate.storage.schema import alias as aliases
from bmgate.storage.schema import chan as chans
from bmgate.storage.schema import identity as identities
from bmgate.storage.schema import publication as publications
from bmgate.storage.statements import Prepared
from bmgate.storage.vault import AccountKeys, Purpose
from bmgate.units import DAY

KEEP_PUBLICATIONS_SECONDS = 7 * DAY
OUTDATED, ON_REQUEST = "outdated", "on request"  # what may stand beside a pubkey

_BY_ID = select(identities).where(identities.c.id == bindparam("id"))
_BY_ANY_ID = Prepared(_BY_ID)
_BY_OWN_ID = Prepared(_BY_ID.where(identities.c.account == bindparam("account")))
_OLDEST_FIRST = select(identities).order_by(identities.c.id)
_OF_ACCOUNT = Prepared(
    _OLDEST_FIRST.where(identities.c.account == bindparam("account"), identities.c.deleted_at.is_(None))
)
_IN_USE = (identities.c.enabled.is_(True), identities.c.deleted_at.is_(None))
_ENABLED = select(identities.c.id).where(*_IN_USE).order_by(identities.c.id)
_RECEIVING = (
    select(identities, accounts.c.uuid)
    .join(accounts, accounts.c.id == identities.c.account)
    .where(*_IN_USE)
    .order_by(identities.c.id)
)
_RECEIVING_SOME = _RECEIVING.where(identities.c.id.in_(bindparam("ids", expanding=True)))
_WITH_ADDRESS = _OLDEST_FIRST.where(
    identities.c.ripe == bindparam("ripe"),
    identities.c.version == bindparam("version"),
    identities.c.stream == bindparam("stream"),
    identities.c.deleted_at.is_(None),
)
_BY_ADDRESS = Prepared(_WITH_ADDRESS)
_BY_OWN_ADDRESS = Prepared(_WITH_ADDRESS.where(identities.c.account == bindparam("account")))
_COUNT = Prepared(
    select(func.count().label("number")).where(
        identities.c.account == bindparam("account"), identities.c.deleted_at.is_(None)
    )
)
_DEFAULT = Prepared(
    _OLDEST_FIRST.where(identities.c.account == bindparam("account"), identities.c.is_default.is_(True))
)
_WITH_RIPE = Prepared(select(identities).where(identities.c.ripe == bindparam("ripe")))
_CHAN_WITH_RIPE = Prepared(select(chans.c.id).where(chans.c.ripe == bindparam("ripe")))
_NEW = Prepared(insert(identities).returning(identities.c.id))


@dataclass(frozen=True, slots=True)
class IdentityRepository:
    """Identities of all accounts, for receiving and for pubkeys."""

    scope: GatewayScope

    def receiving(self) -> list[IdentityId]:
        """Every enabled identity."""
        return [IdentityId(each) for each in self.scope.connection.execute(_ENABLED).scalars()]

    def receiving_keys(self, of: Collection[IdentityId] | None = None) -> list[ReceivingKey]:
        """Of every enabled identity, or of those `of` them that are enabled."""
        if of is None:
            return self._keys_of(_RECEIVING, {})
        return [key for portion in portions(of) for key in self._keys_of(_RECEIVING_SOME, {"ids": portion})]

    def by_lookup(self, address_version: int, lookup: bytes) -> Identity | None:
        """Whose pubkey a getpubkey asks for: ripe (v2, v3) or tag (v4)."""
        asked = (identities.c.version == address_version, identities.c.lookup == lookup)
        return self._first(_OLDEST_FIRST.where(*asked, identities.c.deleted_at.is_(None)))

    def by_address(self, address: Address) -> Identity | None:
        row = _BY_ADDRESS.first(self.scope.connection, _parts(address))
        return None if row is None else self._read(row)

    def by_alias(self, name: str) -> Identity | None:
        """The identity an alias of this gateway names, an account's own name included; compared folded."""
        alias = self.scope.connection.execute(select(aliases).where(aliases.c.name == name.lower())).first()
        if alias is None:
            return None
        living = _OLDEST_FIRST.where(identities.c.deleted_at.is_(None))
        if alias.identity is None:
            default = (identities.c.account == alias.account, identities.c.is_default.is_(True))
            return self._first(living.where(*default))
        return self._first(living.where(identities.c.id == alias.identity))

    def public_record(self, identity: IdentityId) -> Pubkey:
        """The identity's pubkey as it is published, behavior bits included; raises Missing."""
        row = self._row(identity)
        keys = PublicKeys(row.signing_key, row.encryption_key)
        demands = row.nonce_trials_per_byte, row.payload_length_extra_bytes
        return Pubkey(row.version, row.stream, row.behavior, keys, *demands)

    def without_pubkey(self) -> list[Identity]:
        """Enabled ones whose pubkey was never published, is not being worked on and need not wait to be asked for."""
        never = (identities.c.pubkey_sent_at.is_(None), identities.c.pubkey_payload.is_(None))
        query = _OLDEST_FIRST.where(*_IN_USE, identities.c.pubkey_note.is_(None), *never)
        return [self._read(row) for row in self.scope.connection.execute(query)]

    def outdated_pubkeys(self) -> list[Identity]:
        """Enabled ones whose pubkey was published and says what is no longer true."""
        query = _OLDEST_FIRST.where(*_IN_USE, identities.c.pubkey_note == OUTDATED)
        return [self._read(row) for row in self.scope.connection.execute(query)]

    def deleted_before(self, before: int) -> list[IdentityId]:
        """Those deleted before that time, of accounts that were not."""
        living = select(accounts.c.id).where(accounts.c.deleted_at.is_(None))
        query = select(identities.c.id).where(identities.c.deleted_at < before, identities.c.account.in_(living))
        return [IdentityId(each) for each in self.scope.connection.execute(query).scalars()]

    def purge(self, identity: IdentityId) -> bool:
        """Its keys are gone for good; False, and nothing done, while mail it sent is under way."""
        return purge_identity(self.scope, identity)

    def behaviors(self) -> set[int]:
        """All behavior bits that addresses show."""
        return set(self.scope.connection.execute(select(identities.c.behavior).distinct()).scalars())

    def pubkey_work(self) -> list[PubkeyWork]:
        """Pubkeys signed and stored whose proof of work is not done."""
        rows = self.scope.connection.execute(_OLDEST_FIRST.where(identities.c.pubkey_payload.is_not(None)))
        return [PubkeyWork(IdentityId(row.id), row.pubkey_payload, decode_nonce(row.pubkey_nonce)) for row in rows]

    def begin_pubkey(self, identity: IdentityId, payload: bytes, now: int, trials: int) -> None:
        """Record the payload, the publication time and one more publication of today, with its expected trials."""
        self.replace_pubkey(identity, payload, now)
        connection = self.scope.connection
        connection.execute(insert(publications).values(identity=identity, at=now, trials=trials))
        connection.execute(delete(publications).where(publications.c.at < now - KEEP_PUBLICATIONS_SECONDS))

    def replace_pubkey(self, identity: IdentityId, payload: bytes, now: int) -> None:
        """Another payload in place of one that nobody has seen."""
        nonce = encode_nonce(0)
        self._change(identity, pubkey_payload=payload, pubkey_sent_at=now, pubkey_nonce=nonce, pubkey_note=None)

    def publications_since(self, identity: IdentityId, since: int) -> int:
        """How many pubkeys were begun at or after `since`."""
        query = select(func.count()).select_from(publications)
        begun = (publications.c.identity == identity, publications.c.at >= since)
        return self.scope.connection.execute(query.where(*begun)).scalar_one()

    def trials_since(self, since: int) -> int:
        """The expected trials of all pubkeys begun at or after `since`."""
        query = select(func.coalesce(func.sum(publications.c.trials), 0)).where(publications.c.at >= since)
        return int(self.scope.connection.execute(query).scalar_one())

    def save_pubkey_nonce(self, identity: IdentityId, nonce: int) -> None:
        self._change(identity, pubkey_nonce=encode_nonce(nonce))

    def end_pubkey(self, identity: IdentityId) -> None:
        """The work is done, or given up: the payload goes."""
        self._change(identity, pubkey_payload=None, pubkey_nonce=encode_nonce(0))

    def _row(self, identity: IdentityId) -> AnyRow:
        row: AnyRow | None = _BY_ANY_ID.first(self.scope.connection, {"id": identity})
        if row is None:
            raise Missing(f"there is no identity {identity}")
        return row

    def _change(self, identity: IdentityId, **values: object) -> None:
        change = update(identities).where(identities.c.id == self._row(identity).id)
        self.scope.connection.execute(change.values(values))

    def _keys_of(self, query: Select[Any], values: dict[str, Any]) -> list[ReceivingKey]:
        return [
            ReceivingKey(
                IdentityId(row.id),
                AccountId(row.account),
                _address(row),
                self.scope.vault.open(Purpose.ENCRYPTION_KEYS, row.sealed_encryption_key, row.uuid, row.ripe),
            )
            for row in self.scope.connection.execute(query, values)
        ]

    def _first(self, query: Select[Any], values: dict[str, Any] | None = None) -> Identity | None:
        row = self.scope.connection.execute(query, values).first()
        return None if row is None else self._read(row)

    def _read(self, row: AnyRow) -> Identity:
        return _read_identity(row, AccountRepository(self.scope).enter(AccountId(row.account)).keys)


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
        return [_read_identity(row, self.scope.keys) for row in rows]

    def count(self) -> int:
        """How many there are, without looking into them."""
        return int(_COUNT.scalar(self.scope.connection, {"account": self.scope.account.id}) or 0)

    def find(self, address: Address) -> Identity | None:
        """The one of this address."""
        wanted = _parts(address) | {"account": self.scope.account.id}
        row = _BY_OWN_ADDRESS.first(self.scope.connection, wanted)
        return None if row is None else _read_identity(row, self.scope.keys)

    def default(self) -> Identity | None:
        row = _DEFAULT.first(self.scope.connection, {"account": self.scope.account.id})
        return None if row is None else _read_identity(row, self.scope.keys)

    def get(self, identity: IdentityId) -> Identity:
        """Raises Missing."""
        return _read_identity(self._row(identity), self.scope.keys)

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
        query = self._mine(_OLDEST_FIRST).where(identities.c.deleted_at.is_not(None))
        return [_read_identity(row, self.scope.keys) for row in self.scope.connection.execute(query)]

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
        there = address if row is None else _address(row)
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


def _read_identity(row: AnyRow, keys: AccountKeys) -> Identity:
    label = keys.open(row.sealed_label, b"identity label", row.ripe).decode() if keys.is_open else ""
    return Identity(
        id=IdentityId(row.id),
        account=AccountId(row.account),
        address=_address(row),
        label=label,
        enabled=row.enabled,
        is_default=row.is_default,
        nonce_trials_per_byte=row.nonce_trials_per_byte,
        payload_length_extra_bytes=row.payload_length_extra_bytes,
        created_at=row.created_at,
        pubkey_sent_at=row.pubkey_sent_at,
        is_pubkey_outdated=row.pubkey_note == OUTDATED,
        deleted_at=row.deleted_at,
    )


def _parts(address: Address) -> dict[str, Any]:
    return {"ripe": address.ripe, "version": address.version, "stream": address.stream}


def _address(row: AnyRow) -> Address:
    return Address(row.version, row.stream, row.ripe)
