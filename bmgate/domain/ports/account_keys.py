"""Keys of one account: its identities with their names, its chans, and the addresses it subscribes to."""

from typing import Protocol

from bmgate.bm.addresses import Address
from bmgate.bm.keys import PrivateKeys
from bmgate.domain.chan import Membership, MembershipId, NewChan
from bmgate.domain.identity import Identity, IdentityId, NewIdentity
from bmgate.domain.mailbox import MailboxId
from bmgate.domain.subscription import Subscription, SubscriptionId


class AccountIdentities(Protocol):
    """One account's identities and aliases."""

    def add(self, identity: NewIdentity) -> Identity:
        """Raises Conflict when the gateway has an identity or a chan of the same ripe."""
        ...

    def all(self) -> list[Identity]:
        """Oldest first."""
        ...

    def count(self) -> int:
        """How many there are, without looking into them."""
        ...

    def find(self, address: Address) -> Identity | None:
        """The one of this address."""
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

    def former_aliases(self, identity: IdentityId) -> list[str]:
        """The names that a deleted one would have again."""
        ...


class AccountChans(Protocol):
    """The chans in which one account takes part."""

    def all(self) -> list[Membership]:
        """In the order in which the account joined."""
        ...

    def count(self) -> int:
        """How many there are."""
        ...

    def find(self, address: Address) -> Membership | None: ...

    def of_ripe(self, ripe: bytes) -> Membership | None:
        """The account's part in the chan of these keys, whatever the version of its address."""
        ...

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

    def count(self) -> int:
        """How many there are."""
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
