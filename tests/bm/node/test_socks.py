"""Behind a SOCKS5 proxy: what it is asked, with whose credentials, and that nothing else is contacted."""

import asyncio
import os
from contextlib import suppress
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from proxies import PROXY, FakeSocks, fake_socks, socket_guard

from bmgate.bm.hosts import Reach
from bmgate.bm.node.peer import PeerProtocol
from bmgate.bm.node.socks import SocksConnector
from bmgate.bm.node.targets import PeerTarget

ONION = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"
TIMEOUT = 10.0


class Hearer(asyncio.Protocol):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.heard.put_nowait(data)


def through(proxy: FakeSocks, *reach: Reach, seconds: float = TIMEOUT) -> SocksConnector:
    return SocksConnector(PeerTarget(PROXY, proxy.port), reach or Reach, os.urandom, seconds)


async def dial(connector: SocksConnector, host: str, port: int = 8444) -> Hearer:
    hearer = Hearer()
    peer = await connector.connect(PeerTarget(host, port), lambda: cast(PeerProtocol, hearer))
    assert peer is cast(PeerProtocol, hearer)
    return hearer


async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"hello")


async def test_names_and_addresses_travel_to_the_proxy_as_they_are() -> None:
    hosts = {"seed.example.org": 3, ONION: 3, "192.0.2.7": 1, "2001:db8::7": 4}
    async with fake_socks(**dict.fromkeys(hosts, greet)) as proxy:
        for host in hosts:
            hearer = await dial(through(proxy), host)
            assert await hearer.heard.get() == b"hello"
            hearer.transport.close()
    assert [(each.host, each.kind, each.port) for each in proxy.asked] == [(*each, 8444) for each in hosts.items()]


async def test_v14_every_connection_has_credentials_of_its_own() -> None:
    async with fake_socks(**{ONION: greet}) as proxy:
        connector = through(proxy)
        for _ in range(3):
            (await dial(connector, ONION)).transport.close()
    assert len({each.user for each in proxy.asked}) == len({each.password for each in proxy.asked}) == 3
    assert all(len(each.user) == 32 for each in proxy.asked)


async def test_v18_nothing_but_the_proxy_is_contacted() -> None:
    async with fake_socks(**{"seed.example.org": greet}) as proxy:
        connector = through(proxy)
        with socket_guard() as guard:
            assert await connector.resolve("seed.example.org", 8444) == []
            (await dial(connector, "seed.example.org")).transport.close()
            for host in ("bmgate.example", "192.0.2.1", ONION):
                with pytest.raises(OSError, match="Host unreachable"):
                    await dial(connector, host)
    assert len(guard.contacted) == 4
    assert not guard.outside((PROXY, proxy.port))


async def test_v18_with_the_proxy_gone_nothing_is_contacted_in_its_place() -> None:
    async with fake_socks() as proxy:
        pass
    with socket_guard() as guard, pytest.raises(OSError, match="connect to proxy"):
        await dial(through(proxy), "seed.example.org")
    assert not guard.outside((PROXY, proxy.port))


@pytest.mark.parametrize("host", ["misspelt.onion", "stats.i2p", "", "a." * 200])
async def test_hosts_that_no_proxy_can_reach_are_not_asked_for(host: str) -> None:
    async with fake_socks() as proxy:
        assert not through(proxy).reaches(host)
        with pytest.raises(OSError, match="not reached through the proxy"):
            await dial(through(proxy), host)
    assert not proxy.asked


async def test_only_the_networks_that_are_wanted_are_reached() -> None:
    async with fake_socks() as proxy:
        assert through(proxy, Reach.ONION).reaches(ONION)
        assert not through(proxy, Reach.ONION).reaches("192.0.2.1")
        assert not through(proxy, Reach.CLEARNET).reaches(ONION)


async def test_a_silent_proxy_is_given_up_in_time() -> None:
    async with fake_socks() as proxy:
        proxy.silent = True
        with pytest.raises(TimeoutError):
            await dial(through(proxy, seconds=0.05), ONION)


@settings(max_examples=60)
@given(st.binary(max_size=30))
async def test_whatever_the_proxy_replies_it_is_a_connection_or_an_error_of_the_system(reply: bytes) -> None:
    async with fake_socks() as proxy:
        proxy.reply = reply
        with suppress(OSError):
            (await dial(through(proxy), ONION)).transport.close()


def test_a_proxy_is_given_by_its_address() -> None:
    with pytest.raises(ValueError, match="no IP address"):
        SocksConnector(PeerTarget("tor.example", 9050), Reach, os.urandom)
