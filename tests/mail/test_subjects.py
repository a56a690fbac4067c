"""Which subjects answer which (I17)."""

import pytest

from bmgate.mail.subjects import base_subject


@pytest.mark.parametrize(
    ("subject", "base", "is_answer"),
    [
        ("Lunch", "lunch", False),
        ("Re: Lunch", "lunch", True),
        ("RE: AW: Lunch", "lunch", True),
        ("Re[2]: Lunch", "lunch", True),
        ("SV:Lunch", "lunch", True),
        ("Antw: Res: Odp: VS: Lunch", "lunch", True),
        ("Fwd: Lunch", "fwd: lunch", False),
        ("Return: Lunch", "return: lunch", False),
        ("Re:", "", True),
        ("", "", False),
    ],
)
def test_i17_prefixes_of_answers_are_no_part_of_the_subject(subject: str, base: str, is_answer: bool) -> None:
    assert base_subject(subject) == (base, is_answer)
