"""Nodes of one local network find each other by broadcasts; nothing else is believed."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from random import SystemRandom

import pytest
from fakes import FakeClock
from hypothesis import given
from hypothesis import strategies as st
from peers import MemoryDatabase

from bmgate.bm.commands import AddrCommand, PeerAddress, Ping, Services, encode_command
from bmgate.bm.hosts import Reach
from bmgate.bm.network import MAINNET, TESTNET
from bmgate.bm.node.lan import HEARD_A_MINUTE, LanDiscovery
from bmgate.bm.node.node import Node, NodeSettings
from bmgate.bm.node.socks import SocksConnector
from bmgate.bm.node.targets import PeerTarget
from bmgate.bm.packets import Packet, encode_packet
from bmgate.clock import SystemClock

NOW = 1_700_000_000
OURS = PeerTarget("192.168.7.1", 8444)
NEIGHBOUR = "192.168.7.2"
LOOPBACK_BROADCAST = "127.255.255.255"


def told(time: int = NOW, stream: int = 1, host: str = "127.0.0.1", port: int = 8500) -> bytes:
    entry = PeerAddress(time, stream, Services.NETWORK, host, port)
    return encode_command(AddrCommand((entry,)), MAINNET.magic)


def heard(*datagrams: bytes, source: str = NEIGHBOUR) -> list[PeerTarget]:
    found: list[PeerTarget] = []
    near = LanDiscovery(MAINNET, OURS, "255.255.255.255", FakeClock(NOW), found.append)
    for datagram in datagrams:
        near.datagram_received(datagram, (source, 9_999))
    return found


def test_a_neighbour_is_where_its_broadcast_comes_from_on_the_port_it_names() -> None:
    assert heard(told()) == [PeerTarget(NEIGHBOUR, 8500)]
    assert heard(told(time=NOW - 3_600)) == [PeerTarget(NEIGHBOUR, 8500)]


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\0" * 100,
        told()[:-1],
        told()[:-1] + b"?",
        told(time=NOW - 3_601),
        told(time=NOW + 3_601),
        told(stream=2),
        told(host="8.8.8.8"),
        encode_command(Ping(), MAINNET.magic),
        encode_command(AddrCommand(()), MAINNET.magic),
        told() + bytes(2_048),
    ],
)
def test_other_broadcasts_mean_nothing(datagram: bytes) -> None:
    assert heard(datagram) == []


def test_strangers_and_our_own_echo_are_not_believed() -> None:
    assert heard(told(), source="8.8.8.8") == []
    assert heard(told(port=OURS.port), source=OURS.host) == []


def test_a_flood_of_broadcasts_is_not_read_to_its_end() -> None:
    assert len(heard(*[told()] * 1_000)) == HEARD_A_MINUTE


@given(st.binary(max_size=200), st.booleans())
def test_whatever_a_neighbour_broadcasts_nothing_breaks(payload: bytes, framed: bool) -> None:
    heard(encode_packet(Packet(b"addr", payload), MAINNET.magic) if framed else payload)


@asynccontextmanager
async def near_node(host: str, connector: SocksConnector | None = None) -> AsyncIterator[Node]:
    network = replace(TESTNET, port=28_444)
    settings = NodeSettings(
        network, (PeerTarget(host, 0),), lan=True, lan_broadcast=LOOPBACK_BROADCAST, tick_seconds=0.02
    )
    node = Node(
        settings, MemoryDatabase(), SystemClock(), os.urandom, SystemRandom(), lambda objects: None, connector=connector
    )
    async with asyncio.TaskGroup() as tasks:
        try:
            await node.start(tasks)
            yield node
        finally:
            await node.stop()


async def test_nodes_of_one_network_connect_without_knowing_each_other() -> None:
    async with near_node("127.78.0.1") as first, near_node("127.78.0.2") as second, asyncio.timeout(10):
        while not (first.peers() and all(peer.established for peer in (*first.peers(), *second.peers()))):  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert {peer.host for peer in (*first.peers(), *second.peers())} == {"127.78.0.1", "127.78.0.2"}


async def test_where_the_local_network_does_not_let_us_nothing_stays_open(caplog: pytest.LogCaptureFixture) -> None:
    elsewhere = PeerTarget("192.0.2.1", 8444)  # no address of this machine
    await LanDiscovery(TESTNET, elsewhere, LOOPBACK_BROADCAST, SystemClock(), lambda _: None).run()
    (told_once,) = caplog.messages
    assert told_once.startswith("nodes of the local network are not looked for: ")


async def test_behind_a_proxy_nothing_is_broadcast(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: LanDiscovery) -> None:
        raise AssertionError

    monkeypatch.setattr(LanDiscovery, "run", refuse)
    proxy = SocksConnector(PeerTarget("127.78.0.9", 9), frozenset({Reach.CLEARNET}), os.urandom)
    async with near_node("127.78.0.1", proxy) as node:
        assert node.listening
