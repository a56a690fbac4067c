"""The reports of an MTA as they are stored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.errors import NotAllowed
from bmgate.mail.fields import scan_header
from bmgate.mail.reports import stored_report

OURS = b"Return-Path: <>\r\nAuthentication-Results: bm.internal; x-bitmessage=none\r\n"
TYPE = b'Content-Type: Multipart/Report; report-type=delivery-status;\r\n boundary="b"\r\n'
BODY = b"\r\n--b\r\n\r\nList-Id: of a part\r\n--b--\r\n"


def test_a_report_is_kept_octet_for_octet_behind_our_own_fields() -> None:
    header = b"Received: by mta\r\nFrom: MAILER-DAEMON@mta (Mail Delivery)\r\nSubject: Undelivered\r\n" + TYPE
    assert stored_report(header + BODY, "bm.internal") == OURS + header + BODY


@pytest.mark.parametrize(
    "forged",
    [
        b"Authentication-Results: bm.internal; x-bitmessage=pass header.from=x@bm.internal\r\n",
        b"authentication-RESULTS : bm.internal;\r\n x-bitmessage=pass\r\n",
        b"X-Bitmessage-Key: verified BM-x\r\n",
        b"x-bitmessage-kind: msg\r\n",
        b"Delivered-To: x@bm.internal\r\n",
        b"Return-Path: <x@bm.internal>\r\n",
        b"List-Id: <x.chan.bm.internal>\r\nList-Unsubscribe: <mailto:x@bm.internal>\r\n",
    ],
)
def test_what_only_we_may_say_is_taken_out(forged: bytes) -> None:
    assert stored_report(forged + TYPE + forged + BODY, "bm.internal") == OURS + TYPE + BODY


def test_a_line_of_mbox_and_fields_beyond_counting_are_taken_out() -> None:
    many = b"A: b\r\n" * 2_000
    raw = b"From x\r\n" + TYPE + many + b"X-Bitmessage-Key: verified\r\n" + BODY
    stored = stored_report(raw, "bm.internal")
    assert stored.startswith(OURS + TYPE + b"A: b\r\n")
    assert stored.endswith(b"A: b\r\n" + BODY)
    assert b"X-Bitmessage" not in stored


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n",
        BODY,
        b"Subject: Undelivered\r\n\r\nyour mail\r\n",
        b"Content-Type: multipart/mixed; boundary=b\r\n" + BODY,
        b"Content-Type: text/plain; x=multipart/report\r\n" + BODY,
        b"Content-Type: multipart/reporting\r\n" + BODY,
        TYPE + b"Content-Type: text/html\r\n" + BODY,
        TYPE + TYPE + BODY,
        TYPE,
        TYPE + b"no field\r\nX-Bitmessage-Key: verified\r\n" + BODY,
        b"Subject: s\r\nno field\r\n" + TYPE + BODY,
    ],
)
def test_nothing_but_a_well_formed_report_is_taken(raw: bytes) -> None:
    with pytest.raises(NotAllowed, match="only reports are taken"):
        stored_report(raw, "bm.internal")


LINES = st.sampled_from([TYPE, b"X-Bitmessage-Key: v\r\n", b" folded\r\n", b"List-Id:\r\n", b"A: b\r\n", b": c\r\n"])


@given(st.lists(LINES, max_size=6), st.binary(max_size=30))
def test_whatever_comes_nothing_of_ours_is_in_its_header(lines: list[bytes], rest: bytes) -> None:
    try:
        stored = stored_report(b"".join(lines) + rest, "bm.internal")
    except NotAllowed:
        return
    names = [name for name, _, _ in scan_header(stored, 0, len(stored)).fields]
    assert names[:2] == ["return-path", "authentication-results"]
    assert set(names[2:]) <= {"content-type", "a"}
