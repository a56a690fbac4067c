"""Markup of strangers: what is left of it does nothing (P35, V25)."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.mail.sanitise import sanitised


def inner(markup: str) -> str:
    page = sanitised(markup)
    return page[page.index("<body>") + 7 : page.index("\n</body>")] if page else ""


@pytest.mark.parametrize(
    ("markup", "shown"),
    [
        ("<p>one <b>two</b></p>", "<p>one <b>two</b></p>"),
        ("<b>bold</b>\nnext line", "<b>bold</b><br>\nnext line"),
        ("one<br>two<br/>three", "one<br>two<br>three"),
        ("<p onclick=x style='background:url(http://t/)' class=c id=i>a</p>", "<p>a</p>"),
        ("<p title=t lang=en dir=rtl>a</p>", "<p>a</p>"),
        (
            "<p><a href='http://x' title=t rel=opener>a</a></p>",
            '<p><a href="http://x" rel="noopener noreferrer nofollow">a</a></p>',
        ),
        ("<p>a<script>alert(1)</script><style>p{}</style></p>", "<p>a</p>"),
        ("<p>a<img src=http://t/x.png onerror=x></p>", "<p>a</p>"),
        ("<p><a href='javascript:x'>a</a></p>", '<p><a rel="noopener noreferrer nofollow">a</a></p>'),
        ("<p><a href='data:text/html,x'>a</a></p>", '<p><a rel="noopener noreferrer nofollow">a</a></p>'),
        ("<p><a href='/x'>a</a></p>", '<p><a rel="noopener noreferrer nofollow">a</a></p>'),
        (
            "<p><a href='https://example.org/?a=1&amp;b'>a</a></p>",
            '<p><a href="https://example.org/?a=1&amp;b" rel="noopener noreferrer nofollow">a</a></p>',
        ),
        ("<p>a<svg><a href='https://x/'>b</a></svg></p>", "<p>a</p>"),
        ("<p>a<form action=http://t/><input name=x>b</form></p>", "<p>a</p>b<p></p>"),
        (
            "<table><tr><td colspan=2 width=5>a</td></tr></table>",
            '<table><tbody><tr><td colspan="2">a</td></tr></tbody></table>',
        ),
        ("<p>a<!-- b --></p>", "<p>a</p>"),
        ("<p>a<iframe src=http://t/></iframe></p>", "<p>a</p>"),
        (
            "<p>a<link rel=stylesheet href=http://t/><base href=http://t/><meta http-equiv=refresh content=0></p>",
            "<p>a</p>",
        ),
    ],
)
def test_p35_only_what_is_allowed_is_left(markup: str, shown: str) -> None:
    assert inner(markup) == shown


@pytest.mark.parametrize(
    "markup",
    [
        "plain text",
        "1 < 2 and 3 > 2",
        "I <3 you",
        "a <b c> d",
        "close it with </b>, break with <br>",
        "<p></p>",
        "<html><script>x</script></html>",
        "<p>" * 101 + "x" + "</p>" * 101,
        "<b>x</b>" * 6_000,
        "<p>x</p>" + "y" * 600_000,
        "",
    ],
)
def test_p35_on_any_doubt_there_is_only_the_text(markup: str) -> None:
    assert sanitised(markup) == ""


PIECES = """<p> </p> <a href= 'javascript:x' > " ' <img src=http://t/ onerror=x <svg> <math> <style> </style> <!-- -->
 <script x </script <noscript> <table> <td> <template> <title> <textarea> data: ]]> <![CDATA[ on= &lt; &quot;"""
ACTIVE = re.compile(r"<(?!/?(?:p|a|br|table|tbody|tr|td)\b)|\son\w*=|javascript:|src=|style=|url\(", re.IGNORECASE)


@given(st.lists(st.sampled_from(PIECES.split()) | st.text(max_size=5), max_size=30).map("".join))
def test_p35_nothing_active_survives(markup: str) -> None:
    tags = re.findall(r"<[^>]*>", inner(f"<p>x</p>{markup}"))
    assert not [tag for tag in tags if ACTIVE.search(tag)]
