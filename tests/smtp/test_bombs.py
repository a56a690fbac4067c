"""Mails made to take long: refused soon, and the loop is free meanwhile (S10, F9)."""

import asyncio
import base64
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from smtp.dialogue import Dialogue
from smtp.real_house import RealHouse, idle_house, send, watched_loop
from stations import User

CORPUS = Path(__file__).parents[1] / "corpus"
LIMIT = 4 * 1024 * 1024
TRIES = 4  # another program may hold us up once, not each time
STALL_SECONDS = 0.1
REPLY_SECONDS = 2.0  # of processor time, which other programs do not lengthen

TOO_MUCH = "554 5.6.0"
TAKEN = "250 2.0.0"
TOO_LONG = "552 5.3.4"


def nested(depth: int) -> bytes:
    layers = (b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth))
    return b"".join(layers) + b"\r\ntext\r\n"


def of_parts(count: int) -> bytes:
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * count + b"--b--\r\n"


BOMBS: dict[str, tuple[bytes, str]] = {
    "depth 51": (nested(51), TOO_MUCH),
    "depth 300": (nested(300), TOO_MUCH),
    "depth 3,000": (nested(3_000), TOO_MUCH),
    "50,000 parts": (of_parts(50_000), TOO_MUCH),
    "400,000 parts": (of_parts(400_000), TOO_MUCH),
    "100,000 fields": (b"".join(b"X-%d: y\r\n" % n for n in range(100_000)) + b"\r\ntext\r\n", TOO_MUCH),
    "a field of 3 MB": (b"X: " + (b"y" * 60_000 + b"\r\n ") * 50 + b"\r\n\r\ntext\r\n", TOO_MUCH),
    "8,000 parameters (RFC 2231)": (
        b"Content-Type: text/plain" + b"".join(b";\r\n x*%d*=%%41" % n for n in range(8_000)) + b"\r\n\r\nt\r\n",
        TOO_MUCH,
    ),
    "8,000 encoded words": (b"Comments: " + b"=?utf-8?q?x?=\r\n " * 6_000 + b"x\r\n\r\nt\r\n", TAKEN),
    "a group in a group in a group": (b"Cc: " + b"a:" * 30_000 + b"\r\n\r\nt\r\n", TAKEN),
    "60,000 brackets": (b"Cc: " + b"(" * 60_000 + b"\r\n\r\nt\r\n", TAKEN),
    "500,000 elements of HTML": (b"Content-Type: text/html\r\n\r\n" + b"<div>\r\n" * 500_000 + b"text\r\n", TAKEN),
    "3,600,000 brackets in HTML": (b"Content-Type: text/html\r\n\r\n" + (b"<" * 60_000 + b"\r\n") * 60, TOO_LONG),
    "a script without an end": (
        b"Content-Type: text/html\r\n\r\nt<script>" + (b"</scrip" * 8_000 + b"\r\n") * 60,
        TAKEN,
    ),
    "1,800,000 references in HTML": (b"Content-Type: text/html\r\n\r\n" + (b"&#" * 30_000 + b"\r\n") * 60, TOO_LONG),
    "tables in tables": (b"Content-Type: text/html\r\n\r\n" + b"<table><tr><td>x\r\n" * 80_000, TAKEN),
    "base64 of 3.8 MB": (
        b"Content-Transfer-Encoding: base64\r\n\r\n" + (base64.b64encode(b"\xff" * 57) + b"\r\n") * 50_000,
        TOO_LONG,
    ),
    "quoted-printable without an end": (
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=3D=\r\n" * 600_000 + b"x\r\n",
        TAKEN,
    ),
    "format=flowed of one paragraph": (
        b"Content-Type: text/plain; format=flowed; delsp=yes\r\n\r\n" + b"x \r\n" * 900_000,
        TOO_LONG,
    ),
    "quotes in quotes": (b"\r\n" + (b">" * 30_000 + b"\r\n") * 130, TOO_LONG),
    "2,000,000 empty lines": (b"\r\n" * 2_000_000 + b"x\r\n", TOO_LONG),
}
FROM_CORPUS = {path.stem: path.read_bytes() for path in sorted(CORPUS.glob("bomb-*.eml"))}


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RealHouse]:
    async with idle_house(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
async def alice(house: RealHouse) -> User:
    return await house.user("alice")


@pytest.fixture
async def client(house: RealHouse, alice: User) -> AsyncIterator[Dialogue]:
    client = await house.log_in("alice")
    yield client
    await client.close()


async def reply_in_time(client: Dialogue, alice: User, raw: bytes) -> str:
    """The reply; the loop must have been free in one try, and the reply soon."""
    stalls, times = [], []
    for _ in range(TRIES):
        async with watched_loop() as watched:
            begun = time.process_time()
            reply = await send(client, alice.mail_address, [alice.mail_address], raw)
            times.append(time.process_time() - begun)
        stalls.append(watched.worst)
        if stalls[-1] < STALL_SECONDS and times[-1] < REPLY_SECONDS:
            return reply
    raise AssertionError(f"the loop was held up for {stalls} s, the reply came after {times} s")


@pytest.mark.parametrize("name", BOMBS)
async def test_s10_a_bomb_is_answered_soon_and_holds_nobody_up(client: Dialogue, alice: User, name: str) -> None:
    bomb, expected = BOMBS[name]
    raw = b"Subject: bomb\r\nMIME-Version: 1.0\r\n" + bomb
    assert len(raw) < LIMIT
    assert (await reply_in_time(client, alice, raw)).startswith(expected)


@pytest.mark.parametrize("name", FROM_CORPUS)
async def test_s10_the_bombs_of_the_corpus_are_answered_soon_and_hold_nobody_up(
    client: Dialogue, alice: User, name: str
) -> None:
    raw = re.sub(rb"\r?\n", b"\r\n", FROM_CORPUS[name]).replace(b"sender@gateway.test", alice.mail_address.encode())
    assert (await reply_in_time(client, alice, raw)).startswith(TOO_MUCH)


async def test_s8_ten_mails_of_the_largest_size_at_once_hold_nobody_up(house: RealHouse, alice: User) -> None:
    raw = b"Subject: large\r\n\r\n" + (b"x" * 76 + b"\r\n") * (LIMIT // 80)
    clients = [await house.log_in("alice") for _ in range(10)]
    replies: list[str] = []
    for _ in range(TRIES):
        async with watched_loop() as watched:
            sent = [send(client, alice.mail_address, [alice.mail_address], raw) for client in clients]
            replies = await asyncio.gather(*sent)
        if watched.worst < STALL_SECONDS:
            break
    assert watched.worst < STALL_SECONDS
    assert {reply[:9] for reply in replies} <= {TOO_LONG, "452 4.3.1"}
    for client in clients:
        await client.close()
