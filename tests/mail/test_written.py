"""Subject and text of a command as they were written, and the doubts about them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.mail.html_line import MAX_MARKUP, first_line
from bmgate.mail.written import as_written

FLOWED = "text/plain; charset=utf-8; format=flowed"


def mail(body: bytes, media: str = "text/plain; charset=utf-8", subject: bytes = b"join") -> bytes:
    return b"Subject: " + subject + b"\r\nMIME-Version: 1.0\r\nContent-Type: " + media.encode() + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    "subject",
    [b"join general", "join caf\u00e9".encode(), b"join =?utf-8?q?caf=C3=A9?=", b"join =?iso-8859-1?q?caf=E9?="],
)
def test_a_subject_of_a_known_charset_is_sure(subject: bytes) -> None:
    assert as_written(mail(b"", subject=subject)).subject_doubt == ""


@pytest.mark.parametrize(
    "subject",
    [b"join caf\xe9", b"join =?x-unknown?q?cafe?=", b"join =?utf-8?q?caf=E9?=", b"join =?utf-8?x?cafe?="],
)
def test_a_subject_of_another_charset_is_doubted(subject: bytes) -> None:
    assert "charset of the subject" in as_written(mail(b"", subject=subject)).subject_doubt


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b"secret phrase\r\nRegards\r\n", "text/plain"),
        (b"secret phrase\r\n", "text/plain; charset=utf-8"),
        (b"secret phrase\r\nRegards, \r\nAnna\r\n", FLOWED),
        (b"\r\nsecret phrase\r\n", FLOWED),
        (b"<p>secret phrase</p><blockquote>Regards</blockquote>", "text/html"),
        (b"<div dir=ltr>\r\n  secret phrase<br>Anna <a href='http://x.example'>x</a></div>", "text/html"),
        (
            b"<html><head><title>t</title><style>p {}</style></head><body><p><b>secret</b> phrase<o:p></o:p></p>",
            "text/html",
        ),
        (b'<body style="line-break: after-white-space;">secret phrase</body>', "text/html"),
    ],
)
def test_the_first_line_of_a_text_is_sure(body: bytes, media: str) -> None:
    written = as_written(mail(body, media))
    assert written.text_doubt == ""
    assert written.text.lstrip("\n").split("\n")[0] == "secret phrase"


@pytest.mark.parametrize(
    ("body", "media", "told"),
    [
        (b"caf\xe9\r\n", "text/plain", "charset"),
        (b"caf\xe9\r\n", "text/plain; charset=utf-8", "charset"),
        (b"cafe\r\n", "text/plain; charset=x-unknown", "charset"),
        (b"secret phrase \r\nRegards\r\n", FLOWED, "flowed"),
        (b"secret phrase \r\n\r\nRegards\r\n", FLOWED, "flowed"),
        (b"secret \r\nphrase\r\n", FLOWED + "; delsp=yes", "flowed"),
        (b">secret phrase\r\n", FLOWED, "flowed"),
        (b"--b\r\n\r\nsecret\r\n--b--\r\n", "multipart/mixed; boundary=other", "told apart"),
        (b'<p>my <a href="https://tea.club/">tea.club</a></p>', "text/html", "HTML"),
        (b'<p><a href="http://tea.club">tea.club</a></p>', "text/html", "HTML"),
        (b"<p>tea <img src='cid:x' alt='club'></p>", "text/html", "HTML"),
        (b"<blockquote>tea club</blockquote>", "text/html", "HTML"),
        (b"<table><tr><td>tea</td><td>club</td></tr></table>", "text/html", "HTML"),
        (b"<p>tea&club;x</p>", "text/html", "HTML"),
        (b"<ul><li>tea club</li></ul>", "text/html", "HTML"),
        (b"<p>tea<sup>2</sup></p>", "text/html", "HTML"),
        (b"<p>tea&nbsp; club</p>", "text/html", "HTML"),
        (b"<p>tea\r\nclub</p>", "text/html", "HTML"),
        (b"<pre>tea\r\nclub</pre>", "text/html", "HTML"),
        (b"<p style='text-transform: uppercase'>tea club</p>", "text/html", "HTML"),
        (b"<p>tea<span style='display:none'>x</span> club</p>", "text/html", "HTML"),
        (b"<p hidden>tea</p><p>club</p>", "text/html", "HTML"),
        (b"<p>tea&#7;club</p>", "text/html", "HTML"),
    ],
)
def test_what_may_be_another_first_line_is_doubted(body: bytes, media: str, told: str) -> None:
    assert told in as_written(mail(body, media)).text_doubt


def test_named_characters_are_those() -> None:
    written = as_written(mail(b"<p>a &amp; b &lt;&#99;&gt; &eacute;</p>", "text/html"))
    assert (written.text, written.text_doubt) == ("a & b <c> é", "")


def test_the_plain_rendering_is_taken_where_there_is_one() -> None:
    parts = b"--b\r\n\r\nsecret\r\n--b\r\nContent-Type: text/html\r\n\r\n<ul><li>secret</ul>\r\n--b--\r\n"
    written = as_written(mail(parts, "multipart/alternative; boundary=b"))
    assert (written.text.strip(), written.text_doubt) == ("secret", "")


def test_very_long_html_is_doubted_at_once() -> None:
    assert first_line("<!-- " * MAX_MARKUP) is None


@given(st.text(alphabet='<>/&;#ab p\n"=!-', max_size=60))
def test_whatever_the_markup_a_line_is_one(markup: str) -> None:
    line = first_line(markup)
    assert line is None or "\n" not in line
