"""Options of one chan: how an account posts there, what it keeps, what it does not want to see."""

from dataclasses import dataclass

from bmgate.domain.account import AccountId
from bmgate.domain.ports.database import Database, Store
from bmgate.services.chans.chans import Chan, find
from bmgate.services.policies import Policies, Shown


@dataclass(frozen=True, slots=True)
class ChanOptions:
    """`bmgate chan set` and `info`. A chan is named by its label or address; all raise Missing."""

    database: Database
    policies: Policies

    async def show(self, account: AccountId, text: str) -> tuple[Chan, list[Shown]]:
        """The chan, and every option that may be set for it."""

        def look(store: Store) -> tuple[Chan, list[Shown]]:
            mine = store.account(account)
            chan = find(mine, text)
            return chan, self.policies.shown(mine, membership=chan.membership.id)

        return await self.database.read(look)

    async def set(self, account: AccountId, text: str, name: str, words: str) -> tuple[Chan, list[Shown]]:
        """Empty words go back to what holds for the account; raises BadOption."""

        def change(store: Store) -> tuple[Chan, list[Shown]]:
            mine = store.account(account)
            chan = find(mine, text)
            self.policies.set(mine, name, words or None, membership=chan.membership.id)
            return chan, self.policies.shown(mine, membership=chan.membership.id)

        return await self.database.transact(change)
