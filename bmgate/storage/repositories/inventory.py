"""The objects of the network, ours among them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bmgate.bm.hashes import InventoryVector
from bmgate.bm.objects import BitmessageObject, ObjectType, read_object
from bmgate.domain.objects import StoredObject
from bmgate.storage.repositories.scope import MAX_INTEGER, MAX_PARAMETERS, GatewayScope
from bmgate.storage.schema import object_ as objects

_INSERT = {
    "sqlite": sqlite.insert(objects).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(objects).on_conflict_do_nothing(),
}
_LAST_ID = select(func.coalesce(func.max(objects.c.id), 0))
_NEWER = select(objects.c.vector).where(objects.c.id > bindparam("last")).order_by(objects.c.id)
_GET = select(objects.c.vector, objects.c.encoded).where(objects.c.vector.in_(bindparam("vectors", expanding=True)))
_BY_TAG = select(objects.c.encoded).where(objects.c.tag == bindparam("tag"))
_PUBKEYS = _BY_TAG.where(
    objects.c.object_type == int(ObjectType.PUBKEY), objects.c.version == bindparam("version")
).order_by(objects.c.expires_time.desc())
_LIVE_GETPUBKEY = (
    _BY_TAG.where(objects.c.object_type == int(ObjectType.GETPUBKEY), objects.c.own.is_(True))
    .where(objects.c.expires_time >= bindparam("now"))
    .order_by(objects.c.expires_time.desc())
    .limit(1)
)


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
        if connection.execute(_INSERT[connection.dialect.name], list(rows.values())).rowcount == len(rows):
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

    def to_process(self, limit: int) -> list[StoredObject]:
        """Oldest first."""
        query = select(objects).where(objects.c.to_process.is_(True)).order_by(objects.c.id).limit(limit)
        return [
            StoredObject(read_object(row.encoded), row.to_process, row.own, row.stem_until)
            for row in self.scope.connection.execute(query)
        ]

    def mark_processed(self, vectors: Collection[InventoryVector]) -> None:
        for portion in _portions(vectors):
            change = update(objects).where(objects.c.vector.in_(portion), objects.c.to_process.is_(True))
            self.scope.connection.execute(change.values(to_process=False))

    def pubkeys_by_lookup(self, address_version: int, lookup: bytes) -> list[BitmessageObject]:
        """Stored pubkey objects with this tag (v4), or all of that version (v2, v3), newest expiry first."""
        tag = lookup if address_version >= 4 else b""
        found = self.scope.connection.execute(_PUBKEYS, {"tag": tag, "version": address_version})
        return [read_object(encoded) for encoded in found.scalars()]

    def live_getpubkey(self, lookup: bytes, now: int) -> BitmessageObject | None:
        """An own unexpired getpubkey for this ripe or tag."""
        encoded = self.scope.connection.execute(_LIVE_GETPUBKEY, {"tag": lookup, "now": now}).scalar()
        return None if encoded is None else read_object(encoded)

    def purge(self, expired_before: int) -> list[InventoryVector]:
        """Delete what expired before that time and has been processed."""
        old = (objects.c.expires_time < expired_before, objects.c.to_process.is_(False))
        gone = self.scope.connection.execute(delete(objects).where(*old).returning(objects.c.vector)).scalars()
        return [InventoryVector(vector) for vector in gone]

    def count(self) -> tuple[int, int]:
        """Objects stored, objects to process."""
        connection, total = self.scope.connection, select(func.count()).select_from(objects)
        waiting = total.where(objects.c.to_process.is_(True))
        return connection.execute(total).scalar_one(), connection.execute(waiting).scalar_one()


def _row(vector: InventoryVector, stored: StoredObject) -> dict[str, Any]:
    obj = stored.object
    return {
        "vector": vector,
        "object_type": obj.object_type,
        "version": min(obj.version, MAX_INTEGER),
        "expires_time": min(obj.expires_time, MAX_INTEGER),
        "stem_until": stored.stem_until,
        "tag": _tag(obj),
        "to_process": stored.to_process,
        "own": stored.own,
        "encoded": obj.encoded,
    }


def _tag(obj: BitmessageObject) -> bytes | None:
    match obj.object_type:
        case ObjectType.PUBKEY:
            return obj.tag if obj.version >= 4 else b""
        case ObjectType.GETPUBKEY:
            return obj.tag
        case _:
            return None


def _portions(vectors: Collection[InventoryVector]) -> Iterable[list[InventoryVector]]:
    everything = list(vectors)
    return (everything[start : start + MAX_PARAMETERS] for start in range(0, len(everything), MAX_PARAMETERS))
