"""Whom one account's identities answered by themselves (V17). Correspondents are found by tag."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, func, insert, select, update

from bmgate.bm.addresses import Address
from bmgate.domain.identity import IdentityId
from bmgate.storage.repositories.scope import AccountScope
from bmgate.storage.schema import answer as answers
from bmgate.storage.schema import identity as identities


@dataclass(frozen=True, slots=True)
class AccountAnswerRepository:
    """One account's automatic answers. Times are Unix seconds."""

    scope: AccountScope

    def last(self, identity: IdentityId, correspondent: Address) -> int | None:
        """When this correspondent was answered last."""
        query = select(answers.c.at).where(*self._of(identity), answers.c.correspondent_tag == self._tag(correspondent))
        at: int | None = self.scope.connection.execute(query).scalar()
        return at

    def count(self, identity: IdentityId, since: int) -> int:
        """How many correspondents were answered at or after `since`."""
        query = select(func.count()).select_from(answers).where(*self._of(identity), answers.c.at >= since)
        return self.scope.connection.execute(query).scalar_one()

    def note(self, identity: IdentityId, correspondent: Address, now: int) -> None:
        """Answered now; `identity` must be the account's."""
        tag = self._tag(correspondent)
        same = (*self._of(identity), answers.c.correspondent_tag == tag)
        if self.scope.connection.execute(update(answers).where(*same).values(at=now)).rowcount == 0:
            values = {"identity": identity, "correspondent_tag": tag, "at": now}
            self.scope.connection.execute(insert(answers).values(values))

    def forget(self, identity: IdentityId, before: int) -> None:
        """Drop what was answered before that time."""
        self.scope.connection.execute(delete(answers).where(*self._of(identity), answers.c.at < before))

    def _of(self, identity: IdentityId) -> tuple[ColumnElement[bool], ...]:
        mine = select(identities.c.id).where(identities.c.account == self.scope.account.id)
        return answers.c.identity == identity, answers.c.identity.in_(mine)

    def _tag(self, correspondent: Address) -> bytes:
        return self.scope.vault.tag(b"answer", self.scope.account.uuid, str(correspondent).encode())
