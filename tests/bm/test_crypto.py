import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coincurve
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.bm.crypto import decrypt, encrypt, read_ciphertext, sign, verify
from bmgate.bm.keys import public_point
from bmgate.errors import BadObject

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "ecies.json").read_text())
WITH_EPHEMERAL = [case for case in VECTORS["decrypt"] if case.get("ephemeral_privkey_hex")]
WITH_ZEROS = [case for case in WITH_EPHEMERAL if "starts with zero" in case["name"]]
READABLE_BY_ALL = [case for case in WITH_EPHEMERAL if case not in WITH_ZEROS and case["producer"] == "PyBitmessage"]

BOB = bytes.fromhex("7f57629a1eb2493cbf069950d02de1fdde454796a06395a2fe38f56de91bfe82")
# The specification's example: every byte fixed.
PANGRAM = b"The quick brown fox jumps over the lazy dog."
PANGRAM_POINT = bytes.fromhex(
    "09d4e5c0ab3d25fe048c64c9da1a242c7f19417e9517cd266950d72c75571358"
    "5c6178e97fe092fc897c9a1f1720d5770ae8eaad2fa8fcbd08e9324a5dde1857"
)
PANGRAM_EPHEMERAL = bytes.fromhex("5be6facd941b76e9d3ead03029fbdb6b6e0809293f7fb197d0c51f84e96b8ba4")
PANGRAM_IV = bytes.fromhex("bddb7c2829b08038753084a2f3991681")
PANGRAM_BLOB = bytes.fromhex(
    "bddb7c2829b08038753084a2f399168102ca00200293213dcf1388b61c2ae5cf80fee6ffffc049a2f9fe7365fe386781"
    "3ca812920020df94686c6afb565ac6149b153d61b3b287ee2c7f997c14238796c12b43a3865a64203d5b24688e2547bb"
    "a345fa139a5a1d962220d4d48a0cf3b1572c0d95b61643a6f9a0d75af7eacc1bd957147bf723f2526d61b4851fb23409"
    "863826fd206165edc021368c7946571cead69046e619"
)
# One message to Bob under an ephemeral key whose X, or whose shared X, begins with a zero byte.
ZERO_X_EPHEMERAL = bytes.fromhex("d8b42e73dd36f5b69d3e99f2a458df125ba8b3885ba6d702c385065e55233047")
ZERO_SHARED_EPHEMERAL = bytes.fromhex("ddbcc16a43c84de10bbe408eb283d84b7f8d74a80467cdd809d2b919313b9049")
ZERO_X_PADDED = bytes.fromhex(
    "48f6c17fa4755f85cc8c20acca7dd4c502ca002000d2aaf2ca25cea148ad7aa0e2f78e3a321a4518bd4db82f8fda421d5622280f0020"
    "0a61627d13a2b119b396588c11703755cd8558293152b1a74e20f471fb69f5da47c9e205ad513d106569ba2d422e1cb947cb57aeea47"
    "b6fbd859892be85ace4d9974346abe36b3b84fce19083c4072d8"
)
ZERO_X_STRIPPED = bytes.fromhex(
    "48f6c17fa4755f85cc8c20acca7dd4c502ca001fd2aaf2ca25cea148ad7aa0e2f78e3a321a4518bd4db82f8fda421d5622280f00200a"
    "61627d13a2b119b396588c11703755cd8558293152b1a74e20f471fb69f5da47c9e205ad513d106569ba2d422e1cb981f305cc15f503"
    "cb60e75072840caa0cf27bddd3d49df68968e13f54554c5846"
)
ZERO_SHARED = bytes.fromhex(
    "48f6c17fa4755f85cc8c20acca7dd4c502ca00205d73ae9a24ee39d3401a71eb1dfdf06518c51047817861ea5c36b25b2fc7b6eb0020"
    "4fe68b8fa91f036ace95c3a1d5711070303f7071efd9596ce5ce3cbf01ae691ba23662c72c0b9da0ee30deb9685413d9855a9eaf4b90"
    "85c866af471f9892b762e5e2600d39f63f18b3fec5a2eb65353b"
)
# The specification's v4 pubkey: a tag in clear up to byte 54, then the keys and a 70-byte signature for all who know
# the address.
ALICE_SIGNING_KEY = bytes.fromhex("1eb520451908126c271a9d1362c2c7d9ef5f5b121f4464de9357ae540988b6e5")
ALICE_DERIVED_KEY = bytes.fromhex("3d5b9be60ae7948bc1e6b430f3d13d9843a6d74edca9e82569d8a07653197030")
ALICE_PUBKEY = bytes.fromhex(
    "000000000016be5400000000713fb3000000000104010f80dfec10fddc428600e869d4d78ba6298b801609e95c7cb9f7aee964cb43ae48f6"
    "c17fa4755f85cc8c20acca7dd4c502ca00203cd45b6a2fe6927f0f9067085df50889e2b928e35182fdb2bb341b53595bf4a8002068c74790"
    "82caf4ceb65d455b999cc3dc8ffd1177d7fe789ed81b8d0902b5e45ffbe99477acfd0e67b2b80060ffac8a9df23ea22737a1a627c8124ddc"
    "a8b10d71fbc52fb888c46285656a8d8f778d18bbfb118f05df992e176c659a002a84535a33f551acb98a6a06b12e435a7c60416cca764bcb"
    "17aa14d29ab34d3b0f15a92a612956a06a1c91e7ea39991910ed4b30b3421d819a34ef33b0f898aedf0d7011558a37237d40efbdd94f1d2a"
    "0248c5d3bf6217ac954e5318f2adc7ad0fb234eb52ca87601b9217ecd96b0f5a8430ecf8ad57715473584b1dd37e66c56cc5eca046d9093c"
    "11924e45605b4d122612bdc7c406d2446bfaa6ca9a4c7f97b8f0a9f02bc222e70341881a8543064140f80955453be43d28f9c4fd486b2878"
    "df5175b2"
)


def scripted(*draws: bytes) -> Callable[[int], bytes]:
    """Entropy that yields these draws in turn, and only in the sizes asked for."""
    remaining = list(draws)

    def draw(size: int) -> bytes:
        drawn = remaining.pop(0)
        assert len(drawn) == size
        return drawn

    return draw


@pytest.mark.parametrize("case", VECTORS["decrypt"], ids=lambda case: case["name"])
def test_what_peers_encrypted_is_read(case: dict[str, Any]) -> None:
    key = bytes.fromhex(case["recipient_privkey_hex"])
    assert "04" + public_point(key).hex() == case["recipient_pubkey_hex"]
    ciphertext = read_ciphertext(bytes.fromhex(case["blob_hex"]))
    assert ciphertext.point.hex() == case["ephemeral_x_hex"].zfill(64) + case["ephemeral_y_hex"].zfill(64)
    assert ciphertext.iv.hex() == case["iv_hex"]
    assert ciphertext.mac.hex() == case["mac_hex"]
    assert len(ciphertext.encrypted) % 16 == 0
    assert ciphertext.decrypt(key) == bytes.fromhex(case["plaintext_hex"])


@pytest.mark.parametrize("case", READABLE_BY_ALL, ids=lambda case: case["name"])
def test_we_encrypt_as_pybitmessage_does(case: dict[str, Any]) -> None:
    entropy = scripted(bytes.fromhex(case["ephemeral_privkey_hex"]), bytes.fromhex(case["iv_hex"]))
    recipient = bytes.fromhex(case["recipient_pubkey_hex"])[1:]
    assert encrypt(bytes.fromhex(case["plaintext_hex"]), recipient, entropy).hex() == case["blob_hex"]


def test_we_encrypt_the_example_of_the_specification() -> None:
    assert encrypt(PANGRAM, PANGRAM_POINT, scripted(PANGRAM_EPHEMERAL, PANGRAM_IV)) == PANGRAM_BLOB


@pytest.mark.parametrize("case", WITH_ZEROS, ids=lambda case: case["name"])
def test_an_ephemeral_key_with_a_zero_top_byte_is_drawn_again(case: dict[str, Any]) -> None:
    entropy = scripted(bytes.fromhex(case["ephemeral_privkey_hex"]), PANGRAM_EPHEMERAL, PANGRAM_IV)
    blob = encrypt(PANGRAM, bytes.fromhex(case["recipient_pubkey_hex"])[1:], entropy)
    assert read_ciphertext(blob).point == public_point(PANGRAM_EPHEMERAL)
    assert decrypt(blob, bytes.fromhex(case["recipient_privkey_hex"])) == PANGRAM


def test_a_shared_secret_with_a_zero_top_byte_is_drawn_again() -> None:
    entropy = scripted(ZERO_X_EPHEMERAL, ZERO_SHARED_EPHEMERAL, PANGRAM_EPHEMERAL, PANGRAM_IV)
    blob = encrypt(b"", public_point(BOB), entropy)
    assert read_ciphertext(blob).point == public_point(PANGRAM_EPHEMERAL)


@pytest.mark.parametrize(
    ("blob", "plaintext"),
    [(ZERO_X_PADDED, b"zero-x"), (ZERO_X_STRIPPED, b"zero-x"), (ZERO_SHARED, b"zero-shared")],
)
def test_zero_top_bytes_are_read_padded_and_stripped(blob: bytes, plaintext: bytes) -> None:
    assert decrypt(blob, BOB) == plaintext


@pytest.mark.parametrize("case", VECTORS["tampered"], ids=lambda case: case["name"])
def test_p21_what_was_tampered_with_is_not_for_us(case: dict[str, Any]) -> None:
    assert decrypt(bytes.fromhex(case["blob_hex"]), bytes.fromhex(case["recipient_privkey_hex"])) is None


@pytest.mark.parametrize("case", VECTORS["malformed_but_accepted_by_some"], ids=lambda case: case["name"])
def test_p20_surplus_zeros_are_let_pass_and_other_curves_are_not(case: dict[str, Any]) -> None:
    expected = None if "curve" in case["name"] else bytes.fromhex(case["plaintext_hex"])
    assert decrypt(bytes.fromhex(case["blob_hex"]), bytes.fromhex(case["recipient_privkey_hex"])) == expected


@pytest.mark.parametrize("size", [0, 33, 2**16 - 1])
def test_p20_a_coordinate_of_a_wrong_length_is_malformed(size: int) -> None:
    blob = PANGRAM_BLOB[:18] + size.to_bytes(2) + b"\1" * size + PANGRAM_BLOB[52:]
    with pytest.raises(BadObject):
        read_ciphertext(blob)


@pytest.mark.parametrize("x", [bytes(32), b"\xff" * 32, b"\1" * 32])
def test_p20_a_point_off_the_curve_is_malformed(x: bytes) -> None:
    with pytest.raises(BadObject, match="no point"):
        read_ciphertext(PANGRAM_BLOB[:20] + x + PANGRAM_BLOB[52:])


def test_p20_infinity_is_malformed() -> None:
    with pytest.raises(BadObject):
        read_ciphertext(PANGRAM_BLOB[:20] + bytes(32) + PANGRAM_BLOB[52:54] + bytes(32) + PANGRAM_BLOB[86:])


def test_p21_every_flipped_bit_and_every_truncation_is_noticed() -> None:
    blob = encrypt(b"hello", public_point(BOB), random.Random(2).randbytes)
    for at in range(len(blob)):
        assert decrypt(blob[:at] + bytes((blob[at] ^ 1,)) + blob[at + 1 :], BOB) is None
        assert decrypt(blob[:at], BOB) is None


@pytest.mark.parametrize("key", [bytes(32), b"\xff" * 32, b"", BOB[:31], BOB + b"\0"])
def test_a_key_that_is_no_scalar_opens_nothing(key: bytes) -> None:
    assert decrypt(ZERO_SHARED, key) is None


def test_nobody_encrypts_to_a_point_off_the_curve() -> None:
    with pytest.raises(BadObject, match="no point"):
        encrypt(b"", b"\1" * 64, random.Random(3).randbytes)


@given(st.binary(max_size=100), st.integers(0, 2**64))
def test_plaintexts_survive_the_round_trip(plaintext: bytes, seed: int) -> None:
    blob = encrypt(plaintext, public_point(BOB), random.Random(seed).randbytes)
    assert len(blob) == 118 + 16 * (len(plaintext) // 16 + 1)
    assert blob[20]
    assert blob[54]
    assert decrypt(blob, BOB) == plaintext
    assert decrypt(blob, PANGRAM_EPHEMERAL) is None


@given(st.binary(max_size=200), st.binary(max_size=150))
def test_arbitrary_bytes_give_only_bad_objects(data: bytes, behind_a_good_point: bytes) -> None:
    for blob in (data, PANGRAM_BLOB[:86] + behind_a_good_point):
        try:
            read_ciphertext(blob)
        except BadObject:
            assert decrypt(blob, BOB) is None


@pytest.mark.parametrize("case", VECTORS["signatures"])
def test_signatures_of_peers_are_true(case: dict[str, Any]) -> None:
    data, signature = bytes.fromhex(case["data_hex"]), bytes.fromhex(case["signature_der_hex"])
    public_key = bytes.fromhex(case["pubkey_hex"])[1:]
    assert verify(data, signature, public_key) is case["valid"] is True
    assert not verify(data + b"\0", signature, public_key)


@pytest.mark.parametrize("case", VECTORS["signature_edge_cases"], ids=lambda case: case["name"])
def test_p22_only_true_signatures_in_strict_der_are_taken(case: dict[str, Any]) -> None:
    data, signature = bytes.fromhex(case["data_hex"]), bytes.fromhex(case["signature_der_hex"])
    assert verify(data, signature, bytes.fromhex(case["pubkey_hex"])[1:]) is (case["expected"] == "valid")


def test_we_sign_as_the_specification_does() -> None:
    plaintext = decrypt(ALICE_PUBKEY[54:], ALICE_DERIVED_KEY)
    assert plaintext is not None
    unsigned, signature = plaintext[:-71], plaintext[-70:]
    assert sign(ALICE_PUBKEY[8:54] + unsigned, ALICE_SIGNING_KEY) == signature


@pytest.mark.parametrize(
    "signature",
    [
        "304402202302475351db6b822de15d922e29397541f10d8a19780ba2ca4a920b1035f07502205e5bba40d5f07a24c23a89ba5f01a382"
        "8371dfbb685dd5375fa1c29095fd232b",
        "30460221008ad234687d1bdc259932e28ea6ee091b88b0900d8134902aa8c2fd7f016b96ed022100dafb94e28322c2fa88878f9dcbf0"
        "c2d33270466ab3bbffaec3dca0a2d1ef9354",
    ],
    ids=["SHA-256, low S", "SHA-1, high S"],
)
def test_p22_both_hashes_and_both_halves_of_s_are_true(signature: str) -> None:
    message = bytes.fromhex(
        "0592a10584ffabf96539f3d780d776828c67da1ab5b169e9e8aed838aaecc9ed"
        "36d49ff1423c55f019e050c66c6324f53588be88894fef4dcffdb74b98e2b200"
    )
    key = bytes.fromhex("93d0b61371a54b53df143b954035d612f8efa8a3ed1cf842c2186bfd8f876665")
    assert verify(message, bytes.fromhex(signature), public_point(key))


@given(st.binary(max_size=100))
def test_our_signatures_are_true_low_and_always_the_same(data: bytes) -> None:
    signature = sign(data, BOB)
    assert signature == sign(data, BOB)
    assert verify(data, signature, public_point(BOB))
    assert not verify(data + b"x", signature, public_point(BOB))
    assert coincurve.PublicKey(b"\x04" + public_point(BOB)).verify(signature, data)  # which takes low S alone


@given(st.binary(max_size=300))
def test_p22_arbitrary_bytes_are_no_signature(signature: bytes) -> None:
    assert not verify(b"data", signature, public_point(BOB))


def test_a_point_off_the_curve_has_signed_nothing() -> None:
    assert not verify(b"data", sign(b"data", BOB), b"\1" * 64)
