import json
from pathlib import Path
from typing import Any

import base58
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import addresses

from bmgate.bm.addresses import MAX_STREAM, Address, parse_address
from bmgate.bm.hashes import double_sha512
from bmgate.bm.wire import encode_varint
from bmgate.errors import BadAddress

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "addresses.json").read_text())
MADE_BY_PEERS = [
    case
    for group in ("deterministic", "chans", "from_keys", "ripe_only", "generated_by_running_peers")
    for case in VECTORS[group]
]
WITH_DERIVED_KEYS = [case for case in MADE_BY_PEERS if "signing_pubkey_hex" in case]
# PyBitmessage decodes these; nobody can use them.
REFUSED_BY_US = {"v1 address": "versiontoolow", "stream 0": "streamoutofrange"}
GOOD = [
    case
    for case in VECTORS["decode_cases"]
    if case["pybitmessage_status"] == "success" and case["name"] not in REFUSED_BY_US
]
BAD = [case for case in VECTORS["decode_cases"] if case not in GOOD]
RIPE = bytes.fromhex("003cd097eb7f35c87b5dc8b4538c22cb55312a9f")


def spell(payload: bytes) -> str:
    """Address text of any bytes, with the right checksum."""
    data = payload + double_sha512(payload)[:4]
    return "BM-" + base58.b58encode_int(int.from_bytes(data)).decode()


@pytest.mark.parametrize("case", MADE_BY_PEERS)
def test_an_address_is_spelled_as_its_maker_spelled_it(case: dict[str, Any]) -> None:
    address = Address(int(case["version"]), int(case["stream"]), bytes.fromhex(case["ripe_hex"]))
    assert str(address) == case["address"]
    assert parse_address(case["address"]) == address


@pytest.mark.parametrize("case", WITH_DERIVED_KEYS)
def test_what_an_address_gives_away_is_what_peers_derive(case: dict[str, Any]) -> None:
    address = parse_address(case["address"])
    if address.version == 4:
        assert address.lookup == address.tag == bytes.fromhex(case["tag_hex"])
        assert address.derived_key.hex() == case["pubkey_broadcast_privkey_hex"]
    else:
        assert address.lookup == address.ripe
        assert address.derived_key.hex() == case["broadcast_privkey_hex"]


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case["name"])
def test_good_text_is_read(case: dict[str, Any]) -> None:
    expected = Address(case["version"], case["stream"], bytes.fromhex(case["ripe_hex"]))
    assert parse_address(case["address"]) == expected


@pytest.mark.parametrize("case", BAD, ids=lambda case: case["name"])
def test_bad_text_is_refused_with_the_word_of_pybitmessage(case: dict[str, Any]) -> None:
    with pytest.raises(BadAddress) as caught:
        parse_address(case["address"])
    assert caught.value.status == REFUSED_BY_US.get(case["name"], case["pybitmessage_status"])


@pytest.mark.parametrize(
    ("version", "text"),
    [
        (2, "BM-onkVu1KKL2UaUss5Upg9vXmqd3esTmV79"),
        (3, "BM-2D8MV1Jc2WVMPv1x6u9ze3oZU8Jbc63RY8"),
        (4, "BM-2cTxU7btjgxEDMA38KVK8B5M6dZYNgaeF5"),
    ],
)
def test_one_ripe_has_an_address_in_each_version(version: int, text: str) -> None:
    assert str(Address(version, 1, RIPE)) == text


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("BM-87STX6nojEhq6gLvF3orQFtjFGNjcAwyDKh", "encodingproblem"),
        ("BM-31oZTDuBSsR72nJ89jpdcJM8j8pV1RNv21", "versiontoohigh"),
        ("BM-bCGACVe5ftDfU3WGpPTUK8fzBAd7gZxzb17y1", "varintmalformed"),
        ("BM-3xSpgkTNpjup", "ripetooshort"),
        ("BM-" + "2" * 100_000, "ripetoolong"),
        ("BM-\u0661\u0662", "invalidcharacters"),
        (spell(bytes((4,)) + encode_varint(MAX_STREAM + 1) + RIPE[1:]), "streamoutofrange"),
    ],
)
def test_more_bad_text_is_refused(text: str, status: str) -> None:
    with pytest.raises(BadAddress) as caught:
        parse_address(text)
    assert caught.value.status == status


@pytest.mark.parametrize("text", ["BM-6LRw72zVyUXCoKPE4nQap7o3r9En89LgPDA", "BM-1112D8MV1Jc2WVMPv1x6u9ze3oZU8Jbc63RY8"])
def test_malleable_text_does_not_make_a_second_address(text: str) -> None:
    assert str(parse_address(text)) == "BM-2D8MV1Jc2WVMPv1x6u9ze3oZU8Jbc63RY8"


@given(addresses(st.integers(1, MAX_STREAM)))
def test_addresses_survive_the_round_trip(address: Address) -> None:
    assert parse_address(str(address)) == address


@given(st.text(max_size=60) | st.binary(max_size=40).map(spell))
def test_arbitrary_text_gives_only_bad_address(text: str) -> None:
    try:
        address = parse_address(text)
    except BadAddress:
        return
    assert parse_address(str(address)) == address
