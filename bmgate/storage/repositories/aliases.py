"""Names of an account's addresses, and those it gave up: a name that was in use is nobody else's for a year."""

from dataclasses import dataclass

from sqlalchemy import bindparam, delete, insert, select

from bmgate.domain.identity import IdentityId
from bmgate.errors import Conflict, Missing, NotAllowed
from bmgate.storage.repositories.scope import AccountScope, AnyRow, GatewayScope
from bmgate.storage.schema import alias as aliases
from bmgate.storage.schema import former_alias as former
from bmgate.storage.statements import Prepared
from bmgate.units import DAY

KEEP_NAMES_SECONDS = 365 * DAY

_TAKEN = Prepared(select(aliases.c.name).where(aliases.c.name == bindparam("name")))
_FORMER = Prepared(select(former).where(former.c.name == bindparam("name")))
_NEW = Prepared(insert(aliases))


@dataclass(frozen=True, slots=True)
class AliasNames:
    """The names of one account."""

    scope: AccountScope

    def add(self, name: str, identity: IdentityId, now: int) -> None:
        """Raises Conflict when the name is somebody's, or was within a year."""
        claim(self.scope, name.lower(), self.scope.account.uuid, now)
        values = {"name": name.lower(), "account": self.scope.account.id, "identity": identity, "created_at": now}
        _NEW.run(self.scope.connection, values)

    def remove(self, name: str, ripe: bytes, now: int) -> None:
        """Give up a name that stands for the identity of this ripe."""
        folded = name.lower()
        self.scope.connection.execute(
            delete(aliases).where(aliases.c.name == folded, aliases.c.account == self.scope.account.id)
        )
        release(self.scope, folded, self.scope.account.uuid, ripe, now)

    def check_removable(self, name: str) -> IdentityId:
        """What the name stands for; raises Missing, NotAllowed for the name of the account itself."""
        query = select(aliases).where(aliases.c.name == name.lower(), aliases.c.account == self.scope.account.id)
        row = self.scope.connection.execute(query).first()
        if row is None:
            raise Missing(f"the account has no alias {name!r}; see: bmgate alias list")
        if row.identity is None:
            raise NotAllowed(f"{name!r} is the name of the account: it stays as long as the account does")
        return IdentityId(row.identity)

    def release_all(self, identity: IdentityId, ripe: bytes, now: int) -> None:
        """Give up every name of an identity."""
        for name in self.scope.connection.execute(select(aliases.c.name).where(aliases.c.identity == identity)):
            self.remove(name[0], ripe, now)

    def take_back(self, identity: IdentityId, ripe: bytes, now: int) -> None:
        """Names that an identity had when it was deleted are its own again."""
        for name in self.given_up(ripe):
            self.add(name, identity, now)

    def given_up(self, ripe: bytes) -> list[str]:
        """Names that the identity of this ripe had."""
        mine = (former.c.owner == self.scope.account.uuid, former.c.ripe == ripe)
        return list(self.scope.connection.execute(select(former.c.name).where(*mine).order_by(former.c.name)).scalars())


def claim(scope: AccountScope | GatewayScope, folded: str, owner: bytes, now: int) -> None:
    """Let `owner`, the uuid of an account, have a name; raises Conflict when it is taken, or was within a year."""
    if _TAKEN.first(scope.connection, {"name": folded}) is not None:
        raise Conflict(f"the name {folded!r} is taken")
    row: AnyRow | None = _FORMER.first(scope.connection, {"name": folded})
    if row is None:
        return
    if row.owner != owner and row.released_at > now - KEEP_NAMES_SECONDS:
        raise Conflict(f"the name {folded!r} was somebody else's; it is free a year after it was given up")
    scope.connection.execute(delete(former).where(former.c.name == folded))


def release(scope: AccountScope | GatewayScope, folded: str, owner: bytes, ripe: bytes | None, now: int) -> None:
    """Note that a name was given up."""
    scope.connection.execute(delete(former).where(former.c.name == folded))
    values = {"name": folded, "owner": owner, "ripe": ripe, "released_at": now}
    scope.connection.execute(insert(former).values(values))
