"""What a plain look at a mail may rule out: never what decoding it would find."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.imap.octets import body_lacks, header_lacks
from bmgate.imap.parts import part_texts
from bmgate.mail.headers import decode_header
from bmgate.mail.structure import index_message

HEADER = b"Subject: Minutes of\r\n the meeting\r\nFrom: Ann <ann@example.org>\r\n\r\n"
ENCODINGS = ("7bit", "8bit", "quoted-printable", "base64", "x-unknown")
CHARSETS = ("", "utf-8", "us-ascii", "iso-8859-1", "utf-16", "cp037", "iso-2022-jp", "hz")


@pytest.mark.parametrize("text", ["of the meeting", "minutes", "ann@example", "ofthe", "", "minutes, of", "grüße"])
def test_a_header_that_may_have_a_text_is_not_ruled_out(text: str) -> None:
    assert not header_lacks(text, HEADER)


def test_a_header_without_a_text_is_ruled_out() -> None:
    assert header_lacks("something else", HEADER)
    assert not header_lacks("something else", HEADER.replace(b"Minutes", b"=?utf-8?q?x?="))
    assert not header_lacks("something else", HEADER.replace(b"Minutes", b"\xff"))


def test_a_body_without_a_text_is_ruled_out() -> None:
    mail = HEADER + b"one\r\ntwo\r\n"
    index = index_message(mail)
    assert body_lacks("three", mail[index.header_size :], index.bodystructure)
    assert not body_lacks("two", mail[index.header_size :], index.bodystructure)


@given(value=st.text("ab,( \t\r\n\x01\x7f=?", max_size=30), text=st.text("ab, ", min_size=1, max_size=4))
def test_no_header_is_ruled_out_that_has_the_text_when_decoded(value: str, text: str) -> None:
    header = b"Subject: " + value.encode()
    if header_lacks(text, header):
        assert text not in decode_header(header.partition(b":")[2]).casefold()


@given(
    body=st.binary(max_size=40) | st.text("ab =\r\nAB+-~{}", max_size=40).map(str.encode),
    text=st.text("ab=+", min_size=1, max_size=3),
    charset=st.sampled_from(CHARSETS),
    encoding=st.sampled_from(ENCODINGS),
    inner=st.booleans(),
)
def test_no_body_is_ruled_out_that_has_the_text_when_decoded(
    body: bytes, text: str, charset: str, encoding: str, inner: bool
) -> None:
    kind = f"text/plain; charset={charset}" if charset else "text/plain"
    mail = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body
    if inner:
        mail = b"Content-Type: message/rfc822\r\n\r\n" + mail
    index = index_message(mail)
    if body_lacks(text, mail[index.header_size :], index.bodystructure):
        assert not any(text in found for found in part_texts(mail, index))
