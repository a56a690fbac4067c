"""What hostile and hasty clients do (I rows) that no other file tests."""

from time import process_time

import pytest
from door_accounts import ALICE
from imap.wire import House, Wire
from wires import mail

from bmgate.domain.mailbox import Flags
from bmgate.imap.cursor import Cursor
from bmgate.imap.sets import indices_of_numbers, indices_of_uids, read_set
from bmgate.imap.sort import base_subject


@pytest.mark.parametrize(
    "text",
    [
        b",".join(b"%d" % (number * 3 + 1) for number in range(8_000)),
        b"1:4294967295",
        b",".join([b"1"] * 20_000),
        b",".join([b"1:*"] * 10_000),
        b"*:*",
    ],
)
def test_i3_large_sets_are_cut_with_what_exists(text: bytes) -> None:
    uids = list(range(1, 10_001))
    began = process_time()
    found = read_set(Cursor((text,)))
    assert indices_of_uids(found, uids) == indices_of_numbers(found, len(uids))
    assert process_time() - began < 1  # 50 ms are wanted


@pytest.mark.parametrize("text", [b"1_0", b"+5", b"-1", b"0", b"1" + b"0" * 20, b"4294967296", b"1:", b",", b"1,,2"])
async def test_i3_numbers_are_read_strictly(house: House, text: bytes) -> None:
    wire = await house.selected()
    assert (await wire.refused(b"FETCH " + text + b" FLAGS")).startswith(b"BAD ")


@pytest.mark.parametrize(
    "key",
    [
        b"(" * 1000 + b"ALL" + b")" * 1000,
        b"NOT " * 2000 + b"ALL",
        b"OR " * 2000 + b"ALL " * 2000 + b"ALL",
        b" ".join([b"BODY x"] * 101),
    ],
)
async def test_i5_deep_and_long_searches_are_refused(house: House, key: bytes) -> None:
    wire = await house.selected()
    assert (await wire.refused(b"SEARCH " + key)).startswith(b"BAD ")
    assert (await wire.refused(b"SORT (DATE) UTF-8 " + key)).startswith(b"BAD ")
    assert (await wire.refused(b"SEARCH CHARSET X-BOGUS ALL")).startswith(b"NO [BADCHARSET ")
    assert await wire.ok(b"SEARCH ALL") == [b"* SEARCH\r\n"]


async def test_i5_a_hostile_subject_sorts_like_any_other(house: House) -> None:
    assert base_subject("Re: " * 100_000)[1]
    house.services.mailboxes.fill("INBOX", mail("re:" * 20_000), mail("[" * 20_000))
    wire = await house.selected()
    assert await wire.ok(b"SORT (SUBJECT) UTF-8 ALL") == [b"* SORT 1 2\r\n"]


async def test_i2_many_mails_in_one_append_are_bounded(house: House) -> None:
    wire = await house.logged_in()
    assert (await wire.refused(b"APPEND INBOX" + b" {1+}\r\nx" * 501)).startswith(b"BAD ")
    assert await wire.ok(b"STATUS INBOX (MESSAGES)") == [b'* STATUS "INBOX" (MESSAGES 0)\r\n']


@pytest.mark.parametrize("name", [b'a"b', b"a\\b", b"a)b", b"(x", b"a{3}", b"&AOQ-", b"a b"])
async def test_i13_names_of_any_characters_are_told_so_that_clients_read_them(house: House, name: bytes) -> None:
    wire = await house.logged_in()
    await wire.ok(b"CREATE {%d+}\r\n%b" % (len(name), name))
    quoted = name.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    assert b'* LIST (\\HasNoChildren) "/" "%b"\r\n' % quoted in await wire.ok(b'LIST "" "*"')
    assert await wire.ok(b'STATUS "%b" (MESSAGES)' % quoted) == [b'* STATUS "%b" (MESSAGES 0)\r\n' % quoted]


async def test_i13_nul_and_line_ends_in_names_and_keywords_are_refused(house: House) -> None:
    wire = await house.selected()
    assert (await wire.refused(b"CREATE {3+}\r\na\0b")).startswith(b"NO [CANNOT] ")
    assert (await wire.refused(b"CREATE {4+}\r\na\r\nb")).startswith(b"NO [CANNOT] ")
    assert (await wire.refused(b'STORE 1 +FLAGS (a"b)')).startswith(b"BAD ")


@pytest.mark.parametrize("name", [b"/", b"/x", b"a//b"])
async def test_i14_impossible_names_are_refused(house: House, name: bytes) -> None:
    wire = await house.logged_in()
    assert (await wire.refused(b'CREATE "%b"' % name)).startswith(b"NO [CANNOT] ")
    assert (await wire.refused(b"DELETE INBOX")).startswith(b"NO [CANNOT] ")
    await wire.ok(b"CREATE a")
    assert (await wire.refused(b"RENAME a a/b")).startswith(b"NO [CANNOT] ")


async def test_i14_dots_are_a_name_like_any_other(house: House) -> None:
    wire = await house.logged_in()
    await wire.ok(b'CREATE "../x"')
    assert (await wire.ok(b'LIST "" "../x"')) == [b'* LIST (\\HasNoChildren) "/" "../x"\r\n']


async def test_i16_anothers_mailboxes_and_messages_are_as_if_absent(house: House) -> None:
    house.services.mailboxes.fill("INBOX", mail("secret"))
    owner = await house.logged_in()
    await owner.ok(b"CREATE private")
    wire = await house.logged_in("bob")
    await wire.ok(b"SELECT INBOX")
    answers = set()
    for name in (b"private", b"nowhere", b"#user/alice/INBOX", b"~alice/INBOX"):
        answers.add(await wire.refused(b'STATUS "%b" (MESSAGES)' % name))
        answers.add(await wire.refused(b'SELECT "%b"' % name))
        answers.add(await wire.refused(b'GETQUOTAROOT "%b"' % name))
    assert answers == {b"NO [NONEXISTENT] No such mailbox\r\n"}
    await wire.ok(b"SELECT INBOX")
    assert await wire.ok(b"UID FETCH 1 BODY[]") == []
    assert await wire.ok(b"UID SEARCH ALL") == [b"* SEARCH\r\n"]
    assert [row.flags for row in house.services.mailboxes.of(ALICE)["INBOX"].rows.values()] == [Flags.NONE]


async def test_i20_compression_is_not_offered(house: House) -> None:
    wire = await house.logged_in()
    assert b"COMPRESS" not in b"".join(await wire.ok(b"CAPABILITY"))
    assert (await wire.refused(b"COMPRESS DEFLATE")).startswith(b"BAD ")


async def test_i1_a_literal_as_a_tag_ends_before_login(house: House) -> None:
    wire: Wire = await house.connect()
    await wire.send(b"{5+}\r\nabcde NOOP\r\n")
    assert (await wire.line()).startswith(b"* BAD ")
