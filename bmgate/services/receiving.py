"""Receiving: what the objects of the network mean for us.

The node stores objects marked *to process* and wakes us; we read them in order, recognise them off the loop, and
record what each means (mail delivered, ack matched, pubkey learnt) together with its *processed* mark in one
transaction (C3). Acks are found by look-up, pubkeys by tag, msgs by trial decryption with every key, never stopping at
a match.

The mark is the queue between the node and us: nobody waits for trial decryption, and nothing the node does tells when
it ended or how (P39). With many keys a transaction comes when some time was spent, not at the end of a batch.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from bmgate.bm.objects import BitmessageObject, ObjectType, read_getpubkey
from bmgate.bm.plaintext import Msg, Pubkey, open_pubkey, read_msg
from bmgate.bm.trial import KeySet
from bmgate.domain.identity import IdentityId, PubkeyWork, ReceivingKey
from bmgate.domain.mailbox import MailboxId
from bmgate.domain.objects import StoredObject
from bmgate.domain.outbox import Event, OutboxId, may
from bmgate.domain.ports.database import Database, Failpoints, Store
from bmgate.domain.ports.world import Announcer, Clock
from bmgate.errors import BadObject, ShuttingDown, Unavailable
from bmgate.services.acks import AckWatch
from bmgate.services.delivery import Arrival, Deliverer
from bmgate.services.events import MailboxEvents
from bmgate.services.keyring import Keyring, Opened
from bmgate.services.outbox import OutboxRecorder, Recorded
from bmgate.services.own_objects import RETRY_SECONDS
from bmgate.services.pubkeys import Pubkeys
from bmgate.services.sending import Sending

BATCH = 500  # objects read at once
PORTION_SECONDS = 0.25  # of trial decryption, after which what was found is recorded

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Recognised:
    """What one object turned out to be: an ack, a msg to some of us, or neither."""

    object: BitmessageObject
    acknowledged: OutboxId | None = None
    opened: list[Opened] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)


@dataclass(slots=True)
class _Outcome:
    """What the transaction of a batch changed, to be told after its commit."""

    mailboxes: list[MailboxId] = field(default_factory=list)
    recorded: list[Recorded] = field(default_factory=list)
    acks: list[StoredObject] = field(default_factory=list)
    pubkeys: list[PubkeyWork] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Trials:
    """How many keys there are, on how many msgs they were tried since the start, and for how long."""

    keys: int
    msgs: int
    seconds: float


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
        keys: KeySet[IdentityId],
    ) -> None:
        self._database, self._announcer, self._clock = database, announcer, clock
        self._watch, self._deliverer, self._recorder = watch, deliverer, recorder
        self._sending, self._pubkeys, self._events, self._failpoints = sending, pubkeys, events, failpoints
        self._keyring = Keyring(database, keys)
        self._waiting: deque[BitmessageObject] = deque()  # read, and still marked
        self._work = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._tried, self._tried_seconds = 0, 0.0
        sending.when_stored(self.wake)
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

    def identities_changed(self) -> None:
        """Keys came or went."""
        self._keyring.identities_changed()

    async def run(self) -> None:
        """Process what is stored, then whatever comes, until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                await self._process()
        finally:
            self._keyring.close()

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
        """Process some of what is marked; how many objects, 0 when nothing was left."""
        if not self._waiting:
            stored = await self._database.read(lambda store: store.inventory.to_process(BATCH))
            self._waiting.extend(each.object for each in stored)
        if not self._waiting:
            return 0
        await self._keyring.refresh()  # after reading: nothing is tried without a key that was there before it came
        recognised = await asyncio.to_thread(self._recognise_some, list(self._waiting))
        recognised = await self._read_msgs(recognised)
        outcome = await self._database.transact(lambda store: self._record_all(store, recognised))
        for _ in recognised:
            self._waiting.popleft()
        self._failpoints.pass_("receiving.committed")
        self._events.changed(outcome.mailboxes)
        self._sending.recorded(outcome.recorded)
        for ack in outcome.acks:
            self._later(ack)
        if outcome.acks:
            self.wake()
        for work in outcome.pubkeys:
            self._pubkeys.begun(work)
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
        return _Recognised(obj)

    def _open(self, obj: BitmessageObject) -> list[Opened]:
        begun = self._clock.monotonic()
        opened = self._keyring.open(obj)
        self._tried, self._tried_seconds = self._tried + 1, self._tried_seconds + self._clock.monotonic() - begun
        return opened

    async def _read_msgs(self, recognised: list[_Recognised]) -> list[_Recognised]:
        """The same, with what is in the msgs that were opened, and for whom."""
        wanted = {identity for item in recognised for identity, _ in item.opened}
        if not wanted:
            return recognised
        found = await self._database.read(lambda store: store.identities.receiving_keys(wanted))
        return await asyncio.to_thread(_read_all, recognised, {key.identity: key for key in found})

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
        ack = delivered.ack
        if ack is not None and self._may_send(store, ack, arrival) and store.inventory.add([ack]):
            store.acks.add(arrival.msg.sender.address, now)
            outcome.acks.append(ack)

    def _may_send(self, store: Store, ack: StoredObject, arrival: Arrival) -> bool:
        """Not one that we wait for ourselves, unless what it confirms is this very msg: it would show whose it is."""
        row = self._watch.match(ack.object.encoded)
        return row is None or store.outbox.get(row).recipient == arrival.key.address

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


def _read_all(recognised: list[_Recognised], keys: dict[IdentityId, ReceivingKey]) -> list[_Recognised]:
    return [replace(item, arrivals=list(_arrivals(item, keys))) for item in recognised]


def _arrivals(item: _Recognised, keys: dict[IdentityId, ReceivingKey]) -> Iterator[Arrival]:
    """Nothing for who went meanwhile: `keys` are those that are still there."""
    for identity, plaintext in item.opened:
        if identity in keys and (msg := _read_or_none(item.object, plaintext, keys[identity])) is not None:
            yield Arrival(keys[identity], item.object, msg)


def _read_or_none(obj: BitmessageObject, plaintext: bytes, key: ReceivingKey) -> Msg | None:
    try:
        return read_msg(obj, plaintext, key.address.ripe)
    except BadObject:
        return None
