"""What came from the network and is submitted again is, byte for byte, what came (property 2 of the conversion)."""

from hypothesis import given
from hypothesis import strategies as st

from bmgate.bm.addresses import parse_address
from bmgate.bm.encodings import EXTENDED, File, encode_message
from bmgate.mail.filenames import clean_file_name
from bmgate.mail.forms import Ends, Payload, Text, as_files, as_inline, as_mime
from bmgate.mail.incoming import IncomingMail, render
from bmgate.mail.incoming_body import parts_of
from bmgate.mail.outgoing import Attached, OutgoingMail, convert
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
