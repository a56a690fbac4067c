"""Own pubkeys: how much work strangers can make us do (P28), and how addresses tell what they demand and do."""

import os

import pytest
from fakes import FakeClock
from stations import MakeStation, Settings, Station, User

from bmgate.bm.objects import ObjectType, read_object
from bmgate.bm.plaintext import Behavior, Pubkey, open_pubkey
from bmgate.domain.identity import Identity
from bmgate.domain.policy import Policy
from bmgate.domain.ports.database import Store
from bmgate.errors import BadOption, Missing
from bmgate.services.identities import AddressRequest, Identities
from bmgate.services.outbound.pubkeys import MIN_INTERVAL, PublishPolicy
from bmgate.services.policies import Policies

DAY = 86_400
TTL = 28 * DAY


async def published(station: Station, identity: Identity) -> list[Pubkey]:
    """All pubkeys of an address that were announced, oldest first."""
    vectors = station.announcer.announced
    stored = await station.database.read(lambda store: store.inventory.get(vectors))
    pubkeys = [read_object(stored[vector]) for vector in vectors if vector in stored]
    mine = [each for each in pubkeys if each.object_type == ObjectType.PUBKEY and each.tag == identity.address.tag]
    return [open_pubkey(each, identity.address) for each in mine]


async def asked(station: Station, user: User) -> bool:
    """Somebody asks for the user's key, as `receiving` takes it; whether an answer was begun."""
    pubkeys = station.services.pubkeys

    def ask(store: Store) -> Identity:
        found = store.identities.by_address(user.identity.address)
        assert found is not None
        return found

    work = await station.database.transact(lambda store: pubkeys.begin(store, ask(store)))
    if work is not None:
        pubkeys.begun(work)
    await station.settle()
    return work is not None


async def cost_of_one(make_station: MakeStation) -> float:
    """Seconds of work on one pubkey."""
    station = await make_station()
    alice = await station.add_user("alice")
    assert await asked(station, alice)
    trials = await station.database.read(lambda store: store.identities.trials_since(0))
    return trials / station.solver.trials_per_second


# -- the budget ----------------------------------------------------------------------------------------------------


async def test_p28_all_answers_of_a_day_together_have_a_budget_of_work(
    make_station: MakeStation, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    budget = 2.5 * await cost_of_one(make_station)
    station = await make_station(Settings(pubkey_work=budget))
    users = [await station.add_user(f"user{number}") for number in range(5)]
    assert [await asked(station, user) for user in users] == [True, True, True, False, False]
    assert caplog.text.count("the work of this day is done") == 1
    clock.advance(DAY + 1)
    assert await asked(station, users[4])


async def test_p28_half_of_the_budget_is_for_those_whose_key_has_left_the_network(
    make_station: MakeStation, clock: FakeClock
) -> None:
    budget = 3.9 * await cost_of_one(make_station)
    station = await make_station(Settings(pubkey_work=budget))
    victim, quiet = await station.add_user("victim"), await station.add_user("quiet")
    answers = []
    for _ in range(4):
        answers.append(await asked(station, victim))
        clock.advance(MIN_INTERVAL // 2)
        answers.append(await asked(station, victim))
        clock.advance(MIN_INTERVAL // 2 - 600)
    assert answers.count(True) == 2, "its first key lives, so half of the budget is all there is"
    assert await asked(station, quiet), "nobody had asked for this one"
    clock.advance(TTL)
    assert await asked(station, victim)


async def test_p28_the_budget_outlives_a_restart_and_a_clock_set_back(
    make_station: MakeStation, clock: FakeClock
) -> None:
    station = await make_station(Settings(pubkey_work=0.5 * await cost_of_one(make_station)))
    alice, bob = await station.add_user("alice"), await station.add_user("bob")
    assert await asked(station, alice)
    await station.crash()
    await station.start()
    assert not await asked(station, bob)
    clock.jump(-3 * DAY)
    assert not await asked(station, bob)


async def test_p28_what_is_outdated_waits_for_a_day_with_work_left(make_station: MakeStation, clock: FakeClock) -> None:
    station = await make_station(Settings(pubkey_work=1.9 * await cost_of_one(make_station)))
    users = [await station.add_user("alice"), await station.add_user("bob")]
    assert [await asked(station, user) for user in users] == [True, True]
    clock.advance(MIN_INTERVAL)
    await identities_of(station).set(users[0].id, "alice", "difficulty", "2")
    await station.settle()
    assert len(await published(station, users[0].identity)) == 1
    for _ in range(24):
        clock.advance(3_600)
        await station.settle()
    assert [key.nonce_trials_per_byte for key in await published(station, users[0].identity)] == [1, 2]


async def test_a_first_pubkey_is_published_whatever_the_budget(make_station: MakeStation) -> None:
    station = await make_station(Settings(pubkey_work=0.0, publish=PublishPolicy.ON_CREATE))
    alice = await station.add_user("alice")
    station.services.pubkeys.identities_changed()
    await station.settle()
    assert len(await published(station, alice.identity)) == 1


# -- what addresses tell of themselves -----------------------------------------------------------------------------


def identities_of(station: Station, defaults: Policy | None = None) -> Identities:
    settings, changed = station.settings, station.services.pubkeys.identities_changed
    policies = Policies(defaults or Policy())
    return Identities(station.database, station.clock, os.urandom, settings.network, changed, policies)


@pytest.fixture
async def telling(make_station: MakeStation) -> Station:
    """A station that tells of new addresses at once."""
    return await make_station(Settings(publish=PublishPolicy.ON_CREATE))


async def published_user(station: Station, clock: FakeClock) -> User:
    """An account whose address was made and told of, the last time long enough ago for the next."""
    alice = await station.add_user("alice")
    station.services.pubkeys.identities_changed()
    await station.settle()
    assert len(await published(station, alice.identity)) == 1
    clock.advance(MIN_INTERVAL)
    return alice


async def test_a_demand_is_announced_at_once_in_a_new_pubkey(telling: Station, clock: FakeClock) -> None:
    alice = await published_user(telling, clock)
    identities = identities_of(telling)
    await identities.set(alice.id, str(alice.identity.address), "difficulty", "3")
    await telling.settle()
    old, new = await published(telling, alice.identity)
    assert (old.nonce_trials_per_byte, new.nonce_trials_per_byte) == (1, 3)
    (shown,) = await identities.all(alice.id)
    assert (identities.difficulty_of(shown), shown.is_pubkey_outdated) == (3.0, False)


async def test_p28_a_demand_changed_again_and_again_waits_for_its_pubkey(telling: Station, clock: FakeClock) -> None:
    alice = await published_user(telling, clock)
    identities = identities_of(telling)
    for difficulty in ("2", "3", "4"):
        await identities.set(alice.id, "alice", "difficulty", difficulty)
        await telling.settle()
    assert [key.nonce_trials_per_byte for key in await published(telling, alice.identity)] == [1, 2]
    assert (await identities.all(alice.id))[0].is_pubkey_outdated
    clock.advance(MIN_INTERVAL)
    await telling.settle()
    assert [key.nonce_trials_per_byte for key in await published(telling, alice.identity)] == [1, 2, 4]


async def test_p28_what_is_outdated_is_announced_after_a_restart_too(telling: Station, clock: FakeClock) -> None:
    alice = await published_user(telling, clock)
    await telling.crash()
    await identities_of(telling).set(alice.id, "alice", "difficulty", "7")
    await telling.start()
    assert (await published(telling, alice.identity))[-1].nonce_trials_per_byte == 7


async def test_a_demand_changed_before_the_work_begins_is_in_the_pubkey_that_waits(
    make_station: MakeStation, clock: FakeClock
) -> None:
    station = await make_station(Settings(publish=PublishPolicy.ON_REQUEST, pubkey_delay=600.0))
    alice = await station.add_user("alice")
    assert await asked(station, alice)
    await identities_of(station).set(alice.id, "alice", "difficulty", "5")
    clock.advance(DAY / 5)
    await station.settle()
    assert [key.nonce_trials_per_byte for key in await published(station, alice.identity)] == [5]


async def test_an_address_that_was_never_told_of_stays_so(station: Station) -> None:
    alice = await station.add_user("alice")
    await identities_of(station).set(alice.id, "alice", "difficulty", "2")
    await station.settle()
    assert station.announcer.announced == []


async def test_an_address_made_from_a_passphrase_is_told_of_when_asked_for(telling: Station) -> None:
    alice = await telling.add_account("alice")
    identities = identities_of(telling)
    made = await identities.new(alice.id, AddressRequest(passphrase="a long passphrase"))
    other = await identities.new(alice.id, AddressRequest())
    await telling.settle()
    assert await published(telling, made) == []
    assert len(await published(telling, other)) == 1
    assert await asked(telling, User(telling, alice, made))


async def test_whoever_confirms_nothing_says_so(telling: Station, clock: FakeClock) -> None:
    alice = await published_user(telling, clock)
    identities = identities_of(telling)
    await identities.set(alice.id, "alice", "ack", "never")
    await telling.settle()
    assert [key.does_ack for key in await published(telling, alice.identity)] == [True, False]
    clock.advance(MIN_INTERVAL)
    await identities.set(alice.id, "alice", "ack", "contacts")
    await telling.settle()
    assert [key.does_ack for key in await published(telling, alice.identity)] == [True, False, True]
    (ack,) = [each for each in await identities.options(alice.id, "alice") if each.option.name == "ack"]
    assert (ack.words, ack.is_set) == ("contacts", True)
    await identities.set(alice.id, "alice", "ack", "")
    (ack,) = [each for each in await identities.options(alice.id, "alice") if each.option.name == "ack"]
    assert (ack.words, ack.is_set) == ("all", False)


async def test_new_addresses_and_old_ones_follow_the_defaults_of_the_gateway(
    telling: Station, clock: FakeClock
) -> None:
    alice = await published_user(telling, clock)
    identities = identities_of(telling, Policy(ack="never", reads_files_bit=False))
    made = await identities.new(alice.id, AddressRequest())
    await identities.show_behavior()
    telling.services.pubkeys.identities_changed()
    await telling.settle()
    assert [key.behavior for key in await published(telling, made)] == [0]
    assert [key.behavior for key in await published(telling, alice.identity)] == [
        Behavior.DOES_ACK | Behavior.READS_FILES,
        0,
    ]


@pytest.mark.parametrize("words", ["0", "0.5", "101", "-2", "much", "1e1", "\u0662"])
async def test_odd_difficulties_are_refused(station: Station, words: str) -> None:
    alice = await station.add_user("alice")
    with pytest.raises(BadOption, match="from 1 to 100"):
        await identities_of(station).set(alice.id, "alice", "difficulty", words)


async def test_nobody_sets_what_is_not_his(station: Station) -> None:
    alice, bob = await station.add_user("alice"), await station.add_user("bob")
    with pytest.raises(Missing):
        await identities_of(station).set(bob.id, str(alice.identity.address), "difficulty", "2")
