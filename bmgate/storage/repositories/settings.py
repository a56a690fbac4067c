"""One account's options, as it set them for itself, its identities, its chans and its contacts."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import and_, bindparam, delete, insert, or_, select

from bmgate.domain.policy import NARROWING, Scope
from bmgate.storage.repositories.scope import AccountScope, AnyRow
from bmgate.storage.schema import setting
from bmgate.storage.statements import Prepared
from bmgate.storage.vault import Purpose

_MINE = select(setting).where(setting.c.account == bindparam("account"))
_OF = Prepared(
    _MINE.where(setting.c.scope == bindparam("scope"), setting.c.ref == bindparam("ref")).order_by(setting.c.name)
)
_NARROWING = Prepared(
    _MINE.where(
        or_(
            *(and_(setting.c.scope == scope.value, setting.c.ref == bindparam(scope.value + "_ref")) for scope in Scope)
        )
    )
)
_REMOVE = delete(setting).where(
    setting.c.account == bindparam("of"),
    setting.c.scope == bindparam("in_scope"),
    setting.c.ref == bindparam("of_ref"),
    setting.c.name == bindparam("named"),
)
_ADD = insert(setting)


@dataclass(frozen=True, slots=True)
class AccountSettingRepository:
    """One account's options, in the words they were set with."""

    scope: AccountScope

    def values(self, scope: Scope, ref: int = 0) -> dict[str, str]:
        """What is set for one identity, membership or contact, or with 0 for the account itself."""
        wanted = {"account": self.scope.account.id, "scope": scope.value, "ref": ref}
        return {row.name: self._value(row) for row in _OF.all(self.scope.connection, wanted)}

    def narrowed(self, refs: Mapping[Scope, int]) -> dict[str, str]:
        """What is in force where these meet: of each option the narrowest value that is set."""
        wanted = {f"{scope.value}_ref": refs.get(scope, 0 if scope is Scope.ACCOUNT else -1) for scope in Scope}
        rows = _NARROWING.all(self.scope.connection, wanted | {"account": self.scope.account.id})
        order = {scope.value: place for place, scope in enumerate(NARROWING)}
        return {row.name: self._value(row) for row in sorted(rows, key=lambda row: order[row.scope])}

    def put(self, scope: Scope, ref: int, name: str, value: str | None) -> None:
        """Set an option, or with None leave it to what is wider."""
        place = {"of": self.scope.account.id, "in_scope": scope.value, "of_ref": ref, "named": name}
        self.scope.connection.execute(_REMOVE, place)
        if value is not None:
            sealed = self.scope.vault.seal(
                Purpose.SECRETS, value.encode(errors="replace"), *self._place(scope, ref, name)
            )
            row = {"account": self.scope.account.id, "scope": scope.value, "ref": ref, "name": name}
            self.scope.connection.execute(_ADD, row | {"sealed_value": sealed})

    def _value(self, row: AnyRow) -> str:
        place = self._place(Scope(row.scope), row.ref, row.name)
        return self.scope.vault.open(Purpose.SECRETS, row.sealed_value, *place).decode()

    def _place(self, scope: Scope, ref: int, name: str) -> tuple[bytes, ...]:
        return b"setting", self.scope.account.uuid, scope.value.encode(), ref.to_bytes(8, "big"), name.encode()
