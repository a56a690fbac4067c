"""The keyring: the encryption keys of all enabled identities and all chans, in the form that tries them fastest.

It follows the database by difference: one new address costs one key, and a hundred thousand at the start are read in
portions, off the loop. Whose msg it was is looked up only after a hit; until then an identity is a number.
"""

import asyncio
from collections.abc import Iterable
from itertools import islice

from bmgate.bm.crypto import read_ciphertext
from bmgate.bm.objects import BitmessageObject
from bmgate.bm.trial import KeySet
from bmgate.domain.chan import ChanId, ChanOwner
from bmgate.domain.identity import IdentityId
from bmgate.domain.ports.database import Database, Store
from bmgate.errors import BadObject

PORTION = 500  # keys read and taken at once: some milliseconds

KeyOwner = IdentityId | ChanOwner
"""Whose key it is. Identities are many, and plain numbers here."""

Opened = tuple[KeyOwner, bytes]
"""An identity or a chan, and the plaintext of a msg to it."""


class Keyring:
    """Tries msgs. `refresh` and `open` are for one task at a time, `keys_changed` for anybody on the loop."""

    def __init__(self, database: Database, keys: KeySet[KeyOwner]) -> None:
        self._database, self._keys = database, keys
        self._changed = True

    def __len__(self) -> int:
        """How many keys are tried on each msg."""
        return len(self._keys)

    def keys_changed(self) -> None:
        """Keys came or went."""
        self._changed = True

    async def refresh(self) -> None:
        """Follow the database; raises Unavailable, and then goes on where it was the next time."""
        while self._changed:
            self._changed = False
            try:
                await self._follow()
            except BaseException:
                self._changed = True
                raise

    def open(self, obj: BitmessageObject) -> list[Opened]:
        """Try every key on a msg, to be called on a thread; raises ShuttingDown after `close`."""
        try:
            ciphertext = read_ciphertext(obj.ciphertext)
        except BadObject:
            return []
        return self._keys.open(ciphertext)

    def close(self) -> None:
        """End what is under way, within milliseconds."""
        self._keys.close()

    async def _follow(self) -> None:
        identities, chans = await self._database.read(
            lambda store: (store.identities.receiving(), store.chans.receiving())
        )
        gone, new = await asyncio.to_thread(self._differences, identities, chans)
        for owner in gone:
            self._keys.remove(owner)
        pending = iter(new)
        while portion := list(islice(pending, PORTION)):
            await self._add(portion)

    def _differences(
        self, identities: list[IdentityId], chans: Iterable[ChanId]
    ) -> tuple[list[KeyOwner], list[KeyOwner]]:
        """Those to let go, and those to take."""
        enabled: list[KeyOwner] = [*identities, *map(ChanOwner, chans)]
        held, wanted = self._keys.owners, set(enabled)
        return [each for each in held if each not in wanted], [each for each in enabled if each not in held]

    async def _add(self, portion: list[KeyOwner]) -> None:
        keys = await self._database.read(lambda store: _keys_of(store, portion))
        await asyncio.to_thread(self._keys.add_all, keys)


def _keys_of(store: Store, owners: Iterable[KeyOwner]) -> list[tuple[bytes, KeyOwner]]:
    """Of those that are still there."""
    identities, chans = list[IdentityId](), list[ChanId]()
    for owner in owners:
        if isinstance(owner, ChanOwner):
            chans.append(owner.chan)
        else:
            identities.append(owner)
    found: list[tuple[bytes, KeyOwner]] = []
    if identities:
        found += [(key.encryption_key, key.identity) for key in store.identities.receiving_keys(identities)]
    if chans:
        found += [(key.encryption_key, ChanOwner(key.chan)) for key in store.chans.receiving_keys(chans)]
    return found
