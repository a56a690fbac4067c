import json
import random
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import base58
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.bm.hashes import double_sha256
from bmgate.bm.keys import (
    PrivateKeys,
    PublicKeys,
    decode_wif,
    deterministic_keys,
    deterministic_portion,
    encode_wif,
    is_point,
    public_point,
    random_keys,
    random_portion,
    random_scalar,
)
from bmgate.errors import BadObject, ProtocolError

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "addresses.json").read_text())
BY_PASSPHRASE = VECTORS["deterministic"] + VECTORS["chans"]
WITH_KEYS = BY_PASSPHRASE + VECTORS["from_keys"] + VECTORS["generated_by_running_peers"]
GROUP_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@cache
def first_keys(passphrase: bytes, leading_zeros: int, number: int) -> tuple[PrivateKeys, ...]:
    return tuple(islice(deterministic_keys(passphrase, leading_zeros), number))


def wif_of(data: bytes) -> str:
    """Base58 of any bytes with a right checksum."""
    return base58.b58encode(data + double_sha256(data)[:4]).decode()


def keys_of(case: dict[str, str]) -> PrivateKeys:
    return PrivateKeys(bytes.fromhex(case["signing_privkey_hex"]), bytes.fromhex(case["encryption_privkey_hex"]))


@pytest.mark.parametrize("case", WITH_KEYS)
def test_private_keys_lead_to_the_address(case: dict[str, Any]) -> None:
    public = keys_of(case).public
    assert "04" + public.signing.hex() == case["signing_pubkey_hex"]
    assert "04" + public.encryption.hex() == case["encryption_pubkey_hex"]
    assert public.ripe.hex() == case["ripe_hex"]
    assert str(public.address(int(case["version"]), int(case["stream"]))) == case["address"]
    assert public.validated() is public


@pytest.mark.parametrize("case", WITH_KEYS)
def test_keys_are_written_as_keys_dat_holds_them(case: dict[str, Any]) -> None:
    for kind in ("signing", "encryption"):
        key, wif = bytes.fromhex(case[f"{kind}_privkey_hex"]), case[f"{kind}_privkey_wif"]
        assert encode_wif(key) == wif
        assert decode_wif(wif) == key


@pytest.mark.parametrize("case", BY_PASSPHRASE)
def test_a_passphrase_leads_to_the_same_keys_as_in_pybitmessage(case: dict[str, Any]) -> None:
    passphrase = bytes.fromhex(case["passphrase_utf8_hex"])
    leading_zeros = case.get("leading_null_bytes_required", 1)
    others = [
        other["signing_key_nonce"]
        for other in VECTORS["deterministic"]
        if other["passphrase_utf8_hex"] == case["passphrase_utf8_hex"]
        and other["leading_null_bytes_required"] == leading_zeros
    ]
    number = len({nonce for nonce in others if nonce <= case["signing_key_nonce"]}) or 1
    found = first_keys(passphrase, leading_zeros, number)[-1]
    assert (found.signing, found.encryption) == (keys_of(case).signing, keys_of(case).encryption)


def test_random_keys_have_the_leading_zeros_asked_for() -> None:
    keys = random_keys(random.Random(1).randbytes)
    assert keys.public.ripe[0] == 0
    assert keys.public.address().version == 4
    assert random_keys(random.Random(1).randbytes, leading_zeros=0).public.ripe[0] != 0


@pytest.mark.parametrize("unusable", [0, GROUP_ORDER, 2**256 - 1])
def test_a_draw_that_is_no_scalar_is_drawn_again(unusable: int) -> None:
    draws = iter([unusable.to_bytes(32), b"\1" * 32])
    assert random_scalar(lambda _: next(draws)) == b"\1" * 32


def test_private_keys_do_not_show_themselves() -> None:
    assert "aaaa" not in repr(PrivateKeys(b"a" * 32, b"a" * 32))


@given(st.integers(1, GROUP_ORDER - 1).map(lambda number: number.to_bytes(32)))
def test_wif_survives_the_round_trip(key: bytes) -> None:
    assert decode_wif(encode_wif(key)) == key
    assert len(encode_wif(key)) == 51
    assert encode_wif(key).startswith("5")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5K42shDERM5g7Kbi3JT5vsAWpXMqRhWZpX835M2pdSoqQQpJMYn",
        "5K42shDERM5g7Kbi3JT5vsAWpXMqRhWZpX835M2pdSoqQQpJMY0",
        "5K42shDERM5g7Kbi3JT5vsAWpXMqRhWZpX835M2pdSoqQQpJMY\u00e9",
        "5" * 100_000,
        wif_of(b"\x80" + b"k" * 32 + b"\1"),
        wif_of(b"\x80" + b"k" * 30),
        wif_of(b"\x80" + bytes(31)),
        wif_of(b"\x81" + b"k" * 32),
        wif_of(b"\x80" + bytes(32)),
        wif_of(b"\x80" + b"\xff" * 32),
    ],
    ids=[
        "empty",
        "checksum",
        "letter",
        "accent",
        "long",
        "compressed",
        "short",
        "short zero",
        "prefix",
        "zero",
        "beyond the order",
    ],
)
def test_text_that_is_no_key_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode_wif(text)
    assert len(text) < 5 or text[:5] not in str(caught.value)


def test_e8_a_key_of_31_bytes_gets_back_the_zero_that_old_programs_left_out() -> None:
    key = b"\0" + b"k" * 31
    assert decode_wif(wif_of(b"\x80" + key[1:])) == key == decode_wif(encode_wif(key))


@given(st.text(max_size=60))
def test_arbitrary_text_gives_only_protocol_errors(text: str) -> None:
    with pytest.raises(ProtocolError):
        decode_wif(text)


@pytest.mark.parametrize("point", [b"", bytes(64), b"\1" * 64, public_point(b"\1" * 32)[:63]])
def test_what_is_no_point_is_no_public_key(point: bytes) -> None:
    good = public_point(b"\1" * 32)
    assert is_point(good)
    assert not is_point(point)
    for keys in (PublicKeys(point, good), PublicKeys(good, point)):
        with pytest.raises(BadObject, match="no point"):
            keys.validated()


def test_portions_of_a_passphrase_join_to_the_whole() -> None:
    """The third key pair of "general" comes at try 1217 or so: three portions give the same as one after the other."""
    wanted = first_keys(b"general", 1, 3)
    joined = [keys for first in range(0, 3_000, 500) for keys in deterministic_portion(b"general", first, 500, 1)]
    assert tuple(joined[:3]) == wanted


def test_no_two_random_pairs_share_a_signing_key() -> None:
    found = random_portion(random.Random(3).randbytes, 3_000, 1)
    assert len(found) > 3
    assert len({keys.signing for keys in found}) == len(found)
    assert all(keys.public.ripe[0] == 0 for keys in found)
