"""Somebody at another gateway to write to."""

import os
from dataclasses import replace

from stations import Station, User

from bmgate.bm.keys import random_keys
from bmgate.bm.objects import read_object
from bmgate.bm.plaintext import Behavior, Pubkey, build_pubkey
from bmgate.domain.objects import StoredObject

DAY = 86_400


class Stranger:
    """Somebody at another gateway, whose key is known, or not."""

    def __init__(self, station: Station, **changes: object) -> None:
        self.station = station
        self.keys = random_keys(os.urandom, leading_zeros=0)
        usual = Pubkey(4, 1, Behavior.DOES_ACK, self.keys.public, 1, 1000)
        self.pubkey = replace(usual, **changes)  # type: ignore[arg-type]

    def as_user(self, alice: User) -> User:
        return replace(alice, identity=replace(alice.identity, address=self.pubkey.address))

    async def known(self) -> "Stranger":
        pubkey, now = self.pubkey, self.station.clock.now()
        await self.station.database.transact(lambda store: store.pubkeys.save(pubkey, now))
        return self

    async def publish_key(self) -> None:
        encoded = build_pubkey(self.pubkey, self.keys, self.station.clock.now() + 20 * DAY, os.urandom)
        stored = StoredObject(read_object(encoded))
        await self.station.database.transact(lambda store: store.inventory.add([stored]))
        self.station.services.receiving.wake()
        await self.station.settle()


async def send(alice: User, stranger: Stranger, **parameters: object) -> None:
    await alice.send(stranger.as_user(alice), **parameters)  # type: ignore[arg-type]
    await alice.station.settle()
