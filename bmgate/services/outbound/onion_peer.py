"""Tells the network of our node's onion service, again and again while it has one.

An onionpeer object lives for a week; every two hours we look whether one that names us is still there, whoever made it,
and only then publish another. Source: protocol specification v3, "onionpeer"; PyBitmessage's cleaning cycle.
"""

import asyncio
import logging

from bmgate.bm.keys import Entropy
from bmgate.bm.network import NetworkParameters
from bmgate.bm.objects import OnionPeer, encode_onionpeer, read_object, with_nonce
from bmgate.domain.objects import StoredObject
from bmgate.domain.ports.database import Database
from bmgate.domain.ports.world import Announcer, Clock, Solver, Urgency
from bmgate.errors import ShuttingDown, Unavailable
from bmgate.services.objects.keys import minimum
from bmgate.services.objects.own_objects import own_object, random_delay, work_job
from bmgate.units import DAY

TTL_SECONDS = 7 * DAY
LOOK_SECONDS = 2 * 3_600
FIRST_MEAN_SECONDS = 600  # a random delay before the first look, lest the object tell when we started

log = logging.getLogger(__name__)


class OnionPeerPublisher:
    """Publishes what `named` was told last; `run` lives as long as the gateway."""

    def __init__(
        self,
        database: Database,
        solver: Solver,
        announcer: Announcer,
        clock: Clock,
        entropy: Entropy,
        network: NetworkParameters,
    ) -> None:
        self._database, self._solver, self._announcer = database, solver, announcer
        self._clock, self._entropy, self._network = clock, entropy, network
        self._own: OnionPeer | None = None
        self._named = asyncio.Event()

    def named(self, own: OnionPeer) -> None:
        """Our onion service has this name and port."""
        self._own = own
        self._named.set()

    async def run(self) -> None:
        """Until cancelled."""
        await self._named.wait()
        await self._clock.sleep(self._network.delay(random_delay(FIRST_MEAN_SECONDS, self._entropy)))
        while True:
            try:
                await self._publish_unless_known()
            except ShuttingDown:
                return
            except Unavailable as error:
                log.info("the onion service is told of later: %s", error)
            await self._clock.sleep(LOOK_SECONDS)

    async def _publish_unless_known(self) -> None:
        assert self._own is not None
        now = self._clock.now()
        blank = encode_onionpeer(self._own, now + TTL_SECONDS)
        payload = read_object(blank).payload
        if await self._database.read(lambda store: store.inventory.has_onionpeer(payload, now)):
            return
        job = work_job(blank, 0, minimum(self._network), Urgency.BULK, None, now)
        nonce = await self._solver.search(job, lambda nonce: None)
        published: StoredObject = own_object(with_nonce(blank, nonce), self._clock.now(), self._network)
        await self._database.transact(lambda store: store.inventory.add([published]))
        self._announcer.announce([published.object.vector])
