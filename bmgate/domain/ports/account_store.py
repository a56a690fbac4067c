"""Storage as one account sees it: what hangs on `AccountStore`, and nothing of anybody else.

Units of work and the gateway's own views are in `database`.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from bmgate.domain.account import Account, AccountSecrets
from bmgate.domain.enclosures import Enclosures
from bmgate.domain.identity import IdentityId
from bmgate.domain.mailbox import ContentId
from bmgate.domain.outbox import (
    HistoryEntry,
    NewOutgoing,
    NewSubmission,
    OutboxId,
    OutgoingMessage,
    Priority,
    Submission,
    SubmissionId,
)
from bmgate.domain.policy import Scope
from bmgate.domain.ports.account_keys import AccountChans, AccountIdentities, AccountSubscriptions
from bmgate.domain.ports.account_mail import AccountDuplicates, AccountMailboxes, AccountMessages, AccountThreads
from bmgate.domain.ports.account_people import AccountAnswers, AccountContacts, AccountHeldAcks, AccountSenders


class AccountOutbox(Protocol):
    """One account's submissions and their rows."""

    def find_repeat(self, repeat_tag: bytes, since: int) -> Submission | None:
        """The submission with this tag made at or after `since` (O9), unless nothing came of any of its rows."""
        ...

    def add(self, submission: NewSubmission, rows: Iterable[NewOutgoing]) -> list[OutgoingMessage]: ...

    def enclosures(self, submission: SubmissionId) -> Enclosures:
        """What a submission holds beside its text; empty once that is forgotten."""
        ...

    def rows(self, limit: int = 1000) -> list[OutgoingMessage]:
        """Newest first, final ones included."""
        ...

    def unfinished(self) -> list[OutgoingMessage]:
        """Every row that is not final, newest first."""
        ...

    def shown(self, uids: Collection[int]) -> dict[int, OutgoingMessage]:
        """The rows behind messages of the Outbox, by UID."""
        ...

    def unshown(self, limit: int) -> list[OutgoingMessage]:
        """Rows that are not final and have no message in the Outbox yet, oldest first."""
        ...

    def prioritise(self, row: OutboxId, priority: Priority, now: int) -> None:
        """Raises Missing."""
        ...

    def find(self, name: str) -> list[OutgoingMessage]:
        """By queue id (all rows) or `QUEUEID-n` (one)."""
        ...

    def history(self, row: OutboxId) -> list[HistoryEntry]: ...

    def rows_of(self, submission: SubmissionId) -> list[OutgoingMessage]: ...

    def unfinished_count(self) -> int: ...

    def replace_sent_content(self, message_id: str, content: ContentId) -> list[OutgoingMessage]:
        """The Sent copy of the submission with this Message-ID, if there is one, is this content from now on (M7).

        Tells its rows.
        """
        ...

    def has_queue_id(self, queue_id: str) -> bool:
        """Whether a mail of anybody is called so."""
        ...

    def senders_of(self, message_id: str) -> list[IdentityId]:
        """The identities under which mail with this Message-ID was sent, the first one first."""
        ...


class AccountSettings(Protocol):
    """One account's options, in the words they were set with."""

    def values(self, scope: Scope, ref: int = 0) -> dict[str, str]:
        """What is set for one identity, membership or contact, or with 0 for the account itself."""
        ...

    def narrowed(self, refs: Mapping[Scope, int]) -> dict[str, str]:
        """What is in force where these meet: of each option the narrowest value that is set."""
        ...

    def put(self, scope: Scope, ref: int, name: str, value: str | None) -> None:
        """Set an option, or with None leave it to what is wider."""
        ...


class AccountStore(Protocol):
    """All that is one account's, within one unit of work."""

    @property
    def account(self) -> Account: ...
    @property
    def secrets(self) -> AccountSecrets: ...
    @property
    def identities(self) -> AccountIdentities: ...
    @property
    def mailboxes(self) -> AccountMailboxes: ...
    @property
    def messages(self) -> AccountMessages: ...
    @property
    def outbox(self) -> AccountOutbox: ...
    @property
    def contacts(self) -> AccountContacts: ...
    @property
    def held_acks(self) -> AccountHeldAcks: ...
    @property
    def duplicates(self) -> AccountDuplicates: ...
    @property
    def answers(self) -> AccountAnswers: ...
    @property
    def senders(self) -> AccountSenders: ...
    @property
    def settings(self) -> AccountSettings: ...
    @property
    def chans(self) -> AccountChans: ...
    @property
    def subscriptions(self) -> AccountSubscriptions: ...
    @property
    def threads(self) -> AccountThreads: ...
