"""The inventory as the live node asks for it, over the database."""

from collections.abc import Collection, Sequence

from bmgate.bm.hashes import InventoryVector
from bmgate.domain.objects import StoredObject
from bmgate.domain.ports.database import Database


class StoredInventory:
    """Each call is one unit of work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> list[tuple[InventoryVector, int, int]]:
        """Vector, expiry and `stem_until` of everything stored."""
        return await self._database.read(lambda store: store.inventory.vectors())

    async def add(self, objects: Sequence[StoredObject]) -> list[InventoryVector]:
        """Store what is not yet there; on disk, and marked for processing, when this tells which those were (C3)."""
        return await self._database.transact(lambda store: store.inventory.add(objects))

    async def get(self, vectors: Collection[InventoryVector]) -> dict[InventoryVector, bytes]:
        """The encoded objects among `vectors`."""
        return await self._database.read(lambda store: store.inventory.get(vectors))

    async def purge(self, expired_before: int) -> list[InventoryVector]:
        """Delete what expired before that time and has been processed."""
        return await self._database.transact(lambda store: store.inventory.purge(expired_before))
