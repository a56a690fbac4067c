"""Accounts by the dozen: all or none, twice the same, logins that work, and accounts that end."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fakes import FakeClock, WatchedThreads
from stations import Station
from storage_fixtures import CHEAP, NOW, make_vault

from bmgate.bm.network import TESTNET
from bmgate.domain.account import AccountState
from bmgate.domain.policy import Policy
from bmgate.errors import BatchRefused, Conflict, LoginFailed, Missing, NotAllowed
from bmgate.mail.addresses import Domains
from bmgate.services.accounts.accounts import AccountDefaults, AccountRequest, Accounts
from bmgate.services.accounts.provisioning import AccountEntry, Provisioning
from bmgate.services.accounts.purging import Purging
from bmgate.services.identities import AddressRequest, Identities
from bmgate.services.limiter import LoginLimits
from bmgate.services.policies import Policies
from bmgate.storage.passwords import PasswordSlots

DAY = 86_400


@dataclass
class House:
    """The services under test."""

    station: Station
    accounts: Accounts
    identities: Identities
    provisioning: Provisioning
    purging: Purging
    changes: list[int]  # told to the keyring


@pytest.fixture
async def house(tmp_path: Path, threads: WatchedThreads) -> AsyncIterator[House]:
    station = await Station(tmp_path, FakeClock(NOW), threads).start()
    database, clock = station.database, station.clock
    accounts = Accounts(
        database, PasswordSlots(make_vault(), CHEAP), clock, os.urandom, Domains(), AccountDefaults(), LoginLimits()
    )
    changes: list[int] = []
    identities = Identities(database, clock, os.urandom, TESTNET, lambda: changes.append(1), Policies(Policy()))
    provisioning = Provisioning(database, clock, accounts, identities)
    yield House(
        station,
        accounts,
        identities,
        provisioning,
        Purging(database, clock, 30 * DAY, lambda: changes.append(1)),
        changes,
    )
    accounts.close()
    await station.close()


def entries(*names: str) -> list[AccountEntry]:
    return [
        AccountEntry(line, AccountRequest(name, f"the password of {name}", None)) for line, name in enumerate(names, 2)
    ]


async def untold(_done: int, _of: int) -> None:
    pass


async def test_many_accounts_are_made_with_their_addresses(house: House) -> None:
    told: list[tuple[int, int]] = []

    async def tell(done: int, of: int) -> None:
        told.append((done, of))

    made = await house.provisioning.add_all(entries(*(f"user{number}" for number in range(12))), tell)
    assert [each.account.name for each in made] == [f"user{number}" for number in range(12)]
    assert len({each.address.identity.address for each in made if each.address}) == 12
    assert all(each.is_new and each.address and each.address.identity.is_default for each in made)
    assert told == [(10, 12), (12, 12)]
    assert await house.accounts.login("user3", "the password of user3", "192.0.2.7") == made[3].account.id


async def test_every_wrong_line_is_told_and_nothing_is_done(house: House) -> None:
    await house.accounts.add("bob", "long enough")
    wrong = [
        *entries("anna", "bob", "Anna", "po/st"),
        AccountEntry(6, AccountRequest("carol", "short", None)),
        *entries("postmaster")[:0],
    ]
    with pytest.raises(BatchRefused) as refused:
        await house.provisioning.add_all(wrong, untold)
    assert [line for line, _ in refused.value.failures] == [3, 4, 5, 6]
    assert [each.name for each in await house.accounts.all()] == ["bob"]


async def test_the_same_batch_again_changes_nothing(house: House) -> None:
    first = await house.provisioning.add_all(entries("anna", "bob"), untold)
    again = await house.provisioning.add_all(entries("anna", "carol", "BOB"), untold, if_missing=True)
    assert [each.is_new for each in again] == [False, True, False]
    assert again[0].account == first[0].account
    assert again[0].address is not None
    assert first[0].address is not None
    assert again[0].address.identity == first[0].address.identity


async def test_an_alias_is_no_account_though_its_name_is_taken(house: House) -> None:
    anna = (await house.provisioning.add_all(entries("anna"), untold))[0]
    await house.identities.add_alias(anna.account.id, "desk", "anna")
    with pytest.raises(BatchRefused):
        await house.provisioning.add_all(entries("desk"), untold, if_missing=True)


async def test_one_account_is_refused_with_its_own_error(house: House) -> None:
    (entry,) = entries("anna")
    made = await house.provisioning.add(entry)
    with pytest.raises(Conflict):
        await house.provisioning.add(entry)
    assert (await house.provisioning.add(entry, if_missing=True)).account == made.account
    with pytest.raises(NotAllowed):
        await house.provisioning.add(AccountEntry(1, AccountRequest("bob", "short", None)))


async def test_a_deleted_account_logs_in_no_more_until_it_is_brought_back(house: House) -> None:
    await house.provisioning.add_all(entries("anna"), untold)
    house.changes.clear()
    account = await house.provisioning.delete("anna")
    assert house.changes == [1]
    other = await house.accounts.named("anna")
    assert account.state is other.state is AccountState.DELETED
    assert await house.accounts.all() == []
    assert await house.station.database.read(lambda store: store.identities.receiving()) == []
    with pytest.raises(LoginFailed):
        await house.accounts.login("anna", "the password of anna", "127.0.0.1")
    with pytest.raises(BatchRefused):
        await house.provisioning.add_all(entries("anna"), untold, if_missing=True)
    for refused in (house.accounts.delete("anna"), house.accounts.set_state("anna", AccountState.ACTIVE)):
        with pytest.raises(NotAllowed):
            await refused
    await house.provisioning.undelete("anna")
    assert house.changes == [1, 1]
    assert len(await house.station.database.read(lambda store: store.identities.receiving())) == 1
    assert await house.accounts.login("anna", "the password of anna", "127.0.0.1") == account.id
    with pytest.raises(NotAllowed):
        await house.accounts.undelete("anna")


async def test_a_deleted_account_is_gone_after_the_grace_period_and_its_name_a_year_later(house: House) -> None:
    made = (await house.provisioning.add_all(entries("anna", "bob"), untold))[0]
    await house.identities.new(made.account.id, AddressRequest(alias="desk"))
    await house.accounts.delete("anna")
    house.station.clock.advance(31 * DAY)
    assert await house.purging.purge() == 1
    with pytest.raises(Missing):
        await house.accounts.named("anna")
    assert [each.name for each in await house.accounts.all()] == ["bob"]
    for name in ("anna", "desk"):
        with pytest.raises(BatchRefused):
            await house.provisioning.add_all(entries(name), untold)
    house.station.clock.advance(366 * DAY)
    assert len(await house.provisioning.add_all(entries("anna", "desk"), untold)) == 2


async def test_a_quota_is_changed(house: House) -> None:
    await house.provisioning.add_all(entries("anna"), untold)
    assert (await house.accounts.set_quota("anna", 1 << 20)).quota_bytes == 1 << 20
    assert (await house.accounts.set_quota("anna", None)).quota_bytes is None
