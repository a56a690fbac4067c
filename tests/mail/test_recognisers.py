"""The conventions of programs in the wild, one by one, and what only looks like them."""

import base64
import quopri

import pytest

from bmgate.bm.encodings import File, encode_extended, encode_message
from bmgate.mail.read import read_message
from bmgate.mail.reading import Claims, Kind, Manner, Reading
from bmgate.mail.recognisers import BMWRAPPER_MARK, MAX_QUOTES, RECOGNISERS
from bmgate.mail.text import QUOTE_LINE

AUTHOR = "BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Z"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
POEM = "Grüße aus Köln: ein ziemlich langer Satz, damit er umbrochen werden muss = weich"
BROADCAST = Manner(kind=Kind.BROADCAST)
RELAY = Manner(is_by_relay=True)


def read(subject: str, body: str, manner: Manner | None = None) -> Reading:
    return read_message(2, encode_message(subject, body), manner or Manner())


def qp(text: str) -> str:
    return quopri.encodestring(text.encode()).decode("ascii")


def lines_of(text: str, columns: int) -> str:
    encoded = base64.b64encode(text.encode()).decode("ascii")
    return "\n".join(encoded[start : start + columns] for start in range(0, len(encoded), columns))


def data_url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def test_the_rules_are_tried_in_order() -> None:
    assert [rule for rule, _ in RECOGNISERS] == [f"I{number}" for number in range(5, 13)]


# --- I5, I6, I7 ---


def test_i5_a_subject_of_encoded_words_is_decoded() -> None:
    reading = read("=?utf-8?Q?Gr=C3=BC=C3=9Fe?= =?utf-8?B?IGF1cyBLw7Zsbg==?=", "x")
    assert (reading.subject, reading.rules) == ("Grüße aus Köln", ("I5",))


@pytest.mark.parametrize(
    "subject", ["Re: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "=?utf-8?Q?unfinished", "=?nonsense-9?Q?=FF?=", "a =? b ?= c", ""]
)
def test_i5_any_other_subject_stays(subject: str) -> None:
    reading = read(subject, "x")
    assert (reading.subject, reading.rules) == (subject, ())


def test_i6_quoted_printable_that_nobody_decoded_is_decoded() -> None:
    source = qp(POEM)
    assert "=\n" in source
    reading = read("s", source)
    assert (reading.body, reading.rules) == (POEM, ("I6",))


def test_i6_an_escaped_equals_sign_is_evidence_enough() -> None:
    assert read("s", "two is 1 +=\n 1, so 1 + 1 =3D 2").body == "two is 1 + 1, so 1 + 1 = 2"


@pytest.mark.parametrize(
    "body",
    [
        "I saw the =\nworld in a grain =of= sand",  # a poem
        "x = 3D\nx = 4A",  # no soft break
        "all ASCII and =\nwrapped, with nothing to decode: =41",
        "soft =\nbreak and =3D, but " + "x" * 80,
        "soft =\nbreak, =C3 alone is no UTF-8",
        "umlaut ü =\nand =3D",
    ],
)
def test_i6_what_only_looks_like_quoted_printable_stays(body: str) -> None:
    reading = read("s", body)
    assert (reading.body, reading.rules) == (body, ())


@pytest.mark.parametrize("columns", [60, 64, 72, 76, 1000])
def test_i7_base64_that_nobody_decoded_is_decoded(columns: int) -> None:
    reading = read("s", lines_of(POEM, columns) + "\n")
    assert (reading.body, reading.rules) == (POEM, ("I7",))


@pytest.mark.parametrize(
    "body",
    [
        "8914fe8dadb6b1d0427be2b705721881f437169e3ba3194ffeff8968ff124459",  # a hash
        base64.b64encode(bytes(range(200))).decode("ascii"),  # no text in it
        base64.b64encode(b"nospaceinthiswholetextnotoneatall").decode("ascii"),
        lines_of(POEM, 60).replace("\n", "\n\n"),
        lines_of(POEM, 50),
        lines_of(POEM, 60) + "==",
        base64.b64encode(b"too short a t").decode("ascii"),
        "Pneumonoultramicroscopicsilicovolcanoconiosis",
        "",
    ],
)
def test_i7_what_only_looks_like_base64_stays(body: str) -> None:
    reading = read("s", body)
    assert (reading.body, reading.rules) == (body, ())


# --- I8 ---

WHOLE = """\
From: Alice <alice@example.org>
To: bob@example.org
Date: Sat, 21 Nov 2026 20:15:00 +0100
Message-ID: <inner@example.org>
In-Reply-To: <earlier@example.org>
References: <first@example.org> <earlier@example.org>
Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=x

--x
Content-Type: multipart/alternative; boundary=y

--y
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Gr=C3=BC=C3=9Fe
--y
Content-Type: text/html; charset=utf-8

<p>Hello</p><script>x</script>
--y--
--x
Content-Type: application/pdf; name=plan.pdf
Content-Disposition: attachment; filename=plan.pdf
Content-Transfer-Encoding: base64

JVBERg==
--x--
"""


def test_i8_the_parts_of_a_whole_mail_become_ours() -> None:
    reading = read("", WHOLE)
    assert (reading.subject, reading.body, reading.rules) == ("Grüße", "Grüße", ("I8",))
    assert reading.files == (
        File("plan.pdf", b"%PDF", "application/pdf", "attachment"),
        File("message.html", b"<p>Hello</p><script>x</script>", "application/octet-stream", "attachment"),
    )
    assert reading.claims == Claims(
        sender="Alice <alice@example.org>",
        recipient="bob@example.org",
        date="Sat, 21 Nov 2026 20:15:00 +0100",
        message_id="<inner@example.org>",
    )
    assert reading.alias == "<inner@example.org>"
    assert reading.answers == ("<earlier@example.org>", "<first@example.org>")


def test_i8_a_mail_of_html_alone_is_shown_as_its_text() -> None:
    reading = read("s", "Subject: t\nMIME-Version: 1.0\nContent-Type: text/html\n\n<p>one</p><p>two</p>")
    assert reading.body == "one\n\ntwo"
    assert [file.name for file in reading.files] == ["message.html"]


def test_i8_the_charset_of_the_mail_counts_for_its_own_bytes() -> None:
    mail = b"Subject:s\nBody:Content-Type: text/plain; charset=iso-8859-1\n\nGr\xfc\xdfe"
    assert read_message(2, mail, Manner()).body == "Grüße"


def test_i8_the_outer_subject_is_kept_where_it_says_something_else() -> None:
    reading = read("outer", "Subject: inner\nMIME-Version: 1.0\n\ntext")
    assert reading.subject == "inner"
    assert reading.notes == ("The message was sent with the subject: outer",)
    assert read("same", "Subject: same\nMIME-Version: 1.0\n\ntext").notes == ()
    assert read("outer", "MIME-Version: 1.0\n\ntext").subject == "outer"


def test_i8_small_pictures_come_along() -> None:
    mail = (
        "MIME-Version: 1.0\nContent-Type: multipart/related; boundary=x\n\n--x\nContent-Type: text/html\n\n"
        '<p>hi</p><img src="cid:l">\n--x\nContent-Type: image/png; name=l.png\nContent-ID: <l>\n'
        f"Content-Transfer-Encoding: base64\n\n{base64.b64encode(PNG).decode()}\n--x--\n"
    )
    assert [file.name for file in read("s", mail).files] == ["l.png", "message.html"]


@pytest.mark.parametrize(
    "header",
    [
        "MIME-Version: 1.0",
        "Subject: x\nContent-Type: text/plain",
        "From: a@b.c\nTo: d@e.f",
        "Return-Path: <a@b.c>\nReceived: from x\n by y",
    ],
)
def test_i8_the_least_evidence(header: str) -> None:
    assert read("s", f"{header}\n\ntext").rules == ("I8",)


@pytest.mark.parametrize(
    "body",
    [
        "Hello,\nthe field MIME-Version: 1.0 is needed.\n\nBye",  # a mail about MIME
        "Note: buy milk\nFrom: the farmer\n\nand bread",
        "To: whom it may concern\nSubject: nothing\n\ntext",
        "From: a@b.c\nTo: d@e.f",  # no body
        "From: a@b.c\nTo: d@e.f\nsome words\n\ntext",
        "From: a@b.c\n" + "X-Y: z\n" * 200 + "To: d@e.f\n\ntext",
        "From: a@b.c\nTo: " + "x" * 33_000 + "\n\ntext",
        "\nFrom: a@b.c\nTo: d@e.f\n\ntext",
        "Content-Type: nonsense\nX: y\n\ntext",
        "MIME-Version: 1.0\nContent-Type: multipart/encrypted; boundary=x\n\n--x\n\nsecret\n--x--",
    ],
)
def test_i8_what_only_looks_like_a_mail_stays(body: str) -> None:
    reading = read("s", body)
    assert (reading.body, reading.rules) == (body, ())


# --- I9 ---


def test_i9_a_picture_in_the_text_becomes_a_file() -> None:
    wrapped = data_url("image/png", PNG).replace("base64,", "base64,\n ")
    reading = read("s", f'see <img alt="the &lt;cat&gt;.png" src="{wrapped}"> and <IMG SRC=\'{wrapped}\' > end')
    assert reading.body == "see [image 1: the <cat>.png] and [image 2: image-2.png] end"
    assert reading.files == tuple(File(name, PNG, "image/png", "inline") for name in ("the <cat>.png", "image-2.png"))
    assert reading.rules == ("I9",)


def test_i9_a_linked_file_becomes_one() -> None:
    url = data_url("application/pdf", b"%PDF")
    reading = read("s", f'<a download="../plan.pdf" href="{url}">the plan</a>, <a href="{url}">')
    assert reading.body == "the plan [file 1: plan.pdf], [file 2: file-2.pdf]"
    assert {file.disposition for file in reading.files} == {"attachment"}


@pytest.mark.parametrize("media_type", ["image/png", "image/svg+xml", "image/jpeg"])
def test_i9_a_picture_with_other_first_bytes_is_just_bytes(media_type: str) -> None:
    reading = read("s", f'<img src="{data_url(media_type, b"<svg onload=x>")}">')
    (file,) = reading.files
    assert (file.media_type, file.disposition) == ("application/octet-stream", "attachment")
    assert reading.body == "[file 1: file-1.bin]"


def test_i9_more_than_twenty_stay_in_the_text() -> None:
    tag = f'<img src="{data_url("image/png", PNG)}">'
    reading = read("s", tag * 21)
    assert len(reading.files) == 20
    assert reading.body.endswith("[image 20: image-20.png]" + tag)


@pytest.mark.parametrize(
    "body",
    [
        '<img src="https://example.org/x.png">',
        '<img src="data:image/png;base64,!!!">',
        '<img src="data:image/png;base64,AAÄA">',
        '<img src="data:text/html;base64,AAAA">',
        '<img src="data:image/png,raw">',
        '<a href="https://example.org/">x</a>',
        '<imgx src="data:image/png;base64,AAAA">',
        '<img src="data:image/png;base64,">',
        '<img src="data:image/png;base64,AAAA',
    ],
)
def test_i9_what_carries_nothing_stays(body: str) -> None:
    reading = read("s", body)
    assert (reading.body, reading.rules) == (body, ())


# --- I10, I11, I12 ---

LIST_LINE = f"Sat, 2026-11-21 20:15:00 UTC   Message ostensibly from {AUTHOR}:"


def test_i10_what_a_list_passes_on_is_told_apart_from_the_list() -> None:
    reading = read("[news] s", f"{LIST_LINE}\n\nthe text", BROADCAST)
    assert (reading.kind, reading.body) == (Kind.LIST, "the text")
    assert reading.claims == Claims(sender=AUTHOR, date="Sat, 2026-11-21 20:15:00 UTC")
    assert reading.rules == ("I10",)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (f"{LIST_LINE}\n\nthe text", Kind.MSG),
        (f"{LIST_LINE}\nthe text", Kind.BROADCAST),
        (f"{LIST_LINE[:-3]}:\n\nthe text", Kind.BROADCAST),  # no address
        (f"Hello\n{LIST_LINE}\n\nthe text", Kind.BROADCAST),
    ],
)
def test_i10_anything_else_stays(body: str, kind: Kind) -> None:
    reading = read("s", body, Manner(kind=kind))
    assert (reading.kind, reading.body, reading.rules) == (kind, body, ())


def test_i11_bmwrappers_mark_goes() -> None:
    reading = read("s", f"text\n\n{BMWRAPPER_MARK}\n")
    assert (reading.body.rstrip(), reading.rules) == ("text", ("I11",))
    assert read("s", f"{BMWRAPPER_MARK}\n\ntext").rules == ()


def test_i11_pybitmessages_quotes_are_marked_where_wanted() -> None:
    body = f"mine\n\n{QUOTE_LINE}\nyours\n\n{QUOTE_LINE}\nmine before"
    assert read("s", body).body == body
    reading = read("s", body, Manner(marks_quotes=True))
    assert reading.body == "mine\n\n> yours\n>\n>> mine before"
    assert read("s", "no quotes", Manner(marks_quotes=True)).rules == ()


def test_i11_lines_below_very_many_dashes_do_not_grow_without_end() -> None:
    reading = read("s", f"{QUOTE_LINE}\n" * 500 + "deep\n" * 500, Manner(marks_quotes=True))
    assert reading.body.startswith(">" * MAX_QUOTES + " deep\n")


def test_i12_mail_of_the_readers_relay_tells_its_author() -> None:
    reading = read("Re: MAILCHUCK-FROM::alice@example.org | lunch", "text", RELAY)
    assert (reading.kind, reading.subject, reading.claims.sender) == (Kind.RELAY, "Re: lunch", "alice@example.org")
    assert reading.rules == ("I12",)


def test_i12_a_stranger_is_no_relay() -> None:
    subject = "MAILCHUCK-FROM::alice@example.org | lunch"
    assert read(subject, "text").subject == subject
    assert read("lunch", "text", RELAY).kind is Kind.MSG
    assert read("MAILCHUCK-FROM:: | lunch", "text", RELAY).kind is Kind.MSG


# --- all of them ---


@pytest.mark.parametrize("body", [qp(POEM), lines_of(POEM, 76), WHOLE, f'<img src="{data_url("image/png", PNG)}">'])
def test_with_recognising_off_the_text_is_as_it_was_sent(body: str) -> None:
    reading = read("=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", body, Manner(recognise=False))
    assert reading.body == body
    assert reading.subject == "=?utf-8?Q?Gr=C3=BC=C3=9Fe?="
    assert (reading.files, reading.rules) == ((), ())


def test_several_rules_may_hit_one_message() -> None:
    mail = f'MIME-Version: 1.0\n\n<img src="{data_url("image/gif", b"GIF89a...")}">\n{BMWRAPPER_MARK}'
    reading = read("=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", mail)
    assert reading.rules == ("I5", "I8", "I9", "I11")
    assert reading.body.strip() == "[image 1: image-1.gif]"


def test_encoding_3_says_itself_what_it_holds() -> None:
    reading = read_message(3, encode_extended("=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", WHOLE), Manner())
    assert (reading.subject, reading.body, reading.rules) == ("=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", WHOLE, ())


def test_i8_a_header_beyond_the_limits_is_text() -> None:
    """Fifty parameters are the most a field may have (O4)."""
    many = "; ".join(f"p{number}=1" for number in range(60))
    text = f"Content-Type: text/plain; {many}\n\nword"
    assert read_message(2, encode_message("", text), Manner()).body == text
