"""Storage as the services see it: units of work and the repositories inside one.

A unit of work is one plain function of a `Store`; it runs on a storage thread, in one transaction. What a user was
promised goes through `Database.transact`, whose return means that it is on disk. Repositories speak values of the
domain and live for one transaction; those that serve a user hang on `AccountStore` and see nothing else.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from bmgate.bm.addresses import Address
from bmgate.bm.hashes import InventoryVector
from bmgate.bm.objects import BitmessageObject
from bmgate.bm.plaintext import Pubkey
from bmgate.domain.account import Account, AccountId, AccountSecrets, AccountState, Level
from bmgate.domain.contact import Contact
from bmgate.domain.identity import Identity, IdentityId, NewIdentity, PubkeyWork, ReceivingKey
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
    StoredMessage,
)
from bmgate.domain.objects import StoredObject
from bmgate.domain.outbox import (
    HistoryEntry,
    NewOutgoing,
    NewSubmission,
    OutboxId,
    OutgoingMessage,
    State,
    Submission,
    SubmissionId,
)
from bmgate.domain.ports.world import NewAccountKeys, NewSlot

T = TypeVar("T")


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
        """By name."""
        ...

    def set_state(self, account: AccountId, state: AccountState) -> None: ...

    def password_slots(self, account: AccountId) -> list[PasswordSlot]: ...

    def user_key(self, account: AccountId) -> bytes:
        """The user key, where the master key opens it (L0); raises AccountLocked."""
        ...

    def replace_password_slots(self, account: AccountId, slot: NewSlot) -> None:
        """All password slots go, this one comes."""
        ...


class Identities(Protocol):
    """Identities of all accounts, for receiving and for pubkeys."""

    def receiving_keys(self) -> list[ReceivingKey]:
        """Of every enabled identity."""
        ...

    def by_lookup(self, address_version: int, lookup: bytes) -> Identity | None:
        """Whose pubkey a getpubkey asks for: ripe (v2, v3) or tag (v4)."""
        ...

    def by_address(self, address: Address) -> Identity | None: ...

    def by_alias(self, name: str) -> Identity | None:
        """The identity an alias of this gateway names, an account's own name included; compared folded."""
        ...

    def public_record(self, identity: IdentityId) -> Pubkey:
        """The identity's pubkey as it is published, behavior bits included."""
        ...

    def without_pubkey(self) -> list[Identity]:
        """Enabled ones whose pubkey was never published and is not being worked on."""
        ...

    def pubkey_work(self) -> list[PubkeyWork]:
        """Pubkeys signed and stored whose proof of work is not done."""
        ...

    def begin_pubkey(self, identity: IdentityId, payload: bytes, now: int) -> None:
        """Record the payload, the publication time and one more publication of today."""
        ...

    def publications_since(self, identity: IdentityId, since: int) -> int:
        """How many pubkeys were begun at or after `since`."""
        ...

    def save_pubkey_nonce(self, identity: IdentityId, nonce: int) -> None: ...

    def end_pubkey(self, identity: IdentityId) -> None:
        """The work is done, or given up: the payload goes."""
        ...


class Outbox(Protocol):
    """The outbox as the gateway sees it, for `services.sending`."""

    def get(self, row: OutboxId) -> OutgoingMessage:
        """Raises Missing."""
        ...

    def submission(self, submission: SubmissionId) -> Submission:
        """With its text; raises Missing, or AccountLocked while the account's keys are away."""
        ...

    def save(self, message: OutgoingMessage, now: int, detail: str) -> OutgoingMessage:
        """Write every changeable field; a change of state adds a line of history."""
        ...

    def save_nonce(self, row: OutboxId, nonce: int) -> None: ...

    def unfinished(self) -> list[OutgoingMessage]:
        """Every row that is not final, oldest first."""
        ...

    def due(self, now: int, limit: int) -> list[OutgoingMessage]:
        """Unfinished rows whose `next_attempt` is set and has come, longest-waiting first."""
        ...

    def waiting_for(self, recipient: Address) -> list[OutgoingMessage]:
        """Rows that want this address's pubkey: NEED_PUBKEY and REQUESTED."""
        ...

    def waiting_by_lookup(self, address_version: int, tag: bytes) -> list[OutgoingMessage]:
        """Such rows whose recipient has this version and, for version 4, this tag."""
        ...

    def watched_acks(self) -> list[tuple[bytes, OutboxId]]:
        """Ack data and row of everything an ack may still come for: unfinished, or FAILED within the last 56 days."""
        ...

    def forget_text(self, submission: SubmissionId) -> None:
        """The text of a submission whose last row is final and whose notices are written."""
        ...

    def count_by_state(self) -> dict[State, int]: ...


class Inventory(Protocol):
    """The objects of the network, ours among them."""

    def add(self, objects: Iterable[StoredObject]) -> list[InventoryVector]:
        """Insert what is not yet there and tell which those were."""
        ...

    def vectors(self) -> list[tuple[InventoryVector, int, int]]:
        """Vector, expiry and `stem_until` of everything stored."""
        ...

    def get(self, vectors: Collection[InventoryVector]) -> dict[InventoryVector, bytes]:
        """The encoded objects among `vectors`."""
        ...

    def to_process(self, limit: int) -> list[StoredObject]:
        """Oldest first."""
        ...

    def mark_processed(self, vectors: Collection[InventoryVector]) -> None: ...

    def pubkeys_by_lookup(self, address_version: int, lookup: bytes) -> list[BitmessageObject]:
        """Stored pubkey objects with this tag (v4), or all of that version (v2, v3), newest expiry first."""
        ...

    def live_getpubkey(self, lookup: bytes, now: int) -> BitmessageObject | None:
        """An own unexpired getpubkey for this ripe or tag."""
        ...

    def purge(self, expired_before: int) -> list[InventoryVector]:
        """Delete what expired before that time and has been processed."""
        ...

    def count(self) -> tuple[int, int]:
        """Objects stored, objects to process."""
        ...


class Pubkeys(Protocol):
    """The cache of others' pubkeys, found by HMAC tag."""

    def find(self, address: Address) -> Pubkey | None: ...

    def save(self, pubkey: Pubkey, now: int) -> None: ...


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

    def status(self, mailbox: MailboxId) -> MailboxStatus: ...


class AccountMessages(Protocol):
    """One account's messages. UID lists are in ascending order, unknown UIDs are passed over."""

    def rows(self, mailbox: MailboxId) -> list[MessageRow]: ...

    def changes(self, mailbox: MailboxId, since_modseq: int) -> Changes: ...

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
        self, mailbox: MailboxId, content: ContentId, flags: Flags, keywords: Collection[str], internaldate: int
    ) -> MessageRow: ...

    def set_flags(
        self, mailbox: MailboxId, uids: Collection[int], change: FlagChange, flags: Flags, keywords: Collection[str]
    ) -> list[MessageRow]:
        """The rows as they are afterwards; MODSEQ rises where something changed."""
        ...

    def expunge(self, mailbox: MailboxId, uids: Collection[int]) -> list[int]:
        """Which of them were there; contents nobody shows any more go too."""
        ...

    def copy(self, mailbox: MailboxId, uids: Collection[int], target: MailboxId) -> list[tuple[int, int]]:
        """Pairs of source and new UID; flags, keywords and internaldate travel along."""
        ...

    def find_by_message_id(self, mailbox: MailboxId, message_id: str) -> list[MessageRow]: ...

    def message_id_tag(self, message_id: str) -> bytes:
        """The tag under which `NewContent.message_id_tag` stores a Message-ID."""
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


class Store(Protocol):
    """One unit of work: the gateway's own views, and the way into an account."""

    @property
    def accounts(self) -> Accounts: ...
    @property
    def identities(self) -> Identities: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def inventory(self) -> Inventory: ...
    @property
    def pubkeys(self) -> Pubkeys: ...

    def account(self, account: AccountId) -> AccountStore:
        """Raises Missing."""
        ...


class Database(Protocol):
    """Where units of work run."""

    async def transact(self, work: Callable[[Store], T]) -> T:
        """Run `work` in a transaction and return once it is durable; an exception rolls it back and is raised here."""
        ...

    async def read(self, work: Callable[[Store], T]) -> T:
        """Run `work` on a snapshot it cannot change."""
        ...


class Failpoints(Protocol):
    """Named points at which a test kills the process; inert by default."""

    def pass_(self, name: str) -> None:
        """Told at each pass of the point `name`."""
        ...
