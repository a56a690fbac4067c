"""Many names at once, all or none."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bmgate.domain.account import AccountId
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Clock
from bmgate.services.batch import Step, apply_all
from bmgate.services.identities import Identities, Named
from bmgate.services.identities.naming import KnownNames


@dataclass(frozen=True, slots=True)
class AliasEntry:
    """One line of a batch: a name for an address of an account, which may be named by another alias."""

    line: int
    account: AccountId
    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Aliasing:
    """Gives names."""

    database: Database
    clock: Clock
    identities: Identities

    async def add_all(self, entries: Sequence[AliasEntry], *, if_missing: bool = False) -> list[Named]:
        """In order, so that a line may build on one before; raises BatchRefused."""
        now, names = self.clock.now(), KnownNames()

        def step(entry: AliasEntry) -> Callable[[Store], Named]:
            return lambda store: self.identities.put_alias(
                names.of(store, entry.account), entry.name, entry.address, now, if_missing=if_missing
            )

        steps: list[Step[Named]] = [(entry.line, step(entry)) for entry in entries]
        return await apply_all(self.database, steps, then=self.identities.changed)
