"""Mail of any kind becomes lines with CRLF and stuffed dots, and its size is known beforehand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.mail.lines import DotStuffer, wire_size

PIECES = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"a", b"\0", b"\xff", b".\r\n", b""]), max_size=40)


def stuffed(*portions: bytes) -> bytes:
    stuffer = DotStuffer()
    return b"".join([*map(stuffer.encode, portions), stuffer.end()])


def unstuffed(response: bytes) -> bytes:
    """What a client makes of a multi-line response, which must end with it."""
    lines = response.split(b"\r\n")
    assert lines[-2:] == [b".", b""]
    assert b"." not in lines[:-2]
    return b"".join(line.removeprefix(b".") + b"\r\n" for line in lines[:-2])


@given(PIECES)
def test_a_client_gets_the_octets_that_it_was_told(pieces: list[bytes]) -> None:
    got = unstuffed(stuffed(*pieces))
    assert len(got) == wire_size(*pieces)
    assert b"\n" not in got.replace(b"\r\n", b"")
    assert b"\0" not in got


@given(PIECES)
def test_the_outcome_does_not_depend_on_the_portions(pieces: list[bytes]) -> None:
    raw = b"".join(pieces)
    assert stuffed(*pieces) == stuffed(raw) == stuffed(*(raw[at : at + 1] for at in range(len(raw))))
    assert wire_size(*pieces) == wire_size(raw)


@given(st.lists(st.sampled_from([b".", b"..", b"", b"text", b". x", b"\xe4.", b"a\rb"]), max_size=20))
def test_mail_that_keeps_the_rules_arrives_unchanged(lines: list[bytes]) -> None:
    raw = b"".join(line + b"\r\n" for line in lines)
    assert unstuffed(stuffed(raw)) == raw
    assert wire_size(raw) == len(raw)


@pytest.mark.parametrize(
    ("raw", "sent"),
    [
        (b"", b".\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b"a\n.\nb", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\r\n.\r\n", b"a\r\n..\r\n.\r\n"),
        (b"\r\n\r\n", b"\r\n\r\n.\r\n"),
        (b"a\0b", b"a b\r\n.\r\n"),
        (b"a\r", b"a\r\r\n.\r\n"),
    ],
)
def test_oddities(raw: bytes, sent: bytes) -> None:
    assert stuffed(raw) == sent


@given(st.lists(st.sampled_from([b".", b"", b"text", b". x", b"\0", b"a\rb"]), max_size=20))
def test_mail_that_is_known_to_have_no_bare_lf_is_stuffed_alike(lines: list[bytes]) -> None:
    raw = b"".join(line + b"\r\n" for line in lines)
    assert wire_size(raw) == len(raw)
    quick = DotStuffer(has_bare_lf=False)
    assert quick.encode(raw) + quick.end() == stuffed(raw)
