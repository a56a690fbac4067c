"""What services ask of the world outside storage: time, proof of work, the network, keys at rest."""

import math
from collections.abc import Callable, Collection, Mapping
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

    `initial_hash` is the SHA-512 of the object behind its nonce, 64 bytes; it names the job. `owner` is None for the
    gateway's own work. `rank` orders the jobs of one owner inside their urgency, lower first.
    """

    initial_hash: bytes
    target: int
    start_nonce: int
    urgency: Urgency
    owner: AccountId | None
    rank: int = 0

    @property
    def expected_trials(self) -> int:
        """How many nonces are tried on average."""
        return (1 << 64) // (self.target + 1)


@dataclass(frozen=True, slots=True)
class WorkProgress:
    """How far a search is, and when to hope for its end.

    A search has no memory: whatever was tried, `expected` trials are still to go on average. `tried` includes what was
    saved before a restart. `withheld` says why it must not run now ("schedule", "battery"), "" when it may. The
    seconds are those until the nonce is found, with all that goes before in the queue: their mean, and what they do
    not exceed in 95 of 100 cases.
    """

    tried: int
    expected: int
    running: bool
    withheld: str
    mean_seconds: float
    likely_seconds: float

    @property
    def probability(self) -> float:
        """How likely it was to be done by now: what a bar shows."""
        return chance(self.tried, self.expected)


@dataclass(frozen=True, slots=True)
class Backlog:
    """All jobs together, and the seconds until none is left: mean, and what they rarely (5 %) exceed."""

    jobs: int
    mean_seconds: float
    likely_seconds: float


def chance(tried: int, expected: int) -> float:
    """How likely a search is done after so many trials, 0 to 1."""
    return 1 - math.exp(-tried / expected)


class Survey(Protocol):
    """The queue of a solver at one moment."""

    def progress(self, initial_hashes: Collection[bytes]) -> Mapping[bytes, WorkProgress]:
        """How far these jobs are; those that are not in the queue are left out. For a thread: it takes 4 us a job."""
        ...


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

    def reprioritise(self, initial_hash: bytes, rank: int) -> None:
        """Give the job another place among its owner's; what is less urgent stops at once. Unknown ones are let be."""
        ...

    def survey(self) -> Survey:
        """The queue as it is now, to be looked through."""
        ...

    def backlog(self) -> Backlog:
        """All that is in the queue."""
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
