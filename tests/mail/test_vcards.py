"""vCards: what other programs write, what we write, and what is no vCard."""

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.bm.addresses import parse_address
from bmgate.errors import BadVcard
from bmgate.mail.vcards import MAX_CARDS, Card, read_vcards, write_vcards

ALICE = parse_address("BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Z")
BOB = parse_address("BM-2cUQDtsUrv3WTKcFedRDit6n75w1WtsKuQ")
LABELS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Zs", "Zl", "Zp", "Cs", "Mn"]), min_size=1
)


def vcard(*lines: str) -> bytes:
    return "\r\n".join(["BEGIN:VCARD", "VERSION:4.0", *lines, "END:VCARD", ""]).encode()


@given(LABELS.map(lambda text: text[:64]), st.sampled_from(["", "allowed", "blocked"]), st.booleans())
def test_what_is_written_is_read_again(label: str, standing: str, is_relay: bool) -> None:
    text = write_vcards([Card(ALICE, label, standing, is_relay)], "bm.internal")
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    (card,) = read_vcards(text.encode())
    if "@" not in label:
        assert (card.label, card.address, card.standing, card.is_relay) == (label, ALICE, standing, is_relay)


@pytest.mark.parametrize(
    "line",
    [
        f"IMPP:bitmessage:{ALICE}",
        f"IMPP;PREF=1:bitmessage:{ALICE}",
        f"item1.IMPP;X-SERVICE-TYPE=Bitmessage:bitmessage:{ALICE}",
        f"X-BITMESSAGE:{ALICE}",
        f"EMAIL;TYPE=work:{ALICE}@bm.addr",
        f'EMAIL;TYPE="a:b;c":mailto:{ALICE}@bitmessage.ch?subject=x',
        f"impp:bitmessage:{str(ALICE)[:20]}\r\n {str(ALICE)[20:]}",
    ],
)
def test_an_address_is_found_wherever_programs_put_it(line: str) -> None:
    assert read_vcards(vcard("FN:Alice", line)) == [Card(ALICE, "Alice", line=1)]


@pytest.mark.parametrize(
    ("lines", "label"),
    [
        (["FN:Alice\\, the first"], "Alice, the first"),
        (["N:Liddell;Alice;;;"], "Alice Liddell"),
        (["NICKNAME:Al,Lizzy"], "Al"),
        (["FN;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:J=C3=BCrgen Gro=", "=C3=9F"], "Jürgen Groß"),
        (["FN:alice@example.org"], "2cWvweT8E"),
        ([], "2cWvweT8E"),
    ],
)
def test_the_name_becomes_a_label(lines: list[str], label: str) -> None:
    (card,) = read_vcards(vcard(*lines, f"X-BITMESSAGE:{ALICE}"))
    assert card.label == label


def test_cards_of_others_are_passed_over() -> None:
    others = vcard("FN:Carol", "EMAIL:carol@example.org", "PHOTO:data:image/jpeg;base64,AAAA", "IMPP:xmpp:c@x")
    shop = vcard("FN:Shop", "EMAIL:bm-sales@example.org")
    both = vcard("FN:Both", f"X-BITMESSAGE:{ALICE}", f"IMPP:bitmessage:{BOB}", f"EMAIL:{BOB}@bm.addr")
    assert [card.address for card in read_vcards(others + shop + both + both)] == [ALICE, BOB]


@pytest.mark.parametrize("name", ["X-BITMESSAGE:", "IMPP:bitmessage:", "EMAIL:"])
def test_wrong_addresses_are_told(name: str) -> None:
    data = vcard("FN:Alice", f"X-BITMESSAGE:{ALICE}") + 5 * vcard("FN:Dave", f"{name}{BOB}x@bm.addr")
    with pytest.raises(BadVcard, match=rf"^line 9: {BOB}x: the checksum .*; line 14: .*; line 19: .*; and 2 more$"):
        read_vcards(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"BEGIN:VCARD\r\nFN:x\r\n", "line 1: this card has no end"),
        (b"FN:x\r\n", "line 1: hoped for BEGIN:VCARD"),
        (b"BEGIN:VCARD\r\nBEGIN:VCARD\r\n", "line 2: a card begins"),
        (b"BEGIN:VCALENDAR\r\n", "line 1: a card begins"),
        (b"BEGIN:VCARD\r\nno property\r\nEND:VCARD\r\n", "line 2: it is no property"),
        (b" x\r\n", "line 1: it continues nothing"),
        (b"BEGIN:VCARD\r\nFN:\xff\r\nEND:VCARD\r\n", "line 2: it is not UTF-8"),
        (b"<html>", "line 1: it is no property"),
    ],
)
def test_what_is_no_vcard_is_refused_whole(data: bytes, reason: str) -> None:
    with pytest.raises(BadVcard, match=reason):
        read_vcards(data)


def test_a_large_picture_costs_little() -> None:
    picture = "PHOTO:data:image/jpeg;base64,\r\n" + " AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n" * 40_000
    begun = time.process_time()
    assert len(read_vcards(vcard(picture.rstrip("\r\n"), f"X-BITMESSAGE:{ALICE}"))) == 1
    assert time.process_time() - begun < 1


@pytest.mark.parametrize("line", ["FN;" + '"' * 4_000 + ":x", "FN;" + ";" * 4_000 + ":x", "FN:" + "\\" * 4_000])
def test_hostile_lines_cost_little(line: str) -> None:
    begun = time.process_time()
    with suppress(BadVcard):
        read_vcards(vcard(line))
    assert time.process_time() - begun < 0.5


def test_there_is_a_most() -> None:
    with pytest.raises(BadVcard, match="larger"):
        read_vcards(b"\n" * (64 * 1024 * 1024 + 1))
    assert MAX_CARDS == 5_000


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for each in (data, b"BEGIN:VCARD\r\n" + data + b"\r\nEND:VCARD\r\n"):
        try:
            read_vcards(each)
        except BadVcard:
            continue
