"""Scanning: what a new chan or subscription would have brought is looked for among the stored objects (M4, M5).

One key is tried, on objects of one type, in the order of their arrival. How far it came is stored with what it found,
so that a restart goes on there; several readers take turns. What comes meanwhile is receiving's business, and what
both find is delivered once.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable

from bmgate.bm.crypto import decrypt
from bmgate.bm.objects import BitmessageObject, ObjectType
from bmgate.domain.chan import ChanOwner, Membership
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Clock
from bmgate.domain.subscription import Subscription
from bmgate.errors import Unavailable
from bmgate.services.delivery.arrivals import ArrivalReader, Found, Portion
from bmgate.services.inbound.broadcasts import try_address
from bmgate.services.inbound.recording import Outcome, Recording
from bmgate.services.objects.own_objects import RETRY_SECONDS

BATCH = 500  # objects read and tried at once
TOLD_EVERY = 20_000  # objects

log = logging.getLogger(__name__)

Reader = Membership | Subscription
Numbered = list[tuple[int, BitmessageObject]]


class Scanning:
    """Looks for the past. `run` lives as long as the gateway; `wake` says that somebody joined or subscribed."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        arrivals: ArrivalReader,
        recording: Recording,
        check_room: Callable[[], None],
    ) -> None:
        self._database, self._clock, self._check_room = database, clock, check_room
        self._arrivals, self._recording = arrivals, recording
        self._work = asyncio.Event()
        self._tried = self._found = 0

    def wake(self) -> None:
        """There may be something to look for."""
        self._work.set()

    async def run(self) -> None:
        """Look for what was not looked for yet, then whenever somebody joins, until cancelled."""
        while True:
            self._work.clear()
            try:
                while await self.scan_some():
                    pass
            except Unavailable as error:
                log.warning("looking through the stored objects waits: %s", error)
                await self._clock.sleep(RETRY_SECONDS)
                continue
            await self._work.wait()

    async def scan_some(self) -> int:
        """A portion for each reader that waits; how many those are. Raises Unavailable."""
        readers = await self._database.read(_unscanned)
        for reader in readers:
            self._check_room()
            await self._go_on(reader)
        if not readers and self._tried:
            log.info("looked through %d stored objects: %d messages found", self._tried, self._found)
            self._tried = self._found = 0
        return len(readers)

    async def _go_on(self, reader: Reader) -> None:
        stored, key = await self._database.read(lambda store: (_stored(store, reader), _key(store, reader)))
        found = await asyncio.to_thread(_opened, reader, key, stored)
        portion = await self._arrivals.read_for(reader, found)
        outcome = await self._database.transact(lambda store: self._record(store, reader, portion, stored))
        self._recording.tell(outcome, lambda _: None)  # publications have no acks
        self._count(len(stored), len(outcome.mailboxes))

    def _record(self, store: Store, reader: Reader, portion: Portion, stored: Numbered) -> Outcome:
        outcome, now = Outcome(), self._clock.now()
        for arrival in portion.arrivals:
            self._recording.record_late(store, arrival, now, outcome)
        following = _following(portion, stored)
        if isinstance(reader, Membership):
            store.chans.note_scanned(reader.id, following)
        else:
            store.subscriptions.note_scanned(reader.id, following)
        return outcome

    def _count(self, tried: int, found: int) -> None:
        before, self._tried, self._found = self._tried, self._tried + tried, self._found + found
        if self._tried // TOLD_EVERY != before // TOLD_EVERY:
            log.info("looking through stored objects: %d so far, %d messages found", self._tried, self._found)


def objects_left(store: Store) -> tuple[int, int]:
    """For how many readers something is looked for, and among how many objects at most."""
    members, subscribers = store.chans.unscanned(), store.subscriptions.unscanned()
    left = 0
    if members:
        left += store.inventory.count_from(min(each.scan_from or 0 for each in members), ObjectType.MSG)
    if subscribers:
        left += store.inventory.count_from(min(each.scan_from or 0 for each in subscribers), ObjectType.BROADCAST)
    return len(members) + len(subscribers), left


def _unscanned(store: Store) -> list[Reader]:
    return [*store.chans.unscanned(), *store.subscriptions.unscanned()]


def _stored(store: Store, reader: Reader) -> Numbered:
    kind = ObjectType.MSG if isinstance(reader, Membership) else ObjectType.BROADCAST
    return store.inventory.stored_from(reader.scan_from or 0, kind, BATCH)


def _key(store: Store, reader: Reader) -> bytes:
    """A chan's encryption key; empty where nobody has it any more, or none is needed."""
    keys = store.chans.receiving_keys([reader.chan]) if isinstance(reader, Membership) else []
    return keys[0].encryption_key if keys else b""


def _opened(reader: Reader, key: bytes, stored: Numbered) -> list[Found]:
    if isinstance(reader, Subscription):
        return [
            (obj, reader.address, plaintext)
            for _, obj in stored
            if (plaintext := try_address(obj, reader.address)) is not None
        ]
    return list(_posts(reader, key, stored)) if key else []


def _posts(reader: Membership, key: bytes, stored: Numbered) -> Iterable[Found]:
    for _, obj in stored:
        plaintext = decrypt(obj.ciphertext, key) if obj.version == 1 else None
        if plaintext is not None:
            yield obj, ChanOwner(reader.chan), plaintext


def _following(portion: Portion, stored: Numbered) -> int | None:
    """Where to go on; None behind the last object."""
    if portion.rest is not None:
        return next(number for number, obj in stored if obj is portion.rest)
    return stored[-1][0] + 1 if stored else None
