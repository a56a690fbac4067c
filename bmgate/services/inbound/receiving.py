"""Receiving: what the objects of the network mean for us.

The node stores objects marked *to process* and wakes us; we read them in order, recognise them off the loop, and
record what each means (mail delivered, ack matched, pubkey learnt) together with its *processed* mark in one
transaction (C3). Acks are found by look-up, pubkeys and broadcasts by tag, msgs by trial decryption with every key,
never stopping at a match.

The mark is the queue between the node and us: nobody waits for trial decryption, and nothing the node does tells when
it ended or how (P39). With many keys a transaction comes when some time was spent, not at the end of a batch.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from bmgate.bm.addresses import Address
from bmgate.bm.hashes import InventoryVector
from bmgate.bm.objects import BitmessageObject, ObjectType
from bmgate.bm.trial import KeySet
from bmgate.domain.objects import StoredObject
from bmgate.domain.outbox import OutboxId
from bmgate.domain.ports.database import Database, Failpoints, Store
from bmgate.domain.ports.world import Announcer, Clock
from bmgate.errors import ShuttingDown, Unavailable
from bmgate.services.delivery.arrivals import Arrival, ArrivalReader, Publication
from bmgate.services.delivery.delivery import Deliverer
from bmgate.services.delivery.publications import PublicationDeliverer
from bmgate.services.disk import room_for_all
from bmgate.services.events import MailboxEvents
from bmgate.services.faults import place_of
from bmgate.services.inbound.broadcasts import UNTAGGED, Broadcasts, is_broadcast
from bmgate.services.inbound.recording import Outcome, Recording
from bmgate.services.inbound.responders import Responder
from bmgate.services.inbound.scanning import Scanning
from bmgate.services.objects.acks import AckWatch
from bmgate.services.objects.keyring import KeyOwner, Keyring, Opened
from bmgate.services.objects.own_objects import RETRY_SECONDS
from bmgate.services.outbound.outbox import OutboxRecorder
from bmgate.services.outbound.pubkeys import Pubkeys
from bmgate.services.outbound.sending import Sending

BATCH = 500  # objects read at once
CROWD = 100  # readers of one object that are served in one transaction
PORTION_SECONDS = 0.25  # of trial decryption, after which what was found is recorded

_COUNTED = (ObjectType.MSG, ObjectType.BROADCAST, ObjectType.PUBKEY)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Recognised:
    """What one object turned out to be: an ack, a msg or broadcast to some of us, or neither."""

    object: BitmessageObject
    acknowledged: OutboxId | None = None
    opened: Sequence[tuple[KeyOwner | Address, bytes]] = ()
    arrivals: list[Arrival | Publication] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Trials:
    """How many keys there are, on how many msgs they were tried since the start, and for how long."""

    keys: int
    msgs: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Processed:
    """How many objects of each kind were processed since the start, whoever they were for."""

    msgs: int = 0
    broadcasts: int = 0
    pubkeys: int = 0


class Receiving:
    """The way from the inventory to the mailboxes. `run` lives as long as the gateway."""

    def __init__(
        self,
        database: Database,
        announcer: Announcer,
        clock: Clock,
        watch: AckWatch,
        deliverer: Deliverer,
        recorder: OutboxRecorder,
        sending: Sending,
        pubkeys: Pubkeys,
        events: MailboxEvents,
        failpoints: Failpoints,
        keys: KeySet[KeyOwner],
        untagged: KeySet[Address],
        responder: Responder,
        check_room: Callable[[], None] = room_for_all,
    ) -> None:
        self._database, self._announcer, self._clock, self._failpoints = database, announcer, clock, failpoints
        self._watch, self._check_room = watch, check_room
        self._keyring, self._broadcasts = Keyring(database, keys), Broadcasts(database, untagged)
        self._arrivals = ArrivalReader(database, deliverer.policies)
        self._recording = Recording(
            watch,
            deliverer,
            PublicationDeliverer(deliverer.poster, failpoints),
            recorder,
            sending,
            pubkeys,
            responder,
            events,
        )
        self._scanning = Scanning(database, clock, self._arrivals, self._recording, check_room)
        self._waiting: deque[BitmessageObject] = deque()  # read, and still marked
        self._work = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._tried, self._tried_seconds = 0, 0.0
        self._processed: dict[int, int] = dict.fromkeys(_COUNTED, 0)
        sending.when_stored(self.wake)
        self._sending_chans_changed = sending.chans_changed
        pubkeys.when_stored(self.wake)

    async def load(self) -> None:
        """Read the acks we wait for; to be done before the node opens its port (O5)."""
        for ack_data, row in await self._database.read(lambda store: store.outbox.watched_acks()):
            self._watch.add(ack_data, row)

    def wake(self) -> None:
        """There are objects to process."""
        self._work.set()

    @property
    def trials(self) -> Trials:
        """Figures for people."""
        return Trials(len(self._keyring), self._tried, self._tried_seconds)

    @property
    def processed(self) -> Processed:
        """Figures for people."""
        return Processed(*self._processed.values())

    def identities_changed(self) -> None:
        """Keys came or went."""
        self._keyring.keys_changed()

    def chans_changed(self) -> None:
        """Somebody joined or left."""
        self._keyring.keys_changed()
        self._sending_chans_changed()
        self._scanning.wake()

    def subscriptions_changed(self) -> None:
        """Some came, went, or count again."""
        self._broadcasts.subscriptions_changed()
        self._scanning.wake()

    async def run(self) -> None:
        """Process what is stored, then whatever comes, until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                tasks.create_task(self._scanning.run())
                await self._process()
        finally:
            self._keyring.close()
            self._broadcasts.close()

    async def _process(self) -> None:
        while True:
            self._work.clear()
            try:
                while await self.process_some():
                    pass
            except ShuttingDown:
                return
            except Unavailable as error:  # objects stay marked until the disk has room again (D1)
                log.warning("receiving waits: %s", error)
                await self._clock.sleep(RETRY_SECONDS)
                continue
            await self._work.wait()

    async def process_some(self) -> int:
        """Process some of what is marked; how many objects, 0 when nothing was left. Raises StorageFull."""
        if not self._waiting:
            stored = await self._database.read(lambda store: store.inventory.to_process(BATCH))
            self._waiting.extend(each.object for each in stored)
        if not self._waiting:
            return 0
        self._check_room()
        await self._broadcasts.refresh()
        await self._keyring.refresh()  # after reading: nothing is tried without a key that was there before it came
        return await self._process_safely(list(self._waiting))

    async def _process_safely(self, objects: list[BitmessageObject]) -> int:
        """A fault that one object meets must not keep all others from their readers: it is found, and put aside."""
        while True:
            try:
                return await self._process_first(objects)
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is: it came from outside
                if len(objects) == 1:
                    return await self._put_aside(objects[0], error)
                objects = objects[: len(objects) // 2]

    async def _put_aside(self, obj: BitmessageObject, error: Exception) -> int:
        log.error("object %s is put aside, it cannot be processed: %s", obj.vector.hex(), place_of(error))
        await self._database.transact(lambda store: store.inventory.mark_processed([obj.vector]))
        self._waiting.popleft()
        return 1

    async def _process_first(self, objects: list[BitmessageObject]) -> int:
        """The first of `objects`, which are the first that wait; how many."""
        recognised = await asyncio.to_thread(self._recognise_some, objects)
        recognised = await self._read_messages(await self._open_broadcasts(recognised))
        recognised = [await self._without_crowd(item) for item in recognised]
        outcome = await self._database.transact(lambda store: self._record_all(store, recognised))
        for item in recognised:
            self._waiting.popleft()
            if item.object.object_type in _COUNTED:
                self._processed[item.object.object_type] += 1
        self._failpoints.pass_("receiving.committed")
        self._recording.tell(outcome, self._later)
        if outcome.acks:
            self.wake()
        return len(recognised)

    def _later(self, ack: StoredObject) -> None:
        """Have an ack announced when its delay is over; after a restart the node itself sees to that."""
        if self._tasks is not None:
            self._tasks.create_task(self._announce(ack))

    async def _announce(self, ack: StoredObject) -> None:
        await self._clock.sleep(max(ack.stem_until - self._clock.now(), 0))
        self._announcer.announce([ack.object.vector])

    # -- recognising: a thread, no database ------------------------------------------------------------------------

    def _recognise_some(self, objects: list[BitmessageObject]) -> list[_Recognised]:
        """The first of `objects`, at least one, until some time is spent."""
        until, recognised = self._clock.monotonic() + PORTION_SECONDS, []
        for obj in objects:
            recognised.append(self._recognise(obj))
            if self._clock.monotonic() >= until:
                break
        return recognised

    def _recognise(self, obj: BitmessageObject) -> _Recognised:
        row = self._watch.match(obj.encoded)
        if row is not None:
            return _Recognised(obj, acknowledged=row)
        if obj.object_type == ObjectType.MSG and obj.version == 1:
            return _Recognised(obj, opened=self._open(obj))
        if is_broadcast(obj, UNTAGGED):
            return _Recognised(obj, opened=self._broadcasts.open_untagged(obj))
        return _Recognised(obj)

    def _open(self, obj: BitmessageObject) -> list[Opened]:
        begun = self._clock.monotonic()
        opened = self._keyring.open(obj)
        self._tried, self._tried_seconds = self._tried + 1, self._tried_seconds + self._clock.monotonic() - begun
        return opened

    async def _open_broadcasts(self, recognised: list[_Recognised]) -> list[_Recognised]:
        """The same, with those broadcasts opened whose tag somebody wants."""
        opened = await self._broadcasts.open_tagged(item.object for item in recognised)
        if not opened:
            return recognised
        vectors = [item.object.vector for item in recognised]
        return [
            replace(item, opened=[opened[vector]]) if vector in opened else item
            for item, vector in zip(recognised, vectors, strict=True)
        ]

    async def _read_messages(self, recognised: list[_Recognised]) -> list[_Recognised]:
        """The same, or the first of them, with what is in the messages that were opened, and for whom."""
        opened = [(item.object, owner, plaintext) for item in recognised for owner, plaintext in item.opened]
        if not opened:
            return recognised
        portion = await self._arrivals.read(opened)
        end = next((at for at, item in enumerate(recognised) if item.object is portion.rest), len(recognised))
        found: dict[InventoryVector, list[Arrival | Publication]] = {}
        for arrival in portion.arrivals:
            found.setdefault(arrival.object.vector, []).append(arrival)
        return [replace(item, arrivals=found.get(item.object.vector, [])) for item in recognised[:end]]

    async def _without_crowd(self, item: _Recognised) -> _Recognised:
        """The same, with most of its readers served, where they are so many that others would wait for the database.

        A kill in between costs a repeat: who has it already gets no second one.
        """
        arrivals = item.arrivals
        while len(arrivals) > CROWD:
            portion, arrivals = arrivals[:CROWD], arrivals[CROWD:]
            outcome = await self._database.transact(partial(self._record_some, portion=portion))
            self._recording.tell(outcome, self._later)
        return replace(item, arrivals=arrivals)

    def _record_some(self, store: Store, portion: list[Arrival | Publication]) -> Outcome:
        outcome, now = Outcome(), self._clock.now()
        self._recording.record_arrivals(store, portion, now, outcome)
        return outcome

    # -- recording: one transaction --------------------------------------------------------------------------------

    def _record_all(self, store: Store, recognised: list[_Recognised]) -> Outcome:
        outcome, now = Outcome(), self._clock.now()
        for item in recognised:
            self._recording.record(store, item.object, item.acknowledged, item.arrivals, now, outcome)
        self._failpoints.pass_("receiving.recorded")
        store.inventory.mark_processed([item.object.vector for item in recognised])
        return outcome
