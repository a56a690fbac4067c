"""What the gateway knows of the network: objects, pubkeys of others, acks sent, peers."""

from collections.abc import Collection, Iterable
from typing import Protocol

from bmgate.bm.addresses import Address
from bmgate.bm.hashes import InventoryVector
from bmgate.bm.objects import BitmessageObject
from bmgate.bm.plaintext import Pubkey
from bmgate.domain.objects import StoredObject
from bmgate.domain.peers import KnownPeer, Standing

MAX_BYTES = 8_000_000  # of objects read at once


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
