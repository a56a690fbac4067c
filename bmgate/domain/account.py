"""Accounts: who logs in, and the two secrets that make its mail its own."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

AccountId = NewType("AccountId", int)


class AccountState(StrEnum):
    """A disabled account neither logs in nor sends; its mail still arrives. A deleted one gets none either."""

    ACTIVE = "active"
    DISABLED = "disabled"
    DELETED = "deleted"


class Level(StrEnum):
    """How an account's mail is sealed at rest: L0 opens with the server's master key, L1 only with a password."""

    L0 = "L0"
    L1 = "L1"


@dataclass(frozen=True, slots=True)
class Account:
    """One login. `uuid` is 16 random bytes, the associated data of all it stores; `quota_bytes` None is no limit."""

    id: AccountId
    uuid: bytes
    name: str
    state: AccountState
    level: Level
    quota_bytes: int | None


@dataclass(frozen=True, slots=True, repr=False)
class AccountSecrets:
    """Two 32-byte keys: `id_key` makes Message-IDs and boundaries (I15, I20), `dedupe_key` the duplicate tags (I14)."""

    id_key: bytes
    dedupe_key: bytes
