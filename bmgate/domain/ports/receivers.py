"""Who receives in this gateway, across accounts: identities, chans, subscriptions."""

from collections.abc import Collection
from typing import Protocol

from bmgate.bm.addresses import Address
from bmgate.bm.keys import PublicKeys
from bmgate.bm.plaintext import Pubkey
from bmgate.domain.chan import ChanId, ChanKey, Membership, MembershipId
from bmgate.domain.identity import Identity, IdentityId, PubkeyWork, ReceivingKey
from bmgate.domain.subscription import Subscription, SubscriptionId


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
