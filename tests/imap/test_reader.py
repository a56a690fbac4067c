"""Bytes into commands: any portions, every limit, and nothing refused is ever run."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import chunkings
from windowed import Windowed

from bmgate.imap.capabilities import EXTENSIONS
from bmgate.imap.cursor import BadSyntax
from bmgate.imap.extension import Dialect
from bmgate.imap.grammar import read_command
from bmgate.imap.limits import ImapLimits, ReaderLimits, reader_limits
from bmgate.imap.reader import Announced, CommandReader, RawCommand, Rejected
from bmgate.imap.search_keys import BadCharset
from bmgate.mail.octets import LargeMail

DIALECT = Dialect(EXTENSIONS)
SMALL = ReaderLimits(
    line=200, swallow=500, literal=50, append_literal=100, literals=5, literal_sum=150, held=150, refusal_is_fatal=False
)


@dataclass
class Reading:
    """A reader with what it asked and read."""

    limits: ReaderLimits = SMALL
    asked: int = 0
    out: list[RawCommand | Rejected | Announced] = field(default_factory=list)
    sink: "MemorySink" = field(default_factory=lambda: MemorySink())

    def __post_init__(self) -> None:
        self.reader = CommandReader(self.limits, self._ask)

    def _ask(self) -> None:
        self.asked += 1

    def feed(self, *chunks: bytes) -> "Reading":
        for chunk in chunks:
            self.reader.feed(chunk)
            while (item := self.reader.next_command()) is not None:
                self.out.append(item)
                if isinstance(item, Announced):
                    self.judge(item)
                if isinstance(item, Rejected) and item.fatal:
                    return self
        return self

    def judge(self, announced: Announced) -> None:
        """Odd sizes are welcome."""
        if announced.size % 2:
            self.reader.accept(self.sink)
        else:
            self.reader.refuse(b"NO", b"OVERQUOTA", b"Full")


@dataclass
class MemorySink:
    """Where announced literals go."""

    data: bytearray = field(default_factory=bytearray)

    def write(self, data: bytes) -> None:
        self.data += data

    def last(self, size: int) -> LargeMail:
        return Windowed(bytes(self.data[len(self.data) - size :]), 10)


def read(data: bytes, limits: ReaderLimits = SMALL) -> Reading:
    return Reading(limits).feed(data)


def test_lines_and_literals_become_pieces() -> None:
    reading = read(b"a LOGIN {5}\r\nalice {3+}\r\np w\r\nb NOOP\n")
    assert reading.out == [RawCommand((b"a LOGIN ", b"alice", b" ", b"p w", b"")), RawCommand((b"b NOOP",))]
    assert reading.asked == 1


def test_an_empty_literal_is_a_literal() -> None:
    assert read(b"a LOGIN {0}\r\n {0+}\r\n\r\n").out == [RawCommand((b"a LOGIN ", b"", b" ", b"", b""))]


def test_i2_a_huge_literal_is_refused_before_the_continuation() -> None:
    reading = read(b"a APPEND x {999999999999}\r\nb NOOP\r\n")
    assert reading.asked == 0
    assert reading.out == [Rejected(b"a", b"NO", b"TOOBIG", b"Literal too long", False), RawCommand((b"b NOOP",))]


def test_i1_a_negative_literal_is_text() -> None:
    reading = read(b"a LOGIN {-5}\r\n")
    assert reading.out == [RawCommand((b"a LOGIN {-5}",))]
    with pytest.raises(BadSyntax):
        read_command(RawCommand((b"a LOGIN {-5}",)), DIALECT)


@pytest.mark.parametrize("size", [51, 101, 400])
def test_i2_a_refused_literal_never_becomes_a_command(size: int) -> None:
    evil = b"x DELETE INBOX\r\n".ljust(size, b"\n")
    reading = read(b"a LOGIN {%d+}\r\n%b pw {7+}\r\nb NOOP\n\r\nc NOOP\r\n" % (size, evil))
    assert reading.out == [Rejected(b"a", b"BAD", b"TOOBIG", b"Literal too long", False), RawCommand((b"c NOOP",))]


@pytest.mark.parametrize("size", [501, 10**11, 10**25, 10**80])
def test_too_much_to_swallow_ends_the_connection(size: int) -> None:
    reading = read(b"a APPEND x {%d+}\r\nb NOOP\r\n" % size)
    assert [(item.fatal, item.tag) for item in reading.out if isinstance(item, Rejected)] == [(True, b"a")]


def test_too_many_literals_are_refused() -> None:
    assert read(b"a SEARCH" + b" {1+}\r\nx" * 6 + b"\r\n").out == [
        Rejected(b"a", b"BAD", b"TOOBIG", b"Too many literals", False)
    ]
    assert read(b"a SEARCH" + b" {40+}\r\n" + b"x" * 40 + b" {40+}\r\n" + b"x" * 40 + b"\r\n").out != []


def test_i2_mails_too_large_together_are_refused_although_each_is_not() -> None:
    limits = replace(HELD, append_literal=100, literal_sum=150, held=150)
    refused = Rejected(b"a", b"NO", b"LIMIT", b"Too much for one command: append these messages one by one", False)
    mail = b"x" * 100
    reading = read(b"a APPEND x {100+}\r\n" + mail + b" {100}\r\nb NOOP\r\n", limits)
    assert (reading.out, reading.asked) == ([refused, RawCommand((b"b NOOP",))], 0)
    reading = read(b"a APPEND x {100+}\r\n" + mail + b" {100+}\r\n" + mail + b"\r\nb NOOP\r\n", limits)
    assert reading.out == [refused, RawCommand((b"b NOOP",))]
    large = replace(limits, append_literal=1000, literal_sum=1000, held=1000)
    assert read(b"a APPEND x {600+}\r\n" + b"x" * 600 + b" {600+}\r\n", large).out == [replace(refused, fatal=True)]


def test_a_long_line_is_refused_with_its_tag_and_the_next_is_read() -> None:
    reading = read(b"a " + b"x" * 300 + b"\r\nb NOOP\r\n")
    assert reading.out == [Rejected(b"a", b"BAD", b"TOOBIG", b"Command line too long", False), RawCommand((b"b NOOP",))]


def test_i15_a_line_without_end_is_not_held() -> None:
    reading = Reading().feed(*[b"x" * 100] * 20)
    assert reading.reader.buffered < 300
    assert [item.fatal for item in reading.out if isinstance(item, Rejected)] == [True]


@pytest.mark.parametrize("literal", [b"{4294967295}", b"{1025}", b"{4096+}", b"{99999999999999999999}"])
def test_i1_before_login_a_large_literal_is_fatal(literal: bytes) -> None:
    reading = read(b"a LOGIN " + literal + b"\r\n", reader_limits(ImapLimits(), logged_in=False))
    assert reading.out == [Rejected(b"a", b"BAD", b"TOOBIG", b"Literal too long", True)]


def test_i1_before_login_the_sum_of_literals_is_bounded() -> None:
    reading = read(b"a X" + b" {1000+}\r\n" * 1 + b"x" * 1000, reader_limits(ImapLimits(), logged_in=False))
    for _ in range(9):
        reading.feed(b" {1000+}\r\n" + b"x" * 1000)
    assert reading.out == [Rejected(b"a", b"BAD", b"TOOBIG", b"Too many literals", True)]


_WORDS = st.sampled_from(
    [b"a NOOP", b"b X", b"", b"c APPEND x ", b"d " + b"y" * 198, b"e " + b"z" * 250, b"{", b"}", b"{5", b"x" * 64]
)
_LITERALS = st.one_of(
    st.just(b""),
    st.binary(max_size=130).map(lambda data: b"{%d+}\r\n%b" % (len(data), data)),
    st.binary(max_size=130).map(lambda data: b"{%d}\r\n%b" % (len(data), data)),
    st.sampled_from([b"{600+}", b"{" + b"0" * 70 + b"1+}", b"{-1}", b"{1}}"]),
)


@given(
    st.lists(st.tuples(_WORDS, _LITERALS, st.sampled_from([b"\r\n", b"\n", b""]))).map(
        lambda parts: b"".join(b"".join(part) for part in parts)
    ),
    st.data(),
)
def test_the_outcome_does_not_depend_on_the_portions(data: bytes, draw: st.DataObject) -> None:
    whole = read(data)
    split = Reading().feed(*draw.draw(chunkings(data)))
    assert split.out == whole.out
    assert split.asked == whole.asked


_COMMANDS = st.sampled_from(
    [
        b"SELECT x",
        b"UID FETCH 1:*",
        b"STORE 1",
        b"SEARCH",
        b"UID SORT",
        b"THREAD REFERENCES UTF-8",
        b"APPEND x",
        b"LIST",
    ]
)
_ARGUMENTS = st.sampled_from(
    [
        *(b"(QRESYNC (1 2 1:3 (1 2)))", b"(CONDSTORE)", b"(FLAGS MODSEQ)", b"(CHANGEDSINCE 1 VANISHED)", b"ALL", b"$"),
        *(b"(UNCHANGEDSINCE 5)", b"+FLAGS (\\Seen $x)", b"RETURN (MIN SAVE)", b"CHARSET UTF-8", b"SUBJECT {2+}\r\nhi"),
        *(
            b"(REVERSE DATE)",
            b"UTF-8",
            b"~{3+}\r\na\0b",
            b"{2}\r\nhi",
            b"UTF8 (~{1+}\r\nx)",
            b'"" *',
            b"()",
            b"OLDER 5",
        ),
        *(
            b"BINARY.PEEK[1]<0.9>",
            b"BODY[HEADER.FIELDS (a b)]",
            b'"\\""',
            b"\xff",
            b"1:*",
            b"PREVIEW (LAZY)",
            b"MODSEQ 3",
        ),
    ]
)
_SENTENCES = st.tuples(_COMMANDS, st.lists(_ARGUMENTS, max_size=4)).map(lambda it: b"a " + b" ".join([it[0], *it[1]]))


@given(
    st.one_of(st.lists(st.binary(max_size=40)).map(b" ".join), st.lists(_SENTENCES, min_size=1).map(b"\r\n".join)),
    st.data(),
)
def test_grammar_gives_the_same_for_every_split_and_only_its_own_errors(data: bytes, draw: st.DataObject) -> None:
    def outcomes(reading: Reading) -> list[object]:
        out: list[object] = []
        for item in reading.out:
            if not isinstance(item, RawCommand):
                out.append(item)
                continue
            try:
                out.append(read_command(item, DIALECT))
            except (BadSyntax, BadCharset) as error:
                out.append(str(error))
        return out

    data += b"\r\n"
    assert outcomes(read(data)) == outcomes(Reading().feed(*draw.draw(chunkings(data))))


HELD = replace(SMALL, held=20)


def test_a_literal_too_large_for_memory_is_announced_before_it_is_asked_for() -> None:
    reading = Reading(HELD)
    reading.reader.feed(b"a APPEND x {21}\r\n")
    assert reading.reader.next_command() == Announced(21)
    assert (reading.asked, reading.reader.next_command()) == (0, None)
    reading.reader.accept(reading.sink)
    assert reading.asked == 1
    reading.feed(b"x" * 20)
    assert (bytes(reading.sink.data), reading.reader.buffered, reading.out) == (b"x" * 20, 0, [])
    reading.feed(b"y\r\nb NOOP\r\n")
    assert reading.out == [
        RawCommand((b"a APPEND x ", Windowed(b"x" * 20 + b"y", 10), b"")),
        RawCommand((b"b NOOP",)),
    ]


def test_literals_are_held_together_up_to_the_limit() -> None:
    reading = read(b"a APPEND x {15+}\r\n" + b"a" * 15 + b" {5+}\r\nbbbbb {1+}\r\nc {0+}\r\n\r\n", HELD)
    held = RawCommand((b"a APPEND x ", b"a" * 15, b" ", b"b" * 5, b" ", Windowed(b"c", 10), b" ", b"", b""))
    assert reading.out == [Announced(1), held]
    assert held.size == 34


def test_i2_a_refused_announcement_never_becomes_a_command() -> None:
    trap = b"x LOGOUT\r\n" * 3
    reading = read(b"a APPEND x {%d+}\r\n%b\r\nb APPEND x {22}\r\nc NOOP\r\n" % (len(trap), trap), HELD)
    assert reading.out == [
        Announced(30),
        Rejected(b"a", b"NO", b"OVERQUOTA", b"Full", False),
        Announced(22),
        Rejected(b"b", b"NO", b"OVERQUOTA", b"Full", False),
        RawCommand((b"c NOOP",)),
    ]
    large = replace(HELD, append_literal=1000, literal_sum=1000)
    assert read(b"a APPEND x {502+}\r\n", large).out[1:] == [Rejected(b"a", b"NO", b"OVERQUOTA", b"Full", True)]


def test_only_append_may_have_large_literals() -> None:
    assert read(b"a SEARCH SUBJECT {21}\r\n", HELD).out == [
        Rejected(b"a", b"BAD", b"TOOBIG", b"Too many literals", False)
    ]


@given(st.data(), st.lists(st.integers(0, 60), min_size=1, max_size=4))
def test_announced_literals_survive_any_portioning(data: st.DataObject, sizes: list[int]) -> None:
    literals = b"".join(b" {%d+}\r\n%b" % (size, b"\n" * size) for size in sizes)
    stream = b"a APPEND x" + literals + b"\r\nb NOOP\r\n"
    whole, reading = read(stream, HELD), Reading(HELD)
    reading.feed(*data.draw(chunkings(stream)))
    assert reading.out == whole.out
    assert reading.sink == whole.sink
