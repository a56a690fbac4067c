"""Options narrow: gateway, account, identity, contact."""

import pytest
from stations import Station, User
from storage_fixtures import new_identity

from bmgate.bm.plaintext import Behavior
from bmgate.domain.contact import Standing
from bmgate.domain.policy import Policy, Reads, Scope
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Store
from bmgate.errors import BadOption
from bmgate.services.policies import AccountOptions, Policies

POLICIES = Policies(Policy(ttl=1))


async def two(station: Station) -> tuple[User, User]:
    return await station.add_user("alice"), await station.add_user("bob")


async def test_the_narrowest_wins_and_taking_it_back_gives_way(station: Station) -> None:
    alice, bob = await two(station)
    identity, contact = alice.identity.id, bob.identity.address

    def check(store: Store) -> None:
        mine = store.account(alice.id)
        assert POLICIES.of(mine, identity, contact).ttl == 1
        for expected, place in ((2, {}), (3, {"identity": identity}), (4, {"contact": contact})):
            POLICIES.set(mine, "ttl", f"{expected}d", **place)
            assert POLICIES.of(mine, identity, contact).ttl == expected * 86_400
        assert POLICIES.of(mine).ttl == 2 * 86_400
        assert POLICIES.of(mine, identity).ttl == 3 * 86_400
        POLICIES.set(mine, "ttl", None, contact=contact)
        assert POLICIES.of(mine, identity, contact).ttl == 3 * 86_400
        assert POLICIES.of(store.account(bob.id)).ttl == 1

    await station.database.transact(check)


async def test_what_is_refused_changes_nothing(station: Station) -> None:
    alice, bob = await two(station)

    def refuse(store: Store) -> None:
        mine = store.account(alice.id)
        for name, words in (("ttl", "soon"), ("reads", "files"), ("colour", "red")):
            with pytest.raises(BadOption):
                POLICIES.set(mine, name, words)
        assert mine.settings.values(Scope.ACCOUNT) == {}
        with pytest.raises(BadOption):
            POLICIES.set(mine, "identity_guard", "off", contact=bob.identity.address)
        assert mine.contacts.ref_of(bob.identity.address) == 0

    await station.database.transact(refuse)


async def test_what_is_in_force_is_shown_with_where_it_comes_from(station: Station) -> None:
    alice, _ = await two(station)
    calls: list[bool] = []
    options = AccountOptions(station.database, station.services.policies, lambda: calls.append(True))
    shown = {each.option.name: (each.words, each.is_set) for each in await options.show(alice.id)}
    assert shown["ttl"] == ("4d", False)
    assert "reads" not in shown
    shown = {each.option.name: (each.words, each.is_set) for each in await options.set(alice.id, "TTL", "36h")}
    assert (shown["ttl"], calls) == (("36h", True), [True])
    assert (await options.set(alice.id, "ttl", ""))[0].words == "4d"


async def test_hiding_the_bit_changes_what_all_addresses_show(station: Station) -> None:
    alice, _ = await two(station)
    await station.add_identity(alice.account, new_identity(is_default=False))
    options = AccountOptions(station.database, station.services.policies, lambda: None)
    await options.set(alice.id, "reads_files_bit", "off")

    def behaviors(store: Store) -> set[int]:
        return {store.identities.public_record(each.id).behavior for each in store.account(alice.id).identities.all()}

    assert await station.database.read(behaviors) == {int(Behavior.DOES_ACK)}


async def test_contacts_remember_what_they_read_and_what_was_decided(station: Station) -> None:
    alice, bob = await two(station)
    address = bob.identity.address

    def remember(mine: AccountStore) -> None:
        assert (mine.contacts.reads_of(address), mine.contacts.standing_of(address)) == (Reads.AUTO, Standing.NONE)
        for reads in (Reads.FILES, Reads.MIME, Reads.AUTO, Reads.FILES):
            mine.contacts.learn_reads(address, reads)
            assert mine.contacts.reads_of(address) == reads
        for standing in (Standing.ALLOWED, Standing.BLOCKED, Standing.NONE, Standing.BLOCKED):
            mine.contacts.set_standing(address, standing)
            assert mine.contacts.standing_of(address) == standing
        assert (mine.contacts.reads_of(address), mine.contacts.all()) == (Reads.FILES, [])
        assert mine.contacts.correspondents() == []

    await station.database.transact(lambda store: remember(store.account(alice.id)))
    other = await station.database.read(lambda store: store.account(bob.id).contacts.reads_of(address))
    assert other == Reads.AUTO
