"""The methods of the control protocol, named like the commands of the command line.

One table for a running gateway, which serves it on its socket, and for a command that works without one. Results are
values for JSON. Texts that strangers chose are handed on as they are: who shows them makes them harmless.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from bmgate.control.protocol import Tell
from bmgate.control.values import (
    account_value,
    backlog_value,
    entry_value,
    news_value,
    peer_value,
    row_value,
    standing_value,
    worked_value,
)
from bmgate.domain.account import Account, AccountState
from bmgate.domain.identity import Identity
from bmgate.domain.outbox import Priority
from bmgate.domain.peers import Standing
from bmgate.errors import Ambiguous, Missing, NotAllowed, ProtocolError, Unavailable
from bmgate.services.accounts import Accounts
from bmgate.services.identities import AddressRequest, Identities
from bmgate.services.queue import Queue, QueueNews
from bmgate.services.status import NodeView, Status

_REQUIRED = object()
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


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of a method. Without a default it must be given."""

    name: str
    kind: type[str] | type[int] | type[bool]
    default: object = _REQUIRED


@dataclass(frozen=True, slots=True)
class Method:
    """What answers a call, and the parameters it takes as keyword arguments; `tells` progress, which it is given
    first.
    """

    answer: Callable[..., Awaitable[Any]]
    params: tuple[Param, ...] = ()
    tells: bool = False


_ACCOUNT = Param("account", str, "")
_ID = Param("id", str)


class Methods:
    """All methods, over the services of one gateway. `domain` stands behind the @ of the mail addresses told."""

    def __init__(
        self, accounts: Accounts, identities: Identities, queue: Queue, peers: Peers, status: Status, domain: str
    ) -> None:
        self._accounts, self._identities, self._queue = accounts, identities, queue
        self._peers, self._status, self._domain = peers, status, domain
        self._methods = {
            "account.add": Method(
                self._account_add, (Param("name", str), Param("password", str), Param("address", bool, False))
            ),
            "account.list": Method(self._account_list),
            "account.passwd": Method(self._account_passwd, (Param("name", str, ""), Param("password", str))),
            "account.disable": Method(self._account_disable, (Param("name", str),)),
            "account.enable": Method(self._account_enable, (Param("name", str),)),
            "address.new": Method(
                self._address_new,
                (
                    _ACCOUNT,
                    Param("label", str, ""),
                    Param("alias", str, ""),
                    Param("passphrase", str, ""),
                    Param("version", int, 4),
                    Param("shorter", bool, False),
                ),
            ),
            "address.list": Method(self._address_list, (_ACCOUNT,)),
            "address.show": Method(self._address_show, (_ACCOUNT, Param("address", str, ""))),
            "queue.list": Method(self._queue_list, (_ACCOUNT, Param("all", bool, False))),
            "queue.show": Method(self._queue_show, (_ACCOUNT, _ID)),
            "queue.watch": Method(self._queue_watch, (_ACCOUNT, Param("id", str, "")), tells=True),
            "queue.priority": Method(self._queue_priority, (_ACCOUNT, _ID, Param("priority", str))),
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

    @property
    def names(self) -> tuple[str, ...]:
        """Every method there is."""
        return tuple(self._methods)

    async def call(self, method: str, params: Mapping[str, Any], tell: Tell) -> Any:
        """The result of `method`; raises ProtocolError for calls that cannot be meant, and what the service raises."""
        found = self._methods.get(method)
        if found is None:
            raise ProtocolError(f"there is no method {method}; there are {', '.join(self.names)}")
        checked = _checked(method, found.params, params)
        return await (found.answer(tell, **checked) if found.tells else found.answer(**checked))

    # --- accounts ---

    async def _account_add(self, name: str, password: str, address: bool) -> dict[str, Any]:
        account = await self._accounts.add(name, password)
        identity = await self._identities.new(account.id, AddressRequest()) if address else None
        return {
            **account_value(account),
            "login": f"{account.name}@{self._domain}",
            "address": None if identity is None else self._with_aliases(identity, [account.name]),
        }

    async def _account_list(self) -> list[dict[str, Any]]:
        return [account_value(account) for account in await self._accounts.all()]

    async def _account_passwd(self, name: str, password: str) -> dict[str, Any]:
        account = await self._account(name)
        await self._accounts.set_password(account.name, password)
        return account_value(account)

    async def _account_disable(self, name: str) -> dict[str, Any]:
        return await self._set_state(name, AccountState.DISABLED)

    async def _account_enable(self, name: str) -> dict[str, Any]:
        return await self._set_state(name, AccountState.ACTIVE)

    async def _set_state(self, name: str, state: AccountState) -> dict[str, Any]:
        await self._accounts.set_state(name, state)
        return account_value(await self._accounts.named(name))

    async def _account(self, name: str) -> Account:
        """The account of this name; with no name the only one there is."""
        if name:
            return await self._accounts.named(name)
        accounts = await self._accounts.all()
        if not accounts:
            raise Missing("there is no account yet; make one: bmgate account add NAME")
        if len(accounts) > 1:
            names = [account.name for account in accounts]
            told = ", ".join(names[:_TOLD_NAMES]) + (", ..." if len(names) > _TOLD_NAMES else "")
            raise Ambiguous(f"there are several accounts: name one of {told} (--account)", tuple(names[:3]))
        return accounts[0]

    # --- addresses ---

    async def _address_new(
        self, account: str, label: str, alias: str, passphrase: str, version: int, shorter: bool
    ) -> dict[str, Any]:
        owner = await self._account(account)
        request = AddressRequest(label, alias, passphrase, version, leading_zeros=2 if shorter else 1)
        identity = await self._identities.new(owner.id, request)
        return await self._address_of(owner, str(identity.address))

    async def _address_list(self, account: str) -> list[dict[str, Any]]:
        owner = await self._account(account)
        return [self._address_value(identity) for identity in await self._identities.all(owner.id)]

    async def _address_show(self, account: str, address: str) -> dict[str, Any]:
        """Without `address` the default one."""
        owner = await self._account(account)
        return await self._address_of(owner, address or await self._default_address(owner))

    async def _default_address(self, owner: Account) -> str:
        for identity in await self._identities.all(owner.id):
            if identity.is_default:
                return str(identity.address)
        raise Missing(f"{owner.name} has no address yet; make one: bmgate address new --account {owner.name}")

    async def _address_of(self, owner: Account, name: str) -> dict[str, Any]:
        local, at, domain = name.rpartition("@")
        identity, aliases = await self._identities.show(owner.id, local if at and domain == self._domain else name)
        return self._with_aliases(identity, aliases)

    def _with_aliases(self, identity: Identity, aliases: list[str]) -> dict[str, Any]:
        mail = [f"{name}@{self._domain}" for name in (*aliases, identity.address)]
        return {**self._address_value(identity), "aliases": aliases, "mail": mail}

    def _address_value(self, identity: Identity) -> dict[str, Any]:
        label = f"?label={quote(identity.label)}" if identity.label else ""
        return {
            "address": str(identity.address),
            "label": identity.label,
            "uri": f"bitmessage:{identity.address}{label}",
            "version": identity.address.version,
            "default": identity.is_default,
            "enabled": identity.enabled,
            "nonce_trials_per_byte": identity.nonce_trials_per_byte,
            "payload_length_extra_bytes": identity.payload_length_extra_bytes,
            "created_at": identity.created_at,
            "pubkey_sent_at": identity.pubkey_sent_at,
        }

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


def _checked(method: str, expected: tuple[Param, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters of a method with their values; raises ProtocolError."""
    names = [param.name for param in expected]
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise ProtocolError(f"{method} takes no {unknown[0]}; it takes {', '.join(names) or 'nothing'}")
    return {param.name: _value(method, param, given) for param in expected}


def _value(method: str, param: Param, given: Mapping[str, Any]) -> object:
    value = given.get(param.name, param.default)
    if value is _REQUIRED:
        raise ProtocolError(f"{method} needs {param.name}")
    if type(value) is not param.kind:  # True is an int, but no version
        raise ProtocolError(f"{method}: {param.name} is a {type(value).__name__}, hoped for {param.kind.__name__}")
    return value
