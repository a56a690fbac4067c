"""Tells peers of objects when `announcements` says so, in few packets, and first of all of everything we have.

A round of announcements a second: what became due meanwhile shares an inv, whose order tells nothing. An object in a
stem goes to one child, by dinv or, where the stem is to end there, by inv. Much is told in portions, between which the
loop has its turn. Rules V22, P11.
"""

import asyncio
from collections.abc import Mapping
from random import Random
from typing import Any

from bmgate.bm.commands import Dinv, Inv, split_vectors
from bmgate.bm.hashes import InventoryVector
from bmgate.bm.network import NetworkParameters
from bmgate.bm.node.announcements import Announcements, Due
from bmgate.bm.node.dandelion import EPOCH_SECONDS, Stems
from bmgate.bm.node.download import PeerId
from bmgate.bm.node.inventory import Inventory
from bmgate.bm.node.trader import Trader
from bmgate.domain.ports.world import Clock

ANNOUNCE_INTERVAL_SECONDS = 1.0
TOLD_AT_ONCE = 1_000  # objects in one turn of the loop
OFFERED_AT_ONCE = 5_000  # of those we have, to a new peer: one inv

Told = dict[tuple[PeerId, type[Inv | Dinv]], list[InventoryVector]]


class Telling:
    """Who is told of what is due. `traders` are the established peers, kept by the exchange."""

    def __init__(
        self,
        network: NetworkParameters,
        announcements: Announcements,
        inventory: Inventory,
        traders: Mapping[PeerId, Trader],
        clock: Clock,
        random: Random,
    ) -> None:
        self._network, self._announcements, self._inventory = network, announcements, inventory
        self._traders, self._clock, self._random = traders, clock, random
        self.stems = Stems(random, network.stem_time(EPOCH_SECONDS))
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Something may be due earlier than before."""
        self._news.set()

    def established(self, outbound: bool) -> None:
        """There is one more peer."""
        if outbound:
            self._announcements.try_again(self._clock.monotonic())
            self.wake()

    async def run(self) -> None:
        """For ever."""
        while True:
            due = self._announcements.next_due()
            wait = None if due is None else due - self._clock.monotonic()
            if wait is not None and wait <= 0:
                is_all = self.tell_what_is_due()
                await self._clock.sleep(self._network.delay(ANNOUNCE_INTERVAL_SECONDS) if is_all else 0)
                continue
            await self._rest(wait)

    async def _rest(self, seconds: float | None) -> None:
        """So long, or until there is news."""
        self._news.clear()
        waiting: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._news.wait())]
        if seconds is not None:
            waiting.append(asyncio.ensure_future(self._clock.sleep(seconds)))
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()

    def tell_what_is_due(self) -> bool:
        """A round, or the first portion of it; whether it was all."""
        told: Told = {}
        portion = self._announcements.take_due(self._clock.monotonic(), TOLD_AT_ONCE)
        for due in portion:
            if self._inventory.is_stored(due.vector):
                self._address(due, told)
        for (peer, kind), vectors in told.items():
            self._random.shuffle(vectors)
            self._traders[peer].peer.say(kind(chunk) for chunk in split_vectors(vectors))
        return len(portion) < TOLD_AT_ONCE

    def _address(self, due: Due, told: Told) -> None:
        if due.to_stem:
            self._address_child(due.vector, told)
            return
        for peer in self._traders:
            if peer not in due.known_to:
                told.setdefault((peer, Inv), []).append(due.vector)

    def _address_child(self, vector: InventoryVector, told: Told) -> None:
        outbound = {peer: trader.knows_dandelion for peer, trader in self._traders.items() if trader.outbound}
        child = self.stems.child(self._announcements.source_of(vector), outbound, self._clock.monotonic())
        self._announcements.told_to_child(vector, child)
        if child is not None:
            kind = Dinv if outbound[child] and self.stems.goes_on() else Inv
            told.setdefault((child, kind), []).append(vector)

    async def tell_everything(self, trader: Trader) -> None:
        """All that is not hidden, to a new peer, at the pace at which it reads."""
        stored, is_hidden = self._inventory.in_no_order(), self._announcements.is_hidden
        for start in range(0, len(stored), OFFERED_AT_ONCE):
            await trader.peer.can_write.wait()
            unexpired = self._inventory.unexpired(stored[start : start + OFFERED_AT_ONCE], self._clock.now())
            trader.peer.say(Inv(chunk) for chunk in split_vectors(each for each in unexpired if not is_hidden(each)))
            await asyncio.sleep(0)
