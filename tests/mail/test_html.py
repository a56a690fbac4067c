import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.mail.html import html_to_text, referenced_ids
from bmgate.mail.text import normal_body


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        (
            '<p>two&nbsp;words, a <a href="https://example.org/a">link</a></p>'
            "<blockquote>x<br>y<blockquote>deep</blockquote></blockquote>",
            "two words, a link <https://example.org/a>\n\n> x\n> y\n>> deep",
        ),
        ("<div>a</div><div>b</div><p>c</p>d<br>e", "a\nb\n\nc\n\nd\ne"),
        ("<div>a</div><div>&nbsp;</div><div>b</div>", "a\n\nb"),
        ("<p>a</p><p>&nbsp;</p><p>&nbsp;</p><p>b</p>", "a\n\nb"),
        ("<ul><li>x</li><li>y</li></ul><ol><li>z</li></ol>", "  * x\n  * y\n 1. z"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("<style>x{}</style><script>y()</script><!-- z -->t<head><title>q</title></head>", "t"),
        ("a<span style='display: none'>hidden</span>b", "ab"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>long</td><td>c</td></tr></table>", "a     b\nlong  c"),
        ("<a href='mailto:a@b.test'>a@b.test</a> <a href='https://x.test/'>x.test</a>", "a@b.test x.test"),
        ("<a href='javascript:x()'>j</a><a href='https://x.test'></a>", "j"),
        ("<a href='https://x.test'><img src='y' alt='Logo'></a>", "[image: Logo] <https://x.test>"),
        ("<img src='cid:a'><img src='https://t.test/p' width=1 height=1 alt=x><img src='https://t.test/q'>", "[image]"),
        ("<div style='margin: 9999999em; padding-left: 9999em'>a</div>", "a"),
        ("<?xml version='1.0' encoding='utf-16'?><html><body>x</body></html>", "x"),
        ("1 < 2 &amp; 3 > 2", "1 < 2 & 3 > 2"),
        (
            "write &amp;nbsp;<blockquote>or &amp;lt;<blockquote>&amp;amp;amp;</blockquote></blockquote>",
            "write &nbsp;\n> or &lt;\n>> &amp;amp;",
        ),
        ("<html><body><p>a</p></body></html>\n<p>footer</p> of a list", "a\n\nfooter\n\nof a list"),
        ("<html><body>a</body></html><HTML><BODY>b</BODY ></HTML>c", "a\nb\nc"),
        (
            "<p>&#1;a&#xFFFE;&nbsp;b &#0;</p><blockquote>&#2;c</blockquote><a href='https://x.test/&#3;'>d</a>&#4;",
            "a b \ufffd\n\n> c\nd <https://x.test/>",
        ),
        ("<p>unclosed <b>tags", "unclosed tags"),
        ("", ""),
    ],
)
def test_html_becomes_readable_text(markup: str, text: str) -> None:
    assert html_to_text(markup) == text


@pytest.mark.parametrize(
    "markup",
    [
        "<div>" * 1000 + "visible" + "</div>" * 1000,
        "<blockquote>" * 90 + "visible",
        "<td>" * 10_001 + "visible",
        "<table><tr><td>" * 60 + "visible",
        "visible" + "<p>" * 40_000,
        " " * (2 * 1024 * 1024) + "visible",
        "<frameset>visible",
        "visible <",
        "<div>" * 101 + "<a </p>visible</b>",
        "<b",
    ],
)
def test_text_in_markup_is_never_lost(markup: str) -> None:
    assert html_to_text(markup).strip("> \n")


def test_a_long_cell_beside_many_rows_is_not_padded() -> None:
    rows = "<tr><td>x</td><td>y</td></tr>" * 3000
    text = html_to_text(f"<table><tr><td>{'w' * 100_000}</td><td>y</td></tr>{rows}</table>")
    assert len(text) < 200_000


def test_comments_and_scripts_that_never_end_are_stripped_too() -> None:
    assert html_to_text("a<!-- b", quick=True) == "a"
    assert html_to_text("a<script>b", quick=True) == "a"
    assert html_to_text("a<script>b</script>c<br>d&lt;", quick=True) == "ac\nd<"


def test_pictures_are_found_by_their_content_ids() -> None:
    assert referenced_ids('<img src="cid:a@b"><div style="background:url(cid:c%40d)">') == {"a@b", "c@d"}


@given(st.text("<>/!-abp &;\"='\n\xa0 blockquotetablerd#0x1", max_size=200) | st.text(st.characters(), max_size=100))
def test_any_text_taken_for_html_gives_a_body_in_normal_form(markup: str) -> None:
    text = html_to_text(markup)
    assert normal_body(text) == text
    assert "\n\n\n" not in text
