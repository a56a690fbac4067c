"""Commands on messages, raw: FETCH, STORE, COPY, MOVE, SEARCH, EXPUNGE, and what other sessions hear."""

import asyncio
from collections.abc import Callable

import pytest
from imap.fake_services import NOW
from imap.wire import House, Wire
from wires import mail

from bmgate.domain.mailbox import Flags
from bmgate.imap.limits import ImapLimits

NESTED = (
    b"From: a@b.example\r\nSubject: outer\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
    b"--x\r\nContent-Type: text/plain\r\n\r\nfirst\r\n"
    b"--x\r\nContent-Type: message/rfc822\r\n\r\n"
    b"Subject: inner\r\nTo: c@d.example\r\n\r\ninner text\r\n"
    b"--x--\r\n"
)


@pytest.fixture
async def inbox(house: House) -> Wire:
    """INBOX with three mails."""
    house.services.mailboxes.fill("INBOX", mail("one"), mail("two", "Some body.\r\n"), NESTED)
    return await house.selected()


async def test_rows_are_fetched_without_reading_a_message(house: House, inbox: Wire) -> None:
    assert await inbox.ok(b"FETCH 1:* (UID FLAGS)") == [
        b"* 1 FETCH (UID 1 FLAGS ())\r\n",
        b"* 2 FETCH (UID 2 FLAGS ())\r\n",
        b"* 3 FETCH (UID 3 FLAGS ())\r\n",
    ]
    assert await inbox.ok(b"UID FETCH 3 FLAGS") == [b"* 3 FETCH (UID 3 FLAGS ())\r\n"]
    assert house.services.mailboxes.reads == 0


async def test_partials_are_cut_and_an_offset_behind_the_end_gives_nothing(inbox: Wire) -> None:
    assert await inbox.ok(b"FETCH 2 BODY.PEEK[]<2.5>") == [b"* 2 FETCH (BODY[]<2> {5}\r\nom: B)\r\n"]
    assert await inbox.ok(b"FETCH 2 BODY.PEEK[]<99999.5>") == [b"* 2 FETCH (BODY[]<99999> {0}\r\n)\r\n"]
    assert await inbox.ok(b"FETCH 2 BODY.PEEK[TEXT]<5.100>") == [b"* 2 FETCH (BODY[TEXT]<5> {7}\r\nbody.\r\n)\r\n"]
    whole = mail("two", "Some body.\r\n")
    edge = whole.index(b"\r\n\r\n") + 2
    assert await inbox.ok(b"FETCH 2 BODY.PEEK[]<%d.6>" % edge) == [b"* 2 FETCH (BODY[]<%d> {6}\r\n\r\nSome)\r\n" % edge]


async def test_every_section_of_nested_mail_is_found(inbox: Wire) -> None:
    sections = {
        b"BODY[]": NESTED,
        b"BODY[HEADER]": NESTED[: NESTED.index(b"\r\n\r\n") + 4],
        b"BODY[TEXT]": NESTED[NESTED.index(b"\r\n\r\n") + 4 :],
        b"BODY[1]": b"first",
        b"BODY[1.MIME]": b"Content-Type: text/plain\r\n\r\n",
        b"BODY[2]": b"Subject: inner\r\nTo: c@d.example\r\n\r\ninner text",
        b"BODY[2.HEADER]": b"Subject: inner\r\nTo: c@d.example\r\n\r\n",
        b"BODY[2.TEXT]": b"inner text",
        b"BODY[2.1]": b"inner text",
        b"BODY[2.HEADER.FIELDS (To)]": b"To: c@d.example\r\n\r\n",
        b"BODY[HEADER.FIELDS.NOT (From Content-Type)]": b"Subject: outer\r\n\r\n",
    }
    for label, expected in sections.items():
        asked = label.replace(b"BODY[", b"BODY.PEEK[")
        assert await inbox.ok(b"FETCH 3 " + asked) == [
            b"* 3 FETCH (%b {%d}\r\n%b)\r\n" % (label, len(expected), expected)
        ]
    assert await inbox.ok(b"FETCH 3 BODY.PEEK[7.1]") == [b"* 3 FETCH (BODY[7.1] NIL)\r\n"]
    assert await inbox.ok(b"FETCH 3 RFC822.HEADER") == [
        b"* 3 FETCH (RFC822.HEADER {%d}\r\n%b)\r\n" % (len(sections[b"BODY[HEADER]"]), sections[b"BODY[HEADER]"])
    ]


async def test_sizes_envelopes_and_structures_are_told(inbox: Wire) -> None:
    line = (await inbox.ok(b"FETCH 2 ALL"))[0]
    assert b"RFC822.SIZE %d " % len(mail("two", "Some body.\r\n")) in line
    assert b'INTERNALDATE "18-Nov-2026 11:06:40 +0000"' in line
    assert b'ENVELOPE ("Sat, 21 Nov 2026 20:15:00 +0000" "two" (("Bob" NIL "bob" "bm.internal"))' in line
    assert b'BODYSTRUCTURE (("text" "plain"' in (await inbox.ok(b"FETCH 3 BODYSTRUCTURE"))[0].lower().replace(
        b"bodystructure", b"BODYSTRUCTURE"
    )


async def test_body_sets_seen_and_tells_it_and_peek_does_not(inbox: Wire) -> None:
    assert b"FLAGS" not in (await inbox.ok(b"FETCH 1 BODY.PEEK[HEADER]"))[0]
    line = (await inbox.ok(b"FETCH 1 BODY[HEADER]"))[0]
    assert line.endswith(b" FLAGS (\\Seen))\r\n")
    assert b"FLAGS" not in (await inbox.ok(b"FETCH 1 RFC822.TEXT"))[0]
    assert await inbox.ok(b"FETCH 1:2 FLAGS") == [
        b"* 1 FETCH (FLAGS (\\Seen))\r\n",
        b"* 2 FETCH (FLAGS ())\r\n",
    ]


async def test_a_uid_range_behind_the_end_means_the_last_message(inbox: Wire) -> None:
    assert await inbox.ok(b"UID FETCH 999:* FLAGS") == [b"* 3 FETCH (UID 3 FLAGS ())\r\n"]
    assert await inbox.ok(b"UID FETCH 999 FLAGS") == []
    assert len(await inbox.ok(b"UID FETCH 4294967295:1,2,2,1:* UID")) == 3


async def test_uid_replies_always_contain_the_uid(inbox: Wire) -> None:
    assert await inbox.ok(b"UID STORE 2 +FLAGS (\\Flagged)") == [b"* 2 FETCH (UID 2 FLAGS (\\Flagged))\r\n"]
    assert b"UID 2" in (await inbox.ok(b"UID FETCH 2 BODY[TEXT]"))[0]


async def test_store_changes_flags_and_keywords(inbox: Wire) -> None:
    flags, permanent, told = await inbox.ok(b"STORE 1 FLAGS (\\Seen $Label1 NonJunk)")
    assert flags.startswith(b"* FLAGS (")
    assert flags.endswith(b" $Label1 NonJunk)\r\n")
    assert permanent.startswith(b"* OK [PERMANENTFLAGS (")
    assert told.endswith(b"FLAGS (\\Seen $Label1 NonJunk))\r\n")
    assert (await inbox.ok(b"STORE 1 -FLAGS ($label1)"))[0].endswith(b"FLAGS (\\Seen NonJunk))\r\n")
    assert await inbox.ok(b"STORE 1 +FLAGS.SILENT (\\Deleted)") == []
    assert await inbox.ok(b"FETCH 1 FLAGS") == [b"* 1 FETCH (FLAGS (\\Seen \\Deleted NonJunk))\r\n"]


async def test_copy_and_move_tell_their_uids(house: House, inbox: Wire) -> None:
    assert await inbox.ask(b"COPY 1,3 Archive") == [b"OK [COPYUID %d 1,3 1:2] Done\r\n" % (NOW + 5)]
    assert await inbox.ask(b"UID MOVE 1:2 Archive") == [
        b"* OK [COPYUID %d 1:2 3:4] Moved\r\n" % (NOW + 5),
        b"* 2 EXPUNGE\r\n",
        b"* 1 EXPUNGE\r\n",
        b"OK Done\r\n",
    ]
    assert await inbox.ok(b"FETCH 1:* UID") == [b"* 1 FETCH (UID 3)\r\n"]
    assert await inbox.ok(b"COPY 1 INBOX") == [b"* 2 EXISTS\r\n"]
    assert await inbox.ask(b"UID MOVE 77 Archive") == [b"OK Nothing to do\r\n"]


async def test_expunge_and_uid_expunge_and_close(inbox: Wire) -> None:
    await inbox.ok(b"STORE 1:3 +FLAGS.SILENT (\\Deleted)")
    assert await inbox.ok(b"UID EXPUNGE 2:3,9") == [b"* 3 EXPUNGE\r\n", b"* 2 EXPUNGE\r\n"]
    assert await inbox.ok(b"EXPUNGE") == [b"* 1 EXPUNGE\r\n"]
    await inbox.ok(b"APPEND INBOX (\\Deleted) {1+}\r\nx")
    assert await inbox.ok(b"CLOSE") == []
    assert b"* 0 EXISTS\r\n" in await inbox.ok(b"SELECT INBOX")


async def test_others_hear_at_the_allowed_moments_only(house: House, inbox: Wire) -> None:
    house.services.mailboxes.drop("INBOX", 1)
    house.services.mailboxes.mark("INBOX", 2, Flags.FLAGGED, "$New")
    house.services.mailboxes.fill("INBOX", mail("four"))
    told = await inbox.ok(b"FETCH 3 UID")
    assert told[0] == b"* 3 FETCH (UID 3)\r\n"
    assert b"* 4 EXISTS\r\n" in told
    assert b"* 2 FETCH (UID 2 FLAGS (\\Flagged $New))\r\n" in told
    assert any(line.startswith(b"* FLAGS (") and b"$New" in line for line in told)
    assert await inbox.ok(b"SEARCH ALL") == [b"* SEARCH 1 2 3 4\r\n"]
    assert await inbox.ok(b"STORE 4 +FLAGS.SILENT (\\Seen)") == []
    for command in (b"FETCH 1 BODY.PEEK[]", b"UID FETCH 1 BODY.PEEK[]"):
        assert (await inbox.ask(command))[-1].startswith(b"OK [EXPUNGEISSUED] ")
    assert await inbox.ok(b"NOOP") == []
    house.services.mailboxes.drop("INBOX", 2)
    assert await inbox.ok(b"NOOP") == [b"* 1 EXPUNGE\r\n"]
    assert await inbox.ok(b"NOOP") == []


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        (b"ALL", b"1 2 3"),
        (b"SUBJECT two", b"2"),
        (b"SUBJECT TWO UNSEEN", b"2"),
        (b"SUBJECT {3+}\r\nTWO NOT SEEN", b"2"),
        (b"CHARSET UTF-8 SUBJECT {4+}\r\n\xc3\xbcxx", b""),
        (b"FROM bob", b"1 2"),
        (b"FROM bob@bm.internal", b"1 2"),
        (b"TO alice", b"1 2"),
        (b"CC x", b""),
        (b"BCC x", b""),
        (b"HEADER Message-ID bm.internal", b"1 2"),
        (b'HEADER Content-Type ""', b"3"),
        (b"BODY body", b"2"),
        (b"BODY inner", b"3"),
        (b"TEXT outer", b"3"),
        (b"TEXT Bob", b"1 2"),
        (b"NOT BODY inner", b"1 2"),
        (b"OR BODY inner SUBJECT one", b"1 3"),
        (b"KEYWORD $x", b"3"),
        (b"UNKEYWORD $X", b"1 2"),
        (b"SEEN", b"1"),
        (b"UNSEEN UNDELETED", b"2 3"),
        (b"ANSWERED", b""),
        (b"UNANSWERED FLAGGED", b"2"),
        (b"UNFLAGGED", b"1 3"),
        (b"DRAFT", b""),
        (b"UNDRAFT DELETED", b""),
        (b"NEW", b""),
        (b"RECENT", b""),
        (b"OLD", b"1 2 3"),
        (b"2:* UID 1:2", b"2"),
        (b"1,3", b"1 3"),
        (b"*", b"3"),
        (b"LARGER 200", b"3"),
        (b"SMALLER 200", b"1 2"),
        (b"ON 18-Nov-2026", b"1 2 3"),
        (b"SINCE 19-Nov-2026", b""),
        (b"BEFORE 19-Nov-2026", b"1 2 3"),
        (b'SENTON "21-Nov-2026"', b"1 2"),
        (b"SENTSINCE 22-Nov-2026", b""),
        (b"SENTBEFORE 22-Nov-2026", b"1 2"),
        (b"(OR (SUBJECT one) (SUBJECT two)) NOT 1", b"2"),
    ],
)
async def test_search_knows_every_key(house: House, inbox: Wire, keys: bytes, found: bytes) -> None:
    house.services.mailboxes.mark("INBOX", 1, Flags.SEEN)
    house.services.mailboxes.mark("INBOX", 2, Flags.FLAGGED)
    house.services.mailboxes.mark("INBOX", 3, Flags.NONE, "$X")
    await inbox.ok(b"NOOP")
    answer = b"* SEARCH " + found + b"\r\n" if found else b"* SEARCH\r\n"
    assert await inbox.ok(b"SEARCH " + keys) == [answer]


async def test_search_finds_an_address_that_comments_break_up(house: House) -> None:
    house.services.mailboxes.fill(
        "INBOX", b"From: <ann (of (a))@ (x) y.org>\r\n\r\n", b"From: ann@z.org (y.org)\r\n\r\n"
    )
    wire = await house.selected()
    assert await wire.ok(b"SEARCH FROM ann@y.org") == [b"* SEARCH 1\r\n"]
    assert await wire.ok(b"SEARCH SUBJECT ann@y.org") == [b"* SEARCH\r\n"]


async def test_search_decodes_what_it_searches(house: House) -> None:
    house.services.mailboxes.fill(
        "INBOX",
        b"Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\r\nx",
        b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe",
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nR3LDvMOfZQ==\r\n",
    )
    wire = await house.selected()
    assert await wire.ok("SEARCH CHARSET UTF-8 SUBJECT {7+}\r\ngrüße".encode()) == [b"* SEARCH 1\r\n"]
    assert await wire.ok('SEARCH BODY "GRÜSSE"'.encode()) == [b"* SEARCH 2 3\r\n"]
    assert await wire.ok('UID SEARCH TEXT "grüße"'.encode()) == [b"* SEARCH 1 2 3\r\n"]
    assert await wire.refused(b"SEARCH CHARSET KOI8-R ALL") == b"NO [BADCHARSET (US-ASCII UTF-8)] Unknown charset\r\n"


POISON = {
    "8-bit header": b"From: J\xf6rg <j@x>\r\nSubject: \xff\xfe\xe4\r\n\r\n\xe4",
    "NUL": b"Subject: a\0b\r\n\r\nc\0d",
    "no header": b"\r\nbody",
    "nothing": b"",
    "no end of header": b"Subject: x",
    "large header": b"Subject: " + b"x" * 1_000_000 + b"\r\n\r\n",
    "many fields": b"X: y\r\n" * 20_000 + b"\r\n",
    "many parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 10_000,
    "deep": b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(100)),
    "wrong boundary": b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
    "truncated": b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: message/rfc822\r\n\r\nSubj",
    "contradictory": b"Content-Type: text/plain\r\nContent-Type: multipart/mixed\r\n\r\n--\r\n",
    "nonsense date": b"Date: 99 Foo 0000 99:99\r\n\r\n",
    "hostile quoting": b'From: "a\\"b\r\n )( NIL {5}" <"x\\"@y>\r\nSubject: {100}\r\n\r\n',
}


@pytest.mark.parametrize("name", POISON)
async def test_i13_the_worst_mail_costs_one_ugly_field_and_not_the_session(house: House, name: str) -> None:
    house.services.mailboxes.fill("INBOX", POISON[name], mail("after"))
    wire = await house.selected()
    for item in [
        b"FULL",
        b"BODYSTRUCTURE",
        b"(ENVELOPE BODY.PEEK[HEADER.FIELDS (Subject)])",
        b"BODY.PEEK[1.MIME]",
        b"BODY[]",
    ]:
        lines = await wire.ok(b"FETCH 1 " + item)
        assert len(lines) == 1
        assert b"\0" not in lines[0]
    await wire.ok(b"SEARCH OR SUBJECT x BODY x")
    assert b'"after"' in (await wire.ok(b"FETCH 2 ENVELOPE"))[0]


async def test_i3_a_huge_set_of_numbers_is_cut_with_what_exists(inbox: Wire) -> None:
    assert len(await inbox.ok(b"FETCH 1:4294967295,4294967295:1,*:* FLAGS")) == 3
    assert await inbox.ok(b"SEARCH UID 1:4294967295") == [b"* SEARCH 1 2 3\r\n"]


async def test_i6_a_search_that_takes_too_long_is_refused_and_others_go_on(
    make_house: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    house = make_house(ImapLimits(search_seconds=0.05))
    house.services.mailboxes.fill("INBOX", mail())
    wire, other = await house.selected(), await house.selected()
    with monkeypatch.context() as patch:
        patch.setattr(house.services.mailboxes, "messages", never)
        searching = asyncio.create_task(wire.ask(b"SEARCH BODY x"))
        await other.ok(b"NOOP")
        assert (await searching)[-1] == b"NO [LIMIT] The search took too long\r\n"
    assert await wire.ok(b"SEARCH BODY text") == [b"* SEARCH 1\r\n"]


async def test_a_silent_store_still_tells_what_others_changed(house: House, inbox: Wire) -> None:
    house.services.mailboxes.mark("INBOX", 1, Flags.FLAGGED, "$Other")
    told = await inbox.ok(b"STORE 1:2 +FLAGS.SILENT (\\Seen $X)")
    assert told[0].endswith(b" $Other $X)\r\n")
    assert told[2:] == [b"* 1 FETCH (UID 1 FLAGS (\\Seen \\Flagged $Other $X))\r\n"]
    assert await inbox.ok(b"STORE 1:2 -FLAGS.SILENT (\\Seen $x)") == []
    assert await inbox.ok(b"STORE 1:2 FLAGS.SILENT (\\Draft)") == []


async def test_i7_large_mail_is_read_as_it_goes_and_small_mail_together(make_house: Callable[..., House]) -> None:
    house = make_house(ImapLimits(fetch_octets=10_000, fetch_messages=20))
    mailboxes = house.services.mailboxes
    sizes = [*[10] * 20, *[6_000] * 5, 30_000, *[10] * 3]
    mailboxes.fill("INBOX", *(mail(str(size), "x" * size) for size in sizes))
    wire = await house.selected()
    mailboxes.drop("INBOX", 21, 29)
    lines = await wire.ask(b"UID FETCH 1:* BODY.PEEK[TEXT]")
    assert lines[-1].startswith(b"OK [EXPUNGEISSUED]")
    told = [(int(line.split()[1]), line.count(b"x")) for line in lines if b"BODY[TEXT]" in line]
    assert told == [(n, size) for n, size in enumerate(sizes, 1) if n not in (21, 29)]
    assert max(mailboxes.octets_read) < 31_000
    assert len(mailboxes.octets_read) < 10
    mailboxes.octets_read.clear()
    assert await wire.ok(b"UID SEARCH BODY xxxxxxxxxxx") == [b"* SEARCH 22 23 24 25 26\r\n"]
    assert max(mailboxes.octets_read) < 31_000
