"""The methods of the control protocol, named like the commands of the command line.

One table for a running gateway, which serves it on its socket, and for a command that works without one. Results are
values for JSON. Texts that strangers chose are handed on as they are: who shows them makes them harmless.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol
from urllib.parse import quote

from bmgate.control.chan_methods import FindAccount
from bmgate.control.protocol import Tell
from bmgate.control.table import Method, Param, checked
from bmgate.control.values import (
    account_value,
    backlog_value,
    entry_value,
    news_value,
    options_value,
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
from bmgate.mail.wishes import read_ttl
from bmgate.services.accounts import Accounts
from bmgate.services.identities import DIFFICULTY, AddressRequest, Identities
from bmgate.services.policies import AccountOptions
from bmgate.services.queue import Queue, QueueNews
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
    """All methods, over the services of one gateway. `domain` stands behind the @ of the mail addresses told."""

    def __init__(
        self,
        accounts: Accounts,
        options: AccountOptions,
        identities: Identities,
        queue: Queue,
        peers: Peers,
        status: Status,
        domain: str,
        families: Iterable[Family] = (),
    ) -> None:
        self._accounts, self._options, self._identities, self._queue = accounts, options, identities, queue
        self._peers, self._status, self._domain = peers, status, domain
        self._methods = {
            "account.add": Method(
                self._account_add, (Param("name", str), Param("password", str), Param("address", bool, False))
            ),
            "account.list": Method(self._account_list),
            "account.passwd": Method(self._account_passwd, (Param("name", str, ""), Param("password", str))),
            "account.disable": Method(self._account_disable, (Param("name", str),)),
            "account.enable": Method(self._account_enable, (Param("name", str),)),
            "account.show": Method(self._account_show, (Param("name", str, ""),)),
            "account.set": Method(
                self._account_set, (Param("name", str), Param("option", str), Param("value", str, ""))
            ),
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
            "address.options": Method(self._address_options, (_ACCOUNT, Param("address", str))),
            "address.set": Method(
                self._address_set,
                (_ACCOUNT, Param("address", str), Param("option", str), Param("value", str, "")),
            ),
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
        return await (found.answer(tell, **values) if found.tells else found.answer(**values))

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

    async def _account_show(self, name: str) -> dict[str, Any]:
        account = await self._account(name)
        return {**account_value(account), "options": options_value(await self._options.show(account.id))}

    async def _account_set(self, name: str, option: str, value: str) -> dict[str, Any]:
        """Without `value` back to the gateway's default."""
        account = await self._account(name)
        return {**account_value(account), "options": options_value(await self._options.set(account.id, option, value))}

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

    async def _address_options(self, account: str, address: str) -> list[dict[str, Any]]:
        owner, name = await self._account(account), self._local_part(address)
        identity, _ = await self._identities.show(owner.id, name)
        difficulty = self._identities.difficulty_of(identity)
        demand = {"name": DIFFICULTY, "value": f"{difficulty:g}", "is_set": difficulty != 1}
        return [demand, *options_value(await self._identities.options(owner.id, name))]

    async def _address_set(self, account: str, address: str, option: str, value: str) -> dict[str, Any]:
        """Without `value` back to what holds for the account."""
        owner = await self._account(account)
        await self._identities.set(owner.id, self._local_part(address), option, value)
        return {
            **await self._address_of(owner, address),
            "options": await self._address_options(owner.name, address),
        }

    async def _default_address(self, owner: Account) -> str:
        for identity in await self._identities.all(owner.id):
            if identity.is_default:
                return str(identity.address)
        raise Missing(f"{owner.name} has no address yet; make one: bmgate address new --account {owner.name}")

    async def _address_of(self, owner: Account, name: str) -> dict[str, Any]:
        identity, aliases = await self._identities.show(owner.id, self._local_part(name))
        return self._with_aliases(identity, aliases)

    def _local_part(self, name: str) -> str:
        """An address or alias without our domain, if that is behind it."""
        local, at, domain = name.rpartition("@")
        return local if at and domain == self._domain else name

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
            "difficulty": self._identities.difficulty_of(identity),
            "created_at": identity.created_at,
            "pubkey_sent_at": identity.pubkey_sent_at,
            "pubkey_outdated": identity.is_pubkey_outdated,
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

    async def _queue_ttl(self, account: str, id: str, ttl: str) -> list[dict[str, Any]]:  # noqa: A002
        owner = await self._account(account)
        return [row_value(row) for row in await self._queue.set_ttl(owner.id, id, read_ttl(ttl))]

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
