"""Each mail of the corpus travels as is expected, and arrives as is expected: `tests/corpus/README.md`."""

import pytest
from mail_corpus import CORPUS, OWN, PAGE, Case, as_told, described, page, parsed, read_corpus, shown

from bmgate import errors
from bmgate.bm.addresses import parse_address
from bmgate.errors import UnsupportedMedia
from bmgate.mail.forms import Payload, Text, as_files, as_plain
from bmgate.mail.incoming import IncomingMail, render
from bmgate.mail.incoming_body import parts_of
from bmgate.mail.outgoing import OutgoingMail, convert
from bmgate.mail.read import read_message
from bmgate.mail.reading import Manner

ALICE = parse_address("BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Z")
BOB = parse_address("BM-2cUQDtsUrv3WTKcFedRDit6n75w1WtsKuQ")
CASES = read_corpus()
TRAVELLING = [case for case in CASES if not case.refused]
EACH = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
EACH_TRAVELLING = pytest.mark.parametrize("case", TRAVELLING, ids=lambda case: case.name)


def submitted(raw: bytes) -> OutgoingMail:
    """A mail converted, its author looked at as the gateway does."""
    mail = convert(raw)
    author = mail.senders.author()
    assert author is None or str(author).encode() == OWN
    return mail


def text_of(mail: OutgoingMail) -> Text:
    return Text(mail.subject, mail.body, mail.files, mail.left_out)


def to_a_reader_of_files(mail: OutgoingMail) -> Payload:
    """What travels between two gateways."""
    text = text_of(mail)
    return as_files(text) if text.files or text.is_long else as_plain(text)


def to_anybody(mail: OutgoingMail) -> Payload:
    """What travels to a reader of whom nothing is known, for an account with the options of a new one."""
    return as_plain(text_of(mail))


def arrived(payload: Payload) -> bytes:
    """The mail that the gateway of the recipient makes of it."""
    reading = read_message(payload.encoding, payload.data, Manner())
    return render(
        IncomingMail(ALICE, BOB, payload.encoding, reading, parts_of(reading), bytes(32), 1795292131),
        bytes(range(32)),
        "bm.internal",
    )


def test_every_mail_has_an_expectation_and_every_expectation_a_mail() -> None:
    assert len(CASES) >= 250
    assert sorted(path.stem for path in CORPUS.glob("*.eml")) == [case.name for case in CASES]


def test_every_mail_is_a_case_of_its_own() -> None:
    assert len({case.expected["description"] for case in CASES}) == len({case.raw for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", [case for case in CASES if case.refused], ids=lambda case: case.name)
def test_what_cannot_travel_is_refused_and_says_why(case: Case) -> None:
    refusal: type[errors.GatewayError] = getattr(errors, case.refused)
    with pytest.raises(refusal) as caught:
        _ = to_a_reader_of_files(submitted(case.raw)).data
    assert type(caught.value) is refusal
    assert [text for text in case.expected.get("names", []) if text not in str(caught.value)] == []


@EACH_TRAVELLING
def test_a_mail_travels_to_a_reader_of_files_as_is_expected(case: Case) -> None:
    mail = submitted(case.raw)
    payload = to_a_reader_of_files(mail)
    assert (payload.subject, as_told(payload.body)) == (case.expected["subject"], case.expected["body"])
    assert payload.encoding == case.encoding
    logos = {attached.file for attached in mail.files if attached.is_logo}
    told = [{**described(file), **({"logo": True} if file in logos else {})} for file in payload.files]
    assert told == list(case.files)
    assert list(payload.left_out) == case.expected.get("left_out", [])
    if payload.encoding == 2:
        assert payload.data == f"Subject:{payload.subject}\nBody:{payload.body}".encode()


@EACH_TRAVELLING
def test_a_mail_travels_to_an_unknown_reader_as_is_expected(case: Case) -> None:
    mail = submitted(case.raw)
    if case.refused_to_others is None:
        payload = to_anybody(mail)
        assert payload.data == f"Subject:{mail.subject}\nBody:{mail.body}".encode()
        assert list(payload.left_out) == case.left_out_for_others
        return
    with pytest.raises((UnsupportedMedia, errors.TooLarge)) as caught:
        _ = to_anybody(mail).data
    assert [text for text in case.refused_to_others if text not in str(caught.value)] == []


@EACH_TRAVELLING
def test_the_mail_at_the_other_end_is_what_is_expected(case: Case) -> None:
    raw = arrived(to_a_reader_of_files(submitted(case.raw)))
    mail = parsed(raw)
    seen = shown(mail)
    assert (seen.subject, as_told(seen.text), seen.rules) == (case.shown.subject, case.shown.text, case.shown.rules)
    assert seen.files == case.shown.files
    assert not any(part.defects for part in mail.walk())
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998


@EACH_TRAVELLING
def test_what_arrived_and_is_sent_on_travels_as_it_did(case: Case) -> None:
    """Forwarded as it stands; but for what a recogniser found in it and names or types that were made harmless."""
    payload = to_a_reader_of_files(submitted(case.raw))
    if case.shown.rules or case.expected.get("arrives"):
        return
    again = to_a_reader_of_files(convert(arrived(payload)))
    assert (again.encoding, again.subject, again.body) == (payload.encoding, payload.subject, payload.body)
    assert [(file.name, file.media_type, file.data) for file in again.files] == [
        (file.name, file.media_type, file.data) for file in payload.files
    ]


@EACH_TRAVELLING
def test_a_mail_asks_for_what_its_header_says(case: Case) -> None:
    mail = convert(case.raw)
    assert mail.ttl_seconds == case.expected.get("ttl_seconds")
    assert mail.priority == case.expected.get("priority", "normal")


@EACH_TRAVELLING
def test_line_ends_make_no_difference(case: Case) -> None:
    assert convert(case.raw).data == convert(case.raw.replace(b"\r\n", b"\n")).data


@EACH_TRAVELLING
def test_no_canary_of_the_corpus_travels(case: Case) -> None:
    payload = to_a_reader_of_files(submitted(case.raw))
    told = [payload.subject, payload.body, *(f"{file.name} {file.media_type}" for file in payload.files)]
    assert "canary" not in "\n".join(told).lower()
    assert not [file.name for file in payload.files if b"canary" in file.data.lower()]


@EACH
def test_an_expectation_uses_the_keys_of_the_readme(case: Case) -> None:
    readme = (CORPUS / "README.md").read_text("utf-8")
    assert [key for key in case.expected if f"`{key}`" not in readme] == []


def test_the_page_of_the_user_guide_shows_the_corpus() -> None:
    assert PAGE.read_text("utf-8") == page(CASES), "the corpus has changed: run `python tests/mail_corpus.py`"
