"""BDAT (RFC 3030): a mail in counted octets."""

import asyncio

import pytest
from smtp.dialogue import Connect, Dialogue, Door, OpenDoor
from smtp.fake_services import ALICE, BOB, DOMAIN

from bmgate.errors import TooLarge
from bmgate.smtp.limits import SmtpLimits

MAIL = b"From: alice\r\n\r\n.text\r\n.\r\nmore\r\n"
ENVELOPE = f"MAIL FROM:<{ALICE}@{DOMAIN}>\r\nRCPT TO:<{BOB}@{DOMAIN}>\r\n".encode()


@pytest.fixture
async def client(door: Door, connect: Connect) -> Dialogue:
    """Logged in."""
    client = await connect(door.plain_port)
    await client.log_in()
    return client


async def begin(client: Dialogue) -> None:
    client.send(ENVELOPE)
    assert [(await client.reply())[:9] for _ in range(2)] == ["250 2.1.0", "250 2.1.5"]


def chunk(octets: bytes, last: str = "") -> bytes:
    return b"BDAT %d%b\r\n%b" % (len(octets), last.encode(), octets)


@pytest.mark.parametrize("sizes", [(31,), (1, 30), (10, 0, 21), (31, 0)])
async def test_chunks_of_any_size_make_one_mail(client: Dialogue, door: Door, sizes: tuple[int, ...]) -> None:
    await begin(client)
    at = 0
    for size in sizes[:-1]:
        assert await client.say(chunk(MAIL[at : at + size])) == f"250 2.0.0 {size} octets"
        at += size
    assert (await client.say(chunk(MAIL[at:], " last"))).startswith("250 2.0.0 queued as 7KQ2AB")
    assert door.house.raw == [MAIL]


async def test_a_whole_transaction_works_in_one_segment_and_in_single_octets(client: Dialogue, door: Door) -> None:
    stream = ENVELOPE + chunk(MAIL[:9]) + chunk(MAIL[9:], " LAST") + b"NOOP\r\n"
    for size in (len(stream), 1):
        for at in range(0, len(stream), size):
            client.send(stream[at : at + size])
            await client.writer.drain()
        codes = [(await client.reply())[:9] for _ in range(5)]
        assert codes == ["250 2.1.0", "250 2.1.5", "250 2.0.0", "250 2.0.0", "250 2.0.0"]
    assert door.house.raw == [MAIL, MAIL]


async def test_a_last_line_without_an_end_gets_one(client: Dialogue, door: Door) -> None:
    await begin(client)
    assert (await client.say(chunk(b"a\r\n\r\nb\nc", " LAST"))).startswith("250")
    assert door.house.raw == [b"a\r\n\r\nb\r\nc\r\n"]


@pytest.mark.parametrize("before", [b"", b"EHLO x\r\n", b"RSET\r\n"])
async def test_s4_octets_are_read_before_they_are_refused(door: Door, connect: Connect, before: bytes) -> None:
    client = await connect(door.plain_port)
    await client.reply()
    if before:
        await client.say(before)
    assert (await client.say(chunk(b"EHLO evil\r\nNOOP\r\n", " LAST"))).startswith("530 5.7.0")
    assert (await client.say("HELO x")).startswith("250 mail.bm.internal")


async def test_chunks_without_mail_or_recipients_are_refused(client: Dialogue, door: Door) -> None:
    assert (await client.say(chunk(b"NOOP\r\n", " LAST"))).startswith("503 5.5.1")
    await client.say(f"MAIL FROM:<{ALICE}@{DOMAIN}>")
    assert (await client.say(chunk(b"NOOP\r\n"))).startswith("554 5.5.1")
    assert (await client.say(chunk(b"NOOP\r\n", " LAST"))).startswith("503 5.5.1")
    assert door.house.raw == []


async def test_nothing_else_comes_between_chunks_and_rset_forgets_them(client: Dialogue, door: Door) -> None:
    await begin(client)
    assert (await client.say(chunk(b"forgotten"))).startswith("250")
    for command in ("DATA", f"MAIL FROM:<{ALICE}@{DOMAIN}>", f"RCPT TO:<{BOB}@{DOMAIN}>"):
        assert (await client.say(command)).startswith("503 5.5.1")
    assert (await client.say("NOOP")).startswith("250")
    assert (await client.say("RSET")).startswith("250")
    assert (await client.say(chunk(b"forgotten", " LAST"))).startswith("503")
    await begin(client)
    assert (await client.say(chunk(MAIL, " LAST"))).startswith("250")
    assert door.house.raw == [MAIL]


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"a\rb\r\n", "500 5.5.2"),
        (b"a\n.\r\nMAIL FROM:<x>\r\n", "500 5.5.2"),
        (b"a\r\n.\rb", "500 5.5.2"),
        (b"a\0b\r\n", "554 5.6.0"),
        (b"x" * 65_537 + b"\r\n", "500 5.5.2"),
    ],
)
async def test_s1_chunks_bring_no_line_ends_that_others_may_misread(
    client: Dialogue, door: Door, octets: bytes, code: str
) -> None:
    await begin(client)
    assert (await client.say(chunk(octets, " LAST"))).startswith(code)
    assert (await client.say("NOOP")).startswith("250")
    assert door.house.raw == []


async def test_s8_chunks_beyond_the_limit_are_refused_at_once_and_those_that_follow(
    open_door: OpenDoor, connect: Connect
) -> None:
    door = await open_door(SmtpLimits(submission=1000, swallow=10_000))
    client = await connect(door.plain_port)
    await client.log_in()
    await begin(client)
    assert (await client.say(chunk(b"x" * 900))).startswith("250")
    assert (await client.say(chunk(b"x" * 200))).startswith("552 5.3.4")
    assert (await client.say(chunk(b"x" * 200, " LAST"))).startswith("503")
    await begin(client)
    assert (await client.say(chunk(b"x" * 1001, " LAST"))).startswith("552 5.3.4")
    assert (await client.say("BDAT 10001 LAST")).startswith("421 4.7.0")
    assert await client.rest() == ""
    assert door.house.raw == []


async def test_s8_what_chunks_hold_is_given_back(open_door: OpenDoor, connect: Connect) -> None:
    door = await open_door(SmtpLimits(waiting=100_000))
    client, other = await connect(door.plain_port), await connect(door.plain_port)
    await client.log_in()
    await other.log_in()
    await begin(client)
    assert (await client.say(chunk(b"x" * 60_000 + b"\r\n"))).startswith("250")
    await begin(other)
    assert (await other.say(chunk(b"x" * 60_000))).startswith("452 4.3.1")
    await client.say("RSET")
    await begin(other)
    assert (await other.say(chunk(b"x" * 60_000, " LAST"))).startswith("250")


@pytest.mark.parametrize("argument", ["", "x", "-1", "1 FIRST", "1 LAST LAST", "0x10", "9" * 21])
async def test_a_count_that_is_none_ends_the_connection(client: Dialogue, argument: str) -> None:
    await begin(client)
    assert (await client.say(f"BDAT {argument}")).startswith("501 5.5.4")
    assert await client.rest() == ""


async def test_s14_a_connection_cut_within_a_chunk_leaves_nothing(client: Dialogue, door: Door) -> None:
    await begin(client)
    client.send(b"BDAT 1000 LAST\r\n" + MAIL)
    await client.close()
    other = await Dialogue.open(door.plain_port)
    await other.reply()
    await other.close()
    assert not door.house.submissions.begun.is_set()


async def test_s16_chunks_that_come_too_slowly_are_hung_up_on(open_door: OpenDoor, connect: Connect) -> None:
    door = await open_door(SmtpLimits(data_seconds=0.05))
    client = await connect(door.plain_port)
    await client.log_in()
    await begin(client)
    client.send(b"BDAT 1000\r\nxx")
    assert (await client.rest()).startswith("421 4.4.2")


async def test_refusals_of_the_service_and_shutting_down_are_told_behind_the_last_chunk(
    client: Dialogue, door: Door
) -> None:
    door.house.submissions.failure = TooLarge("text is 391 kB")
    await begin(client)
    assert (await client.say(chunk(MAIL, " LAST"))).startswith("552 5.3.4 text is 391 kB")
    door.house.submissions.failure = None
    door.house.submissions.gate.clear()
    door.house.submissions.begun.clear()
    await begin(client)
    client.send(chunk(MAIL, " LAST"))
    await door.house.submissions.begun.wait()
    closing = asyncio.create_task(door.server.close())
    await asyncio.sleep(0)
    door.house.submissions.gate.set()
    assert [reply[:9] for reply in (await client.rest()).split("\r\n")] == ["250 2.0.0", "421 4.3.2", ""]
    await client.close()
    await closing
