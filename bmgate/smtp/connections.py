"""All connections of the SMTP door: how many there are, of whom, and how much mail they hold in memory (S16)."""

from collections import Counter
from typing import Protocol

from bmgate.domain.account import AccountId
from bmgate.domain.sources import source_group
from bmgate.smtp.limits import SmtpLimits
from bmgate.smtp.replies import SHUTTING_DOWN, Reply

TOO_MANY_CONNECTIONS = Reply(421, "4.7.0", "too many connections")


class Client(Protocol):
    """One connection as it is counted: the IP address it comes from, and who has logged in."""

    source: str
    account: AccountId | None

    def leave(self) -> None:
        """Hang up with 421, behind the reply to a mail that is being stored."""

    def leave_now(self) -> None:
        """Hang up with 421."""

    async def wait_closed(self) -> None:
        """Returns when nothing of the connection is left."""


class Connections:
    """The clients that are connected now."""

    def __init__(self, limits: SmtpLimits) -> None:
        self._limits = limits
        self._clients: dict[int, Client] = {}
        self._held: Counter[int] = Counter()
        self._is_closing = False

    def all(self) -> list[Client]:
        """Those connected."""
        return list(self._clients.values())

    def close(self) -> None:
        """Admit nobody any more."""
        self._is_closing = True

    def admit(self, client: Client) -> Reply | None:
        """Count a new connection in, or say why not: too many in all, too many from its source, shutting down."""
        if self._is_closing:
            return SHUTTING_DOWN
        group = source_group(client.source)
        same = sum(1 for other in self._clients.values() if source_group(other.source) == group)
        if len(self._clients) >= self._limits.connections or same >= self._limits.connections_per_source:
            return TOO_MANY_CONNECTIONS
        self._clients[id(client)] = client
        return None

    def has_room_for(self, account: AccountId) -> bool:
        """Whether one more connection of this account is fine."""
        same = sum(1 for client in self._clients.values() if client.account == account)
        return same < self._limits.connections_per_user

    def hold(self, client: Client, octets: int) -> bool:
        """Note how much mail a client keeps in memory; False when all together keep too much."""
        self._held[id(client)] = octets
        return self._held.total() <= self._limits.waiting

    def forget(self, client: Client) -> None:
        """It is gone, and what it held."""
        self._clients.pop(id(client), None)
        self._held.pop(id(client), None)
