"""The common header, getpubkey and onionpeer, held against captured objects and the worked examples."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import BOB, BROADCAST, EXPIRES, GETPUBKEY, MSG, PUBKEY, captured

from bmgate.bm.addresses import parse_address
from bmgate.bm.objects import (
    MAX_OBJECT,
    ObjectType,
    OnionPeer,
    encode_getpubkey,
    encode_object,
    encode_onionpeer,
    read_getpubkey,
    read_object,
    read_onionpeer,
    with_nonce,
)
from bmgate.errors import BadObject, TooLarge

EVERY_TYPE = [case for object_type in ObjectType for case in captured(object_type)]
GETPUBKEYS = [case for case in captured(ObjectType.GETPUBKEY) if "requested_address" in case]
ONIONPEERS = list(captured(ObjectType.ONIONPEER))


def name_of(case: dict[str, Any]) -> str:
    return f"{case['id']} {case['name']}"


@pytest.mark.parametrize("case", EVERY_TYPE, ids=name_of)
def test_the_header_of_a_captured_object_is_read_and_written_again(case: dict[str, Any]) -> None:
    encoded = bytes.fromhex(case["object_hex"])
    obj = read_object(encoded)
    assert (obj.nonce, obj.expires_time) == (int(case["nonce"]), case["expires"])
    assert (obj.object_type, obj.version, obj.stream) == (case["type"], case["version"], case["stream"])
    assert obj.vector.hex() == case["inventory_hash"]
    assert obj.header == encoded[8 : case["header_length"]]
    assert obj.payload == encoded[case["header_length"] :]
    again = encode_object(obj.expires_time, obj.object_type, obj.version, obj.stream, obj.payload, obj.nonce)
    assert again == encoded


@pytest.mark.parametrize(
    ("encoded", "vector"),
    [
        (GETPUBKEY, "71751d22b9f3113f2291bc4c56bcb4be379078a3013a9b7dd628f94bcab2c3e0"),
        (PUBKEY, "eda2dd34af56e8b8c7b14ce520856ebb473639572a6ff0f0e5c6afe24b11c386"),
        (MSG, "8914fe8dadb6b1d0427be2b705721881f437169e3ba3194ffeff8968ff124459"),
        (BROADCAST, "de74524db7b45ba242b392182f348894985408956914863c04694a1b99dd72c5"),
    ],
)
def test_the_inventory_vector_covers_the_whole_object_with_its_nonce(encoded: bytes, vector: str) -> None:
    assert read_object(encoded).vector.hex() == vector


def test_the_tag_stands_before_the_ciphertext_in_pubkey_v4_and_broadcast_v5_only() -> None:
    assert all(read_object(encoded).has_tag for encoded in (PUBKEY, BROADCAST))
    assert not any(read_object(encoded).has_tag for encoded in (MSG, GETPUBKEY))
    pubkey = read_object(PUBKEY)
    assert pubkey.tag + pubkey.ciphertext == pubkey.payload
    assert read_object(MSG).ciphertext == read_object(MSG).payload


def test_an_object_is_expired_only_when_its_time_has_passed() -> None:
    obj = read_object(MSG)
    assert not obj.is_expired(EXPIRES)
    assert obj.is_expired(EXPIRES + 1)


@pytest.mark.parametrize("size", range(22))
def test_a_header_cut_off_anywhere_is_a_bad_object(size: int) -> None:
    with pytest.raises(BadObject):
        read_object(MSG[:size])


@pytest.mark.parametrize("tail", ["fd000101", "01fd0001", "01fe00000001", "01ff0000000000000001"])
def test_a_header_with_a_varint_longer_than_need_be_is_a_bad_object(tail: str) -> None:
    with pytest.raises(BadObject):
        read_object(MSG[:20] + bytes.fromhex(tail) + bytes(40))


def test_unknown_types_versions_and_streams_are_read_all_the_same() -> None:
    encoded = encode_object(2**64 - 1, 2**32 - 1, 2**64 - 1, 2**63, b"anything", 2**64 - 1)
    obj = read_object(encoded)
    assert (obj.object_type, obj.version, obj.stream) == (2**32 - 1, 2**64 - 1, 2**63)


def test_no_object_larger_than_the_network_carries_is_made() -> None:
    header = len(encode_object(0, 42, 1, 1, b""))
    assert len(encode_object(0, 42, 1, 1, bytes(MAX_OBJECT - header))) == MAX_OBJECT
    with pytest.raises(TooLarge):
        encode_object(0, 42, 1, 1, bytes(MAX_OBJECT - header + 1))


def test_a_nonce_changes_nothing_but_itself() -> None:
    assert with_nonce(bytes(8) + GETPUBKEY[8:], 335772) == GETPUBKEY


@given(st.binary(max_size=80))
def test_any_bytes_are_an_object_or_a_bad_object(data: bytes) -> None:
    try:
        obj = read_object(data)
    except BadObject:
        return
    for read in (read_getpubkey, read_onionpeer):
        try:
            read(obj)
        except BadObject:
            continue


@given(*[st.integers(0, 2**64 - 1)] * 4, st.integers(0, 2**32 - 1), st.binary(max_size=60))
def test_objects_round_trip(nonce: int, expires: int, version: int, stream: int, kind: int, payload: bytes) -> None:
    obj = read_object(encode_object(expires, kind, version, stream, payload, nonce))
    assert (obj.nonce, obj.expires_time, obj.object_type) == (nonce, expires, kind)
    assert (obj.version, obj.stream, obj.payload) == (version, stream, payload)


# --- getpubkey ---


@pytest.mark.parametrize("case", GETPUBKEYS, ids=name_of)
def test_a_captured_getpubkey_asks_for_its_address(case: dict[str, Any]) -> None:
    obj, address = read_object(bytes.fromhex(case["object_hex"])), parse_address(case["requested_address"])
    getpubkey = read_getpubkey(obj)
    assert (getpubkey.address_version, getpubkey.stream) == (address.version, address.stream)
    assert getpubkey.lookup == address.lookup
    assert with_nonce(encode_getpubkey(address, obj.expires_time), obj.nonce) == obj.encoded


def test_the_getpubkey_of_the_worked_example_is_made_byte_for_byte() -> None:
    assert with_nonce(encode_getpubkey(BOB.address, EXPIRES), 335772) == GETPUBKEY


@pytest.mark.parametrize(("version", "size"), [(2, 19), (3, 19), (4, 31), (4, 200), (0, 20), (1, 20), (5, 32)])
def test_a_getpubkey_of_wrong_size_or_version_is_refused(version: int, size: int) -> None:
    with pytest.raises(BadObject):
        read_getpubkey(read_object(encode_object(EXPIRES, ObjectType.GETPUBKEY, version, 1, bytes(size))))


def test_a_msg_is_no_getpubkey() -> None:
    with pytest.raises(BadObject):
        read_getpubkey(read_object(MSG))


# --- onionpeer ---


@pytest.mark.parametrize("case", ONIONPEERS, ids=name_of)
def test_a_captured_onionpeer_names_its_host(case: dict[str, Any]) -> None:
    peer = read_onionpeer(read_object(bytes.fromhex(case["object_hex"])))
    assert peer == OnionPeer(case["host"], case["port"])


def test_our_onionpeer_is_the_captured_one() -> None:
    (case,) = [case for case in ONIONPEERS if case["version"] == 3]
    made = encode_onionpeer(OnionPeer(case["host"], case["port"]), case["expires"])
    assert with_nonce(made, int(case["nonce"])).hex() == case["object_hex"]


@pytest.mark.parametrize(
    ("host", "expected"),
    [("00000000000000000000ffffcb007107", "203.0.113.7"), ("20010db8000000000000000000000001", "2001:db8::1")],
)
def test_an_onionpeer_may_hold_an_ip_address(host: str, expected: str) -> None:
    payload = bytes.fromhex("fd20fc" + host)
    obj = read_object(encode_object(EXPIRES, ObjectType.ONIONPEER, 3, 1, payload))
    assert read_onionpeer(obj) == OnionPeer(expected, 8444)


@pytest.mark.parametrize(
    "payload",
    ["", "fd20fc", "fd20fc" + "00" * 15, "00" + "00" * 16, "fe00010000" + "00" * 16, "fd20fcfd87d87eeb43" + "00" * 34],
)
def test_an_onionpeer_without_port_or_host_is_refused(payload: str) -> None:
    with pytest.raises(BadObject):
        read_onionpeer(read_object(encode_object(EXPIRES, ObjectType.ONIONPEER, 3, 1, bytes.fromhex(payload))))


def test_only_names_of_todays_onion_services_are_published() -> None:
    with pytest.raises(ValueError, match="no name of an onion service"):
        encode_onionpeer(OnionPeer("quzwelsuziwqgpt2.onion", 8444), EXPIRES)
