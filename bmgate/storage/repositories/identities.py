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
from bmgate.bm.plaintext import Behavior, Pubkey
from bmgate.domain.account import AccountId
from bmgate.domain.identity import Identity, IdentityId, NewIdentity, PubkeyWork, ReceivingKey
from bmgate.errors import Conflict, Missing
from bmgate.storage.repositories.accounts import AccountRepository
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
from bmgate.storage.schema import identity as identities
from bmgate.storage.schema import publication as publications
from bmgate.storage.vault import AccountKeys, Purpose

BEHAVIOR = int(Behavior.DOES_ACK | Behavior.READS_FILES)  # O11: bmgate always reads files

KEEP_PUBLICATIONS_SECONDS = 7 * 86_400

_BY_ID = select(identities).where(identities.c.id == bindparam("id"))
_OLDEST_FIRST = select(identities).order_by(identities.c.id)
_OF_ACCOUNT = _OLDEST_FIRST.where(identities.c.account == bindparam("account"))
_ENABLED = select(identities.c.id).where(identities.c.enabled.is_(True)).order_by(identities.c.id)
_RECEIVING = (
    select(identities, accounts.c.uuid)
    .join(accounts, accounts.c.id == identities.c.account)
    .where(identities.c.enabled.is_(True))
    .order_by(identities.c.id)
)
_RECEIVING_SOME = _RECEIVING.where(identities.c.id.in_(bindparam("ids", expanding=True)))
_BY_ADDRESS = _OLDEST_FIRST.where(
    identities.c.ripe == bindparam("ripe"),
    identities.c.version == bindparam("version"),
    identities.c.stream == bindparam("stream"),
)


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
        return self._first(_OLDEST_FIRST.where(*asked))

    def by_address(self, address: Address) -> Identity | None:
        wanted = {"ripe": address.ripe, "version": address.version, "stream": address.stream}
        return self._first(_BY_ADDRESS, wanted)

    def by_alias(self, name: str) -> Identity | None:
        """The identity an alias of this gateway names, an account's own name included; compared folded."""
        alias = self.scope.connection.execute(select(aliases).where(aliases.c.name == name.lower())).first()
        if alias is None:
            return None
        if alias.identity is None:
            default = (identities.c.account == alias.account, identities.c.is_default.is_(True))
            return self._first(_OLDEST_FIRST.where(*default))
        return self._first(_OLDEST_FIRST.where(identities.c.id == alias.identity))

    def public_record(self, identity: IdentityId) -> Pubkey:
        """The identity's pubkey as it is published, behavior bits included; raises Missing."""
        row = self._row(identity)
        keys = PublicKeys(row.signing_key, row.encryption_key)
        demands = row.nonce_trials_per_byte, row.payload_length_extra_bytes
        return Pubkey(row.version, row.stream, row.behavior, keys, *demands)

    def without_pubkey(self) -> list[Identity]:
        """Enabled ones whose pubkey was never published and is not being worked on."""
        never = (identities.c.pubkey_sent_at.is_(None), identities.c.pubkey_payload.is_(None))
        query = _OLDEST_FIRST.where(identities.c.enabled.is_(True), *never)
        return [self._read(row) for row in self.scope.connection.execute(query)]

    def pubkey_work(self) -> list[PubkeyWork]:
        """Pubkeys signed and stored whose proof of work is not done."""
        rows = self.scope.connection.execute(_OLDEST_FIRST.where(identities.c.pubkey_payload.is_not(None)))
        return [PubkeyWork(IdentityId(row.id), row.pubkey_payload, decode_nonce(row.pubkey_nonce)) for row in rows]

    def begin_pubkey(self, identity: IdentityId, payload: bytes, now: int) -> None:
        """Record the payload, the publication time and one more publication of today."""
        self._change(identity, pubkey_payload=payload, pubkey_sent_at=now, pubkey_nonce=encode_nonce(0))
        connection = self.scope.connection
        connection.execute(insert(publications).values(identity=identity, at=now))
        connection.execute(delete(publications).where(publications.c.at < now - KEEP_PUBLICATIONS_SECONDS))

    def publications_since(self, identity: IdentityId, since: int) -> int:
        """How many pubkeys were begun at or after `since`."""
        query = select(func.count()).select_from(publications)
        begun = (publications.c.identity == identity, publications.c.at >= since)
        return self.scope.connection.execute(query.where(*begun)).scalar_one()

    def save_pubkey_nonce(self, identity: IdentityId, nonce: int) -> None:
        self._change(identity, pubkey_nonce=encode_nonce(nonce))

    def end_pubkey(self, identity: IdentityId) -> None:
        """The work is done, or given up: the payload goes."""
        self._change(identity, pubkey_payload=None, pubkey_nonce=encode_nonce(0))

    def _row(self, identity: IdentityId) -> AnyRow:
        row = self.scope.connection.execute(_BY_ID, {"id": identity}).first()
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
        """Raises Conflict when the gateway has an identity of the same ripe."""
        connection, address, keys = self.scope.connection, identity.address, self.scope.keys
        if connection.execute(select(identities.c.id).where(identities.c.ripe == address.ripe)).first() is not None:
            raise Conflict(f"the gateway has an identity with the keys of {address} already")
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
            "behavior": BEHAVIOR,
            "nonce_trials_per_byte": identity.nonce_trials_per_byte,
            "payload_length_extra_bytes": identity.payload_length_extra_bytes,
            "enabled": True,
            "is_default": identity.is_default,
            "created_at": identity.created_at,
            "pubkey_nonce": encode_nonce(0),
        }
        new = connection.execute(insert(identities).values(values).returning(identities.c.id)).scalar_one()
        return self.get(IdentityId(new))

    def all(self) -> list[Identity]:
        """Oldest first."""
        rows = self.scope.connection.execute(_OF_ACCOUNT, {"account": self.scope.account.id})
        return [_read_identity(row, self.scope.keys) for row in rows]

    def default(self) -> Identity | None:
        row = self.scope.connection.execute(self._mine(_OLDEST_FIRST).where(identities.c.is_default.is_(True))).first()
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

    def add_alias(self, name: str, identity: IdentityId, now: int) -> None:
        """Raises Conflict when the name is somebody's."""
        folded, mine = name.lower(), self.get(identity)
        if self.scope.connection.execute(select(aliases.c.name).where(aliases.c.name == folded)).first() is not None:
            raise Conflict(f"the name {name!r} is taken")
        values = {"name": folded, "account": self.scope.account.id, "identity": mine.id, "created_at": now}
        self.scope.connection.execute(insert(aliases).values(values))

    def aliases(self) -> dict[str, IdentityId]:
        """By name; the account's own name stands for its default identity."""
        default = self.default()
        query = select(aliases).where(aliases.c.account == self.scope.account.id).order_by(aliases.c.name)
        meant = {row.name: row.identity for row in self.scope.connection.execute(query)}
        if default is not None:
            meant = {name: default.id if identity is None else identity for name, identity in meant.items()}
        return {name: IdentityId(identity) for name, identity in meant.items() if identity is not None}

    def _mine(self, statement: Any) -> Any:
        return statement.where(identities.c.account == self.scope.account.id)

    def _row(self, identity: IdentityId) -> AnyRow:
        row: AnyRow | None = self.scope.connection.execute(self._mine(_BY_ID), {"id": identity}).first()
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
    )


def _address(row: AnyRow) -> Address:
    return Address(row.version, row.stream, row.ripe)
