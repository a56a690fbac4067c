"""What becomes of an object from a peer: captured ones, the worked examples, and each limit from both sides."""

from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import ACK_EXPIRES, ACK_PACKET, BROADCAST, EXPIRES, GETPUBKEY, MSG, NOW, PUBKEY, captured

from bmgate.bm.acceptance import Verdict, judge
from bmgate.bm.network import MAINNET, TESTNET
from bmgate.bm.objects import MAX_OBJECT, ObjectType, encode_header, encode_object, read_object, with_nonce
from bmgate.pow.target import is_work_sufficient

FREE = replace(TESTNET, nonce_trials_per_byte=1, payload_length_extra_bytes=0)
HOUR = 3600
MONTH = 2_430_000
CAPTURED = [case for object_type in ObjectType for case in captured(object_type)]


def verdict(encoded: bytes, now: int = NOW) -> Verdict:
    return judge(encoded, now, MAINNET)[0]


def worked(
    expires_time: int = EXPIRES,
    object_type: int = 42,
    version: int = 1,
    stream: int = 1,
    payload: bytes = b"HELLO",
    now: int = NOW,
) -> bytes:
    """An object with the little work the test network wants."""
    header = encode_header(expires_time, object_type, version, stream)
    blank = bytes(8) + header + payload
    nonces = (nonce for nonce in count() if is_work_sufficient(with_nonce(blank, nonce), now, 1, 0))
    return with_nonce(blank, next(nonces))


def free_verdict(encoded: bytes) -> Verdict:
    return judge(encoded, NOW, FREE)[0]


@pytest.mark.parametrize("case", CAPTURED, ids=lambda case: f"{case['id']} {case['name']}")
def test_captured_objects_were_good_when_they_were_captured(case: dict[str, Any]) -> None:
    encoded = bytes.fromhex(case["object_hex"])
    is_dead_onion = case["type"] == ObjectType.ONIONPEER and case["version"] == 2
    expected = Verdict.ACCEPT_UNPROCESSED if is_dead_onion else Verdict.ACCEPT
    assert judge(encoded, case["captured_at"], MAINNET) == (expected, read_object(encoded))
    assert verdict(encoded, case["expires"] + HOUR) == expected
    assert verdict(encoded, case["expires"] + HOUR + 1) == Verdict.EXPIRED
    assert verdict(with_nonce(encoded, 0), case["captured_at"]) == Verdict.TOO_LITTLE_WORK


@pytest.mark.parametrize("encoded", [GETPUBKEY, PUBKEY, MSG, BROADCAST])
def test_the_worked_examples_are_accepted(encoded: bytes) -> None:
    assert verdict(encoded) == Verdict.ACCEPT


def test_an_ack_of_stealth_level_0_is_processed_although_it_is_no_msg() -> None:
    assert verdict(ACK_PACKET[24:], ACK_EXPIRES - 300) == Verdict.ACCEPT


def test_the_object_of_the_proof_of_work_sample_is_in_another_stream() -> None:
    """Section 19.8: its work is good for a day and no longer."""
    encoded = bytes.fromhex("00000000001be7fc00000000660f307f0000002a010248454c4c4f")
    assert verdict(encoded, 1712271487 - 86_400) == Verdict.WRONG_STREAM
    assert verdict(encoded, 1712271487 - 2 * 86_400) == Verdict.TOO_LITTLE_WORK


def test_p17_an_expiry_is_too_far_after_28_days_and_3_hours() -> None:
    now = NOW
    assert free_verdict(worked(now + MONTH)) == Verdict.ACCEPT_UNPROCESSED
    assert free_verdict(worked(now + MONTH + 1)) == Verdict.TOO_FAR


def test_p17_the_end_of_time_neither_overflows_nor_is_accepted() -> None:
    assert verdict(encode_object(2**64 - 1, 2, 1, 1, bytes(40))) == Verdict.TOO_LITTLE_WORK
    assert verdict(encode_object(0, 2, 1, 1, bytes(40))) == Verdict.TOO_LITTLE_WORK


def test_p17_the_work_of_an_expired_object_is_that_of_300_seconds() -> None:
    assert verdict(MSG, EXPIRES + 10 * 86_400) == Verdict.EXPIRED
    assert verdict(with_nonce(MSG, 1), EXPIRES + 10 * 86_400) == Verdict.TOO_LITTLE_WORK


@pytest.mark.parametrize("stream", [0, 2, 2**63, 2**64 - 1])
def test_p18_other_streams_are_not_ours(stream: int) -> None:
    assert free_verdict(worked(stream=stream)) == Verdict.WRONG_STREAM


@pytest.mark.parametrize("encoded", [b"", MSG[:21], MSG[:20] + b"\xfd\0\x01\x01", bytes(15)])
def test_p18_unreadable_headers_are_malformed(encoded: bytes) -> None:
    assert judge(encoded, NOW, MAINNET) == (Verdict.MALFORMED, None)


def test_the_part_after_the_header_may_fill_the_limit_and_no_more() -> None:
    header = bytes(8) + encode_header(EXPIRES, 2, 1, 1)
    assert verdict(header + bytes(MAX_OBJECT)) == Verdict.TOO_LITTLE_WORK
    assert verdict(header + bytes(MAX_OBJECT + 1)) == Verdict.TOO_LARGE


@pytest.mark.parametrize(
    ("object_type", "version", "size", "is_processed"),
    [
        (ObjectType.GETPUBKEY, 4, 41, False),
        (ObjectType.GETPUBKEY, 4, 42, True),
        (ObjectType.GETPUBKEY, 4, 200, True),
        (ObjectType.GETPUBKEY, 4, 201, False),
        (ObjectType.GETPUBKEY, 5, 54, False),
        (ObjectType.GETPUBKEY, 0, 54, False),
        (ObjectType.PUBKEY, 3, 145, False),
        (ObjectType.PUBKEY, 3, 146, True),
        (ObjectType.PUBKEY, 4, 440, True),
        (ObjectType.PUBKEY, 4, 441, False),
        (ObjectType.MSG, 1, 22, True),
        (ObjectType.MSG, 2, 500, False),
        (ObjectType.BROADCAST, 5, 179, False),
        (ObjectType.BROADCAST, 5, 180, True),
        (ObjectType.BROADCAST, 1, 400, False),
        (ObjectType.BROADCAST, 9, 400, False),
        (ObjectType.ONIONPEER, 3, 66, True),
        (ObjectType.ONIONPEER, 2, 41, False),
        (ObjectType.I2P, 1, 400, False),
        (ObjectType.ADDR, 1, 400, False),
        (77, 1, 100, False),
        (2**32 - 1, 2**63, 100, False),
    ],
)
def test_p18_whatever_has_its_work_is_relayed_and_what_we_can_read_is_processed(
    object_type: int, version: int, size: int, is_processed: bool
) -> None:
    header = 8 + len(encode_header(0, object_type, version, 1))
    encoded = worked(object_type=object_type, version=version, payload=bytes(size - header))
    assert free_verdict(encoded) == (Verdict.ACCEPT if is_processed else Verdict.ACCEPT_UNPROCESSED)


@given(st.binary(max_size=120), st.integers(0, 2**40))
def test_any_bytes_get_a_verdict(encoded: bytes, now: int) -> None:
    found, obj = judge(encoded, now, TESTNET)
    assert (obj is None) == (found == Verdict.MALFORMED)
