"""The dialogue of a session, raw: greeting, states, login, queue, limits."""

import asyncio
from base64 import b64encode
from collections.abc import Callable

import pytest
from door_accounts import PASSWORD
from imap.wire import House, Wire
from stopwatch import Stopwatch
from wires import mail

from bmgate.errors import StorageBusy
from bmgate.imap.limits import ImapLimits

SECRET = PASSWORD.encode()
PLAIN = b64encode(b"alice\0alice\0" + SECRET)


async def test_the_greeting_names_capabilities_and_no_version_or_host(house: House) -> None:
    wire = await house.dial()
    greeting = await wire.line()
    assert greeting.startswith(b"* OK [CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ")
    assert b"AUTH=PLAIN AUTH=LOGIN" in greeting
    assert b"bmgate" not in greeting


async def test_login_select_and_fetch_in_one_segment_work_in_order_however_slow_the_store_is(house: House) -> None:
    house.services.mailboxes.turns = 50
    house.services.mailboxes.fill("INBOX", mail())
    wire = await house.connect()
    login = b"a LOGIN alice {%d+}\r\n%b\r\n" % (len(SECRET), SECRET)
    await wire.send(login + b"b SELECT INBOX\r\nc FETCH 1 UID\r\nd LOGOUT\r\n")
    answer = await wire.rest()
    assert [line[:4] for line in answer.split(b"\r\n") if line[:1] != b"*" and line] == [
        b"a OK",
        b"b OK",
        b"c OK",
        b"d OK",
    ]
    assert b"* 1 FETCH (UID 1)\r\n" in answer
    assert answer.endswith(b"* BYE Logging out\r\nd OK Done\r\n")


@pytest.mark.parametrize(
    "login",
    [
        b'LOGIN alice "p\\"a\\\\ss % {w\xc3\xb6rd} 1"',
        b'LOGIN "alice" {%d+}\r\n%b' % (len(SECRET), SECRET),
        b"LOGIN {5+}\r\nalice {%d+}\r\n%b" % (len(SECRET), SECRET),
        b"AUTHENTICATE PLAIN " + PLAIN,
        b"authenticate plain " + b64encode(b"\0alice\0" + SECRET),
        b"AUTHENTICATE LOGIN " + b64encode(b"alice") + b"\r\n" + b64encode(SECRET),
        b"AUTHENTICATE LOGIN\r\n" + b64encode(b"alice") + b"\r\n" + b64encode(SECRET),
        b"AUTHENTICATE PLAIN\r\n" + PLAIN,
    ],
)
async def test_i12_a_password_with_quotes_and_umlauts_works_in_every_form(house: House, login: bytes) -> None:
    wire = await house.connect()
    await wire.send(b"x " + login + b"\r\n")
    assert (await wire.until(b"x"))[-1].startswith(b"x OK [CAPABILITY ")
    assert house.services.accounts.seen == [("alice", PASSWORD, "127.0.0.1")]


async def test_two_step_plain_gets_an_empty_prompt_and_login_gets_its_two(house: House) -> None:
    wire = await house.connect()
    await wire.send(b"a AUTHENTICATE PLAIN\r\n")
    assert await wire.line() == b"+ \r\n"
    await wire.send(b"*\r\n")
    assert (await wire.line()).startswith(b"a BAD ")
    await wire.send(b"b AUTHENTICATE LOGIN\r\n")
    assert await wire.line() == b"+ VXNlcm5hbWU6\r\n"
    await wire.send(b64encode(b"alice") + b"\r\n")
    assert await wire.line() == b"+ UGFzc3dvcmQ6\r\n"
    await wire.send(b64encode(SECRET) + b"\r\n")
    assert (await wire.line()).startswith(b"b OK ")


async def test_only_ones_own_identity_may_be_assumed(house: House) -> None:
    wire = await house.connect()
    answer = await wire.refused(b"AUTHENTICATE PLAIN " + b64encode(b"bob\0alice\0" + SECRET))
    assert answer.startswith(b"NO [AUTHORIZATIONFAILED] ")


async def test_i9_failed_logins_are_counted_and_the_session_stays_usable_until_the_limit(house: House) -> None:
    wire = await house.connect()
    for _ in range(4):
        assert (await wire.refused(b"LOGIN alice wrong")).startswith(b"NO [AUTHENTICATIONFAILED] ")
    await wire.send(b"x LOGIN nobody wrong\r\n")
    assert (await wire.rest()).startswith(b"* BYE Too many failed logins\r\nx NO [AUTHENTICATIONFAILED] Wrong user")


async def test_commands_wait_for_their_state(house: House) -> None:
    wire = await house.connect()
    assert (await wire.refused(b"SELECT INBOX")).startswith(b"BAD ")
    assert (await wire.refused(b"FETCH 1 FLAGS")).startswith(b"BAD ")
    wire = await house.logged_in()
    assert (await wire.refused(b"FETCH 1 FLAGS")).startswith(b"BAD ")
    assert (await wire.refused(b"LOGIN alice x")).startswith(b"BAD ")


async def test_i15_twenty_bad_commands_end_the_session(wire: Wire) -> None:
    await wire.send(b"x NONSENSE\r\n" * 25)
    answer = await wire.rest()
    assert answer.count(b"x BAD ") == 20
    assert b"* BYE Too many bad commands\r\n" in answer


async def test_i15_a_line_of_64_kib_works_and_a_longer_one_is_bad_with_a_code(wire: Wire) -> None:
    await wire.ok(b"SELECT INBOX")
    numbers = b",".join(b"%d" % n for n in range(1, 30_000, 3))[:65_000].rpartition(b",")[0]
    assert await wire.ok(b"UID FETCH " + numbers + b" FLAGS") == []
    assert (await wire.ask(b"UID FETCH " + b"1," * 40_000 + b"1 FLAGS"))[-1].startswith(b"BAD [TOOBIG] ")
    await wire.ok(b"NOOP")


async def test_i8_nothing_of_ten_thousand_pipelined_commands_is_lost(wire: Wire) -> None:
    sending = asyncio.create_task(wire.send(b"".join(b"p%d NOOP\r\n" % n for n in range(10_000))))
    lines = await wire.until(b"p9999")
    await sending
    assert [line.split()[0] for line in lines] == [b"p%d" % n for n in range(10_000)]


async def test_a_slow_login_ends(make_house: Callable[..., House]) -> None:
    house = make_house(ImapLimits(login_seconds=0.05))
    wire = await house.connect()
    await wire.send(b"a LOGIN {5}\r\n")
    assert await wire.rest() == b"+ OK\r\n* BYE Too slow to log in\r\n"


async def test_an_inactive_session_ends(make_house: Callable[..., House]) -> None:
    house = make_house(ImapLimits(inactive_seconds=0.05))
    assert await (await house.logged_in()).rest() == b"* BYE Inactive for too long\r\n"


async def test_i8_too_many_connections_are_refused_and_room_comes_back(make_house: Callable[..., House]) -> None:
    house = make_house(ImapLimits(connections_per_source=2, connections_per_user=1))
    first, second = await house.connect(), await house.connect()
    third = await house.dial()
    assert await third.rest() == b"* BYE Too many connections\r\n"
    await first.ok(b"AUTHENTICATE PLAIN " + PLAIN)
    assert (await second.refused(b"AUTHENTICATE PLAIN " + PLAIN)).startswith(b"NO [LIMIT] ")
    await first.ok(b"LOGOUT")
    await first.rest()
    await second.ok(b"AUTHENTICATE PLAIN " + PLAIN)


async def test_i20_id_tells_a_name_and_no_more(house: House) -> None:
    wire = await house.connect()
    assert await wire.ok(b'ID ("name" "x" "version" NIL)') == [b'* ID ("name" "bmgate")\r\n']
    assert await wire.ok(b"ID NIL") == [b'* ID ("name" "bmgate")\r\n']
    assert (await wire.refused(b"ID (" + b'"a" "b" ' * 40 + b'"a" "b")')).startswith(b"BAD ")


async def test_idle_pushes_at_once_and_only_done_ends_it(house: House) -> None:
    wire = await house.selected()
    await wire.send(b"i IDLE\r\n")
    assert await wire.line() == b"+ idling\r\n"
    house.services.mailboxes.fill("INBOX", mail(), mail())
    assert await wire.line() == b"* 2 EXISTS\r\n"
    house.services.mailboxes.drop("INBOX", 1)
    assert await wire.line() == b"* 1 EXPUNGE\r\n"
    await wire.send(b"j NOOP\r\n")
    assert await wire.line() == b"* BAD Expected DONE\r\n"
    await wire.send(b"done\r\nk NOOP\r\n")
    assert await wire.until(b"k") == [b"i OK Done\r\n", b"k OK Done\r\n"]


async def test_i8_idle_ends_at_its_limit(make_house: Callable[..., House]) -> None:
    house = make_house(ImapLimits(idle_seconds=0.05))
    wire = await house.logged_in()
    await wire.send(b"i IDLE\r\n")
    assert await wire.rest() == b"+ idling\r\n* BYE Idle for too long\r\n"


async def test_stopping_says_bye_to_everyone_within_a_second(house: House) -> None:
    wires = [await house.selected(), await house.logged_in(), await house.connect()]
    await wires[0].send(b"i IDLE\r\n")
    await wires[0].line()
    watch = Stopwatch()
    assert await house.stop(*wires) == [b"* BYE Server shutting down\r\n"] * 3
    assert watch.seconds < 1


async def test_i7_a_client_that_does_not_read_is_bounded_and_dropped(make_house: Callable[..., House]) -> None:
    house = make_house(ImapLimits(stall_seconds=0.2))
    house.services.mailboxes.fill("INBOX", *[mail(body="x" * 100_000)] * 400)
    wire = await house.selected()
    wire.stop_reading()
    await wire.send(b"f FETCH 1:* BODY.PEEK[]\r\n")
    connection = next(iter(house.factory.connections.members))
    async with asyncio.timeout(5):
        await connection.closed.wait()
    assert house.services.mailboxes.reads < 200


async def test_i7_a_huge_mail_is_sent_at_the_pace_of_the_client(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "x" * 20_000_000
    house.services.mailboxes.fill("INBOX", mail(body=body))
    wire = await house.selected()
    sizes = await house.sent_unread(wire, b"f FETCH 1 BODY.PEEK[TEXT]\r\n", monkeypatch)
    held_back = sum(sizes) < len(body)
    wire.read_on()
    found = await wire.until(b"f")
    assert body.encode() in found[0]
    assert held_back
    assert max(sizes) <= 256 * 1024


async def test_i17_what_a_client_began_to_change_is_finished_when_it_goes_away(house: House) -> None:
    house.services.mailboxes.fill("INBOX", mail())
    first = await house.selected()
    (connection,) = house.factory.connections.members
    second = await house.selected()
    house.services.mailboxes.turns = 200
    await second.send(b"i IDLE\r\n")
    await second.line()
    await first.send(b"x STORE 1 +FLAGS (\\Flagged)\r\n")
    first.writer.transport.abort()
    assert await second.line() == b"* 1 FETCH (UID 1 FLAGS (\\Flagged))\r\n"
    async with asyncio.timeout(5):
        await connection.closed.wait()


async def test_a_bug_ends_one_session_and_logs_neither_mail_nor_passwords(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("our bug")

    other = await house.logged_in()
    wire = await house.selected()
    monkeypatch.setattr(house.services.mailboxes, "status", broken)
    await wire.send(b"x STATUS INBOX (MESSAGES)\r\n")
    assert await wire.rest() == b"* BYE Internal error\r\n"
    assert [record.getMessage() for record in caplog.records] == ["a session failed"]
    assert "ZeroDivisionError: our bug" in caplog.text
    assert PASSWORD not in caplog.text
    await other.ok(b"NOOP")


async def test_errors_of_the_services_leave_the_session_usable(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def busy(*_: object) -> None:
        raise StorageBusy("the database did not answer")

    wire = await house.selected()
    with monkeypatch.context() as patch:
        patch.setattr(house.services.mailboxes, "append_all", busy)
        patch.setattr(house.services.mailboxes, "changes", busy)
        assert await wire.refused(b"APPEND INBOX {1+}\r\nx") == b"NO [UNAVAILABLE] the database did not answer\r\n"
        await wire.ok(b"NOOP")
    assert await wire.ok(b"APPEND INBOX {1+}\r\nx") == [b"* 1 EXISTS\r\n"]


async def test_log_out_is_answered_behind_all_that_was_asked_before(wire: Wire) -> None:
    await wire.send(b"a SELECT INBOX\r\nb APPEND INBOX {1+}\r\nx\r\nc FETCH 1:* UID\r\nd LOGOUT\r\ne NOOP\r\n")
    answer = await wire.rest()
    assert b"* 1 FETCH (UID 1)\r\nc OK Done\r\n* BYE Logging out\r\nd OK Done\r\n" in answer
    assert b"\r\ne " not in answer
