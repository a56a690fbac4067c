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
from bmgate.bm.encodings import DecodedMessage, File
from bmgate.mail.incoming import IncomingMail, render
from bmgate.mail.incoming_body import parts_of
from bmgate.mail.message_identity import boundary, content_id, dedupe_tag, message_id, thread_references
from bmgate.mail.read import from_decoded, read_message
from bmgate.mail.reading import Claims, Kind, Manner, Reading
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
    sender=ALICE,
    recipient=BOB,
    encoding=2,
    reading=(HELLO := read_message(2, DATA, Manner())),
    parts=parts_of(HELLO),
    content_id=CONTENT_ID,
    received_at=1795292131,
    sender_label="Alice",
)

EXAMPLE = """\
Delivered-To: BM-2cUQDtsUrv3WTKcFedRDit6n75w1WtsKuQ@bm.internal
Authentication-Results: bm.internal; x-bitmessage=pass
 header.from=BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Z@bm.internal
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


def with_reading(mail: IncomingMail, reading: Reading, **values: object) -> IncomingMail:
    return replace(mail, reading=reading, parts=parts_of(reading), **values)  # type: ignore[arg-type]


def saying(
    subject: str = "", body: str = "", files: tuple[File, ...] = (), notes: tuple[str, ...] = ()
) -> IncomingMail:
    return with_reading(FIRST_TEST, from_decoded(DecodedMessage(subject, body, files, (), notes), Manner()))


def of_kind(kind: Kind, mail: IncomingMail = FIRST_TEST, **values: object) -> IncomingMail:
    return with_reading(mail, replace(mail.reading, kind=kind), **values)


def leaves(message: Message) -> list[Message]:
    return [part for part in message.walk() if not part.is_multipart()]


def text_of(part: Message) -> str:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode().replace("\r\n", "\n").removesuffix("\n")


def subject_of(message: Message) -> str:
    return str(make_header(decode_header(message["Subject"].replace("\r\n", ""))))


def test_the_worked_example_is_met_byte_for_byte() -> None:
    assert rendered(FIRST_TEST) == EXAMPLE.replace("\n", "\r\n").encode()


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
    posted = of_kind(Kind.CHAN, sender=GENERAL, recipient=GENERAL)
    mail = parsed(replace(posted, sender_label="general", recipient_label="general"))
    assert mail["Reply-To"] == mail["To"] == mail["From"] == f"general <{GENERAL}@{DOMAIN}>"
    assert mail["List-Id"].replace("\r\n", "") == f'"general" <{GENERAL}.chan.{DOMAIN}>'
    assert mail["List-Post"] == f"<mailto:{GENERAL}@{DOMAIN}>"
    assert mail["List-Unsubscribe"].split() == [f"<mailto:bmgate@{DOMAIN}?subject=leave%20{GENERAL}>"]
    assert mail["Precedence"] == "list"
    assert mail["X-Bitmessage-Key"] == f"chan {GENERAL}"
    assert mail["Authentication-Results"] == f"{DOMAIN}; x-bitmessage=neutral (chan key is public)"


def test_p38_the_other_version_of_a_chans_address_is_the_chan() -> None:
    posted = of_kind(Kind.CHAN, sender=replace(GENERAL, version=3), recipient=GENERAL)
    mail = parsed(replace(posted, recipient_label=""))
    assert (mail["From"], mail["X-Bitmessage-Key"]) == (f"{GENERAL}@{DOMAIN}", f"chan {GENERAL}")
    assert mail["Authentication-Results"] == f"{DOMAIN}; x-bitmessage=neutral (chan key is public)"


def test_p38_a_chan_post_signed_by_an_identity_is_verified() -> None:
    mail = parsed(of_kind(Kind.CHAN, recipient=GENERAL))
    assert mail["X-Bitmessage-Key"] == f"verified {ALICE}"
    assert "x-bitmessage=pass" in mail["Authentication-Results"]


def test_a_broadcast_cannot_be_answered_to_all() -> None:
    mail = parsed(of_kind(Kind.BROADCAST, recipient=ALICE, recipient_label="Größe"))
    assert mail["To"] == "subscribers:;"
    assert mail["Reply-To"] is None
    assert mail["List-Post"] == "NO"
    assert f"<{ALICE}.broadcast.{DOMAIN}>" in mail["List-Id"]
    assert mail["List-Unsubscribe"].strip() == f"<mailto:bmgate@{DOMAIN}?subject=usub%20{ALICE}>"
    assert mail["Delivered-To"] == f"{ALICE}@{DOMAIN}"


def listed(claimed: str = str(BOB)) -> IncomingMail:
    """What the list of alice passes on."""
    reading = replace(FIRST_TEST.reading, kind=Kind.LIST, claims=Claims(sender=claimed), rules=("I10",))
    return with_reading(FIRST_TEST, reading, recipient=ALICE, recipient_label="News")


def test_a_list_is_answered_to_and_its_author_is_only_claimed() -> None:
    mail = parsed(listed())
    assert parseaddr(mail["From"]) == ("Alice (claims BM-2cUQDt..tsKuQ)", f"{ALICE}@{DOMAIN}")
    assert mail["To"] == "subscribers:;"
    assert mail["Reply-To"] == f"News <{ALICE}@{DOMAIN}>"
    assert f"<{ALICE}.list.{DOMAIN}>" in mail["List-Id"]
    assert mail["List-Post"] == f"<mailto:{ALICE}@{DOMAIN}>"
    assert mail["List-Unsubscribe"].strip() == f"<mailto:bmgate@{DOMAIN}?subject=usub%20{ALICE}>"
    assert mail["X-Bitmessage-Claimed-From"] == str(BOB)
    assert mail["X-Bitmessage-Key"] == f"verified {ALICE}"
    assert mail["X-Bitmessage-Converted"] == "I10"


def relayed(claimed: str) -> IncomingMail:
    """What the relay alice brings from the Internet."""
    return with_reading(FIRST_TEST, replace(FIRST_TEST.reading, kind=Kind.RELAY, claims=Claims(sender=claimed)))


def test_relayed_mail_is_answered_through_the_relay() -> None:
    mail = parsed(relayed("carol=x@example.org"))
    assert parseaddr(mail["From"]) == ("carol=x@example.org", f"{ALICE}@{DOMAIN}")
    assert mail["Reply-To"] == f"<carol=x=example.org@relay.{DOMAIN}>"
    assert mail["Authentication-Results"] == f"{DOMAIN}; x-bitmessage=neutral (relayed)"
    assert mail["List-Id"] is None


@pytest.mark.parametrize(
    "claimed", ["carol", "ca rol@example.org", "c@@x", ".c@x", "c@-x", "c\u00fc@example.org", '"c"@x', "c@x."]
)
def test_p37_a_relay_cannot_put_words_into_the_senders_name(claimed: str) -> None:
    mail = parsed(relayed(claimed))
    assert mail["From"] == f"Alice <{ALICE}@{DOMAIN}>"
    assert mail["Reply-To"] is None


def test_imported_mail_claims_no_check_of_ours() -> None:
    mail = parsed(of_kind(Kind.IMPORT))
    assert mail["Authentication-Results"] == f"{DOMAIN}; x-bitmessage=neutral (imported)"
    assert mail["X-Bitmessage-Kind"] == "import"
    assert mail["X-Bitmessage-Key"] is None


def test_claims_are_one_short_line_each() -> None:
    claims = Claims("x\r\nBcc: v@x", "\u202e" + "\u00fc" * 300, "", "<a@b>\0")
    mail = parsed(with_reading(FIRST_TEST, replace(FIRST_TEST.reading, claims=claims)))
    shown = {name: str(make_header(decode_header(mail[name]))) for name in mail if "Claimed" in name}
    assert shown == {
        "X-Bitmessage-Claimed-From": "x Bcc: v@x",
        "X-Bitmessage-Claimed-To": "\u00fc" * 100,
        "X-Bitmessage-Claimed-Message-ID": "<a@b>",
    }
    assert mail["Bcc"] is None


ORDER = """Delivered-To Authentication-Results Date From To Reply-To Subject Message-ID In-Reply-To References List-Id
 List-Post List-Unsubscribe Precedence X-Bitmessage-Kind X-Bitmessage-Encoding X-Bitmessage-Key
 X-Bitmessage-Claimed-From X-Bitmessage-Claimed-To X-Bitmessage-Claimed-Date X-Bitmessage-Claimed-Message-ID
 X-Bitmessage-Converted X-Bitmessage-First-Contact MIME-Version Content-Type Content-Transfer-Encoding"""


@pytest.mark.parametrize("kind", list(Kind))
def test_the_fields_come_in_their_order_once_each(kind: Kind) -> None:
    reading = replace(FIRST_TEST.reading, claims=Claims(str(BOB), "b", "c", "d"), rules=("I8", "I9"))
    mail = with_reading(FIRST_TEST, reading, first_contact=True, references=("<a@x>", "<b@x>"))
    names = list(parsed(of_kind(kind, mail)))
    assert names == [name for name in ORDER.split() if name in names]
    assert len(names) == len(set(names))


PNG = b"\x89PNG\r\n\x1a\n..."


def test_p35_no_file_is_shown_in_place_whatever_it_claims() -> None:
    files = (
        File("a.png", PNG, "image/png", "inline"),
        File("b.png", PNG, "image/png", "attachment"),
        File("c.png", b"<svg>", "image/png", "inline"),
        File("d.pdf", b"%PDF", "application/pdf", "inline"),
    )
    _, *shown = leaves(parsed(saying("s", "text", files)))
    assert [part.get_content_disposition() for part in shown] == ["attachment"] * 4


def test_p35_the_cleaned_html_stands_beside_the_text() -> None:
    reading = replace(FIRST_TEST.reading, html="<p>First <b>test</b>.</p>")
    mail = parsed(with_reading(FIRST_TEST, reading))
    assert mail.get_content_type() == "multipart/alternative"
    assert mail.get_boundary() == "=_bm_pk4c2yls2lufqfieis2zlcd7"
    text, page = leaves(mail)
    assert (text.get_content_type(), text_of(text)) == ("text/plain", "First test.")
    assert (page.get_content_type(), text_of(page)) == ("text/html", "<p>First <b>test</b>.</p>")


def test_i20_text_html_and_files_have_boundaries_of_their_own() -> None:
    files = (File("a.png", PNG, "image/png", "inline"),)
    mail = parsed(with_reading(FIRST_TEST, replace(FIRST_TEST.reading, html="<p>x</p>", files=files)))
    assert mail.get_content_type() == "multipart/mixed"
    assert mail.get_boundary() == "=_bm_pk4c2yls2lufqfieis2zlcd7"
    types = [part.get_content_type() for part in mail.walk()]
    assert types == ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "image/png"]
    assert not any(part.defects for part in mail.walk())


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
    mail = parsed(with_reading(FIRST_TEST, read_message(7, b"\0\1odd", Manner()), encoding=7))
    assert mail["Subject"] == "[Bitmessage: unreadable message, encoding 7]"
    assert mail["X-Bitmessage-Encoding"] == "7"
    text, raw = leaves(mail)
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
    text, attachment = leaves(mail)
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
    text, attachment = leaves(mail)
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
NAMES = [line.split(":")[0] for line in EXAMPLE.split("\n\n")[0].replace("\n ", " ").splitlines()]


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
    assert index.texts.subject == clean_line(subject)
    first = leaves(message)[0] if files else message
    assert text_of(first) == normal_body(body.replace("\0", "\ufffd"))


@given(st.text(max_size=300))
def test_p33_subjects_survive_encoding_and_folding(subject: str) -> None:
    raw = rendered(saying(subject))
    header = raw[raw.index(b"\r\nSubject:") + 2 : raw.index(b"\r\nMessage-ID:")]
    assert index_message(raw).texts.subject == clean_line(subject)
    if b"=?utf-8?" in header:
        assert max(map(len, header.split(b"\r\n"))) <= 76
