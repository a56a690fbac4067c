"""The IMAP door over the real services and a real database."""

import asyncio
import os
from collections.abc import Awaitable, Callable

import pytest
from imap.wire import Wire
from wires import mail

Connect = Callable[[], Awaitable[Wire]]


async def test_a_mailbox_lives_through_all_commands(connect: Connect) -> None:
    wire, other = await connect(), await connect()
    big = mail("big", os.urandom(600_000).hex())
    for raw in [mail("one"), mail("two"), big]:
        await wire.ok(b"APPEND INBOX ($Label1) {%d+}\r\n%b" % (len(raw), raw))
    assert (await wire.ok(b"SELECT INBOX"))[1:3] == [b"* 3 EXISTS\r\n", b"* 3 RECENT\r\n"]
    assert b"* 0 RECENT\r\n" in await other.ok(b"SELECT INBOX")
    await other.send(b"i IDLE\r\n")
    await other.line()
    assert await wire.ok(b"FETCH 3 BODY.PEEK[]") == [b"* 3 FETCH (BODY[] {%d}\r\n%b)\r\n" % (len(big), big)]
    (first,) = await wire.ok(b"FETCH 1 (FLAGS RFC822.SIZE)")
    assert first.startswith(b"* 1 FETCH (FLAGS (\\Recent $Label1) RFC822.SIZE ")
    assert await wire.ok(b"UID SEARCH SUBJECT two") == [b"* SEARCH 2\r\n"]
    assert await wire.ok(b"STORE 2 +FLAGS.SILENT (\\Deleted)") == []
    assert await other.line() == b"* 2 FETCH (UID 2 FLAGS (\\Deleted $Label1))\r\n"
    assert await wire.ok(b"EXPUNGE") == [b"* 2 EXPUNGE\r\n"]
    assert await other.line() == b"* 2 EXPUNGE\r\n"
    moved = await wire.ok(b"MOVE 1:2 Trash")
    assert moved[0].startswith(b"* OK [COPYUID ")
    assert moved[0].endswith(b" 1,3 1:2] Moved\r\n")
    assert moved[1:] == [b"* 2 EXPUNGE\r\n", b"* 1 EXPUNGE\r\n"]
    assert [await other.line(), await other.line()] == moved[1:]
    await wire.ok(b"APPEND INBOX {4+}\r\nmail")
    assert await other.line() == b"* 1 EXISTS\r\n"
    assert await wire.ok(b"STATUS INBOX (UIDNEXT MESSAGES)") == [b'* STATUS "INBOX" (UIDNEXT 5 MESSAGES 1)\r\n']


async def test_mailboxes_are_made_renamed_listed_and_removed(connect: Connect) -> None:
    wire = await connect()
    await wire.ok(b'CREATE "Entw&APw-rfe/deep"')
    await wire.ok(b'CREATE "Sent Items"')
    await wire.ok(b'RENAME "Entw&APw-rfe" plain')
    names = [line.rpartition(b'"/" ')[2] for line in await wire.ok(b'LIST "" "*"')]
    assert b'"plain/deep"\r\n' in names
    assert b'"Sent Items"\r\n' not in names
    await wire.ok(b"DELETE plain/deep")
    assert (await wire.refused(b"SELECT plain/deep")).startswith(b"NO [NONEXISTENT] ")
    assert (await wire.refused(b"COPY 1 x")).startswith(b"BAD ")
    assert (await wire.refused(b"CREATE inbox")).startswith(b"NO ")
    assert (await wire.refused(b"DELETE Sent")).startswith(b"NO [CANNOT] ")


async def test_a_client_comes_back_to_a_mailbox_that_has_forgotten(connect: Connect) -> None:
    """Expunges are remembered up to a bound; behind it, all that is not there is told as vanished."""
    wire = await connect()
    for number in range(4):
        raw = mail(f"mail {number}")
        await wire.ok(b"APPEND INBOX {%d+}\r\n%b" % (len(raw), raw))
    await wire.ok(b"ENABLE QRESYNC")
    selected = await wire.ok(b"SELECT INBOX")
    validity = int(b"".join(selected).split(b"UIDVALIDITY ")[1].split(b"]")[0])
    await wire.ok(b"STORE 2 +FLAGS.SILENT (\\Deleted)")
    assert (await wire.ask(b"EXPUNGE"))[0] == b"* VANISHED 2\r\n"
    again = await wire.ok(b"SELECT INBOX (QRESYNC (%d 5 1:4))" % validity)
    assert again[-1] == b"* VANISHED (EARLIER) 2\r\n"
    forgotten = await wire.ok(b"SELECT INBOX (QRESYNC (%d 1))" % validity)
    assert forgotten[-4] == b"* VANISHED (EARLIER) 2\r\n"
    (date,) = await wire.ok(b"UID FETCH 1 (SAVEDATE EMAILID)")
    assert date.startswith(b'* 1 FETCH (UID 1 SAVEDATE "')
    assert await wire.ok(b"GETQUOTAROOT INBOX") != []
    lines = await wire.ok(b"UID THREAD REFERENCES UTF-8 ALL")
    assert lines == [b"* THREAD (1)(3)(4)\r\n"]


async def test_programs_say_what_is_subscribed_and_a_new_mailbox_takes_over_from_a_former_one(connect: Connect) -> None:
    wire = await connect()
    for name in (b"first", b"second", b"third/below"):
        await wire.ok(b"CREATE " + name)
    listed = b"".join(await wire.ok(b'LIST (SUBSCRIBED) "" "*"'))
    assert b'"INBOX"' in listed
    assert b"first" not in listed
    await wire.ok(b"SUBSCRIBE first")
    await wire.ok(b"SUBSCRIBE second")
    await wire.ok(b"DELETE first")
    await wire.ok(b"DELETE second")
    assert b'* LSUB (\\Noselect) "/" "first"\r\n' in await wire.ok(b'LSUB "" "*"')
    await wire.ok(b"CREATE first")
    await wire.ok(b"RENAME third second")
    lines = await wire.ok(b'LSUB "" "*"')
    assert b'* LSUB () "/" "first"\r\n' in lines
    assert b'* LSUB () "/" "second"\r\n' in lines
    assert not any(b"third" in line or b"below" in line for line in lines)


async def test_i7_a_large_mail_comes_whole_although_it_is_moved_meanwhile_and_ends_when_it_is_gone(
    connect: Connect,
) -> None:
    reader, mover = await connect(), await connect()
    raw = mail(body="line of text\r\n" * 1_000_000)
    await mover.ok(b"APPEND INBOX {%d+}\r\n%b" % (len(raw), raw))
    for wire in (reader, mover):
        await wire.ok(b"SELECT INBOX")
    (part,) = await reader.ok(b"FETCH 1 BODY.PEEK[1]<300000.70000>")
    assert raw.partition(b"\r\n\r\n")[2][300_000:370_000] in part
    await begin(reader)
    await mover.ok(b"MOVE 1 Trash")
    (whole, *_, last) = await finish(reader)
    assert whole == b" 1 FETCH (BODY[] {%d}\r\n%b)\r\n" % (len(raw), raw)
    assert last.startswith(b"f OK ")
    for wire in (reader, mover):
        await wire.ok(b"SELECT Trash")
    await begin(reader)
    await mover.ok(b"STORE 1 +FLAGS (\\Deleted)")
    await mover.ok(b"EXPUNGE")
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await finish(reader)
    assert await mover.ok(b"SEARCH ALL") == [b"* SEARCH\r\n"]


async def begin(wire: Wire) -> None:
    """Ask for a mail, and read one octet of the answer."""
    await wire.send(b"f FETCH 1 BODY.PEEK[]\r\n")
    assert await wire.reader.readexactly(1) == b"*"
    wire.stop_reading()


async def finish(wire: Wire) -> list[bytes]:
    wire.read_on()
    return await wire.until(b"f")
