"""New addresses for an account, what each demands and does, and their end.

What may be asked for stands in `requests`, how one is found by its names in `naming`.
A deleted address receives nothing from that moment on; its keys stay for a while, so that it can be brought back.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from bmgate.bm.addresses import Address, parse_address
from bmgate.bm.keys import Entropy, PrivateKeys
from bmgate.bm.network import STREAM, NetworkParameters
from bmgate.domain.account import AccountId
from bmgate.domain.identity import Identity, NewIdentity
from bmgate.domain.policy import DIFFICULTY
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Clock
from bmgate.errors import Missing, NotAllowed
from bmgate.services.batch import Report, Step, apply_all
from bmgate.services.behavior import behavior_of
from bmgate.services.finishing import finished
from bmgate.services.identities.key_search import KeySearch, Tell, Wish, untold
from bmgate.services.identities.naming import (
    KnownNames,
    Labels,
    Named,
    Names,
    already_there,
    choose_default,
    find_identity,
    named,
)
from bmgate.services.identities.requests import (
    AddressEntry,
    AddressRequest,
    check_alias,
    check_request,
    check_room,
    clean_label,
    difficulty_in,
    is_plain,
)
from bmgate.services.policies import Policies, Shown


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
        self._database, self._clock = database, clock
        self._network, self._policies = network, policies
        self.changed = changed
        self.search = KeySearch(entropy, clock)

    # -- making them -------------------------------------------------------------------------------------------------

    async def new(self, account: AccountId, request: AddressRequest) -> Identity:
        """Make an address; raises Conflict when the gateway has it or the alias is taken, NotAllowed for bad input."""
        return (await self.new_some(account, replace(request, number=1)))[0].identity

    async def new_some(
        self, account: AccountId, request: AddressRequest, tell: Tell = untold, *, if_missing: bool = False
    ) -> list[Named]:
        """Make as many as the request says, all or none; raises as `new`, and LimitReached.

        With `if_missing`, what has the alias or label already, or the passphrase's keys, is told instead of made.
        """
        check_request(request)
        if if_missing and (there := await self._there(account, request)):
            return there
        if not if_missing:
            await self._database.read(lambda store: check_room(store.account(account), request.number))
        keys, now = await self.search.find(request.wish, tell), self._clock.now()

        def add(store: Store) -> list[Named]:
            made = [self.add(store, account, each, request, now, if_missing=if_missing) for each in keys]
            if any(each.is_new for each in made):
                check_room(store.account(account))
            return made

        async def commit() -> list[Named]:
            made = await self._database.transact(add)
            self.changed()
            return made

        return await finished(commit())

    async def add_all(
        self, entries: Sequence[AddressEntry], tell: Tell = untold, *, if_missing: bool = False
    ) -> list[Named]:
        """Many requests, all or none; raises BatchRefused with every line that is wrong."""
        report = Report()
        for entry in entries:
            with report.line(entry.line):
                check_request(entry.request)
        report.check()
        if not if_missing:
            await self._database.read(lambda store: _check_rooms(store, entries))
        keys, now = await self._keys_of([entry.request for entry in entries], tell), self._clock.now()
        labels, names = Labels(), KnownNames()
        steps: list[Step[list[Named]]] = [
            (
                entry.line,
                partial(
                    self._apply,
                    entry=entry,
                    keys=of_entry,
                    now=now,
                    if_missing=if_missing,
                    labels=labels,
                    names=names,
                ),
            )
            for entry, of_entry in zip(entries, keys, strict=True)
        ]
        last_lines = {entry.account: entry.line for entry in entries}
        steps += [(line, partial(_checked_room, account=account)) for account, line in last_lines.items()]
        made = await apply_all(self._database, steps, then=self.changed)
        return [each for of_entry in made for each in of_entry]

    def add(
        self,
        store: Store,
        account: AccountId,
        keys: PrivateKeys,
        request: AddressRequest,
        now: int,
        *,
        if_missing: bool = False,
    ) -> Named:
        """Add one address within a transaction; who does so calls `changed` after the commit. Raises as `new`."""
        mine, address = store.account(account), keys.public.address(request.version, STREAM)
        if if_missing and (found := store.identities.by_address(address)) and found.account == account:
            return named(mine, found)
        identity = mine.identities.add(
            NewIdentity(
                address=address,
                keys=keys,
                label=clean_label(request.label),
                is_default=mine.identities.default() is None,
                nonce_trials_per_byte=self._trials_for(request.difficulty),
                payload_length_extra_bytes=round(request.small_difficulty * self._network.payload_length_extra_bytes),
                created_at=now,
                behavior=int(behavior_of(self._policies.of(mine))),
                publish_on_request=bool(request.passphrase),
            )
        )
        if request.alias:
            mine.identities.add_alias(request.alias, identity.id, now)
        if identity.is_default:  # the account's own name means it too
            return replace(named(mine, identity), is_new=True)
        return Named(identity, (request.alias.lower(),) if request.alias else (), is_new=True)

    def _apply(
        self,
        store: Store,
        entry: AddressEntry,
        keys: list[PrivateKeys],
        now: int,
        if_missing: bool,
        labels: Labels,
        names: KnownNames,
    ) -> list[Named]:
        if not if_missing:
            return [self.add(store, entry.account, each, entry.request, now) for each in keys]
        if there := already_there(store, entry.account, entry.request, labels, names):
            return there
        made = [self.add(store, entry.account, each, entry.request, now, if_missing=True) for each in keys]
        for each in made:
            if each.is_new:
                labels.note(store, each.identity)
                for name in each.aliases:
                    names.of(store, entry.account).note(name, each.identity.id)
        return made

    async def _there(self, account: AccountId, request: AddressRequest) -> list[Named]:
        return await self._database.read(lambda store: already_there(store, account, request, Labels(), KnownNames()))

    async def _keys_of(self, requests: Sequence[AddressRequest], tell: Tell) -> list[list[PrivateKeys]]:
        """For each request its own; those of random ones are looked for together."""
        random = sum(each.number for each in requests if is_plain(each))
        drawn = iter(await self.search.find(Wish(number=random), tell) if random else [])
        return [
            [next(drawn) for _ in range(each.number)] if is_plain(each) else await self.search.find(each.wish, tell)
            for each in requests
        ]

    # -- looking at them ---------------------------------------------------------------------------------------------

    async def all(self, account: AccountId) -> list[Identity]:
        """Oldest first; without deleted ones."""
        return await self._database.read(lambda store: store.account(account).identities.all())

    async def deleted(self, account: AccountId) -> list[Identity]:
        """Those that can still be brought back."""
        return await self._database.read(lambda store: store.account(account).identities.deleted())

    async def show(self, account: AccountId, text: str) -> tuple[Identity, list[str]]:
        """One identity of the account, named by address or alias, and its aliases; raises Missing, BadAddress."""
        found = await self._database.read(lambda store: find_identity(store.account(account), text))
        return found.identity, list(found.aliases)

    async def options(self, account: AccountId, text: str) -> list[Shown]:
        """What can be set for one identity; raises as `show`."""

        def look(store: Store) -> list[Shown]:
            mine = store.account(account)
            return self._policies.shown(mine, find_identity(mine, text).identity.id)

        return await self._database.read(look)

    def difficulty_of(self, identity: Identity) -> float:
        """How many times the least work of the network an address demands."""
        return identity.nonce_trials_per_byte / self._network.nonce_trials_per_byte

    # -- changing them -----------------------------------------------------------------------------------------------

    async def set(self, account: AccountId, text: str, option: str, words: str) -> None:
        """Set `difficulty` or an option for one identity; empty words go back to what holds for the account.

        What its pubkey says is told to the network as soon as P28 allows. Raises as `show`, and BadOption.
        """

        def change(store: Store) -> None:
            mine = store.account(account)
            identity = find_identity(mine, text).identity
            if option.strip().lower() == DIFFICULTY:
                mine.identities.set_demand(identity.id, self._trials_for(difficulty_in(words)))
            else:
                self._policies.set(mine, option, words or None, identity.id)

        await self._database.transact(change)
        self.changed()

    async def label(self, account: AccountId, text: str, label: str) -> Named:
        """Give an address another label; raises as `show`."""
        cleaned = clean_label(label)
        return await self._change(account, text, lambda mine, identity: mine.identities.set_label(identity.id, cleaned))

    async def enable(self, account: AccountId, text: str, enabled: bool) -> Named:
        """Let an address receive and send, or not; raises as `show`."""
        return await self._change(
            account, text, lambda mine, identity: mine.identities.set_enabled(identity.id, enabled)
        )

    async def make_default(self, account: AccountId, text: str) -> Named:
        """Let the account's name mean this address; raises as `show`, NotAllowed for a disabled one."""

        def change(mine: AccountStore, identity: Identity) -> None:
            if not identity.enabled:
                raise NotAllowed(f"{identity.address} is disabled; enable it first")
            mine.identities.set_default(identity.id)

        return await self._change(account, text, change)

    async def delete(self, account: AccountId, text: str) -> Named:
        """Delete an address and give up its aliases; the oldest other one becomes the default if it was. As `show`."""
        now = self._clock.now()

        def change(store: Store) -> Named:
            mine = store.account(account)
            found = find_identity(mine, text)
            mine.identities.delete(found.identity.id, now)
            if found.identity.is_default:
                choose_default(mine)
            return replace(found, identity=mine.identities.get(found.identity.id))

        deleted = await self._database.transact(change)
        self.changed()
        return deleted

    async def undelete(self, account: AccountId, text: str) -> Named:
        """Bring a deleted address back, with the aliases it had; raises Missing, LimitReached."""
        now = self._clock.now()

        def change(store: Store) -> Named:
            mine = store.account(account)
            wanted = parse_address(text)
            for identity in mine.identities.deleted():
                if identity.address == wanted:
                    check_room(mine, 1)
                    mine.identities.restore(identity.id, now)
                    choose_default(mine)
                    return named(mine, mine.identities.get(identity.id))
            raise Missing(f"{text} is no deleted address of this account; see: bmgate address list --deleted")

        restored = await self._database.transact(change)
        self.changed()
        return restored

    async def add_alias(self, account: AccountId, name: str, text: str, *, if_missing: bool = False) -> Named:
        """Give an address a name; raises Conflict when it is taken, NotAllowed for what no name can be."""
        now = self._clock.now()
        given = await self._database.transact(
            lambda store: self.put_alias(Names(store.account(account)), name, text, now, if_missing=if_missing)
        )
        self.changed()
        return given

    def put_alias(self, names: Names, name: str, text: str, now: int, *, if_missing: bool = False) -> Named:
        """The same within a transaction; of its names, only this one is told: there may be thousands."""
        check_alias(name)
        identity, folded = names.find(text), name.lower()
        if if_missing and names.owner(folded) == identity.id:
            return Named(identity, (folded,))
        names.mine.identities.add_alias(name, identity.id, now)
        names.note(folded, identity.id)
        return Named(identity, (folded,), is_new=True)

    async def remove_alias(self, account: AccountId, name: str) -> Named:
        """Give a name up: for a year nobody else gets it. Raises Missing, NotAllowed for the account's own name."""
        now = self._clock.now()

        def change(store: Store) -> Named:
            mine = store.account(account)
            return named(mine, mine.identities.get(mine.identities.remove_alias(name, now)))

        return await self._database.transact(change)

    async def aliases(self, account: AccountId) -> dict[str, Address]:
        """Every name of the account and what it means, by name."""

        def look(store: Store) -> dict[str, Address]:
            mine = store.account(account)
            addresses = {identity.id: identity.address for identity in mine.identities.all()}
            return {name: addresses[owner] for name, owner in sorted(mine.identities.aliases().items())}

        return await self._database.read(look)

    async def show_behavior(self) -> None:
        """Let all addresses show what is in force: the gateway's defaults may have changed since the last start."""

        def settle(store: Store) -> None:
            if store.identities.behaviors() <= {int(behavior_of(self._policies.defaults))}:
                return  # nobody shows, nor ever wanted, anything else
            for account in store.accounts.all():
                self._policies.show_behavior(store.account(account.id))

        await self._database.transact(settle)

    async def _change(self, account: AccountId, text: str, change: Callable[[AccountStore, Identity], None]) -> Named:
        def work(store: Store) -> Named:
            mine = store.account(account)
            found = find_identity(mine, text)
            change(mine, found.identity)
            return named(mine, mine.identities.get(found.identity.id))

        changed = await self._database.transact(work)
        self.changed()
        return changed

    def _trials_for(self, difficulty: float) -> int:
        """Trials per byte: the work of any object is that many times as much."""
        return round(difficulty * self._network.nonce_trials_per_byte)


def _check_rooms(store: Store, entries: Sequence[AddressEntry]) -> None:
    """Before any key is looked for; raises BatchRefused for accounts that would have too many addresses."""
    report, wanted, last_lines = Report(), Counter[AccountId](), dict[AccountId, int]()
    for entry in entries:
        wanted[entry.account] += entry.request.number
        last_lines[entry.account] = entry.line
    for account, number in wanted.items():
        with report.line(last_lines[account]):
            check_room(store.account(account), number)
    report.check()


def _checked_room(store: Store, account: AccountId) -> list[Named]:
    """The end of a batch for one account: nothing more is made."""
    check_room(store.account(account))
    return []
