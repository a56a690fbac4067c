import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmgate.bm.encodings import SIMPLE, File, decode_message
from bmgate.errors import BadMail, BadTtl, NotAllowed, TooLarge, UnsupportedMedia
from bmgate.mail.forms import Payload, Text, as_plain
from bmgate.mail.headers import decode_header
from bmgate.mail.outgoing import convert, with_short_subject
from bmgate.mail.size import MAX_TEXT
from bmgate.mail.text import clean_line, normal_body

CANARY = "canary7f3a"


def travels(raw: bytes) -> Payload:
    """To somebody of whom nothing is known."""
    sent = convert(raw)
    return as_plain(Text(sent.subject, sent.body, sent.files, sent.left_out))


def mail(*fields: str, body: str = "x") -> bytes:
    return "\r\n".join([*fields, "", body]).encode()


@given(st.text(st.characters(), max_size=150), st.text(st.characters(), max_size=300))
def test_what_is_sent_reads_as_what_was_meant(subject: str, body: str) -> None:
    raw = subject.encode("utf-8", "replace").replace(b"\r", b" ").replace(b"\n", b" ").replace(b"\0", b" ")
    text = body.encode("utf-8", "replace").replace(b"\0", b"")
    sent = convert(b"Subject: " + raw + b"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + text)
    decoded = decode_message(SIMPLE, sent.data)
    expected = with_short_subject(decode_header(raw), text.decode().removeprefix("\ufeff"))
    assert (decoded.subject, decoded.body) == (sent.subject, sent.body) == expected


@given(st.text(max_size=400), st.text(max_size=100))
def test_the_rule_of_pybitmessage_reads_the_same(subject: str, body: str) -> None:
    subject, body = with_short_subject(subject, body)
    data = convert(mail(f"Subject: {subject}", "Content-Type: text/plain; charset=utf-8", body=body)).data
    index = data.find(b"\nBody:")
    assert index > 1
    assert data[8:index][:500] == clean_line(decode_header(subject.encode())).encode()
    assert data[index + 6 :] == normal_body(body.removeprefix("\ufeff")).encode()


@pytest.mark.parametrize("length", [499, 500, 501, 3000])
def test_a_long_subject_is_cut_and_repeated_above_the_body(length: int) -> None:
    full = ("ä" * length)[: length // 2] + "a" * (length % 2)
    subject, body = with_short_subject(full, "text")
    assert len(subject.encode()) <= 500
    if length <= 500:
        assert (subject, body) == (full, "text")
    else:
        assert full.startswith(subject.removesuffix("…"))
        assert body == f"[Subject: {full}]\n\ntext"


def test_a_missing_subject_is_empty_and_the_encoding_stays_simple() -> None:
    sent = travels(b"\r\nbody\r\n")
    assert (sent.encoding, sent.data) == (SIMPLE, b"Subject:\nBody:body")


def test_the_largest_text_travels_and_one_byte_more_does_not() -> None:
    largest = travels(mail("Subject: four", body="x" * (MAX_TEXT - 4)))
    assert len(largest.data) == MAX_TEXT + len("Subject:\nBody:")
    with pytest.raises(TooLarge, match=r"text is 261 kB, Bitmessage carries 261 kB; shorten it by about 1 kB"):
        _ = travels(mail("Subject: four", body="x" * (MAX_TEXT - 3))).data
    with pytest.raises(TooLarge, match=r"text is 391 kB, Bitmessage carries 261 kB; shorten it by about 130 kB"):
        _ = travels(mail(body="x" * 391_000)).data


def test_attachments_are_read_with_name_type_and_bytes() -> None:
    part = "--b\r\nContent-Type: Application/PDF; name=plan.pdf; x-unix-mode=0644\r\n\r\n" + "x" * 34_567
    sent = convert(mail("Content-Type: multipart/mixed; boundary=b", body=f"--b\r\n\r\ntext\r\n{part}\r\n--b--"))
    assert [each.file for each in sent.files] == [File("plan.pdf", b"x" * 34_567, "application/pdf", "attachment")]


def test_mails_that_answer_tell_what_and_to_whom_they_go() -> None:
    sent = convert(
        mail("In-Reply-To: <c@x>", "References: <a@x> <b@x>\r\n <c@x>", "To: A <a@x>, b@x", "Cc: g: c@x;", "Bcc: d@x")
    )
    assert (sent.in_reply_to, sent.answered) == (("<c@x>",), ("<c@x>", "<b@x>", "<a@x>"))
    assert ([str(each) for each in sent.to], [str(each) for each in sent.cc]) == (["a@x", "b@x"], ["c@x"])


def test_a_picture_that_no_html_shows_is_an_attachment_however_small() -> None:
    picture = "Content-Type: image/png\r\nContent-ID: <a>"
    parts = f"--b\r\nContent-Type: text/html\r\n\r\ntext\r\n--b\r\n{picture}\r\n\r\nx\r\n"
    with pytest.raises(UnsupportedMedia):
        travels(mail("Content-Type: multipart/related; boundary=b", body=parts))
    shown = parts.replace("text\r\n", '<img src="cid:a" alt="Logo">\r\n', 1)
    sent = travels(mail("Content-Type: multipart/related; boundary=b", body=shown))
    assert (sent.body, sent.left_out) == ("[image: Logo]", ("attachment-1.png 2 bytes",))


def test_the_start_parameter_names_the_root_of_a_related_mail() -> None:
    parts = "--b\r\nContent-Type: image/png\r\nContent-ID: <a>\r\n\r\nx\r\n--b\r\nContent-Type: text/html\r\n"
    parts += 'Content-ID: <root>\r\n\r\n<p>text <img src="cid:a"></p>\r\n--b--'
    sent = convert(mail('Content-Type: multipart/related; boundary=b; start="<root>"', body=parts))
    assert sent.body == "text [image]"


def test_header_fields_for_the_gateway_are_read() -> None:
    sent = convert(
        mail(
            "From: A <a@b>",
            "Sender: c@d",
            "Message-ID: <1@x>",
            "X-Bitmessage-TTL: 36h",
            "X-Priority: urgent",
            "Importance: High",
            "Expires: Sat, 21 Nov 2026 20:15:31 +0000",
        )
    )
    assert sent.message_id == "<1@x>"
    assert (sent.ttl_seconds, sent.expires_at, sent.priority) == (129_600, 1_795_292_131, "high")
    author = sent.senders.author()
    assert author is not None
    assert (str(author), [str(sender) for sender in sent.senders.senders]) == ("a@b", ["c@d"])


@pytest.mark.parametrize("fields", [["From: a@b, c@d"], ["From: a@b", "From: a@b"], ["From: nobody:;"], ["From:"]])
def test_a_mail_with_any_but_one_author_is_refused(fields: list[str]) -> None:
    with pytest.raises(NotAllowed):
        convert(mail(*fields)).senders.author()


def test_a_mail_without_from_leaves_the_author_to_the_envelope() -> None:
    assert convert(mail("Subject: x")).senders.author() is None


def test_the_same_text_has_the_same_hash_whatever_its_wrapping() -> None:
    flowed = mail("Subject: s", "Content-Type: text/plain; format=flowed", body="a \r\nb")
    assert convert(flowed).content_hash == convert(mail("Subject: s", body="a b\n\n")).content_hash


def test_nothing_but_subject_and_text_travels() -> None:
    names = [
        *("From", "To", "Cc", "Bcc", "Reply-To", "Sender", "Date", "Message-ID", "In-Reply-To", "References"),
        *("User-Agent", "X-Mailer", "Received", "List-Id", "Organization", "Autocrypt", "X-Mozilla-Keys"),
        *("X-Originating-IP", "Content-Language", "Content-ID", "Comments", "Keywords", "Disposition-Notification-To"),
    ]
    fields = [f"{name}: {CANARY} <{CANARY}@{CANARY}.test>" for name in names]
    body = "\r\n".join(
        [
            f"{CANARY} preamble",
            f"--{CANARY}",
            f'Content-Type: text/plain; charset="us-ascii"; x={CANARY}',
            f"Content-Description: {CANARY}",
            "",
            "visible",
            f"--{CANARY}",
            "Content-Type: text/html",
            "",
            f'<p class="{CANARY}">visible<img src="https://{CANARY}.test/p"></p>',
            f"--{CANARY}--",
            f"{CANARY} epilogue",
        ]
    )
    sent = convert(mail(*fields, "Subject: s", f"Content-Type: multipart/alternative; boundary={CANARY}", body=body))
    assert sent.data == b"Subject:s\nBody:visible"


def test_a_dropped_signature_and_logo_leave_no_trace_in_the_payload() -> None:
    signature = f"Content-Type: application/pgp-signature; name={CANARY}.asc\r\n\r\n{CANARY}"
    body = f"--b\r\n\r\nsigned\r\n--b\r\n{signature}\r\n--b--"
    sent = convert(mail("Content-Type: multipart/signed; boundary=b", body=body))
    assert (sent.data, sent.left_out) == (b"Subject:\nBody:signed", (f"{CANARY}.asc 10 bytes",))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2d", 172_800), ("86400", 86_400), (" 90 M ", 5400), ("1w", 604_800), ("5s", 3600), ("999w", 2_419_200)],
)
def test_a_ttl_is_read_and_clamped(text: str, seconds: int) -> None:
    assert convert(mail(f"X-Bitmessage-TTL: {text}")).ttl_seconds == seconds


@pytest.mark.parametrize("text", ["soon", "-1d", "2 days", "1.5d", "²", "9" * 5000])
def test_an_unreadable_ttl_is_refused(text: str) -> None:
    with pytest.raises(BadTtl):
        convert(mail(f"X-Bitmessage-TTL: {text}"))


@pytest.mark.parametrize(
    ("fields", "priority"),
    [
        (["X-Priority: 1 (Highest)"], "high"),
        (["X-Priority: 5"], "low"),
        (["X-Priority: 9", "Priority: non-urgent"], "low"),
        (["Importance: normal", "Priority: urgent"], "normal"),
        ([], "normal"),
    ],
)
def test_the_first_valid_priority_counts(fields: list[str], priority: str) -> None:
    assert convert(mail(*fields)).priority == priority


def nested(levels: int, inner: bytes) -> bytes:
    opening = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(levels))
    return opening + b"\n" + inner


TYPE = b"Content-Type: "
HTML_PART = b"--b\nContent-Type: text/html\n\n" + b"<p>a" * 250
BOMBS = {
    "delimiter lines at every depth": nested(49, b"".join(b"--b%dx\n" % (n % 49) for n in range(150_000))),
    "parts of HTML": TYPE + b"multipart/mixed; boundary=b\n\n" + HTML_PART * 990,
    "one wide cell": TYPE + b"text/html\n\n<table><td>" + b"x" * 200_000 + b"<tr><td>a<td>b" * 4000,
    "cells without rows": TYPE + b"text/html\n\n<table>" + b"<td>" + b"x" * 200_000 + b"<td>y<td>z" * 3000,
    "lists in lists": TYPE + b"text/html\n\n" + b"<ul><li>" * 48 + b"<li>x" * 20_000,
    "quotes in quotes": TYPE + b"text/html\n\n" + b"<blockquote>" * 95 + b"<p>hello world " * 14_000,
    "comments never closed": TYPE + b"text/html\n\n" + b"<!--" * 250_000,
    "encoded words": b"Subject:" + b" =?utf-8?q?a?=" * 9000 + b"\n\nx",
    "parentheses": b"From: " + b"(" * 120_000 + b"\n\nx",
    "colons": b"From: <@" + b":" * 120_000 + b"\n\nx",
    "blanks in a parameter": TYPE + b"text/plain; x" + b" " * 120_000 + b"y\n\nx",
    "blanks in quoted-printable": b"Content-Transfer-Encoding: quoted-printable\n\n" + b" " * 1_000_000 + b"x",
    "soft breaks": TYPE + b"text/plain; format=flowed\n\n" + b"a \n" * 350_000,
    "padding": b"Content-Transfer-Encoding: base64\n\n" + b"A=" * 500_000,
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_are_answered_within_two_seconds_of_work(bomb: str) -> None:
    start = time.thread_time()
    with contextlib.suppress(BadMail, TooLarge):
        convert(BOMBS[bomb])
    assert time.thread_time() - start < 2


FIELDS = st.sampled_from(
    [
        b"Content-Type: multipart/alternative; boundary=a",
        b"Content-Type: multipart/related; boundary=b",
        b"Content-Type: multipart/mixed; boundary=c",
        b"Content-Type: text/html; charset=utf-16",
        b"Content-Type: text/plain; charset=iso-2022-jp; format=flowed; delsp=yes",
        b"Content-Type: image/png; name*0*=x''%ff",
        b"Content-Type: message/rfc822",
        b"Content-Transfer-Encoding: base64",
        b"Content-Transfer-Encoding: quoted-printable",
        b"Content-ID: <a>",
        b"Subject: =?utf-8?b?//?= \xff",
        b"X-Bitmessage-TTL: 1",
        b"Expires: Mon, 99 Jan 99999 99:99:99 +99999999",
        b'From: "a (b <c@d',
    ]
)
LINES = FIELDS | st.sampled_from([b"", b"", b"--a", b"--b", b"--c", b"--c--", b"<p>x<table><td>", b"> a ", b"-- "])


@settings(max_examples=200)
@given(st.lists(LINES, max_size=40).map(b"\r\n".join) | st.binary(max_size=300))
def test_any_bytes_are_a_payload_or_refused(raw: bytes) -> None:
    try:
        sent = convert(raw)
    except (BadMail, UnsupportedMedia, TooLarge):
        return
    assert sent.data == f"Subject:{sent.subject}\nBody:{sent.body}".encode()
    assert clean_line(sent.subject) == sent.subject
    assert normal_body(sent.body) == sent.body
