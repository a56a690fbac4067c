"""Straight connections: made from one's own loopback address, never to names that only a proxy could reach."""

import asyncio
from typing import cast

import pytest
from proxies import socket_guard

from bmgate.bm.node.connectors import DirectConnector, loopback_of
from bmgate.bm.node.peer import PeerProtocol
from bmgate.bm.node.targets import PeerTarget

HERE, THERE = "127.79.1.1", "127.79.1.2"
ONION = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"


class Caller(asyncio.Protocol):
    """Closes once it is connected."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def new_caller() -> PeerProtocol:
    return cast(PeerProtocol, Caller())


async def test_loopback_peers_are_dialled_from_ones_own_loopback_address() -> None:
    seen: asyncio.Queue[str] = asyncio.Queue()

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.put_nowait(writer.get_extra_info("peername")[0])
        writer.close()

    server = await asyncio.start_server(answer, THERE, 0)
    connector = DirectConnector(loopback_of([PeerTarget("192.0.2.1", 8444), PeerTarget(HERE, 8444)]))
    try:
        await connector.connect(PeerTarget(THERE, server.sockets[0].getsockname()[1]), new_caller)
        assert await seen.get() == HERE
    finally:
        server.close()


@pytest.mark.parametrize("host", [ONION, "misspelt.onion", "stats.i2p", "Stats.I2P."])
async def test_v18_hidden_names_never_reach_dns(host: str) -> None:
    connector = DirectConnector()
    assert not connector.reaches(host)
    with socket_guard() as guard, pytest.raises(OSError, match="not on the Internet"):
        await connector.connect(PeerTarget(host, 8444), new_caller)
    assert not guard.contacted


async def test_names_are_resolved_to_addresses() -> None:
    assert PeerTarget("127.0.0.1", 8444) in await DirectConnector().resolve("localhost", 8444)


async def test_a_place_where_nobody_listens_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        await DirectConnector().connect(PeerTarget("127.79.1.3", 1), new_caller)
