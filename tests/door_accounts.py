"""The accounts behind the doors on Twisted, in memory."""

import asyncio

from bmgate.domain.account import AccountId
from bmgate.errors import LoginFailed

PASSWORD = 'p"a\\ss % {wörd} 1'
ALICE, BOB = AccountId(1), AccountId(2)


class FakeAccounts:
    """Two accounts, alice and bob, with one password."""

    def __init__(self) -> None:
        self.names = {"alice": ALICE, "bob": BOB}
        self.seen: list[tuple[str, str, str]] = []

    async def login(self, name: str, password: str, source: str) -> AccountId:
        self.seen.append((name, password, source))
        await asyncio.sleep(0)
        if password != PASSWORD or name not in self.names:
            raise LoginFailed("wrong user name or password")
        return self.names[name]
