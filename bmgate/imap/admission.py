"""Who is connected, and who may be."""

import asyncio
from typing import Generic, Protocol, TypeVar
from weakref import WeakValueDictionary

from bmgate.domain.account import AccountId
from bmgate.domain.sources import source_group
from bmgate.imap.limits import ImapLimits


class Member(Protocol):
    """A connection, as far as it is counted."""

    @property
    def source(self) -> str:
        """The client's IP address."""
        ...

    @property
    def account(self) -> AccountId | None:
        """Who is logged in."""
        ...


T = TypeVar("T", bound=Member)


class Connections(Generic[T]):
    """Who is connected, and who may be (I8)."""

    def __init__(self, limits: ImapLimits) -> None:
        self._limits = limits
        self.members: set[T] = set()
        self._body_searches: WeakValueDictionary[AccountId, asyncio.Lock] = WeakValueDictionary()

    def has_room(self, newcomer: T) -> bool:
        """Whether one more may stay that has not logged in yet."""
        group = source_group(newcomer.source)
        same = sum(member.account is None and source_group(member.source) == group for member in self.members)
        return same < self._limits.connections_per_source and len(self.members) < self._limits.connections

    def has_room_for_login(self, account: AccountId) -> bool:
        """Whether the account may have one more session."""
        return sum(member.account == account for member in self.members) < self._limits.connections_per_user

    def body_search(self, account: AccountId) -> asyncio.Lock:
        """One lock for all sessions of the account; it goes with the last of them."""
        return self._body_searches.setdefault(account, asyncio.Lock())
