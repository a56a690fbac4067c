"""Pubkeys of all versions: captured ones, the worked example, and what must not be believed."""

import os
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import (
    ALICE,
    ALICE_KEYS,
    BOB,
    BOB_KEYS,
    EXPIRES,
    GETPUBKEY,
    PUBKEY,
    captured,
    fixed_entropy,
    pubkey_of,
)

from bmgate.bm.addresses import parse_address
from bmgate.bm.crypto import decrypt, encrypt, sign
from bmgate.bm.keys import PublicKeys, public_point
from bmgate.bm.objects import BitmessageObject, ObjectType, encode_object, read_object, with_nonce
from bmgate.bm.plaintext import (
    Behavior,
    Pubkey,
    build_pubkey,
    encode_pubkey_record,
    open_pubkey,
    read_pubkey_record,
)
from bmgate.bm.wire import encode_var_bytes
from bmgate.errors import BadObject

CAPTURED = list(captured(ObjectType.PUBKEY))
GENUINE = [case for case in CAPTURED if case.get("signature_valid", True)]
FORGED = [case for case in CAPTURED if case not in GENUINE]


def name_of(case: dict[str, Any]) -> str:
    return f"{case['id']} {case['name']}"


def resealed(clear: bytes) -> BitmessageObject:
    """Alice's pubkey object with another inside, encrypted under her address."""
    address = ALICE.address
    payload = address.tag + encrypt(clear, public_point(address.derived_key), fixed_entropy)
    return read_object(encode_object(EXPIRES, ObjectType.PUBKEY, 4, 1, payload))


@pytest.mark.parametrize("case", GENUINE, ids=name_of)
def test_a_captured_pubkey_is_opened_with_its_address(case: dict[str, Any]) -> None:
    obj, address = read_object(bytes.fromhex(case["object_hex"])), parse_address(case["address"])
    pubkey = open_pubkey(obj, address)
    assert pubkey.address == address
    assert pubkey.keys.signing.hex() == case["signing_pubkey_hex"][2:]
    assert pubkey.keys.encryption.hex() == case["encryption_pubkey_hex"][2:]
    assert (pubkey.behavior, pubkey.does_ack) == (case["behavior_bitfield"], case["does_ack"])
    demands = pubkey.nonce_trials_per_byte, pubkey.payload_length_extra_bytes
    assert demands == (case.get("nonce_trials_per_byte", 0), case.get("extra_bytes", 0))


@pytest.mark.parametrize("case", FORGED, ids=name_of)
def test_the_v3_pubkeys_of_notbit_are_refused_for_they_sign_something_else(case: dict[str, Any]) -> None:
    assert FORGED
    with pytest.raises(BadObject, match="signature"):
        open_pubkey(read_object(bytes.fromhex(case["object_hex"])))


@pytest.mark.parametrize("case", [case for case in GENUINE if case["version"] < 4], ids=name_of)
def test_pubkeys_v2_and_v3_tell_their_address_themselves(case: dict[str, Any]) -> None:
    assert str(open_pubkey(read_object(bytes.fromhex(case["object_hex"]))).address) == case["address"]


def test_the_pubkey_of_the_worked_example_is_made_byte_for_byte() -> None:
    assert with_nonce(build_pubkey(ALICE, ALICE_KEYS, EXPIRES, fixed_entropy), 1490516) == PUBKEY


@pytest.mark.parametrize(("version", "size"), [(2, 154), (3, 231), (4, 396)])
def test_pubkeys_of_each_version_round_trip(version: int, size: int) -> None:
    pubkey = pubkey_of(BOB_KEYS, version, Behavior.DOES_ACK | Behavior.READS_FILES)
    obj = read_object(build_pubkey(pubkey, BOB_KEYS, EXPIRES, fixed_entropy))
    assert abs(len(obj.encoded) - size) < 16
    assert open_pubkey(obj, pubkey.address) == pubkey
    assert pubkey.reads_files


def test_p25_a_v4_pubkey_opens_for_its_address_alone() -> None:
    obj = read_object(PUBKEY)
    for address in (None, BOB.address, replace(ALICE.address, version=3), replace(ALICE.address, stream=2)):
        with pytest.raises(BadObject):
            open_pubkey(obj, address)


def test_a_v3_pubkey_of_another_address_is_refused() -> None:
    pubkey = pubkey_of(BOB_KEYS, 3)
    obj = read_object(build_pubkey(pubkey, BOB_KEYS, EXPIRES, fixed_entropy))
    for address in (ALICE.address, BOB.address):
        with pytest.raises(BadObject, match="not of"):
            open_pubkey(obj, address)


def test_p25_keys_of_somebody_else_under_an_address_are_refused() -> None:
    stolen = replace(ALICE, keys=BOB.keys)
    clear = encode_pubkey_record(stolen)[2:]
    obj = resealed(clear)
    signed = clear_with_signature(obj.header + obj.tag + clear, clear)
    with pytest.raises(BadObject, match="another tag"):
        open_pubkey(resealed(signed), ALICE.address)


def clear_with_signature(signed_data: bytes, clear: bytes) -> bytes:
    return clear + encode_var_bytes(sign(signed_data, BOB_KEYS.signing))


def test_a_changed_expiry_breaks_the_signature() -> None:
    later = PUBKEY[:8] + (EXPIRES + 1).to_bytes(8) + PUBKEY[16:]
    with pytest.raises(BadObject, match="signature"):
        open_pubkey(read_object(later), ALICE.address)


def test_a_tampered_ciphertext_does_not_open() -> None:
    with pytest.raises(BadObject, match="does not open"):
        open_pubkey(read_object(PUBKEY[:-1] + bytes([PUBKEY[-1] ^ 1])), ALICE.address)


def test_every_truncation_of_the_clear_part_is_a_bad_object() -> None:
    obj = read_object(PUBKEY)
    clear = decrypt(obj.ciphertext, ALICE.address.derived_key)
    assert clear is not None
    assert len(clear) == 209
    for size in range(0, len(clear), 13):
        with pytest.raises(BadObject):
            open_pubkey(resealed(clear[:size]), ALICE.address)


@pytest.mark.parametrize("version", [0, 1, 5, 2**63])
def test_pubkeys_of_unknown_versions_are_refused(version: int) -> None:
    obj = read_object(encode_object(EXPIRES, ObjectType.PUBKEY, version, 1, bytes(200)))
    with pytest.raises(BadObject):
        open_pubkey(obj, ALICE.address)


def test_a_getpubkey_is_no_pubkey() -> None:
    with pytest.raises(BadObject):
        open_pubkey(read_object(GETPUBKEY), BOB.address)


def test_keys_off_the_curve_are_refused() -> None:
    clear = encode_pubkey_record(replace(BOB, version=2, keys=PublicKeys(BOB.keys.signing, bytes(64))))[2:]
    with pytest.raises(BadObject, match="curve"):
        open_pubkey(read_object(encode_object(EXPIRES, ObjectType.PUBKEY, 2, 1, clear)))


PUBKEYS = st.builds(
    lambda version, stream, behavior, trials, extra: Pubkey(
        version, stream, behavior, ALICE.keys, trials * (version > 2), extra * (version > 2)
    ),
    st.integers(2, 4),
    st.integers(1, 2**63 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
)


@given(PUBKEYS)
def test_records_round_trip(pubkey: Pubkey) -> None:
    assert read_pubkey_record(encode_pubkey_record(pubkey)) == pubkey


@pytest.mark.parametrize(("version", "stream"), [(0, 1), (1, 1), (5, 1), (2**63, 1), (4, 0), (4, 2**63)])
def test_records_with_impossible_numbers_are_refused(version: int, stream: int) -> None:
    with pytest.raises(BadObject):
        read_pubkey_record(encode_pubkey_record(replace(ALICE, version=version, stream=stream)))


def test_a_record_ends_where_it_ends() -> None:
    with pytest.raises(BadObject):
        read_pubkey_record(encode_pubkey_record(ALICE) + b"\0")


@given(st.binary(max_size=200), st.integers(2, 4))
def test_any_bytes_are_a_pubkey_or_a_bad_object(data: bytes, version: int) -> None:
    with pytest.raises(BadObject):
        read_pubkey_record(data)
    with pytest.raises(BadObject):
        open_pubkey(read_object(encode_object(EXPIRES, ObjectType.PUBKEY, version, 1, data)), ALICE.address)


def test_fresh_entropy_makes_another_object_each_time() -> None:
    assert build_pubkey(ALICE, ALICE_KEYS, EXPIRES, os.urandom) != build_pubkey(ALICE, ALICE_KEYS, EXPIRES, os.urandom)
