"""What is sent is what was meant, and comes back as it went (properties 1, 2, 4 and 5 of the conversion)."""

import base64
import quopri
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mail_corpus import parsed

from bmgate.bm.addresses import parse_address
from bmgate.bm.encodings import EXTENDED, SIMPLE, File, decode_message, encode_extended, encode_message
from bmgate.mail.filenames import clean_file_name
from bmgate.mail.forms import Ends, Payload, Text, as_files, as_inline, as_mime, as_named
from bmgate.mail.incoming import IncomingMail, render
from bmgate.mail.incoming_body import parts_of
from bmgate.mail.outgoing import Attached, OutgoingMail, convert, with_short_subject
from bmgate.mail.read import read_message
from bmgate.mail.reading import Manner, Reading
from bmgate.mail.text import clean_line, normal_body, truncate_utf8

ALICE = parse_address("BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Z")
BOB = parse_address("BM-2cUQDtsUrv3WTKcFedRDit6n75w1WtsKuQ")

AS_SENT = Manner(recognise=False)

ODD = st.sampled_from(
    ["From here", ".", "-- ", "> quote ", "=?utf-8?q?x?=", "--=_bm_x", "é" * 90, "x" * 90, "\tt\t", ""]
)


def came(payload: bytes, manner: Manner = AS_SENT, encoding: int = 2) -> bytes:
    """The mail a payload becomes."""
    reading = read_message(encoding, payload, manner)
    mail = IncomingMail(ALICE, BOB, encoding, reading, parts_of(reading), content_id=bytes(32), received_at=1795292131)
    return render(mail, bytes(range(32)), "bm.internal")


def test_the_worked_example_goes_back_as_it_came() -> None:
    assert convert(came(b"Subject:Hello\nBody:First test.")).data == b"Subject:Hello\nBody:First test."


@given(st.text(max_size=200) | ODD, st.lists(st.text(max_size=60) | ODD, max_size=8).map("\n".join))
def test_a_payload_in_normal_form_goes_back_as_it_came(subject: str, body: str) -> None:
    subject = clean_line(truncate_utf8(clean_line(subject), 500))
    payload = encode_message(subject, normal_body(body))
    assert convert(came(payload)).data == payload


LETTERS = st.text(alphabet="abcdefghij klm\n.üß", max_size=80)


@given(LETTERS, LETTERS)
def test_text_in_which_no_rule_finds_anything_is_as_it_was_sent(subject: str, body: str) -> None:
    payload = encode_message(clean_line(subject), normal_body(body))
    assert read_message(2, payload, Manner()).rules == ()
    assert came(payload, Manner()) == came(payload)


NAMES = st.text(min_size=1, max_size=30).map(clean_file_name).filter(lambda name: bool(name) and name != "winmail.dat")
TYPES = st.sampled_from(["image/png", "application/pdf", "application/x-thing", "audio/ogg", "text/csv"])
FILES = st.builds(File, NAMES, st.binary(max_size=200), TYPES, st.just("attachment"))
WORDS = st.text(alphabet="abc dé\n", max_size=60).map(normal_body)


def letter(subject: str, body: str, files: list[File]) -> Text:
    return Text(clean_line(subject), body, tuple(map(Attached, files)))


def read(payload: Payload) -> Reading:
    return read_message(payload.encoding, payload.data, Manner())


def travelled(mail: OutgoingMail) -> tuple[str, str, tuple[File, ...]]:
    return mail.subject, mail.body, tuple(attached.file for attached in mail.files)


@given(WORDS, WORDS, st.lists(FILES, max_size=4), st.lists(st.binary(min_size=32, max_size=32), max_size=3))
def test_encoding_3_says_what_was_written(subject: str, body: str, files: list[File], parents: list[bytes]) -> None:
    text = letter(subject, body, files)
    payload = as_files(text, parents)
    reading = read(payload)
    assert (reading.subject, reading.body, reading.files) == (text.subject, body, tuple(files))
    assert reading.parents == tuple(parents)
    assert travelled(convert(came(payload.data, encoding=EXTENDED))) == (text.subject, body, tuple(files))


@given(WORDS, WORDS, st.lists(FILES, min_size=1, max_size=4))
def test_a_whole_mail_of_ours_is_taken_apart_again(subject: str, body: str, files: list[File]) -> None:
    text = letter(subject, body, files)
    reading = read(as_mime(text, Ends(ALICE, BOB, "bm.internal", bytes(32))))
    assert reading.rules == ("I8",)
    assert (reading.subject, reading.body, reading.files) == (text.subject, body, tuple(files))


def test_pictures_in_a_text_of_ours_become_files_again() -> None:
    picture = File("cat.png", b"\x89PNG\r\n\x1a\n...", "image/png", "attachment")
    reading = read(as_inline(letter("s", "see", [picture])))
    assert reading.body == "see\n\n[image 1: cat.png]"
    assert [(file.name, file.data) for file in reading.files] == [("cat.png", picture.data)]


# --- 1: both encodings say what was meant ---


@given(st.text(max_size=300), st.text(max_size=300), st.lists(FILES, max_size=3))
def test_whatever_is_encoded_is_decoded_in_its_normal_form(subject: str, body: str, files: list[File]) -> None:
    """O5 and N(b), and PyBitmessage's rule reads the same of encoding 2."""
    subject, body = with_short_subject(subject, body)
    two = encode_message(subject, body)
    for decoded in (decode_message(SIMPLE, two), decode_message(EXTENDED, encode_extended(subject, body, (), files))):
        assert (decoded.subject, decoded.body) == (clean_line(subject), normal_body(body)) == (subject, body)
    end = two.find(b"\nBody:")
    assert (two[8:end][:500].decode(), two[end + 6 :].decode()) == (subject, body)


# --- 2: wrapping is not text ---

PARAGRAPHS = st.lists(st.text(alphabet="abcdefgäöü>", min_size=1, max_size=12), max_size=60).map(" ".join)
ENCODERS = {
    "8bit": lambda data: data,
    "quoted-printable": quopri.encodestring,
    "base64": base64.encodebytes,
}


def flowed(paragraph: str, width: int, del_sp: bool) -> str:
    """As RFC 3676 wraps: a blank before each soft break, one more where DelSp takes it away, stuffing in front."""
    lines = textwrap.wrap(paragraph, width, break_long_words=False, break_on_hyphens=False) or [""]
    broken = [line + ("  " if del_sp else " ") for line in lines[:-1]] + lines[-1:]
    return "\n".join(f" {line}" if line.startswith((" ", ">", "From ")) else line for line in broken)


@pytest.mark.parametrize("encoding", ENCODERS)
@given(st.lists(PARAGRAPHS, max_size=5), st.integers(66, 78), st.booleans())
def test_text_wrapped_by_any_program_travels_unwrapped(
    encoding: str, paragraphs: list[str], width: int, del_sp: bool
) -> None:
    wrapped = "\n".join(flowed(paragraph, width, del_sp) for paragraph in paragraphs)
    fields = (
        f"Subject: s\nContent-Type: text/plain; charset=utf-8; format=flowed; delsp={'yes' if del_sp else 'no'}\n"
        f"Content-Transfer-Encoding: {encoding}\n\n"
    )
    sent = convert(fields.encode() + ENCODERS[encoding](wrapped.encode()))
    assert sent.data == encode_message("s", normal_body("\n".join(paragraphs)))


# --- 4: nothing else travels ---

CANARY = "canary7q"
NAMES_OF_FIELDS = [
    *("To", "Cc", "Bcc", "Date", "Reply-To", "Message-ID", "References", "User-Agent", "X-Mailer", "Received"),
    *("List-Id", "Organization", "Comments", "Keywords", "X-Originating-IP", "Autocrypt", "DKIM-Signature"),
    *("Content-Language", "Content-Description", "Content-ID", "Content-Location", "Face", "Thread-Topic"),
    "X-Bitmessage-Anything",
]
HEADERS = st.lists(st.sampled_from(NAMES_OF_FIELDS) | st.from_regex(r"X-[A-Za-z]{1,10}", fullmatch=True), max_size=8)
SHAPES = st.sampled_from(["alternative", "mixed", "related", "signed", "digest"])


def forms(text: Text) -> list[Payload]:
    """Each form there is; each for bob where it has to be somebody."""
    ends = Ends(ALICE, BOB, "bm.internal", bytes(32))
    return [as_files(text), as_files(text, with_note=True), as_mime(text, ends), as_inline(text), as_named(text)]


@given(HEADERS, HEADERS, SHAPES, WORDS)
def test_no_canary_travels_in_any_form(outer: list[str], inner: list[str], shape: str, words: str) -> None:
    """In no header field but the Subject, no boundary, preamble, epilogue or part that is dropped."""
    part = "".join(f"{name}: <{CANARY}@{CANARY}.test>\r\n" for name in inner)
    raw = (
        "".join(f"{name}: {CANARY} <{CANARY}@{CANARY}.test>\r\n" for name in outer)
        + f"Subject: s\r\nContent-Type: multipart/{shape}; boundary={CANARY}; x={CANARY}\r\n\r\n{CANARY}\r\n"
        + f"--{CANARY}\r\n{part}Content-Type: text/plain; charset=utf-8; x={CANARY}\r\n\r\n{words}\r\n"
        + f"--{CANARY}\r\n{part}Content-Type: application/pgp-signature\r\n\r\n{CANARY}\r\n"
        + f"--{CANARY}\r\n{part}Content-Type: text/html\r\n\r\n<!--{CANARY}--><b id={CANARY}>x</b>\r\n"
        + f"--{CANARY}\r\n{part}Content-Type: text/plain; name=a.png\r\n\r\nx\r\n--{CANARY}--\r\n{CANARY}\r\n"
    )
    mail = convert(raw.encode())
    for payload in forms(Text(mail.subject, mail.body, mail.files, mail.left_out)):
        said = decode_message(payload.encoding, payload.data)
        assert CANARY not in f"{said.subject}\n{said.body}\n{said.files}"


@given(WORDS, st.lists(FILES, max_size=2))
def test_no_recipient_is_told_of_another(words: str, files: list[File]) -> None:
    """O2: neither the fields of the mail nor the form of one recipient's tell who else gets it."""
    carol = "BM-2cW67GEKkHGonXKZLCzouLLxnLym3azS8r"
    raw = f"To: {BOB}@bm.internal, {carol}@bm.internal\r\nCc: {carol}@x.test\r\nSubject: s\r\n\r\n{words}"
    mail = convert(raw.encode())
    pictures = [File(f"{n}.png", file.data, "image/png", "attachment") for n, file in enumerate(files)]
    for payload in forms(letter(mail.subject, mail.body, pictures)):
        said = decode_message(payload.encoding, payload.data)
        assert carol.lower() not in f"{said.subject}{said.body}{said.files}".lower()
        assert payload.disclosed == {}


# --- 5: any bytes become something ---


@given(st.integers(0, 7), st.binary(max_size=300) | st.text(max_size=300).map(str.encode), st.booleans())
def test_any_payload_becomes_a_sound_mail(encoding: int, data: bytes, recognise: bool) -> None:
    for payload in (data, b"Subject:" + data + b"\nBody:" + data):
        raw = came(payload, Manner(recognise=recognise, shows_html=True), encoding)
        assert raw.isascii()
        assert max(map(len, raw.split(b"\r\n"))) <= 998
        assert not any(part.defects for part in parsed(raw).walk())


@given(st.text(min_size=1, max_size=200))
def test_visible_text_in_is_visible_text_out(body: str) -> None:
    """As plain text, as HTML and as the only rendering of a mail that has two."""
    visible = "".join(character for character in body if character.isalnum())
    markup = body.replace("&", "&amp;").replace("<", "&lt;")
    two = f"--b\r\n\r\n \r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{markup}\r\n--b--"
    for fields, content in (
        ("Content-Type: text/plain; charset=utf-8", body),
        ("Content-Type: text/html; charset=utf-8", markup),
        ("Content-Type: multipart/alternative; boundary=b", two),
    ):
        raw = f"{fields}\r\n\r\n".encode() + content.encode("utf-8", "replace").replace(b"\0", b"")
        assert visible in "".join(character for character in convert(raw).body if character.isalnum())
