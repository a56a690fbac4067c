"""Who is connected, and who may be."""

import asyncio
from typing import Protocol, TypeVar
from weakref import WeakValueDictionary

from bmgate.domain.account import AccountId
from bmgate.imap.limits import ImapLimits
from bmgate.tcp.connections import Connections, Member


class Session(Member, Protocol):
    """A connection on which somebody may be logged in."""

    @property
    def account(self) -> AccountId | None:
        """Who is."""
        ...


S = TypeVar("S", bound=Session)


class ImapConnections(Connections[S]):
    """A source is counted until it logs in, from then on its account (I8)."""

    def __init__(self, limits: ImapLimits) -> None:
        super().__init__(limits.connections, limits.connections_per_source)
        self._most_per_user = limits.connections_per_user
        self._body_searches: WeakValueDictionary[AccountId, asyncio.Lock] = WeakValueDictionary()

    def counts(self, member: S) -> bool:
        """Whether it has not logged in yet."""
        return member.account is None

    def has_room_for_login(self, account: AccountId) -> bool:
        """Whether the account may have one more session."""
        return sum(member.account == account for member in self.members) < self._most_per_user

    def body_search(self, account: AccountId) -> asyncio.Lock:
        """One lock for all sessions of the account; it goes with the last of them."""
        return self._body_searches.setdefault(account, asyncio.Lock())
