"""I7: a mail too large to be held is read while it is sent, and every octet of it comes."""

import asyncio
from collections.abc import Callable

import pytest
from door_accounts import ALICE
from pop3.wire import House, Wire
from wires import mail

from bmgate.errors import AccountLocked
from bmgate.pop3.limits import Pop3Limits

SMALL = Pop3Limits(portion_octets=1)  # what is larger counts as large
MAILS = (
    mail("dots", ".\r\n..\r\n.x\r\n"),
    mail("bare", "one\ntwo\n.three\rfour\n"),
    mail("nul", "a\0b\r\n"),
    mail("no end", "one\r\ntwo"),
    mail("nothing", ""),
    mail("many", "line\r\n" * 300),
    b"no header at all",
)


@pytest.mark.parametrize("portion", [1, 3, 50, 256 * 1024])
async def test_large_mail_is_told_like_any_other(make_house: Callable[..., House], portion: int) -> None:
    small, large = make_house(), make_house(SMALL)
    large.services.maildrops.body_octets = portion
    wires = []
    for house in (large, small):
        house.services.maildrops.fill(*MAILS)
        wires.append(await house.logged_in())
    for number in range(1, len(MAILS) + 1):
        for command in (b"RETR %d", *(b"TOP %d " + lines for lines in (b"0", b"1", b"2", b"3", b"299", b"4000"))):
            ours, theirs = [(await wire.ok(command % number), await wire.body()) for wire in wires]
            assert ours == theirs
    assert "messages" not in {what for what, _ in large.services.maildrops.read}


async def test_top_of_a_large_mail_reads_no_more_than_it_shows(house: House) -> None:
    house.services.maildrops.fill(mail(body="line\r\n" * 500_000))
    wire = await house.logged_in()
    await wire.lines(b"TOP 1 0")
    assert house.services.maildrops.read == [("heads", [1])]
    assert (await wire.lines(b"TOP 1 5"))[-5:] == [b"line\r\n"] * 5
    assert house.services.maildrops.read[1:] == [("heads", [1]), ("body", [1])]


async def begun(house: House) -> tuple[Wire, bytes]:
    """A client that has not taken the first octets of a mail."""
    raw = mail(body="line of text\r\n" * 1_000_000)
    house.services.maildrops.fill(raw)
    wire = await house.logged_in()
    wire.stop_reading()
    await wire.send(b"RETR 1\r\n")
    for _ in range(2000):  # turns in which a server that does not wait would have read all
        await asyncio.sleep(0)
    return wire, raw


async def test_i7_a_slow_reader_of_a_large_mail_has_little_read_for_it(house: House) -> None:
    wire, raw = await begun(house)
    assert len(house.services.maildrops.read) < 30
    wire.read_on()
    assert await wire.line() == b"+OK %d octets\r\n" % len(raw)
    async with asyncio.timeout(10):
        assert await wire.reader.readexactly(len(raw) + 3) == raw + b".\r\n"


async def test_a_mail_expunged_while_it_is_sent_ends_the_connection_without_a_word(house: House) -> None:
    wire, raw = await begun(house)
    del house.services.maildrops.mails[ALICE][1]
    wire.read_on()
    got = await wire.until_cut_off()
    assert (b"+OK %d octets\r\n%b" % (len(raw), raw)).startswith(got)


async def test_an_account_locked_while_a_mail_is_sent_ends_the_connection(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire, raw = await begun(house)

    async def locked(*_: object) -> bytes:
        raise AccountLocked("this account opens when its owner logs in")

    monkeypatch.setattr(house.services.maildrops, "body", locked)
    wire.read_on()
    assert len(await wire.until_cut_off()) < len(raw)
    await asyncio.sleep(0)
    assert ALICE not in house.services.maildrops.held


async def test_i7_a_client_that_stops_within_a_mail_is_dropped(make_house: Callable[..., House]) -> None:
    house = make_house(Pop3Limits(stall_seconds=0.1))
    await begun(house)
    (connection,) = house.factory.connections.members
    async with asyncio.timeout(5):
        await connection.closed.wait()
