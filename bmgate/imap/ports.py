"""What the IMAP door asks of the services, in the domain's words.

All methods raise the errors of `errors.py`; whoever changes something returns when it is committed (C1).
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import (
    Changes,
    FlagChange,
    Flags,
    Mailbox,
    MailboxId,
    MailboxSnapshot,
    MailboxStatus,
    MessageHead,
    MessageRow,
    NewMail,
    StoredMessage,
    Transfer,
)
from bmgate.domain.ports.spool import Spools
from bmgate.services.mailboxes.lazy_mail import LazyMail

T = TypeVar("T")


class Accounts(Protocol):
    """Who may log in."""

    async def login(self, name: str, password: str, source: str) -> AccountId:
        """The account of this name and password; raises LoginFailed, after a delay, or Unavailable."""
        ...


class Mailboxes(Protocol):
    """The mail of one account; mailbox names are Unicode. UIDs a mailbox does not have are passed over silently."""

    async def all(self, account: AccountId) -> list[Mailbox]:
        """All of them."""
        ...

    async def former_subscriptions(self, account: AccountId) -> list[str]:
        """Names of mailboxes that were deleted while they were subscribed to."""
        ...

    async def status(self, account: AccountId, name: str) -> MailboxStatus:
        """Raises MailboxMissing."""
        ...

    async def open(self, account: AccountId, name: str, read_only: bool = True) -> MailboxSnapshot:
        r"""What it calls recent is \Recent for this session alone, unless it only reads. Raises MailboxMissing."""
        ...

    def claim_recent(self, mailbox: MailboxId, uidnext: int) -> int:
        r"""A session is told of all messages below `uidnext`; those from the returned UID on are \Recent for it."""
        ...

    async def quota(self, account: AccountId) -> tuple[int, int | None]:
        """Octets in use, and how many there may be; None without a limit."""
        ...

    def now(self) -> int:
        """Unix seconds."""
        ...

    async def changes(self, account: AccountId, mailbox: MailboxId, since_modseq: int) -> Changes:
        """What happened after that MODSEQ; raises MailboxMissing."""
        ...

    async def heads(
        self, account: AccountId, mailbox: MailboxId, uids: Collection[int], budget_octets: int | None = None
    ) -> Sequence[MessageHead]:
        """Headers and indexes by ascending UID; with a budget the first of them that fit, but at least one (I7)."""
        ...

    async def messages(
        self, account: AccountId, mailbox: MailboxId, uids: Collection[int], budget_octets: int | None = None
    ) -> Sequence[StoredMessage]:
        """Whole messages by ascending UID; with a budget the first of them that fit, but at least one (I7)."""
        ...

    async def portion(
        self, account: AccountId, mailbox: MailboxId, uids: Collection[int], budget_octets: int
    ) -> Sequence[StoredMessage] | Sequence[MessageHead]:
        """The first messages that fit together; one that is larger than the budget comes alone, as its head (I7)."""
        ...

    async def body(self, account: AccountId, uuid: bytes, start: int, end: int) -> bytes:
        """Octets of the body of that content from `start` on: some at least, and none from `end` on.

        Raises MessageMissing when the last message that showed it was expunged meanwhile.
        """
        ...

    async def look_into(self, account: AccountId, head: MessageHead, look: Callable[[LazyMail], T]) -> T:
        """What `look` finds in a large mail, off the loop; it reads what it needs. Raises MessageMissing."""
        ...

    def watch(self, mailbox: MailboxId, callback: Callable[[], None]) -> Callable[[], None]:
        """Have `callback` called in the loop after every committed change, until the function returned is called."""
        ...

    async def create(self, account: AccountId, name: str) -> Mailbox:
        """The new mailbox, or the special one that `name` is a synonym of.

        Raises MailboxExists, NotAllowed, LimitReached.
        """
        ...

    async def delete(self, account: AccountId, name: str) -> MailboxId:
        """Which mailbox it was; raises MailboxMissing, NotAllowed."""
        ...

    async def rename(self, account: AccountId, name: str, new_name: str) -> None:
        """Raises MailboxMissing, MailboxExists, NotAllowed."""
        ...

    async def set_subscribed(self, account: AccountId, name: str, subscribed: bool) -> None:
        """Raises MailboxMissing."""
        ...

    async def append_all(self, account: AccountId, name: str, mails: Sequence[NewMail]) -> Transfer:
        """Store mails, all or none; a target UID for each. Raises MailboxMissing, OverQuota, NotAllowed."""
        ...

    async def set_flags(
        self,
        account: AccountId,
        mailbox: MailboxId,
        uids: Collection[int],
        change: FlagChange,
        flags: Flags,
        keywords: Collection[str],
        unchanged_since: int | None = None,
    ) -> Sequence[MessageRow]:
        """The rows as they are afterwards; those changed after `unchanged_since` are left alone and left out."""
        ...

    async def expunge(self, account: AccountId, mailbox: MailboxId, uids: Collection[int] | None) -> Sequence[int]:
        r"""Remove what is \Deleted, of `uids` only when they are given; the UIDs that went."""
        ...

    async def copy(self, account: AccountId, mailbox: MailboxId, uids: Collection[int], target: str) -> Transfer:
        """Raises MailboxMissing when there is no `target`."""
        ...

    async def move(self, account: AccountId, mailbox: MailboxId, uids: Collection[int], target: str) -> Transfer:
        """As `copy`, and the messages leave their mailbox in the same transaction."""
        ...


@dataclass(frozen=True, slots=True)
class ImapServices:
    """All that a session needs of the house."""

    accounts: Accounts
    mailboxes: Mailboxes
    spools: Spools
