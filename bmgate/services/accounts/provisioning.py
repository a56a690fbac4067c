"""Provisioning: accounts with their first address, one or a thousand at a time, all or none; and their end.

The dear parts, Argon2id and the search for keys, are done before the transaction, on all cores and off the loop.
Logins that come meanwhile are served between them: at most `HASHES` runs of Argon2id wait for the threads.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bmgate.bm.keys import PrivateKeys
from bmgate.domain.account import Account, AccountState
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Clock, NewAccountKeys
from bmgate.errors import Conflict, Unavailable
from bmgate.services.accounts.accounts import AccountRequest, Accounts, check_request, folded
from bmgate.services.batch import Report, Step, apply_all
from bmgate.services.identities import AddressRequest, Identities, Named
from bmgate.services.identities.key_search import Wish

HASHES = 2
TELL_EVERY = 10  # accounts

Tell = Callable[[int, int], Awaitable[None]]
"""Told how many of how many are prepared."""


@dataclass(frozen=True, slots=True)
class AccountEntry:
    """One account to make, with an address where `label` is not None."""

    line: int
    request: AccountRequest
    label: str | None = ""


@dataclass(frozen=True, slots=True)
class Provided:
    """An account with its default address, if it has one; `is_new` as opposed to there before."""

    account: Account
    address: Named | None
    is_new: bool


@dataclass(frozen=True, slots=True, repr=False)
class _Prepared:
    entry: AccountEntry
    keys: NewAccountKeys
    address: PrivateKeys | None


class Provisioning:
    """Makes accounts."""

    def __init__(self, database: Database, clock: Clock, accounts: Accounts, identities: Identities) -> None:
        self._database, self._clock = database, clock
        self._accounts, self._identities = accounts, identities

    async def add_all(self, entries: Sequence[AccountEntry], tell: Tell, *, if_missing: bool = False) -> list[Provided]:
        """All or none; raises BatchRefused with every line that is wrong, before a second is spent on passwords."""
        there = await self._check(entries, if_missing)
        missing = [entry for entry in entries if folded(entry.request.name) not in there]
        keys = asyncio.ensure_future(self._address_keys(missing))
        try:
            prepared = await self._hashed(missing, tell)
            addresses = await keys
        finally:
            keys.cancel()
        now = self._clock.now()

        def step(each: _Prepared) -> Callable[[Store], Provided]:
            return lambda store: self._apply(store, each, now)

        steps: list[Step[Provided]] = [
            (entry.line, step(_Prepared(entry, hashed, address)))
            for entry, hashed, address in zip(missing, prepared, addresses, strict=True)
        ]
        provided = await apply_all(self._database, steps, then=self._identities.changed)
        made = {each.account.name: each for each in provided}
        return [{**there, **made}[folded(entry.request.name)] for entry in entries]

    async def add(self, entry: AccountEntry, *, if_missing: bool = False) -> Provided:
        """One; raises NotAllowed, Conflict."""
        check_request(entry.request)
        name = folded(entry.request.name)
        there = await self._database.read(lambda store: _there(store, {name}))
        found = there.get(name)
        if found is not None and if_missing:
            return found
        if name in there:
            raise Conflict(f"the name {name!r} is taken")
        hashed, keys = await asyncio.gather(self._accounts.keys_of(entry.request), self._address_keys([entry]))
        now = self._clock.now()
        made = await self._database.transact(lambda store: self._apply(store, _Prepared(entry, hashed, keys[0]), now))
        self._identities.changed()
        return made

    async def delete(self, name: str) -> Account:
        """Delete an account: its addresses receive no more from now on. Raises Missing, NotAllowed."""
        deleted = await self._accounts.delete(name)
        self._identities.changed()
        return deleted

    async def undelete(self, name: str) -> Account:
        """Bring one back; raises Missing, NotAllowed."""
        restored = await self._accounts.undelete(name)
        self._identities.changed()
        return restored

    async def _check(self, entries: Sequence[AccountEntry], if_missing: bool) -> dict[str, Provided]:
        """Accounts that are there already; raises BatchRefused."""
        names = {folded(entry.request.name) for entry in entries}
        there = await self._database.read(lambda store: _there(store, names))
        report, seen = Report(), dict[str, int]()
        for entry in entries:
            with report.line(entry.line):
                check_request(entry.request)
                name = folded(entry.request.name)
                if name in seen:
                    raise Conflict(f"{name!r} stands in line {seen[name]} already")
                seen[name] = entry.line
                if name in there and (not if_missing or there[name] is None):
                    raise Conflict(f"the name {name!r} is taken")
        report.check()
        return {name: found for name, found in there.items() if found is not None}

    async def _hashed(self, entries: Sequence[AccountEntry], tell: Tell) -> list[NewAccountKeys]:
        turns, done = asyncio.Semaphore(HASHES), 0

        async def prepare(entry: AccountEntry) -> NewAccountKeys:
            nonlocal done
            async with turns:
                keys = await self._accounts.keys_of(entry.request)
            done += 1
            if done % TELL_EVERY == 0 or done == len(entries):
                await tell(done, len(entries))
            return keys

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(prepare(entry)) for entry in entries]
        except* Unavailable as failed:
            raise failed.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _address_keys(self, entries: Sequence[AccountEntry]) -> list[PrivateKeys | None]:
        wanted = sum(entry.label is not None for entry in entries)
        drawn = iter(await self._identities.search.find(Wish(number=wanted)) if wanted else [])
        return [None if entry.label is None else next(drawn) for entry in entries]

    def _apply(self, store: Store, prepared: _Prepared, now: int) -> Provided:
        entry = prepared.entry
        account = self._accounts.admit(store, entry.request, prepared.keys, now)
        if prepared.address is None or entry.label is None:
            return Provided(account, None, is_new=True)
        request = AddressRequest(label=entry.label)
        return Provided(account, self._identities.add(store, account.id, prepared.address, request, now), is_new=True)


def _there(store: Store, names: set[str]) -> dict[str, Provided | None]:
    """By name what is there: an account, or None for the alias of one, and for one that was deleted."""
    found: dict[str, Provided | None] = {}
    for name in names:
        account = store.accounts.find(name)
        if account is None:
            continue
        if account.name != name or account.state is AccountState.DELETED:
            found[name] = None
            continue
        default = store.account(account.id).identities.default()
        found[name] = Provided(account, None if default is None else Named(default, (name,)), is_new=False)
    return found
