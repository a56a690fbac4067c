import email
import random
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmgate.bm.addresses import parse_address
from bmgate.bm.encodings import EXTENDED, MAX_FILES, SIMPLE, File, decode_message
from bmgate.errors import BadMail, Refused, TooLarge, UnsupportedMedia
from bmgate.mail.forms import (
    MAX_PARENTS,
    Ends,
    Payload,
    Text,
    as_files,
    as_inline,
    as_mime,
    as_named,
    as_plain,
    with_dashes,
)
from bmgate.mail.outgoing import Attached, convert, with_short_subject
from bmgate.mail.size import MAX_TEXT
from bmgate.mail.text import QUOTE_LINE

ALICE = parse_address("BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Z")
BOB = parse_address("BM-2cUQDtsUrv3WTKcFedRDit6n75w1WtsKuQ")
ENDS = Ends(ALICE, BOB, "bm.internal", bytes(range(32)))
PARENT = bytes.fromhex("8914fe8dadb6b1d0427be2b705721881f437169e3ba3194ffeff8968ff124459")
GOLDEN = bytes.fromhex(
    "85a0a76d657373616765a77375626a656374a952653a2048656c6c6fa4626f6479ad536565207468652066696c652ea7706172656e747391c4"
    "208914fe8dadb6b1d0427be2b705721881f437169e3ba3194ffeff8968ff124459a566696c65739184a46e616d65a86e6f74652e747874a464"
    "617461c4046162630aa474797065aa746578742f706c61696eab646973706f736974696f6eaa6174746163686d656e74"
)
EXAMPLE = b"""From: Alice <BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Z@bm.internal>
To: bm-2cuqdtsurv3wtkcfedrdit6n75w1wtskuq@bm.addr
Bcc: BM-2cW67GEKkHGonXKZLCzouLLxnLym3azS8r@bm.internal
Message-ID: <f00d@host.example>
User-Agent: Mozilla Thunderbird
Subject: =?utf-8?Q?Re:_Gr=C3=BC=C3=9Fe_aus?=
 =?utf-8?Q?_K=C3=B6ln?=
Content-Type: text/plain; charset="iso-8859-15"; format=flowed
Content-Transfer-Encoding: quoted-printable

Ja, um 8 Uhr. Der Eintritt kostet =
5 =A4,=20
bring bitte Geld mit.
=20From here on.

--=20
Alice
"""


def attached(name: str = "plan.pdf", data: bytes = b"x" * 34_567, media: str = "application/pdf") -> Attached:
    return Attached(File(name, data, media, "attachment"))


def logo() -> Attached:
    return Attached(File("logo.png", b"y" * 3_000, "image/png", "inline"), is_logo=True)


PLAN = Text("s", "b", (attached(),))
EMPTY = Text("s", "b")


def test_the_worked_example_of_a_mail_out() -> None:
    mail = convert(EXAMPLE.replace(b"\n", b"\r\n"))
    payload = as_plain(Text(mail.subject, mail.body, mail.files, mail.left_out))
    assert (
        payload.data
        == (
            "Subject:Re: Grüße aus Köln\nBody:Ja, um 8 Uhr. Der Eintritt kostet 5 €, bring bitte Geld mit.\n"
            "From here on.\n\n-- \nAlice"
        ).encode()
    )


def test_the_worked_example_of_encoding_3() -> None:
    note = Attached(File("note.txt", b"abc\n", "text/plain", "attachment"))
    payload = as_files(Text("Re: Hello", "See the file.", (note,)), [PARENT])
    assert payload.encoding == EXTENDED
    assert zlib.decompress(payload.data) == GOLDEN
    assert len(GOLDEN) == 162


def test_text_alone_goes_to_everybody_and_files_to_nobody_unknown() -> None:
    assert as_plain(EMPTY) == Payload(SIMPLE, "s", "b")
    with pytest.raises(UnsupportedMedia, match=r"^not known to accept attachments \(plan\.pdf, 34 kB\)$"):
        as_plain(PLAN)


def test_many_attachments_are_not_all_named() -> None:
    with pytest.raises(UnsupportedMedia, match=r"9\.pdf, 1 bytes and 2 more\)"):
        as_plain(Text("s", "b", tuple(attached(f"{number}.pdf", b"x") for number in range(12))))


def test_a_logo_is_left_out_and_named_where_files_are_not_read() -> None:
    text = Text("s", "b", (logo(),), ("signature.asc 1 kB",))
    for payload in (as_plain(text), as_files(text, with_note=True), as_inline(text), as_named(text)):
        assert payload.left_out == ("signature.asc 1 kB", "logo.png 3 kB")
        assert (payload.body, payload.files) == ("b", ())
    read = as_files(text)
    assert read.left_out == ("signature.asc 1 kB",)
    assert [file.name for file in read.files] == ["logo.png"]


def test_the_note_names_the_files_for_who_may_not_see_them() -> None:
    assert as_files(PLAN).body == "b"
    assert as_files(PLAN, with_note=True).body == (
        "b\n\n[1 attachment: plan.pdf (34 kB). Needs a program that reads files in extended messages.]"
    )
    two = Text("s", "", (attached("a", b"x"), attached("b", b"yy")))
    assert as_files(two, with_note=True).body.startswith("[2 attachments: a (1 bytes), b (2 bytes). Needs")


def test_omitted_files_are_named_in_the_text_and_to_the_sender() -> None:
    payload = as_named(PLAN)
    assert payload.body == "b\n\n[Attachment not sent: plan.pdf, application/pdf, 34 kB]"
    assert payload.left_out == ("plan.pdf 34 kB",)
    assert as_named(Text("s", "", PLAN.files)).body == "[Attachment not sent: plan.pdf, application/pdf, 34 kB]"
    assert as_named(EMPTY).body == "b"


def test_pictures_and_texts_go_inside_the_text() -> None:
    picture = attached('a"<b>.png', b"\x89PNG", "image/png")
    note = attached("note.txt", "Grüße\r\n".encode(), "text/plain")
    assert as_inline(Text("s", "b", (picture, note))).body == (
        'b\n\n<img alt="a&quot;&lt;b>.png" src="data:image/png;base64,iVBORw==">\n\n----- note.txt -----\nGrüße'
    )
    with pytest.raises(UnsupportedMedia, match=r"plan\.pdf, 34 kB"):
        as_inline(Text("s", "b", (picture, attached())))


def test_the_whole_mail_has_six_fields_and_one_boundary_for_ever() -> None:
    text = Text("Grüße", "Der Text.\n\nFrom here on.", (attached("größe.pdf"), logo()))
    payload = as_mime(text, ENDS)
    assert payload.data == as_mime(text, ENDS).data
    assert "\r" not in payload.body
    mail: Any = email.message_from_string(payload.body)
    assert mail.keys() == ["From", "To", "Subject", "MIME-Version", "Content-Type"]
    assert (mail["From"], mail["To"]) == (f"{ALICE}@bm.internal", f"{BOB}@bm.internal")
    assert mail.get_boundary("").startswith("=_bm_")
    first, second = mail.get_payload()
    assert first.get_payload(decode=True).decode().strip() == text.body
    assert second.get_payload(decode=True) == b"x" * 34_567
    again = convert(payload.body.encode())
    assert (again.subject, again.body) == (text.subject, text.body)
    assert [each.file for each in again.files] == [text.files[0].file]
    other = as_mime(text, Ends(ALICE, ALICE, "bm.internal", bytes(range(32))))
    assert email.message_from_string(other.body).get_boundary() != mail.get_boundary()


def test_at_most_eight_parents_are_named() -> None:
    assert len(as_files(EMPTY, [bytes([number]) * 32 for number in range(20)]).parents) == MAX_PARENTS


def test_those_who_got_it_too_are_told_in_a_key_of_our_own() -> None:
    payload = as_files(EMPTY, disclosed={"to": (str(ALICE),), "cc": (str(BOB),)})
    assert b"x-bmgate" in zlib.decompress(payload.data)
    assert decode_message(EXTENDED, payload.data).disclosed == (str(ALICE), str(BOB))


def test_what_an_object_cannot_carry_is_refused_with_the_excess() -> None:
    assert as_plain(Text("four", "x" * (MAX_TEXT - 4))).data
    with pytest.raises(TooLarge, match=r"text is 391 kB, Bitmessage carries 261 kB; shorten it by about 130 kB"):
        _ = as_plain(Text("", "x" * 391_000)).data
    noise = random.Random(1).randbytes(400_000)
    with pytest.raises(TooLarge, match=r"with its attachment is 400 kB, Bitmessage carries 261 kB"):
        _ = as_files(Text("", "", (attached(data=noise),))).data
    with pytest.raises(TooLarge, match="message has 101 files, 100 are the limit"):
        _ = as_files(Text("", "", tuple(attached(data=b"") for _ in range(MAX_FILES + 1)))).data


def test_the_excess_is_counted_in_what_the_sender_wrote() -> None:
    half = random.Random(1).randbytes(450_000).hex()  # two letters of a text for each byte that is compressed
    with pytest.raises(TooLarge, match=r"^message is (\d+) kB compressed, .* about (\d+) of its 900 kB$") as refused:
        _ = as_files(Text("", half)).data
    size, excess = (int(number) for number in re.findall(r"(\d+)(?= kB compressed| of)", str(refused.value)))
    assert 450 <= size < 530
    assert as_files(Text("", half[: -excess * 1000])).data
    with pytest.raises(TooLarge, match="compressed"):
        _ = as_files(Text("", half[: -(excess - 20) * 1000])).data


def test_a_limit_that_holds_before_compressing_is_told_as_that() -> None:
    told = "^message is 2000 kB before it is compressed, 1048 kB are the limit; shorten it by at least 952 kB$"
    with pytest.raises(TooLarge, match=told):
        _ = as_files(Text("", "", (attached(data=bytes(2_000_000)),))).data


def test_a_text_too_long_for_encoding_2_fits_encoding_3() -> None:
    long = "Ein längerer Satz, oft gesagt.\n" * 12_000
    with pytest.raises(TooLarge):
        _ = as_plain(Text("s", long)).data
    assert decode_message(EXTENDED, as_files(Text("s", long)).data).body == long


@given(
    st.text(max_size=200),
    st.text(max_size=400),
    st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=50)), max_size=4),
    st.lists(st.binary(min_size=32, max_size=32), max_size=8),
)
def test_encoding_3_says_what_was_meant(
    subject: str, body: str, files: list[tuple[str, bytes]], parents: list[bytes]
) -> None:
    subject, body = with_short_subject(subject, body)
    meant = tuple(File(name, data, "image/png", "inline") for name, data in files)
    payload = as_files(Text(subject, body, tuple(map(Attached, meant))), parents)
    read = decode_message(EXTENDED, payload.data)
    assert (read.subject, read.body, read.parents) == (subject, body, tuple(parents))
    assert [file.data for file in read.files] == [data for _, data in files]


def test_the_last_quote_goes_below_54_dashes() -> None:
    assert len(QUOTE_LINE) == 54
    assert with_dashes("Yes.\n\nAlice wrote:\n> first\n> second\n>> deep") == (
        f"Yes.\n\nAlice wrote:\n\n{QUOTE_LINE}\nfirst\nsecond\n> deep"
    )
    assert with_dashes("> asked\n\nanswered below") == f"answered below\n\n{QUOTE_LINE}\nasked"
    assert with_dashes("no quote") == "no quote"


# -- whatever comes in ---------------------------------------------------------------------------------------------

CORPUS = sorted((Path(__file__).parents[1] / "corpus").glob("*.eml"))
FORMS: list[Callable[[Text], Payload]] = [
    as_plain,
    as_files,
    lambda text: as_files(text, [PARENT], with_note=True),
    lambda text: as_mime(text, ENDS),
    as_inline,
    as_named,
]


def payloads(raw: bytes) -> Iterator[Payload]:
    """What a mail becomes in each form that can carry it; refusals are an answer, other errors are not."""
    try:
        mail = convert(raw)
    except (BadMail, Refused):
        return
    text = Text(mail.subject, mail.body, mail.files, mail.left_out)
    for form in FORMS:
        try:
            payload = form(text)
            assert len(payload.data) <= MAX_TEXT + 14
        except Refused:
            continue
        yield payload


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_no_canary_of_the_corpus_travels_in_any_form(path: Path) -> None:
    for payload in payloads(path.read_bytes()):
        decoded = decode_message(payload.encoding, payload.data)
        for told in (decoded.subject, decoded.body, *(file.name for file in decoded.files)):
            assert "canary" not in told.lower()


@given(st.sampled_from(CORPUS), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_a_damaged_mail_travels_or_is_refused(path: Path, chance: random.Random) -> None:
    raw = bytearray(path.read_bytes()[:20_000])
    for _ in range(chance.randint(1, 8)):
        place = chance.randrange(len(raw) + 1)
        raw[place : place + chance.randint(0, 30)] = chance.randbytes(chance.randint(0, 6))
    for payload in payloads(bytes(raw)):
        decode_message(payload.encoding, payload.data)


@given(st.binary(max_size=500))
def test_any_bytes_travel_or_are_refused(raw: bytes) -> None:
    for payload in payloads(raw):
        assert decode_message(payload.encoding, payload.data).subject == payload.subject
