import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.smtp.data import DataReader, Fault

OCTETS = st.sampled_from([b"\r\n", b".", b"\n", b"\r", b"a", b"..", b"x.y"])


def read(stream: bytes, sizes: list[int] | None = None, limit: int = 1000) -> tuple[bytes | Fault, bytes]:
    """What comes of a stream cut into pieces of these sizes, the last one again and again; with the rest behind it."""
    reader, position, rest = DataReader(limit, 100), 0, None
    cuts = iter(sizes or [len(stream)])
    size = 1
    while rest is None:
        size = next(cuts, size)
        rest = reader.feed(stream[position : position + size])
        position += size
    return reader.mail(), rest + stream[position:]


def test_dots_are_unstuffed_and_what_follows_is_left_over() -> None:
    assert read(b"a\r\n..b\r\n.c\r\n.\r\nQUIT\r\n") == (b"a\r\n.b\r\nc\r\n", b"QUIT\r\n")


def test_a_mail_may_be_empty() -> None:
    assert read(b".\r\n") == (b"", b"")


def test_bare_lfs_away_from_dots_become_line_ends() -> None:
    assert read(b"a\nb.\nc\r\n.\r\n") == (b"a\r\nb.\r\nc\r\n", b"")


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\n..\r\n", b"\r.\r\n"])
def test_s1_other_ends_of_data_are_no_end_and_the_mail_is_refused(end: bytes) -> None:
    stream = b"a" + end + b"MAIL FROM:<x@y>\r\nRCPT TO:<z@y>\r\nDATA\r\nb\r\n.\r\n"
    assert read(stream) == (Fault.BARE_LINE_END, b"")


def test_s9_nul_is_refused() -> None:
    assert read(b"a\0b\r\n.\r\n")[0] is Fault.NUL


@pytest.mark.parametrize(("length", "fault"), [(100, None), (101, Fault.LINE_TOO_LONG)])
def test_lines_have_a_limit(length: int, fault: Fault | None) -> None:
    line = b"x" * length + b"\r\n"
    mail, _ = read(b"a\r\n" + line + b"b\r\n.\r\n")
    assert mail is fault or mail == b"a\r\n" + line + b"b\r\n"


@pytest.mark.parametrize(("size", "fault"), [(1000, None), (1001, Fault.TOO_LARGE)])
def test_s8_a_mail_has_a_limit(size: int, fault: Fault | None) -> None:
    body = (b"x" * 48 + b"\r\n") * 20
    body = body[1000 - size :] if size <= 1000 else b"x" + body
    mail, rest = read(body + b".\r\nNOOP\r\n")
    assert mail is fault or mail == body
    assert rest == b"NOOP\r\n"


def test_s8_what_is_too_large_is_not_kept() -> None:
    reader = DataReader(1000, 100)
    for _ in range(1000):
        assert reader.feed(b"x" * 1000) is None
        assert reader.held < 3000
    assert reader.feed(b"\r\n.\r\nQUIT\r\n") == b"QUIT\r\n"
    assert reader.mail() is Fault.TOO_LARGE
    assert reader.received == 1_000_005


@given(st.lists(OCTETS).map(b"".join), st.lists(st.integers(1, 9), max_size=20))
def test_s1_any_chunking_gives_the_same_mail(body: bytes, sizes: list[int]) -> None:
    stream = body + b"\r\n.\r\nNOOP\r\n.\r\n"
    assert read(stream, sizes) == read(stream)


@given(st.lists(st.binary(max_size=20).filter(lambda line: not set(line) & {0, 10, 13})))
def test_a_stuffed_mail_comes_back(lines: list[bytes]) -> None:
    stuffed = b"".join(b"." * line.startswith(b".") + line + b"\r\n" for line in lines)
    assert read(stuffed + b".\r\n") == (b"".join(line + b"\r\n" for line in lines), b"")
