"""Others as one account sees them: its contacts, and what is remembered of those who write to it."""

from collections.abc import Iterable
from typing import Protocol

from bmgate.bm.addresses import Address
from bmgate.domain.contact import Contact, HeldAck, Standing
from bmgate.domain.identity import IdentityId
from bmgate.domain.policy import Reads


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

    def known(self) -> list[Address]:
        """Every address about which something is remembered, oldest first."""
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

    def held_for(self, senders: Iterable[Address]) -> list[HeldAck]:
        """Those for mail of these senders, of whom no one is told beside them."""
        ...

    def take_over(self, held: Iterable[HeldAck]) -> None:
        """What another gateway held, under the dedupe key that this account has now."""
        ...

    def take(self, sender: Address) -> list[bytes]:
        """The packets for mail of this sender, which are held no longer."""
        ...

    def forget(self, before: int) -> None:
        """Drop what was to be kept until a time before that."""
        ...


class AccountSenders(Protocol):
    """How much senders wrote to one account lately, as one moment for each."""

    def until(self, sender: Address) -> int:
        """What was kept for this sender; 0 when there is nothing, or it has passed."""
        ...

    def keep(self, sender: Address, until: int, now: int) -> None: ...


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
