"""Lines out of bytes, whatever the portions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.pop3.reader import LineReader, LineTooLong

STREAMS = st.lists(st.sampled_from([b"a", b"NOOP", b"\r", b"\n", b"\r\n", b"\0\xff"]), max_size=40).map(b"".join)


def all_lines(reader: LineReader) -> list[bytes | str]:
    found: list[bytes | str] = []
    try:
        while (line := reader.next_line()) is not None:
            found.append(line)
    except LineTooLong:
        found.append("too long")
    return found


@given(STREAMS, st.integers(1, 30))
def test_lines_survive_any_chunking(stream: bytes, size: int) -> None:
    whole, portioned = LineReader(12), LineReader(12)
    whole.feed(stream)
    found: list[bytes | str] = []
    for at in range(0, len(stream), size):
        if "too long" not in found:
            portioned.feed(stream[at : at + size])
            found += all_lines(portioned)
    assert found == all_lines(whole)


def test_a_line_too_long_stays_too_long() -> None:
    reader = LineReader(5)
    reader.feed(b"123456")
    assert reader.has_line
    for _ in range(2):
        with pytest.raises(LineTooLong):
            reader.next_line()


def test_lines_that_wait_can_be_looked_at_and_stay() -> None:
    reader = LineReader(100)
    reader.feed(b"RETR 1\r\nRETR 2\nRETR 3\r\nRET")
    assert reader.peek_lines(2) == [b"RETR 1", b"RETR 2"]
    assert reader.peek_lines(9) == [b"RETR 1", b"RETR 2", b"RETR 3"]
    assert reader.next_line() == b"RETR 1"
    assert reader.buffered == len(b"RETR 2\nRETR 3\r\nRET")
    reader.clear()
    assert not reader.has_line
