"""All accounts, for login, for the operator's commands and for their end."""

from dataclasses import dataclass
from typing import Protocol

from bmgate.bm.addresses import Address
from bmgate.domain.account import Account, AccountId, AccountSecrets, AccountState, Level
from bmgate.domain.mailbox import MailboxKind
from bmgate.domain.ports.world import NewAccountKeys, NewSlot


@dataclass(frozen=True, slots=True, repr=False)
class PasswordSlot:
    """A password slot as stored."""

    id: int
    account: AccountId
    parameters: bytes
    wrapped: bytes


class Accounts(Protocol):
    """All accounts, for login and for the operator's commands."""

    def add(self, name: str, keys: NewAccountKeys, level: Level, quota_bytes: int | None, now: int) -> Account:
        """A new account with its special mailboxes; raises Conflict when the name is taken."""
        ...

    def get(self, account: AccountId) -> Account:
        """Raises Missing."""
        ...

    def find(self, name: str) -> Account | None:
        """By account name or alias, both compared folded."""
        ...

    def find_by_address(self, address: Address) -> Account | None:
        """The owner of an identity."""
        ...

    def find_by_folded_address(self, folded: str) -> Account | None:
        """The only account with an address whose lower-case text is `folded`, without `bm-`; None for none or
        several.
        """
        ...

    def all(self) -> list[Account]:
        """By name; without those that were deleted."""
        ...

    def deleted(self) -> list[tuple[Account, int]]:
        """Those that can still be brought back and when they were deleted, longest ago first."""
        ...

    def without_mailbox(self, kind: MailboxKind) -> list[AccountId]:
        """Accounts older than that special mailbox."""
        ...

    def rename(self, account: AccountId, name: str, now: int) -> None:
        """Another name to log in with; the former is given up. Raises Conflict when it is taken."""
        ...

    def set_state(self, account: AccountId, state: AccountState) -> None: ...

    def set_quota(self, account: AccountId, quota_bytes: int | None) -> None:
        """Room for its mail, None for no limit; what is there already stays."""
        ...

    def delete(self, account: AccountId, now: int) -> None:
        """Nobody logs in and its addresses receive no more; all it has stays until it is purged."""
        ...

    def restore(self, account: AccountId) -> None:
        """Bring a deleted one back, with the addresses it had then; raises Missing."""
        ...

    def purge(self, account: AccountId, now: int) -> bool:
        """Take out a deleted account with all it has, or a portion of that; False while there is more."""
        ...

    def replace_secrets(self, account: AccountId, secrets: AccountSecrets) -> None:
        """Those it had at another gateway (M1); its duplicate filter begins anew."""
        ...

    def password_slots(self, account: AccountId) -> list[PasswordSlot]: ...

    def user_key(self, account: AccountId) -> bytes:
        """The user key, where the master key opens it (L0); raises AccountLocked."""
        ...

    def replace_password_slots(self, account: AccountId, slot: NewSlot) -> None:
        """All password slots go, this one comes."""
        ...
