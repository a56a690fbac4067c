"""What the SMTP door asks of the services."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import Flags
from bmgate.mail.addresses import Resolved
from bmgate.services.outbound.submission import Envelope, Receipt


class Accounts(Protocol):
    """Who may log in."""

    async def login(self, name: str, password: str, source: str) -> AccountId:
        """Raises LoginFailed, after a delay, LimitReached for a source that failed too often, or Unavailable."""
        ...

    async def of_sender(self, addr_spec: str) -> AccountId:
        """Whose identity this is, for an MTA that has authenticated him; raises NotAllowed."""
        ...


class Submissions(Protocol):
    """Takes mail from authenticated accounts."""

    async def check_sender(self, account: AccountId, addr_spec: str) -> None:
        """Raises NotAllowed unless the account may send as this address."""
        ...

    async def resolve(self, account: AccountId, addr_spec: str) -> Resolved:
        """Whom a recipient means; raises BadAddress, BadTtl, RecipientMissing, Ambiguous or NotAllowed."""
        ...

    async def submit(self, envelope: Envelope, raw: bytes) -> Receipt:
        """Durable when this returns (C1); raises BadMail, UnsupportedMedia, TooLarge, NotAllowed, LimitReached."""
        ...


class Mailboxes(Protocol):
    """Where the reports of an MTA go."""

    async def append(
        self,
        account: AccountId,
        name: str,
        raw: bytes,
        flags: Flags,
        keywords: Collection[str],
        internaldate: int | None,
    ) -> object:
        """Durable when this returns; raises OverQuota."""
        ...


@dataclass(frozen=True, slots=True)
class SmtpServices:
    """All that a session needs of the house."""

    accounts: Accounts
    submissions: Submissions
    mailboxes: Mailboxes
