"""`bitmessage:` URIs: what we write we read, and what we do not know we refuse only where it is demanded."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmgate.bm.addresses import parse_address
from bmgate.errors import BadAddress
from bmgate.mail.text import clean_line
from bmgate.mail.uris import AddressUri, read_uri, split_uri, write_uri

ADDRESS = parse_address("BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Z")


def test_an_address_alone_has_no_question_mark() -> None:
    assert write_uri(ADDRESS) == f"bitmessage:{ADDRESS}"
    assert str(AddressUri(ADDRESS, "Anna & B.")) == f"bitmessage:{ADDRESS}?label=Anna%20%26%20B."


@given(st.text(max_size=64))
@settings(max_examples=100)
def test_what_is_written_is_read(label: str) -> None:
    cleaned = clean_line(label)[:64].strip()
    assert read_uri(write_uri(ADDRESS, cleaned)) == AddressUri(ADDRESS, clean_line(cleaned)[:64])


@pytest.mark.parametrize(
    "text",
    [
        "BITMESSAGE:{}?label=Bob",
        " bitmessage://{}/?label=Bob ",
        "bitmessage:{}?amount=3&label=Bob&x=y",
        "bitmessage:{}?label=Bob#there",
        "bitmessage:{}?label=Bo%E2%80%AEb",
    ],
)
def test_other_spellings_are_read(text: str) -> None:
    assert read_uri(text.format(ADDRESS)) == AddressUri(ADDRESS, "Bob")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mailto:anna@example.com",
        "bitmessage:",
        "bitmessage:BM-nonsense",
        "bitmessage:{}?req-stamp=1",
        "bitmessage:{}?REQ-stamp=1",
        "bitmessage:{}?label=" + "x" * 2_000,
    ],
)
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadAddress):
        read_uri(text.format(ADDRESS))


@given(st.text(max_size=200))
@settings(max_examples=100)
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(BadAddress):
        read_uri("bitmessage:" + text)


def test_a_text_is_taken_apart_only_where_it_is_a_link() -> None:
    assert split_uri(f"bitmessage:{ADDRESS}?label=Anna%20B.") == (str(ADDRESS), "Anna B.")
    assert split_uri("Anna B.") == ("Anna B.", "")
    with pytest.raises(BadAddress):
        split_uri("bitmessage:nobody")
