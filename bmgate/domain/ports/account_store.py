"""Storage as one account sees it: what hangs on `AccountStore`, and nothing of anybody else.

Units of work and the gateway's own views are in `database`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from bmgate.bm.addresses import Address
from bmgate.bm.keys import PrivateKeys
from bmgate.domain.account import Account, AccountSecrets
from bmgate.domain.chan import Membership, MembershipId, NewChan
from bmgate.domain.contact import Contact, Standing
from bmgate.domain.enclosures import Enclosures
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
    StagedMail,
    StoredMessage,
)
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
from bmgate.domain.policy import Reads, Scope
from bmgate.domain.subscription import Subscription, SubscriptionId
from bmgate.domain.thread import Exchange, Thread


class AccountIdentities(Protocol):
    """One account's identities and aliases."""

    def add(self, identity: NewIdentity) -> Identity:
        """Raises Conflict when the gateway has an identity or a chan of the same ripe."""
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

    def set_demand(self, identity: IdentityId, nonce_trials_per_byte: int) -> None:
        """The work this address demands from now on; a pubkey that says otherwise is outdated."""
        ...

    def set_behavior(self, identity: IdentityId, behavior: int) -> None:
        """The behavior bits this address shows from now on; a pubkey that says otherwise is outdated."""
        ...

    def set_label(self, identity: IdentityId, label: str) -> None:
        """The owner's own word for it."""
        ...

    def set_enabled(self, identity: IdentityId, enabled: bool) -> None:
        """A disabled one neither receives nor sends."""
        ...

    def set_default(self, identity: IdentityId) -> None:
        """The one that the account's name means."""
        ...

    def delete(self, identity: IdentityId, now: int) -> None:
        """It receives no more and its names are free for this account; its keys stay until it is purged."""
        ...

    def restore(self, identity: IdentityId, now: int) -> None:
        """Bring back a deleted one, with its names; raises Missing."""
        ...

    def deleted(self) -> list[Identity]:
        """Those that can still be brought back, oldest first."""
        ...

    def add_alias(self, name: str, identity: IdentityId, now: int) -> None:
        """Raises Conflict when the name is somebody's, or was within a year."""
        ...

    def remove_alias(self, name: str, now: int) -> IdentityId:
        """Give up a name, which told this identity; raises Missing, NotAllowed for the account's own name."""
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

    def create(self, name: str, kind: MailboxKind, now: int, subscribed: bool = True) -> Mailbox:
        """Raises MailboxExists; UIDVALIDITY is max(last + 1, now) of the account (U3)."""
        ...

    def delete(self, mailbox: MailboxId) -> None:
        """With its messages; who is subscribed to it stays so (RFC 3501 6.3.6)."""
        ...

    def former_subscriptions(self) -> list[str]:
        """Names of mailboxes that are gone, and still subscribed to."""
        ...

    def forget_subscription(self, name: str) -> bool:
        """Whether that was the name of a mailbox that is gone."""
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

    def show_staged(self, mailbox: MailboxId, staged: Sequence[StagedMail], saved_at: int) -> None:
        """Contents that were stored before become messages, in their order."""
        ...

    def has_staged(self) -> bool:
        """Whether there are contents that no message shows."""
        ...

    def drop_staged(self) -> int:
        """Contents that no message shows go; how many there were."""
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

    def places_of(self, message_id: str) -> list[tuple[MailboxId, int]]:
        """Mailbox and UID of each mail of that Message-ID."""
        ...

    def places_of_content(self, uuid: bytes) -> list[tuple[MailboxId, int]]:
        """Mailbox and UID of each message that shows the content of that name."""
        ...

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

    def prioritise(self, row: OutboxId, priority: Priority) -> None:
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


class AccountContacts(Protocol):
    """One account's address book and correspondents."""

    def all(self) -> list[Contact]:
        """The address book, oldest first."""
        ...

    def count(self) -> int:
        """How many are in the address book."""
        ...

    def entries(self) -> list[Contact]:
        """The same, with those that were allowed or blocked without being in it."""
        ...

    def remove(self, address: Address) -> None:
        """Take out of the address book, and forget whether it was allowed or blocked."""
        ...

    def save(self, contact: Contact) -> None:
        """Add to the address book, or give another label."""
        ...

    def label_of(self, address: Address) -> str:
        """Empty when there is none."""
        ...

    def note_correspondent(self, address: Address) -> bool:
        """Remember that mail was exchanged; True the first time."""
        ...

    def note_written(self, address: Address) -> None:
        """Remember that the account wrote there: it is no stranger from now on."""
        ...

    def was_written_to(self, address: Address) -> bool: ...

    def correspondents(self) -> list[Address]: ...

    def reads_of(self, address: Address) -> Reads:
        """What this address showed that it reads: FILES, MIME, or AUTO where nothing is known (O11)."""
        ...

    def learn_reads(self, address: Address, reads: Reads) -> None:
        """What mail signed by this address shows; the latest wins."""
        ...

    def standing_of(self, address: Address) -> Standing: ...

    def set_standing(self, address: Address, standing: Standing) -> None: ...

    def ref_of(self, address: Address) -> int:
        """The number of an address in the account's settings; 0 when it was never heard of."""
        ...

    def make_ref(self, address: Address) -> int:
        """The same, for an address about which something is to be remembered."""
        ...


class AccountHeldAcks(Protocol):
    """Acks for mail of strangers, until the account says whether it wants that mail (M3)."""

    def hold(self, sender: Address, content_id: bytes, packet: bytes, keep_until: int) -> None:
        """In place of an earlier one for the same mail; beyond a number the first to end goes."""
        ...

    def take(self, sender: Address) -> list[bytes]:
        """The packets for mail of this sender, which are held no longer."""
        ...

    def forget(self, before: int) -> None:
        """Drop what was to be kept until a time before that."""
        ...


class AccountDuplicates(Protocol):
    """The duplicate filter of one account (I14)."""

    def tags(self) -> list[tuple[bytes, int]]:
        """All of it, each with its end of time: what another gateway needs beside the dedupe key."""
        ...

    def take_over(self, tags: Iterable[tuple[bytes, int]]) -> None:
        """What another gateway's filter held under the dedupe key that this account has now."""
        ...

    def seen(self, content_id: bytes) -> bool: ...

    def remember(self, content_id: bytes, keep_until: int) -> None:
        """Insert, or prolong."""
        ...

    def forget(self, before: int) -> None:
        """Drop what was to be kept until a time before that."""
        ...


class AccountAnswers(Protocol):
    """Whom one account's identities answered by themselves (V17). Times are Unix seconds."""

    def last(self, identity: IdentityId, correspondent: Address) -> int | None:
        """When this correspondent was answered last."""
        ...

    def count(self, identity: IdentityId, since: int) -> int:
        """How many correspondents were answered at or after `since`."""
        ...

    def note(self, identity: IdentityId, correspondent: Address, now: int) -> None:
        """Answered now."""
        ...

    def forget(self, identity: IdentityId, before: int) -> None:
        """Drop what was answered before that time."""
        ...


class AccountSenders(Protocol):
    """How much senders wrote to one account lately, as one moment for each."""

    def until(self, sender: Address) -> int:
        """What was kept for this sender; 0 when there is nothing, or it has passed."""
        ...

    def keep(self, sender: Address, until: int, now: int) -> None: ...


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


class AccountChans(Protocol):
    """The chans in which one account takes part."""

    def all(self) -> list[Membership]:
        """In the order in which the account joined."""
        ...

    def find(self, address: Address) -> Membership | None: ...

    def by_mailbox(self, mailbox: MailboxId) -> Membership | None:
        """The chan whose posts that mailbox takes."""
        ...

    def join(self, chan: NewChan, mailbox: MailboxId, now: int) -> Membership:
        """Raises Conflict when the account takes part already, or the keys are those of an identity."""
        ...

    def leave(self, membership: MembershipId) -> None:
        """The keys go with the last member; raises Missing."""
        ...

    def private_keys(self, membership: MembershipId) -> PrivateKeys:
        """The keys that all members share; raises Missing."""
        ...


class AccountSubscriptions(Protocol):
    """One account's subscriptions."""

    def all(self) -> list[Subscription]:
        """Oldest first."""
        ...

    def find(self, address: Address) -> Subscription | None: ...

    def by_mailbox(self, mailbox: MailboxId) -> Subscription | None:
        """The one whose broadcasts that mailbox takes."""
        ...

    def add(self, address: Address, mailbox: MailboxId, now: int) -> Subscription:
        """Raises Conflict when it is there already."""
        ...

    def set_enabled(self, subscription: SubscriptionId, enabled: bool) -> None:
        """What came in between is looked for again; raises Missing."""
        ...

    def remove(self, subscription: SubscriptionId) -> None:
        """Raises Missing."""
        ...


class AccountThreads(Protocol):
    """What one account's mail is threaded by. Times are Unix seconds."""

    def add_vector(self, vector: bytes, mail: Thread, exchange: Exchange, now: int) -> None:
        """The object `vector` carried this mail, between these two."""
        ...

    def by_vector(self, vector: bytes) -> Thread | None:
        """The mail that an object carried."""
        ...

    def vectors_of(self, message_id: str, exchange: Exchange) -> list[bytes]:
        """The objects that carried this mail between exactly these two, oldest first."""
        ...

    def add_alias(self, alias: str, mail: Thread, exchange: Exchange, now: int) -> None:
        """The correspondent's own program calls this mail `alias`, a Message-ID (I8)."""
        ...

    def by_alias(self, alias: str, exchange: Exchange) -> Thread | None:
        """What this correspondent calls so."""
        ...

    def add_subject(self, subject: str, mail: Thread, exchange: Exchange, now: int) -> None:
        """The latest mail about `subject`, a base subject, between these two."""
        ...

    def by_subject(self, subject: str, exchange: Exchange, now: int) -> Thread | None:
        """The latest mail about it, if that is not long ago."""
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
