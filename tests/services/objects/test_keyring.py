"""The keyring follows the database by difference, and only msgs are tried with its keys."""

from collections.abc import Iterable

import pytest
from fakes import FakeClock
from reference import BOB, BOB_KEYS, BROADCAST, GETPUBKEY, MSG, PUBKEY
from reference import NOW as REFERENCE_NOW
from sqlalchemy import update
from stations import MakeStation, Settings, Station, User, Wire
from storage_fixtures import new_identity

from bmgate.bm.acceptance import Verdict
from bmgate.bm.acks import ack_data_of
from bmgate.bm.crypto import Ciphertext, read_ciphertext
from bmgate.bm.network import MAINNET
from bmgate.bm.objects import ObjectType, read_object
from bmgate.bm.trial import ONE_BY_ONE, KeySet, Lookups
from bmgate.domain.chan import ChanOwner
from bmgate.domain.identity import IdentityId, NewIdentity
from bmgate.domain.outbox import State
from bmgate.domain.ports.database import Store
from bmgate.errors import StorageBusy
from bmgate.services.objects import keyring
from bmgate.services.objects.keyring import KeyOwner, Keyring
from bmgate.services.outbound.submission import SubmissionOptions
from bmgate.storage.repositories.identities import IdentityRepository
from bmgate.storage.schema import identity as identities


class CountedKeys(KeySet[KeyOwner]):
    """Tells how many keys came at a time, which went, and what was tried."""

    def __init__(self) -> None:
        super().__init__(ONE_BY_ONE, Lookups.CONSTANT_TIME, 1)
        self.added: list[int] = []
        self.removed: list[KeyOwner] = []
        self.tried: list[Ciphertext] = []

    def add_all(self, keys: Iterable[tuple[bytes, KeyOwner]]) -> None:
        portion = list(keys)
        self.added.append(len(portion))
        super().add_all(portion)

    def remove(self, owner: KeyOwner) -> None:
        self.removed.append(owner)
        super().remove(owner)

    def open(self, ciphertext: Ciphertext) -> list[tuple[KeyOwner, bytes]]:
        self.tried.append(ciphertext)
        return super().open(ciphertext)


async def add_identities(station: Station, count: int) -> list[IdentityId]:
    account = await station.add_account("alice")
    return [(await station.add_identity(account, new_identity(is_default=False))).id for _ in range(count)]


def disable(store: Store, identity: IdentityId) -> None:
    repository = store.identities
    assert isinstance(repository, IdentityRepository)
    change = update(identities).where(identities.c.id == identity)
    repository.scope.connection.execute(change.values(enabled=False))


async def test_the_keys_of_a_start_come_in_portions(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "PORTION", 3)
    ids = await add_identities(station, 8)
    keys = CountedKeys()
    await Keyring(station.database, keys).refresh()
    assert keys.added == [3, 3, 2]
    assert list(keys.owners) == ids


async def test_one_new_address_costs_one_key(station: Station) -> None:
    await add_identities(station, 5)
    keys = CountedKeys()
    ring = Keyring(station.database, keys)
    await ring.refresh()
    bob = await station.add_user("bob")
    await ring.refresh()
    assert keys.added == [5]  # nobody has told it
    ring.keys_changed()
    await ring.refresh()
    assert keys.added == [5, 1]
    assert bob.identity.id in keys.owners
    assert keys.removed == []


async def test_a_disabled_address_loses_its_key(station: Station) -> None:
    first, second, third = await add_identities(station, 3)
    keys = CountedKeys()
    ring = Keyring(station.database, keys)
    await ring.refresh()
    await station.database.transact(lambda store: disable(store, second))
    ring.keys_changed()
    await ring.refresh()
    assert (set(keys.owners), keys.removed, keys.added) == ({first, third}, [second], [3])


async def test_a_chan_is_one_key_however_many_take_part(station: Station) -> None:
    keys = CountedKeys()
    ring = Keyring(station.database, keys)
    members = [await station.add_account(name) for name in ("alice", "bob")]
    chan = None
    for member in members:
        chan = (await station.services.chans.join(member.id, "general")).membership.chan
        ring.keys_changed()
        await ring.refresh()
    assert chan is not None
    assert (list(keys.owners), keys.added) == ([ChanOwner(chan)], [1])
    for member, left in zip(members, (1, 0), strict=True):
        await station.services.chans.leave(member.id, "general")
        ring.keys_changed()
        await ring.refresh()
        assert len(keys) == left


async def test_a_database_that_is_away_in_the_middle_is_asked_again(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "PORTION", 2)
    ids = await add_identities(station, 5)
    keys = CountedKeys()
    ring = Keyring(station.database, keys)
    taken = keys.add_all

    def fail_afterwards(portion: Iterable[tuple[bytes, KeyOwner]]) -> None:
        taken(portion)
        station.database.failure = StorageBusy("away")

    monkeypatch.setattr(keys, "add_all", fail_afterwards)
    with pytest.raises(StorageBusy):
        await ring.refresh()
    station.database.failure = None
    monkeypatch.setattr(keys, "add_all", taken)
    await ring.refresh()
    assert keys.added == [2, 2, 1]
    assert list(keys.owners) == ids


async def test_only_msgs_are_tried(make_station: MakeStation, clock: FakeClock) -> None:
    """Broadcasts and pubkeys are found by tag, acks by their hash, and what nobody could read is not tried at all."""
    keys = CountedKeys()
    station = await make_station(Settings(network=MAINNET, keys=lambda: keys))
    await station.add_user("alice")
    clock.jump(REFERENCE_NOW - clock.now())
    assert await station.add_objects([GETPUBKEY, PUBKEY, BROADCAST]) == [Verdict.ACCEPT] * 3
    await station.settle()
    assert keys.tried == []
    assert await station.add_objects([MSG]) == [Verdict.ACCEPT]
    await station.settle()
    assert len(keys.tried) == 1


async def test_an_awaited_ack_is_not_tried(make_station: MakeStation) -> None:
    """Not even one that looks like a msg."""
    keys = CountedKeys()
    here = await make_station(Settings(keys=lambda: keys, submission=SubmissionOptions(ack_stealth=2)))
    there = await make_station()
    wire = Wire(here, there)
    alice, bob = await here.add_user("alice"), await there.add_user("bob")
    await alice.send(bob)
    await wire.carry()
    (row,) = await alice.rows()
    assert row.state is State.ACKED
    (ack,) = [read_object(each) for each in wire.carried if ack_data_of(each) == row.ack_data]
    assert ack.object_type == ObjectType.MSG
    assert read_ciphertext(ack.ciphertext) not in keys.tried


async def test_a_msg_whose_owner_went_meanwhile_is_for_nobody(make_station: MakeStation) -> None:
    keys = CountedKeys()
    station = await make_station(Settings(keys=lambda: keys, network=MAINNET))
    account = await station.add_account("bob")
    bob = NewIdentity(BOB.address, BOB_KEYS, "", True, 1000, 1000, 0)
    user = User(station, account, await station.add_identity(account, bob))
    await station.services.receiving.process_some()
    await station.database.transact(lambda store: disable(store, user.identity.id))
    station.clock.jump(REFERENCE_NOW - station.clock.now())
    assert await station.add_objects([MSG]) == [Verdict.ACCEPT]
    await station.settle()
    assert len(keys.tried) == 1
    assert await user.messages() == []
