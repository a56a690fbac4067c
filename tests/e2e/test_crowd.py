"""Five hundred IMAP connections that idle, trickle or do not read, and one program that works among them (I7, I8)."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import quantiles

import pytest
from gateways import CHANGES, PASSWORD, wait_for
from stopwatch import Stopwatch

from bmgate.localnet import GatewayProcess, Login, free_hosts, prepare_folder

IDLE, TRICKLING, SILENT, DEAF = 200, 150, 130, 20
MANY = str(2 * (IDLE + TRICKLING + SILENT + DEAF))
LIMITS = {("imap", key): MANY for key in ("connections", "connections_per_source", "connections_per_user")}
NOOPS = 200
SLOWEST = 0.25  # seconds, p99; below 0.05 is usual
MAILS, MAIL = 100, b"Subject: x\r\n\r\n" + b"x" * 50_000 + b"\r\n"  # asked for and not read
PER_DEAF = 2_500_000  # octets of memory each of those may take: 1 MiB of mail, what it was read from, and air
LEFT_OPEN = 10  # descriptors

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def resident_bytes(pid: int) -> int:
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@asynccontextmanager
async def connection(place: tuple[str, int]) -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_connection(*place)
    await reader.readline()
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def ask(streams: Streams, command: str, ends: bytes = b"a ") -> bytes:
    """The line that answers a command."""
    reader, writer = streams
    writer.write(b"a " + command.encode() + b"\r\n")
    async with asyncio.timeout(30):
        while not (line := await reader.readline()).startswith(ends):
            assert line
    return line


async def logged_in(stack: AsyncExitStack, place: tuple[str, int], login: Login) -> Streams:
    streams = await stack.enter_async_context(connection(place))
    assert (await ask(streams, f'LOGIN {login.user} "{PASSWORD}"')).startswith(b"a OK")
    assert (await ask(streams, "SELECT INBOX")).startswith(b"a OK")
    return streams


async def trickle(crowd: list[Streams]) -> None:
    """An octet of a command on each connection, again and again."""
    for octet in b"a NOOP " + b"x" * 1_000_000:
        for _, writer in crowd:
            writer.write(bytes([octet]))
        await asyncio.sleep(0.2)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[GatewayProcess]:
    (host,) = free_hosts(1)
    prepare_folder(tmp_path / "a", host, {**CHANGES, **LIMITS}, int(time.time()))
    with GatewayProcess(tmp_path / "a") as running:
        await asyncio.to_thread(running.start)
        yield running
        assert await asyncio.to_thread(running.stop) == 0
        assert "Traceback" not in running.log


async def test_i8_a_crowd_that_idles_trickles_or_does_not_read_slows_nobody(gateway: GatewayProcess) -> None:
    login = await asyncio.to_thread(gateway.add_account, "alice", PASSWORD)
    place = await asyncio.to_thread(gateway.listener, "imap starttls")
    before = descriptors(gateway.pid)
    async with AsyncExitStack() as stack:
        worker = await logged_in(stack, place, login)
        worker[1].write(b"a APPEND INBOX" + b" {%d+}\r\n%b" % (len(MAIL), MAIL) * MAILS + b"\r\n")
        assert (await worker[0].readline()).startswith(b"* ")
        await ask(worker, "FETCH 1:* BODY.PEEK[]")  # what reading costs anybody is no part of the growth
        for _ in range(IDLE):
            await ask(await logged_in(stack, place, login), "IDLE", ends=b"+ ")
        trickling = [await stack.enter_async_context(connection(place)) for _ in range(TRICKLING)]
        for _ in range(SILENT):
            await stack.enter_async_context(connection(place))
        memory = resident_bytes(gateway.pid)
        for _ in range(DEAF):
            _, writer = await logged_in(stack, place, login)
            writer.write(b"a FETCH 1:* BODY.PEEK[]\r\n" * 5)
        trickler = asyncio.create_task(trickle(trickling))
        times = []
        for _ in range(NOOPS):
            watch = Stopwatch(gateway.pid)
            await ask(worker, "NOOP")
            times.append(watch.seconds)
            await asyncio.sleep(0.005)
        grown = resident_bytes(gateway.pid) - memory
        trickler.cancel()
    assert quantiles(times, n=100)[98] < SLOWEST
    assert grown < DEAF * PER_DEAF
    await asyncio.to_thread(
        wait_for,
        lambda: descriptors(gateway.pid),
        lambda found: found <= before + LEFT_OPEN,
        "descriptors to be closed",
    )
