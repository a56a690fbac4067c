"""What repositories share: the connection of the unit of work, the keys, and small habits with rows."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row

from bmgate.domain.account import Account, AccountId, AccountSecrets
from bmgate.storage.vault import AccountKeys, Vault

MAX_PARAMETERS = 500  # values of one IN list
MAX_INTEGER = 2**63 - 1

AnyRow = Row[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class AccountScope:
    """A unit of work on behalf of one account: repositories that hold it see no other."""

    connection: Connection
    vault: Vault
    account: Account
    secrets: AccountSecrets
    keys: AccountKeys


@dataclass(frozen=True, slots=True)
class GatewayScope:
    """A unit of work on the whole gateway; `entered` are the accounts it has had to do with so far."""

    connection: Connection
    vault: Vault
    entered: dict[AccountId, AccountScope] = field(default_factory=dict)


def portions(uids: Collection[int]) -> Iterator[list[int]]:
    """Distinct numbers in ascending order, as many at a time as one statement takes."""
    ordered = sorted(set(uids))
    for start in range(0, len(ordered), MAX_PARAMETERS):
        yield ordered[start : start + MAX_PARAMETERS]


def encode_nonce(nonce: int) -> bytes:
    """A 64-bit nonce, which no signed column takes."""
    return nonce.to_bytes(8, "big")


def decode_nonce(stored: bytes) -> int:
    return int.from_bytes(stored, "big")
