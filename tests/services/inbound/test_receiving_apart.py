"""Receiving and the node beside each other: neither waits for the other, and neither tells what the other found."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import SystemRandom
from threading import Event

import pytest
from fakes import FakeClock
from live_nodes import TIMEOUT, SpeakingPeer, running
from stations import MakeStation, Settings, Station
from storage_fixtures import NOW
from trial_points import kernels
from writers import DAY, key_of, worked

from bmgate.bm.acks import ack_object, ack_packet, build_ack_data
from bmgate.bm.commands import Getdata, Inv, ObjectCommand, Ping, Pong
from bmgate.bm.crypto import Ciphertext
from bmgate.bm.encodings import SIMPLE, encode_message
from bmgate.bm.hashes import InventoryVector, inventory_vector
from bmgate.bm.keys import random_keys
from bmgate.bm.network import TESTNET
from bmgate.bm.node.node import Node, NodeSettings
from bmgate.bm.node.targets import PeerTarget
from bmgate.bm.plaintext import Behavior, Pubkey, build_msg
from bmgate.bm.trial import ONE_BY_ONE, KeySet, Lookups
from bmgate.clock import SystemClock
from bmgate.services.objects.keyring import KeyOwner

HOST, GIVER, READER = "127.78.0.1", "127.78.0.8", "127.78.0.9"


class HeldKeys(KeySet[KeyOwner]):
    """Trial decryption that waits until it may go on, each time."""

    def __init__(self) -> None:
        super().__init__(ONE_BY_ONE, Lookups.CONSTANT_TIME, 1)
        self.begun, self.go_on = Event(), Event()
        self.tried = 0

    def open(self, ciphertext: Ciphertext) -> list[tuple[KeyOwner, bytes]]:
        self.begun.set()
        assert self.go_on.wait(TIMEOUT)
        self.tried += 1
        return super().open(ciphertext)


class SlowKeys(KeySet[KeyOwner]):
    """Trial decryption that takes its time by a clock of its own."""

    def __init__(self, clock: "TickingClock", seconds: float) -> None:
        super().__init__(ONE_BY_ONE, Lookups.CONSTANT_TIME, 1)
        self._clock, self._seconds = clock, seconds
        self.tried, self.hold_at, self.held, self.go_on = 0, 1 << 30, Event(), Event()

    def open(self, ciphertext: Ciphertext) -> list[tuple[KeyOwner, bytes]]:
        if self.tried == self.hold_at:
            self.held.set()
            assert self.go_on.wait(TIMEOUT)
        self.tried += 1
        self._clock.spent += self._seconds
        return super().open(ciphertext)


class TickingClock(FakeClock):
    """One that shows the time spent in trial decryption."""

    def __init__(self, now: int) -> None:
        super().__init__(now)
        self.spent = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.spent


@pytest.fixture
def clock() -> TickingClock:
    return TickingClock(NOW)


def msg_to(recipient: Pubkey, now: int, ack: bool = True) -> bytes:
    """From a stranger, with its work done."""
    keys = random_keys(os.urandom, leading_zeros=0)
    sender = Pubkey(4, 1, Behavior.DOES_ACK, keys.public, 1, 1000)
    data = build_ack_data(0, 1, os.urandom)
    begun = now - 300  # the clock goes on meanwhile, and work for more is more than enough
    packet = ack_packet(worked(ack_object(data, now + DAY), begun), TESTNET.magic) if ack else b""
    text = encode_message("Hi", os.urandom(4).hex())
    return worked(build_msg(sender, keys, recipient, SIMPLE, text, packet, now + DAY, os.urandom), begun)


def stranger_key() -> Pubkey:
    """Of an address that is not here."""
    return Pubkey(4, 1, Behavior.DOES_ACK, random_keys(os.urandom, leading_zeros=0).public, 1, 1000)


# --- time ---


async def test_with_many_keys_mail_is_recorded_before_the_batch_is_through(
    make_station: MakeStation, clock: TickingClock
) -> None:
    keys = SlowKeys(clock, seconds=0.1)
    station = await make_station(Settings(keys=lambda: keys))
    alice = await station.add_user("alice")
    keys.hold_at = 3
    mine = await key_of(alice)
    await station.add_objects([msg_to(mine, NOW, ack=False) for _ in range(10)])
    await asyncio.wait_for(asyncio.to_thread(keys.held.wait), TIMEOUT)
    assert len(await alice.messages()) == 3
    keys.go_on.set()
    await station.settle()
    assert len(await alice.messages()) == 10
    assert station.services.failpoints.passed.count("receiving.committed") == 4


async def test_with_few_keys_a_batch_is_one_transaction(make_station: MakeStation, clock: TickingClock) -> None:
    station = await make_station()
    alice = await station.add_user("alice")
    mine = await key_of(alice)
    await station.add_objects([msg_to(mine, NOW, ack=False) for _ in range(10)])
    await station.settle()
    assert station.services.failpoints.passed.count("receiving.committed") == 1


async def test_a_search_under_way_ends_with_the_gateway(make_station: MakeStation) -> None:
    """Within the time of one key, however many there are; the object is tried again after the next start."""
    held = HeldKeys()
    station = await make_station(Settings(keys=lambda: held))
    alice = await station.add_user("alice")
    await station.add_objects([msg_to(await key_of(alice), NOW)])
    await asyncio.wait_for(asyncio.to_thread(held.begun.wait), TIMEOUT)
    crashing = asyncio.create_task(station.crash())
    held.go_on.set()
    await crashing
    assert await station.database.read(lambda store: store.inventory.count()) == (1, 1)
    station.settings = Settings()
    await station.start()
    assert len(await alice.messages()) == 1


async def test_p27_an_ack_leaves_after_a_random_time_that_begins_with_its_record(
    make_station: MakeStation, clock: TickingClock
) -> None:
    """P27, P39: how long trial decryption took, and among how many others the msg came, is not in it."""
    station = await make_station(Settings(ack_delay=6_000.0, keys=lambda: SlowKeys(clock, seconds=5.0)))
    alice = await station.add_user("alice")
    mine = await key_of(alice)
    await station.add_objects([msg_to(mine, NOW) for _ in range(20)])
    await station.settle()
    assert len(await alice.messages()) == 20
    stored = await station.database.read(lambda store: store.inventory.vectors())
    delays = sorted(stem_until - NOW for _, _, stem_until in stored if stem_until)
    assert len(delays) > 15
    assert len(set(delays)) > 10
    for at in range(0, 60_000, 1_000):
        due = sum(delay <= clock.now() - NOW for delay in delays)
        announced = len(station.announcer.announced)
        assert due <= announced <= due + 20 - len(delays), at
        clock.advance(1_000)
        await station.settle()
    assert len(station.announcer.announced) == 20


# --- many addresses ---


@pytest.mark.parametrize("lookups", Lookups)
@pytest.mark.parametrize("kernel", kernels())
async def test_p39_many_addresses_get_their_msgs_among_those_of_others(
    make_station: MakeStation, kernel: str, lookups: Lookups
) -> None:
    station = await make_station(Settings(keys=lambda: KeySet(kernel, lookups, 2)))
    users = [await station.add_user(f"user{number}") for number in range(40)]
    wanted = {users[number].id: count for number, count in ((0, 1), (7, 3), (8, 1), (31, 2), (39, 1))}
    mine = [msg_to(await key_of(user), NOW, ack=False) for user in users for _ in range(wanted.get(user.id, 0))]
    foreign = [msg_to(stranger_key(), NOW, ack=False) for _ in range(12)]
    await station.add_objects(sorted([*mine, *foreign]))
    await station.settle()
    assert {user.id: len(found) for user in users if (found := await user.messages())} == wanted


# --- the node ---


class Stranger(SpeakingPeer):
    async def hear_of(self, vectors: set[InventoryVector]) -> None:
        """Until all of them were announced."""
        while vectors:
            vectors = vectors - set((await self.hear(Inv)).vectors)


@asynccontextmanager
async def stranger(node: Node, host: str) -> AsyncIterator[Stranger]:
    bound = node.listening[0]
    peer = Stranger(*await asyncio.open_connection(bound.host, bound.port, local_addr=(host, 0)))
    try:
        await peer.shake_hands()
        yield peer
    finally:
        await peer.close()


@asynccontextmanager
async def node_of(station: Station) -> AsyncIterator[Node]:
    """A live node over the station's database, which wakes its receiving."""

    def received(_: object) -> None:
        station.services.receiving.wake()

    settings = NodeSettings(TESTNET, (PeerTarget(HOST, 0),), tick_seconds=0.02)
    node = Node(settings, station.database, SystemClock(), os.urandom, SystemRandom(), received)
    async with running(node):
        yield node


async def test_p39_the_node_relays_and_answers_while_trial_decryption_is_stuck(
    make_station: MakeStation, clock: TickingClock
) -> None:
    """What is ours travels on like anything else, before anybody here knows that it is."""
    now = int(time.time())
    clock.jump(now - clock.now())
    held = HeldKeys()
    station = await make_station(Settings(keys=lambda: held))
    alice = await station.add_user("alice")
    objects = {
        inventory_vector(each): each
        for each in (msg_to(await key_of(alice), now, ack=False), msg_to(stranger_key(), now, ack=False))
    }
    async with node_of(station) as node, stranger(node, GIVER) as giver, stranger(node, READER) as reader:
        giver.say(Inv(tuple(objects)))
        asked: set[InventoryVector] = set()
        while asked < set(objects):
            asked |= set((await giver.hear(Getdata)).vectors)
        giver.say(*map(ObjectCommand, objects.values()))
        await asyncio.wait_for(asyncio.to_thread(held.begun.wait), TIMEOUT)
        await reader.hear_of(set(objects))
        reader.say(Getdata(tuple(objects)))
        assert {(await reader.hear(ObjectCommand)).encoded for _ in objects} == set(objects.values())
        reader.say(Ping())
        await reader.hear(Pong)
        assert held.tried == 0
        held.go_on.set()
        await station.settle()
    assert held.tried == 2
    assert len(await alice.messages()) == 1


async def test_mail_arrives_when_the_node_has_ended(make_station: MakeStation) -> None:
    station = await make_station()
    alice = await station.add_user("alice")
    async with node_of(station):
        pass
    await station.add_objects([msg_to(await key_of(alice), NOW)])
    await station.settle()
    assert len(await alice.messages()) == 1
