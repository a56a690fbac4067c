"""Real nodes, each on its own 127.x.y.z: they find each other, trade objects, come back, and mind strangers."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from random import Random, SystemRandom

import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st
from live_nodes import TIMEOUT, SpeakingPeer, running, until
from peers import MemoryDatabase, version, worked_object
from stopwatch import Stopwatch
from strategies import commands

from bmgate.bm.commands import (
    Command,
    Dinv,
    ErrorCommand,
    Getdata,
    Inv,
    ObjectCommand,
    Ping,
    Pong,
    Services,
    Verack,
    VersionCommand,
)
from bmgate.bm.conversation import Deadlines
from bmgate.bm.handshake import SERVER_FULL
from bmgate.bm.hashes import InventoryVector, inventory_vector
from bmgate.bm.network import TESTNET, NetworkParameters
from bmgate.bm.node.dialing import Backoff
from bmgate.bm.node.download import DownloadLimits
from bmgate.bm.node.exchange import ExchangeSettings
from bmgate.bm.node.node import Node, NodeSettings
from bmgate.bm.node.targets import PeerTarget
from bmgate.bm.objects import BitmessageObject, encode_object, with_nonce
from bmgate.clock import SystemClock
from bmgate.errors import StorageBusy


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as bound:
            bound.bind(("::1", 0))
    except OSError:
        return False
    return True


ALICE, BOB, CAROL, STRANGER = "127.77.0.1", "127.77.0.2", "127.77.0.3", "127.77.0.9"
FAST = Backoff(first=0.02, longest=0.1)
HOUR = 3_600


@dataclass
class Home:
    """A node, its database, and what it was given to process."""

    node: Node
    database: MemoryDatabase
    received: asyncio.Queue[BitmessageObject] = field(default_factory=asyncio.Queue)

    @property
    def target(self) -> PeerTarget:
        return self.node.listening[0]

    def publish(self, encoded: bytes) -> InventoryVector:
        """Store and announce, as a service does."""
        vector = self.database.store(encoded)
        self.node.announce([vector])
        return vector


def settings(host: str, network: NetworkParameters = TESTNET) -> NodeSettings:
    return NodeSettings(network, (PeerTarget(host, 0),), backoff=FAST, tick_seconds=0.02)


@asynccontextmanager
async def home(given: NodeSettings, database: MemoryDatabase | None = None) -> AsyncIterator[Home]:
    made: list[Home] = []

    def receive(objects: list[BitmessageObject]) -> None:
        for each in objects:
            made[0].received.put_nowait(each)

    database = database or MemoryDatabase()
    node = Node(given, database, SystemClock(), os.urandom, SystemRandom(), receive)
    made.append(Home(node, database))
    async with running(node):
        yield made[0]


def fresh_object(size: int = 100) -> bytes:
    now = int(time.time())
    return worked_object(os.urandom(size), now + HOUR, now)


async def next_object(of: Home) -> bytes:
    async with asyncio.timeout(TIMEOUT):
        return (await of.received.get()).encoded


def are_connected(*homes: Home) -> bool:
    return all(any(peer.established for peer in each.node.peers()) for each in homes)


class Stranger(SpeakingPeer):
    @classmethod
    async def connect(cls, to: Home, host: str = STRANGER) -> "Stranger":
        return cls(*await asyncio.open_connection(to.target.host, to.target.port, local_addr=(host, 0)))


@asynccontextmanager
async def stranger(to: Home, host: str = STRANGER) -> AsyncIterator[Stranger]:
    peer = await Stranger.connect(to, host)
    try:
        yield peer
    finally:
        await peer.close()


# --- nodes among themselves ---


async def test_an_own_object_crosses_to_another_node() -> None:
    async with home(settings(ALICE)) as alice, home(settings(BOB)) as bob:
        alice.node.add_peer(bob.target)
        await until(lambda: are_connected(alice, bob))
        encoded = fresh_object()
        vector = alice.publish(encoded)
        assert await next_object(bob) == encoded
        assert bob.database.inventory.objects[vector].to_process
        assert alice.received.empty()


async def test_an_object_crosses_a_node_in_the_middle_both_ways() -> None:
    async with home(settings(ALICE)) as alice, home(settings(BOB)) as bob, home(settings(CAROL)) as carol:
        alice.node.add_peer(bob.target)
        carol.node.add_peer(bob.target)
        await until(lambda: are_connected(alice, carol) and len(bob.node.peers()) == 2)
        for home_from, home_to in ((alice, carol), (carol, alice), (bob, alice)):
            encoded = fresh_object()
            home_from.publish(encoded)
            assert await next_object(home_to) == encoded


async def test_a_new_peer_is_told_everything_and_fetches_it() -> None:
    database = MemoryDatabase()
    stored = {fresh_object(20) for _ in range(60)}
    for encoded in stored:
        database.store(encoded)
    async with home(settings(ALICE), database) as alice, home(settings(BOB)) as bob:
        bob.node.add_peer(alice.target)
        assert {await next_object(bob) for _ in stored} == stored
        assert bob.node.state.exchange.objects == 60
        assert max(bob.database.batches) > 1


async def test_expired_objects_are_not_offered() -> None:
    database, now = MemoryDatabase(), int(time.time())
    database.store(worked_object(b"expired", now - 60, now))
    encoded = fresh_object()
    database.store(encoded)
    async with home(settings(ALICE), database) as alice, stranger(alice) as peer:
        await peer.shake_hands()
        assert (await peer.hear(Inv)).vectors == (inventory_vector(encoded),)


async def test_nodes_speak_tls_where_both_offer_it() -> None:
    async with (
        home(replace(settings(ALICE), tls_inbound=True)) as alice,
        home(settings(BOB)) as bob,
        home(settings(CAROL)) as carol,
    ):
        bob.node.add_peer(alice.target)
        bob.node.add_peer(carol.target)
        await until(lambda: sum(peer.established for peer in bob.node.peers()) == 2)
        assert {peer.host: peer.tls for peer in bob.node.peers()} == {ALICE: True, CAROL: False}
        encoded = fresh_object()
        alice.publish(encoded)
        assert await next_object(carol) == encoded


async def test_connections_are_made_again_after_a_restart() -> None:
    async with home(settings(ALICE)) as alice:
        async with home(settings(BOB)) as bob:
            target = bob.target
            alice.node.add_peer(target)
            await until(lambda: are_connected(alice, bob))
        await until(lambda: not alice.node.peers())
        database = MemoryDatabase()
        encoded = fresh_object()
        database.store(encoded)
        async with home(replace(settings(BOB), listen=(target,)), database):
            assert await next_object(alice) == encoded


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")
async def test_nodes_talk_over_ipv6() -> None:
    async with home(settings("::1")) as alice, home(settings(BOB)) as bob:
        bob.node.add_peer(alice.target)
        await until(lambda: are_connected(alice, bob))
        assert {peer.host for peer in (*alice.node.peers(), *bob.node.peers())} == {"::1"}
        encoded = fresh_object()
        bob.publish(encoded)
        assert await next_object(alice) == encoded


async def test_nodes_that_know_each_other_keep_one_connection() -> None:
    async with home(settings(ALICE)) as alice, home(settings(BOB)) as bob:
        alice.node.add_peer(bob.target)
        bob.node.add_peer(alice.target)
        await until(lambda: are_connected(alice, bob))
        await until(lambda: len(alice.node.peers()) == len(bob.node.peers()) == 1)
        encoded = fresh_object()
        alice.publish(encoded)
        assert await next_object(bob) == encoded
        assert len(alice.node.peers()) == len(bob.node.peers()) == 1


async def test_p14_a_node_told_to_dial_itself_gives_up(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="bmgate.bm.node.dialing")
    async with home(settings(ALICE)) as alice, home(settings(BOB)) as bob:
        alice.node.add_peer(alice.target)
        alice.node.add_peer(bob.target)
        await until(lambda: "it is not dialled again" in caplog.text)
        await until(lambda: are_connected(bob))
        await until(lambda: [peer.host for peer in alice.node.peers()] == [BOB])


async def test_status_tells_of_a_peer() -> None:
    async with home(settings(ALICE)) as alice, home(settings(BOB)) as bob:
        alice.node.add_peer(bob.target)
        await until(lambda: are_connected(alice, bob))
        (peer,) = alice.node.peers()
        assert (peer.host, peer.port, peer.inbound) == (BOB, bob.target.port, False)
        assert (peer.user_agent, peer.services) == ("/bmgate:0.1/", int(Services.NETWORK | Services.DANDELION))
        assert peer.bytes_in > 100
        assert peer.bytes_out > 100
        (peer,) = bob.node.peers()
        assert (peer.host, peer.inbound) == (ALICE, True)


async def test_stopping_takes_less_than_a_second_and_leaves_no_task() -> None:
    tasks = asyncio.all_tasks()
    async with home(settings(ALICE)) as alice, home(settings(BOB)) as bob:
        alice.node.add_peer(bob.target)
        alice.node.add_peer(PeerTarget(CAROL, 1))
        await until(lambda: are_connected(alice, bob))
        watch = Stopwatch()
        await alice.node.stop()
        assert watch.seconds < 1
        alice.node.announce([InventoryVector(bytes(32))])
    assert asyncio.all_tasks() == tasks


async def test_a_trace_sees_what_peers_say() -> None:
    seen: list[tuple[str, str, str]] = []
    node = Node(
        settings(ALICE),
        MemoryDatabase(),
        SystemClock(),
        os.urandom,
        Random(1),
        lambda _: None,
        trace=lambda peer, direction, command: seen.append((direction, peer, type(command).__name__)),
    )
    async with asyncio.TaskGroup() as group, home(settings(BOB)) as bob:
        await node.start(group)
        node.add_peer(bob.target)
        await until(lambda: are_connected(bob))
        await node.stop()
        name = str(bob.target)
    assert seen[0] == ("out", name, "VersionCommand")
    assert ("in", name, "Verack") in seen


# --- own objects ---


async def test_v22_an_own_object_is_not_shown_before_its_stem_is_over() -> None:
    slow = replace(TESTNET, stem_divisor=1)
    async with home(settings(ALICE, slow)) as alice, stranger(alice) as peer:
        await peer.shake_hands()
        encoded = fresh_object()
        vector = alice.publish(encoded)
        await until(lambda: alice.node.state.exchange.objects == 1)
        peer.say(Getdata((vector,)))
        assert await peer.is_quiet_about(ObjectCommand)
        async with stranger(alice, CAROL) as newcomer:
            await newcomer.shake_hands()
            assert await newcomer.is_quiet_about(Inv)
        peer.say(Inv((vector,)))
        assert (await peer.hear(Getdata)).vectors == (vector,)  # as if it were unknown


async def test_v22_an_own_object_of_the_last_run_stays_hidden_until_its_stem_is_over() -> None:
    database = MemoryDatabase()
    vector = database.store(fresh_object(), stem_until=int(time.time()) + 600)
    async with home(settings(ALICE), database) as alice, stranger(alice) as peer:
        await peer.shake_hands()
        peer.say(Getdata((vector,)))
        assert await peer.is_quiet_about(Inv | ObjectCommand)  # type: ignore[arg-type]


async def test_v22_an_own_object_is_told_to_one_outbound_peer_first() -> None:
    slow = replace(TESTNET, stem_divisor=1)
    async with (
        home(settings(ALICE, slow)) as alice,
        home(settings(BOB)) as bob,
        home(settings(CAROL)) as carol,
        stranger(alice) as peer,
    ):
        await peer.shake_hands()
        alice.node.add_peer(bob.target)
        alice.node.add_peer(carol.target)
        await until(lambda: are_connected(bob, carol))
        for _ in range(3):
            alice.publish(fresh_object())
        await until(lambda: bob.received.qsize() + carol.received.qsize() == 3)
        assert {bob.received.qsize(), carol.received.qsize()} == {0, 3}
        assert await peer.is_quiet_about(Inv)


async def test_an_object_from_a_stem_is_fetched_and_not_told_to_everyone_at_once() -> None:
    slow = replace(TESTNET, stem_divisor=1)
    async with home(settings(ALICE, slow)) as alice, stranger(alice) as peer, stranger(alice, CAROL) as other:
        await peer.shake_hands()
        await other.shake_hands()
        encoded = fresh_object()
        vector = inventory_vector(encoded)
        peer.say(Dinv((vector,)))
        await peer.hear(Getdata)
        peer.say(ObjectCommand(encoded))
        assert await next_object(alice) == encoded
        other.say(Getdata((vector,)))
        assert await other.is_quiet_about(Inv)
        peer.say(ObjectCommand(encoded))  # a cycle ends the stem
        assert (await other.hear(Inv)).vectors == (vector,)


async def test_without_any_outbound_peer_an_own_object_is_told_after_its_stem_time() -> None:
    async with home(settings(ALICE)) as alice, stranger(alice) as peer:
        await peer.shake_hands()
        vector = alice.publish(fresh_object())
        assert (await peer.hear(Inv)).vectors == (vector,)


async def test_our_version_offers_dandelion_and_no_inbound_tls() -> None:
    async with home(settings(ALICE)) as alice, stranger(alice) as peer, stranger(alice, CAROL) as other:
        first, second = await peer.shake_hands(), await other.shake_hands()
        assert first.services == Services.NETWORK | Services.DANDELION
        assert first.streams == (1,)
        assert first.user_agent == b"/bmgate:0.1/"
        assert first.sender.port == alice.target.port
        assert first.nonce != second.nonce


# --- strangers ---


async def test_an_object_told_of_is_fetched_stored_and_told_to_others_only() -> None:
    async with home(settings(ALICE)) as alice, stranger(alice) as peer, stranger(alice, CAROL) as other:
        await peer.shake_hands()
        await other.shake_hands()
        encoded = fresh_object()
        vector = inventory_vector(encoded)
        peer.say(Inv((vector,)))
        assert (await peer.hear(Getdata)).vectors == (vector,)
        peer.say(ObjectCommand(encoded))
        assert await next_object(alice) == encoded
        assert (await other.hear(Inv)).vectors == (vector,)
        assert await peer.is_quiet_about(Inv)
        other.say(Getdata((vector, vector)))
        assert (await other.hear(ObjectCommand)).encoded == encoded
        assert await other.is_quiet_about(ObjectCommand)


async def test_p10_what_one_announcer_does_not_deliver_is_asked_of_another() -> None:
    impatient = ExchangeSettings(download=DownloadLimits(timeout=0.05))
    async with (
        home(replace(settings(ALICE), exchange=impatient)) as alice,
        stranger(alice) as peer,
        stranger(alice, CAROL) as other,
    ):
        await peer.shake_hands()
        await other.shake_hands()
        encoded = fresh_object()
        vector = inventory_vector(encoded)
        peer.say(Inv((vector,)))
        await peer.hear(Getdata)
        other.say(Inv((vector,)))
        await other.hear(Getdata)
        other.say(ObjectCommand(encoded))
        assert await next_object(alice) == encoded


async def test_p10_a_peer_that_delivers_nothing_is_left() -> None:
    impatient = ExchangeSettings(download=DownloadLimits(timeout=0.01, timeouts_allowed=20))
    async with home(replace(settings(ALICE), exchange=impatient)) as alice, stranger(alice) as peer:
        await peer.shake_hands()
        peer.say(Inv(tuple(InventoryVector(os.urandom(32)) for _ in range(100))))
        assert await peer.is_closed()


async def test_p16_objects_without_work_are_dropped_and_the_tenth_ends_it() -> None:
    async with home(settings(ALICE)) as alice, stranger(alice) as peer:
        await peer.shake_hands()
        encoded = fresh_object()
        for nonce in range(9):
            peer.say(ObjectCommand(with_nonce(encoded, nonce)))
        peer.say(Ping())
        await peer.hear(Pong)
        peer.say(ObjectCommand(with_nonce(encoded, 9)))
        assert await peer.is_closed()
        assert not alice.database.inventory.objects
        async with stranger(alice) as again:
            assert await again.is_closed()


async def test_p16_an_explicit_peer_that_sends_objects_without_work_is_left_and_called_again_with_patience() -> None:
    calls: list[float] = []
    encoded = fresh_object()

    async def offend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append(asyncio.get_running_loop().time())
        peer = Stranger(reader, writer)
        with suppress(ConnectionError, EOFError):  # the node stops
            await peer.hear(VersionCommand)
            peer.say(Verack(), version(nonce=os.urandom(8), timestamp=int(time.time())))
            await peer.hear(Verack)
            nonces = range(12 * len(calls), 12 * len(calls) + 12)
            peer.say(*(ObjectCommand(with_nonce(encoded, nonce)) for nonce in nonces))
            await peer.is_closed()
        await peer.close()

    patient = replace(settings(ALICE), backoff=Backoff(first=0.05, longest=100.0))
    async with home(patient) as alice:
        server = await asyncio.start_server(offend, BOB, 0)
        alice.node.add_peer(PeerTarget(*server.sockets[0].getsockname()))
        try:
            await until(lambda: len(calls) == 5)
        finally:
            server.close()
        assert calls[4] - calls[3] > 0.05 * 8 / 2, "the fourth pause is eight times the first, less a half at most"
        assert alice.node.banned() == []


async def test_d6_own_objects_wait_while_our_clock_is_far_from_everybodys() -> None:
    class LateClock(SystemClock):
        late = 8 * HOUR

        def now(self) -> int:
            return super().now() - self.late

    clock, database = LateClock(), MemoryDatabase()
    encoded = fresh_object()
    node = Node(settings(ALICE), database, clock, os.urandom, SystemRandom(), lambda objects: None)

    async def tell_time(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Stranger(reader, writer)
        with suppress(ConnectionError, EOFError):  # the node stops
            await peer.hear(VersionCommand)
            peer.say(version(nonce=os.urandom(8), timestamp=int(time.time())))
            await peer.is_closed()
        await peer.close()

    servers = [await asyncio.start_server(tell_time, f"127.77.1.{number}", 0) for number in (1, 2, 3)]
    async with asyncio.TaskGroup() as group:
        try:
            await node.start(group)
            for server in servers:
                node.add_peer(PeerTarget(*server.sockets[0].getsockname()))
            await until(lambda: node.state.clock_offset is not None)
            assert node.state.clock_offset is not None
            assert abs(node.state.clock_offset - 8 * HOUR) < 10
            node.announce([database.store(encoded)])
            for _ in range(50):
                await asyncio.sleep(0)
            assert node.state.exchange.objects == 0, "it was not looked at"
            clock.late = 0
            await until(lambda: node.state.exchange.objects == 1)
        finally:
            await node.stop()
            for server in servers:
                server.close()


async def test_p17_p18_other_bad_objects_are_dropped_and_not_fetched_again() -> None:
    now = int(time.time())
    expired = worked_object(b"expired", now - 3700, now)
    async with home(settings(ALICE)) as alice, stranger(alice) as peer:
        await peer.shake_hands()
        peer.say(ObjectCommand(expired), ObjectCommand(bytes(20)), ObjectCommand(b""))
        peer.say(Inv((inventory_vector(expired),)))
        assert await peer.is_quiet_about(Getdata)
        assert not alice.database.inventory.objects


async def test_p19_one_object_from_many_peers_is_stored_and_handed_on_once() -> None:
    async with home(settings(ALICE)) as alice:
        peers = [await Stranger.connect(alice, f"127.77.1.{index}") for index in range(1, 21)]
        for peer in peers:
            await peer.shake_hands()
        encoded = fresh_object()
        for peer in peers:
            peer.say(ObjectCommand(encoded), Ping())
        for peer in peers:
            await peer.hear(Pong)
        assert await next_object(alice) == encoded
        assert alice.received.empty()
        assert sum(alice.database.batches) == 1
        for peer in peers:
            await peer.close()


async def test_p11_a_getdata_for_an_unknown_object_brings_nothing() -> None:
    database = MemoryDatabase()
    vector = database.store(fresh_object())
    slow = replace(TESTNET, delay_divisor=1)
    async with home(settings(ALICE, slow), database) as alice, stranger(alice) as peer:
        await peer.shake_hands()
        peer.say(Getdata((vector, InventoryVector(bytes(32)))), Getdata((vector,)))
        assert await peer.is_quiet_about(ObjectCommand)


async def test_p14_a_second_connection_of_one_node_hears_that_the_server_is_full() -> None:
    async with home(settings(ALICE)) as alice, stranger(alice) as peer, stranger(alice) as again:
        await peer.shake_hands()
        again.say(version(nonce=os.urandom(8), timestamp=int(time.time())))
        assert (await again.hear(ErrorCommand)).text == SERVER_FULL
        assert await again.is_closed()


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\nHost: bitmessage\r\n\r\n", bytes(100), b"\x16\x03\x01" * 20])
async def test_p1_strangers_with_another_protocol_are_closed(garbage: bytes) -> None:
    async with home(settings(ALICE)) as alice, stranger(alice) as peer:
        peer.writer.write(garbage)
        assert await peer.is_closed()
        await until(lambda: not alice.node.peers())


async def test_p4_a_thousand_connections_from_one_host_leave_room_for_others() -> None:
    limited = replace(TESTNET, limits_groups=True)
    async with home(settings(ALICE, limited)) as alice:
        crowd = [await Stranger.connect(alice) for _ in range(50)]
        assert all([await peer.is_closed() for peer in crowd[2:]])
        assert len(alice.node.peers()) == 2
        async with stranger(alice, "127.78.0.1") as peer:
            await peer.shake_hands()
        for peer in crowd:
            await peer.close()


async def test_p4_a_crowd_that_is_not_let_in_is_one_line_a_minute_in_the_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bmgate.bm.node.node.CROWD_SECONDS", 0.2)
    caplog.set_level("INFO", logger="bmgate.bm.node.node")
    async with home(settings(ALICE, replace(TESTNET, limits_groups=True))) as alice:
        crowd = [await Stranger.connect(alice) for _ in range(30)]
        assert all([await peer.is_closed() for peer in crowd[2:]])
        for peer in crowd:
            await peer.close()
        await until(lambda: not alice.node.peers())
        await until(lambda: "not let in" in caplog.text)
    told = [record.getMessage() for record in caplog.records if "listens" not in record.getMessage()]
    assert sum(int(line.split()[0]) for line in told) == 28
    assert len(told) < 5


async def test_t1_an_honest_peer_is_answered_during_a_flood_of_announcements() -> None:
    async with home(settings(ALICE)) as alice, stranger(alice) as peer, stranger(alice, CAROL) as other:
        await peer.shake_hands()
        await other.shake_hands()
        for _ in range(2):
            data = os.urandom(32 * 50_000)
            peer.say(Inv(tuple(InventoryVector(data[at : at + 32]) for at in range(0, len(data), 32))))
        peer.say(Ping())
        await peer.hear(Getdata)
        for _ in range(10):
            watch = Stopwatch()
            other.say(Ping())
            await other.hear(Pong)
            assert watch.seconds < 1
        await peer.hear(Pong)


async def test_p3_a_silent_stranger_is_closed_in_time() -> None:
    hasty = replace(settings(ALICE), deadlines=Deadlines(handshake=0.05))
    async with home(hasty) as alice, stranger(alice) as peer:
        assert await peer.is_closed()


async def test_p12_a_peer_that_asks_but_never_reads_is_closed() -> None:
    database, now = MemoryDatabase(), int(time.time())
    vectors = tuple(database.store(encode_object(now + HOUR, 2, 1, 1, os.urandom(200_000))) for _ in range(200))
    hasty = replace(settings(ALICE), deadlines=Deadlines(stall=0.3))
    async with home(hasty, database) as alice, stranger(alice) as peer, stranger(alice, CAROL) as other:
        await peer.shake_hands()
        await other.shake_hands()
        peer.say(Getdata(vectors))
        await until(lambda: any(each.bytes_out > 1_000_000 for each in alice.node.peers()))
        (peer_info,) = [each for each in alice.node.peers() if each.host == STRANGER]
        assert peer_info.bytes_out < 20_000_000
        await until(lambda: [each.host for each in alice.node.peers()] == [CAROL])
        other.say(Ping())
        await other.hear(Pong)


async def test_after_a_failed_tls_handshake_a_peer_is_dialled_without() -> None:
    """PyBitmessage on OpenSSL 3 offers TLS it cannot speak, and closes."""
    offers: asyncio.Queue[Services] = asyncio.Queue()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Stranger(reader, writer)
        theirs = await peer.hear(VersionCommand)
        services = Services.NETWORK | Services.SSL
        peer.say(Verack(), version(nonce=os.urandom(8), services=services, timestamp=int(time.time())))
        await peer.hear(Verack)
        offers.put_nowait(theirs.services)
        if not theirs.services & Services.SSL:
            await peer.is_closed()
        await peer.close()

    async with home(settings(ALICE)) as alice:
        server = await asyncio.start_server(answer, BOB, 0)
        alice.node.add_peer(PeerTarget(*server.sockets[0].getsockname()))
        try:
            async with asyncio.timeout(TIMEOUT):
                assert Services.SSL in await offers.get()
                assert Services.SSL not in await offers.get()
            await until(lambda: are_connected(alice))
        finally:
            server.close()


async def test_a_peer_that_is_not_there_is_dialled_until_it_is() -> None:
    async with home(settings(BOB)) as bob:
        target = bob.target
    async with home(settings(ALICE)) as alice:
        alice.node.add_peer(target)
        async with home(replace(settings(BOB), listen=(target,))) as bob:
            await until(lambda: are_connected(alice, bob))


@settings_of_hypothesis(max_examples=20)
@given(st.lists(commands(), max_size=30), st.lists(commands(), max_size=30))
async def test_whatever_peers_say_to_a_node_it_goes_on(first: list[Command], second: list[Command]) -> None:
    async with home(settings(ALICE)) as alice, stranger(alice) as peer, stranger(alice, CAROL) as other:
        await peer.shake_hands()
        await other.shake_hands()
        peer.say(*first)
        other.say(*second)
        async with stranger(alice, BOB) as third:
            await third.shake_hands()
            third.say(Ping())
            await third.hear(Pong)


# --- storage in trouble ---


async def test_objects_wait_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bmgate.bm.node.inventory.RETRY_SECONDS", 0.01)
    async with home(settings(ALICE)) as alice, stranger(alice) as peer:
        await peer.shake_hands()
        alice.database.failures += [StorageBusy("busy")] * 3
        encoded = fresh_object()
        peer.say(ObjectCommand(encoded))
        assert await next_object(alice) == encoded


async def test_peers_are_not_read_while_too_many_objects_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bmgate.bm.node.inventory.RETRY_SECONDS", 0.01)
    monkeypatch.setattr("bmgate.bm.node.inventory.QUEUE_OBJECTS", 4)
    async with home(settings(ALICE)) as alice, stranger(alice) as peer:
        await peer.shake_hands()
        alice.database.failures += [StorageBusy("busy")] * 5
        encoded = {fresh_object() for _ in range(30)}
        for each in encoded:
            peer.say(ObjectCommand(each))
        assert {await next_object(alice) for _ in encoded} == encoded
        peer.say(Ping())
        await peer.hear(Pong)
