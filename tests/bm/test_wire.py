import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import uints

from bmgate.bm.wire import WireReader, encode_var_bytes, encode_varint
from bmgate.errors import ProtocolError

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "varints.json").read_text())
DECODABLE = [case for case in VECTORS["varint_decode"] if "value" in case and case["hex"]]
UNDECODABLE = [case for case in VECTORS["varint_decode"] if "error" in case] + [{"hex": ""}]


@pytest.mark.parametrize("case", VECTORS["varint_encode"])
def test_a_varint_is_written_as_pybitmessage_writes_it(case: dict[str, str]) -> None:
    assert encode_varint(int(case["value"])).hex() == case["hex"]


@pytest.mark.parametrize("case", VECTORS["varint_encode_errors"])
def test_a_number_that_no_varint_holds_is_our_own_mistake(case: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="no varint"):
        encode_varint(int(case["value"]))


@pytest.mark.parametrize("case", DECODABLE)
def test_a_varint_is_read_and_what_follows_is_left(case: dict[str, Any]) -> None:
    reader = WireReader(bytes.fromhex(case["hex"]))
    assert reader.varint() == int(case["value"])
    assert reader.position == case["length"]


@pytest.mark.parametrize("case", UNDECODABLE)
def test_a_varint_that_is_truncated_or_too_long_or_absent_is_refused(case: dict[str, str]) -> None:
    with pytest.raises(ProtocolError):
        WireReader(bytes.fromhex(case["hex"])).varint()


@pytest.mark.parametrize("case", VECTORS["var_strings"])
def test_a_string_stands_behind_its_length_in_bytes(case: dict[str, Any]) -> None:
    repeat = case["text_repeat"]
    data = (case["text"] if repeat is None else repeat["char"] * repeat["count"]).encode()
    encoded = encode_var_bytes(data)
    assert encoded.startswith(bytes.fromhex(case["prefix_hex"]))
    assert case["encoded_hex"] in (None, encoded.hex())
    reader = WireReader(encoded)
    assert reader.var_bytes(limit=65536) == data
    reader.finish()


@pytest.mark.parametrize("case", VECTORS["invalid_var_strings"])
def test_a_string_without_all_its_bytes_is_refused(case: dict[str, str]) -> None:
    with pytest.raises(ProtocolError):
        WireReader(bytes.fromhex(case["hex"])).var_bytes(limit=2**64)


@pytest.mark.parametrize("case", VECTORS["varint_lists"])
def test_a_list_of_varints_is_read(case: dict[str, Any]) -> None:
    reader = WireReader(bytes.fromhex(case["hex"]))
    assert [reader.varint() for _ in range(reader.count(item_size=1, limit=100))] == case["values"]
    reader.finish()
    assert (encode_varint(len(case["values"])) + b"".join(map(encode_varint, case["values"]))).hex() == case["hex"]


@given(uints(64))
def test_varints_survive_the_round_trip(value: int) -> None:
    reader = WireReader(encode_varint(value))
    assert reader.varint() == value
    reader.finish()


@given(st.binary(max_size=400), st.binary(max_size=10))
def test_strings_survive_the_round_trip(data: bytes, rest: bytes) -> None:
    reader = WireReader(encode_var_bytes(data) + rest)
    assert reader.var_bytes(limit=400) == data
    assert reader.rest() == rest


def test_integers_are_big_endian() -> None:
    reader = WireReader(bytes.fromhex("010102010203040102030405060708"))
    assert reader.uint8() == 1
    assert reader.uint16() == 0x0102
    assert reader.uint32() == 0x01020304
    assert reader.uint64() == 0x0102030405060708
    reader.finish()


def test_a_length_above_the_limit_is_refused_even_if_the_bytes_are_there() -> None:
    with pytest.raises(ProtocolError, match="at most 3"):
        WireReader(b"\x04abcd").var_bytes(limit=3)


@pytest.mark.parametrize("number", [3, 2**32, 2**62, 2**64 - 1])
def test_a_count_beyond_the_bytes_is_refused_before_anything_is_read(number: int) -> None:
    reader = WireReader(encode_varint(number) + bytes(2 * 32))
    with pytest.raises(ProtocolError, match="items"):
        reader.count(item_size=32, limit=2**64)


def test_a_count_above_the_limit_is_refused() -> None:
    with pytest.raises(ProtocolError, match="at most 1 "):
        WireReader(b"\x02ab").count(item_size=1, limit=1)


def test_nothing_moves_when_bytes_are_missing() -> None:
    reader = WireReader(b"abc", position=1)
    for read in (reader.uint32, lambda: reader.take(3), lambda: reader.take(-1)):
        with pytest.raises(ProtocolError):
            read()
    assert reader.remaining == 2
    assert reader.take(2) == b"bc"


def test_bytes_left_over_are_refused_where_none_may_be() -> None:
    with pytest.raises(ProtocolError, match="1 bytes too many"):
        WireReader(b"a").finish()


@given(st.binary(max_size=40), st.lists(st.sampled_from(["uint8", "uint16", "uint32", "uint64", "varint"]), max_size=8))
def test_arbitrary_bytes_give_only_protocol_errors(data: bytes, methods: list[str]) -> None:
    reader = WireReader(data)
    try:
        for method in methods:
            getattr(reader, method)()
        reader.count(item_size=2, limit=10)
        reader.var_bytes(limit=5)
        reader.finish()
    except ProtocolError:
        assert 0 <= reader.position <= len(data)
