"""What came from the network and is submitted again is, byte for byte, what came (property 2 of the conversion)."""

from hypothesis import given
from hypothesis import strategies as st

from bmgate.bm.addresses import parse_address
from bmgate.bm.encodings import decode_message, encode_message
from bmgate.mail.incoming import IncomingMail, Kind, render
from bmgate.mail.outgoing import convert
from bmgate.mail.text import clean_line, normal_body, truncate_utf8

ALICE = parse_address("BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Z")
BOB = parse_address("BM-2cUQDtsUrv3WTKcFedRDit6n75w1WtsKuQ")

ODD = st.sampled_from(
    ["From here", ".", "-- ", "> quote ", "=?utf-8?q?x?=", "--=_bm_x", "é" * 90, "x" * 90, "\tt\t", ""]
)


def came(payload: bytes) -> bytes:
    """The mail a payload of encoding 2 becomes."""
    decoded = decode_message(2, payload)
    mail = IncomingMail(Kind.MSG, ALICE, BOB, 2, payload, decoded, content_id=bytes(32), received_at=1795292131)
    return render(mail, bytes(range(32)), "bm.internal")


def test_the_worked_example_goes_back_as_it_came() -> None:
    assert convert(came(b"Subject:Hello\nBody:First test.")).data == b"Subject:Hello\nBody:First test."


@given(st.text(max_size=200) | ODD, st.lists(st.text(max_size=60) | ODD, max_size=8).map("\n".join))
def test_a_payload_in_normal_form_goes_back_as_it_came(subject: str, body: str) -> None:
    subject = clean_line(truncate_utf8(clean_line(subject), 500))
    payload = encode_message(subject, normal_body(body))
    assert convert(came(payload)).data == payload
