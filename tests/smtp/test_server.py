"""The door on the other loop that a gateway may run on."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from smtp.dialogue import Certificates, Dialogue, plain
from smtp.fake_services import DOMAIN, House

from bmgate.smtp.limits import SmtpLimits
from bmgate.smtp.server import SmtpServer, server_context

Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture
def run() -> Run:
    """Run a coroutine to its end on a uvloop of its own."""
    return pytest.importorskip("uvloop").run  # type: ignore[no-any-return]


async def test_the_door_works_on_uvloop_too(run: Run, certificates: Certificates) -> None:
    async def visit() -> None:
        house = House()
        context = server_context(certificates.certificate, certificates.key)
        server = SmtpServer(house.services, SmtpLimits(close_seconds=0.1), DOMAIN, "mail.bm.internal", context)
        client = await Dialogue.open(await server.start("127.0.0.1", 0, implicit_tls=False))
        idle = await Dialogue.open(await server.start("127.0.0.1", 0, implicit_tls=True), certificates.client)
        await idle.reply()
        await client.reply()
        await client.say("STARTTLS")
        await client.writer.start_tls(certificates.client, server_hostname="localhost")
        await client.say("EHLO x")
        await client.say(f"AUTH PLAIN {plain()}")
        await client.begin()
        assert (await client.say(b"text\r\n.\r\n")).startswith("250 2.0.0")
        await server.close()
        for other in (client, idle):
            assert (await other.rest()).startswith("421 4.3.2")
            await other.close()
        assert house.raw == [b"text\r\n"]

    await asyncio.to_thread(run, visit())
