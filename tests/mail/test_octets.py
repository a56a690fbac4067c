"""A mail read through windows has the same index as one in memory, wherever the windows end."""

import random
import re
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mail_corpus import read_corpus
from windowed import Windowed

from bmgate.mail.fields import MAX_FIELDS, MAX_HEADER, scan_header
from bmgate.mail.mimetree import MAX_HEADERS, MAX_INNER_FIELDS, MAX_PADDING, OPAQUE, TEXT_PLAIN, scan_tree
from bmgate.mail.octets import find_all
from bmgate.mail.structure import index_message

MULTIPART = b"Content-Type: multipart/mixed; boundary=%b\r\n\r\n"
PIECES = [
    b"\r\n",
    b"\n",
    b"\r",
    b"--b",
    b"--b--",
    b"--bb",
    b"--",
    b" ",
    b"\t" * 3,
    b" " * MAX_PADDING,
    b" " * (MAX_PADDING + 1),
    b"Subject: hello\r\n",
    b"Subject: folded\r\n over\r\n\tlines\r\n",
    b"To: " + b"a@b, " * 30 + b"\r\n",
    b"From nobody\r\n",
    b"no field",
    b"x" * 100,
    MULTIPART % b"b",
    MULTIPART % b"bb",
    b"Content-Type: message/rfc822\r\n\r\n",
    b"Content-Type: multipart/digest; boundary=b\r\n\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"\0\xff",
]


def nested(depth: int) -> bytes:
    """Multiparts inside each other, closed again from within."""
    opened = b"".join(MULTIPART % b"b%d" % n + b"--b%d\r\n" % n for n in range(depth))
    return opened + b"\r\ntext\r\n" + b"".join(b"--b%d--\r\n" % n for n in reversed(range(depth)))


HOSTILE = {
    "no octets": b"",
    "a long line": b"Subject: " + b"x" * 5000 + b"\r\n\r\nbody",
    "a long name": b"x" * 5000 + b": value\r\n\r\nbody",
    "many fields": b"a: b\r\n" * (MAX_FIELDS + 50) + b"\r\nbody\n",
    "a line that is no field": b"Subject: x\r\nno field\r\n" + b"To: a@b\r\n" * 1500 + b"\r\nbody\n",
    "a line that is no field and no end": b"Subject: x\r\nno field\r\n" + b"To: a@b\r\n" * 1500,
    "many fields without an end": b"a: b\r\n" * (MAX_FIELDS + 50),
    "a header that never ends": b"Subject: x\r\n" + b" more\r\n" * (MAX_HEADER // 7 + 100) + b"\r\nbody",
    "thousand parts": MULTIPART % b"b" + b"--b\r\nA: b\r\n\r\ntext\r\n" * 1100 + b"--b--\r\n",
    "depth": nested(60),
    "messages in messages": b"Content-Type: message/rfc822\r\n\r\n" * 60 + b"Subject: in\r\n\r\ntext\r\n",
    "a delimiter at the end": MULTIPART % b"b" + b"--b\r\n\r\ntext\r\n--b",
    "a closing delimiter at the end": MULTIPART % b"b" + b"--b\r\n\r\ntext\r\n--b--",
    "delimiters side by side": MULTIPART % b"b" + b"\n--b" * 50 + b"\n--b--\n--b\n",
    "blanks behind delimiters": MULTIPART % b"b" + (b"--b" + b" \t" * (MAX_PADDING // 2) + b"\r\n\r\ntext\r\n") * 5,
    "too many blanks": MULTIPART % b"b" + (b"--b" + b" " * (MAX_PADDING + 1) + b"\r\n\r\ntext\r\n") * 5 + b"--b\r\n",
    "a long boundary": MULTIPART % (b"b" * 3000) + (b"--" + b"b" * 3000 + b"\r\n\r\ntext\r\n") * 5,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_i2_hostile_mail_is_the_same_through_windows(name: str) -> None:
    raw, dice = HOSTILE[name], random.Random(name)
    wanted = index_message(raw)
    for window in (997, 4096, dice.randrange(100, 3000), 65_536, 262_144):
        assert index_message(Windowed(raw, window)) == wanted


def test_all_mail_of_the_corpus_is_the_same_through_windows() -> None:
    dice = random.Random(1)
    for case in read_corpus():
        assert index_message(Windowed(case.raw, dice.randrange(1, 2000))) == index_message(case.raw), case.name


@given(st.lists(st.sampled_from(PIECES), max_size=40), st.integers(1, 300))
@example([MULTIPART % b"b", b"--b", b"\r\n", b"\r\n", b"x" * 100, b"\r\n", b"--b--"], 1)
def test_any_mail_is_the_same_through_windows_of_any_size(pieces: list[bytes], window: int) -> None:
    raw = b"".join(pieces)
    assert index_message(Windowed(raw, window)) == index_message(raw)


@given(st.text("ab\n", max_size=60), st.integers(1, 7), st.integers(0, 10), st.integers(0, 70))
def test_a_pattern_is_found_where_it_is_in_the_whole(text: str, window: int, start: int, end: int) -> None:
    raw, pattern = text.encode(), re.compile(rb"(a)?b(?:(?=\n)|\Z)")
    end = min(end, len(raw))
    found = [(each.start(), each.end(), each[1]) for each in pattern.finditer(raw, start, end)]
    assert list(find_all(pattern, Windowed(raw, window), start, end, 3)) == found
    assert list(find_all(pattern, raw, start, end, 3)) == found


@pytest.mark.parametrize("windowed", [False, True])
def test_a_header_is_bounded_and_what_follows_is_body(windowed: bool) -> None:
    raw = b"Subject: x\r\n" + b"A: bcdefgh\r\n" * (MAX_HEADER // 12) + b"\r\nbody"
    header = scan_header(Windowed(raw, 4096) if windowed else raw, 0, len(raw))
    assert header.end == MAX_HEADER
    assert len(header.fields) == MAX_FIELDS + 1


def test_a_large_mail_is_indexed_in_little_memory_and_small_pieces() -> None:
    line = b"QmxvY2tzIG9mIGEgbGFyZ2UgYXR0YWNobWVudA==\r\n"
    raw = MULTIPART % b"b" + b"--b\r\n\r\ntext\r\n--b\r\n\r\n" + line * 200_000 + b"--b--\r\n"
    mail = Windowed(raw, 262_144)
    tracemalloc.start()
    try:
        index = index_message(mail)
        grown = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert index.size == len(raw)
    assert len(index.parts) == 3
    assert mail.largest < 300_000
    assert grown < 2_000_000


def test_i2_headers_inside_a_mail_are_kept_as_far_as_they_tell_something() -> None:
    part = b"--b\n" + b"other: field\n" * 50 + b"to:\n" * (MAX_FIELDS - 100) + b"\ntext\n"
    root = scan_tree(MULTIPART % b"b" + part * 20)
    assert [len(child.header.fields) for child in root.children] == [MAX_INNER_FIELDS] * 20
    assert {name for child in root.children for name, _, _ in child.header.fields} == {"to"}


@pytest.mark.parametrize("windowed", [False, True])
def test_i2_headers_inside_a_mail_are_looked_into_up_to_a_sum(windowed: bool) -> None:
    size = 60_000
    raw = MULTIPART % b"b" + (b"--b\r\nContent-ID: " + b"x" * size + b"\r\n\r\ntext\r\n") * 200
    root = scan_tree(Windowed(raw, 262_144) if windowed else raw)
    assert len(root.children) == MAX_HEADERS // size + 2
    assert [child.media for child in root.children[-2:]] == [TEXT_PLAIN, OPAQUE]
    assert root.children[-1].end == len(raw)
