"""Names above and below each other, and mailboxes that change theirs while they are selected; over a real database."""

from collections.abc import Awaitable, Callable

import pytest
from imap.wire import Wire

Connect = Callable[[], Awaitable[Wire]]


async def names(wire: Wire, pattern: bytes = b"*") -> list[bytes]:
    """What LIST tells, without the special mailboxes."""
    lines = await wire.ok(b'LIST "" "%b"' % pattern)
    found = [line.rpartition(b'"/" ')[2].strip(b'"\r\n') for line in lines]
    return [name for name in found if name not in b"INBOX Sent Drafts Trash Junk Archive Outbox".split()]


async def test_who_deletes_his_selected_mailbox_goes_on_without_one(connect: Connect) -> None:
    wire = await connect()
    await wire.ok(b"CREATE Box")
    await wire.ok(b"SELECT Box")
    await wire.ok(b"RENAME Box Other")
    assert await wire.ask(b"DELETE Other") == [b"OK Done\r\n"]
    assert (await wire.refused(b"FETCH 1 FLAGS")).startswith(b"BAD ")
    await wire.ok(b"ENABLE IMAP4rev2")
    await wire.ok(b"CREATE Box")
    await wire.ok(b"SELECT Box")
    first, last = await wire.ask(b"DELETE Box")
    assert first.startswith(b"* OK [CLOSED] ")
    assert last == b"OK Done\r\n"
    await wire.ok(b"NOOP")


async def test_a_mailbox_that_has_got_the_old_name_of_the_selected_one_is_another(connect: Connect) -> None:
    wire = await connect()
    for command in (b"CREATE Box", b"SELECT Box", b"RENAME Box Other", b"CREATE Box", b"DELETE Box"):
        await wire.ok(command)
    await wire.ok(b"APPEND Other {4+}\r\nmail")
    assert len(await wire.ok(b"FETCH 1 UID")) == 1
    assert (await wire.refused(b"DELETE Sent")).startswith(b"NO [CANNOT] ")
    assert len(await wire.ok(b"FETCH 1 UID")) == 1


async def test_what_is_below_a_name_without_a_mailbox_is_renamed(connect: Connect) -> None:
    wire = await connect()
    for command in (b"CREATE p/q/r", b"DELETE p", b"DELETE p/q", b"RENAME p pp/x"):
        await wire.ok(command)
    assert await names(wire) == [b"pp", b"pp/x", b"pp/x/q", b"pp/x/q/r"]
    await wire.ok(b"SELECT pp/x/q/r")
    assert (await wire.refused(b"RENAME p other")).startswith(b"NO [NONEXISTENT] ")
    assert (await wire.refused(b"RENAME pp/x pp/x/q/y")).startswith(b"NO [CANNOT] ")


async def test_the_answers_about_a_name_that_only_holds_others_are_true(connect: Connect) -> None:
    wire = await connect()
    for command in (b"CREATE p/q", b"DELETE p"):
        await wire.ok(command)
    for command in (b"SELECT p", b"STATUS p (MESSAGES)"):
        assert await wire.refused(command) == b"NO [CANNOT] p holds no mail, only other mailboxes\r\n"
    assert await wire.refused(b"DELETE p") == b"NO [HASCHILDREN] p is no mailbox, it only holds others\r\n"
    assert (await wire.refused(b"APPEND p {4+}\r\nmail")).startswith(b"NO [TRYCREATE] ")
    await wire.ok(b"CREATE p")
    await wire.ok(b"SELECT p")


async def test_m3_a_first_level_is_known_by_the_names_programs_use(connect: Connect) -> None:
    wire = await connect()
    await wire.ok(b'CREATE "Sent Items/kid"')
    await wire.ok(b"CREATE x")
    await wire.ok(b'RENAME x "Deleted Items/x"')
    assert await names(wire) == [b"Sent/kid", b"Trash/x"]
    for command in (b'SELECT "sent items/kid"', b'STATUS "Deleted Items/x" (UIDNEXT)', b'UNSUBSCRIBE "spam"'):
        await wire.ok(command)
    await wire.ok(b'APPEND "Sent Messages/kid" {4+}\r\nmail')
    await wire.ok(b'SELECT "Sent Items"')
    assert (await wire.refused(b'CREATE "Sent Items/kid"')).startswith(b"NO [ALREADYEXISTS] ")
    assert (await wire.refused(b'RENAME Trash/x "Spam"')).startswith(b"NO [ALREADYEXISTS] ")
    await wire.ok(b'DELETE "Sent Items/kid"')
    assert await names(wire) == [b"Trash/x"]


async def test_inbox_may_have_mailboxes_below_it_and_is_one_in_any_case(connect: Connect) -> None:
    wire = await connect()
    await wire.ok(b"CREATE inbox/kid")
    await wire.ok(b"SELECT Inbox/kid")
    assert await names(wire, b"inbox/%") == [b"INBOX/kid"]
    assert await names(wire, b"INBOX*") == [b"INBOX/kid"]
    await wire.ok(b"RENAME INBOX old")
    assert await names(wire) == [b"INBOX/kid", b"old"]


@pytest.mark.parametrize("letters", ["\u0085", "\u2028", "\u2029", "\u202e", "\u2066", "\u200f", "\u061c"])
async def test_i14_what_a_line_cannot_show_is_in_no_name(connect: Connect, letters: str) -> None:
    wire = await connect()
    name = f"a{letters}b".encode()
    assert (await wire.refused(b"CREATE {%d+}\r\n%b" % (len(name), name))).startswith(b"NO [CANNOT] ")


async def test_i14_names_that_look_alike_are_one(connect: Connect) -> None:
    wire = await connect()
    composed, decomposed = "caf\u00e9".encode(), "cafe\u0301".encode()
    await wire.ok(b"CREATE {%d+}\r\n%b" % (len(decomposed), decomposed))
    await wire.ok(b"CREATE {%d+}\r\n%b/below" % (len(decomposed) + 6, decomposed))
    await wire.ok(b"CREATE x")
    for command in (
        b"CREATE {%d+}\r\n%b" % (len(composed), composed),
        b"RENAME x {%d+}\r\n%b" % (len(composed), composed),
    ):
        assert (await wire.refused(command)).startswith(b"NO [ALREADYEXISTS] ")
    below = composed + b"/more"
    assert (await wire.refused(b"CREATE {%d+}\r\n%b" % (len(below), below))).startswith(b"NO [ALREADYEXISTS] ")
