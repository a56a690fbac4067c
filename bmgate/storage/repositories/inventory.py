"""The objects of the network, ours among them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, select, update

from bmgate.bm.hashes import InventoryVector
from bmgate.bm.objects import TAG_SIZE, BitmessageObject, ObjectType, read_object
from bmgate.domain.objects import StoredObject
from bmgate.domain.outbox import State
from bmgate.domain.ports.network import MAX_BYTES
from bmgate.storage.repositories.scope import MAX_INTEGER, MAX_PARAMETERS, GatewayScope
from bmgate.storage.schema import object_ as objects
from bmgate.storage.schema import outbox
from bmgate.storage.statements import Prepared

_ADDED = ["vector", "object_type", "version", "expires_time", "stem_until", "tag", "to_process", "own", "encoded"]
_INSERT = {  # rows of plain values: SQLAlchemy's own way to them costs half as much again as SQLite's work
    dialect: (
        f"INSERT INTO {objects.name} ({', '.join(_ADDED)})"  # noqa: S608 - our own names
        f" VALUES ({', '.join([place] * len(_ADDED))}) ON CONFLICT DO NOTHING"
    )
    for dialect, place in (("sqlite", "?"), ("postgresql", "%s"))
}
_SIZE = func.length(objects.c.encoded)
_LAST_ID = select(func.coalesce(func.max(objects.c.id), 0))
_NEWER = select(objects.c.vector).where(objects.c.id > bindparam("last")).order_by(objects.c.id)
_GET = select(objects.c.vector, objects.c.encoded).where(objects.c.vector.in_(bindparam("vectors", expanding=True)))
_BY_TAG = select(objects.c.encoded).where(objects.c.tag == bindparam("tag"))
_PUBKEYS = Prepared(
    _BY_TAG.where(objects.c.object_type == int(ObjectType.PUBKEY), objects.c.version == bindparam("version")).order_by(
        objects.c.expires_time.desc()
    )
)
_LIVE_ONIONPEERS = _BY_TAG.where(
    objects.c.object_type == int(ObjectType.ONIONPEER), objects.c.expires_time >= bindparam("now")
)
_LIVE_GETPUBKEY = Prepared(
    _BY_TAG.where(objects.c.object_type == int(ObjectType.GETPUBKEY), objects.c.own.is_(True))
    .where(objects.c.expires_time >= bindparam("now"))
    .order_by(objects.c.expires_time.desc())
    .limit(1)
)
# A msg or getpubkey that waits for its answer expires when its row says so; what else has that second is spared too.
_AWAITED = select(outbox.c.expires_time).where(outbox.c.state.in_((State.PUBLISHED.value, State.REQUESTED.value)))
_OTHERS = objects.c.own.is_(False)
_ANSWERED = and_(objects.c.own.is_(True), objects.c.expires_time.not_in(_AWAITED))
_UNANSWERED = and_(objects.c.own.is_(True), objects.c.expires_time.in_(_AWAITED))


@dataclass(frozen=True, slots=True)
class InventoryRepository:
    """What the network knows, as far as it is not expired; objects to process among it."""

    scope: GatewayScope

    def add(self, added: Iterable[StoredObject]) -> list[InventoryVector]:
        """Insert what is not yet there and tell which those were."""
        rows = {vector: _row(vector, stored) for stored in added for vector in (stored.object.vector,)}
        if not rows:
            return []
        connection = self.scope.connection
        last = connection.execute(_LAST_ID).scalar_one()
        inserted = connection.exec_driver_sql(_INSERT[connection.dialect.name], list(rows.values()))
        if inserted.rowcount == len(rows):
            return list(rows)
        return [InventoryVector(vector) for vector in connection.execute(_NEWER, {"last": last}).scalars()]

    def vectors(self) -> list[tuple[InventoryVector, int, int]]:
        """Vector, expiry and `stem_until` of everything stored."""
        query = select(objects.c.vector, objects.c.expires_time, objects.c.stem_until).order_by(objects.c.expires_time)
        return [
            (InventoryVector(vector), expiry, stem) for vector, expiry, stem in self.scope.connection.execute(query)
        ]

    def get(self, vectors: Collection[InventoryVector]) -> dict[InventoryVector, bytes]:
        """The encoded objects among `vectors`."""
        found: dict[InventoryVector, bytes] = {}
        for portion in _portions(vectors):
            rows = self.scope.connection.execute(_GET, {"vectors": portion})
            found.update((InventoryVector(vector), encoded) for vector, encoded in rows)
        return found

    def to_process(self, limit: int, max_bytes: int = MAX_BYTES) -> list[StoredObject]:
        """Oldest first: up to `limit` of them, fewer when they are large, but never none."""
        query = select(objects).where(objects.c.to_process.is_(True)).order_by(objects.c.id).limit(limit)
        found: list[StoredObject] = []
        with self.scope.connection.execute(query) as rows:
            for row in rows:
                found.append(StoredObject(read_object(row.encoded), row.to_process, row.own, row.stem_until))
                max_bytes -= len(row.encoded)
                if max_bytes <= 0:
                    break
        return found

    def mark_processed(self, vectors: Collection[InventoryVector]) -> None:
        for portion in _portions(vectors):
            change = update(objects).where(objects.c.vector.in_(portion), objects.c.to_process.is_(True))
            self.scope.connection.execute(change.values(to_process=False))

    def stored_from(
        self, first: int, object_type: int, limit: int, max_bytes: int = MAX_BYTES
    ) -> list[tuple[int, BitmessageObject]]:
        """Objects of one type with their numbers, in the order of arrival, from that number on.

        Up to `limit` of them, fewer when they are large, but never none where there is one.
        """
        wanted = select(objects.c.id, objects.c.encoded).where(*_from(first, object_type))
        found: list[tuple[int, BitmessageObject]] = []
        with self.scope.connection.execute(wanted.order_by(objects.c.id).limit(limit)) as rows:
            for number, encoded in rows:
                found.append((number, read_object(encoded)))
                max_bytes -= len(encoded)
                if max_bytes <= 0:
                    break
        return found

    def count_from(self, first: int, object_type: int) -> int:
        """How many of one type there are from that number on."""
        query = select(func.count()).select_from(objects).where(*_from(first, object_type))
        count: int = self.scope.connection.execute(query).scalar_one()
        return count

    def pubkeys_by_lookup(self, address_version: int, lookup: bytes) -> list[BitmessageObject]:
        """Stored pubkey objects with this tag (v4), or all of that version (v2, v3), newest expiry first."""
        tag = lookup if address_version >= 4 else b""
        found = _PUBKEYS.all(self.scope.connection, {"tag": tag, "version": address_version})
        return [read_object(encoded) for (encoded,) in found]

    def live_getpubkey(self, lookup: bytes, now: int) -> BitmessageObject | None:
        """An own unexpired getpubkey for this ripe or tag."""
        encoded = _LIVE_GETPUBKEY.scalar(self.scope.connection, {"tag": lookup, "now": now})
        return None if encoded is None else read_object(encoded)

    def has_onionpeer(self, payload: bytes, now: int) -> bool:
        """Whether an unexpired onionpeer with this payload is there."""
        found = self.scope.connection.execute(_LIVE_ONIONPEERS, {"tag": payload[:TAG_SIZE], "now": now})
        return any(read_object(encoded).payload == payload for encoded in found.scalars())

    def purge(self, expired_before: int) -> dict[InventoryVector, int]:
        """Delete what expired before that time and has been processed; what that was, and of how many bytes each."""
        old = (objects.c.expires_time < expired_before, objects.c.to_process.is_(False))
        gone = self.scope.connection.execute(delete(objects).where(*old).returning(objects.c.vector, _SIZE))
        return {InventoryVector(vector): size for vector, size in gone}

    def evict(self, surplus: int) -> dict[InventoryVector, int]:
        """Delete processed objects of `surplus` bytes or a little more, as `purge`: those that expire first.

        Our own go when there are no others left, and last of all those that still wait for an answer (P40).
        """
        gone: dict[InventoryVector, int] = {}
        for kind in (_OTHERS, _ANSWERED, _UNANSWERED):
            while surplus > 0 and (portion := self._soonest(kind, surplus)):
                self.scope.connection.execute(delete(objects).where(objects.c.vector.in_(list(portion))))
                gone |= portion
                surplus -= sum(portion.values())
        return gone

    def _soonest(self, kind: ColumnElement[bool], surplus: int) -> dict[InventoryVector, int]:
        """The first `surplus` bytes of objects, as far as one statement can name them."""
        query = select(objects.c.vector, _SIZE).where(objects.c.to_process.is_(False), kind)
        rows = self.scope.connection.execute(query.order_by(objects.c.expires_time).limit(MAX_PARAMETERS))
        before = 0
        portion: dict[InventoryVector, int] = {}
        for vector, size in rows:
            if before >= surplus:
                break
            portion[InventoryVector(vector)] = size
            before += size
        return portion

    def size(self) -> int:
        """Bytes of all objects together."""
        total: int = self.scope.connection.execute(select(func.coalesce(func.sum(_SIZE), 0))).scalar_one()
        return int(total)

    def count(self) -> tuple[int, int]:
        """Objects stored, objects to process."""
        connection, total = self.scope.connection, select(func.count()).select_from(objects)
        waiting = total.where(objects.c.to_process.is_(True))
        return connection.execute(total).scalar_one(), connection.execute(waiting).scalar_one()


def _from(first: int, object_type: int) -> tuple[ColumnElement[bool], ...]:
    return objects.c.id >= first, objects.c.object_type == object_type


def _row(vector: InventoryVector, stored: StoredObject) -> tuple[Any, ...]:
    """In the order of `_ADDED`."""
    obj = stored.object
    return (
        vector,
        obj.object_type,
        min(obj.version, MAX_INTEGER),
        min(obj.expires_time, MAX_INTEGER),
        stored.stem_until,
        _tag(obj),
        stored.to_process,
        stored.own,
        obj.encoded,
    )


def _tag(obj: BitmessageObject) -> bytes | None:
    match obj.object_type:
        case ObjectType.PUBKEY:
            return obj.tag if obj.version >= 4 else b""
        case ObjectType.GETPUBKEY | ObjectType.ONIONPEER:
            return obj.tag
        case _:
            return None


def _portions(vectors: Collection[InventoryVector]) -> Iterable[list[InventoryVector]]:
    everything = list(vectors)
    return (everything[start : start + MAX_PARAMETERS] for start in range(0, len(everything), MAX_PARAMETERS))
