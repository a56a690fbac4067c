"""Reading what came: every encoding, every limit, and a mail whatever the bytes (I1-I4, P30-P32)."""

import email
import time
import zlib

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.bm.addresses import parse_address
from bmgate.bm.encodings import File, encode_extended
from bmgate.mail.incoming import IncomingMail, render
from bmgate.mail.incoming_body import parts_of
from bmgate.mail.read import read_message
from bmgate.mail.reading import Kind, Manner, Reading
from bmgate.mail.structure import index_message
from bmgate.mail.text import clean_line

ALICE = parse_address("BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Z")
BOB = parse_address("BM-2cUQDtsUrv3WTKcFedRDit6n75w1WtsKuQ")
HTML = Manner(shows_html=True, marks_quotes=True)


def shown(reading: Reading, encoding: int = 2) -> bytes:
    mail = IncomingMail(ALICE, BOB, encoding, reading, parts_of(reading), content_id=bytes(32), received_at=1795292131)
    return render(mail, bytes(32), "bm.internal")


def extended(**content: object) -> bytes:
    return zlib.compress(msgpack.packb({"": "message", **content}, use_bin_type=True), 9)


@pytest.mark.parametrize(
    ("encoding", "data", "subject", "body"),
    [
        (1, b"only a body", "", "only a body"),
        (1, b"Subject:a\nBody:b", "a", "b"),
        (2, b"Subject:a\nBody:b", "a", "b"),
        (2, b"Subject:a\nX: y\nBody:b", "a", "X: y\nb"),  # PyBitmessage discards what stands between
        (2, b"Subject:\nBody:x\nBody:y", "", "x\nBody:y"),
        (2, b"\nBody:b", "", "\nBody:b"),
        (2, b"hello", "", "hello"),
        (2, b"Subject:\xfc\nBody:\x93gr\xfc\xdfe\x94", "\u00fc", "\u201cgr\u00fc\u00dfe\u201d"),
        (2, b"Subject:a\nBody:\x81 \xfc", "a", "\ufffd \ufffd"),
        (2, b"Subject:a\r\nBody:b\r\nc", "a", "b\r\nc"),
        (2, b"Subject:a\nBody:x\0y", "a", "x\ufffdy"),
        (3, extended(subject="a", body="b"), "a", "b"),
    ],
)
def test_i1_what_each_encoding_says(encoding: int, data: bytes, subject: str, body: str) -> None:
    reading = read_message(encoding, data, Manner())
    assert (reading.subject, reading.body, reading.is_readable) == (subject, body, True)


def test_i1_a_long_subject_goes_on_in_the_body() -> None:
    reading = read_message(2, b"Subject:" + b"\xc3\xbc" * 400 + b"\nBody:text", Manner())
    assert reading.subject == "\u00fc" * 250
    assert reading.body == "\u00fc" * 150 + "\ntext"


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        (7, b"\0odd"),
        (3, b"not zlib"),
        (3, zlib.compress(b"not msgpack")),
        (3, zlib.compress(msgpack.packb({"": "vote", "msgid": b"x", "vote": 1}))),
        (3, zlib.compress(bytes(2_000_000))),
        (3, extended(subject="a", body="b") + b"more"),
    ],
)
def test_i2_what_nobody_can_read_is_attached_as_it_came(encoding: int, data: bytes) -> None:
    reading = read_message(encoding, data, HTML)
    assert reading.subject == f"[Bitmessage: unreadable message, encoding {encoding}]"
    assert reading.files == (File("message.bin", data, "application/octet-stream", "attachment"),)
    assert not reading.is_readable
    assert "message.bin" in reading.body


def test_p31_what_was_left_out_is_told_in_the_mail() -> None:
    files = [{"name": f"{n}", "data": b"x"} for n in range(101)]
    reading = read_message(3, extended(subject="s", body="b", files=files, parents=[b"short", bytes(32)]), Manner())
    assert (len(reading.files), reading.parents) == (100, (bytes(32),))
    text = email.message_from_bytes(shown(reading, 3)).get_payload()[0]  # type: ignore[index]
    assert "[1 files beyond 100 were left out.]" in str(text)


def test_files_of_encoding_3_arrive_byte_for_byte() -> None:
    files = [File(f"f{n}.bin", bytes([n]) * 1000 + b"\r\n.\r\n", "application/x-thing", "attachment") for n in range(9)]
    data = encode_extended("s", "b", files=files)
    mail = email.message_from_bytes(shown(read_message(3, data, Manner()), 3))
    found = [part for part in mail.walk() if part.get_filename()]
    assert [(p.get_filename(), p.get_payload(decode=True), p.get_content_type()) for p in found] == [
        (file.name, file.data, file.media_type) for file in files
    ]


def test_o2_recipients_that_were_disclosed_are_shown_as_a_claim() -> None:
    extra = {"x-bmgate": {"to": [str(BOB), "no address", str(ALICE)], "cc": [str(BOB), 7], "bcc": ["x"]}}
    reading = read_message(3, encode_extended("s", "b", extra=extra), Manner())
    mail = email.message_from_bytes(shown(reading, 3))
    assert mail["X-Bitmessage-Claimed-To"].split() == [f"{BOB},", str(ALICE)]
    for odd in ("text", [1], {"to": "x"}, {"to": {"x": "y"}}):
        assert read_message(3, encode_extended("s", "b", extra={"x-bmgate": odd}), Manner()).claims.recipient == ""


def test_p35_markup_is_shown_as_the_text_it_is_unless_its_reader_wants_html() -> None:
    data = b"Subject:s\nBody:<p>one <b>two</b></p><script>x</script>"
    assert read_message(2, data, Manner()).html == ""
    reading = read_message(2, data, HTML)
    assert reading.body == "<p>one <b>two</b></p><script>x</script>"
    assert "<p>one <b>two</b></p>" in reading.html
    assert "script" not in reading.html


def test_p35_of_a_whole_mail_its_own_html_is_shown() -> None:
    mail = b"Subject:s\nBody:MIME-Version: 1.0\nContent-Type: text/html\n\n<p onclick=x>one</p>"
    reading = read_message(2, mail, HTML)
    assert (reading.body, reading.rules) == ("one", ("I8",))
    assert "<p>one</p>" in reading.html


MANNERS = [Manner(), HTML, Manner(kind=Kind.BROADCAST), Manner(is_by_relay=True, shows_html=True)]
SHAPES = st.sampled_from(
    [
        b"Subject:",
        b"\nBody:",
        b"MIME-Version: 1.0\n",
        b"Content-Type: multipart/mixed; boundary=x\n",
        b"From: a\n",
        b"\n",
        b"--x\n",
        b"--x--",
        b"=\n",
        b"=3D",
        b"=?utf-8?q?x?=",
        b'<img src="data:image/png;base64,',
        b'">',
        b"<p>",
        b"</p>",
        b"<!-- Email sent from bmwrapper -->",
        b"-" * 54,
        b"MAILCHUCK-FROM::a@b | c",
        b"\0",
        b"\xff",
        b"AAAA",
    ]
)


@given(
    st.integers(0, 5), st.lists(SHAPES | st.binary(max_size=20), max_size=20).map(b"".join), st.sampled_from(MANNERS)
)
def test_any_payload_becomes_a_sound_mail(encoding: int, data: bytes, manner: Manner) -> None:
    reading = read_message(encoding, data, manner)
    raw = shown(reading, encoding)
    assert raw == shown(read_message(encoding, data, manner), encoding)
    assert raw.isascii()
    assert raw.count(b"\n") == raw.count(b"\r") == raw.count(b"\r\n")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    mail = email.message_from_bytes(raw)
    assert not any(part.defects for part in mail.walk())
    assert len(mail.keys()) == len({name.lower() for name in mail.keys()})  # noqa: SIM118
    assert index_message(raw).texts.subject == clean_line(reading.subject)


SIZE = 260_000


@pytest.mark.parametrize(
    "body",
    [
        b"<p>" * (SIZE // 3),
        b"<img " * (SIZE // 5),
        b'<a href="data:;base64,' * (SIZE // 22),
        b"<img " + b"a" * SIZE + b">",
        b"<img src=" + b"data:a/b;x" * (SIZE // 10) + b">",
        b"=\n" * (SIZE // 2),
        b"A" * SIZE,
        b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n" + b"--x\n" * (SIZE // 4),
        b"MIME-Version: 1.0\nContent-Type: text/html\n\n" + b"<div>" * (SIZE // 5),
        b"From: a\n" * (SIZE // 8),
        b"-" * SIZE,
        (b"-" * 54 + b"\n") * (SIZE // 55),
        b"<!--" * (SIZE // 4),
        b"</a" * (SIZE // 3),
    ],
    ids=str.lower(
        "paragraphs images links long-tag long-url soft-breaks base64 parts divs header dashes quotes comments ends"
    ).split(),
)
def test_p30_no_message_takes_long(body: bytes) -> None:
    begun = time.process_time()
    shown(read_message(2, b"Subject:s\nBody:" + body, HTML))
    assert time.process_time() - begun < 2
