"""Searching for short addresses: the same keys as PyBitmessage, a price told before, and a search that can be ended."""

import asyncio
import json
import os
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from bmgate.bm.keys import deterministic_keys
from bmgate.clock import SystemClock
from bmgate.services.identities import key_search
from bmgate.services.identities.key_search import KeySearch, Progress, Wish

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "addresses.json").read_text())
PASSPHRASE = bytes.fromhex(VECTORS["deterministic"][0]["passphrase_utf8_hex"])


@pytest.fixture
def search() -> KeySearch:
    return KeySearch(os.urandom, SystemClock(), workers=2)


async def test_the_addresses_of_a_passphrase_are_pybitmessages(search: KeySearch) -> None:
    cases = [case for case in VECTORS["deterministic"] if case["leading_null_bytes_required"] == 1]
    for passphrase in {case["passphrase_utf8_hex"] for case in cases}:
        same = [case for case in cases if case["passphrase_utf8_hex"] == passphrase]
        wanted = {case["signing_key_nonce"]: case["signing_privkey_hex"] for case in same}
        found = await search.find(Wish(bytes.fromhex(passphrase), len(wanted)))
        assert [keys.signing.hex() for keys in found] == [wanted[nonce] for nonce in sorted(wanted)]


async def test_processes_find_the_same_in_the_same_order(search: KeySearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_search, "SMALL", 0)
    monkeypatch.setattr(key_search, "PORTION", 200)
    told: list[Progress] = []

    async def tell(progress: Progress) -> None:
        told.append(progress)

    found = await search.find(Wish(PASSPHRASE, 4), tell)
    assert found == list(islice(deterministic_keys(PASSPHRASE), 4))
    assert (told[0].tried, told[0].expected, told[0].number) == (0, 1024, 4)
    assert told[0].seconds > 0


async def test_a_search_ends_when_nobody_waits_for_it(search: KeySearch) -> None:
    begun = asyncio.Event()

    async def tell(progress: Progress) -> None:
        begun.set()

    hopeless = asyncio.create_task(search.find(Wish(leading_zeros=8), tell))
    await begun.wait()
    hopeless.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hopeless


async def test_each_zero_byte_costs_256_times_as_much(search: KeySearch) -> None:
    assert (await search.price(Wish(leading_zeros=2))).expected == 256 * (await search.price(Wish())).expected
