"""Onion services through Tor's control port: made, kept under their name, made again, and never at any price."""

import asyncio
import shutil
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fake_tor import CONTROL, fake_tor, real_tor
from fakes import FakeClock
from live_nodes import TIMEOUT, until

from bmgate.bm.hosts import is_onion
from bmgate.bm.node.targets import PeerTarget
from bmgate.reactor import guest_reactor

pytestmark = [  # txtorcon's own: it forgets to close the cookie file, and asks Twisted in a way of old
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:.*Deferred.callbacks was deprecated:DeprecationWarning"),
]
PORTS = {8444: PeerTarget("127.0.0.1", 28_444)}


class Service:
    """One that runs, and the names it was given."""

    def __init__(self, port: int, key: Path, password: str = "") -> None:
        reactor = guest_reactor()  # before the import, which asks Twisted for the global one
        from bmgate.onion import OnionPlan, OnionService, TorControl

        self.clock = FakeClock(0)
        self.named: asyncio.Queue[str] = asyncio.Queue()
        self.key = key
        plan = OnionPlan("the service", key, PORTS, 2)
        control = TorControl(PeerTarget(CONTROL, port), password)
        self.onion = OnionService(reactor, control, plan, self.clock)

    async def named_after_a_while(self) -> str:
        while self.named.empty():
            self.clock.advance(400)
            await asyncio.sleep(0.001)
        return self.named.get_nowait()


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[Service]:
    task = asyncio.ensure_future(service.onion.run(service.named.put_nowait))
    try:
        async with asyncio.timeout(TIMEOUT):
            yield service
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_service_has_a_name_that_stays_and_a_key_for_its_owner_alone(tmp_path: Path) -> None:
    key, names = tmp_path / "tor" / "node.key", []
    async with fake_tor(tmp_path) as tor:
        for _ in range(2):
            async with running(Service(tor.port, key)) as service:
                names.append(await service.named.get())
                assert tor.services[names[-1]].endswith("MaxStreams=2 Port=8444,127.0.0.1:28444")
            await until(lambda: not tor.services)
    assert names[0] == names[1]
    assert is_onion(names[0])
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "DiscardPK" in tor.commands[-1]


async def test_when_tor_comes_back_the_service_does_too(tmp_path: Path) -> None:
    async with fake_tor(tmp_path) as tor, running(Service(tor.port, tmp_path / "key")) as service:
        name = await service.named.get()
        await tor.hang_up()
        assert await service.named_after_a_while() == name


@pytest.mark.parametrize(("methods", "password"), [("NULL", ""), ("HASHEDPASSWORD", "open sesame")])
async def test_other_ways_to_authenticate(tmp_path: Path, methods: str, password: str) -> None:
    async with fake_tor(tmp_path) as tor:
        tor.methods, tor.password = methods, password
        async with running(Service(tor.port, tmp_path / "key", password)) as service:
            assert is_onion(await service.named.get())


async def test_a_file_that_is_named_as_the_cookie_is_never_sent(tmp_path: Path) -> None:
    """Whoever listens where Tor should could ask for any 32 bytes that we can read, such as a master key."""
    async with fake_tor(tmp_path) as tor:
        secret = tor.cookie.read_bytes()
        tor.methods = "COOKIE"
        async with running(Service(tor.port, tmp_path / "key")) as service:
            for _ in range(3):
                service.clock.advance(400)
                await asyncio.sleep(0.02)
            assert service.named.empty()
        assert tor.commands
        assert not [command for command in tor.commands if secret.hex() in command.lower()]


@pytest.mark.parametrize(
    "answer",
    [
        b"551 Failed to generate\r\n",
        b"250 OK\r\n",
        b"250-ServiceID=misspelt\r\n250-PrivateKey=ED25519-V3:x\r\n250 OK\r\n",
        b"250-ServiceID=2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid\r\n250 OK\r\n",
    ],
)
async def test_an_answer_without_a_service_is_tried_again_later(tmp_path: Path, answer: bytes) -> None:
    async with fake_tor(tmp_path) as tor:
        tor.answer = answer
        async with running(Service(tor.port, tmp_path / "key")) as service:
            await until(lambda: any("ADD_ONION" in command for command in tor.commands))
            tor.answer = None
            assert is_onion(await service.named_after_a_while())


async def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("ED25519-V3:x")
    key.chmod(0o644)
    async with fake_tor(tmp_path) as tor, running(Service(tor.port, key)) as service:
        await until(lambda: any("USEFEATURE" in command for command in tor.commands))
        for _ in range(3):
            service.clock.advance(400)
            await asyncio.sleep(0.01)
    assert not any("ADD_ONION" in command for command in tor.commands)


@pytest.mark.interop
@pytest.mark.skipif(not shutil.which("tor"), reason="tor is not installed")
async def test_tor_itself_makes_the_service_and_keeps_its_name(tmp_path: Path) -> None:
    names = []
    async with real_tor(tmp_path) as port:
        for _ in range(2):
            async with running(Service(port, tmp_path / "key")) as service:
                names.append(await service.named.get())
    assert names[0] == names[1]
    assert is_onion(names[0])
