"""What services ask of the world outside storage: time, proof of work, the network, keys at rest."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from bmgate.bm.hashes import InventoryVector
from bmgate.domain.account import AccountId, Level


class Clock(Protocol):
    """Time as an argument."""

    def now(self) -> int:
        """Unix seconds."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; cancellation is an ordinary way out."""
        ...


class Urgency(IntEnum):
    """The order in which work is done, lower first; fairness between accounts is inside each."""

    MAIL = 0
    RETRY = 1
    PUBKEY = 2
    BULK = 3


@dataclass(frozen=True, slots=True)
class WorkJob:
    """A proof of work to find: the first nonce from `start_nonce` on whose trial value is at most `target`.

    `initial_hash` is the SHA-512 of the object behind its nonce, 64 bytes. `owner` is None for the gateway's own work.
    """

    initial_hash: bytes
    target: int
    start_nonce: int
    urgency: Urgency
    owner: AccountId | None


class Solver(Protocol):
    """Finds nonces off the loop, fairly between accounts."""

    @property
    def trials_per_second(self) -> float:
        """The measured rate of this machine, all threads together."""
        ...

    async def search(self, job: WorkJob, on_progress: Callable[[int], None]) -> int:
        """The nonce; cancelling the caller stops the work.

        `on_progress` is called in the loop with the next untried nonce, about every 10 s or 5 % of the expected work.
        """
        ...


class Announcer(Protocol):
    """The node as services see it: it is told what is new in the inventory."""

    def announce(self, vectors: Collection[InventoryVector]) -> None:
        """Tell peers of own objects that stand in the inventory."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class NewSlot:
    """One way into an account: its kind, the parameters of its derivation and the wrapped user key."""

    kind: str
    parameters: bytes
    wrapped: bytes


@dataclass(frozen=True, slots=True, repr=False)
class NewAccountKeys:
    """What a new account is born with: its public key, wrapped data key, slots and sealed secrets (version byte
    each).
    """

    uuid: bytes
    public_key: bytes
    wrapped_data_key: bytes
    sealed_secrets: bytes
    slots: tuple[NewSlot, ...]


class Passwords(Protocol):
    """Slots made and opened by password. Both calls take about 0.1 s and 64 MiB: never on the loop."""

    def new_account(self, password: str, level: Level) -> NewAccountKeys:
        """Fresh keys for an account, with its password slot and, at L0, the slot of the master key."""
        ...

    def new_slot(self, user_key: bytes, password: str) -> NewSlot:
        """A password slot for the existing user key."""
        ...

    def open_slot(self, parameters: bytes, wrapped: bytes, password: str) -> bytes | None:
        """The user key inside a password slot, or None when the password is wrong; a right one opens the account."""
        ...

    def waste(self, password: str) -> None:
        """Spend as long as `open_slot` does: for names that do not exist (T7)."""
        ...
