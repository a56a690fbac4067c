"""I2P through the SAM bridge: a name that stays, streams both ways, and a bridge that fails or lies."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
from fake_sam import BRIDGE, FakeSam, fake_sam
from fakes import FakeClock
from hypothesis import given, settings
from hypothesis import strategies as st
from proxies import socket_guard

from bmgate.bm.node.i2p import SamBridge
from bmgate.bm.node.peer import PeerProtocol
from bmgate.bm.node.targets import PeerTarget

TIMEOUT = 10.0


class Talker(asyncio.Protocol):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()
        self.closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.heard.put_nowait(data)

    def connection_lost(self, error: Exception | None) -> None:
        self.closed.set()


class House:
    """A node's place in I2P, and who called it there."""

    def __init__(self, bridge: FakeSam, key: Path) -> None:
        self.clock = FakeClock(0)
        self.sam = SamBridge(PeerTarget(BRIDGE, bridge.port), key, self.clock, os.urandom)
        self.named: asyncio.Queue[str] = asyncio.Queue()
        self.callers: asyncio.Queue[tuple[PeerTarget, Talker]] = asyncio.Queue()
        self.talkers: list[Talker] = []

    def talker(self) -> Talker:
        self.talkers.append(Talker())
        return self.talkers[-1]

    def accepted(self, source: PeerTarget) -> PeerProtocol:
        talker = self.talker()
        self.callers.put_nowait((source, talker))
        return cast(PeerProtocol, talker)

    async def call(self, name: str) -> Talker:
        peer = await self.sam.connect(PeerTarget(name, 0), lambda: cast(PeerProtocol, self.talker()))
        return cast(Talker, peer)


@asynccontextmanager
async def house(bridge: FakeSam, key: Path) -> AsyncIterator[House]:
    made = House(bridge, key)
    running = asyncio.ensure_future(made.sam.run(made.accepted, made.named.put_nowait))
    try:
        async with asyncio.timeout(TIMEOUT):
            yield made
    finally:
        running.cancel()
        await asyncio.wait([running])
        for talker in made.talkers:
            talker.transport.abort()
            await talker.closed.wait()


async def test_two_nodes_call_each_other(tmp_path: Path) -> None:
    async with fake_sam() as bridge, house(bridge, tmp_path / "a") as alice, house(bridge, tmp_path / "b") as bob:
        name_of_alice, name_of_bob = await alice.named.get(), await bob.named.get()
        for _ in range(3):
            calling = await alice.call(name_of_bob)
            source, called = await bob.callers.get()
            assert source == PeerTarget(name_of_alice, 0)
            calling.transport.write(b"to Bob")
            called.transport.write(b"to Alice")
            assert (await called.heard.get(), await calling.heard.get()) == (b"to Bob", b"to Alice")
            calling.transport.close()
            await called.closed.wait()
        await bob.call(name_of_alice)
        assert (await alice.callers.get())[0].host == name_of_bob


async def test_the_name_stays_and_its_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    key = tmp_path / "i2p" / "node.key"
    names = []
    for _ in range(2):
        async with fake_sam() as bridge, house(bridge, key) as alice:
            names.append(await alice.named.get())
    assert names[0] == names[1] == alice.sam.name
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700


async def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("A" * 900)
    key.chmod(0o640)
    async with fake_sam() as bridge, house(bridge, key) as alice:
        for _ in range(3):
            alice.clock.advance(400)
            await asyncio.sleep(0.01)
        assert alice.named.empty()
        key.chmod(0o600)
    assert bridge.commands
    assert not [command for command in bridge.commands if "SESSION" in command]


async def test_a_lost_session_is_made_again_under_the_same_name(tmp_path: Path) -> None:
    async with fake_sam() as bridge, house(bridge, tmp_path / "key") as alice:
        name = await alice.named.get()
        (session,) = bridge.sessions.values()
        session.held_by.close()
        while alice.named.empty():
            alice.clock.advance(400)
            await asyncio.sleep(0)
        assert await alice.named.get() == name


async def test_peers_that_are_not_there_are_errors_of_the_system(tmp_path: Path) -> None:
    async with fake_sam() as bridge, house(bridge, tmp_path / "key") as alice:
        await alice.named.get()
        with pytest.raises(OSError, match="KEY_NOT_FOUND"):
            await alice.call("stats.i2p")
        with pytest.raises(OSError, match="not in I2P"):
            await alice.call("example.org")


async def test_v18_nothing_but_the_bridge_is_contacted(tmp_path: Path) -> None:
    with socket_guard() as guard:
        async with fake_sam() as bridge, house(bridge, tmp_path / "key") as alice:
            await alice.named.get()
            assert await alice.sam.resolve("stats.i2p", 0) == []
            with pytest.raises(OSError, match="KEY_NOT_FOUND"):
                await alice.call("stats.i2p")
            allowed = (BRIDGE, bridge.port)
    assert guard.contacted
    assert not guard.outside(allowed, (BRIDGE, 0))


async def test_without_a_session_there_are_no_calls(tmp_path: Path) -> None:
    async with fake_sam() as bridge:
        made = House(bridge, tmp_path / "key")
        made.sam = SamBridge(
            PeerTarget(BRIDGE, bridge.port), tmp_path / "key", made.clock, os.urandom, dial_seconds=0.05
        )
        with pytest.raises(TimeoutError):
            await made.call("stats.i2p")
    assert not bridge.commands


@settings(max_examples=60)
@given(
    command=st.sampled_from(["HELLO", "DEST", "SESSION", "NAMING", "STREAM ACCEPT"]),
    answer=st.binary(max_size=40) | st.sampled_from([b"\n", b"X RESULT=I2P_ERROR\n", b"x" * 9000, b"X VALUE=AAAA\n"]),
)
async def test_whatever_the_bridge_says_it_is_tried_again_later(
    tmp_path_factory: pytest.TempPathFactory, command: str, answer: bytes
) -> None:
    async with fake_sam() as bridge, house(bridge, tmp_path_factory.mktemp("i2p") / "key") as alice:
        bridge.answers[command] = answer + b"\n"
        for _ in range(5):
            alice.clock.advance(400)
            await asyncio.sleep(0.001)
        bridge.answers.clear()
        if command != "STREAM ACCEPT":  # which has its session already
            while alice.named.empty():
                alice.clock.advance(400)
                await asyncio.sleep(0)
            assert await alice.named.get() == alice.sam.name
