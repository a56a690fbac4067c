"""Bitmessages as mail: the worked example, identity, and what hostile content must not do."""

import email
import re
from dataclasses import replace
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parseaddr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.bm.addresses import parse_address
from bmgate.bm.encodings import DecodedMessage, File, decode_message
from bmgate.mail.incoming import (
    IncomingMail,
    Kind,
    boundary,
    content_id,
    dedupe_tag,
    message_id,
    render,
    thread_references,
)
from bmgate.mail.structure import index_message
from bmgate.mail.text import clean_line, normal_body

ALICE = parse_address("BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Z")
BOB = parse_address("BM-2cUQDtsUrv3WTKcFedRDit6n75w1WtsKuQ")
GENERAL = parse_address("BM-2cW67GEKkHGonXKZLCzouLLxnLym3azS8r")
ID_KEY = bytes(range(32))
DOMAIN = "bm.internal"
DATA = b"Subject:Hello\nBody:First test."
ACK_DATA = bytes.fromhex("000000020101641e8fb542e3da5e674fe991a34e544ed569ae9590ce9b8c8ead598a98097d7a")
CONTENT_ID = bytes.fromhex("2bc2f47d600e01cebbd18115ccded454e59f3b0973f78bae195540a02796cf69")
ACKLESS_ID = bytes.fromhex("959f1d3405a5b8f480d6c368763fe79dcd5425397658f50f2f411da6f88799b8")

FIRST_TEST = IncomingMail(
    kind=Kind.MSG,
    sender=ALICE,
    recipient=BOB,
    encoding=2,
    data=DATA,
    decoded=decode_message(2, DATA),
    content_id=CONTENT_ID,
    received_at=1795292131,
    sender_label="Alice",
)

EXAMPLE = """\
Delivered-To: BM-2cUQDtsUrv3WTKcFedRDit6n75w1WtsKuQ@bm.internal
Authentication-Results: bm.internal; x-bitmessage=pass header.from=BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Z@bm.internal
Date: Sat, 21 Nov 2026 20:15:00 +0000
From: Alice <BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Z@bm.internal>
To: BM-2cUQDtsUrv3WTKcFedRDit6n75w1WtsKuQ@bm.internal
Subject: Hello
Message-ID: <cpg4bv652wfonlzcrvrbieqzfhha2oyg@bm.internal>
X-Bitmessage-Kind: msg
X-Bitmessage-Encoding: 2
X-Bitmessage-Key: verified BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Z
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 7bit

First test.
"""


def rendered(mail: IncomingMail) -> bytes:
    return render(mail, ID_KEY, DOMAIN)


def parsed(mail: IncomingMail) -> Message:
    return email.message_from_bytes(rendered(mail))


def saying(
    subject: str = "", body: str = "", files: tuple[File, ...] = (), notes: tuple[str, ...] = ()
) -> IncomingMail:
    return replace(FIRST_TEST, decoded=DecodedMessage(subject, body, files, (), notes))


def parts_of(message: Message) -> list[Message]:
    return [part for part in message.walk() if not part.is_multipart()]


def text_of(part: Message) -> str:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode().replace("\r\n", "\n").removesuffix("\n")


def subject_of(message: Message) -> str:
    return str(make_header(decode_header(message["Subject"].replace("\r\n", ""))))


def test_the_worked_example_is_met_byte_for_byte() -> None:
    raw = rendered(FIRST_TEST)
    assert raw.replace(b"\r\n ", b" ") == EXAMPLE.replace("\n", "\r\n").encode()
    assert b"Authentication-Results: bm.internal; x-bitmessage=pass\r\n header.from=BM-" in raw


def test_the_content_id_of_a_message_with_an_ack_covers_the_ack() -> None:
    assert content_id(ALICE, BOB, 2, DATA, ACK_DATA, b"signed") == CONTENT_ID
    assert content_id(ALICE, BOB, 2, DATA, ACK_DATA, b"signed again") == CONTENT_ID
    assert content_id(ALICE, BOB, 2, DATA, ACK_DATA[:-1] + b"!", b"signed") != CONTENT_ID


def test_the_content_id_of_a_message_without_ack_is_what_was_signed() -> None:
    assert content_id(ALICE, GENERAL, 2, DATA, b"", b"x") == content_id(BOB, BOB, 3, b"", b"", b"x")
    assert content_id(ALICE, GENERAL, 2, DATA, b"", b"x") != content_id(ALICE, GENERAL, 2, DATA, b"", b"y")


def test_message_id_and_boundary_are_keyed() -> None:
    assert message_id(ID_KEY, ACKLESS_ID, DOMAIN) == "<62ki4zczd54ljssn5mtyelvmejkl37uo@bm.internal>"
    assert boundary(ID_KEY, CONTENT_ID) == "=_bm_pk4c2yls2lufqfieis2zlcd7"
    assert dedupe_tag(ID_KEY, CONTENT_ID) != dedupe_tag(ID_KEY[::-1], CONTENT_ID)


def test_p38_a_chan_post_answers_to_the_chan() -> None:
    posted = replace(FIRST_TEST, kind=Kind.CHAN, sender=GENERAL, recipient=GENERAL)
    mail = parsed(replace(posted, sender_label="general", recipient_label="general"))
    assert mail["Reply-To"] == mail["To"] == mail["From"] == f"general <{GENERAL}@{DOMAIN}>"
    assert mail["List-Id"].replace("\r\n", "") == f'"general" <{GENERAL}.chan.{DOMAIN}>'
    assert mail["List-Post"] == f"<mailto:{GENERAL}@{DOMAIN}>"
    assert mail["List-Unsubscribe"].split() == [f"<mailto:bmgate@{DOMAIN}?subject=leave%20{GENERAL}>"]
    assert mail["Precedence"] == "list"
    assert mail["X-Bitmessage-Key"] == f"chan {GENERAL}"
    assert mail["Authentication-Results"] == f"{DOMAIN}; x-bitmessage=neutral (chan key is public)"


def test_p38_a_chan_post_signed_by_an_identity_is_verified() -> None:
    mail = parsed(replace(FIRST_TEST, kind=Kind.CHAN, recipient=GENERAL))
    assert mail["X-Bitmessage-Key"] == f"verified {ALICE}"
    assert "x-bitmessage=pass" in mail["Authentication-Results"]


def test_a_broadcast_cannot_be_answered_to_all() -> None:
    mail = parsed(replace(FIRST_TEST, kind=Kind.BROADCAST, recipient=ALICE, recipient_label="Größe"))
    assert mail["To"] == "subscribers:;"
    assert mail["Reply-To"] is None
    assert mail["List-Post"] == "NO"
    assert f"<{ALICE}.broadcast.{DOMAIN}>" in mail["List-Id"]
    assert mail["List-Unsubscribe"].strip() == f"<mailto:bmgate@{DOMAIN}?subject=usub%20{ALICE}>"
    assert mail["Delivered-To"] == f"{ALICE}@{DOMAIN}"


@pytest.mark.parametrize("label", ["help@bank.example", str(BOB), f"x {BOB}", str(BOB).removeprefix("BM-"), " \u202e "])
def test_p37_labels_that_look_like_addresses_are_not_shown(label: str) -> None:
    assert parsed(replace(FIRST_TEST, sender_label=label))["From"] == f"{ALICE}@{DOMAIN}"


@pytest.mark.parametrize(
    ("label", "written"),
    [
        ("Alice B.", '"Alice B."'),
        ('Al "x" \\', '"Al \\"x\\" \\\\"'),
        ("Größe", "=?utf-8?b?R3LDtsOfZQ==?="),
        ("Eine sehr lange Größe", "=?utf-8?q?Eine_sehr_lange_Gr=C3=B6=C3=9Fe?="),
        ("=?utf-8?q?x?=", "=?utf-8?b?PT91dGYtOD9xP3g/PQ==?="),
        ("x" * 70, "x" * 64),
    ],
)
def test_labels_are_quoted_or_encoded(label: str, written: str) -> None:
    shown = parsed(replace(FIRST_TEST, sender_label=label))["From"].replace("\r\n", "")
    assert shown == f"{written} <{ALICE}@{DOMAIN}>"


def test_first_contact_and_thread_are_told() -> None:
    ids = tuple(f"<{n}@x>" for n in range(25))
    mail = parsed(replace(FIRST_TEST, first_contact=True, references=thread_references(ids[:-1], ids[-1:])))
    assert mail["X-Bitmessage-First-Contact"] == "yes"
    assert mail["In-Reply-To"] == ids[-1]
    assert mail["References"].split() == [ids[0], *ids[-19:]]


def test_references_are_message_ids_once_each() -> None:
    ancestors = ("<a@x>", "<b@x>", "<bad id>", "\r\nX: y")
    assert thread_references(ancestors, ("<a@x>", "<c@x>")) == (
        "<b@x>",
        "<a@x>",
        "<c@x>",
    )


def test_what_cannot_be_read_is_attached_as_it_came() -> None:
    mail = parsed(replace(FIRST_TEST, encoding=7, data=b"\0\1odd", decoded=None))
    assert mail["Subject"] == "[Bitmessage: unreadable message, encoding 7]"
    assert mail["X-Bitmessage-Encoding"] == "7"
    text, raw = parts_of(mail)
    assert "message.bin" in text_of(text)
    assert raw.get_filename() == "message.bin"
    assert raw.get_payload(decode=True) == b"\0\1odd"


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        ("", "7bit"),
        ("plain\n\n> text", "7bit"),
        ("x" * 76, "7bit"),
        ("x" * 77, "quoted-printable"),
        ("tab\t\nx", "quoted-printable"),
        ("-- \nsignature", "quoted-printable"),
        ("From here", "quoted-printable"),
        ("From " + "x" * 200, "quoted-printable"),
        ("a\n.\nb", "quoted-printable"),
        ("Gr\u00fc\u00dfe", "base64"),
        ("a long line of ASCII with one \u00fc in it", "quoted-printable"),
        ("\u4f60\u597d" * 1000, "base64"),
        ("x" * 1_000_000, "quoted-printable"),
        ("Content-Type: text/html\n\n<script>", "7bit"),
        ("--=_bm_pk4c2yls2lufqfieis2zlcd7", "quoted-printable"),
    ],
)
def test_p36_text_travels_in_the_plainest_safe_encoding(body: str, encoding: str) -> None:
    raw = rendered(saying(body=body))
    mail = email.message_from_bytes(raw)
    assert mail["Content-Transfer-Encoding"] == encoding
    assert text_of(mail) == body
    lines = raw.split(b"\r\n")
    assert max(map(len, lines)) <= 76 + 40
    assert not any(line == b"." or line.startswith(b"From ") for line in lines)


HOSTILE_SUBJECTS = [
    "x\r\nBcc: v@x\r\n\r\n<html>",
    "x\u2028Bcc: v@x",
    "x\x0bBcc: v@x",
    "x\x85Bcc: v@x",
    "x\ud800Bcc: v@x\udfff",
]


@pytest.mark.parametrize("subject", HOSTILE_SUBJECTS)
def test_p33_a_subject_stays_one_field(subject: str) -> None:
    mail = parsed(saying(subject, "text", (File(subject, b"data", "text/plain", "attachment"),)))
    assert len(mail.get_all("Subject", [])) == 1
    assert mail["Bcc"] is None
    assert subject_of(mail).replace("\ufffd", "").startswith("x")
    text, attachment = parts_of(mail)
    assert text_of(text) == "text"
    assert attachment["Bcc"] is None


@pytest.mark.parametrize("odd", ["\u202e", "\u2066", "\u2069", "\u200b", "\x1b", "\0", "\x7f"])
def test_p34_what_reorders_or_hides_text_is_stripped_from_headers_and_kept_in_the_body(odd: str) -> None:
    mail = parsed(replace(saying(f"pay{odd}pal", f"pay{odd}pal"), sender_label=f"Al{odd}ice"))
    assert subject_of(mail) in ("paypal", "pay pal")
    assert parseaddr(mail["From"]) in (("Alice", f"{ALICE}@{DOMAIN}"), ("Al ice", f"{ALICE}@{DOMAIN}"))
    if odd in "\u202e\u2066\u2069\u200b":
        assert text_of(mail) == f"pay{odd}pal"


def test_p34_ten_thousand_combining_marks_are_no_subject() -> None:
    assert len(subject_of(parsed(saying("a" + "\u0301" * 10_000)))) <= 500


def test_p35_a_body_of_html_is_shown_as_text() -> None:
    page = '<script>alert(1)</script><img src="http://x/y.png"><a href="data:text/html,x">'
    mail = parsed(saying("s", page))
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content_charset() == "utf-8"
    assert text_of(mail) == page


def test_p37_who_wrote_is_the_key_that_signed_whatever_the_text_claims() -> None:
    mail = parsed(saying(f"From: {BOB}", f"From: support <{BOB}@{DOMAIN}>\n\nYour bank"))
    assert mail.get_all("From") == [f"Alice <{ALICE}@{DOMAIN}>"]
    assert parsed(replace(saying("x"), sender_label=""))["From"] == f"{ALICE}@{DOMAIN}"


def test_p34_nul_and_controls_do_not_reach_the_reader() -> None:
    assert text_of(parsed(saying(body="a\0b\x1b[2J\r\nc\u202e"))) == "a\ufffdb[2J\nc\u202e"


def test_what_the_decoder_left_out_is_told() -> None:
    assert (
        text_of(parsed(saying(body="text", notes=("2 files\nwere left out.",)))) == "text\n\n[2 files were left out.]"
    )


@pytest.mark.parametrize(
    ("name", "media_type", "shown_name", "shown_type"),
    [
        ("plan.pdf", "application/pdf", "plan.pdf", "application/pdf"),
        ("../../etc/passwd", "text/plain", "passwd", "text/plain"),
        ("a/b\\c", "text/plain", "c", "text/plain"),
        ("x\r\nBcc: v@x\0.txt", "text/plain", "x Bcc: v@x.txt", "text/plain"),
        ("exe\u202efdp.x", "x", "exefdp.x", "application/octet-stream"),
        ("page.html", "TEXT/HTML", "page.html", "application/octet-stream"),
        ("pic.svg", "image/svg+xml", "pic.svg", "application/octet-stream"),
        ("mail", "message/rfc822", "mail", "application/octet-stream"),
        ("parts", "multipart/mixed; boundary=x", "parts", "application/octet-stream"),
        ("", "image/png", "attachment-1.png", "image/png"),
        ("...", "", "attachment-1.bin", "application/octet-stream"),
        ("x" * 300 + ".tar", "a/b", "x" * 116 + ".tar", "a/b"),
        ("Übersicht für dich " + "ß" * 80 + ".txt", "a/b", None, "a/b"),
    ],
)
def test_p35_files_are_attachments_with_harmless_names_and_types(
    name: str, media_type: str, shown_name: str | None, shown_type: str
) -> None:
    raw = rendered(saying("s", "text", (File(name, b"\0data" * 50, media_type, "inline"),)))
    mail = email.message_from_bytes(raw)
    text, attachment = parts_of(mail)
    assert text_of(text) == "text"
    assert attachment.get_content_type() == shown_type
    assert attachment.get_content_disposition() == "attachment"
    filename = attachment.get_filename()
    assert filename is not None
    assert shown_name is None or filename == shown_name
    assert len(filename.encode()) <= 120
    assert attachment.get_payload(decode=True) == b"\0data" * 50
    assert max(map(len, raw.split(b"\r\n"))) <= 200


FIELDS = re.compile(rb"[A-Za-z-]+:")
NAMES = [line.split(":")[0] for line in EXAMPLE.split("\n\n")[0].splitlines()]


def sent_files() -> st.SearchStrategy[File]:
    return st.builds(File, st.text(max_size=60), st.binary(max_size=80), st.text(max_size=20), st.just("inline"))


@given(
    st.text(max_size=120) | st.text(alphabet="a \u00fc=?\r\n\0\u2028", max_size=200),
    st.text(alphabet=st.characters() | st.sampled_from("\n .=-\0F"), max_size=300),
    st.lists(sent_files(), max_size=3),
    st.text(max_size=30),
)
def test_p33_whatever_the_content_the_mail_is_sound(subject: str, body: str, files: list[File], label: str) -> None:
    mail = replace(saying(subject, body, tuple(files)), sender_label=label)
    raw = rendered(mail)
    assert raw == rendered(mail)
    assert raw.isascii()
    assert b"\0" not in raw
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    message = email.message_from_bytes(raw)
    assert [name for name in message if name != "Content-Transfer-Encoding"] == NAMES[:-1]
    assert not any(part.defects for part in message.walk())
    index = index_message(raw)
    assert index.subject == clean_line(subject)
    first = parts_of(message)[0] if files else message
    assert text_of(first) == normal_body(body.replace("\0", "\ufffd"))


@given(st.text(max_size=300))
def test_p33_subjects_survive_encoding_and_folding(subject: str) -> None:
    raw = rendered(saying(subject))
    header = raw[raw.index(b"\r\nSubject:") + 2 : raw.index(b"\r\nMessage-ID:")]
    assert index_message(raw).subject == clean_line(subject)
    if b"=?utf-8?" in header:
        assert max(map(len, header.split(b"\r\n"))) <= 76
