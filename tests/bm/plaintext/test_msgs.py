"""Msgs: captured ones, the worked example byte for byte, and every way to lie inside one."""

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import (
    ACK_DATA,
    ACK_PACKET,
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
    keys_of,
    pubkey_of,
)

from bmgate.bm.crypto import decrypt, sign
from bmgate.bm.keys import PrivateKeys, PublicKeys
from bmgate.bm.objects import MAX_OBJECT, BitmessageObject, ObjectType, encode_object, read_object, with_nonce
from bmgate.bm.plaintext import Msg, Pubkey, build_msg, encode_pubkey_record, read_msg
from bmgate.bm.wire import encode_var_bytes, encode_varint
from bmgate.errors import BadObject, TooLarge

CAPTURED = [case for case in captured(ObjectType.MSG) if "to_address" in case]
OBJ = read_object(MSG)
EVE_KEYS = keys_of("eve")


def plaintext_of(obj: BitmessageObject, keys: PrivateKeys = BOB_KEYS) -> bytes:
    plaintext = decrypt(obj.ciphertext, keys.encryption)
    assert plaintext is not None
    return plaintext


def signed(content: bytes, keys: PrivateKeys = ALICE_KEYS) -> bytes:
    """Content as a msg of Alice would carry it in the object of the worked example."""
    return content + encode_var_bytes(sign(OBJ.header + content, keys.signing))


def content_of(sender: Pubkey = ALICE, ripe: bytes = BOB.keys.ripe, rest: bytes = b"\x02\x00\x00") -> bytes:
    return encode_pubkey_record(sender) + ripe + rest


@pytest.mark.parametrize("case", CAPTURED, ids=lambda case: f"{case['id']} {case['name']}")
def test_a_captured_msg_is_read_and_its_signature_verified(case: dict[str, Any]) -> None:
    obj = read_object(bytes.fromhex(case["object_hex"]))
    plaintext = decrypt(obj.ciphertext, bytes.fromhex(case["decryption_privkey_hex"]))
    assert plaintext is not None
    assert case["decrypted_hex"] in (None, plaintext.hex())
    msg = read_msg(obj, plaintext, bytes.fromhex(case["destination_ripe_hex"]))
    assert str(msg.sender.address) == case["from_address"]
    assert (msg.encoding, msg.signature.hex()) == (case["encoding"], case["signature_hex"])
    assert case["message_hex"] in (None, msg.message.hex())
    assert msg.ack.hex() == case["ack_packet_hex"]
    assert msg.ack_data.hex() == (case["ack"]["match_data_hex"] if case["ack"] else "")
    assert msg.sender.does_ack == bool(case["sender"]["behavior_bitfield"] & 1)


def test_the_msg_of_the_worked_example_is_made_byte_for_byte() -> None:
    made = build_msg(ALICE, ALICE_KEYS, BOB, 2, MESSAGE, ACK_PACKET, EXPIRES, fixed_entropy)
    assert with_nonce(made, 4216070) == MSG


def test_the_msg_of_the_worked_example_is_read() -> None:
    plaintext = plaintext_of(OBJ)
    assert len(plaintext) == 342
    msg = read_msg(OBJ, plaintext, BOB.keys.ripe)
    assert (msg.sender, msg.destination_ripe) == (ALICE, BOB.keys.ripe)
    assert (msg.encoding, msg.message, msg.ack, msg.ack_data) == (2, MESSAGE, ACK_PACKET, ACK_DATA)
    digest = "b52b3ed0a36a3bc594d6dd81042ffd25456ab252ace0b48e3228227ce8c70765"
    assert hashlib.sha256(msg.signed_data).hexdigest() == digest


@pytest.mark.parametrize("version", [2, 3, 4])
@pytest.mark.parametrize("recipient_version", [2, 3, 4])
def test_all_address_versions_write_to_each_other(version: int, recipient_version: int) -> None:
    sender, recipient = pubkey_of(ALICE_KEYS, version), pubkey_of(BOB_KEYS, recipient_version)
    obj = read_object(build_msg(sender, ALICE_KEYS, recipient, 1, b"hi", b"", EXPIRES, fixed_entropy))
    msg = read_msg(obj, plaintext_of(obj), BOB.keys.ripe)
    assert (msg.sender, msg.message, msg.ack_data) == (sender, b"hi", b"")


def test_p23_a_msg_passed_on_by_its_recipient_is_refused() -> None:
    """Bob encrypts what Alice signed for him to Eve (P23)."""
    with pytest.raises(BadObject, match="another recipient"):
        read_msg(OBJ, plaintext_of(OBJ), keys_of("eve").public.ripe)


def test_p23_a_msg_whose_destination_was_rewritten_has_no_valid_signature() -> None:
    eve = EVE_KEYS.public.ripe
    forwarded = plaintext_of(OBJ).replace(BOB.keys.ripe, eve)
    with pytest.raises(BadObject, match="signature"):
        read_msg(OBJ, forwarded, eve)


@pytest.mark.parametrize("offset", [8 + 7, 20, 21])
def test_a_changed_header_breaks_the_signature(offset: int) -> None:
    changed = bytearray(MSG)
    changed[offset] ^= 3
    with pytest.raises(BadObject):
        read_msg(read_object(bytes(changed)), plaintext_of(OBJ), BOB.keys.ripe)


def test_every_truncation_of_the_plaintext_is_a_bad_object() -> None:
    plaintext = plaintext_of(OBJ)
    for size in range(len(plaintext)):
        with pytest.raises(BadObject):
            read_msg(OBJ, plaintext[:size], BOB.keys.ripe)


def test_bytes_after_the_signature_are_tolerated() -> None:
    assert read_msg(OBJ, plaintext_of(OBJ) + b"more", BOB.keys.ripe).message == MESSAGE


@pytest.mark.parametrize(("version", "stream"), [(0, 1), (1, 1), (5, 1), (2**63, 1), (4, 0), (4, 2**63)])
def test_p24_senders_with_impossible_numbers_are_refused(version: int, stream: int) -> None:
    content = content_of(replace(ALICE, version=version, stream=stream))
    with pytest.raises(BadObject):
        read_msg(OBJ, signed(content), BOB.keys.ripe)


@pytest.mark.parametrize("which", ["signing", "encryption"])
def test_p24_senders_with_keys_off_the_curve_are_refused(which: str) -> None:
    keys = {"signing": ALICE.keys.signing, "encryption": ALICE.keys.encryption} | {which: b"\x01" * 64}
    with pytest.raises(BadObject, match=which):
        read_msg(OBJ, signed(content_of(replace(ALICE, keys=PublicKeys(**keys)))), BOB.keys.ripe)


def test_a_signature_by_somebody_else_is_refused() -> None:
    with pytest.raises(BadObject, match="signature"):
        read_msg(OBJ, signed(content_of(), BOB_KEYS), BOB.keys.ripe)


@pytest.mark.parametrize("signature", [b"", b"\x30" * 300, bytes(72)])
def test_p22_what_is_no_signature_is_refused(signature: bytes) -> None:
    with pytest.raises(BadObject):
        read_msg(OBJ, content_of() + encode_var_bytes(signature), BOB.keys.ripe)


@pytest.mark.parametrize("length", [1, 2**32, 2**64 - 1])
def test_lengths_beyond_the_end_are_refused(length: int) -> None:
    with pytest.raises(BadObject):
        read_msg(OBJ, signed(content_of(rest=b"\x02" + encode_varint(length))), BOB.keys.ripe)


def test_the_sender_need_not_name_a_known_encoding() -> None:
    content = content_of(rest=encode_varint(2**64 - 1) + b"\x00\x00")
    assert read_msg(OBJ, signed(content), BOB.keys.ripe).encoding == 2**64 - 1


def test_a_msg_of_another_version_and_other_types_are_refused() -> None:
    version_2 = read_object(encode_object(EXPIRES, ObjectType.MSG, 2, 1, OBJ.payload))
    for obj in (version_2, read_object(BROADCAST)):
        with pytest.raises(BadObject):
            read_msg(obj, plaintext_of(OBJ), BOB.keys.ripe)


def test_the_largest_text_of_the_specification_fits() -> None:
    text = bytes(261_667 + len("Subject:\nBody:"))
    assert len(build_msg(ALICE, ALICE_KEYS, BOB, 2, text, ACK_PACKET, EXPIRES, fixed_entropy)) <= MAX_OBJECT
    with pytest.raises(TooLarge):
        build_msg(ALICE, ALICE_KEYS, BOB, 2, text + bytes(16), ACK_PACKET, EXPIRES, fixed_entropy)


@given(st.binary(max_size=400))
def test_any_plaintext_is_a_msg_or_a_bad_object(plaintext: bytes) -> None:
    for candidate in (plaintext, encode_pubkey_record(ALICE) + plaintext):
        with pytest.raises(BadObject):
            read_msg(OBJ, candidate, BOB.keys.ripe)


@given(st.integers(0, 2**64 - 1), st.binary(), st.binary(max_size=100))
def test_msgs_round_trip(encoding: int, message: bytes, ack: bytes) -> None:
    obj = read_object(build_msg(ALICE, ALICE_KEYS, BOB, encoding, message, ack, EXPIRES, fixed_entropy))
    msg = read_msg(obj, plaintext_of(obj), BOB.keys.ripe)
    expected = Msg(ALICE, BOB.keys.ripe, encoding, message, ack, msg.signature, msg.signed_data)
    assert msg == expected
