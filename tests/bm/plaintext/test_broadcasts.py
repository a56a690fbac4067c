"""Broadcasts of both versions: captured ones, the worked example, and claims that do not hold."""

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
    BROADCAST,
    EXPIRES,
    MESSAGE,
    MSG,
    captured,
    fixed_entropy,
    pubkey_of,
)

from bmgate.bm.addresses import parse_address
from bmgate.bm.crypto import decrypt, encrypt, sign
from bmgate.bm.keys import public_point
from bmgate.bm.objects import BitmessageObject, ObjectType, encode_object, read_object, with_nonce
from bmgate.bm.plaintext import Pubkey, build_broadcast, encode_pubkey_record, open_broadcast, read_broadcast
from bmgate.bm.wire import encode_var_bytes
from bmgate.errors import BadObject

CAPTURED = list(captured(ObjectType.BROADCAST))
OBJ = read_object(BROADCAST)


def forged(version: int, sender: Pubkey, under: Pubkey, stream: int = 1) -> BitmessageObject:
    """What Bob, who signs as `sender`, broadcasts under the key (and tag) of `under`."""
    address = under.address
    tag = address.tag if version == 5 else b""
    header = read_object(encode_object(EXPIRES, ObjectType.BROADCAST, version, stream, b"")).header
    content = encode_pubkey_record(sender) + b"\x01\x00"
    plaintext = content + encode_var_bytes(sign(header + tag + content, BOB_KEYS.signing))
    payload = tag + encrypt(plaintext, public_point(address.derived_key), fixed_entropy)
    return read_object(encode_object(EXPIRES, ObjectType.BROADCAST, version, stream, payload))


@pytest.mark.parametrize("case", CAPTURED, ids=lambda case: f"{case['id']} {case['name']}")
def test_a_captured_broadcast_opens_for_its_subscribers(case: dict[str, Any]) -> None:
    obj, address = read_object(bytes.fromhex(case["object_hex"])), parse_address(case["from_address"])
    assert address.derived_key.hex() == case["decryption_privkey_hex"]
    plaintext = decrypt(obj.ciphertext, address.derived_key)
    assert plaintext is not None
    assert plaintext.hex() == case["decrypted_hex"]
    broadcast = open_broadcast(obj, address)
    assert broadcast is not None
    assert broadcast.sender.address == address
    assert (broadcast.encoding, broadcast.message.hex()) == (case["encoding"], case["message_hex"])
    assert broadcast.signature.hex() == case["signature_hex"]


def test_a_broadcast_opens_for_nobody_else() -> None:
    for case in CAPTURED:
        assert open_broadcast(read_object(bytes.fromhex(case["object_hex"])), ALICE.address) is None


def test_the_broadcast_of_the_worked_example_is_made_byte_for_byte() -> None:
    assert with_nonce(build_broadcast(ALICE, ALICE_KEYS, 2, MESSAGE, EXPIRES, fixed_entropy), 550142) == BROADCAST


@pytest.mark.parametrize("version", [2, 3, 4])
@given(st.binary())
def test_broadcasts_round_trip(version: int, message: bytes) -> None:
    sender = pubkey_of(ALICE_KEYS, version)
    obj = read_object(build_broadcast(sender, ALICE_KEYS, 1, message, EXPIRES, fixed_entropy))
    broadcast = open_broadcast(obj, sender.address)
    assert obj.version == (5 if version == 4 else 4)
    assert broadcast is not None
    assert (broadcast.sender, broadcast.message) == (sender, message)


def test_what_bob_broadcasts_under_alices_key_is_not_hers() -> None:
    with pytest.raises(BadObject, match="tag"):
        open_broadcast(forged(5, BOB, ALICE), ALICE.address)
    alice, bob = pubkey_of(ALICE_KEYS, 3), pubkey_of(BOB_KEYS, 3)
    with pytest.raises(BadObject, match="under the key"):
        open_broadcast(forged(4, bob, alice), alice.address)


def test_what_bob_signs_in_alices_name_is_refused() -> None:
    with pytest.raises(BadObject, match="signature"):
        open_broadcast(forged(5, ALICE, ALICE), ALICE.address)


@pytest.mark.parametrize(("version", "sender_version"), [(4, 4), (5, 2), (5, 3)])
def test_the_senders_version_must_fit_that_of_the_broadcast(version: int, sender_version: int) -> None:
    sender = pubkey_of(BOB_KEYS, sender_version)
    with pytest.raises(BadObject):
        open_broadcast(forged(version, sender, sender), sender.address)


def test_the_senders_stream_must_be_that_of_the_object() -> None:
    sender = replace(BOB, stream=2)
    with pytest.raises(BadObject, match="stream 1"):
        open_broadcast(forged(5, sender, sender), sender.address)


@pytest.mark.parametrize("version", [1, 2, 3, 6, 9])
def test_broadcasts_of_other_versions_and_other_types_are_refused(version: int) -> None:
    plaintext = decrypt(OBJ.ciphertext, ALICE.address.derived_key)
    assert plaintext is not None
    other = read_object(encode_object(EXPIRES, ObjectType.BROADCAST, version, 1, OBJ.payload))
    for obj in (other, read_object(MSG)):
        with pytest.raises(BadObject):
            read_broadcast(obj, plaintext)


def test_every_truncation_of_the_plaintext_is_a_bad_object() -> None:
    plaintext = decrypt(OBJ.ciphertext, ALICE.address.derived_key)
    assert plaintext is not None
    for size in range(len(plaintext)):
        with pytest.raises(BadObject):
            read_broadcast(OBJ, plaintext[:size])


@given(st.binary(max_size=300))
def test_any_plaintext_is_a_broadcast_or_a_bad_object(plaintext: bytes) -> None:
    for candidate in (plaintext, encode_pubkey_record(ALICE) + plaintext):
        with pytest.raises(BadObject):
            read_broadcast(OBJ, candidate)
