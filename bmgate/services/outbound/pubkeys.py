"""Own pubkeys: published when an address is made, when somebody asks, and when they are no longer true (P28, V11).

A pubkey is signed and stored before its work begins, with the time of its publication, so neither a crash nor a jump
of the clock publishes twice. A new one is made only if the last is older than six hours, at most four in a day; asked
for, it is stored in the transaction that processes the question, and waits for its random delay after that.

All of that together has so much work in a day; first pubkeys are made in any case. Half of it is kept for addresses
whose last pubkey has left the network: who asks again and again for those he knows cannot keep others from being
written to.
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
from bmgate.services.objects.keys import minimum
from bmgate.services.objects.own_objects import RETRY_SECONDS, own_object, random_delay, work_job
from bmgate.units import DAY

PUBKEY_TTL = 28 * DAY
MIN_INTERVAL = 6 * 3_600
MAX_PER_DAY = 4
DAILY_WORK_SECONDS = 3_600.0
AFFORD_SECONDS = 3_600.0  # until we look again whether there is work to spend
TOLD_SECONDS = 3_600.0  # between two warnings that the day's work is done

log = logging.getLogger(__name__)


class PublishPolicy(StrEnum):
    """When own pubkeys go out."""

    ON_CREATE = "on_create"
    ON_REQUEST = "on_request"
    NEVER = "never"


class Pubkeys:
    """Publishes the gateway's own pubkeys. `mean_delay` in seconds, already of this network; `daily_work` in seconds of
    this machine's proof of work.
    """

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
        daily_work: float = DAILY_WORK_SECONDS,
    ) -> None:
        self._database, self._solver, self._announcer = database, solver, announcer
        self._clock, self._entropy, self._network, self._failpoints = clock, entropy, network, failpoints
        self._mean_delay, self._policy, self._daily_work = mean_delay, policy, daily_work
        self._told_at = -TOLD_SECONDS
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
        """There may be a new address, or one that demands or does what its pubkey does not say."""
        self._new.set()

    def begin(self, store: Store, identity: Identity) -> PubkeyWork | None:
        """A getpubkey for an own address came in: sign and store the answer, unless policy or P28 forbids one.

        Tell `begun` of it after the commit.
        """
        now = self._clock.now()
        if self._policy is PublishPolicy.NEVER or self._pause(store, identity, now):
            return None
        return self._begin(store, identity, now) if self._can_afford(store, identity, now) else None

    def begun(self, work: PubkeyWork) -> None:
        """A pubkey is stored: do its work after the random delay."""
        self._start(work.identity)

    async def _look_for_new(self) -> None:
        found: list[Identity] = []
        if self._policy is PublishPolicy.ON_CREATE:
            found += await self._database.read(lambda store: store.identities.without_pubkey())
        if self._policy is not PublishPolicy.NEVER:
            found += await self._database.read(lambda store: store.identities.outdated_pubkeys())
        for identity in found:
            self._start(identity.id)

    def _start(self, identity: IdentityId) -> None:
        if identity not in self._pending and self._tasks is not None:
            self._pending.add(identity)
            self._tasks.create_task(self._publish(identity))

    async def _publish(self, identity: IdentityId) -> None:
        """Publish after the random delay, and again when that is outdated; trouble that may pass is waited out."""
        delay = random_delay(self._mean_delay, self._entropy)
        try:
            while True:
                await self._clock.sleep(delay)
                try:
                    taken = await self._database.transact(lambda store: self._take_up(store, identity))
                    if taken is None:
                        return
                    if isinstance(taken, PubkeyWork):
                        await self._finish(taken)
                    delay = 0.0 if isinstance(taken, PubkeyWork) else taken
                except ShuttingDown:
                    return
                except Unavailable as error:
                    log.warning("a pubkey waits: %s", error)
                    delay = RETRY_SECONDS
        finally:
            self._pending.discard(identity)

    def _take_up(self, store: Store, identity: IdentityId) -> PubkeyWork | float | None:
        """What to work on now: what is stored, if it is true and there is time left for it, else something new.

        Or for how many seconds to wait before asking again; None when there is nothing to do.
        """
        now = self._clock.now()
        owner = store.identities.by_address(store.identities.public_record(identity).address)
        if owner is None or not owner.enabled:
            return None
        stored = next((work for work in store.identities.pubkey_work() if work.identity == identity), None)
        if stored is not None:
            is_good = not owner.is_pubkey_outdated and read_object(stored.payload).expires_time > now + DAY
            return stored if is_good else self._begin_again(store, owner, now)
        if owner.pubkey_sent_at is None:
            return self._begin(store, owner, now)
        if not owner.is_pubkey_outdated:
            return None
        if pause := self._pause(store, owner, now):
            return pause
        return self._begin(store, owner, now) if self._can_afford(store, owner, now) else AFFORD_SECONDS

    def _pause(self, store: Store, identity: Identity, now: int) -> float:
        """For how many seconds P28 forbids another pubkey of this address."""
        sent_at = identity.pubkey_sent_at
        if sent_at is not None and now - sent_at < MIN_INTERVAL:
            return float(min(MIN_INTERVAL, MIN_INTERVAL - (now - sent_at)))
        is_enough = store.identities.publications_since(identity.id, now - DAY) >= MAX_PER_DAY
        return float(MIN_INTERVAL) if is_enough else 0.0

    def _can_afford(self, store: Store, identity: Identity, now: int) -> bool:
        """Whether what was published today leaves room for one more."""
        lives = identity.pubkey_sent_at is not None and identity.pubkey_sent_at + PUBKEY_TTL > now
        budget = self._daily_work * self._solver.trials_per_second * (0.5 if lives else 1.0)
        if store.identities.trials_since(now - DAY) < budget:
            return True
        if self._clock.monotonic() - self._told_at >= TOLD_SECONDS:
            self._told_at = self._clock.monotonic()
            log.warning("keys that are asked for, or outdated, wait: the work of this day is done ([node] pubkey_work)")
        return False

    def _begin(self, store: Store, identity: Identity, now: int) -> PubkeyWork | None:
        payload = self._signed(store, identity, now)
        if payload is None:
            return None
        trials = work_job(payload, 0, minimum(self._network), Urgency.PUBKEY, None, now).expected_trials
        store.identities.begin_pubkey(identity.id, payload, now, trials)
        self._failpoints.pass_("pubkey.begun")
        return PubkeyWork(identity.id, payload, 0)

    def _begin_again(self, store: Store, identity: Identity, now: int) -> PubkeyWork | None:
        """Instead of what was stored, which nobody has seen: no further publication."""
        payload = self._signed(store, identity, now)
        if payload is None:
            return None
        store.identities.replace_pubkey(identity.id, payload, now)
        return PubkeyWork(identity.id, payload, 0)

    def _signed(self, store: Store, identity: Identity, now: int) -> bytes | None:
        """A new pubkey object without its nonce; None where its owner's keys are away."""
        if not identity.enabled:
            return None
        try:
            signing, encryption = store.account(identity.account).identities.private_keys(identity.id)
        except AccountLocked:
            return None
        pubkey = store.identities.public_record(identity.id)
        expires = now + PUBKEY_TTL - int.from_bytes(self._entropy(2), "big") % 600
        return build_pubkey(pubkey, PrivateKeys(signing, encryption), expires, self._entropy)

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
