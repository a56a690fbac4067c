import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.errors import UnsupportedMedia
from bmgate.mail.parse import parse_mail
from bmgate.mail.transfer import decode_base64, decode_quoted_printable, decoded_body


@pytest.mark.parametrize(
    ("encoded", "decoded"),
    [
        (b"a=C3=A9=\nb=20\nc  \t\nd", "aéb \nc\nd".encode()),
        (b"soft=  \nbreak", b"softbreak"),
        (b"c  \r\nd \t\r\ne = \r\nf  ", b"c\r\nd\r\ne f"),
        (b"a = b =ZZ", b"a = b =ZZ"),
        (b"blanks   inside", b"blanks   inside"),
    ],
)
def test_quoted_printable_is_decoded(encoded: bytes, decoded: bytes) -> None:
    assert decode_quoted_printable(encoded) == decoded


@pytest.mark.parametrize(
    ("encoded", "decoded"),
    [
        (b"YWJj\nZGVm\n", b"abcdef"),
        (b"YW Jj!*Z\tA==", b"abcd"),
        (b"YQ==Yg==", b"ab"),
        (b"YWI", b"ab"),
        (b"YWJjZ", b"abc"),
        (b"====", b""),
    ],
)
def test_base64_is_decoded_with_all_its_noise(encoded: bytes, decoded: bytes) -> None:
    assert decode_base64(encoded) == decoded


@pytest.mark.parametrize("name", ["7bit", "8BIT", "binary", " 7bit ; x", ""])
def test_plain_bodies_stay(name: str) -> None:
    assert decoded_body(parse_mail(f"Content-Transfer-Encoding: {name}\n\na=41\xe9".encode("latin-1"))) == b"a=41\xe9"


def test_other_encodings_are_refused() -> None:
    with pytest.raises(UnsupportedMedia, match="x-uuencode"):
        decoded_body(parse_mail(b"Content-Transfer-Encoding: X-UUencode\n\nx"))


@given(st.binary() | st.text("=AQab/+ \n", max_size=80).map(str.encode))
def test_any_bytes_can_be_decoded(body: bytes) -> None:
    assert len(decode_base64(body)) <= len(body)
    assert len(decode_quoted_printable(body)) <= len(body)
