"""Identities of all accounts: the keys that receive, and their pubkeys on the way out."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, bindparam, delete, func, insert, select, update

from bmgate.bm.addresses import Address
from bmgate.bm.keys import PublicKeys
from bmgate.bm.plaintext import Pubkey
from bmgate.domain.account import AccountId
from bmgate.domain.identity import Identity, IdentityId, PubkeyWork, ReceivingKey
from bmgate.errors import Missing
from bmgate.storage.repositories.accounts import AccountRepository
from bmgate.storage.repositories.identity_rows import (
    BY_ID,
    OLDEST_FIRST,
    OUTDATED,
    WITH_ADDRESS,
    address_of,
    parts_of,
    read_identity,
)
from bmgate.storage.repositories.removal import purge_identity
from bmgate.storage.repositories.scope import (
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
from bmgate.storage.statements import Prepared
from bmgate.storage.vault import Purpose
from bmgate.units import DAY

KEEP_PUBLICATIONS_SECONDS = 7 * DAY
_BY_ANY_ID = Prepared(BY_ID)
_IN_USE = (identities.c.enabled.is_(True), identities.c.deleted_at.is_(None))
_ENABLED = select(identities.c.id).where(*_IN_USE).order_by(identities.c.id)
_RECEIVING = (
    select(identities, accounts.c.uuid)
    .join(accounts, accounts.c.id == identities.c.account)
    .where(*_IN_USE)
    .order_by(identities.c.id)
)
_RECEIVING_SOME = _RECEIVING.where(identities.c.id.in_(bindparam("ids", expanding=True)))
_BY_ADDRESS = Prepared(WITH_ADDRESS)


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
        return self._first(OLDEST_FIRST.where(*asked, identities.c.deleted_at.is_(None)))

    def by_address(self, address: Address) -> Identity | None:
        row = _BY_ADDRESS.first(self.scope.connection, parts_of(address))
        return None if row is None else self._read(row)

    def by_alias(self, name: str) -> Identity | None:
        """The identity an alias of this gateway names, an account's own name included; compared folded."""
        alias = self.scope.connection.execute(select(aliases).where(aliases.c.name == name.lower())).first()
        if alias is None:
            return None
        living = OLDEST_FIRST.where(identities.c.deleted_at.is_(None))
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
        query = OLDEST_FIRST.where(*_IN_USE, identities.c.pubkey_note.is_(None), *never)
        return [self._read(row) for row in self.scope.connection.execute(query)]

    def outdated_pubkeys(self) -> list[Identity]:
        """Enabled ones whose pubkey was published and says what is no longer true."""
        query = OLDEST_FIRST.where(*_IN_USE, identities.c.pubkey_note == OUTDATED)
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
        rows = self.scope.connection.execute(OLDEST_FIRST.where(identities.c.pubkey_payload.is_not(None)))
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
                address_of(row),
                self.scope.vault.open(Purpose.ENCRYPTION_KEYS, row.sealed_encryption_key, row.uuid, row.ripe),
            )
            for row in self.scope.connection.execute(query, values)
        ]

    def _first(self, query: Select[Any], values: dict[str, Any] | None = None) -> Identity | None:
        row = self.scope.connection.execute(query, values).first()
        return None if row is None else self._read(row)

    def _read(self, row: AnyRow) -> Identity:
        return read_identity(row, AccountRepository(self.scope).enter(AccountId(row.account)).keys)
