"""Identities: new addresses for an account, and the list of them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from bmgate.bm.addresses import Address, parse_address
from bmgate.bm.keys import Entropy, PrivateKeys, deterministic_keys, random_keys
from bmgate.bm.network import STREAM, NetworkParameters
from bmgate.domain.account import AccountId
from bmgate.domain.identity import Identity, NewIdentity
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Clock
from bmgate.errors import Conflict, Missing, NotAllowed
from bmgate.mail.addresses import is_alias
from bmgate.mail.text import clean_line


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
    ) -> None:
        self._database, self._clock, self._entropy = database, clock, entropy
        self._network, self._changed = network, changed

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

        def find(store: Store) -> tuple[Identity, list[str]]:
            identities = store.account(account).identities
            aliases = identities.aliases()
            wanted: Address | None = None if text in aliases else parse_address(text)
            for identity in identities.all():
                if identity.address == wanted or aliases.get(text) == identity.id:
                    return identity, sorted(name for name, owner in aliases.items() if owner == identity.id)
            raise Missing(f"the account has no address {text}; see: bmgate address list")

        return await self._database.read(find)

    def _make_keys(self, request: AddressRequest) -> PrivateKeys:
        if request.passphrase:
            return next(deterministic_keys(request.passphrase.encode(), request.leading_zeros))
        return random_keys(self._entropy, request.leading_zeros)
