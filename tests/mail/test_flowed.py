import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.mail.flowed import unflow

WORDS = st.text("abcdefghij>ß漢", min_size=1, max_size=12)
PARAGRAPHS = st.builds(" ".join, st.lists(WORDS, min_size=1, max_size=40))


@pytest.mark.parametrize(
    ("flowed", "text"),
    [
        ("a \nb\nc", "a b\nc"),
        ("> a \n> b\nc", "> a b\nc"),
        (">> a \n> b \nc", ">> a \n> b \nc"),
        ("a \n-- \nme", "a \n-- \nme"),
        (" From here\n > stuffed", "From here\n> stuffed"),
        (">\n>>x", ">\n>> x"),
        ("a \n\nb", "a \nb"),
        ("", ""),
    ],
)
def test_soft_breaks_are_joined(flowed: str, text: str) -> None:
    assert unflow(flowed) == text


def test_delsp_takes_the_space_before_a_soft_break_away() -> None:
    assert unflow("漢 \n字  \nend", del_sp=True) == "漢字 end"


def flow(paragraph: str, depth: int, width: int, del_sp: bool) -> str:
    """Wrap as RFC 3676 section 4.2 says, stuffing what needs it."""
    lines = textwrap.wrap(paragraph, width, break_long_words=False, break_on_hyphens=False)
    soft = "  " if del_sp else " "
    wrapped = [line + soft for line in lines[:-1]] + lines[-1:]
    if depth:
        return "\n".join(f"{'>' * depth} {line}" for line in wrapped)
    return "\n".join(f" {line}" if line.startswith((" ", ">", "From ")) else line for line in wrapped)


@given(st.lists(st.tuples(PARAGRAPHS, st.integers(0, 3)), max_size=6), st.integers(66, 78), st.booleans())
def test_text_wrapped_by_any_client_comes_out_unwrapped(
    paragraphs: list[tuple[str, int]], width: int, del_sp: bool
) -> None:
    flowed = "\n".join(flow(text, depth, width, del_sp) for text, depth in paragraphs)
    expected = "\n".join(f"{'>' * depth} {text}" if depth else text for text, depth in paragraphs)
    assert unflow(flowed, del_sp) == expected
