"""Rows of the identity table: how they are found and read by the views of gateway and accounts.

Encryption keys are sealed under the master key, because mail is recognised while nobody is logged in; signing keys and
labels under the account's own.
"""

from typing import Any

from sqlalchemy import bindparam, select

from bmgate.bm.addresses import Address
from bmgate.domain.account import AccountId
from bmgate.domain.identity import Identity, IdentityId
from bmgate.storage.repositories.scope import AnyRow
from bmgate.storage.schema import identity as identities
from bmgate.storage.vault import AccountKeys

OUTDATED, ON_REQUEST = "outdated", "on request"  # what may stand beside a pubkey
BY_ID = select(identities).where(identities.c.id == bindparam("id"))
OLDEST_FIRST = select(identities).order_by(identities.c.id)
WITH_ADDRESS = OLDEST_FIRST.where(
    identities.c.ripe == bindparam("ripe"),
    identities.c.version == bindparam("version"),
    identities.c.stream == bindparam("stream"),
    identities.c.deleted_at.is_(None),
)


def read_identity(row: AnyRow, keys: AccountKeys) -> Identity:
    """Its label is opened where the account is."""
    label = keys.open(row.sealed_label, b"identity label", row.ripe).decode() if keys.is_open else ""
    return Identity(
        id=IdentityId(row.id),
        account=AccountId(row.account),
        address=address_of(row),
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


def parts_of(address: Address) -> dict[str, Any]:
    """The columns that make an address."""
    return {"ripe": address.ripe, "version": address.version, "stream": address.stream}


def address_of(row: AnyRow) -> Address:
    """What these columns make."""
    return Address(row.version, row.stream, row.ripe)
