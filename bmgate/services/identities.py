"""Identities: new addresses for an account, the list of them, and what each demands and does."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass

from bmgate.bm.addresses import Address, parse_address
from bmgate.bm.keys import Entropy, PrivateKeys, deterministic_keys, random_keys
from bmgate.bm.network import STREAM, NetworkParameters
from bmgate.domain.account import AccountId
from bmgate.domain.identity import Identity, NewIdentity
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Clock
from bmgate.errors import BadOption, Conflict, Missing, NotAllowed
from bmgate.mail.addresses import is_alias
from bmgate.mail.text import clean_line
from bmgate.services.behavior import behavior_of
from bmgate.services.policies import Policies, Shown

DIFFICULTY = "difficulty"
MAX_DIFFICULTY = 100


@dataclass(frozen=True, slots=True)
class AddressRequest:
    """What a new address shall be: random, or made from a passphrase; `leading_zeros` 2 gives a shorter one."""

    label: str = ""
    alias: str = ""
    passphrase: str = ""
    version: int = 4
    leading_zeros: int = 1


class Identities:
    """Addresses of accounts. `changed` is called after each commit that made or unmade a key."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        entropy: Entropy,
        network: NetworkParameters,
        changed: Callable[[], None],
        policies: Policies,
    ) -> None:
        self._database, self._clock, self._entropy = database, clock, entropy
        self._network, self._changed, self._policies = network, changed, policies

    async def new(self, account: AccountId, request: AddressRequest) -> Identity:
        """Make an address; raises Conflict when the gateway has it or the alias is taken, NotAllowed for bad input."""
        if request.version not in (3, 4):
            raise NotAllowed(f"addresses of version {request.version} cannot be made; use 4, or 3 for old programs")
        if request.leading_zeros not in (1, 2):
            raise NotAllowed("an address has one leading zero byte, or two to be shorter")
        if request.alias and not is_alias(request.alias):
            raise NotAllowed(f"{request.alias!r} cannot be an alias")
        keys = await asyncio.to_thread(self._make_keys, request)
        address = keys.public.address(request.version, STREAM)
        now = self._clock.now()

        def add(store: Store) -> Identity:
            mine = store.account(account)
            if store.identities.by_address(address) is not None:
                raise Conflict(f"this gateway has {address} already")
            identity = mine.identities.add(
                NewIdentity(
                    address=address,
                    keys=keys,
                    label=clean_line(request.label)[:64],
                    is_default=mine.identities.default() is None,
                    nonce_trials_per_byte=self._network.nonce_trials_per_byte,
                    payload_length_extra_bytes=self._network.payload_length_extra_bytes,
                    created_at=now,
                    behavior=int(behavior_of(self._policies.of(mine))),
                    publish_on_request=bool(request.passphrase),
                )
            )
            if request.alias:
                mine.identities.add_alias(request.alias, identity.id, now)
            return identity

        identity = await self._database.transact(add)
        self._changed()
        return identity

    async def all(self, account: AccountId) -> list[Identity]:
        """Oldest first."""
        return await self._database.read(lambda store: store.account(account).identities.all())

    async def show(self, account: AccountId, text: str) -> tuple[Identity, list[str]]:
        """One identity of the account, named by address or alias, and its aliases; raises Missing, BadAddress."""
        return await self._database.read(lambda store: _find(store.account(account), text))

    async def options(self, account: AccountId, text: str) -> list[Shown]:
        """What can be set for one identity; raises as `show`."""

        def look(store: Store) -> list[Shown]:
            mine = store.account(account)
            return self._policies.shown(mine, _find(mine, text)[0].id)

        return await self._database.read(look)

    async def set(self, account: AccountId, text: str, option: str, words: str) -> None:
        """Set `difficulty` or an option for one identity; empty words go back to what holds for the account.

        What its pubkey says is told to the network as soon as P28 allows. Raises as `show`, and BadOption.
        """

        def change(store: Store) -> None:
            mine = store.account(account)
            identity, _ = _find(mine, text)
            if option.strip().lower() == DIFFICULTY:
                mine.identities.set_demand(identity.id, self._trials_for(words))
            else:
                self._policies.set(mine, option, words or None, identity.id)

        await self._database.transact(change)
        self._changed()

    def difficulty_of(self, identity: Identity) -> float:
        """How many times the least work of the network an address demands."""
        return identity.nonce_trials_per_byte / self._network.nonce_trials_per_byte

    async def show_behavior(self) -> None:
        """Let all addresses show what is in force: the gateway's defaults may have changed since the last start."""

        def settle(store: Store) -> None:
            if store.identities.behaviors() <= {int(behavior_of(self._policies.defaults))}:
                return  # nobody shows, nor ever wanted, anything else
            for account in store.accounts.all():
                self._policies.show_behavior(store.account(account.id))

        await self._database.transact(settle)

    def _trials_for(self, words: str) -> int:
        """Trials per byte: the work of any object is that many times as much."""
        written = words.strip() or "1"
        if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", written) or not 1 <= float(written) <= MAX_DIFFICULTY:
            raise BadOption(f"difficulty is a number from 1 to {MAX_DIFFICULTY}, times the usual work, not {words!r}")
        return round(float(written) * self._network.nonce_trials_per_byte)

    def _make_keys(self, request: AddressRequest) -> PrivateKeys:
        if request.passphrase:
            return next(deterministic_keys(request.passphrase.encode(), request.leading_zeros))
        return random_keys(self._entropy, request.leading_zeros)


def _find(mine: AccountStore, text: str) -> tuple[Identity, list[str]]:
    """An identity by address or alias, and its aliases."""
    aliases = mine.identities.aliases()
    wanted: Address | None = None if text in aliases else parse_address(text)
    for identity in mine.identities.all():
        if identity.address == wanted or aliases.get(text) == identity.id:
            return identity, sorted(name for name, owner in aliases.items() if owner == identity.id)
    raise Missing(f"the account has no address {text}; see: bmgate address list")
