"""What a mailing list passes on, byte for byte (O16, protocol specification v3, 12.2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.bm.addresses import parse_address
from bmgate.bm.encodings import SIMPLE, encode_message
from bmgate.mail.lists import may_pass_on, passed_on
from bmgate.mail.read import read_message
from bmgate.mail.reading import Kind, Manner

ALICE = parse_address("BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Z")
AT = 1_795_292_100  # Sat, 21 Nov 2026 20:15:00 UTC
LINE = f"Sat, 2026-11-21 20:15:00 UTC   Message ostensibly from {ALICE}:"


def test_the_form_of_a_list_is_that_of_pybitmessage() -> None:
    data = encode_message(*passed_on("tea", ALICE, "Re: Which kettle?", "The blue one.\n\n> Which kettle?", AT))
    assert data == (
        b"Subject:[tea] Which kettle?\nBody:Sat, 2026-11-21 20:15:00 UTC   Message ostensibly from "
        b"BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Z:\n\nThe blue one.\n\n> Which kettle?"
    )


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("hello", "[tea] hello"),
        ("Re: hello", "[tea] hello"),
        ("RE:hello", "[tea] hello"),
        ("Re: Re: hello", "[tea] Re: hello"),
        ("Re: [tea] hello", "[tea] hello"),
        ("[tea] hello", "[tea] hello"),
        ("was [tea] hello", "was [tea] hello"),
        ("", "[tea]"),
        ("Re:", "[tea]"),
        ("Return", "[tea] Return"),
        ("[coffee] hello", "[tea] [coffee] hello"),
    ],
)
def test_the_name_of_a_list_stands_once_in_front(subject: str, expected: str) -> None:
    assert passed_on("tea", ALICE, subject, "", AT)[0] == expected


def test_a_subject_that_grows_too_long_is_cut() -> None:
    subject, body = passed_on("tea", ALICE, "x" * 500, "text", AT)
    assert len(subject.encode()) <= 500
    assert body.startswith(f"[Subject: [tea] {'x' * 500}]\n\n{LINE}\n\ntext")


@given(st.text(), st.text())
def test_nothing_is_passed_on_twice(subject: str, body: str) -> None:
    subject, body = passed_on("tea", ALICE, subject, body, AT)
    assert not may_pass_on(subject, body)


@given(st.from_regex(r"[a-z ]{1,20}[a-z]", fullmatch=True))
def test_readers_see_whose_it_claims_to_be(text: str) -> None:
    subject, body = passed_on("tea", ALICE, text, text, AT)
    reading = read_message(SIMPLE, encode_message(subject, body), Manner(Kind.BROADCAST))
    assert (reading.kind, reading.claims.sender, reading.body.strip()) == (Kind.LIST, str(ALICE), text.strip())


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("Auto: hello", "away"),
        ("Out of office", "away"),
        ("hello", "[Automatic answer]\n\nI am away"),
        ("hello", "Auto-Submitted: auto-replied\n\nI am away"),
        ("hello", f"{LINE}\n\nhi"),
        ("hello", f"\n\n{LINE}\n\nhi"),
        ("hello", f"Forwarded by a robot\n{LINE}\n\nhi"),
    ],
)
def test_what_programs_wrote_is_not_passed_on(subject: str, body: str) -> None:
    assert not may_pass_on(subject, body)


@pytest.mark.parametrize("quote", [f"> {LINE}\n>\n> hi", f"{'-' * 54}\n{LINE}\n\nhi"])
def test_an_answer_may_quote_the_list(quote: str) -> None:
    assert may_pass_on("Re: [tea] hello", f"I agree.\n\n{quote}")
