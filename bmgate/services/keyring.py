"""The keyring: the encryption keys of all enabled identities, in the form that tries them fastest.

It follows the database by difference: one new address costs one key, and a hundred thousand at the start are read in
portions, off the loop. Whose msg it was is looked up only after a hit; until then an identity is a number.
"""

import asyncio
from itertools import islice

from bmgate.bm.crypto import read_ciphertext
from bmgate.bm.objects import BitmessageObject
from bmgate.bm.trial import KeySet
from bmgate.domain.identity import IdentityId
from bmgate.domain.ports.database import Database
from bmgate.errors import BadObject

PORTION = 500  # keys read and taken at once: some milliseconds

Opened = tuple[IdentityId, bytes]
"""An identity, and the plaintext of a msg to it."""


class Keyring:
    """Tries msgs. `refresh` and `open` are for one task at a time, `identities_changed` for anybody on the loop."""

    def __init__(self, database: Database, keys: KeySet[IdentityId]) -> None:
        self._database, self._keys = database, keys
        self._changed = True

    def __len__(self) -> int:
        """How many keys are tried on each msg."""
        return len(self._keys)

    def identities_changed(self) -> None:
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
        enabled = await self._database.read(lambda store: store.identities.receiving())
        gone, new = await asyncio.to_thread(self._differences, enabled)
        for identity in gone:
            self._keys.remove(identity)
        pending = iter(new)
        while portion := list(islice(pending, PORTION)):
            await self._add(portion)

    def _differences(self, enabled: list[IdentityId]) -> tuple[list[IdentityId], list[IdentityId]]:
        """Those to let go, and those to take."""
        held, wanted = self._keys.owners, set(enabled)
        return [each for each in held if each not in wanted], [each for each in enabled if each not in held]

    async def _add(self, portion: list[IdentityId]) -> None:
        keys = await self._database.read(lambda store: store.identities.receiving_keys(portion))
        await asyncio.to_thread(self._keys.add_all, [(key.encryption_key, key.identity) for key in keys])
