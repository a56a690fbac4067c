"""Own pubkeys: published when an address is made, and again when somebody asks (P28, V11).

A pubkey is signed and stored before its work begins, with the time of its publication, so neither a crash nor a jump
of the clock publishes twice. Asked for, a new one is made only if the last is older than six hours, at most four in a
day; it is stored in the transaction that processes the question, and waits for its random delay after that.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum

from bmgate.bm.keys import Entropy, PrivateKeys
from bmgate.bm.network import NetworkParameters
from bmgate.bm.objects import read_object, with_nonce
from bmgate.bm.plaintext import build_pubkey
from bmgate.domain.identity import Identity, IdentityId, PubkeyWork
from bmgate.domain.ports.database import Database, Failpoints, Store
from bmgate.domain.ports.world import Announcer, Clock, Solver, Urgency
from bmgate.errors import AccountLocked, ShuttingDown, Unavailable
from bmgate.services.keys import minimum
from bmgate.services.own_objects import RETRY_SECONDS, own_object, random_delay, work_job

DAY = 86_400
PUBKEY_TTL = 28 * DAY
MIN_INTERVAL = 6 * 3_600
MAX_PER_DAY = 4

log = logging.getLogger(__name__)


class PublishPolicy(StrEnum):
    """When own pubkeys go out."""

    ON_CREATE = "on_create"
    ON_REQUEST = "on_request"
    NEVER = "never"


class Pubkeys:
    """Publishes the gateway's own pubkeys. `mean_delay` in seconds, already of this network."""

    def __init__(
        self,
        database: Database,
        solver: Solver,
        announcer: Announcer,
        clock: Clock,
        entropy: Entropy,
        network: NetworkParameters,
        failpoints: Failpoints,
        policy: PublishPolicy,
        mean_delay: float,
    ) -> None:
        self._database, self._solver, self._announcer = database, solver, announcer
        self._clock, self._entropy, self._network, self._failpoints = clock, entropy, network, failpoints
        self._mean_delay, self._policy = mean_delay, policy
        self._pending: set[IdentityId] = set()
        self._new = asyncio.Event()
        self._on_stored: Callable[[], None] = lambda: None
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Finish work that was begun, then publish what is new or asked for, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for work in await self._database.read(lambda store: store.identities.pubkey_work()):
                self.begun(work)
            while True:
                await self._look_for_new()
                await self._new.wait()
                self._new.clear()

    def when_stored(self, callback: Callable[[], None]) -> None:
        """Have `callback` called when an own pubkey was stored: it is processed like any other."""
        self._on_stored = callback

    def identities_changed(self) -> None:
        """There may be a new address."""
        self._new.set()

    def begin(self, store: Store, identity: Identity) -> PubkeyWork | None:
        """A getpubkey for an own address came in: sign and store the answer, unless policy or P28 forbids one.

        Tell `begun` of it after the commit.
        """
        if self._policy is PublishPolicy.NEVER:
            return None
        return self._begin(store, identity.id)

    def begun(self, work: PubkeyWork) -> None:
        """A pubkey is stored: do its work after the random delay."""
        self._start(work.identity)

    async def _look_for_new(self) -> None:
        if self._policy is PublishPolicy.ON_CREATE:
            for identity in await self._database.read(lambda store: store.identities.without_pubkey()):
                self._start(identity.id)

    def _start(self, identity: IdentityId) -> None:
        if identity not in self._pending and self._tasks is not None:
            self._pending.add(identity)
            self._tasks.create_task(self._publish(identity))

    async def _publish(self, identity: IdentityId) -> None:
        """Publish after the random delay; trouble that may pass is waited out."""
        delay = random_delay(self._mean_delay, self._entropy)
        try:
            while True:
                await self._clock.sleep(delay)
                try:
                    work = await self._database.transact(lambda store: self._take_up(store, identity))
                    return None if work is None else await self._finish(work)
                except ShuttingDown:
                    return None
                except Unavailable as error:
                    log.warning("a pubkey waits: %s", error)
                    delay = RETRY_SECONDS
        finally:
            self._pending.discard(identity)

    def _take_up(self, store: Store, identity: IdentityId) -> PubkeyWork | None:
        """The work that is stored, if there is time left for it, else new work."""
        stored = next((work for work in store.identities.pubkey_work() if work.identity == identity), None)
        if stored is None:
            return self._begin(store, identity)
        if read_object(stored.payload).expires_time > self._clock.now() + DAY:
            return stored
        store.identities.end_pubkey(identity)
        return self._begin(store, identity)

    def _begin(self, store: Store, identity: IdentityId) -> PubkeyWork | None:
        now = self._clock.now()
        pubkey = store.identities.public_record(identity)
        owner = store.identities.by_address(pubkey.address)
        if owner is None or not owner.enabled:
            return None
        too_soon = owner.pubkey_sent_at is not None and now - owner.pubkey_sent_at < MIN_INTERVAL
        if too_soon or store.identities.publications_since(identity, now - DAY) >= MAX_PER_DAY:
            return None
        try:
            signing, encryption = store.account(owner.account).identities.private_keys(identity)
        except AccountLocked:
            return None
        expires = now + PUBKEY_TTL - int.from_bytes(self._entropy(2), "big") % 600
        payload = build_pubkey(pubkey, PrivateKeys(signing, encryption), expires, self._entropy)
        store.identities.begin_pubkey(identity, payload, now)
        self._failpoints.pass_("pubkey.begun")
        return PubkeyWork(identity, payload, 0)

    async def _finish(self, work: PubkeyWork) -> None:
        demand = minimum(self._network)
        job = work_job(work.payload, work.saved_nonce, demand, Urgency.PUBKEY, None, self._clock.now())
        nonce = await self._solver.search(job, lambda nonce: self._save_nonce(work.identity, nonce))
        published = own_object(with_nonce(work.payload, nonce), self._clock.now(), self._network)

        def publish(store: Store) -> None:
            store.inventory.add([published])
            store.identities.end_pubkey(work.identity)
            self._failpoints.pass_("pubkey.published")

        await self._database.transact(publish)
        self._announcer.announce([published.object.vector])
        self._on_stored()

    def _save_nonce(self, identity: IdentityId, nonce: int) -> None:
        if self._tasks is not None:
            self._tasks.create_task(self._keep_nonce(identity, nonce))

    async def _keep_nonce(self, identity: IdentityId, nonce: int) -> None:
        with suppress(Unavailable):  # then a restart works a little longer
            await self._database.transact(lambda store: store.identities.save_pubkey_nonce(identity, nonce))
