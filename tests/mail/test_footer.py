"""Footers under outgoing text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.mail.footer import with_footer


@pytest.mark.parametrize(
    ("body", "footer", "expected"),
    [
        ("Hello", "", "Hello"),
        ("Hello", "Anna", "Hello\n\nAnna"),
        ("Hello\n\n", "-- \nAnna", "Hello\n\n-- \nAnna"),
        ("", "Anna", "Anna"),
        ("Hello\n\nAnna\n", "Anna", "Hello\n\nAnna\n"),
    ],
)
def test_a_footer_stands_below_once(body: str, footer: str, expected: str) -> None:
    assert with_footer(body, footer) == expected


@given(st.text(), st.text())
def test_a_footer_is_not_repeated(body: str, footer: str) -> None:
    once = with_footer(body, footer)
    assert with_footer(once, footer) == once
