"""The door in front of the real services over a real database; and how long the loop was held up."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fakes import FakeClock, WatchedThreads
from smtp.dialogue import Dialogue, plain
from smtp.fake_services import DOMAIN
from stations import Settings, Station, User
from storage_fixtures import NOW

from bmgate.domain.account import AccountId
from bmgate.errors import LoginFailed, NotOwner
from bmgate.smtp.limits import SmtpLimits
from bmgate.smtp.ports import SmtpServices
from bmgate.smtp.server import SmtpServer
from bmgate.smtp.settings import Plaintext

STEP_SECONDS = 0.002


@dataclass
class Names:
    """Logs users of a station in by their names, whatever their password."""

    users: dict[str, User] = field(default_factory=dict)

    async def login(self, name: str, password: str, source: str) -> AccountId:
        if name not in self.users:
            raise LoginFailed("wrong user name or password")
        return self.users[name].id

    async def of_sender(self, addr_spec: str) -> AccountId:
        for user in self.users.values():
            if user.mail_address == addr_spec:
                return user.id
        raise NotOwner(f"<{addr_spec}> is no address of this gateway")


@dataclass
class RealHouse:
    """A server, and the station behind it."""

    station: Station
    server: SmtpServer
    names: Names
    port: int

    async def user(self, name: str, quota_bytes: int | None = None) -> User:
        self.names.users[name] = await self.station.add_user(name, quota_bytes)
        return self.names.users[name]

    async def log_in(self, name: str) -> Dialogue:
        """A connection of a user."""
        client = await Dialogue.open(self.port)
        await client.reply()
        await client.say("EHLO client")
        assert (await client.say(f"AUTH PLAIN {plain(name)}")).startswith("235")
        return client


@asynccontextmanager
async def real_house(station: Station, limits: SmtpLimits | None = None) -> AsyncIterator[RealHouse]:
    """Open while the context lasts."""
    names = Names()
    services = SmtpServices(names, station.services.submissions, station.services.mailboxes)
    server = SmtpServer(services, limits or SmtpLimits(close_seconds=0.1), DOMAIN, "mail.bm.internal", None)
    port = await server.start("127.0.0.1", 0, implicit_tls=False, plaintext=Plaintext.LOOPBACK)
    try:
        yield RealHouse(station, server, names, port)
    finally:
        await server.close()


@asynccontextmanager
async def idle_house(
    folder: Path, patch: pytest.MonkeyPatch, settings: Settings | None = None
) -> AsyncIterator[RealHouse]:
    """One whose station does no work, so that what is queued waits, and whose threads are waited for."""
    threads = WatchedThreads()
    patch.setattr("asyncio.to_thread", threads.to_thread)
    station = Station(folder, FakeClock(NOW), threads, settings)
    station.solver.held = True
    await station.start()
    async with real_house(station) as made:
        yield made
    await station.close()


async def send(client: Dialogue, sender: str, recipients: list[str], raw: bytes) -> str:
    """The reply to a mail; those to MAIL, RCPT and DATA must be good."""
    for line in (f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{recipient}>" for recipient in recipients)):
        assert (await client.say(line)).startswith("250"), line
    assert (await client.say("DATA")).startswith("354")
    stuffed = raw.replace(b"\r\n.", b"\r\n..")
    return await client.say(stuffed + (b"" if raw.endswith(b"\r\n") else b"\r\n") + b".\r\n")


@dataclass
class Stalls:
    """The longest time for which the loop came to nothing else, in seconds.

    What other programs take from us does not count: it is no longer than the processor time that was spent meanwhile.
    """

    worst: float = 0.0


@asynccontextmanager
async def watched_loop() -> AsyncIterator[Stalls]:
    """Measures while the context lasts."""
    stalls, loop = Stalls(), asyncio.get_running_loop()

    async def watch() -> None:
        while True:
            due, spent = loop.time() + STEP_SECONDS, time.process_time()
            await asyncio.sleep(STEP_SECONDS)
            stalls.worst = max(stalls.worst, min(loop.time() - due, time.process_time() - spent))

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    try:
        yield stalls
        await asyncio.sleep(2 * STEP_SECONDS)  # what held it up to the end is counted
    finally:
        watching.cancel()
