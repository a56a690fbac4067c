"""What kind of host a name is, and which onion and I2P names can be true."""

import base64
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.bm.hosts import Reach, i2p_name, is_address, is_i2p, is_onion, onion_name, reach_of

TOR_PROJECT = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"  # www.torproject.org
DUCKDUCKGO = "duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion"


@pytest.mark.parametrize("name", [TOR_PROJECT, DUCKDUCKGO])
def test_names_of_well_known_onion_services_are_true(name: str) -> None:
    assert is_onion(name)
    assert onion_name(base64.b32decode(name[:56].upper())[:32]) == name


@given(st.integers(0, 55), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_an_onion_name_with_a_wrong_letter_is_none(place: int, letter: str) -> None:
    changed = TOR_PROJECT[:place] + letter + TOR_PROJECT[place + 1 :]
    assert is_onion(changed) == (changed == TOR_PROJECT)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".onion",
        "quzwelsuziwqgpt2.onion",
        TOR_PROJECT.upper(),
        f"www.{TOR_PROJECT}",
        f"{TOR_PROJECT}.",
        "1" * 56 + ".onion",
    ],
)
def test_other_forms_of_onion_names_are_none(name: str) -> None:
    assert not is_onion(name)


@given(st.binary(min_size=32, max_size=32))
def test_every_key_has_a_true_name(key: bytes) -> None:
    assert is_onion(onion_name(key))


@given(st.text())
def test_whatever_the_name_it_is_judged(name: str) -> None:
    is_onion(name), is_i2p(name), is_address(name), reach_of(name)


@pytest.mark.parametrize(
    ("host", "reach"),
    [
        ("192.0.2.1", Reach.CLEARNET),
        ("2001:db8::1", Reach.CLEARNET),
        ("bootstrap8444.bitmessage.org", Reach.CLEARNET),
        ("onion.example", Reach.CLEARNET),
        (TOR_PROJECT, Reach.ONION),
        ("Misspelt.ONION.", Reach.ONION),
        ("stats.i2p", Reach.I2P),
        (i2p_name(b"destination"), Reach.I2P),
    ],
)
def test_a_host_belongs_to_a_network_by_its_ending(host: str, reach: Reach) -> None:
    assert reach_of(host) is reach


def test_i2p_names_are_hashes_of_destinations() -> None:
    name = i2p_name(bytes(391))
    assert base64.b32decode(name.removesuffix(".b32.i2p").upper() + "====") == sha256(bytes(391)).digest()
    assert is_i2p(name)
    assert is_i2p("stats.i2p")
    assert not any(map(is_i2p, ["x.b32.i2p", "-a.i2p", ".i2p", "i2p", "a_b.i2p", "a" * 64 + ".i2p", "example.org"]))
