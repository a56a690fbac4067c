"""The methods of the control protocol, named like the commands of the command line.

One table for a running gateway, which serves it on its socket, and for a command that works without one. Results are
values for JSON. Texts that strangers chose are handed on as they are: who shows them makes them harmless.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from bmgate.control.protocol import Tell
from bmgate.control.table import FindAccount, Method, Param, checked
from bmgate.control.values import (
    backlog_value,
    entry_value,
    news_value,
    peer_value,
    row_value,
    standing_value,
    worked_value,
)
from bmgate.domain.account import Account
from bmgate.domain.outbox import Priority
from bmgate.domain.peers import Standing
from bmgate.errors import Ambiguous, Missing, NotAllowed, ProtocolError, Unavailable
from bmgate.mail.wishes import read_exact_ttl
from bmgate.services.accounts.accounts import Accounts
from bmgate.services.finishing import finished
from bmgate.services.outbound.queue import Queue, QueueNews
from bmgate.services.status import NodeView, Status

_TOLD_NAMES = 10


class Peers(Protocol):
    """The node's connections, and how to add one."""

    def view(self) -> NodeView | None:
        """None while no node runs in this process."""
        ...

    def add(self, peer: str) -> None:
        """Stay connected to `host` or `host:port`; raises NotAllowed when it is neither."""
        ...

    async def ban(self, host: str, seconds: int | None) -> Standing:
        """Refuse this host, for ever or a while; raises NotAllowed for what is no host."""
        ...

    async def unban(self, host: str) -> bool:
        """Forget what is held against it; whether there was anything."""
        ...


class Family(Protocol):
    """Methods on things of one kind."""

    def table(self, find: FindAccount) -> Mapping[str, Method]:
        """Each under its name."""
        ...


_ACCOUNT = Param("account", str, "")
_ID = Param("id", str)


class Methods:
    """All methods, over the services of one gateway: those on the queue and the node, and those of `families`."""

    def __init__(
        self,
        accounts: Accounts,
        queue: Queue,
        peers: Peers,
        status: Status,
        families: Iterable[Family] = (),
    ) -> None:
        self._accounts, self._queue, self._peers, self._status = accounts, queue, peers, status
        self._methods = {
            "queue.list": Method(self._queue_list, (_ACCOUNT, Param("all", bool, False))),
            "queue.show": Method(self._queue_show, (_ACCOUNT, _ID)),
            "queue.watch": Method(self._queue_watch, (_ACCOUNT, Param("id", str, "")), tells=True),
            "queue.priority": Method(self._queue_priority, (_ACCOUNT, _ID, Param("priority", str))),
            "queue.ttl": Method(self._queue_ttl, (_ACCOUNT, _ID, Param("ttl", str))),
            "queue.cancel": Method(self._queue_cancel, (_ACCOUNT, _ID)),
            "queue.retry": Method(self._queue_retry, (_ACCOUNT, _ID)),
            "queue.force": Method(self._queue_force, (_ACCOUNT, _ID)),
            "peers.list": Method(self._peers_list),
            "peers.add": Method(self._peers_add, (Param("peer", str),)),
            "peers.known": Method(self._peers_known),
            "peers.banned": Method(self._peers_banned),
            "peers.ban": Method(self._peers_ban, (Param("host", str), Param("seconds", int, 0))),
            "peers.unban": Method(self._peers_unban, (Param("host", str),)),
            "peers.watch": Method(self._peers_watch, tells=True),
            "status": Method(self._status.report),
        }
        for family in families:
            self._methods.update(family.table(self._account))

    @property
    def names(self) -> tuple[str, ...]:
        """Every method there is."""
        return tuple(self._methods)

    async def call(self, method: str, params: Mapping[str, Any], tell: Tell) -> Any:
        """The result of `method`; raises ProtocolError for calls that cannot be meant, and what the service raises."""
        found = self._methods.get(method)
        if found is None:
            raise ProtocolError(f"there is no method {method}; there are {', '.join(self.names)}")
        values = checked(method, found.params, params)
        if found.tells:  # it takes its time, and may be broken off
            return await found.answer(tell, **values)
        return await finished(found.answer(**values))

    async def _account(self, name: str, how: str = "--account") -> Account:
        """The account of this name; with no name the only one there is."""
        if name:
            return await self._accounts.named(name)
        accounts = await self._accounts.all()
        if not accounts:
            raise Missing("there is no account yet; make one: bmgate account add NAME")
        if len(accounts) > 1:
            names = [account.name for account in accounts]
            told = ", ".join(names[:_TOLD_NAMES]) + (", ..." if len(names) > _TOLD_NAMES else "")
            raise Ambiguous(f"there are several accounts: name one of {told} ({how})", tuple(names[:3]))
        return accounts[0]

    # --- the queue ---

    async def _queue_list(self, account: str, all: bool) -> list[dict[str, Any]]:  # noqa: A002 - a parameter's name
        owner = await self._account(account)
        rows = await self._queue.rows(owner.id, unfinished_only=not all)
        return [worked_value(row) for row in rows]

    async def _queue_show(self, account: str, id: str) -> list[dict[str, Any]]:  # noqa: A002
        owner = await self._account(account)
        return [entry_value(entry) for entry in await self._queue.show(owner.id, id)]

    async def _queue_watch(self, tell: Tell, account: str, id: str) -> dict[str, Any]:  # noqa: A002
        """Each changed row on a line of its own, as a large queue is longer than a line may be."""
        if self._peers.view() is None:
            raise Unavailable("no gateway runs here, so nothing is worked on; start it: bmgate serve")
        owner = await self._account(account)
        watched: set[str] = set()

        async def tell_news(news: QueueNews) -> None:
            watched.update(row.message.name for row in news.rows)
            for row in news.rows:
                await tell(worked_value(row))
            await tell({"backlog": backlog_value(news.backlog)})

        await self._queue.watch(owner.id, id, tell_news)
        return {"watched": len(watched)}

    async def _queue_priority(self, account: str, id: str, priority: str) -> list[dict[str, Any]]:  # noqa: A002
        if priority not in list(Priority):
            raise NotAllowed(f"priority is high, normal or low, not {priority!r}")
        owner = await self._account(account)
        return [row_value(row) for row in await self._queue.prioritise(owner.id, id, Priority(priority))]

    async def _queue_ttl(self, account: str, id: str, ttl: str) -> list[dict[str, Any]]:  # noqa: A002
        owner = await self._account(account)
        return [row_value(row) for row in await self._queue.set_ttl(owner.id, id, read_exact_ttl(ttl))]

    async def _queue_cancel(self, account: str, id: str) -> list[dict[str, Any]]:  # noqa: A002
        owner = await self._account(account)
        return [row_value(row) for row in await self._queue.cancel(owner.id, id)]

    async def _queue_retry(self, account: str, id: str) -> list[dict[str, Any]]:  # noqa: A002
        owner = await self._account(account)
        return [row_value(row) for row in await self._queue.retry(owner.id, id)]

    async def _queue_force(self, account: str, id: str) -> list[dict[str, Any]]:  # noqa: A002
        owner = await self._account(account)
        return [row_value(row) for row in await self._queue.force(owner.id, id)]

    # --- the node ---

    async def _peers_list(self) -> list[dict[str, Any]]:
        return [peer_value(peer) for peer in self._node().peers()]

    async def _peers_add(self, peer: str) -> dict[str, Any]:
        self._node()
        self._peers.add(peer)
        return {"peer": peer}

    async def _peers_known(self) -> dict[str, int]:
        state = self._node().state
        return {"known": state.known, "tried": state.tried, "banned": state.banned}

    async def _peers_banned(self) -> list[dict[str, Any]]:
        return [standing_value(standing) for standing in self._node().banned()]

    async def _peers_ban(self, host: str, seconds: int) -> dict[str, Any]:
        """Without `seconds` for ever."""
        self._node()
        return standing_value(await self._peers.ban(host, seconds or None))

    async def _peers_unban(self, host: str) -> dict[str, Any]:
        self._node()
        if not await self._peers.unban(host):
            raise Missing(f"nothing is held against {host}; see: bmgate peers banned")
        return {"host": host}

    async def _peers_watch(self, tell: Tell) -> None:
        """Until the caller hangs up."""
        async for news in self._node().news():
            await tell(news_value(news))

    def _node(self) -> NodeView:
        node = self._peers.view()
        if node is None:
            raise Unavailable("no gateway runs here, so there are no peers; start it: bmgate serve")
        return node
