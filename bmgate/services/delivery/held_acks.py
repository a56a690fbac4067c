"""Acks for mail of strangers: held back until its reader lets it out of Requests, then published (M3).

An ack says that its reader is there. Held ones end with the objects they would be; who sends his mail again is
confirmed anyway, once he is no stranger any more.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable

from bmgate.bm.addresses import Address
from bmgate.domain.account import AccountId
from bmgate.domain.objects import StoredObject
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Announcer, Clock
from bmgate.errors import GatewayError, Missing
from bmgate.services.objects.acks import AckSender, AckWatch

log = logging.getLogger(__name__)


class HeldAcks:
    """Lets held acks go. `run` lives as long as the gateway; `on_stored` is called when objects are to be processed."""

    def __init__(
        self,
        database: Database,
        announcer: Announcer,
        clock: Clock,
        acks: AckSender,
        watch: AckWatch,
        on_stored: Callable[[], None],
    ) -> None:
        self._database, self._announcer, self._clock = database, announcer, clock
        self._acks, self._watch, self._on_stored = acks, watch, on_stored
        self._wanted: dict[tuple[AccountId, Address], None] = {}
        self._going: list[StoredObject] = []
        self._work = asyncio.Event()

    # -- within a transaction, and after it ------------------------------------------------------------------------

    def release(self, store: Store, mine: AccountStore, sender: Address, now: int) -> list[StoredObject]:
        """The acks for mail of a sender who is wanted now, stored; tell `released` after the commit."""
        stored: list[StoredObject] = []
        for packet in mine.held_acks.take(sender):
            ack = self._acks.prepared(packet, now)
            if ack is None or not self._may_send(store, mine, ack) or not self._acks.has_left(store, sender, now):
                continue
            if store.inventory.add([ack]):
                store.acks.add(sender, now)
                stored.append(ack)
        return stored

    def released(self, acks: Iterable[StoredObject]) -> None:
        """Have them announced when their delay is over."""
        self._going += acks
        if self._going:
            self._on_stored()
            self._work.set()

    def wanted(self, account: AccountId, sender: Address) -> None:
        """Have the acks of a sender released: for whoever has no transaction on the whole gateway."""
        self._wanted[account, sender] = None
        self._work.set()

    # -- running ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled; what waits for its moment then is announced after the next start."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._work.wait()
                self._work.clear()
                while self._wanted:
                    account, sender = next(iter(self._wanted))
                    del self._wanted[account, sender]
                    await self._release(account, sender)
                going, self._going = self._going, []
                for ack in going:
                    tasks.create_task(self._announce(ack))

    async def _release(self, account: AccountId, sender: Address) -> None:
        def work(store: Store) -> list[StoredObject]:
            return self.release(store, store.account(account), sender, self._clock.now())

        try:
            self.released(await self._database.transact(work))
        except Missing:
            return
        except GatewayError as error:  # they come when their mail comes again
            log.warning("held acks stay: %s", error)

    async def _announce(self, ack: StoredObject) -> None:
        await self._clock.sleep(max(ack.stem_until - self._clock.now(), 0))
        self._announcer.announce([ack.object.vector])

    def _may_send(self, store: Store, mine: AccountStore, ack: StoredObject) -> bool:
        """Not one that we wait for ourselves, unless for mail to this very account: it would show whose it is."""
        row = self._watch.match(ack.object.encoded)
        if row is None:
            return True
        recipient = store.outbox.get(row).recipient
        return mine.identities.find(recipient) is not None
