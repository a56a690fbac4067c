"""All connections of the SMTP door: how many there are and of whom (S16), and how much mail they hold (S8)."""

from collections.abc import Hashable
from typing import Protocol

from bmgate.domain.account import AccountId
from bmgate.domain.sources import source_group
from bmgate.smtp.limits import SmtpLimits
from bmgate.smtp.replies import SHUTTING_DOWN, Reply

TOO_MANY_CONNECTIONS = Reply(421, "4.7.0", "too many connections")


class Client(Protocol):
    """One connection as it is counted: who has logged in, and the IP address it comes from, empty for a Unix socket."""

    source: str
    account: AccountId | None

    def leave(self) -> None:
        """Hang up with 421, behind the reply to a mail that is being stored."""

    def leave_now(self) -> None:
        """Hang up with 421."""

    async def wait_closed(self) -> None:
        """Returns when nothing of the connection is left."""


class Room:
    """Memory for all mails that are being read or stored, in octets."""

    def __init__(self, octets: int) -> None:
        self._octets = octets
        self._held: dict[Hashable, int] = {}
        self._sum = 0

    def hold(self, holder: Hashable, octets: int) -> bool:
        """Note how much is kept for a mail; False when all together keep too much."""
        self._sum += octets - self._held.get(holder, 0)
        self._held[holder] = octets
        return self._sum <= self._octets

    def release(self, holder: Hashable) -> None:
        """Nothing of that mail is kept any more."""
        self._sum -= self._held.pop(holder, 0)


class Connections:
    """The clients that are connected now."""

    def __init__(self, limits: SmtpLimits) -> None:
        self._limits = limits
        self._clients: dict[int, Client] = {}
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
        if len(self._clients) >= self._limits.connections or not self._has_room_for_source(client.source):
            return TOO_MANY_CONNECTIONS
        self._clients[id(client)] = client
        return None

    def has_room_for(self, account: AccountId) -> bool:
        """Whether one more connection of this account is fine."""
        same = sum(1 for client in self._clients.values() if client.account == account)
        return same < self._limits.connections_per_user

    def forget(self, client: Client) -> None:
        """It is gone."""
        self._clients.pop(id(client), None)

    def _has_room_for_source(self, source: str) -> bool:
        """The MTA behind a Unix socket has as many as there are."""
        group = source_group(source)
        same = sum(1 for other in self._clients.values() if source_group(other.source) == group)
        return not source or same < self._limits.connections_per_source
