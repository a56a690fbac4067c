"""What `inspect` says of packets, objects, addresses and keys, and that hostile text cannot dress up as ours."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import (
    ACK_PACKET,
    ALICE,
    ALICE_KEYS,
    BOB,
    BOB_KEYS,
    BROADCAST,
    EXPIRES,
    GETPUBKEY,
    MSG,
    NOW,
    PUBKEY,
    VECTORS,
    captured,
    fixed_entropy,
)

from bmgate.bm.description import Description, Field
from bmgate.bm.encodings import File, encode_extended
from bmgate.bm.inspection import inspect_bytes, inspect_text
from bmgate.bm.keys import encode_wif
from bmgate.bm.network import MAINNET, TESTNET
from bmgate.bm.objects import ObjectType, encode_object, read_object
from bmgate.bm.packets import Packet, encode_packet
from bmgate.bm.plaintext import build_msg
from bmgate.errors import ProtocolError

EVERY_OBJECT = [case for object_type in ObjectType for case in captured(object_type)]
PACKETS: list[dict[str, Any]] = [
    case
    for group in ("packets", "malformed", "synthetic")
    for case in json.loads((VECTORS / "packets.json").read_text())[group]
    if "packet_hex" in case
]
ALICE_ADDRESS = str(ALICE.address)


def told(description: Description) -> dict[str, Any]:
    return json.loads(json.dumps(description.as_dict()))  # type: ignore[no-any-return]


def test_a_msg_is_told_down_to_its_ack() -> None:
    found = told(inspect_bytes(MSG, (ALICE_KEYS.encryption, BOB_KEYS.encryption), NOW))
    assert (found["kind"], found["type"]) == ("object", "msg (0x2)")
    assert (found["opened"], found["signature"]) == ("yes", "valid")
    assert found["sender"]["address"] == ALICE_ADDRESS
    assert found["destination ripe"] == BOB.keys.ripe.hex()
    assert found["message"] == {"encoding": 2, "message bytes": 30, "subject": "Hello", "body": "First test."}
    assert found["ack"]["inventory vector"] == read_object(ACK_PACKET[24:]).vector.hex()
    assert found["received now"]["main"].startswith("accept (")


def test_without_the_right_key_only_the_outside_is_told() -> None:
    assert told(inspect_bytes(MSG, (), NOW))["opened"] == "no key given"
    found = told(inspect_bytes(MSG, (ALICE_KEYS.encryption,), NOW))
    assert found["opened"] == "no, by none of the keys given"
    assert "message" not in found


def test_pubkeys_and_broadcasts_open_with_the_key_of_the_address() -> None:
    keys = (ALICE.address.derived_key,)
    pubkey, broadcast = told(inspect_bytes(PUBKEY, keys, NOW)), told(inspect_bytes(BROADCAST, keys, NOW))
    assert (pubkey["address"], pubkey["behavior"]) == (ALICE_ADDRESS, "0x00000001 DOES_ACK")
    assert (broadcast["sender"]["address"], broadcast["signature"]) == (ALICE_ADDRESS, "valid")
    assert broadcast["message"]["body"] == "First test."


def test_a_signature_that_does_not_hold_is_told() -> None:
    forged = build_msg(ALICE, BOB_KEYS, BOB, 1, b"", b"", EXPIRES, fixed_entropy)
    found = told(inspect_bytes(forged, (BOB_KEYS.encryption,), NOW))
    assert found["signature"] == f"msg: the signature is not by {ALICE_ADDRESS}"
    assert found["received now"] == {
        "main": "too little work (1386000 trials on average)",
        "test": "too little work (1386 trials on average)",
    }


def test_files_parents_and_notes_of_an_extended_message_are_told() -> None:
    message = encode_extended("s", "b", [bytes(32)], [File("n.txt", b"abc", "text/plain", "inline")])
    msg = build_msg(ALICE, ALICE_KEYS, BOB, 3, message, b"no packet", EXPIRES, fixed_entropy)
    found = told(inspect_bytes(msg, (BOB_KEYS.encryption,), NOW))
    assert found["message"]["file 1"] == "n.txt (text/plain, inline, 3 bytes)"
    assert found["message"]["parent 1"] == "00" * 32
    assert "ack packet" in found["ack"]["problem"]


@pytest.mark.parametrize("case", EVERY_OBJECT, ids=lambda case: f"{case['id']} {case['name']}")
def test_every_captured_object_is_described(case: dict[str, Any]) -> None:
    key = case.get("decryption_privkey_hex")
    found = told(inspect_text(case["object_hex"], (bytes.fromhex(key),) if key else (), case["captured_at"]))
    assert found["inventory vector"] == case["inventory_hash"]
    assert found["nonce"] == int(case["nonce"])
    assert ("problem" in found) == (case.get("signature_valid") is False)
    if key:
        assert found["opened"] == "yes"


@pytest.mark.parametrize("case", PACKETS, ids=lambda case: str(case.get("name", case.get("command")))[:40])
def test_every_captured_packet_is_described(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["packet_hex"])
    description = inspect_bytes(data, (), NOW) if data.startswith(MAINNET.magic.to_bytes(4)) else None
    if "observed" not in case and "name" not in case:
        assert description is not None
        assert told(description)["packet 1"]["command"] == case["command"]


def test_packets_in_a_row_are_told_one_by_one_with_their_objects() -> None:
    damaged = encode_packet(Packet(b"ping", b"x"), TESTNET.magic)[:-1] + b"y"
    pong = encode_packet(Packet(b"pong", b""), TESTNET.magic)
    stream = damaged + encode_packet(Packet(b"object", GETPUBKEY), TESTNET.magic) + pong + pong[:10]
    found = told(inspect_bytes(stream, (), NOW))
    assert (found["kind"], found["network"]) == ("packets", "test")
    assert "checksum" in found["packet 1"]["problem"]
    assert found["packet 2"]["object"]["tag"] == BOB.address.tag.hex()
    assert found["packet 3"] == {"command": "pong", "payload bytes": 0}
    assert found["problem"] == "the last packet lacks 14 bytes"


def test_long_lists_are_told_in_part() -> None:
    vectors = b"\xfd\x03\xe8" + b"".join(number.to_bytes(32) for number in range(1000))
    found = told(inspect_bytes(encode_packet(Packet(b"inv", vectors), MAINNET.magic), (), NOW))["packet 1"]["vectors"]
    assert len(found) == 101
    assert found["not shown"] == 900


def test_an_address_is_told_with_its_tag() -> None:
    found = told(inspect_text(f"  {ALICE_ADDRESS}\n", (), NOW))
    assert (found["kind"], found["address"]) == ("address", ALICE_ADDRESS)
    assert found["address tag"] == ALICE.address.tag.hex()
    assert "address tag" not in told(inspect_text("BM-2D8MV1Jc2WVMPv1x6u9ze3oZU8Jbc63RY8", (), NOW))


def test_of_a_private_key_only_the_public_side_is_told() -> None:
    wif = encode_wif(ALICE_KEYS.signing)
    description = inspect_text(wif, (), NOW)
    assert description.as_dict() == {"kind": "private key", "public key": ALICE.keys.signing.hex()}


@pytest.mark.parametrize("encoded", [MSG, PUBKEY, BROADCAST])
def test_no_key_that_was_given_is_shown(encoded: bytes) -> None:
    keys = (BOB_KEYS.encryption, ALICE.address.derived_key)
    text = "\n".join(inspect_bytes(encoded, keys, NOW).lines())
    assert not any(key.hex() in text for key in keys)


@pytest.mark.parametrize("text", ["", "hello", "BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8", "e9beb4", "0" * 43])
def test_what_is_nothing_of_ours_is_a_protocol_error(text: str) -> None:
    with pytest.raises(ProtocolError):
        inspect_text(text, (), NOW)


def test_hexadecimal_may_be_wrapped() -> None:
    text = "\n".join(GETPUBKEY.hex()[start : start + 20] for start in range(0, 108, 20))
    assert inspect_text(text, (), NOW) == inspect_bytes(GETPUBKEY, (), NOW)


def test_the_year_292277026596_is_told_too() -> None:
    assert "s after 1970" in told(inspect_bytes(encode_object(2**64 - 1, 77, 1, 1, b""), (), NOW))["expires"]


def test_lines_are_indented_and_hostile_text_stays_in_its_place() -> None:
    body = "one\nsignature: valid\x1b[2J\u202e\0"
    fields = (Field("message", (Field("body", body), Field("size", 3))), Field("empty", ""))
    assert list(Description("object", fields).lines()) == [
        "message:",
        "  body: one",
        "        signature: valid\\x1b[2J\\u202e\\x00",
        "  size: 3",
        "empty:",
    ]


@given(st.binary(max_size=150))
def test_any_bytes_are_described_or_a_protocol_error(data: bytes) -> None:
    for candidate in (
        data,
        MAINNET.magic.to_bytes(4) + data,
        encode_packet(Packet(b"object", data), MAINNET.magic),
        encode_packet(Packet(b"version", data), TESTNET.magic),
        *(encode_object(EXPIRES, kind, version, 1, data) for kind in ObjectType for version in (1, 3, 4, 5)),
    ):
        try:
            description = inspect_bytes(candidate, (BOB_KEYS.encryption,), NOW)
        except ProtocolError:
            continue
        assert "\n".join(description.lines())
        assert json.dumps(description.as_dict())
