"""What people are shown."""

import pytest

from bmgate.cli.output import duration, moment


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.34, "0.3 s"),
        (90, "90.0 s"),
        (120, "2 min"),
        (3_600, "1 h"),
        (11_400, "3 h 10 min"),
        (4 * 86_400, "4 d"),
    ],
)
def test_durations_are_told_in_the_words_of_notices(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (0, ""),
        (1_700_000_000, "2023-11-14 22:13:20 UTC"),
        (253_402_300_799, "9999-12-31 23:59:59 UTC"),
        (253_402_300_800, "253402300800 s after 1970"),
        (2**63, "9223372036854775808 s after 1970"),
        (-(2**63), "-9223372036854775808 s after 1970"),
    ],
)
def test_a_moment_that_no_calendar_has_is_told_as_a_number(seconds: int | None, words: str) -> None:
    assert moment(seconds) == words
