import pytest

from bmgate.errors import BadTtl, NotAllowed
from bmgate.mail.parse import parse_mail
from bmgate.mail.wishes import MAX_TTL, MIN_TTL, chosen_ttl, expires_at, post_as_of, read_exact_ttl, read_ttl

NOW = 1_000_000
DAY = 86_400


@pytest.mark.parametrize(
    ("wished", "tag", "expires", "chosen"),
    [
        (DAY, 2 * DAY, NOW + 3 * DAY, DAY),
        (None, 2 * DAY, NOW + 3 * DAY, 2 * DAY),
        (None, None, NOW + 3 * DAY, 3 * DAY),
        (None, None, NOW - DAY, MIN_TTL),
        (None, None, NOW + 99 * DAY, MAX_TTL),
        (None, None, None, 4 * DAY),
    ],
)
def test_the_header_comes_before_the_tag_and_the_tag_before_expires(
    wished: int | None, tag: int | None, expires: int | None, chosen: int
) -> None:
    assert chosen_ttl(wished, tag, expires, NOW, 4 * DAY) == chosen


@pytest.mark.parametrize(("text", "seconds"), [("400d", MAX_TTL), ("59m", MIN_TTL), ("99999999w", MAX_TTL)])
def test_a_ttl_out_of_range_is_brought_within_or_refused_to_who_hears_of_it(text: str, seconds: int) -> None:
    assert read_ttl(text) == seconds
    with pytest.raises(BadTtl, match=f"ttl is a time from 1h to 28d, .*not '{text}'"):
        read_exact_ttl(text)
    assert read_exact_ttl("28d") == MAX_TTL


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Thu, 01 Jan 1970 01:00:00 +0100", 0),
        ("Thu, 1 Jan 1970 00:01", 60),
        ("", None),
        ("nonsense", None),
        ("Sat, 99 Jan 99999 99:99:99 +9999999", None),
        ("9" * 500, None),
    ],
)
def test_expires_is_a_date_or_nothing(text: str, seconds: int | None) -> None:
    assert expires_at(parse_mail(f"Expires: {text}\n\n".encode())) == seconds


@pytest.mark.parametrize(("word", "meant"), [("chan", "chan"), (" Identity ", "identity"), ("", None)])
def test_who_signs_a_post_is_one_of_two(word: str, meant: str | None) -> None:
    assert post_as_of(parse_mail(f"X-Bitmessage-Post-As: {word}\n\n".encode())) == meant


def test_a_word_for_who_signs_that_names_nothing_is_refused() -> None:
    with pytest.raises(NotAllowed, match="X-Bitmessage-Post-As is chan or identity, not 'foo'"):
        post_as_of(parse_mail(b"X-Bitmessage-Post-As: foo\n\n"))
