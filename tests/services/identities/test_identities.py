"""Addresses of an account: made, changed, deleted and brought back; names that strangers do not get."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from fakes import FakeClock, WatchedThreads
from stations import Station, User
from storage_fixtures import NOW

from bmgate.bm.network import TESTNET
from bmgate.domain.chan import CHANS
from bmgate.domain.identity import Identity
from bmgate.domain.mailbox import MailboxKind
from bmgate.domain.policy import Policy
from bmgate.domain.ports.database import Store
from bmgate.errors import BadOption, BatchRefused, Conflict, LimitReached, Missing, NotAllowed
from bmgate.services.accounts.purging import Purging
from bmgate.services.chans.chans import derive
from bmgate.services.identities import AddressEntry, AddressRequest, Identities, requests
from bmgate.services.policies import Policies
from bmgate.storage.repositories.account_identities import AccountIdentityRepository

DAY = 86_400


@dataclass
class House:
    """The services under test."""

    station: Station
    identities: Identities
    purging: Purging
    changes: list[int] = field(default_factory=list)

    @property
    def clock(self) -> FakeClock:
        return self.station.clock


@pytest.fixture
async def house(tmp_path: Path, threads: WatchedThreads) -> AsyncIterator[House]:
    station = await Station(tmp_path, FakeClock(NOW), threads).start()
    changes: list[int] = []
    identities = Identities(
        station.database, station.clock, os.urandom, TESTNET, lambda: changes.append(1), Policies(Policy())
    )
    yield House(
        station, identities, Purging(station.database, station.clock, 30 * DAY, lambda: changes.append(1)), changes
    )
    await station.close()


@pytest.fixture
async def anna(house: House) -> User:
    return await house.station.add_user("anna")


@pytest.fixture
async def bob(house: House) -> User:
    return await house.station.add_user("bob")


async def test_room_for_a_batch_is_looked_for_before_any_key(
    house: House, anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "MAX_IDENTITIES", 3)
    monkeypatch.setattr(house.identities, "search", None)
    with pytest.raises(BatchRefused, match="line 2: an account has at most 3 addresses"):
        await house.identities.add_all([AddressEntry(n, anna.id, AddressRequest(number=2)) for n in (1, 2)])


async def test_a_batch_tells_the_names_of_each_address(house: House, anna: User) -> None:
    entries = [AddressEntry(n, anna.id, AddressRequest(alias=name)) for n, name in enumerate(("", "One", "two"))]
    made = await house.identities.add_all(entries)
    assert [each.aliases for each in made] == [(), ("one",), ("two",)]


async def test_what_is_missing_is_looked_up_once_for_a_whole_batch(
    house: House, anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, everything = list[object](), AccountIdentityRepository.all

    def look(identities: AccountIdentityRepository) -> list[Identity]:
        looked.append(identities)
        return everything(identities)

    monkeypatch.setattr(AccountIdentityRepository, "all", look)
    entries = [AddressEntry(n, anna.id, AddressRequest(label=f"{n // 2}")) for n in range(8)]
    entries += [AddressEntry(n, anna.id, AddressRequest(alias=f"name{n // 2}")) for n in range(8, 16)]
    made = await house.identities.add_all(entries, if_missing=True)
    assert [each.is_new for each in made] == 8 * [True, False]
    assert len(looked) == 1
    again = await house.identities.add_all(entries, if_missing=True)
    assert [each.identity.address for each in again] == [each.identity.address for each in made]


async def test_the_other_version_of_an_address_has_the_same_keys_and_that_is_said(house: House, anna: User) -> None:
    made = await house.identities.new(anna.id, AddressRequest(passphrase="a long passphrase"))
    old = replace(made.address, version=3)
    told = f"^{old} has the same keys as {made.address} \\(v4\\): "
    with pytest.raises(Conflict, match=f"{told}this gateway has {made.address} already$"):
        await house.identities.new(anna.id, AddressRequest(passphrase="a long passphrase", version=3))
    await house.identities.delete(anna.id, str(made.address))
    with pytest.raises(Conflict, match=f"{told}.*undelete {made.address}$"):
        await house.identities.new(anna.id, AddressRequest(passphrase="a long passphrase", version=3))


async def test_a_passphrase_gives_several_addresses_in_order(house: House, anna: User) -> None:
    made = await house.identities.new_some(anna.id, AddressRequest(passphrase="a long passphrase", number=3))
    assert [str(each.identity.address) for each in made] == [
        "BM-2cXhKCMPWNr2ZnH9YsYW56Z84iTNYsbRG9",
        "BM-2cThzqQhhVuzLARDjSZJ6AfbSS8QMGbyCt",
        "BM-2cXz1RS5zkF6UhhMLxPLNSFvmNXUebSZnz",
    ]
    again = await house.identities.new_some(
        anna.id, AddressRequest(passphrase="a long passphrase", number=3), if_missing=True
    )
    assert [each.is_new for each in made + again] == [True] * 3 + [False] * 3
    with pytest.raises(Conflict):
        await house.identities.new_some(anna.id, AddressRequest(passphrase="a long passphrase", number=4))
    assert len(await house.identities.all(anna.id)) == 4, "all or none"


@pytest.mark.parametrize(
    "request_",
    [
        AddressRequest(version=2),
        AddressRequest(version=3, leading_zeros=3),
        AddressRequest(leading_zeros=4),
        AddressRequest(number=0),
        AddressRequest(number=1_001),
        AddressRequest(number=2, alias="both"),
        AddressRequest(alias="postmaster"),
    ],
)
async def test_what_cannot_be_made_is_refused(house: House, anna: User, request_: AddressRequest) -> None:
    with pytest.raises(NotAllowed):
        await house.identities.new_some(anna.id, request_)


@pytest.mark.parametrize("difficulty", [0.5, 101, 10**400, float("nan"), float("inf")])
async def test_a_difficulty_that_cannot_be_is_refused(house: House, anna: User, difficulty: float) -> None:
    with pytest.raises(BadOption):
        await house.identities.new(anna.id, AddressRequest(difficulty=difficulty))


async def test_an_address_demands_from_the_first_what_was_asked_for(house: House, anna: User) -> None:
    made = await house.identities.new(anna.id, AddressRequest(difficulty=3))
    assert house.identities.difficulty_of(made) == 3


async def test_an_account_has_so_many_addresses(house: House, anna: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "MAX_IDENTITIES", 3)
    two = AddressRequest(passphrase="a long passphrase", number=2)
    first, second = await house.identities.new_some(anna.id, two)
    with pytest.raises(LimitReached, match="at most 3 addresses"):
        await house.identities.new(anna.id, AddressRequest())
    with pytest.raises(LimitReached):
        await house.identities.new_some(anna.id, replace(two, number=3), if_missing=True)
    again = await house.identities.new_some(anna.id, two, if_missing=True)
    assert [(each.identity, each.is_new) for each in again] == [(first.identity, False), (second.identity, False)]
    await house.identities.delete(anna.id, str(first.identity.address))
    await house.identities.new(anna.id, AddressRequest())
    with pytest.raises(LimitReached):
        await house.identities.undelete(anna.id, str(first.identity.address))


async def test_a_batch_makes_no_more_addresses_either(
    house: House, anna: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "MAX_IDENTITIES", 2)
    entries = [AddressEntry(line, user.id, AddressRequest()) for line, user in enumerate((anna, bob, anna), 1)]
    with pytest.raises(BatchRefused) as refused:
        await house.identities.add_all(entries)
    assert refused.value.failures == ((3, "an account has at most 2 addresses"),)
    assert len(await house.identities.add_all(entries[:2])) == 2


async def test_if_missing_goes_by_alias_or_label(house: House, anna: User) -> None:
    for request in (AddressRequest(label="work"), AddressRequest(alias="office")):
        made = await house.identities.new_some(anna.id, request, if_missing=True)
        again = await house.identities.new_some(anna.id, request, if_missing=True)
        assert made[0].identity == again[0].identity
        assert (made[0].is_new, again[0].is_new) == (True, False)


async def test_a_label_is_kept_whole_or_refused(house: House, anna: User) -> None:
    long, too_long = 64 * "x", 65 * "x"
    identity = await house.identities.new(anna.id, AddressRequest(label=f" {long} "))
    assert identity.label == long
    entries = [AddressEntry(7, anna.id, AddressRequest(label=too_long))]
    for refused in (
        house.identities.new(anna.id, AddressRequest(label=too_long)),
        house.identities.label(anna.id, str(identity.address), too_long),
        house.identities.new_some(anna.id, AddressRequest(label=too_long), if_missing=True),
        house.identities.add_all(entries),
    ):
        with pytest.raises((NotAllowed, BatchRefused), match="at most 64 characters"):
            await refused


async def test_a_label_a_state_and_the_default_change(house: House, anna: User) -> None:
    other = await house.identities.new(anna.id, AddressRequest(alias="other"))
    assert (await house.identities.label(anna.id, "other", "Anna \u202e B.\n")).identity.label == "Anna B."
    assert not (await house.identities.enable(anna.id, "other", False)).identity.enabled
    with pytest.raises(NotAllowed):
        await house.identities.make_default(anna.id, "other")
    await house.identities.enable(anna.id, "other", True)
    assert (await house.identities.make_default(anna.id, "OTHER")).aliases == ("anna", "other")
    assert [each.id for each in await house.identities.all(anna.id) if each.is_default] == [other.id]


async def test_a_deleted_address_receives_nothing_and_can_come_back(house: House, anna: User) -> None:
    other = await house.identities.new(anna.id, AddressRequest(alias="other"))

    async def receiving() -> bool:
        return other.id in await house.station.database.read(lambda store: store.identities.receiving())

    assert await receiving()
    deleted = await house.identities.delete(anna.id, "other")
    assert (deleted.identity.deleted_at, deleted.identity.enabled) == (NOW, False)
    assert not await receiving()
    assert [each.id for each in await house.identities.deleted(anna.id)] == [other.id]
    assert "other" not in await house.identities.aliases(anna.id)
    with pytest.raises(Missing):
        await house.identities.show(anna.id, str(other.address))
    back = await house.identities.undelete(anna.id, str(other.address))
    assert (back.identity.address, back.aliases) == (other.address, ("other",))
    assert await receiving()


async def test_the_oldest_other_address_follows_a_deleted_default(house: House, anna: User) -> None:
    other = await house.identities.new(anna.id, AddressRequest())
    await house.identities.delete(anna.id, "anna")
    assert (await house.identities.show(anna.id, "anna"))[0].id == other.id
    await house.identities.delete(anna.id, str(other.address))
    with pytest.raises(Missing):
        await house.identities.undelete(anna.id, "BM-2cUQDtsUrv3WTKcFedRDit6n75w1WtsKuQ")
    assert (await house.identities.undelete(anna.id, str(other.address))).identity.is_default


async def test_the_keys_of_a_deleted_address_go_after_the_grace_period(house: House, anna: User) -> None:
    made = await house.identities.new(anna.id, AddressRequest(passphrase="a long passphrase"))
    await house.identities.delete(anna.id, str(made.address))
    house.clock.advance(29 * DAY)
    assert await house.purging.purge() == 0
    with pytest.raises(Conflict, match="undelete"):
        await house.identities.new(anna.id, AddressRequest(passphrase="a long passphrase"))
    house.clock.advance(2 * DAY)
    assert await house.purging.purge() == 1
    with pytest.raises(Missing):
        await house.identities.undelete(anna.id, str(made.address))
    assert (await house.identities.new(anna.id, AddressRequest(passphrase="a long passphrase"))).id != made.id


async def test_a_name_given_up_is_nobody_elses_for_a_year(house: House, anna: User, bob: User) -> None:
    await house.identities.add_alias(anna.id, "desk", "anna")
    with pytest.raises(Conflict):
        await house.identities.add_alias(bob.id, "desk", "bob")
    await house.identities.remove_alias(anna.id, "DESK")
    with pytest.raises(Conflict):
        await house.identities.add_alias(bob.id, "desk", "bob")
    with pytest.raises(Conflict):
        await house.station.add_account("desk")
    await house.identities.add_alias(anna.id, "desk", "anna")
    await house.identities.remove_alias(anna.id, "desk")
    house.clock.advance(366 * DAY)
    assert (await house.identities.add_alias(bob.id, "desk", "bob")).is_new
    assert not (await house.identities.add_alias(bob.id, "desk", "bob", if_missing=True)).is_new


async def test_the_name_of_an_account_stays(house: House, anna: User, bob: User) -> None:
    with pytest.raises(NotAllowed):
        await house.identities.remove_alias(anna.id, "anna")
    with pytest.raises(Missing):
        await house.identities.remove_alias(anna.id, "bob")
    with pytest.raises(Missing):
        await house.identities.label(anna.id, str(bob.identity.address), "mine now")


async def test_a_chan_is_no_address_of_one_account(house: House, anna: User) -> None:
    chan = derive("general")

    def join(store: Store) -> None:
        mine = store.account(anna.id)
        mine.chans.join(chan, mine.mailboxes.create(f"{CHANS}/general", MailboxKind.USER, NOW).id, NOW)

    await house.station.database.transact(join)
    with pytest.raises(Conflict, match="is a chan"):
        await house.identities.new(anna.id, AddressRequest(passphrase="general"))


async def test_a_batch_is_applied_whole_or_not_at_all(house: House, anna: User, bob: User) -> None:
    entries = [
        AddressEntry(2, anna.id, AddressRequest(label="one", alias="one")),
        AddressEntry(3, bob.id, AddressRequest(alias="one")),
        AddressEntry(4, bob.id, AddressRequest(passphrase="a long passphrase", number=2)),
        AddressEntry(5, anna.id, AddressRequest(alias="bob")),
    ]
    with pytest.raises(BatchRefused) as refused:
        await house.identities.add_all(entries)
    assert [line for line, _ in refused.value.failures] == [3, 5]
    assert len(await house.identities.all(anna.id)) == len(await house.identities.all(bob.id)) == 1
    made = await house.identities.add_all([entries[0], entries[2]])
    assert [each.is_new for each in made] == [True] * 3
    again = await house.identities.add_all([entries[0], entries[2]], if_missing=True)
    assert [each.is_new for each in again] == [False] * 3


async def test_every_change_of_a_key_is_told(house: House, anna: User) -> None:
    made = await house.identities.new(anna.id, AddressRequest())
    await house.identities.delete(anna.id, str(made.address))
    await house.identities.undelete(anna.id, str(made.address))
    assert len(house.changes) == 3
