"""Commands as values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import chunkings

from bmgate.domain.mailbox import FlagChange, Flags
from bmgate.imap import values
from bmgate.imap.capabilities import EXTENSIONS
from bmgate.imap.cursor import BadSyntax
from bmgate.imap.data_items import Attribute, BodySection
from bmgate.imap.extension import Dialect
from bmgate.imap.extensions.id import Id
from bmgate.imap.grammar import read_command
from bmgate.imap.limits import ImapLimits, reader_limits
from bmgate.imap.reader import CommandReader, RawCommand
from bmgate.imap.search_keys import BadCharset
from bmgate.imap.search_values import Every
from bmgate.imap.values import AppendedMail, FlagList
from bmgate.mail.structure import Section

DIALECT = Dialect(EXTENSIONS)
EVERY_COMMAND = [
    b"CAPABILITY",
    b"noop",
    b'LOGIN "a\\"b\\\\c" {3+}\r\np w',
    b"AUTHENTICATE PLAIN =",
    b'ID ("name" "x" "os" NIL)',
    b"ENABLE CONDSTORE UTF8=ACCEPT",
    b'SELECT "inbox"',
    b"EXAMINE {6+}\r\nArchiv",
    b"CREATE a/b/",
    b"RENAME a &AOQ-",
    b"SUBSCRIBE x",
    b'LIST (SUBSCRIBED RECURSIVEMATCH) "" ("a*" %) RETURN (SPECIAL-USE STATUS (MESSAGES UNSEEN) CHILDREN)',
    b'LSUB "" *',
    b"STATUS INBOX (MESSAGES UIDNEXT)",
    b'APPEND Sent (\\Seen $Label1) " 1-Feb-2026 01:02:03 +0100" {5+}\r\nhello',
    b"UID EXPUNGE 1:*",
    b"FETCH 1,3:*,7 (UID FLAGS BODY.PEEK[HEADER.FIELDS (From {2+}\r\nTo)]<0.10> BODY[1.2.MIME])",
    b"UID STORE 1 +FLAGS.SILENT (\\Deleted)",
    b"STORE 1 -flags \\seen $x",
    b"UID MOVE 3 Archive",
    b"SEARCH CHARSET UTF-8 OR SUBJECT {3+}\r\na b (NOT 1:5 UID 3) SENTSINCE 1-Feb-2026",
]


def command(text: bytes) -> values.Command:
    reader = CommandReader(reader_limits(ImapLimits(), logged_in=True), lambda: None)
    reader.feed(b"tag " + text + b"\r\n")
    raw = reader.next_command()
    assert isinstance(raw, RawCommand)
    tagged = read_command(raw, DIALECT)
    assert tagged.tag == b"tag"
    return tagged.command


@given(st.sampled_from(EVERY_COMMAND), st.data())
def test_every_command_is_the_same_for_every_split_of_its_bytes(text: bytes, data: st.DataObject) -> None:
    reader = CommandReader(reader_limits(ImapLimits(), logged_in=True), lambda: None)
    out = []
    for chunk in data.draw(chunkings(b"tag " + text + b"\r\n")):
        reader.feed(chunk)
        out += list(iter(reader.next_command, None))
    assert [read_command(raw, DIALECT).command for raw in out if isinstance(raw, RawCommand)] == [command(text)]


def test_quoted_strings_know_their_escapes() -> None:
    assert command(b'LOGIN "a\\"b" "c\\\\d"') == values.Login(b'a"b', b"c\\d")
    with pytest.raises(BadSyntax):
        command(b'LOGIN "a\\b" c')


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (b"{2+}\r\nhi", AppendedMail(FlagList(), None, b"hi")),
        (b"(\\Seen) {2+}\r\nhi", AppendedMail(FlagList(Flags.SEEN), None, b"hi")),
        (b'"01-Jan-2026 00:00:00 +0100" {2+}\r\nhi', AppendedMail(FlagList(), 1767222000, b"hi")),
        (
            b'(\\Draft $X) " 1-Jan-2026 00:00:00 -0030" {2+}\r\nhi',
            AppendedMail(FlagList(Flags.DRAFT, ("$X",)), 1767227400, b"hi"),
        ),
    ],
)
def test_append_takes_flags_and_date_or_neither(arguments: bytes, expected: AppendedMail) -> None:
    assert command(b"APPEND Sent " + arguments) == values.Append("Sent", (expected,))


def test_inbox_is_found_in_any_case_and_other_names_keep_theirs() -> None:
    assert command(b"SELECT iNbOx") == values.Select("INBOX", read_only=False)
    assert command(b"SELECT Inboxes") == values.Select("Inboxes", read_only=False)
    assert command(b"CREATE inbox/x") == values.Create("INBOX/x")
    assert command(b"SELECT &U,BTFw-/x") == values.Select("\u53f0\u5317/x", read_only=False)


def test_fetch_items_become_sections() -> None:
    fetch = command(b"UID FETCH 999:* (BODY[]<2.5> body.peek[header.fields (From)] BODY[1.2.HEADER] RFC822)")
    assert fetch == values.Fetch(
        ((999, None),),
        (
            Attribute.UID,
            BodySection(b"BODY[]<2>", Section(), peek=False, partial=(2, 5)),
            BodySection(b"BODY[HEADER.FIELDS (From)]", Section((), "HEADER.FIELDS", frozenset({"from"})), peek=True),
            BodySection(b"BODY[1.2.HEADER]", Section((1, 2), "HEADER"), peek=False),
            BodySection(b"RFC822", Section(), peek=False),
        ),
        uid=True,
    )


def test_macros_are_their_items() -> None:
    fetch = command(b"FETCH 1 FULL")
    assert isinstance(fetch, values.Fetch)
    assert fetch.items == (
        Attribute.FLAGS,
        Attribute.INTERNALDATE,
        Attribute.SIZE,
        Attribute.ENVELOPE,
        Attribute.BODY,
    )


def test_store_has_three_forms() -> None:
    expected = values.Store(((1, 1),), FlagChange.ADD, True, FlagList(Flags.SEEN), uid=False)
    assert command(b"STORE 1 +FLAGS.SILENT \\Seen") == expected
    replaced = command(b"STORE 1 FLAGS ()")
    assert replaced == values.Store(((1, 1),), FlagChange.REPLACE, False, FlagList(), uid=False)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" NOOP",
        b"NOOP ",
        b"NOOP x",
        b"UID NOOP",
        b"FETCH 0 FLAGS",
        b"FETCH 1:0 FLAGS",
        b"FETCH 1_0 FLAGS",
        b"FETCH +5 FLAGS",
        b"FETCH 4294967296 FLAGS",
        b"FETCH 100000000000000000000 FLAGS",
        b"FETCH 1,,2 FLAGS",
        b"FETCH 1 (FLAGS",
        b"FETCH 1 ()",
        b"FETCH 1 BODY[MIME]",
        b"FETCH 1 BODY[1.]",
        b"FETCH 1 BODY[0]",
        b"FETCH 1 BODY[]<1>",
        b"FETCH 1 BODY[]<1.0>",
        b"FETCH 1 BODY[HEADER.FIELDS ()]",
        b"FETCH 1 ENVELOPES",
        b"STORE 1 FLAGS (\\Unknown)",
        b"STORE 1 FLAGS (" + b"k" * 65 + b")",
        b"STATUS INBOX (MESSAGES NONSENSE)",
        b"STATUS INBOX ()",
        b"APPEND x (\\Seen)",
        b'APPEND x "32-Jan-2026 00:00:00 +0000" {1+}\r\nx',
        b"APPEND x {1+}\r\nx y",
        b'CREATE "a\x01b"',
        b"CREATE &AB",
        b"CREATE &A!-",
        b'CREATE "\xff"',
        b"SEARCH",
        b"SEARCH NONSENSE",
        b"SEARCH ON 30-Feb-2026",
        b"SEARCH " + b"(" * 1000 + b"ALL" + b")" * 1000,
        b"SEARCH " + b"NOT " * 2000 + b"ALL",
        b"SEARCH " + b"OR ALL " * 2000 + b"ALL",
        b"SEARCH " + b"BODY x " * 100 + b"BODY x",
        b'LIST (REMOTELY) "" *',
        b'ID ("a")',
    ],
)
def test_what_is_not_grammar_is_bad(text: bytes) -> None:
    with pytest.raises(BadSyntax):
        command(text)


def test_a_literal_is_no_tag_and_no_command() -> None:
    for pieces in [(b"", b"a", b" NOOP"), (b"a ", b"NOOP", b"")]:
        with pytest.raises(BadSyntax):
            read_command(RawCommand(pieces), DIALECT)


def test_other_charsets_are_refused() -> None:
    for keys in (b"CHARSET KOI8-R ALL", b'SUBJECT "\xff"', b"CHARSET KOI8-R SUBJECT {1}\r\nx OR"):
        assert command(b"SEARCH " + keys) == values.UnreadableSearch(saves=False)
        assert command(b"UID SEARCH RETURN (SAVE) " + keys) == values.UnreadableSearch(saves=True)
    with pytest.raises(BadCharset):
        command(b"SORT (DATE) KOI8-R ALL")


def test_one_hundred_search_keys_are_read() -> None:
    search = command(b"SEARCH " + b" ".join([b"SEEN"] * 100))
    assert isinstance(search, values.Search)
    assert isinstance(search.key, Every)
    assert len(search.key.keys) == 100


def test_aioimaplib_puts_spaces_inside_the_parentheses_of_id() -> None:
    assert command(b'ID ( "name" "x" "version" NIL )') == command(b'ID ("name" "x" "version" NIL)') == Id()


@pytest.mark.parametrize("charset", [b"utf8", b"UTF-8", b'"utf-8"'])
def test_imap_tools_spells_the_charset_utf8(charset: bytes) -> None:
    assert command(b"SEARCH CHARSET " + charset + b" SUBJECT {2+}\r\n\xc3\xa9") == command(
        b"SEARCH CHARSET UTF-8 SUBJECT {2+}\r\n\xc3\xa9"
    )


@pytest.mark.parametrize("octets", [b"x" * 2001, b"*y" * 125_000])
def test_i4_an_endless_name_or_pattern_is_refused_before_it_is_matched(octets: bytes) -> None:
    literal = b"{%d+}\r\n" % len(octets) + octets
    for text in (b'LIST "" ', b'LSUB "" ', b"LIST ", b"LSUB ", b"SELECT ", b"CREATE "):
        tail = b' ""' if text in (b"LIST ", b"LSUB ") else b""
        with pytest.raises(BadSyntax, match="too long"):
            command(text + literal + tail)


LAST_SECOND = 253_402_300_799  # 31 Dec 9999 23:59:59 UTC


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (b"31-Dec-1969 16:00:00 -0800", 0),
        (b"01-Jan-1970 14:00:01 +1400", 1),
        (b"01-Jan-1970 00:00:00 +1400", 0),
        (b"01-Jan-0001 00:00:00 +0000", 0),
        (b"29-FEB-2020 12:00:00 +0000", 1_582_977_600),
        (b"31-Dec-2016 23:59:60 +0000", 1_483_228_800),
        (b"31-Dec-9999 23:59:59 +0000", LAST_SECOND),
        (b"31-Dec-9999 23:59:59 -1459", LAST_SECOND),
    ],
)
def test_a_date_is_taken_to_utc_before_it_is_brought_within_what_can_be_told(text: bytes, seconds: int) -> None:
    stored = AppendedMail(FlagList(), seconds, b"hi")
    assert command(b'APPEND Sent "%b" {2+}\r\nhi' % text) == values.Append("Sent", (stored,))


@pytest.mark.parametrize(
    "text",
    [
        b"31-Feb-2020 12:00:00 +0000",
        b"29-Feb-2021 12:00:00 +0000",
        b"00-Jan-2020 12:00:00 +0000",
        b"01-Foo-2020 12:00:00 +0000",
        b"01-Jan-0000 12:00:00 +0000",
        b"01-Jan-2020 24:00:00 +0000",
        b"01-Jan-2020 12:60:00 +0000",
        b"01-Jan-2020 12:00:61 +0000",
        b"31-Dec-9999 23:59:59 -9999",
        b"01-Jan-2020 12:00:00 +1500",
        b"01-Jan-2020 12:00:00 -0060",
    ],
)
def test_what_is_no_date_of_any_calendar_is_refused(text: bytes) -> None:
    with pytest.raises(BadSyntax, match="Not a"):
        command(b'APPEND Sent "%b" {2+}\r\nhi' % text)
