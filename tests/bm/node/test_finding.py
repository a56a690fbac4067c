"""Real nodes that find each other: gossip, bootstrap, anchors, feelers, bans across restarts; all on 127.x.y.z."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from random import SystemRandom

import pytest
from live_nodes import SpeakingPeer, running, until
from peers import MemoryDatabase

from bmgate.bm.commands import (
    AddrCommand,
    ObjectCommand,
    PeerAddress,
    Ping,
    Pong,
    Services,
    Verack,
)
from bmgate.bm.network import TESTNET
from bmgate.bm.node.connectors import DirectConnector
from bmgate.bm.node.dialing import Backoff
from bmgate.bm.node.node import Node, NodeSettings
from bmgate.bm.node.peer import PeerProtocol
from bmgate.bm.node.pool import PoolLimits
from bmgate.bm.node.targets import PeerTarget
from bmgate.bm.objects import ObjectType, encode_object, with_nonce
from bmgate.clock import SystemClock
from bmgate.domain.peers import KnownPeer

ALICE, BOB, CAROL, DAVE, STRANGER = (f"127.78.{number}.1" for number in (1, 2, 3, 4, 9))
LIVE = replace(TESTNET, gossips=True, bootstraps=True)


class LoopbackConnector(DirectConnector):
    """Reaches nothing but the loopback; knows the names it is told, and leaves others to a proxy it plays itself."""

    def __init__(self, host: str, names: dict[str, PeerTarget], proxied: dict[str, PeerTarget]) -> None:
        super().__init__(host)
        self._names, self._proxied = names, proxied
        self.asked: list[str] = []

    def reaches(self, host: str) -> bool:
        return host.startswith("127.") or host == "::1" or host in self._proxied

    def is_direct(self, host: str) -> bool:
        return host not in self._proxied

    async def resolve(self, name: str, port: int) -> list[PeerTarget]:
        self.asked.append(name)
        if name in self._proxied:
            return []
        if name not in self._names:
            raise OSError("no such name")
        return [self._names[name]]

    async def connect(self, target: PeerTarget, new_peer: Callable[[], PeerProtocol]) -> PeerProtocol:
        real = self._proxied.get(target.host, target)
        assert real.host.startswith("127.") or real.host == "::1"
        own = (self._own_loopback, 0) if self._own_loopback and real.host != "::1" else None
        _, peer = await asyncio.get_running_loop().create_connection(new_peer, real.host, real.port, local_addr=own)
        return peer


@dataclass
class Home:
    """A node, what it stored, and its way out."""

    node: Node
    database: MemoryDatabase
    connector: LoopbackConnector

    @property
    def target(self) -> PeerTarget:
        return self.node.listening[0]

    def kinds(self) -> dict[str, str]:
        """Established connections: host and kind."""
        return {peer.host: peer.kind for peer in self.node.peers() if peer.established}


def settings(host: str) -> NodeSettings:
    return NodeSettings(LIVE, (PeerTarget(host, 0),), backoff=Backoff(0.02, 0.1), tick_seconds=0.02)


@asynccontextmanager
async def home(
    given: NodeSettings,
    database: MemoryDatabase | None = None,
    names: dict[str, PeerTarget] | None = None,
    proxied: dict[str, PeerTarget] | None = None,
) -> AsyncIterator[Home]:
    database, connector = (
        database or MemoryDatabase(),
        LoopbackConnector(given.listen[0].host, names or {}, proxied or {}),
    )
    node = Node(given, database, SystemClock(), os.urandom, SystemRandom(), lambda _: None, connector=connector)
    async with running(node):
        yield Home(node, database, connector)


def knowing(*peers: KnownPeer) -> MemoryDatabase:
    database = MemoryDatabase()
    database.peers.save_known(peers, [])
    return database


def known(target: PeerTarget, tried: bool = True, anchor: bool = False) -> KnownPeer:
    now = int(time.time())
    seen = now - 100 if tried else 0
    return KnownPeer(target.host, target.port, "1.1.0.0/16", tried, 1, now - 100, seen, 0, 0, anchor)


class Stranger(SpeakingPeer):
    @classmethod
    async def connect(cls, to: Home, host: str = STRANGER, port: int = 8444) -> "Stranger":
        """One that has begun to shake hands."""
        peer = cls(*await asyncio.open_connection(to.target.host, to.target.port, local_addr=(host, 0)))
        peer.introduce_itself(port)
        return peer


# --- gossip ---


async def test_a_node_finds_another_through_a_third() -> None:
    async with (
        home(settings(ALICE)) as alice,
        home(settings(BOB), knowing(known(alice.target))) as bob,
        home(settings(CAROL)) as carol,
    ):
        await until(lambda: bob.kinds() == {ALICE: "outbound"})
        carol.node.add_peer(bob.target)
        await until(lambda: carol.kinds() == {BOB: "explicit", ALICE: "outbound"})
        assert carol.node.state.tried == 1


async def test_what_is_reached_later_is_passed_on() -> None:
    async with home(settings(BOB)) as bob, home(settings(CAROL)) as carol, home(settings(ALICE)) as alice:
        carol.node.add_peer(bob.target)
        await until(lambda: carol.kinds() == {BOB: "explicit"})
        async with home(settings(DAVE), knowing(known(alice.target), known(bob.target))) as dave:
            await until(lambda: len(dave.kinds()) == 2)
            await until(lambda: ALICE in bob.kinds())  # whichever of the two heard first of the other


async def test_whoever_dials_us_is_dialled_once_it_has_gone() -> None:
    async with home(settings(ALICE)) as alice:
        async with home(settings(BOB)) as bob:
            bob.node.add_peer(alice.target)
            await until(lambda: alice.kinds() == {BOB: "inbound"})
            await until(lambda: alice.node.state.known == 1)
            target = bob.target
        async with home(replace(settings(BOB), listen=(target,))):
            await until(lambda: alice.kinds() == {BOB: "outbound"})


async def test_p13_addresses_that_cannot_be_are_not_kept_and_others_are() -> None:
    now = int(time.time())
    good = PeerAddress(now - 60, 1, Services.NETWORK, "127.79.1.1", 8444)
    told = (good, replace(good, host="224.0.0.1"), replace(good, host=ALICE), replace(good, stream=2))
    async with home(replace(settings(ALICE), outbound=0)) as alice:
        peer = await Stranger.connect(alice, port=25)
        peer.say(Verack(), AddrCommand(told), Ping())
        await peer.hear(Pong)
        assert alice.node.state.known == 1
        await peer.close()


async def test_p13_a_flood_of_addr_packets_ends_in_a_ban() -> None:
    async with home(replace(settings(ALICE), outbound=0)) as alice:
        peer = await Stranger.connect(alice)
        address = PeerAddress(int(time.time()) - 60, 1, Services.NETWORK, "127.79.1.1", 8444)
        peer.say(Verack(), *[AddrCommand((address,))] * 200)
        assert await peer.is_closed()
        assert [each.source for each in alice.node.banned()] == [STRANGER]
        await peer.close()


async def test_the_test_network_tells_and_hears_of_nobody() -> None:
    quiet = replace(settings(ALICE), network=TESTNET)
    async with home(quiet, knowing(known(PeerTarget("127.79.1.1", 1)))) as alice:
        peer = await Stranger.connect(alice)
        address = PeerAddress(int(time.time()) - 60, 1, Services.NETWORK, "127.79.1.2", 8444)
        peer.say(Verack(), AddrCommand((address,)), Ping())
        await peer.hear(Pong)
        assert alice.node.state.known == 1
        await peer.close()


# --- whom to dial ---


async def test_only_peers_means_only_peers() -> None:
    async with home(settings(ALICE)) as alice, home(settings(BOB)) as bob:
        alone = replace(settings(CAROL), peers=(bob.target,), only_peers=True, bootstrap=True)
        async with home(alone, knowing(known(alice.target))) as carol:
            await until(lambda: carol.kinds() == {BOB: "explicit"})
            await asyncio.sleep(0.1)  # five ticks
            assert carol.kinds() == {BOB: "explicit"}
            assert carol.connector.asked == []


async def test_t2_anchors_are_kept_and_come_first_after_a_restart() -> None:
    async with home(settings(ALICE)) as alice, home(settings(BOB)) as bob:
        database = knowing(known(alice.target))
        async with home(settings(CAROL), database) as carol:
            await until(lambda: carol.kinds() == {ALICE: "outbound"})
        assert {peer.host: peer.anchor for peer in database.peers.known()} == {ALICE: True}
        database.peers.save_known([known(bob.target)], [])
        async with home(replace(settings(CAROL), outbound=1), database) as carol:
            await until(lambda: carol.kinds() == {ALICE: "outbound"})


async def test_t2_a_feeler_finds_out_and_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bmgate.bm.node.outbound.FEELER_SECONDS", 0.05)
    async with home(settings(ALICE)) as alice, home(settings(BOB)) as bob:
        database = knowing(known(alice.target))
        async with home(replace(settings(CAROL), outbound=1), database) as carol:
            await until(lambda: carol.kinds() == {ALICE: "outbound"})
            carol.node._finding.known.hear(bob.target, "1.1.0.0/16", int(time.time()), int(time.time()))
            await until(lambda: carol.node.state.tried == 2)
            await until(lambda: carol.kinds() == {ALICE: "outbound"} and not bob.kinds())
        assert {peer.host: peer.tried for peer in database.peers.known()} == {ALICE: True, BOB: True}


async def test_p14_a_node_that_hears_of_itself_calls_once_and_remembers() -> None:
    async with home(replace(settings(ALICE), listen=(PeerTarget("0.0.0.0", 0),))) as alice:
        alice.connector._own_loopback = None
        us = PeerTarget("127.78.1.1", alice.target.port)
        alice.node._finding.known.hear(us, "1.1.0.0/16", int(time.time()), int(time.time()))
        await until(lambda: alice.node.state.known == 0)
        assert alice.node._finding._outbound.is_own(us)


def has_ipv6() -> bool:
    with suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine")
async def test_nodes_find_each_other_by_ipv6() -> None:
    async with (
        home(replace(settings("::1"), outbound=0)) as alice,
        home(settings(BOB), knowing(known(alice.target))) as bob,
    ):
        await until(lambda: bob.kinds() == {"::1": "outbound"} and alice.kinds() == {"::1": "inbound"})


# --- bootstrap ---


async def test_a_node_that_knows_nobody_asks_the_well_known_names() -> None:
    async with home(settings(ALICE)) as alice:
        names = {"bootstrap8444.bitmessage.org": alice.target}
        async with home(replace(settings(BOB), bootstrap=True), names=names) as bob:
            await until(lambda: bob.kinds() == {ALICE: "outbound"})
            assert len(bob.connector.asked) == 2


async def test_behind_a_proxy_a_well_known_name_is_called_for_addresses() -> None:
    async with home(settings(ALICE)) as alice, home(settings(CAROL), knowing(known(alice.target))) as carol:
        await until(lambda: carol.kinds() == {ALICE: "outbound"})
        proxied = {"bootstrap8444.bitmessage.org": carol.target}
        async with home(replace(settings(BOB), bootstrap=True), proxied=proxied) as bob:
            await until(lambda: bob.kinds().get(ALICE) == "outbound")


async def test_bootstrap_off_means_nobody_is_asked() -> None:
    async with home(settings(BOB)) as bob:
        await asyncio.sleep(0.1)  # five ticks
        assert bob.connector.asked == []


# --- bans and room ---


def bad_objects(number: int) -> list[bytes]:
    encoded = encode_object(int(time.time()) + 3_600, ObjectType.MSG, 1, 1, os.urandom(500))
    return [with_nonce(encoded, nonce) for nonce in range(number)]


async def test_p16_a_day_of_refusal_outlives_a_restart() -> None:
    database = MemoryDatabase()
    async with home(settings(ALICE), database) as alice:
        peer = await Stranger.connect(alice)
        peer.say(Verack(), *[ObjectCommand(each) for each in bad_objects(10)])
        assert await peer.is_closed()
        await peer.close()
    async with home(settings(ALICE), database) as alice:
        peer = await Stranger.connect(alice)
        assert await peer.is_closed()
        await peer.close()


async def test_p1_whoever_breaks_the_protocol_again_and_again_is_refused() -> None:
    async with home(settings(ALICE)) as alice:
        for _ in range(5):
            peer = await Stranger.connect(alice)
            peer.writer.write(b"GET / HTTP/1.1\r\nHost: alice.example.org\r\n\r\n")
            assert await peer.is_closed()
            await peer.close()
        await until(lambda: [each.source for each in alice.node.banned()] == [STRANGER])


async def test_the_operator_bans_a_peer_and_lets_it_in_again() -> None:
    database = MemoryDatabase()
    async with home(settings(ALICE), database) as alice, home(settings(BOB)) as bob:
        news = alice.node.news()
        bob.node.add_peer(alice.target)
        assert (await anext(news)).event == "established"
        await alice.node.ban(BOB)
        assert database.peers.by_source[BOB].by_operator
        told = await anext(news)
        assert (told.event, told.host, told.kind) == ("closed", BOB, "inbound")
        await until(lambda: not alice.node.peers())
        assert await alice.node.unban(BOB)
        assert (await anext(news)).event == "established"
        await news.aclose()


async def test_an_explicit_peer_that_is_banned_is_not_dialled() -> None:
    async with home(settings(ALICE)) as alice, home(settings(BOB)) as bob:
        await alice.node.ban(BOB, 3_600)
        alice.node.add_peer(bob.target)
        await asyncio.sleep(0.1)  # some attempts
        assert not bob.node.peers()
        await alice.node.unban(BOB)
        await until(lambda: alice.kinds() == {BOB: "explicit"})


async def test_p4_a_newcomer_gets_a_place_in_a_full_house() -> None:
    async with home(replace(settings(ALICE), pool=PoolLimits(inbound=30))) as alice:
        crowd = [await Stranger.connect(alice, f"127.79.{number}.1") for number in range(30)]
        for peer in crowd:
            peer.say(Verack(), Ping())
            await peer.hear(Pong)
        newcomer = await Stranger.connect(alice, "127.80.1.1")
        newcomer.say(Verack(), Ping())
        await newcomer.hear(Pong)
        await until(lambda: len(alice.kinds()) == 30)
        for peer in (*crowd, newcomer):
            await peer.close()
