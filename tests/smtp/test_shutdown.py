import asyncio

import pytest
from smtp.dialogue import Certificates, Connect, Dialogue, Door, OpenDoor
from smtp.fake_services import House

from bmgate.errors import CannotListen
from bmgate.smtp.limits import SmtpLimits
from bmgate.smtp.server import SmtpServer

MAIL = b"From: alice\r\n\r\ntext\r\n"


async def test_everybody_is_told_421_and_nobody_gets_in_any_more(
    door: Door, connect: Connect, certificates: Certificates
) -> None:
    idle, logged_in, busy = [await connect(door.plain_port) for _ in range(3)]
    encrypted = await connect(door.tls_port, certificates.client)
    await idle.reply()
    await encrypted.reply()
    await logged_in.log_in()
    await busy.log_in()
    await busy.begin()
    busy.send(b"From: alice\r\n")
    closing = asyncio.create_task(door.server.close())
    for client in (idle, logged_in, busy, encrypted):
        assert (await client.rest()).startswith("421 4.3.2")
        await client.close()
    await closing
    with pytest.raises(ConnectionRefusedError):
        await connect(door.plain_port)
    assert door.house.raw == []


async def test_clients_that_have_just_gone_are_no_obstacle(door: Door) -> None:
    for abort in (True, False):
        for port in (door.plain_port, door.starttls_port):
            client = await Dialogue.open(port)
            await client.reply()
            client.send("NOOP")
            if abort:
                client.writer.transport.abort()
            await client.close()
    await door.server.close()


async def test_c1_a_mail_in_flight_gets_its_250_first(door: Door, connect: Connect) -> None:
    client = await connect(door.plain_port)
    await client.log_in()
    door.house.submissions.gate.clear()
    await client.begin()
    client.send(MAIL + b".\r\n")
    await door.house.submissions.begun.wait()
    closing = asyncio.create_task(door.server.close())
    await asyncio.sleep(0)
    door.house.submissions.gate.set()
    replies = (await client.rest()).split("\r\n")
    await client.close()
    await closing
    assert [reply[:9] for reply in replies] == ["250 2.0.0", "421 4.3.2", ""]
    assert door.house.raw == [MAIL]


async def test_c2_a_mail_that_takes_too_long_gets_the_421_and_no_250(open_door: OpenDoor, connect: Connect) -> None:
    door = await open_door(SmtpLimits(finish_seconds=0.05, close_seconds=0.1))
    client = await connect(door.plain_port)
    await client.log_in()
    door.house.submissions.gate.clear()
    await client.begin()
    client.send(MAIL + b".\r\n")
    await door.house.submissions.begun.wait()
    await door.server.close()
    assert (await client.rest()).startswith("421 4.3.2")
    assert door.house.raw == []


async def test_a_port_in_use_is_named(door: Door, house: House) -> None:
    server = SmtpServer(house.services, SmtpLimits(), "bm.internal", "mail.bm.internal", None)
    with pytest.raises(CannotListen, match=f"port {door.plain_port}"):
        await server.start("127.0.0.1", door.plain_port, implicit_tls=False)
    with pytest.raises(CannotListen, match="certificate"):
        await server.start("127.0.0.1", 0, implicit_tls=True)
    await server.close()
