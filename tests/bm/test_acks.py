"""Acks: made at each stealth level, recognised among captured objects, refused where a stranger would misuse us."""

import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import ACK_DATA, ACK_EXPIRES, ACK_PACKET, BROADCAST, GETPUBKEY, MSG, captured

from bmgate.bm.acks import (
    MAX_ACK,
    ack_data_in,
    ack_data_of,
    ack_object,
    ack_packet,
    ack_ttl,
    build_ack_data,
    read_ack,
)
from bmgate.bm.crypto import read_ciphertext
from bmgate.bm.network import MAINNET, TESTNET
from bmgate.bm.objects import ObjectType, encode_object, read_object, with_nonce
from bmgate.bm.packets import Packet, encode_packet
from bmgate.errors import BadObject

MAGIC = MAINNET.magic
DAY = 86_400
ACKS = [case for kind in (ObjectType.GETPUBKEY, ObjectType.MSG) for case in captured(kind) if "match_data_hex" in case]
ACKED_MSGS = [case for case in captured(ObjectType.MSG) if case.get("ack")]


def counting_entropy(size: int) -> bytes:
    return bytes(range(1, 256))[:size].ljust(size, b"\x05")


@pytest.mark.parametrize("case", ACKS, ids=lambda case: f"{case['id']} {case['name']}")
def test_a_captured_ack_is_recognised_from_its_type_on(case: dict[str, Any]) -> None:
    assert ack_data_of(bytes.fromhex(case["object_hex"])).hex() == case["match_data_hex"]


@pytest.mark.parametrize("case", ACKED_MSGS, ids=lambda case: f"{case['id']} {case['name']}")
def test_the_ack_inside_a_captured_msg_is_read(case: dict[str, Any]) -> None:
    packet, expected = bytes.fromhex(case["ack_packet_hex"]), case["ack"]
    obj = read_ack(packet, MAGIC)
    assert obj.encoded.hex() == expected["object_hex"]
    assert obj.vector.hex() == expected["inventory_hash"]
    assert (obj.object_type, obj.version, obj.stream) == (expected["type"], expected["version"], expected["stream"])
    assert ack_data_of(obj.encoded) == ack_data_in(packet) == bytes.fromhex(expected["match_data_hex"])
    again = with_nonce(ack_object(ack_data_of(obj.encoded), obj.expires_time), obj.nonce)
    assert ack_packet(again, MAGIC) == packet


def test_the_ack_of_the_worked_example_is_made_byte_for_byte() -> None:
    assert ack_packet(with_nonce(ack_object(ACK_DATA, ACK_EXPIRES), 1494066), MAGIC) == ACK_PACKET
    assert read_ack(ACK_PACKET, MAGIC).vector.hex() == (
        "36e87d167e1664da093c6ffb0523fdaaa181a44d65f5f6132b9a52204d6de8db"
    )


@pytest.mark.parametrize(("level", "beginning"), [(0, "000000020101"), (1, "000000000401")])
def test_levels_0_and_1_are_32_random_bytes_under_another_type(level: int, beginning: str) -> None:
    assert build_ack_data(level, 1, counting_entropy) == bytes.fromhex(beginning) + bytes(range(1, 33))


def test_level_2_looks_like_a_small_msg() -> None:
    for _ in range(20):
        obj = read_object(ack_object(build_ack_data(2, 1, os.urandom), ACK_EXPIRES))
        assert (obj.object_type, obj.version, obj.stream) == (ObjectType.MSG, 1, 1)
        assert 118 + 234 < len(obj.payload) <= 118 + 800 + 16
        read_ciphertext(obj.payload)
        read_ack(ack_packet(obj.encoded, MAGIC), MAGIC)


def test_there_is_no_other_level() -> None:
    with pytest.raises(ValueError, match="level 3"):
        build_ack_data(3, 1, os.urandom)


def test_the_stream_is_that_of_the_recipient() -> None:
    assert read_object(ack_object(build_ack_data(1, 700, os.urandom), 0)).stream == 700


@pytest.mark.parametrize(
    ("message_ttl", "expected"),
    [(300, DAY), (DAY - 1, DAY), (DAY, 7 * DAY), (4 * DAY, 7 * DAY), (7 * DAY, 28 * DAY), (28 * DAY, 28 * DAY)],
)
def test_acks_live_as_long_as_one_of_three_buckets(message_ttl: int, expected: int) -> None:
    assert ack_ttl(message_ttl) == expected


def test_ack_data_stays_the_same_over_attempts() -> None:
    first, second = (ack_packet(with_nonce(ack_object(ACK_DATA, time), time), MAGIC) for time in (5, 6))
    assert ack_data_in(first) == ack_data_in(second) == ACK_DATA


REFUSED = {
    "nothing": b"",
    "cut off": ACK_PACKET[:-1],
    "one byte more": ACK_PACKET + b"\0",
    "two packets": ACK_PACKET * 2,
    "other magic": ack_packet(GETPUBKEY, TESTNET.magic),
    "bad checksum": ACK_PACKET[:-1] + b"\0",
    "not an object": encode_packet(Packet(b"inv", GETPUBKEY), MAGIC),
    "no header": ack_packet(GETPUBKEY[:21], MAGIC),
    "a broadcast": ack_packet(BROADCAST, MAGIC),
    "an onionpeer": ack_packet(encode_object(1, ObjectType.ONIONPEER, 3, 1, bytes(19)), MAGIC),
    "too large": ack_packet(encode_object(1, ObjectType.MSG, 1, 1, bytes(MAX_ACK)), MAGIC),
    "256 kB": ack_packet(encode_object(1, ObjectType.MSG, 1, 1, bytes(262_000)), MAGIC),
}


@pytest.mark.parametrize("name", REFUSED)
def test_p26_what_we_would_not_publish_for_a_stranger_is_refused(name: str) -> None:
    with pytest.raises(BadObject):
        read_ack(REFUSED[name], MAGIC)


def test_a_getpubkey_or_a_msg_may_be_an_ack() -> None:
    for encoded in (GETPUBKEY, MSG):
        assert read_ack(ack_packet(encoded, MAGIC), MAGIC).encoded == encoded


@given(st.binary(max_size=100))
def test_any_bytes_are_an_ack_or_a_bad_object(data: bytes) -> None:
    assert ack_data_in(data) == data[40:]
    for packet in (data, ACK_PACKET[:24] + data, encode_packet(Packet(b"object", data), MAGIC)):
        try:
            obj = read_ack(packet, MAGIC)
        except BadObject:
            continue
        assert packet.endswith(obj.encoded)
