import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.errors import UnsupportedMedia
from bmgate.mail.charsets import decode_text


@pytest.mark.parametrize(
    ("data", "charset", "text"),
    [
        ("é€".encode(), "", "é€"),
        (b"\x80 \xe9", "us-ascii", "€ é"),
        (b"\x80", "ISO-8859-1", "€"),
        (b"\xa4", "iso-8859-15", "€"),
        ("朱镕基".encode("gb18030"), "GB2312", "朱镕基"),
        ("똠방각하".encode("cp949"), "ks_c_5601-1987", "똠방각하"),
        ("①会議".encode("cp932"), "Shift_JIS", "①会議"),
        ("会議".encode("iso2022_jp"), "iso-2022-jp", "会議"),
        ("שלום".encode("iso8859_8"), "iso-8859-8-i", "שלום"),
        ("☃".encode("utf-16"), "utf-16", "☃"),
        ("a☃".encode("utf-16-be"), "UTF-16", "a☃"),
        ("☃".encode("utf-32"), "utf-32", "☃"),
        (b"\xef\xbb\xbfx", "utf-8", "x"),
        ("é".encode(), "x-unheard-of", "é"),
        (b"\xe9\x81", "utf-8", "é\ufffd"),
        (b"plain", "base64", "plain"),
        (b"plain", "punycode", "plain"),
        (b"plain", "../utf_8\0", "plain"),
    ],
)
def test_labels_are_read_as_they_are_meant(data: bytes, charset: str, text: str) -> None:
    assert decode_text(data, charset) == text


@pytest.mark.parametrize("charset", ["utf-7", "UTF7", "unicode-1-1-utf-7", " utf_7 "])
def test_utf7_is_refused(charset: str) -> None:
    with pytest.raises(UnsupportedMedia):
        decode_text(b"+ADw-", charset)


LABELS = st.sampled_from(["", "utf-8", "utf-16", "utf-32", "iso-2022-jp", "hz", "big5", "gb2312", "rot13", "undefined"])


@given(st.binary(), LABELS | st.text(max_size=10))
def test_any_bytes_under_any_label_are_text(data: bytes, charset: str) -> None:
    try:
        assert isinstance(decode_text(data, charset), str)
    except UnsupportedMedia:
        assert "7" in charset
