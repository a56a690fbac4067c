"""Limits, slow clients, bugs and the end of a session."""

import asyncio
import random
from base64 import b64encode
from collections.abc import Callable, Collection

import pytest
from door_accounts import ALICE, PASSWORD
from pop3.wire import House, Wire
from stopwatch import Stopwatch
from wires import mail

from bmgate.errors import StorageBusy
from bmgate.pop3.commands import COMMANDS
from bmgate.pop3.limits import Pop3Limits
from bmgate.services.mailboxes.maildrops import Maildrop

PLAIN = b64encode(b"\0alice\0" + PASSWORD.encode())


async def test_i15_bad_commands_have_a_limit(house: House) -> None:
    wire = await house.logged_in()
    for _ in range(19):
        await wire.refused(b"FOO")
    await wire.send(b"FOO\r\n")
    assert await wire.rest() == b"-ERR Unknown command\r\n-ERR Too many bad commands\r\n"


async def test_wrong_passwords_have_a_limit(house: House) -> None:
    wire = await house.connect()
    for _ in range(4):
        await wire.ok(b"USER alice")
        await wire.refused(b"PASS wrong")
    await wire.send(b"AUTH PLAIN " + b64encode(b"\0alice\0wrong") + b"\r\n")
    assert await wire.rest() == b"-ERR [AUTH] Wrong user name or password\r\n"


@pytest.mark.parametrize("end", [b"", b"\r\n"])
async def test_a_line_too_long_ends_the_connection(house: House, end: bytes) -> None:
    wire = await house.connect()
    await wire.send(b"PASS " + b"x" * 20_000 + end)
    assert await wire.rest() == b"-ERR Line too long\r\n"


async def test_nothing_of_ten_thousand_pipelined_commands_is_lost(wire: Wire) -> None:
    sending = asyncio.create_task(wire.send(b"NOOP\r\n" * 10_000))
    for _ in range(10_000):
        assert await wire.line() == b"+OK Done\r\n"
    await sending


async def test_i8_too_many_connections_are_refused_and_room_comes_back(make_house: Callable[..., House]) -> None:
    house = make_house(Pop3Limits(connections_per_source=2))
    first, _ = await house.connect(), await house.connect()
    third = await house.dial()
    assert await third.rest() == b"-ERR [SYS/TEMP] Too many connections\r\n"
    members = set(house.factory.connections.members)
    await first.ok(b"QUIT")
    await first.rest()
    await first.close()
    async with asyncio.timeout(5):
        await asyncio.wait([asyncio.ensure_future(m.closed.wait()) for m in members], return_when="FIRST_COMPLETED")
    await house.connect()


async def test_a_slow_login_ends(make_house: Callable[..., House]) -> None:
    house = make_house(Pop3Limits(login_seconds=0.05))
    wire = await house.connect()
    assert await wire.rest() == b"-ERR Too slow to log in\r\n"


async def test_an_inactive_session_ends_without_a_word_and_deletes_nothing(make_house: Callable[..., House]) -> None:
    house = make_house(Pop3Limits(inactive_seconds=0.5))
    house.services.maildrops.fill(mail())
    wire = await house.logged_in()
    await wire.ok(b"DELE 1")
    assert await wire.rest() == b""
    assert len(house.services.maildrops.mails[ALICE]) == 1


async def test_stopping_tells_everyone_within_a_second(house: House) -> None:
    wires = [await house.logged_in(), await house.logged_in("bob"), await house.connect()]
    watch = Stopwatch()
    assert await house.stop(*wires) == [b"-ERR [SYS/TEMP] Server shutting down\r\n"] * 3
    assert watch.seconds < 1


async def test_stopping_lets_a_quit_finish(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.services.maildrops.fill(mail())
    wire = await house.logged_in()
    await wire.ok(b"DELE 1")
    asked, go_on = asyncio.Event(), asyncio.Event()
    remove = house.services.maildrops.remove

    async def slow(maildrop: Maildrop, uids: Collection[int]) -> None:
        asked.set()
        await go_on.wait()
        await remove(maildrop, uids)

    monkeypatch.setattr(house.services.maildrops, "remove", slow)
    await wire.send(b"QUIT\r\n")
    await asked.wait()
    stopping = asyncio.create_task(house.factory.stop())
    await asyncio.sleep(0)
    go_on.set()
    assert await wire.rest() == b"+OK Bye\r\n"
    await wire.close()
    await stopping
    assert not house.services.maildrops.mails[ALICE]


async def test_i7_a_client_that_does_not_read_is_bounded_and_dropped(make_house: Callable[..., House]) -> None:
    house = make_house(Pop3Limits(stall_seconds=0.2))
    house.services.maildrops.fill(*[mail(body="x" * 100_000)] * 400)
    wire = await house.logged_in()
    wire.stop_reading()
    await wire.send(b"".join(b"RETR %d\r\n" % n for n in range(1, 401)))
    connection = next(iter(house.factory.connections.members))
    async with asyncio.timeout(5):
        await connection.closed.wait()
    assert sum(len(uids) for _, uids in house.services.maildrops.read) < 200


async def test_i7_a_huge_mail_is_sent_at_the_pace_of_the_client(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "x" * 70 + "\r\n"
    house.services.maildrops.fill(mail(body=body * 300_000))
    wire = await house.logged_in()
    sizes = await house.sent_unread(wire, b"RETR 1\r\n", monkeypatch)
    held_back = sum(sizes) < 10_000_000
    wire.read_on()
    await wire.line()
    async with asyncio.timeout(10):
        got = await wire.reader.readexactly(len(mail(body="")) + 300_000 * len(body) + 3)
    assert got.endswith(body.encode() + b".\r\n")
    assert held_back
    assert max(sizes) <= 256 * 1024


async def test_i18_whatever_is_sent_is_answered_or_ends_the_connection_and_breaks_nothing(
    make_house: Callable[..., House], caplog: pytest.LogCaptureFixture
) -> None:
    house = make_house(Pop3Limits(connections_per_source=1000))
    house.services.maildrops.fill(mail("a"), mail("b", ".\r\n"))
    words = [*COMMANDS, b"1", b"2", b"-1", b"99999999999", b"\xff", b"\0", b"", PLAIN, b"*", b"=", b"PLAIN", b"LOGIN"]
    chosen = random.Random(1)  # the same streams in every run
    for turn in range(60):
        said = [b" ".join(chosen.choices(words, k=chosen.randint(1, 3))) for _ in range(20)]
        front = b"AUTH PLAIN " + PLAIN + b"\r\n" if turn % 2 else b""
        stream = front + b"\r\n".join([*said, b"QUIT", b"*", b"QUIT", b""])
        wire = await house.connect()
        cut = chosen.randint(0, len(stream))
        await wire.send(stream[:cut])
        await asyncio.sleep(0)
        await wire.send(stream[cut:])
        assert all(line.isascii() for line in (await wire.rest()).split(b"\r\n"))
        await wire.close()
        house.services.maildrops.fill(mail("c"))
    assert not caplog.records


async def test_a_bug_ends_one_session_and_logs_neither_mail_nor_passwords(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("our bug")

    house.services.maildrops.fill(mail())
    other = await house.logged_in("bob")
    monkeypatch.setattr(house.services.maildrops, "messages", broken)
    wire = await house.logged_in()
    await wire.send(b"RETR 1\r\n")
    assert (await wire.rest()) in (b"", b"-ERR [SYS/PERM] Internal error\r\n")
    assert [record.getMessage() for record in caplog.records] == ["a session failed"]
    assert "ZeroDivisionError: our bug" in caplog.text
    assert PASSWORD not in caplog.text
    await other.ok(b"NOOP")
    await (await house.logged_in()).ok(b"STAT")


async def test_errors_of_the_services_leave_the_session_usable(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def busy(*_: object) -> None:
        raise StorageBusy("the database did not answer")

    house.services.maildrops.fill(mail())
    with monkeypatch.context() as patch:
        patch.setattr(house.services.maildrops, "messages", busy)
        wire = await house.logged_in()
        assert await wire.refused(b"RETR 1") == b"-ERR [SYS/TEMP] the database did not answer\r\n"
        await wire.ok(b"DELE 1")
        patch.setattr(house.services.maildrops, "remove", busy)
        assert await wire.refused(b"QUIT") == b"-ERR [SYS/TEMP] the database did not answer\r\n"
        assert await wire.rest() == b""
    assert (await (await house.logged_in()).ok(b"STAT")).startswith(b"1 ")
