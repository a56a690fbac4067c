"""A gateway among hundreds of peers that misbehave in all ways at once: the honest ones notice nothing (T1, 4.1)."""

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any

import hostile
import pytest
from hostile import HostilePeer, worked

from bmgate.bm.commands import ObjectCommand, Ping, Pong
from bmgate.localnet import GatewayProcess, free_hosts, prepare_folder

PROGRAM = Path(hostile.__file__)
MIB = 1 << 20
MOST_GROWTH = 64 * MIB
SLOWEST_PING = 2.0
PAUSE_SECONDS = 0.02
SHARE_THERE = 0.75  # of the crowd at once: the rest was closed, and calls again
OBJECTS = 200
OBJECT_BYTES = 10_000  # all of them: 2 MB that can be asked for


@dataclass
class Seen:
    """What was measured during an attack: seconds of each ping, bytes of memory."""

    pings: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)


@asynccontextmanager
async def honest_peer(host: str, port: int, own: str) -> AsyncIterator[HostilePeer]:
    """It shakes hands, and behaves."""
    peer = HostilePeer(*await asyncio.open_connection(host, port, local_addr=(own, 0)), random.Random(own))
    await peer.shake_hands()
    try:
        yield peer
    finally:
        peer.writer.close()


async def ping(peer: HostilePeer) -> float:
    """How long the answer takes, in seconds."""
    begun = time.monotonic()
    await peer.say(Ping())
    while not isinstance(await peer.hear(), Pong):
        pass
    return time.monotonic() - begun


def resident_bytes(pid: int) -> int:
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


async def attack(gateway: GatewayProcess, connections: int, seconds: float, network: str) -> Seen:
    """The crowd is a process of its own, so that its work is not measured here. Some of it is between two calls."""
    seen = Seen()
    host, port = await asyncio.to_thread(gateway.listener, "bitmessage")
    async with honest_peer(host, port, f"{network}.0.1") as peer:
        for _ in range(OBJECTS):
            now = int(time.time())
            await peer.say(ObjectCommand(worked(os.urandom(OBJECT_BYTES), now + hostile.HOUR, now)))
        await ping(peer)
        seen.memory.append(resident_bytes(gateway.pid))
        options = [f"--seconds={seconds}", f"--connections={connections}", f"--network={network}"]
        crowd = await asyncio.create_subprocess_exec(
            sys.executable, PROGRAM, host, str(port), *options, stdout=asyncio.subprocess.PIPE
        )
        output = asyncio.ensure_future(crowd.communicate())
        while not output.done():
            seen.pings.append(await ping(peer))
            seen.memory.append(resident_bytes(gateway.pid))
            await asyncio.sleep(PAUSE_SECONDS)
        seen.report = json.loads((await output)[0])
    async with honest_peer(host, port, f"{network}.0.2") as newcomer:
        assert await ping(newcomer) < SLOWEST_PING
    return seen


@pytest.mark.parametrize(
    ("connections", "seconds"), [(62, 3.0), pytest.param(200, 10.0, marks=pytest.mark.nightly)], ids=["some", "many"]
)
async def test_honest_peers_are_served_among_those_that_misbehave(
    tmp_path: Path, connections: int, seconds: float
) -> None:
    (host,) = free_hosts(1)
    changes = {("node", "inbound"): str(2 * connections), ("node", "tls_inbound"): "on", ("log", "level"): "debug"}
    prepare_folder(tmp_path / "a", host, changes, int(time.time()))
    with GatewayProcess(tmp_path / "a") as gateway:
        await asyncio.to_thread(gateway.start)
        seen = await attack(gateway, connections, seconds, f"127.{random.randrange(100, 250)}")
        assert await asyncio.to_thread(gateway.stop) == 0
        log = gateway.log
    assert "Traceback" not in log
    assert "[error" not in log
    assert seen.report["most_at_once"] >= connections * SHARE_THERE
    assert set(seen.report["connected"]) == {kind.__name__ for kind in hostile.KINDS}
    assert len(seen.pings) >= 10
    assert quantiles(seen.pings, n=100)[98] < SLOWEST_PING
    assert max(seen.memory) - seen.memory[0] < MOST_GROWTH
