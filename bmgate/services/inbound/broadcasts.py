"""Broadcasts: which of them somebody here subscribed to, and what is in them.

Version 5 tells its sender's tag, which finds the subscriptions. Version 4 tells nothing, and every subscription that
could be meant is tried, never stopping at a match. Source: protocol specification v3, "broadcast".
"""

import asyncio
from collections.abc import Iterable

from bmgate.bm.addresses import Address
from bmgate.bm.crypto import decrypt, read_ciphertext
from bmgate.bm.hashes import InventoryVector
from bmgate.bm.objects import BitmessageObject, ObjectType
from bmgate.bm.trial import KeySet
from bmgate.domain.ports.database import Database, Store
from bmgate.errors import BadObject

TAGGED, UNTAGGED = 5, 4  # versions

Read = tuple[Address, bytes]
"""A subscribed address, and the plaintext of a broadcast under its key."""


class Broadcasts:
    """Opens broadcasts. `refresh` and `open` are for one task at a time, `subscriptions_changed` for anybody."""

    def __init__(self, database: Database, untagged: KeySet[Address]) -> None:
        self._database, self._untagged = database, untagged
        self._changed = True

    def subscriptions_changed(self) -> None:
        """Some came or went."""
        self._changed = True

    async def refresh(self) -> None:
        """Follow the database; raises Unavailable, and then does so the next time."""
        while self._changed:
            self._changed = False
            try:
                subscriptions = await self._database.read(lambda store: store.subscriptions.untagged())
                await asyncio.to_thread(self._follow, {each.address for each in subscriptions})
            except BaseException:
                self._changed = True
                raise

    def open_untagged(self, obj: BitmessageObject) -> list[Read]:
        """Try a version 4 broadcast, to be called on a thread; raises ShuttingDown after `close`."""
        if not len(self._untagged):
            return []
        try:
            return self._untagged.open(read_ciphertext(obj.ciphertext))
        except BadObject:
            return []

    async def open_tagged(self, objects: Iterable[BitmessageObject]) -> dict[InventoryVector, Read]:
        """Those of version 5 among `objects` that somebody subscribed to."""
        tagged = [obj for obj in objects if is_broadcast(obj, TAGGED)]
        if not tagged:
            return {}
        senders = await self._database.read(lambda store: _senders(store, {obj.tag for obj in tagged}))
        return await asyncio.to_thread(_opened, tagged, senders) if senders else {}

    def close(self) -> None:
        """End what is under way."""
        self._untagged.close()

    def _follow(self, wanted: set[Address]) -> None:
        held = set(self._untagged.owners)
        for address in held - wanted:
            self._untagged.remove(address)
        self._untagged.add_all([(address.derived_key, address) for address in wanted - held])


def is_broadcast(obj: BitmessageObject, version: int) -> bool:
    """Whether it is one, of that version."""
    return obj.object_type == ObjectType.BROADCAST and obj.version == version


def try_address(obj: BitmessageObject, address: Address) -> bytes | None:
    """The plaintext of a broadcast if the key of `address` opens it."""
    if is_broadcast(obj, TAGGED) != (address.version >= 4) or (obj.has_tag and obj.tag != address.tag):
        return None
    return decrypt(obj.ciphertext, address.derived_key)


def _senders(store: Store, tags: Iterable[bytes]) -> dict[bytes, Address]:
    """Whose broadcasts those are, where somebody reads them."""
    found = ((tag, store.subscriptions.by_tag(tag)) for tag in tags)
    return {tag: subscriptions[0].address for tag, subscriptions in found if subscriptions}


def _opened(objects: Iterable[BitmessageObject], senders: dict[bytes, Address]) -> dict[InventoryVector, Read]:
    opened: dict[InventoryVector, Read] = {}
    for obj in objects:
        sender = senders.get(obj.tag)
        plaintext = None if sender is None else try_address(obj, sender)
        if sender is not None and plaintext is not None:
            opened[obj.vector] = sender, plaintext
    return opened
