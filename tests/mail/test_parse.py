import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.errors import BadMail
from bmgate.mail.headers import raw_fields
from bmgate.mail.parse import Part, children, content_type, parse_mail, raw_body


def shape(part: Part) -> object:
    parts = children(part)
    return [shape(child) for child in parts] if parts else raw_body(part)


def nested(levels: int) -> bytes:
    opening = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(levels))
    return opening + b"\ndeep\n"


def test_fields_keep_their_order_and_their_folds() -> None:
    part = parse_mail(b"Subject: a\r\n b\r\nX:y\r\nsubject: c\r\n\r\nbody\r\n")
    assert raw_fields(part, "SUBJECT") == [b"a\n b", b"c"]
    assert raw_body(part) == b"body\n"


def test_a_multipart_is_split_and_preamble_and_epilogue_go() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=x\n\npre\n--x\n\none\n--x  \nA: b\n\ntwo\n\n--x--\nepilogue"
    assert shape(parse_mail(raw)) == [b"one", b"two\n"]


def test_the_part_of_a_digest_is_a_mail_unless_it_says_otherwise() -> None:
    raw = b"Content-Type: multipart/digest; boundary=x\n\n--x\n\none\n--x\nContent-Type: text/html\n\ntwo\n--x--\n"
    assert [content_type(child).value for child in children(parse_mail(raw))] == ["message/rfc822", "text/html"]


def test_eight_bit_bytes_stay_what_they_are() -> None:
    assert raw_body(parse_mail(b"Content-Transfer-Encoding: 8bit\n\n\xff\x80\xc3")) == b"\xff\x80\xc3"


@pytest.mark.parametrize(
    "raw",
    [
        b"a\0b",
        nested(51),
        nested(300),
        nested(3000),
        b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n" * 1200,
        b"X: y\n" * 501 + b"\n",
        b"X: " + b"y" * 140_000,
        b"X: y\n" + b" y\n" * 50_000,
        b"Content-Type: a/b" + b"; x*0*=y" * 8000,
    ],
)
def test_mail_beyond_the_caps_is_refused(raw: bytes) -> None:
    with pytest.raises(BadMail):
        parse_mail(raw)


def test_mail_within_the_caps_is_read() -> None:
    assert b"deep" in repr(shape(parse_mail(nested(50)))).encode()
    assert len(children(parse_mail(b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n" * 999))) == 999
    assert len(parse_mail(b"X: y\n" * 500 + b"\n").items()) == 500


LINES = st.sampled_from(
    [b"", b"--a", b"--a--", b"--b", b"--b--", b"text", b" folded", b"\xff", b"From x", b"\r"]
    + [
        b"Content-Type: " + value
        for value in (b"multipart/mixed; boundary=a", b"multipart/alternative; boundary=b", b"a/b")
    ]
)


@given(st.lists(LINES, max_size=30).map(b"\n".join) | st.binary(max_size=200))
def test_any_bytes_are_a_tree_or_bad_mail(raw: bytes) -> None:
    try:
        shape(parse_mail(raw))
    except BadMail:
        assert b"\0" in raw
