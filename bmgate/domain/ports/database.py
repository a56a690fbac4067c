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
from bmgate.bm.keys import PublicKeys
from bmgate.bm.objects import BitmessageObject
from bmgate.bm.plaintext import Pubkey
from bmgate.domain.account import Account, AccountId, AccountSecrets, AccountState, Level
from bmgate.domain.chan import ChanId, ChanKey, Membership, MembershipId
from bmgate.domain.identity import Identity, IdentityId, PubkeyWork, ReceivingKey
from bmgate.domain.mailbox import MailboxKind
from bmgate.domain.objects import StoredObject
from bmgate.domain.outbox import (
    OutboxId,
    OutgoingMessage,
    Reason,
    State,
    Submission,
    SubmissionId,
)
from bmgate.domain.peers import KnownPeer, Standing
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.world import NewAccountKeys, NewSlot
from bmgate.domain.subscription import Subscription, SubscriptionId

T = TypeVar("T")
MAX_BYTES = 8_000_000  # of objects read at once


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


class Identities(Protocol):
    """Identities of all accounts, for receiving and for pubkeys."""

    def receiving(self) -> list[IdentityId]:
        """Every enabled identity."""
        ...

    def receiving_keys(self, of: Collection[IdentityId] | None = None) -> list[ReceivingKey]:
        """Of every enabled identity, or of those `of` them that are enabled."""
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
        """Enabled ones whose pubkey was never published, is not being worked on and need not wait to be asked for."""
        ...

    def outdated_pubkeys(self) -> list[Identity]:
        """Enabled ones whose pubkey was published and says what is no longer true."""
        ...

    def deleted_before(self, before: int) -> list[IdentityId]:
        """Those deleted before that time, of accounts that were not."""
        ...

    def purge(self, identity: IdentityId) -> bool:
        """Its keys are gone for good; False, and nothing done, while mail it sent is under way."""
        ...

    def behaviors(self) -> set[int]:
        """All behavior bits that addresses show."""
        ...

    def pubkey_work(self) -> list[PubkeyWork]:
        """Pubkeys signed and stored whose proof of work is not done."""
        ...

    def begin_pubkey(self, identity: IdentityId, payload: bytes, now: int, trials: int) -> None:
        """Record the payload, the publication time and one more publication of today, with its expected trials."""
        ...

    def replace_pubkey(self, identity: IdentityId, payload: bytes, now: int) -> None:
        """Another payload in place of one that nobody has seen."""
        ...

    def publications_since(self, identity: IdentityId, since: int) -> int:
        """How many pubkeys were begun at or after `since`."""
        ...

    def trials_since(self, since: int) -> int:
        """The expected trials of all pubkeys begun at or after `since`."""
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

    def show(self, row: OutboxId, uid: int | None, rendering: int) -> None:
        """Its message in the Outbox: none yet (None), put away by its owner (0), or the one with this UID."""
        ...

    def remind(self, row: OutboxId, at: int | None) -> None:
        """When its sender is to be told that it still waits; None for never."""
        ...

    def notices_due(self, now: int, limit: int) -> list[OutgoingMessage]:
        """Unfinished rows of whose waiting their sender is to be told by now, longest-waiting first."""
        ...

    def held(self, reason: Reason) -> list[OutgoingMessage]:
        """Unfinished rows that wait for this reason, oldest first."""
        ...

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

    def count_by_reason(self) -> dict[Reason, int]:
        """Of unfinished rows, those that wait for a reason."""
        ...

    def oldest_unfinished(self) -> int | None:
        """When the mail that waits longest was given, in Unix seconds."""
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

    def to_process(self, limit: int, max_bytes: int = MAX_BYTES) -> list[StoredObject]:
        """Oldest first: up to `limit` of them, fewer when they are large, but never none."""
        ...

    def mark_processed(self, vectors: Collection[InventoryVector]) -> None: ...

    def stored_from(
        self, first: int, object_type: int, limit: int, max_bytes: int = MAX_BYTES
    ) -> list[tuple[int, BitmessageObject]]:
        """Objects of one type with their numbers, in the order of arrival, from that number on.

        Up to `limit` of them, fewer when they are large, but never none where there is one.
        """
        ...

    def count_from(self, first: int, object_type: int) -> int:
        """How many of one type there are from that number on."""
        ...

    def pubkeys_by_lookup(self, address_version: int, lookup: bytes) -> list[BitmessageObject]:
        """Stored pubkey objects with this tag (v4), or all of that version (v2, v3), newest expiry first."""
        ...

    def live_getpubkey(self, lookup: bytes, now: int) -> BitmessageObject | None:
        """An own unexpired getpubkey for this ripe or tag."""
        ...

    def has_onionpeer(self, payload: bytes, now: int) -> bool:
        """Whether an unexpired onionpeer with this payload is there."""
        ...

    def purge(self, expired_before: int) -> dict[InventoryVector, int]:
        """Delete what expired before that time and has been processed; what that was, and of how many bytes each."""
        ...

    def evict(self, surplus: int) -> dict[InventoryVector, int]:
        """Delete processed objects of `surplus` bytes or a little more, as `purge`: those that expire first.

        Our own go when there are no others left, and last of all those that still wait for an answer (P40).
        """
        ...

    def size(self) -> int:
        """Bytes of all objects together."""
        ...

    def count(self) -> tuple[int, int]:
        """Objects stored, objects to process."""
        ...


class Pubkeys(Protocol):
    """The cache of others' pubkeys, found by HMAC tag."""

    def find(self, address: Address) -> Pubkey | None: ...

    def save(self, pubkey: Pubkey, now: int) -> None: ...


class Acks(Protocol):
    """How often senders of mail were confirmed."""

    def add(self, sender: Address, now: int) -> None:
        """One more ack for what `sender` wrote."""
        ...

    def since(self, sender: Address, since: int) -> int:
        """How many acks `sender` got at or after `since`."""
        ...


class Peers(Protocol):
    """Other nodes: where they are, and who misbehaved."""

    def bucket_key(self) -> bytes:
        """32 secret bytes that are always the same in one data folder."""
        ...

    def known(self) -> list[KnownPeer]:
        """All of them; the node keeps their number within bounds."""
        ...

    def save_known(self, changed: Collection[KnownPeer], gone: Collection[tuple[str, int]]) -> None:
        """Put these in place of what was known of the same host and port, and forget others."""
        ...

    def standings(self) -> list[Standing]: ...

    def save_standings(self, changed: Collection[Standing], gone: Collection[str]) -> None: ...


class Chans(Protocol):
    """The chans of all accounts, for receiving and sending."""

    def receiving(self) -> list[ChanId]:
        """Every chan."""
        ...

    def receiving_keys(self, of: Collection[ChanId]) -> list[ChanKey]:
        """Of those that are still there."""
        ...

    def public_keys(self, address: Address) -> PublicKeys | None:
        """What a post to the chan is encrypted to; None when no account takes part."""
        ...

    def members(self, chan: ChanId) -> list[Membership]:
        """Of all accounts, in the order in which they joined."""
        ...

    def unscanned(self) -> list[Membership]:
        """Those whose posts are still looked for among the stored objects, oldest first."""
        ...

    def note_scanned(self, membership: MembershipId, scan_from: int | None) -> None:
        """Where to go on, None for nowhere."""
        ...


class Subscriptions(Protocol):
    """The enabled subscriptions of all accounts, for receiving."""

    def by_tag(self, tag: bytes) -> list[Subscription]:
        """Those to the address of a v5 broadcast's 32-byte tag."""
        ...

    def untagged(self) -> list[Subscription]:
        """Those to v2 and v3 addresses: whose v4 broadcast one is, only trying tells."""
        ...

    def to(self, address: Address) -> list[Subscription]:
        """Those to one address."""
        ...

    def unscanned(self) -> list[Subscription]:
        """Those whose broadcasts are still looked for among the stored objects, oldest first."""
        ...

    def note_scanned(self, subscription: SubscriptionId, scan_from: int | None) -> None:
        """Where to go on, None for nowhere."""
        ...


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
    @property
    def acks(self) -> Acks: ...
    @property
    def peers(self) -> Peers: ...
    @property
    def chans(self) -> Chans: ...
    @property
    def subscriptions(self) -> Subscriptions: ...

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
