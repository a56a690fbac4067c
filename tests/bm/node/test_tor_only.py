"""A whole node behind a SOCKS5 proxy: with seeds, gossip, onion peers and names it contacts nothing but the proxy.

By a guard that sees every socket of this process, and by a network namespace in which there is nothing but loopback.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import SystemRandom

import pytest
from fakes import SPINS, FakeClock
from live_nodes import running, until
from peers import MemoryDatabase, packed, version
from proxies import PROXY, Asked, FakeSocks, Serve, fake_socks, socket_guard

from bmgate.bm.commands import AddrCommand, Command, PeerAddress, Services, Verack, VersionCommand, read_command
from bmgate.bm.hosts import Reach
from bmgate.bm.network import TESTNET
from bmgate.bm.node.bootstrap import NAMES, NODES
from bmgate.bm.node.dialing import Backoff
from bmgate.bm.node.node import Node
from bmgate.bm.node.settings import NodeSettings
from bmgate.bm.node.socks import SocksConnector
from bmgate.bm.node.targets import PeerTarget
from bmgate.bm.packets import PacketReader
from bmgate.clock import SystemClock
from bmgate.domain.ports.world import Clock

ONION = PeerTarget("2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion", 8444)
NAME = PeerTarget("node.example.org", 8444)
TOLD = ("8.8.4.4", "9.9.9.9", "2606:4700:4700::1111")  # by gossip
PUBLIC = replace(TESTNET, bootstraps=True, gossips=True, accepts_private_peers=False, limits_groups=True)
PROXY_SIDE = "127.79.4.1"


class Village:
    """The peers behind the proxy: each shakes hands and tells of others."""

    def __init__(self) -> None:
        self.versions: list[VersionCommand] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        packets = PacketReader(TESTNET.magic)
        now = int(time.time())
        while data := await reader.read(65_536):
            packets.feed(data)
            while (packet := packets.next_packet()) is not None:
                command = read_command(packet)
                if isinstance(command, VersionCommand):
                    self.versions.append(command)
                    writer.write(packed(Verack(), version(nonce=os.urandom(8), timestamp=now)))
                elif isinstance(command, Verack):
                    writer.write(packed(self._addresses(now)))

    def _addresses(self, now: int) -> Command:
        return AddrCommand(tuple(PeerAddress(now, 1, Services.NETWORK, host, 8444) for host in TOLD))


@asynccontextmanager
async def tor_only_node(
    proxy: FakeSocks, *peers: PeerTarget, clock: Clock | None = None, listen: tuple[PeerTarget, ...] = ()
) -> AsyncIterator[Node]:
    settings = NodeSettings(
        PUBLIC,
        listen=listen,
        peers=peers,
        proxies=(PROXY_SIDE,),
        bootstrap=True,
        backoff=Backoff(first=0.02, longest=0.1),
        tick_seconds=0.02,
    )
    connector = SocksConnector(PeerTarget(PROXY, proxy.port), [Reach.CLEARNET, Reach.ONION], os.urandom, 5.0)
    random = SystemRandom()
    node = Node(
        settings, MemoryDatabase(), clock or SystemClock(), os.urandom, random, lambda _: None, connector=connector
    )
    async with running(node):
        yield node


def villagers(village: Village, *hosts: str) -> dict[str, Serve]:
    return dict.fromkeys(hosts, village.serve)


def calls_to(proxy: FakeSocks, host: str) -> int:
    return sum(each.host == host for each in proxy.asked)


def asked_for(proxy: FakeSocks, host: str) -> bool:
    return calls_to(proxy, host) > 0


async def test_v18_a_node_with_gossip_onion_peers_and_names_contacts_nothing_but_the_proxy() -> None:
    village = Village()
    async with fake_socks(**villagers(village, ONION.host, NAME.host)) as proxy:
        with socket_guard() as guard:
            async with tor_only_node(proxy, ONION, NAME) as node:
                await until(lambda: sum(peer.established for peer in node.peers()) >= 2)
                await until(lambda: any(asked_for(proxy, host) for host in TOLD))
                assert {peer.host for peer in node.peers()} >= {ONION.host, NAME.host}
                assert not node.listening
    assert guard.contacted
    assert not guard.outside((PROXY, proxy.port))


async def test_v18_a_node_that_bootstraps_contacts_nothing_but_the_proxy() -> None:
    village = Village()
    async with fake_socks(**villagers(village, *(seed.host for seed in NAMES))) as proxy:
        with socket_guard() as guard:
            async with tor_only_node(proxy):
                await until(lambda: all(asked_for(proxy, seed.host) for seed in NAMES))
                await until(lambda: any(asked_for(proxy, seed.host) for seed in NODES))
                await until(lambda: any(asked_for(proxy, host) for host in TOLD))
    assert {each.kind for each in proxy.asked if each.host in {seed.host for seed in NAMES}} == {3}, "as names"
    assert not guard.outside((PROXY, proxy.port))


async def test_v18_what_is_said_of_ourselves_names_no_address_and_links_no_connections() -> None:
    village = Village()
    async with (
        fake_socks(**villagers(village, ONION.host, NAME.host)) as proxy,
        tor_only_node(proxy, ONION, NAME, listen=(PeerTarget(PROXY_SIDE, 0),)) as node,
    ):
        await until(lambda: sum(peer.established for peer in node.peers()) >= 2)
        assert len(node.listening) == 1
    assert {said.sender.port for said in village.versions} == {TESTNET.port}, "not the one that Tor alone knows"
    assert {said.sender.host for said in village.versions} == {"127.0.0.1"}
    assert {said.receiver.host for said in village.versions} <= {"127.0.0.1"}
    assert len({said.nonce for said in village.versions}) == len(village.versions)


async def test_p3_over_tor_a_handshake_may_take_sixty_seconds() -> None:
    clock = FakeClock(int(time.time()))

    async def say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        while await reader.read(65_536):
            pass

    async with fake_socks(**{ONION.host: say_nothing}) as proxy, tor_only_node(proxy, ONION, clock=clock) as node:
        await until(lambda: len(node.peers()) == 1)
        await pass_seconds(clock, 58)
        assert calls_to(proxy, ONION.host) == 1
        await pass_seconds(clock, 10)
        await until(lambda: calls_to(proxy, ONION.host) > 1)


async def pass_seconds(clock: FakeClock, seconds: int) -> None:
    for _ in range(seconds):
        clock.advance(1.0)
        for _ in range(SPINS):
            await asyncio.sleep(0)


async def test_v14_every_peer_is_asked_for_with_credentials_of_its_own() -> None:
    village = Village()
    async with (
        fake_socks(**villagers(village, ONION.host, NAME.host)) as proxy,
        tor_only_node(proxy, ONION, NAME) as node,
    ):
        await until(lambda: sum(peer.established for peer in node.peers()) >= 2)
        asked: list[Asked] = list(proxy.asked)
    assert len({(each.user, each.password) for each in asked}) == len(asked)


async def test_v18_a_node_whose_proxy_is_gone_contacts_nobody() -> None:
    async with fake_socks() as proxy:
        pass
    with socket_guard() as guard:
        async with tor_only_node(proxy, ONION, NAME):
            await until(lambda: len(guard.contacted) > 20)
    assert not guard.outside((PROXY, proxy.port))


def can_make_namespaces() -> bool:
    tools = shutil.which("unshare") and shutil.which("ip")
    return bool(tools) and not subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode


@pytest.mark.skipif(not can_make_namespaces(), reason="no network namespace can be made here (root, unshare, ip)")
def test_v18_a_node_works_in_a_network_namespace_with_the_proxy_alone() -> None:
    """No route, no DNS: whatever is not said to the proxy fails, and the tests above still pass."""
    here = Path(__file__)
    inner = "nothing_but_the_proxy or what_is_said"
    command = f"ip link set lo up && {sys.executable} -m pytest -q -p no:cacheprovider {here} -k '{inner}'"
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run(
        ["unshare", "-n", "sh", "-c", command],
        cwd=here.parents[3],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "3 passed" in run.stdout
