"""The stored structure of mail: hand-checked answers, the standard library as a second opinion, hostile bytes."""

import email
import hashlib
import re
import time
from email.message import Message
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from imapclient.response_parser import parse_fetch_response

from bmgate.mail.lines import wire_size
from bmgate.mail.structure import (
    MessageIndex,
    Section,
    decode_index,
    encode_index,
    index_message,
    section_bytes,
    section_range,
)


def crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


PLAIN = crlf(
    """Date: Sat, 21 Nov 2026 20:15:00 +0100
From: "Alice \\"A\\" B" <alice@example.org>
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
 aus Wien
To: bob@example.org, (comment) Team: carol@example.org, <@relay.example:dave@example.org>;,
 eve@example.org (Eve)
Message-ID: <1@example.org>

one
two
"""
)

NESTED = crlf(
    """Subject: outer
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="a b"
Content-Language: de, en

preamble
--a b
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: BASE64
Content-ID: <x@y>
Content-Disposition: inline

PGI+

--a b
Content-Type: message/rfc822

Subject: inner
From: c@example.org
Content-Type: multipart/alternative; boundary=in

--in

first
--in
Content-Type: application/pdf; name*0="a;b"; name*1=c.pdf
Content-Disposition: attachment; filename="a \\"b\\".pdf"

%PDF
--in--
--a b
Content-Type: message/rfc822

Subject: leaf

text
--a b--
epilogue
"""
)


def section(raw: bytes, text: str, *names: str) -> bytes | None:
    """`1.2.MIME` in the words of IMAP."""
    words = text.split(".") if text else []
    numbers = [word for word in words if word.isdigit()]
    kind = ".".join(words[len(numbers) :])
    return section_bytes(raw, index_message(raw), Section(tuple(map(int, numbers)), kind, frozenset(names)))


def test_a_plain_mail_has_the_envelope_clients_expect() -> None:
    assert index_message(PLAIN).envelope == (
        b'("Sat, 21 Nov 2026 20:15:00 +0100" "=?utf-8?q?Gr=C3=BC=C3=9Fe?= aus Wien"'
        b' (("Alice \\"A\\" B" NIL "alice" "example.org"))'
        b' (("Alice \\"A\\" B" NIL "alice" "example.org"))'
        b' (("Alice \\"A\\" B" NIL "alice" "example.org"))'
        b' ((NIL NIL "bob" "example.org")(NIL NIL "Team" NIL)(NIL NIL "carol" "example.org")'
        b'(NIL "@relay.example" "dave" "example.org")(NIL NIL NIL NIL)("Eve" NIL "eve" "example.org"))'
        b' NIL NIL NIL "<1@example.org>")'
    )


def test_a_plain_mail_has_one_text_part() -> None:
    index = index_message(PLAIN)
    assert index.body == b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 10 2)'
    assert index.bodystructure == b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 10 2 NIL NIL NIL NIL)'
    assert (index.size, index.header_size) == (len(PLAIN), len(PLAIN) - 10)
    assert section(PLAIN, "1") == section(PLAIN, "TEXT") == b"one\r\ntwo\r\n"
    assert section(PLAIN, "2") is None
    assert section(PLAIN, "1.HEADER") is None
    assert section(PLAIN, "MIME") is None


def test_search_texts_and_the_writers_day_are_decoded() -> None:
    index = index_message(PLAIN)
    assert index.texts.subject == "Grüße aus Wien"
    assert "alice@example.org" in index.texts.from_
    assert "eve@example.org" in index.texts.to
    assert (index.sent_date, index.sent_offset) == (1795288500, 3600)
    late = index_message(b"Date: Sun, 22 Nov 2026 00:30:00 +0200\r\n\r\n")
    assert late.sent_date is not None
    assert late.sent_day == late.sent_date // 86400 + 1


def test_nested_parts_have_their_sections() -> None:
    assert section(NESTED, "1") == b"PGI+\r\n"
    assert section(NESTED, "1.MIME") == crlf(
        "Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: BASE64\nContent-ID: <x@y>\n"
        "Content-Disposition: inline\n\n"
    )
    assert section(NESTED, "2.HEADER.FIELDS", "subject", "to") == b"Subject: inner\r\n\r\n"
    assert section(NESTED, "2.HEADER.FIELDS.NOT", "subject", "content-type") == b"From: c@example.org\r\n\r\n"
    assert section(NESTED, "2.1") == b"first"
    assert section(NESTED, "2.1.MIME") == b"\r\n"
    assert section(NESTED, "2.2") == b"%PDF"
    assert section(NESTED, "3.HEADER") == b"Subject: leaf\r\n\r\n"
    assert section(NESTED, "3.TEXT") == section(NESTED, "3.1") == b"text"
    assert section(NESTED, "3") == b"Subject: leaf\r\n\r\ntext"
    assert section(NESTED, "") == NESTED


def test_nested_parts_have_their_bodystructure() -> None:
    inner, leaf = section(NESTED, "2"), section(NESTED, "3")
    assert inner is not None
    assert leaf is not None
    assert index_message(NESTED).bodystructure == (
        b'(("text" "html" ("charset" "utf-8") "<x@y>" NIL "base64" 6 1 NIL ("inline" NIL) NIL NIL)'
        b'("message" "rfc822" NIL NIL NIL "7bit" %d'
        b' (NIL "inner" ((NIL NIL "c" "example.org")) ((NIL NIL "c" "example.org"))'
        b' ((NIL NIL "c" "example.org")) NIL NIL NIL NIL NIL)'
        b' (("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 5 0 NIL NIL NIL NIL)'
        b'("application" "pdf" ("name" "a;bc.pdf") NIL NIL "7bit" 4 NIL'
        b' ("attachment" ("filename" "a \\"b\\".pdf")) NIL NIL)'
        b' "alternative" ("boundary" "in") NIL NIL NIL) %d NIL NIL NIL NIL)'
        b'("message" "rfc822" NIL NIL NIL "7bit" 21'
        b' (NIL "leaf" NIL NIL NIL NIL NIL NIL NIL NIL)'
        b' ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 4 0 NIL NIL NIL NIL) 2 NIL NIL NIL NIL)'
        b' "mixed" ("boundary" "a b") NIL ("de" "en") NIL)'
    ) % (len(inner), inner.count(b"\n"))


def test_a_line_that_is_no_field_does_not_end_the_header() -> None:
    raw = b"Subject: one\r\nno field\r\n>From x\r\nTo: a@example.org\r\n folded\r\n\r\nbody\r\n\r\nmore"
    index = index_message(raw)
    assert raw[index.header_size :] == b"body\r\n\r\nmore"
    assert [name for name, _, _ in index.fields] == ["subject", "", "", "to"]
    assert b"".join(raw[start:end] for _, start, end in index.fields) + b"\r\n" == raw[: index.header_size]
    assert section_bytes(raw, index, Section((), "HEADER.FIELDS.NOT", frozenset({"to"}))) == (
        b"Subject: one\r\nno field\r\n>From x\r\n\r\n"
    )


@pytest.mark.parametrize("body", [b"no field\r\nand no empty line", b"\r\nno field\r\n\r\n", b"no field\n"])
def test_without_an_empty_line_behind_it_a_line_that_is_no_field_begins_the_body(body: bytes) -> None:
    raw = b"Subject: one\r\n" + body
    assert raw[index_message(raw).header_size :] == body.removeprefix(b"\r\n")
    assert index_message(body.lstrip()).header_size == 0


def test_header_fields_are_answered_from_the_header_alone() -> None:
    index = index_message(PLAIN)
    header = PLAIN[: index.header_size]
    wanted = Section((), "HEADER.FIELDS", frozenset({"subject", "message-id"}))
    assert section_bytes(header, index, wanted) == crlf(
        "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n aus Wien\nMessage-ID: <1@example.org>\n\n"
    )
    assert section_range(index, wanted) == (0, index.header_size)
    assert index.value(header, "message-id") == b"<1@example.org>"
    assert index.value(header, "x-none") is None


def test_lines_may_end_in_lf_alone() -> None:
    raw = NESTED.replace(b"\r\n", b"\n")
    assert section(raw, "2.2") == b"%PDF"
    assert section(raw, "3.TEXT") == b"text"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n",
        b"Subject: no end",
        b"no header at all\r\n\r\ntext",
        b"Content-Type: multipart/mixed\r\n\r\nno boundary",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\nnot one delimiter",
        b"Content-Type: nonsense\r\n\r\ntext",
        b'Content-Type: multipart/mixed; boundary="  "\r\n\r\n--\r\ntext',
        b'Content-Type: text/plain; charset="unclosed\r\n\r\ntext',
    ],
)
def test_broken_mail_is_one_plain_text(raw: bytes) -> None:
    index = index_message(raw)
    assert index.bodystructure.startswith(b'("text" "plain" ')
    assert section_bytes(raw, index, Section((1,))) == raw[index.header_size :]


def test_an_unclosed_multipart_ends_with_the_outer_one() -> None:
    raw = crlf(
        "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; boundary=i\n\n"
        "--i\n\ninner\n--o\n\nlast"
    )
    assert section(raw, "1.1") == b"inner"
    assert section(raw, "2") == b"last"


def test_8_bit_and_nul_leave_as_literals_without_nul() -> None:
    index = index_message("Subject: Grüße\r\nFrom: J\0ö <a@b>\r\n\r\n".encode())
    assert "{7}\r\nGrüße ".encode() in index.envelope
    assert b"\0" not in index.envelope
    latin = index_message("Subject: Grüße\r\n\r\n".encode("latin-1"))
    assert "{7}\r\nGrüße ".encode() in latin.envelope


def test_an_address_without_host_does_not_open_a_group() -> None:
    assert b'((NIL NIL "alice" "MISSING_DOMAIN"))' in index_message(b"From: alice\r\n\r\n").envelope
    assert b'(("X" NIL "MISSING_MAILBOX" "MISSING_DOMAIN"))' in index_message(b'From: "X" <>\r\n\r\n').envelope


def test_digest_parts_are_messages_by_default() -> None:
    raw = crlf("Content-Type: multipart/digest; boundary=d\n\n--d\n\nSubject: one\n\ntext\n--d--\n")
    assert b'"message" "rfc822"' in index_message(raw).bodystructure
    assert section(raw, "1.HEADER.FIELDS", "subject") == b"Subject: one\r\n\r\n"


def test_parameters_in_pieces_are_joined() -> None:
    raw = b"Content-Type: a/b; x*1*=%20b; x*0*=utf-8''a; y*0=\"1 \"; y*1=2\r\n\r\n"
    assert b'("x*" "utf-8\'\'a%20b" "y" "1 2")' in index_message(raw).bodystructure


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (b"Sat, 21 Nov 2026 20:15:00 +0000", 1795292100),
        (b"21 Nov 26 15:15 EST", 1795292100),
        (b"Sat, 21 Nov 2026 20:15:60 GMT", 1795292159),
        (b"Sat, 31 Feb 2026 20:15:00 +0000", None),
        (b"tomorrow", None),
        (b"", None),
    ],
)
def test_dates_are_read_or_given_up(text: bytes, seconds: int | None) -> None:
    assert index_message(b"Date: " + text + b"\r\n\r\n").sent_date == seconds


def check(raw: bytes, index: MessageIndex) -> None:
    """What holds for the index of any bytes."""
    assert index.size == len(raw)
    assert b"".join((raw[: index.header_size], raw[index.header_size :])) == raw
    assert all(0 <= start < end <= index.header_size for _, start, end in index.fields)
    for part in index.parts:
        inner = [part.text_start] if part.text_start >= 0 else []
        offsets = [0, part.mime_start, part.body_start, *inner, part.body_end, len(raw)]
        assert offsets == sorted(offsets)
    for text in (index.envelope, index.body, index.bodystructure):
        assert text.startswith(b"(")
        assert text.endswith(b")")
        assert b"\0" not in text
    assert decode_index(encode_index(index)) == index


def understood(index: MessageIndex) -> dict[bytes, Any]:
    """What IMAPClient makes of a FETCH response that carries the index; literals arrive as imaplib splits them."""
    response = b"1 (ENVELOPE %b BODY %b BODYSTRUCTURE %b)" % (index.envelope, index.body, index.bodystructure)
    pieces: list[bytes | tuple[bytes, bytes]] = []
    while literal := LITERAL.search(response):
        end = literal.end() + int(literal[1])
        pieces.append((response[: literal.end() - 2], response[literal.end() : end]))
        response = response[end:]
    found: dict[bytes, Any] = parse_fetch_response([*pieces, response])[1]
    return found


LITERAL = re.compile(rb"\{(\d+)\}\r\n")
LINES = st.sampled_from(
    [
        b"Content-Type: multipart/mixed; boundary=a",
        b"Content-Type: multipart/digest; boundary=b",
        b"Content-Type: message/rfc822",
        b"--a",
        b"--b",
        b"--a--",
        b"",
        b" folded",
        b"From: x <y",
        b'To: "a\\',
        b"Date: 99 Foo 2026 99:99",
        b"text",
        b"\0\xff",
    ]
)


@given(st.lists(LINES | st.binary(max_size=20), max_size=40), st.sampled_from([b"\r\n", b"\n"]))
def test_any_bytes_have_a_consistent_index(lines: list[bytes], end: bytes) -> None:
    raw = end.join(lines)
    index = index_message(raw)
    check(raw, index)
    assert set(understood(index)) >= {b"ENVELOPE", b"BODY", b"BODYSTRUCTURE"}


def leaves() -> st.SearchStrategy[bytes]:
    texts = st.text(alphabet="ab \n-", max_size=30).map(crlf)
    return texts.map(lambda text: b"Content-Type: text/plain\r\n\r\n" + text)


def multiparts(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    def join(children: list[bytes]) -> bytes:
        boundary = b"=_" + hashlib.md5(b"|".join(children)).hexdigest().encode()
        body = b"".join(b"\r\n--" + boundary + b"\r\n" + child for child in children)
        return (
            b'Content-Type: multipart/mixed; boundary="' + boundary + b'"\r\n\r\n' + body + b"\r\n--" + boundary + b"--"
        )

    messages = inner.map(lambda child: b"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n" + child)
    return messages | st.builds(join, st.lists(inner, min_size=1, max_size=3))


def numbered(message: Message, path: tuple[int, ...]) -> dict[tuple[int, ...], str]:
    """The payloads of the leaves as the standard library finds them."""
    if message.get_content_type() == "message/rfc822":
        child = message.get_payload()[0]  # type: ignore[index]
        assert isinstance(child, Message)
        return numbered(
            child, path if child.is_multipart() and child.get_content_type() != "message/rfc822" else (*path, 1)
        )
    if message.is_multipart():
        found: dict[tuple[int, ...], str] = {}
        for number, part in enumerate(message.get_payload(), 1):
            assert isinstance(part, Message)
            found |= numbered(part, (*path, number))
        return found
    return {path: str(message.get_payload())}


@given(st.recursive(leaves(), multiparts, max_leaves=8))
def test_well_formed_mail_has_the_parts_the_standard_library_finds(content: bytes) -> None:
    raw = b"Subject: x\r\n" + content
    parsed = email.message_from_bytes(raw)
    top: tuple[int, ...] = () if parsed.get_content_maintype() == "multipart" else (1,)
    index = index_message(raw)
    check(raw, index)
    for path, payload in numbered(parsed, top).items():
        found = section_bytes(raw, index, Section(path))
        assert found is not None
        assert found.decode() == payload


def levels(count: int) -> bytes:
    return b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(count))


HOSTILE = {
    "one header line of 1 MB": b"Subject: " + b"x" * 1_000_000 + b"\r\n\r\n",
    "1 MB of folds": b"To: " + b"a,\r\n " * 200_000 + b"\r\n\r\n",
    "1 MB of fields": b"a:\r\n" * 250_000 + b"\r\nbody",
    "1 MB of parameters": b"Content-Type: text/plain" + b";a*1=b" * 170_000 + b"\r\n\r\n",
    "1 MB of open parentheses": b"From: " + b"(" * 1_000_000 + b"\r\n\r\n",
    "1 MB of open quotes": b'From: a <b@c>\r\nContent-Type: a/b; c="' + b'\\"' * 500_000 + b"\r\n\r\n",
    "1 MB of encoded words": b"Subject: " + b"=?utf-8?q?a?= " * 70_000 + b"\r\n\r\n",
    "10,000 parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 10_000,
    "100 levels": levels(100),
    "1000 levels": levels(1000),
    "100 messages in messages": b"Content-Type: message/rfc822\r\n\r\n" * 100 + b"x" * 1_000_000,
    "300 messages with many senders": b"Content-Type: multipart/digest; boundary=b\r\n\r\n"
    + (b"--b\r\n\r\nFrom: " + b"a <b@c>, " * 500 + b"\r\n\r\n") * 300,
    "1 MB of near delimiters": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--bx\r\n" * 170_000,
    "1 MB of dashes": b"Content-Type: multipart/mixed; boundary=-\r\n\r\n" + b"\n---- -" * 150_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mail_is_indexed_in_linear_time(name: str) -> None:
    raw = HOSTILE[name]
    began = time.process_time()
    index = index_message(raw)
    assert time.process_time() - began < 1
    assert len(index.parts) <= 1100
    assert len(index.bodystructure) < 10 * len(raw)
    assert decode_index(encode_index(index)) == index


def test_an_index_of_the_first_version_is_still_read() -> None:
    index = index_message(NESTED)
    first_version = (1, *index[:5], index.fields, index.parts, index.sent_date, index.sent_offset, *index.texts)
    assert decode_index(msgpack.packb(first_version)) == index._replace(wire_octets=None)


@pytest.mark.parametrize("raw", [b"", b"a: b", b"a: b\n\nbare\nlines", b"a: b\r\n\r\n.dots\r\n", NESTED])
def test_an_index_knows_the_size_on_the_wire(raw: bytes) -> None:
    index = decode_index(encode_index(index_message(raw)))
    assert index.wire_octets == wire_size(raw[: index.header_size], raw[index.header_size :])


def test_an_index_of_an_unknown_version_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown version"):
        decode_index(msgpack.packb((99,)))
