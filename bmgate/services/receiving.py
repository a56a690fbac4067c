"""Receiving: what the objects of the network mean for us.

The node stores objects marked *to process* and wakes us; we read them in order, recognise them off the loop, and
record what each means (mail delivered, ack matched, pubkey learnt) together with its *processed* mark in one
transaction (C3). Acks are found by look-up, pubkeys by tag, msgs by trial decryption with every key, never stopping at
a match.
"""

import asyncio
import logging
from dataclasses import dataclass, field

from bmgate.bm.crypto import read_ciphertext
from bmgate.bm.objects import BitmessageObject, ObjectType, read_getpubkey
from bmgate.bm.plaintext import Msg, Pubkey, open_pubkey, read_msg
from bmgate.domain.identity import PubkeyWork, ReceivingKey
from bmgate.domain.mailbox import MailboxId
from bmgate.domain.objects import StoredObject
from bmgate.domain.outbox import Event, OutboxId, may
from bmgate.domain.ports.database import Database, Failpoints, Store
from bmgate.domain.ports.world import Announcer, Clock
from bmgate.errors import BadObject, ShuttingDown, Unavailable
from bmgate.services.acks import AckWatch
from bmgate.services.delivery import Arrival, Deliverer
from bmgate.services.events import MailboxEvents
from bmgate.services.outbox import OutboxRecorder, Recorded
from bmgate.services.own_objects import RETRY_SECONDS
from bmgate.services.pubkeys import Pubkeys
from bmgate.services.sending import Sending

BATCH = 500

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Recognised:
    """What one object turned out to be; at most one field is set."""

    object: BitmessageObject
    acknowledged: OutboxId | None = None
    arrivals: tuple[Arrival, ...] = ()


@dataclass(slots=True)
class _Outcome:
    """What the transaction of a batch changed, to be told after its commit."""

    mailboxes: list[MailboxId] = field(default_factory=list)
    recorded: list[Recorded] = field(default_factory=list)
    acks: list[StoredObject] = field(default_factory=list)
    pubkeys: list[PubkeyWork] = field(default_factory=list)


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
    ) -> None:
        self._database, self._announcer, self._clock = database, announcer, clock
        self._watch, self._deliverer, self._recorder = watch, deliverer, recorder
        self._sending, self._pubkeys, self._events, self._failpoints = sending, pubkeys, events, failpoints
        self._keys: list[ReceivingKey] = []
        self._keys_changed = True
        self._work = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        sending.when_stored(self.wake)
        pubkeys.when_stored(self.wake)

    async def load(self) -> None:
        """Read the acks we wait for; to be done before the node opens its port (O5)."""
        for ack_data, row in await self._database.read(lambda store: store.outbox.watched_acks()):
            self._watch.add(ack_data, row)

    def wake(self) -> None:
        """There are objects to process."""
        self._work.set()

    def identities_changed(self) -> None:
        """Keys came or went."""
        self._keys_changed = True

    async def run(self) -> None:
        """Process what is stored, then whatever comes, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            while True:
                self._work.clear()
                try:
                    while await self.process_batch():
                        pass
                except ShuttingDown:
                    return
                except Unavailable as error:  # objects stay marked until the disk has room again (D1)
                    log.warning("receiving waits: %s", error)
                    await self._clock.sleep(RETRY_SECONDS)
                    continue
                await self._work.wait()

    async def process_batch(self) -> int:
        """Process up to 500 objects; how many there were."""
        await self._load_keys()
        objects = await self._database.read(lambda store: store.inventory.to_process(BATCH))
        if not objects:
            return 0
        recognised = await asyncio.to_thread(self._recognise_all, [stored.object for stored in objects])
        outcome = await self._database.transact(lambda store: self._record_all(store, recognised))
        self._failpoints.pass_("receiving.committed")
        self._events.changed(outcome.mailboxes)
        self._sending.recorded(outcome.recorded)
        for ack in outcome.acks:
            self._later(ack)
        if outcome.acks:
            self.wake()
        for work in outcome.pubkeys:
            self._pubkeys.begun(work)
        return len(objects)

    async def _load_keys(self) -> None:
        while self._keys_changed:
            self._keys_changed = False
            try:
                self._keys = await self._database.read(lambda store: store.identities.receiving_keys())
            except Unavailable:
                self._keys_changed = True
                raise

    def _later(self, ack: StoredObject) -> None:
        """Have an ack announced when its delay is over; after a restart the node itself sees to that."""
        if self._tasks is not None:
            self._tasks.create_task(self._announce(ack))

    async def _announce(self, ack: StoredObject) -> None:
        await self._clock.sleep(max(ack.stem_until - self._clock.now(), 0))
        self._announcer.announce([ack.object.vector])

    # -- recognising: a thread, no database ------------------------------------------------------------------------

    def _recognise_all(self, objects: list[BitmessageObject]) -> list[_Recognised]:
        return [self._recognise(obj) for obj in objects]

    def _recognise(self, obj: BitmessageObject) -> _Recognised:
        row = self._watch.match(obj.encoded)
        if row is not None:
            return _Recognised(obj, acknowledged=row)
        if obj.object_type == ObjectType.MSG and obj.version == 1:
            return _Recognised(obj, arrivals=self._open_msg(obj))
        return _Recognised(obj)

    def _open_msg(self, obj: BitmessageObject) -> tuple[Arrival, ...]:
        """Try every key, also after a match: time must not tell which one it was."""
        try:
            ciphertext = read_ciphertext(obj.ciphertext)
        except BadObject:
            return ()
        arrivals = []
        for key in self._keys:
            plaintext = ciphertext.decrypt(key.encryption_key)
            if plaintext is None:
                continue
            msg = _read_or_none(obj, plaintext, key)
            if msg is not None:
                arrivals.append(Arrival(key, obj, msg))
        return tuple(arrivals)

    # -- recording: one transaction --------------------------------------------------------------------------------

    def _record_all(self, store: Store, recognised: list[_Recognised]) -> _Outcome:
        outcome = _Outcome()
        now = self._clock.now()
        for item in recognised:
            if item.acknowledged is not None:
                self._record_ack(store, item.acknowledged, now, outcome)
            for arrival in item.arrivals:
                self._record_arrival(store, arrival, now, outcome)
            match item.object.object_type:
                case ObjectType.PUBKEY:
                    self._record_pubkey(store, item.object, now, outcome)
                case ObjectType.GETPUBKEY:
                    self._record_getpubkey(store, item.object, outcome)
                case _:
                    pass
        self._failpoints.pass_("receiving.recorded")
        store.inventory.mark_processed([item.object.vector for item in recognised])
        return outcome

    def _record_ack(self, store: Store, row: OutboxId, now: int, outcome: _Outcome) -> None:
        message = store.outbox.get(row)
        if may(message.state, Event.ACK_SEEN):
            outcome.recorded.append(
                self._recorder.record(store, message, Event.ACK_SEEN, now, "confirmed", payload=b"", next_attempt=0)
            )

    def _record_arrival(self, store: Store, arrival: Arrival, now: int, outcome: _Outcome) -> None:
        store.pubkeys.save(arrival.msg.sender, now)
        self._pubkey_found(store, arrival.msg.sender, now, outcome)
        delivered = self._deliverer.deliver(store, arrival, now)
        if delivered.mailbox is not None:
            outcome.mailboxes.append(delivered.mailbox)
        if delivered.ack is not None and store.inventory.add([delivered.ack]):
            outcome.acks.append(delivered.ack)

    def _record_pubkey(self, store: Store, obj: BitmessageObject, now: int, outcome: _Outcome) -> None:
        """Only what an outgoing message waits for is opened; the rest stays findable in the inventory (P25)."""
        for address in {row.recipient for row in store.outbox.waiting_by_lookup(obj.version, obj.tag)}:
            try:
                pubkey = open_pubkey(obj, address)
            except BadObject:
                continue
            if pubkey.address == address:
                store.pubkeys.save(pubkey, now)
                self._pubkey_found(store, pubkey, now, outcome)

    def _pubkey_found(self, store: Store, pubkey: Pubkey, now: int, outcome: _Outcome) -> None:
        for row in store.outbox.waiting_for(pubkey.address):
            event, changes = self._sending.judge_key(row, pubkey, now)
            outcome.recorded.append(self._recorder.record(store, row, event, now, **changes))

    def _record_getpubkey(self, store: Store, obj: BitmessageObject, outcome: _Outcome) -> None:
        try:
            wanted = read_getpubkey(obj)
        except BadObject:
            return
        identity = store.identities.by_lookup(wanted.address_version, wanted.lookup)
        if identity is None or not identity.enabled or identity.address.stream != wanted.stream:
            return
        work = self._pubkeys.begin(store, identity)
        if work is not None:
            outcome.pubkeys.append(work)


def _read_or_none(obj: BitmessageObject, plaintext: bytes, key: ReceivingKey) -> Msg | None:
    try:
        return read_msg(obj, plaintext, key.address.ripe)
    except BadObject:
        return None
