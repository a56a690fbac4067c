"""APPEND of mail too large for memory: refused before it comes, spooled while it does, and nothing of it left."""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from imap.wire import House, Wire
from storage_fixtures import make_spools
from wires import mail

from bmgate.bm.keys import Entropy
from bmgate.domain.account import AccountId
from bmgate.domain.ports.spool import Spool
from bmgate.imap.limits import ImapLimits
from bmgate.storage.spool import FileSpool, FileSpools

Connect = Callable[[], Awaitable[Wire]]
MakeHouse = Callable[..., House]

HELD = 1000  # octets of an APPEND that stay in memory
LIMITS = ImapLimits(append_held=HELD, swallow=5000)
LARGE = mail("large", "a line of text\r\n" * 40_000)


@pytest.fixture
def spools(tmp_path: Path) -> FileSpools:
    return make_spools(tmp_path)


@pytest.fixture
def house(make_house: MakeHouse, spools: FileSpools) -> House:
    return make_house(LIMITS, spools=spools)


@pytest.fixture
async def wire(house: House) -> Wire:
    return await house.logged_in()


def stored(house: House) -> list[bytes]:
    """The mails in INBOX, as they were handed on."""
    services = house.services
    return [
        raw for box in services.mailboxes.of(services.accounts.names["alice"]).values() for raw in box.raws.values()
    ]


async def announced(wire: Wire, size: int, tag: bytes = b"a") -> bytes:
    """The answer to the announcement of a mail."""
    await wire.send(tag + b" APPEND INBOX {%d}\r\n" % size)
    return await wire.line()


def is_free(spools: FileSpools) -> bool:
    """Whether nothing is reserved, and no file is open."""
    return spools.reserved_octets == 0


@pytest.mark.parametrize("form", [b"{%d+}\r\n%b", b"~{%d+}\r\n%b", b"UTF8 (~{%d+}\r\n%b)"])
async def test_large_mail_arrives_as_it_was_sent(wire: Wire, house: House, spools: FileSpools, form: bytes) -> None:
    await wire.ok(b"APPEND INBOX (\\Seen) " + form % (len(LARGE), LARGE))
    await wire.ok(b"NOOP")
    assert stored(house) == [LARGE]
    assert is_free(spools)


async def test_a_synchronizing_literal_is_asked_for(wire: Wire, house: House) -> None:
    assert await announced(wire, len(LARGE)) == b"+ OK\r\n"
    await wire.send(LARGE + b"\r\nb NOOP\r\n")
    assert (await wire.until(b"a"))[-1].startswith(b"a OK [APPENDUID ")
    assert (await wire.until(b"b"))[-1].startswith(b"b OK ")
    assert stored(house) == [LARGE]


async def test_small_mail_needs_no_spool(make_house: MakeHouse) -> None:
    house = make_house(LIMITS, spools=Refusing())
    wire = await house.logged_in()
    small = mail("small", "x" * 100)
    await wire.ok(b"APPEND INBOX {%d+}\r\n%b {%d+}\r\n%b" % (len(small), small, len(small), small))
    assert stored(house) == [small, small]


async def test_of_several_mails_only_what_fits_stays_in_memory(wire: Wire, house: House, spools: FileSpools) -> None:
    mails = [mail(str(number), "y" * size) for number, size in enumerate([10, 600, 300_000, 600, 0, 400_000])]
    await wire.ok(b"APPEND INBOX" + b"".join(b" {%d+}\r\n%b" % (len(raw), raw) for raw in mails))
    assert stored(house) == mails
    assert is_free(spools)


async def test_i2_what_exceeds_the_limit_or_the_quota_is_refused_before_it_comes(
    wire: Wire, house: House, spools: FileSpools
) -> None:
    assert (await announced(wire, 200 * 1024 * 1024)).startswith(b"a NO [TOOBIG] ")
    house.services.mailboxes.limit = 300_000
    assert (await announced(wire, 300_001, b"b")).startswith(b"b NO [OVERQUOTA] ")
    assert await announced(wire, 299_000, b"c") == b"+ OK\r\n"
    await wire.send(bytes(299_000) + b" {1001}\r\n")
    assert (await wire.line()).startswith(b"c NO [OVERQUOTA] ")
    assert await wire.ok(b"STATUS INBOX (MESSAGES)") == [b'* STATUS "INBOX" (MESSAGES 0)\r\n']
    assert is_free(spools)


async def test_i2_refused_mail_that_comes_anyway_is_thrown_away_or_ends_it(wire: Wire, house: House) -> None:
    house.services.mailboxes.limit = 0
    trap = b"x APPEND INBOX {2+}\r\nhi\r\n" * 100
    assert (await wire.refused(b"APPEND INBOX {%d+}\r\n%b" % (len(trap), trap))).startswith(b"NO [OVERQUOTA] ")
    await wire.ok(b"NOOP")
    await wire.send(b"a APPEND INBOX {5001+}\r\n")
    assert (await wire.line()).startswith(b"a NO [OVERQUOTA] ")
    assert (await wire.line()).startswith(b"* BYE ")
    assert stored(house) == []


async def test_i2_too_much_at_once_is_refused_for_now(make_house: MakeHouse, tmp_path: Path) -> None:
    house = make_house(LIMITS, spools=make_spools(tmp_path, limit=20_000))
    wire, other = await house.logged_in(), await house.logged_in()
    assert await announced(wire, 6_000) == b"+ OK\r\n"
    assert (await announced(other, 6_000, b"b")).startswith(b"b NO [UNAVAILABLE] ")
    await wire.send(bytes(6_000) + b"\r\n")
    await wire.until(b"a")
    assert await announced(other, 6_000, b"c") == b"+ OK\r\n"


async def test_a_client_that_leaves_in_the_middle_leaves_nothing(house: House, spools: FileSpools) -> None:
    wire = await house.logged_in()
    assert await announced(wire, 2_000_000) == b"+ OK\r\n"
    assert not is_free(spools)
    await wire.send(bytes(1_000_000))
    (member,) = house.factory.connections.members
    await wire.close()
    await member.closed.wait()
    assert is_free(spools)
    assert stored(house) == []


async def test_t5_whoever_announces_mail_and_falls_silent_keeps_no_room(make_house: MakeHouse, tmp_path: Path) -> None:
    spools = make_spools(tmp_path, limit=20_000)
    house = make_house(replace(LIMITS, mail_grace_seconds=0.05), spools=spools)
    silent, other = await house.logged_in(), await house.logged_in()
    members = set(house.factory.connections.members)
    assert await announced(silent, 9_000) == b"+ OK\r\n"
    assert (await announced(other, 9_000, b"b")).startswith(b"b NO [UNAVAILABLE] ")
    assert (await silent.line()).startswith(b"* BYE Too slow")
    await silent.writer.drain()
    await asyncio.wait([asyncio.ensure_future(each.closed.wait()) for each in members], return_when="FIRST_COMPLETED")
    assert await announced(other, 9_000, b"c") == b"+ OK\r\n"


async def test_t5_a_command_that_does_not_end_keeps_no_room_either(make_house: MakeHouse, tmp_path: Path) -> None:
    spools = make_spools(tmp_path)
    house = make_house(replace(LIMITS, mail_grace_seconds=0.05), spools=spools)
    wire = await house.logged_in()
    await wire.send(b"a APPEND INBOX {5000+}\r\n" + bytes(5000) + b" ")
    assert (await wire.line()).startswith(b"* BYE Too slow")


async def test_t5_a_refusal_gives_back_the_room_at_once(wire: Wire, house: House, spools: FileSpools) -> None:
    house.services.mailboxes.limit = 7000
    assert await announced(wire, 5000) == b"+ OK\r\n"
    assert not is_free(spools)
    await wire.send(bytes(5000) + b" {4000+}\r\n")
    for _ in range(2000):
        await asyncio.sleep(0)
    assert is_free(spools)
    await wire.send(bytes(4000) + b"\r\n")
    assert (await wire.line()).startswith(b"a NO [OVERQUOTA] ")


async def test_others_are_served_while_mail_comes(house: House) -> None:
    wire, other = await house.logged_in(), await house.logged_in()
    assert await announced(wire, len(LARGE)) == b"+ OK\r\n"
    await wire.send(LARGE[:500_000])
    await other.ok(b"APPEND INBOX {4+}\r\nmail")
    await wire.send(LARGE[500_000:] + b"\r\n")
    await wire.until(b"a")
    assert stored(house) == [b"mail", LARGE]


async def test_commands_before_it_are_carried_out_before_it_is_judged(wire: Wire, house: House) -> None:
    house.services.mailboxes.limit = len(LARGE)
    await wire.send(
        b"a NOOP\r\nb SELECT INBOX\r\nc APPEND INBOX {%d+}\r\n%b\r\nd FETCH 1 UID\r\n" % (len(LARGE), LARGE)
    )
    answers = await wire.until(b"d")
    assert [line[:5] for line in answers if line[:1] in b"abcd"] == [b"a OK ", b"b OK ", b"c OK ", b"d OK "]


async def test_d1_a_disk_that_is_full_in_the_middle_refuses_and_the_session_goes_on(
    make_house: MakeHouse, tmp_path: Path
) -> None:
    house = make_house(LIMITS, spools=Full(tmp_path, os.urandom, lambda octets, beside: None))
    wire = await house.logged_in()
    refused = await wire.refused(b"APPEND INBOX {%d+}\r\n%b" % (len(LARGE), LARGE))
    assert refused.startswith(b"NO [UNAVAILABLE] ")
    await wire.ok(b"NOOP")
    assert stored(house) == []


async def test_i2_a_client_faster_than_the_disk_has_to_wait(make_house: MakeHouse, tmp_path: Path) -> None:
    spools, size = Slow(tmp_path, os.urandom, lambda octets, beside: None), 20_000_000
    house = make_house(LIMITS, spools=spools)
    wire = await house.logged_in()
    raw = bytes(size)
    wire.writer.write(b"a APPEND INBOX {%d+}\r\n%b\r\n" % (size, raw))
    for _ in range(2000):
        await asyncio.sleep(0)
    assert wire.writer.transport.get_write_buffer_size() > size // 2
    spools.goes_on.set()
    assert (await wire.until(b"a"))[-1].startswith(b"a OK ")
    assert stored(house) == [raw]


@pytest.mark.parametrize(
    "command", [b"APPEND {%d+}\r\n%b {4+}\r\nmail", b"APPEND INBOX {%d+}\r\n%b nonsense", b"APPEND INBOX ({%d+}\r\n%b)"]
)
async def test_a_large_literal_that_is_no_mail_is_bad(
    wire: Wire, house: House, spools: FileSpools, command: bytes
) -> None:
    assert (await wire.refused(command % (len(LARGE), LARGE))).startswith(b"BAD ")
    await wire.ok(b"NOOP")
    assert stored(house) == []
    assert is_free(spools)


async def test_literals_of_other_commands_are_bounded_together(wire: Wire) -> None:
    text = b"x" * 300
    keys = b" ".join(b"SUBJECT {%d+}\r\n%b" % (len(text), text) for _ in range(4))
    await wire.ok(b"SELECT INBOX")
    assert (await wire.refused(b"SEARCH " + keys)).startswith(b"BAD [TOOBIG] ")


async def test_large_mail_is_stored_and_read_again(connect: Connect) -> None:
    wire = await connect()
    raw = mail("large", os.urandom(1_700_000).hex())
    small = mail("small")
    assert await wire.ok(b"APPEND INBOX {%d+}\r\n%b {%d+}\r\n%b" % (len(small), small, len(raw), raw)) == []
    await wire.ok(b"SELECT INBOX")
    assert await wire.ok(b"FETCH 2 BODY.PEEK[]") == [b"* 2 FETCH (BODY[] {%d}\r\n%b)\r\n" % (len(raw), raw)]
    assert await wire.ok(b"UID SEARCH SUBJECT large LARGER 3000000") == [b"* SEARCH 2\r\n"]
    assert (await wire.refused(b"APPEND nowhere {%d+}\r\n%b" % (len(raw), raw))).startswith(b"NO [TRYCREATE] ")


class Refusing:
    """Spools that must not be asked."""

    def open(self, account: AccountId, on_room: object) -> Spool:
        raise AssertionError


class Slow(FileSpools):
    """Spools on a disk that takes nothing for a while."""

    def __init__(self, folder: Path, entropy: Entropy, check_room: Callable[[int, int], None]) -> None:
        super().__init__(folder, entropy, check_room)
        self.goes_on = threading.Event()
        self._thread.submit(self.goes_on.wait, 30)


class Full(FileSpools):
    """Spools on a disk that takes nothing."""

    def open(self, account: AccountId, on_room: Callable[[], None]) -> FileSpool:
        return FileSpool(self, account, os.open("/dev/full", os.O_RDWR), os.urandom, self._thread, on_room)
