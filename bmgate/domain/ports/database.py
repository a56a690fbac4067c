"""Storage as the services see it: units of work and the repositories inside one.

A unit of work is one plain function of a `Store`; it runs on a storage thread, in one transaction. What a user was
promised goes through `Database.transact`, whose return means that it is on disk. Repositories speak values of the
domain and live for one transaction; those that serve a user hang on `AccountStore` and see nothing else.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from bmgate.domain.account import AccountId
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.accounts import Accounts
from bmgate.domain.ports.network import Acks, Inventory, Peers, Pubkeys
from bmgate.domain.ports.outgoing import Outbox
from bmgate.domain.ports.receivers import Chans, Identities, Subscriptions

T = TypeVar("T")


class Store(Protocol):
    """One unit of work: the gateway's own views, and the way into an account."""

    @property
    def accounts(self) -> Accounts: ...
    @property
    def identities(self) -> Identities: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def inventory(self) -> Inventory: ...
    @property
    def pubkeys(self) -> Pubkeys: ...
    @property
    def acks(self) -> Acks: ...
    @property
    def peers(self) -> Peers: ...
    @property
    def chans(self) -> Chans: ...
    @property
    def subscriptions(self) -> Subscriptions: ...

    def account(self, account: AccountId) -> AccountStore:
        """Raises Missing."""
        ...


class Database(Protocol):
    """Where units of work run."""

    async def transact(self, work: Callable[[Store], T]) -> T:
        """Run `work` in a transaction and return once it is durable; an exception rolls it back and is raised here."""
        ...

    async def read(self, work: Callable[[Store], T]) -> T:
        """Run `work` on a snapshot it cannot change."""
        ...


class Failpoints(Protocol):
    """Named points at which a test kills the process; inert by default."""

    def pass_(self, name: str) -> None:
        """Told at each pass of the point `name`."""
        ...
