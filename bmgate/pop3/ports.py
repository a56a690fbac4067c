"""What the POP3 door asks of the services, in the domain's words.

All methods raise the errors of `errors.py`; whoever changes something returns when it is committed (C1).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import MessageHead, StoredMessage
from bmgate.services.mailboxes.maildrops import Maildrop


class Accounts(Protocol):
    """Who may log in."""

    async def login(self, name: str, password: str, source: str) -> AccountId:
        """Raises LoginFailed, after a delay, LimitReached for a source that failed too often, or Unavailable."""
        ...


class Maildrops(Protocol):
    """The mail of one account. UIDs that are gone are passed over silently."""

    async def open(self, account: AccountId) -> Maildrop:
        """For the caller alone until `release`; raises MaildropInUse, AccountLocked."""
        ...

    def release(self, account: AccountId) -> None:
        """Let the next session in."""
        ...

    async def heads(self, maildrop: Maildrop, uids: Collection[int]) -> Sequence[MessageHead]:
        """Headers by ascending UID."""
        ...

    async def messages(self, maildrop: Maildrop, uids: Collection[int]) -> Sequence[StoredMessage]:
        """Whole messages by ascending UID."""
        ...

    async def body(self, maildrop: Maildrop, uuid: bytes, start: int, end: int) -> bytes:
        """Octets of the body of that content from `start` on: some at least, and none from `end` on.

        Raises MessageMissing when another session has expunged the message.
        """
        ...

    async def remove(self, maildrop: Maildrop, uids: Collection[int]) -> None:
        """All in one transaction."""
        ...


@dataclass(frozen=True, slots=True)
class Pop3Services:
    """All that a session needs of the house."""

    accounts: Accounts
    maildrops: Maildrops
