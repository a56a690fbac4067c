"""What message bytes say: golden bytes of other programs, our own layout, and what hostile senders may try."""

import json
import zlib
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import VECTORS, captured

from bmgate.bm.encodings import (
    EXTENDED,
    IGNORE,
    SIMPLE,
    TRIVIAL,
    DecodedMessage,
    File,
    UndecodableMessage,
    decode_message,
    decode_text,
    encode_extended,
    encode_message,
)
from bmgate.errors import ProtocolError, TooLarge

CASES: list[dict[str, Any]] = json.loads((VECTORS / "message_encodings.json").read_text())["cases"]
ENCODED_BY_PEERS = [case for case in CASES if "decoded_subject_utf8_hex" in case]
ODDITIES = [case for case in CASES if "pybitmessage_body" in case and case["encoding"] in (TRIVIAL, SIMPLE)]
REFUSED = [case for case in CASES if "name" in case and case not in ODDITIES]
CAPTURED = [case for case in (*captured(2), *captured(3)) if case.get("message_hex")]

# PyBitmessage throws these away, we keep them in front of the body (I1, P32).
KEPT_BEFORE_THE_BODY = {
    "enc 2 with extra header line before Body": "X-Header: y\n",
    "enc 2 subject longer than 500": "z" * 100 + "\n",
}


def extended(packed: bytes) -> DecodedMessage:
    return decode_message(EXTENDED, zlib.compress(packed))


def packed_map(**more: object) -> bytes:
    content = {"": "message", "subject": "s", "body": "b"} | more
    packed: bytes = msgpack.packb(content)
    return packed


def name_of(case: dict[str, Any]) -> str:
    return str(case.get("name", case.get("encoded_hex", "")[:20]))


@pytest.mark.parametrize("case", ENCODED_BY_PEERS, ids=name_of)
def test_what_pybitmessage_encoded_is_decoded(case: dict[str, Any]) -> None:
    decoded = decode_message(case["encoding"], bytes.fromhex(case["encoded_hex"]))
    assert decoded.subject == bytes.fromhex(case["decoded_subject_utf8_hex"]).decode()
    assert decoded.body == bytes.fromhex(case["decoded_body_utf8_hex"]).decode()
    assert decoded.notes == ()


@pytest.mark.parametrize("case", [case for case in ENCODED_BY_PEERS if case["encoding"] == SIMPLE], ids=name_of)
def test_encoding_2_is_written_byte_for_byte_as_pybitmessage_does(case: dict[str, Any]) -> None:
    subject, body = (bytes.fromhex(case[f"{name}_utf8_hex"]).decode() for name in ("subject", "body"))
    assert encode_message(subject, body).hex() == case["encoded_hex"]


@pytest.mark.parametrize("case", ODDITIES, ids=name_of)
def test_oddities_are_read_as_pybitmessage_reads_them_without_losing_lines(case: dict[str, Any]) -> None:
    decoded = decode_message(case["encoding"], bytes.fromhex(case["encoded_hex"]))
    assert decoded.subject == case["pybitmessage_subject"]
    assert decoded.body == KEPT_BEFORE_THE_BODY.get(case["name"], "") + case["pybitmessage_body"]


@pytest.mark.parametrize("case", REFUSED, ids=name_of)
def test_what_pybitmessage_cannot_read_we_cannot_either(case: dict[str, Any]) -> None:
    with pytest.raises(UndecodableMessage):
        decode_message(case["encoding"], bytes.fromhex(case["encoded_hex"]))


@pytest.mark.parametrize("case", CAPTURED, ids=name_of)
def test_captured_messages_say_what_their_senders_wrote(case: dict[str, Any]) -> None:
    decoded = decode_message(case["encoding"], bytes.fromhex(case["message_hex"]))
    assert (decoded.subject, decoded.body) == (case["subject"], case["body"])


# --- encodings 0, 1 and 2 ---


@pytest.mark.parametrize(
    ("data", "subject", "body"),
    [
        (b"Subject:a\nBody:b", "a", "b"),
        (b"Subject:a\nX: y\nBody:b", "a", "X: y\nb"),
        (b"Subject:\nBody:x\nBody:y", "", "x\nBody:y"),
        (b"abcdefghijkl\nBody:z", "ijkl", "z"),
        (b"ab\nBody:c", "", "c"),
        (b"\nBody:b", "", "\nBody:b"),
        (b"hello", "", "hello"),
        (b"Subject:a\r\nSubject:c\r\nBody:b\r\n", "a", "Subject:c\r\nb\r\n"),
        (b"Subject:a", "", "Subject:a"),
        (b"", "", ""),
    ],
)
def test_p32_encoding_2_is_read_tolerantly(data: bytes, subject: str, body: str) -> None:
    decoded = decode_message(SIMPLE, data)
    assert (decoded.subject, decoded.body) == (subject, body)


def test_a_beginning_that_is_no_subject_mark_is_named_in_the_notes() -> None:
    assert '"abcdefgh"' in decode_message(SIMPLE, b"abcdefghijkl\nBody:z").notes[0]
    assert '"ab"' in decode_message(SIMPLE, b"ab\nBody:c").notes[0]


def test_p32_a_subject_is_cut_at_a_character_and_the_rest_of_it_begins_the_body() -> None:
    decoded = decode_message(SIMPLE, ("Subject:" + "x" + "é" * 100_000 + "\nBody:text").encode())
    assert decoded.subject == "x" + "é" * 249
    assert decoded.body == "é" * 99_751 + "\ntext"


def test_encoding_1_is_all_body_unless_it_has_the_shape_of_encoding_2() -> None:
    assert decode_message(TRIVIAL, b"abcdefghijkl\nBody:z") == DecodedMessage("", "abcdefghijkl\nBody:z")
    assert decode_message(TRIVIAL, b"Subject:a\nBody:b") == DecodedMessage("a", "b")


def test_encoding_0_says_nothing() -> None:
    assert decode_message(IGNORE, b"Subject:a\nBody:b") == DecodedMessage("", "")


@pytest.mark.parametrize("encoding", [4, 7, 2**64 - 1])
def test_an_unknown_encoding_number_is_undecodable(encoding: int) -> None:
    with pytest.raises(UndecodableMessage, match=str(encoding)):
        decode_message(encoding, b"Subject:a\nBody:b")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Grüße, 中".encode(), "Grüße, 中"),
        ("Grüße, “zitiert”".encode("cp1252"), "Grüße, “zitiert”"),
        ("中".encode() + b" f\xfcr", "中 für"),
        (b"\x81\xfc", "\ufffd\ufffd"),
        (b"a\0b", "a\0b"),
    ],
)
def test_p32_text_is_utf8_or_else_windows_1252_or_else_replaced(data: bytes, text: str) -> None:
    assert decode_text(data) == text


def test_line_ends_in_a_subject_cannot_forge_a_body() -> None:
    assert encode_message("a\r\nBody:b\nc", "d") == b"Subject:a Body:b c\nBody:d"


def test_lone_surrogates_do_not_stop_encoding() -> None:
    assert encode_message("\ud800", "\udfff") == b"Subject:?\nBody:?"


SUBJECTS = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=120)
BODIES = st.text(st.characters(exclude_categories=["Cs"]))


@given(SUBJECTS, BODIES)
def test_encoding_2_round_trips(subject: str, body: str) -> None:
    assert decode_message(SIMPLE, encode_message(subject, body)) == DecodedMessage(subject, body)


@given(st.integers(0, 4), st.binary())
def test_any_bytes_are_a_message_or_a_protocol_error(encoding: int, data: bytes) -> None:
    for candidate in (data, zlib.compress(data), b"Subject:" + data + b"\nBody:" + data):
        try:
            decoded = decode_message(encoding, candidate)
        except ProtocolError:
            continue
        assert (decoded.subject + decoded.body).encode() is not None


# --- encoding 3 ---

NOTE = File("note.txt", b"abc\n", "text/plain", "attachment")
PARENT = bytes.fromhex("8914fe8dadb6b1d0427be2b705721881f437169e3ba3194ffeff8968ff124459")
GOLDEN = bytes.fromhex(
    "85a0a76d657373616765a77375626a656374a952653a2048656c6c6fa4626f6479ad536565207468652066696c652ea7706172656e747391c420"
    "8914fe8dadb6b1d0427be2b705721881f437169e3ba3194ffeff8968ff124459a566696c65739184a46e616d65a86e6f74652e747874a4646174"
    "61c4046162630aa474797065aa746578742f706c61696eab646973706f736974696f6eaa6174746163686d656e74"
)
MINIMAL = bytes.fromhex("83a0a76d657373616765a77375626a656374a548656c6c6fa4626f6479ab466972737420746573742e")


def test_an_extended_message_has_the_golden_layout() -> None:
    assert zlib.decompress(encode_extended("Re: Hello", "See the file.", [PARENT], [NOTE])) == GOLDEN
    assert zlib.decompress(encode_extended("Hello", "First test.")) == MINIMAL


def test_the_golden_extended_message_is_read() -> None:
    assert extended(GOLDEN) == DecodedMessage("Re: Hello", "See the file.", (NOTE,), (PARENT,))


def test_the_minimal_example_of_the_specification_is_read() -> None:
    compressed = "78da6b5eb03c37b5b838313d7579716952566a72c9528fd49c9cfc2549f92995abdd328b8a4b144a528b4bf4008a5d11f3"
    assert decode_message(EXTENDED, bytes.fromhex(compressed)) == DecodedMessage("Hello", "First test.")


def test_keys_and_texts_may_be_binaries() -> None:
    packed = msgpack.packb({b"": b"message", b"subject": b"s", b"body": b"b", b"files": [{b"data": "text"}]})
    expected = File("", b"text", "application/octet-stream", "attachment")
    assert extended(packed) == DecodedMessage("s", "b", (expected,))


FILES = st.builds(
    File, SUBJECTS, st.binary(), st.sampled_from(["text/plain", "x/y"]), st.sampled_from(["inline", "attachment"])
)


@given(SUBJECTS, BODIES, st.lists(st.binary(min_size=32, max_size=32), max_size=4), st.lists(FILES, max_size=4))
def test_encoding_3_round_trips(subject: str, body: str, parents: list[bytes], files: list[File]) -> None:
    decoded = decode_message(EXTENDED, encode_extended(subject, body, parents, files))
    assert decoded == DecodedMessage(subject, body, tuple(files), tuple(parents))


def test_an_extended_message_no_receiver_would_take_is_not_made() -> None:
    big = File("big", bytes(1_048_576), "application/octet-stream", "attachment")
    for files in ([big], [NOTE] * 101):
        with pytest.raises(TooLarge):
            encode_extended("s", "b", files=files)
    with pytest.raises(TooLarge):
        encode_extended("s", "b", [PARENT] * 65)
    with pytest.raises(ValueError, match="32 bytes"):
        encode_extended("s", "b", [PARENT[1:]])


def test_a_subject_of_several_lines_goes_on_in_the_body() -> None:
    decoded = extended(packed_map(subject="first\nBcc: everyone"))
    assert (decoded.subject, decoded.body) == ("first", "Bcc: everyone\nb")


@pytest.mark.parametrize("missing", ["subject", "body"])
def test_a_missing_or_unreadable_text_is_empty_and_noted(missing: str) -> None:
    decoded = extended(packed_map(**{missing: 7}))
    assert getattr(decoded, missing) == ""
    assert decoded.notes == (f"The message has no {missing}.",)


def test_p31_surplus_and_malformed_files_and_parents_are_noted() -> None:
    file = {"name": "n", "data": b"d"}
    decoded = extended(packed_map(files=[file] * 10_000 + ["no file"], parents=[PARENT] * 70 + [b"short", 7]))
    assert (len(decoded.files), len(decoded.parents)) == (100, 64)
    assert decoded.notes == (
        "2 parents are no inventory vectors and were left out.",
        "6 parents beyond 64 were left out.",
        "1 files without data were left out.",
        "9900 files beyond 100 were left out.",
    )


def test_files_that_are_no_list_are_noted() -> None:
    assert extended(packed_map(files="x")).notes == ('"files" is not a list and was left out.',)


def test_endless_file_names_are_dropped_and_the_file_is_kept() -> None:
    (file,) = extended(packed_map(files=[{"name": "n" * 2000, "data": b"d", "type": "", "disposition": "?"}])).files
    assert file == File("", b"d", "application/octet-stream", "attachment")


HOSTILE = {
    "array of 2^32-1": bytes.fromhex("ddffffffff"),
    "map of 2^32-1": bytes.fromhex("dfffffffff"),
    "string of 2^32-1": bytes.fromhex("dbffffffff"),
    "depth 10,000": b"\x91" * 10_000 + b"\x90",
    "depth 10,000 inside a message": packed_map()[:-1] + b"\x91" * 10_000,
    "depth 5 inside a message": packed_map(other=[[[[]]]]),
    "ext": packed_map(other=msgpack.ExtType(5, b"x")),
    "timestamp": packed_map(other=msgpack.Timestamp(1)),
    "empty timestamp": b"\x81\xa0\xc7\x00\xff",
    "number as key": msgpack.packb({"": "message", 1: 2}),
    "list as key": b"\x81\x90\x01",
    "map as key": b"\x81\x80\x01",
    "nil as key": b"\x81\xc0\x01",
    "type twice": b"\x82\xa0\xa7message\xa0\xa4vote",
    "type twice, as text and binary": b"\x82\xa0\xa7message\xc4\x00\xa4vote",
    "vote": msgpack.packb({"": "vote", "subject": "s", "body": "b"}),
    "__import__": msgpack.packb({"": "__import__", "subject": "s", "body": "b"}),
    "type is a list": msgpack.packb({"": ["message"]}),
    "no map": msgpack.packb([1, 2]),
    "reserved byte": b"\xc1",
    "nothing": b"",
    "trailing data": packed_map() + b"\x90",
    "cut off": packed_map()[:-1],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_p31_hostile_msgpack_is_undecodable(name: str) -> None:
    with pytest.raises(UndecodableMessage):
        extended(HOSTILE[name])


def preset_dictionary(data: bytes) -> bytes:
    deflater = zlib.compressobj(zdict=b"message")
    return deflater.compress(data) + deflater.flush()


def test_p30_a_compressed_megabyte_is_read_and_one_byte_more_is_not() -> None:
    room = 1_048_576 - len(packed_map(body="")) - 4  # a str of this size has four more bytes of length
    assert len(extended(packed_map(body="x" * room)).body) == room
    with pytest.raises(UndecodableMessage, match="more than 1048576"):
        extended(packed_map(body="x" * (room + 1)))


@pytest.mark.parametrize(
    "data",
    [
        zlib.compress(packed_map())[:-1],
        zlib.compress(packed_map()) + b"x",
        zlib.compress(bytes(20_000_000)),
        preset_dictionary(packed_map()),
        b"",
    ],
    ids=["cut off", "trailing data", "bomb", "preset dictionary", "nothing"],
)
def test_p30_hostile_compression_is_undecodable(data: bytes) -> None:
    with pytest.raises(UndecodableMessage):
        decode_message(EXTENDED, data)


@given(st.recursive(st.none() | st.integers(-5, 5) | st.binary() | st.text(), lambda inner: st.lists(inner)), st.data())
def test_any_msgpack_under_any_key_is_a_message_or_undecodable(value: object, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(["subject", "body", "files", "parents", "", "other"]))
    try:
        packed = packed_map(**{key: value})
    except UnicodeEncodeError:
        return
    try:
        decoded = extended(packed)
    except UndecodableMessage:
        return
    assert isinstance(decoded, DecodedMessage)
