"""What people are shown."""

import pytest

from bmgate.cli.output import duration


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
