"""Objects that an account brings ready made: a msg that its own program encrypted, published as if it were ours.

Nothing in it can be read here; it must be a msg for now, and its work is done here where the account asks for that.
"""

from bmgate.bm.acceptance import KEPT, judge
from bmgate.bm.hashes import InventoryVector
from bmgate.bm.network import MAX_FUTURE_EXPIRY_SECONDS, STREAM, NetworkParameters
from bmgate.bm.objects import MAX_OBJECT, BitmessageObject, ObjectType, read_object, with_nonce
from bmgate.domain.account import AccountId
from bmgate.domain.ports.database import Database
from bmgate.domain.ports.world import Announcer, Clock, Solver, Urgency
from bmgate.errors import BadObject, Expired, LimitReached, NotAllowed, TooDifficult, TooLarge
from bmgate.pow.target import expected_trials
from bmgate.services.objects.keys import Demand
from bmgate.services.objects.own_objects import own_object, work_job


class Dissemination:
    """Publishes objects, one of each account at a time. `max_work_seconds` bounds the work that is done for one."""

    def __init__(
        self,
        database: Database,
        solver: Solver,
        announcer: Announcer,
        clock: Clock,
        network: NetworkParameters,
        max_work_seconds: float,
    ) -> None:
        self._database, self._solver, self._announcer = database, solver, announcer
        self._clock, self._network, self._max_work_seconds = clock, network, max_work_seconds
        self._busy: set[AccountId] = set()

    async def publish(self, account: AccountId, encoded: bytes, demand: Demand) -> InventoryVector:
        """Its vector, once it is stored. With nonce 0 the work that `demand` asks for is done first.

        Raises BadObject, NotAllowed, Expired, TooLarge, TooDifficult, LimitReached.
        """
        obj = read_object(encoded)
        self._check(obj)
        if account in self._busy:
            raise LimitReached("another object of this account is being worked for")
        self._busy.add(account)
        try:
            finished = encoded if obj.nonce else await self._worked(account, obj, demand)
            verdict, _ = judge(finished, self._clock.now(), self._network)
            if verdict not in KEPT:
                raise NotAllowed(f"the network would not take this object: {verdict.name.lower().replace('_', ' ')}")
            stored = own_object(finished, self._clock.now(), self._network)
            await self._database.transact(lambda store: store.inventory.add([stored]))
        finally:
            self._busy.discard(account)
        self._announcer.announce([stored.object.vector])
        return stored.object.vector

    def _check(self, obj: BitmessageObject) -> None:
        now = self._clock.now()
        if obj.object_type != ObjectType.MSG or obj.stream != STREAM:
            raise NotAllowed("only a msg of stream 1 can be published this way")
        if len(obj.encoded) > MAX_OBJECT:
            raise TooLarge(f"an object of {len(obj.encoded)} bytes, Bitmessage carries {MAX_OBJECT}")
        if obj.expires_time <= now:
            raise Expired("the object has expired")
        if obj.expires_time > now + MAX_FUTURE_EXPIRY_SECONDS:
            raise BadObject("the object expires too late: 28 days is the most")

    async def _worked(self, account: AccountId, obj: BitmessageObject, demand: Demand) -> bytes:
        now = self._clock.now()
        asked = Demand(
            max(demand.nonce_trials_per_byte, self._network.nonce_trials_per_byte),
            max(demand.payload_length_extra_bytes, self._network.payload_length_extra_bytes),
        )
        ttl = obj.expires_time - now
        trials = expected_trials(len(obj.encoded), ttl, asked.nonce_trials_per_byte, asked.payload_length_extra_bytes)
        if trials > self._max_work_seconds * self._solver.trials_per_second:
            raise TooDifficult("its work would take this machine longer than max_work allows")
        job = work_job(obj.encoded, 0, asked, Urgency.MAIL, account, now)
        return with_nonce(obj.encoded, await self._solver.search(job, lambda _: None))
