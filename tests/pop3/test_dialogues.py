"""What clients say and what they hear, octet by octet (RFC 1939, 2449, 5034)."""

import asyncio
from base64 import b64encode

import pytest
from door_accounts import ALICE, PASSWORD
from pop3.fake_services import UIDVALIDITY
from pop3.wire import House, Wire
from wires import mail

PLAIN = b64encode(b"\0alice\0" + PASSWORD.encode())


async def test_capa_tells_all_and_leaves_the_login_out_where_none_may_be(house: House) -> None:
    wire = await house.connect()
    expected = {
        *(b"TOP", b"UIDL", b"PIPELINING", b"RESP-CODES", b"AUTH-RESP-CODE", b"EXPIRE NEVER", b"UTF8 USER"),
        *(b"USER", b"SASL PLAIN LOGIN", b"IMPLEMENTATION bmgate"),
    }
    assert {line.rstrip() for line in await wire.lines(b"CAPA")} == expected
    await wire.ok(b"AUTH PLAIN " + PLAIN)
    assert {line.rstrip() for line in await wire.lines(b"capa")} == expected


@pytest.mark.parametrize("verb", [b"APOP alice c4c9334bac560ecc979e58001b3e22fb", b"LAST", b"", b"\xff", b"RETR"])
async def test_what_is_no_command_is_refused(house: House, verb: bytes) -> None:
    wire = await house.connect()
    await wire.refused(verb)
    await wire.lines(b"CAPA")


async def test_commands_of_the_other_state_are_refused(house: House) -> None:
    wire = await house.connect()
    for verb in (b"STAT", b"LIST", b"UIDL", b"RETR 1", b"DELE 1", b"RSET", b"TOP 1 1", b"NOOP"):
        assert await wire.refused(verb) == b"-ERR Not in the authorization state\r\n"
    await wire.ok(b"AUTH PLAIN " + PLAIN)
    for verb in (b"USER alice", b"PASS x", b"AUTH PLAIN " + PLAIN, b"STLS", b"UTF8"):
        assert await wire.refused(verb) == b"-ERR Not in the transaction state\r\n"


async def test_i12_a_password_of_any_characters_works_in_every_form(house: House) -> None:
    name, secret = b64encode(b"alice"), b64encode(PASSWORD.encode())
    for dialogue in (
        [b"USER alice", b"PASS " + PASSWORD.encode()],
        [b"user  alice ", b"pass " + PASSWORD.encode()],
        [b"UTF8", b"USER alice", b"PASS " + PASSWORD.encode()],
        [b"AUTH PLAIN " + PLAIN],
        [b"auth plain", PLAIN],
        [b"AUTH PLAIN " + b64encode(b"alice\0alice\0" + PASSWORD.encode())],
        [b"AUTH LOGIN", name, secret],
        [b"AUTH LOGIN " + name, secret],
    ):
        wire = await house.connect()
        answers = [await wire.ask(line) for line in dialogue]
        assert answers[-1] == b"+OK 0 messages\r\n", dialogue
        await wire.ok(b"QUIT")


async def test_challenges_are_empty_for_plain_and_named_for_login(house: House) -> None:
    wire = await house.connect()
    assert await wire.ask(b"AUTH PLAIN") == b"+ \r\n"
    assert await wire.ask(b"*") == b"-ERR Given up\r\n"
    assert await wire.ask(b"AUTH LOGIN") == b"+ " + b64encode(b"Username:") + b"\r\n"
    assert await wire.ask(b"????") == b"-ERR Not base64\r\n"
    assert (await wire.ask(b"AUTH PLAIN =")).startswith(b"-ERR ")
    assert await wire.refused(b"AUTH CRAM-MD5") == b"-ERR PLAIN or LOGIN\r\n"


@pytest.mark.parametrize("line", [b"AUTH", b"AUTH ", b"auth  "])
async def test_auth_alone_lists_the_mechanisms_as_outlook_wants_it(house: House, line: bytes) -> None:
    wire = await house.connect()
    assert await wire.lines(line) == [b"PLAIN\r\n", b"LOGIN\r\n"]


async def test_i18_user_does_not_tell_who_has_an_account(house: House) -> None:
    wire = await house.connect()
    known, unknown = await wire.ask(b"USER alice"), await wire.ask(b"USER nobody")
    assert known == unknown
    first = await wire.refused(b"PASS wrong")
    await wire.ok(b"USER alice")
    assert await wire.refused(b"PASS wrong") == first == b"-ERR [AUTH] Wrong user name or password\r\n"
    assert await wire.refused(b"PASS wrong") == b"-ERR USER first\r\n"
    acting = b"AUTH PLAIN " + b64encode(b"bob\0alice\0" + PASSWORD.encode())
    assert (await wire.refused(acting)).startswith(b"-ERR [AUTH] ")


async def test_the_maildrop_is_told_in_exact_octets(wire: Wire) -> None:
    sizes = [len(mail("one")), len(mail("two", ".\r\n..dots\r\n")), len(mail("three", "no end")) + 2]
    assert await wire.ok(b"STAT") == b"3 %d" % sum(sizes)
    assert await wire.lines(b"LIST") == [b"%d %d\r\n" % pair for pair in enumerate(sizes, 1)]
    assert await wire.ok(b"LIST 2") == b"2 %d" % sizes[1]
    for number, size in enumerate(sizes, 1):
        assert await wire.ok(b"RETR %d" % number) == b"%d octets" % size
        assert sum(map(len, await wire.body())) == size


async def test_every_octet_of_a_mail_comes_and_dots_are_stuffed(wire: Wire) -> None:
    await wire.send(b"RETR 2\r\n")
    raw = [await wire.line() for _ in range(10)]
    assert raw[-4:] == [b"\r\n", b"..\r\n", b"...dots\r\n", b".\r\n"]
    assert b"".join(await wire.lines(b"RETR 2")) == mail("two", ".\r\n..dots\r\n")
    assert b"".join(await wire.lines(b"RETR 3")) == mail("three", "no end\r\n")


@pytest.mark.parametrize("argument", [b"0", b"-1", b"4", b"2147483648", b"99999999999", b"x", b"", b"1 2", b"+1"])
async def test_i18_numbers_that_are_none_are_refused(wire: Wire, argument: bytes) -> None:
    for verb in (b"RETR ", b"DELE "):
        await wire.refused(verb + argument)
    if argument:
        await wire.refused(b"LIST " + argument)
        await wire.refused(b"UIDL " + argument)
    await wire.refused(b"TOP " + argument + b" -1")
    assert (await wire.ok(b"STAT")).startswith(b"3 ")


async def test_top_gives_as_many_lines_as_there_are(house: House) -> None:
    house.services.maildrops.fill(mail("x", "one\r\n\r\n.three\r\n"))
    wire = await house.logged_in()
    head = mail("x", "")
    assert b"".join(await wire.lines(b"TOP 1 0")) == head
    assert house.services.maildrops.read == [("heads", [1])]
    assert b"".join(await wire.lines(b"TOP 1 1")) == head + b"one\r\n"
    assert b"".join(await wire.lines(b"TOP 1 2")) == head + b"one\r\n\r\n"
    for many in (b"3", b"4", b"99999999", b"4294967295"):
        assert b"".join(await wire.lines(b"TOP 1 " + many)) == head + b"one\r\n\r\n.three\r\n"
    await wire.refused(b"TOP 1")
    await wire.refused(b"TOP 1 x")


async def test_uidl_is_short_printable_and_the_same_in_the_next_session(house: House) -> None:
    house.services.maildrops.fill(mail("a"), mail("b"))
    wire = await house.logged_in()
    first = await wire.lines(b"UIDL")
    assert first == [b"1 %d.1\r\n" % UIDVALIDITY, b"2 %d.2\r\n" % UIDVALIDITY]
    await wire.ok(b"DELE 1")
    assert await wire.lines(b"UIDL") == first[1:]
    await wire.ok(b"QUIT")
    again = await house.logged_in()
    assert await again.ok(b"UIDL 1") == b"1 %d.2" % UIDVALIDITY


async def test_what_is_deleted_is_hidden_at_once_and_gone_after_quit(wire: Wire, house: House) -> None:
    await wire.ok(b"DELE 2")
    for command in (b"DELE 2", b"RETR 2", b"TOP 2 0", b"LIST 2", b"UIDL 2"):
        assert await wire.refused(command) == b"-ERR This message is deleted\r\n"
    assert (await wire.ok(b"STAT")).startswith(b"2 ")
    assert [line.split()[0] for line in await wire.lines(b"LIST")] == [b"1", b"3"]
    assert len(house.services.maildrops.mails[ALICE]) == 3
    await wire.ok(b"RSET")
    assert (await wire.ok(b"STAT")).startswith(b"3 ")
    await wire.ok(b"DELE 1")
    await wire.ok(b"QUIT")
    assert await wire.rest() == b""
    assert sorted(house.services.maildrops.mails[ALICE]) == [2, 3]


async def test_i18_nothing_is_deleted_when_the_client_just_goes(wire: Wire, house: House) -> None:
    (connection,) = house.factory.connections.members
    await wire.ok(b"DELE 1")
    wire.writer.transport.abort()
    async with asyncio.timeout(5):
        await connection.closed.wait()
    assert len(house.services.maildrops.mails[ALICE]) == 3
    assert (await (await house.logged_in()).ok(b"STAT")).startswith(b"3 ")


async def test_a_quit_that_was_begun_is_finished_when_the_client_goes(wire: Wire, house: House) -> None:
    (connection,) = house.factory.connections.members
    house.services.maildrops.turns = 200
    await wire.send(b"DELE 1\r\nQUIT\r\n")
    assert (await wire.line()).startswith(b"+OK ")
    wire.writer.transport.abort()
    async with asyncio.timeout(5):
        await connection.closed.wait()
    assert sorted(house.services.maildrops.mails[ALICE]) == [2, 3]


async def test_i18_a_maildrop_is_open_once(wire: Wire, house: House) -> None:
    other = await house.connect()
    assert (await other.refused(b"AUTH PLAIN " + PLAIN)).startswith(b"-ERR [IN-USE] ")
    await house.logged_in("bob")
    await wire.ok(b"QUIT")
    await other.ok(b"AUTH PLAIN " + PLAIN)


async def test_a_message_that_another_session_expunged_is_told_missing(wire: Wire, house: House) -> None:
    del house.services.maildrops.mails[ALICE][2]
    assert await wire.refused(b"RETR 2") == b"-ERR this message is not there any more\r\n"
    assert len(await wire.lines(b"LIST")) == 3
    await wire.lines(b"RETR 3")
    await wire.ok(b"DELE 2")
    await wire.ok(b"QUIT")


async def test_pipelined_commands_are_answered_in_order_and_read_in_portions(house: House) -> None:
    raws = [mail(f"number {n}", "x" * 3000 + "\r\n") for n in range(300)]
    house.services.maildrops.fill(*raws)
    wire = await house.logged_in()
    sending = asyncio.create_task(wire.send(b"".join(b"RETR %d\r\n" % n for n in range(1, 301)) + b"STAT\r\n"))
    for raw in raws:
        assert await wire.line() == b"+OK %d octets\r\n" % len(raw)
        assert b"".join(await wire.body()) == raw
    assert (await wire.line()).startswith(b"+OK 300 ")
    await sending
    assert len(house.services.maildrops.read) <= 5


async def test_fetching_one_after_the_other_reads_ahead_and_large_mail_comes_alone(house: House) -> None:
    house.services.maildrops.fill(*[mail(f"number {n}") for n in range(100)], mail("big", "x" * 600_000), mail("end"))
    wire = await house.logged_in()
    for number in range(1, 103):
        await wire.lines(b"RETR %d" % number)
    read = [uids for what, uids in house.services.maildrops.read if what != "body"]
    assert len(read) <= 12
    assert [101] in read
    assert sum(map(len, read)) == 102


async def test_a_whole_session_in_one_segment(house: House) -> None:
    house.services.maildrops.fill(mail("a"))
    wire = await house.connect()
    secret = PASSWORD.encode()
    await wire.send(
        b"CAPA\r\nUSER alice\r\nPASS " + secret + b"\r\nSTAT\r\nUIDL\r\nRETR 1\r\nDELE 1\r\nQUIT\r\nSTAT\r\n"
    )
    answer = await wire.rest()
    assert answer.endswith(b".\r\n+OK Deleted when you quit\r\n+OK Bye\r\n")
    assert mail("a") in answer
    assert not house.services.maildrops.mails[ALICE]


async def test_the_outcome_does_not_depend_on_the_segments(house: House) -> None:
    house.services.maildrops.fill(mail("a", ".\r\n"))
    said = b"CAPA\r\nAUTH PLAIN\r\n" + PLAIN + b"\r\nSTAT\r\nRETR 1\r\nTOP 1 0\r\nFOO\r\nNOOP\nQUIT\r\n"
    answers = set()
    for size in (1, 2, 3, 7, len(said)):
        wire = await house.connect()
        for at in range(0, len(said), size):
            await wire.send(said[at : at + size])
            await asyncio.sleep(0)
        answers.add(await wire.rest())
    assert len(answers) == 1


async def test_a_long_list_lets_others_have_their_turn(house: House) -> None:
    house.services.maildrops.fill(*[b"\r\n"] * 10_000)
    wire, other = await house.logged_in(), await house.logged_in("bob")
    await wire.send(b"UIDL\r\n" * 5)
    await other.ok(b"NOOP")
    assert len(house.factory.connections.members) == 2
    for _ in range(5):
        await wire.line()
        assert len(await wire.body()) == 10_000
