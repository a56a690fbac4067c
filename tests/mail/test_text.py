import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.mail.text import clean_line, normal_body, size_in_words, truncate_utf8

ANY_TEXT = st.text(st.characters())  # lone surrogates included


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  a \t b\r\nc  ", "a b c"),
        ("a\x00b\x7fc\x85d\u2028e\u2029f", "a b c d e f"),
        ("in\u202efdp.exe\u2066 \u200bx\ufeff\U000e0041", "infdp.exe x"),
        ("\ud83d\udc4d", "\ufffd\ufffd"),
        ("👩\u200d👩 می\u200cخواهم", "👩\u200d👩 می\u200cخواهم"),
        ("a" + "\u0301" * 20, "a" + "\u0301" * 8),
    ],
)
def test_a_line_is_cleaned(text: str, line: str) -> None:
    assert clean_line(text) == line


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("a\r\nb\rc\x0bd\x0ce\x85f\n\n", "a\nb\nc\nd\ne\nf"),
        ("a  \n-- \nb \n--  ", "a\n-- \nb\n--"),
        ("\n\n\tindented\x07\x1b[0m", "\n\n\tindented[0m"),
        (" \n \n", ""),
        ("bidi \u202e stays", "bidi \u202e stays"),
    ],
)
def test_a_body_is_brought_to_its_normal_form(text: str, body: str) -> None:
    assert normal_body(text) == body


@given(ANY_TEXT)
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert clean_line(clean_line(text)) == clean_line(text)
    assert normal_body(normal_body(text)) == normal_body(text)


@given(ANY_TEXT)
def test_a_clean_line_is_one_line_of_utf8(text: str) -> None:
    line = clean_line(text)
    assert len(line.splitlines()) <= 1
    assert "\0" not in line
    line.encode("utf-8")
    normal_body(text).encode("utf-8")


@given(st.text(), st.integers(0, 20))
def test_truncation_keeps_whole_characters(text: str, limit: int) -> None:
    cut = truncate_utf8(text, limit)
    assert text.startswith(cut)
    assert len(cut.encode()) <= limit
    assert cut == text or len(text[: len(cut) + 1].encode()) > limit


def test_sizes_are_told_in_kilobytes() -> None:
    assert [size_in_words(size) for size in (0, 999, 1000, 34_567)] == ["0 bytes", "999 bytes", "1 kB", "34 kB"]
