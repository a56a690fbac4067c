"""Storage as one account sees it: what hangs on `AccountStore`, and nothing of anybody else.

Units of work and the gateway's own views are in `database`.
"""

from collections.abc import Collection, Iterable
from typing import Protocol

from bmgate.bm.addresses import Address
from bmgate.domain.account import Account, AccountSecrets
from bmgate.domain.contact import Contact
from bmgate.domain.identity import Identity, IdentityId, NewIdentity
from bmgate.domain.mailbox import (
    Changes,
    ContentId,
    FlagChange,
    Flags,
    Mailbox,
    MailboxId,
    MailboxKind,
    MailboxStatus,
    MessageHead,
    MessageRow,
    NewContent,
    SentCopy,
    StoredMessage,
)
from bmgate.domain.outbox import (
    HistoryEntry,
    NewOutgoing,
    NewSubmission,
    OutboxId,
    OutgoingMessage,
    Submission,
    SubmissionId,
)


class AccountIdentities(Protocol):
    """One account's identities and aliases."""

    def add(self, identity: NewIdentity) -> Identity:
        """Raises Conflict when the gateway has an identity of the same ripe."""
        ...

    def all(self) -> list[Identity]:
        """Oldest first."""
        ...

    def default(self) -> Identity | None: ...

    def get(self, identity: IdentityId) -> Identity:
        """Raises Missing."""
        ...

    def private_keys(self, identity: IdentityId) -> tuple[bytes, bytes]:
        """Signing and encryption key, 32 bytes each; raises AccountLocked."""
        ...

    def add_alias(self, name: str, identity: IdentityId, now: int) -> None:
        """Raises Conflict when the name is somebody's."""
        ...

    def aliases(self) -> dict[str, IdentityId]: ...


class AccountMailboxes(Protocol):
    """One account's mailboxes. UIDs, UIDVALIDITY and MODSEQ come from stored counters, moved in the transaction."""

    def all(self) -> list[Mailbox]:
        """Special ones first, then by name."""
        ...

    def find(self, name: str) -> Mailbox | None:
        """Exact name; INBOX in any case."""
        ...

    def get(self, mailbox: MailboxId) -> Mailbox:
        """Raises MailboxMissing."""
        ...

    def by_kind(self, kind: MailboxKind) -> Mailbox: ...

    def create(self, name: str, kind: MailboxKind, now: int) -> Mailbox:
        """Raises MailboxExists; UIDVALIDITY is max(last + 1, now) of the account (U3)."""
        ...

    def delete(self, mailbox: MailboxId) -> None:
        """With its messages."""
        ...

    def rename(self, mailbox: MailboxId, name: str) -> None:
        """Raises MailboxExists."""
        ...

    def set_subscribed(self, mailbox: MailboxId, subscribed: bool) -> None: ...

    def status(self, mailbox: MailboxId, recent_uid: int = 1) -> MailboxStatus:
        """With the messages from `recent_uid` on counted as recent, if the mailbox does not say a later one."""
        ...

    def claim_recent(self, mailbox: MailboxId, uid: int) -> None:
        """Messages below `uid` are recent for no further session."""
        ...


class AccountMessages(Protocol):
    """One account's messages. UID lists are in ascending order, unknown UIDs are passed over."""

    def rows(self, mailbox: MailboxId) -> list[MessageRow]: ...

    def changes(self, mailbox: MailboxId, since_modseq: int) -> Changes:
        """Where the memory of expunges does not reach back so far, all UIDs that are not there count as expunged."""
        ...

    def heads(self, mailbox: MailboxId, uids: Collection[int]) -> list[MessageHead]: ...

    def messages(
        self, mailbox: MailboxId, uids: Collection[int], budget_octets: int | None = None
    ) -> list[StoredMessage]:
        """Whole messages; with a budget the first of them that fit, but at least one (I7)."""
        ...

    def by_content(self, content: ContentId) -> StoredMessage | None:
        """A mail by its content, with UID 0; None when it is gone."""
        ...

    def add_content(self, content: NewContent) -> ContentId:
        """Sealed and stored once; raises OverQuota."""
        ...

    def append(
        self,
        mailbox: MailboxId,
        content: ContentId,
        flags: Flags,
        keywords: Collection[str],
        internaldate: int,
        saved_at: int | None = None,
    ) -> MessageRow:
        """Saved at its internaldate, if nothing else is said."""
        ...

    def set_flags(
        self,
        mailbox: MailboxId,
        uids: Collection[int],
        change: FlagChange,
        flags: Flags,
        keywords: Collection[str],
        unchanged_since: int | None = None,
    ) -> list[MessageRow]:
        """The rows as they are afterwards; MODSEQ rises where something changed.

        Rows that changed after the MODSEQ `unchanged_since` are left alone and left out.
        """
        ...

    def expunge(self, mailbox: MailboxId, uids: Collection[int]) -> list[int]:
        """Which of them were there; contents nobody shows any more go too."""
        ...

    def copy(
        self, mailbox: MailboxId, uids: Collection[int], target: MailboxId, saved_at: int | None = None
    ) -> list[tuple[int, int]]:
        """Pairs of source and new UID; flags, keywords and internaldate travel along."""
        ...

    def find_by_message_id(self, mailbox: MailboxId, message_id: str) -> list[MessageRow]: ...

    def sent_copies(self, mailbox: MailboxId, message_id: str) -> list[SentCopy]:
        """The mails of that Message-ID, by UID."""
        ...

    def client_copy_tag(self, message_id: str) -> bytes:
        """The `NewContent.vector_tag` of a copy in Sent that a client stored."""
        ...

    def message_id_tag(self, message_id: str) -> bytes:
        """The tag under which `NewContent.message_id_tag` stores a Message-ID."""
        ...

    def used_octets(self) -> int:
        """What the account's mail counts against its quota."""
        ...

    def status_keywords(self, content: ContentId, remove: Collection[str], add: Collection[str]) -> list[MailboxId]:
        """Change keywords of every message showing `content`, and tell in which mailboxes."""
        ...


class AccountOutbox(Protocol):
    """One account's submissions and their rows."""

    def find_repeat(self, repeat_tag: bytes, since: int) -> Submission | None:
        """The submission with this tag made at or after `since` (O9)."""
        ...

    def add(self, submission: NewSubmission, rows: Iterable[NewOutgoing]) -> list[OutgoingMessage]: ...

    def rows(self, limit: int = 1000) -> list[OutgoingMessage]:
        """Newest first, final ones included."""
        ...

    def unfinished(self) -> list[OutgoingMessage]:
        """Every row that is not final, newest first."""
        ...

    def find(self, name: str) -> list[OutgoingMessage]:
        """By queue id (all rows) or `QUEUEID-n` (one)."""
        ...

    def history(self, row: OutboxId) -> list[HistoryEntry]: ...

    def rows_of(self, submission: SubmissionId) -> list[OutgoingMessage]: ...

    def unfinished_count(self) -> int: ...

    def replace_sent_content(self, message_id: str, content: ContentId) -> None:
        """The Sent copy of the submission with this Message-ID, if there is one, is this content from now on (M7)."""
        ...


class AccountContacts(Protocol):
    """One account's address book and correspondents."""

    def all(self) -> list[Contact]: ...

    def save(self, contact: Contact) -> None:
        """Add to the address book, or give another label."""
        ...

    def label_of(self, address: Address) -> str:
        """Empty when there is none."""
        ...

    def note_correspondent(self, address: Address) -> bool:
        """Remember that mail was exchanged; True the first time."""
        ...

    def correspondents(self) -> list[Address]: ...


class AccountDuplicates(Protocol):
    """The duplicate filter of one account (I14)."""

    def seen(self, content_id: bytes) -> bool: ...

    def remember(self, content_id: bytes, keep_until: int) -> None:
        """Insert, or prolong."""
        ...

    def forget(self, before: int) -> None:
        """Drop what was to be kept until a time before that."""
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
    def duplicates(self) -> AccountDuplicates: ...
