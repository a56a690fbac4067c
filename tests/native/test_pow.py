"""Every proof-of-work kernel that this processor runs, against hashlib and against work done by other programs."""

import hashlib
import json
import threading
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.native import KNOWN_HASH, KNOWN_NONCE, NONCE_END, Buffer, Search, hashlib_search, load_extension

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "pow.json").read_text())
EXTENSION, _fault = load_extension()
NATIVE = EXTENSION.pow_kernels() if EXTENSION else ()
EASY = NONCE_END // 300  # a hit about every 300 trials
POLL_EVERY = 4096  # trials of a kernel between two looks at the stop flag
MOST_LANES = 16
VALUES = 400  # nonces whose trial values are worked out by hashlib
every_search = pytest.mark.parametrize("name", [*NATIVE, "hashlib"])
every_kernel = pytest.mark.parametrize("name", NATIVE)


def search_of(name: str) -> Search:
    if name == "hashlib":
        return hashlib_search
    assert EXTENSION is not None
    return partial(EXTENSION.search, name)


def trial_value(nonce: int, initial_hash: bytes) -> int:
    inner = hashlib.sha512(nonce.to_bytes(8, "big") + initial_hash).digest()
    return int.from_bytes(hashlib.sha512(inner).digest()[:8], "big")


@pytest.fixture(scope="module")
def records() -> list[tuple[int, int]]:
    """Nonces from 0 on with a lower value than all before them: (nonce, value), each a first hit of its own target."""
    lowest, found = NONCE_END, []
    for nonce in range(VALUES):
        value = trial_value(nonce, KNOWN_HASH)
        if value < lowest:
            found.append((nonce, value))
            lowest = value
    return found


@every_search
@pytest.mark.parametrize("vector", VECTORS["valid"], ids=lambda vector: str(vector["name"]))
def test_work_done_by_other_programs_is_found_again(name: str, vector: dict[str, str]) -> None:
    search, nonce = search_of(name), int(vector["nonce"])
    initial_hash, value = bytes.fromhex(vector["initial_hash_hex"]), int(vector["trial_value"])
    for before in range(min(nonce, 2 * MOST_LANES) + 1):
        assert search(initial_hash, value, nonce - before, before + 10, bytearray(1)) == (nonce, nonce + 1)
    assert search(initial_hash, value - 1, nonce, 1, bytearray(1)) == (None, nonce + 1)


@every_kernel
def test_each_nonce_up_to_the_hit_has_the_value_that_hashlib_computes(name: str) -> None:
    search = search_of(name)
    for nonce in range(VALUES):
        value = trial_value(nonce, bytes(64))
        assert search(bytes(64), value, nonce, 1, bytearray(1)) == (nonce, nonce + 1)
        assert search(bytes(64), value - 1, nonce, 1, bytearray(1)) == (None, nonce + 1)


@every_search
def test_the_first_of_several_hits_is_found_from_every_start(name: str) -> None:
    search = search_of(name)
    hits = [nonce for nonce in range(VALUES) if trial_value(nonce, KNOWN_HASH) <= NONCE_END // 10]
    assert any(later - sooner < MOST_LANES for sooner, later in pairwise(hits)), "two hits in one step"
    for start in range(hits[-1] + 1):
        first = next(nonce for nonce in hits if nonce >= start)
        assert search(KNOWN_HASH, NONCE_END // 10, start, VALUES, bytearray(1)) == (first, first + 1)


@every_search
def test_a_hit_counts_as_the_last_nonce_of_the_range_and_not_behind_it(
    name: str, records: list[tuple[int, int]]
) -> None:
    search = search_of(name)
    for nonce, value in records:
        for start in range(max(0, nonce - 2 * MOST_LANES), nonce + 1):
            count = nonce - start
            assert search(KNOWN_HASH, value, start, count + 1, bytearray(1)) == (nonce, nonce + 1)
            assert search(KNOWN_HASH, value, start, count, bytearray(1)) == (None, nonce)


@every_search
def test_a_target_is_met_by_its_own_value_and_missed_by_one_less(name: str, records: list[tuple[int, int]]) -> None:
    search = search_of(name)
    for nonce, value in records:
        assert search(KNOWN_HASH, value, 0, VALUES, bytearray(1)) == (nonce, nonce + 1)
        assert search(KNOWN_HASH, value - 1, 0, nonce + 1, bytearray(1)) == (None, nonce + 1)


@every_kernel
@given(
    initial_hash=st.binary(min_size=64, max_size=64),
    start=st.integers(0, NONCE_END - 1) | st.integers(NONCE_END - 600, NONCE_END - 1),
    count=st.integers(0, 600),
    easiness=st.integers(0, 600),
)
def test_native_and_hashlib_find_the_same(
    name: str, initial_hash: bytes, start: int, count: int, easiness: int
) -> None:
    target = NONCE_END // 600 * easiness
    expected = hashlib_search(initial_hash, target, start, count, bytearray(1))
    assert search_of(name)(initial_hash, target, start, count, bytearray(1)) == expected


@every_kernel
@pytest.mark.nightly
def test_a_hard_target_is_met_by_the_same_nonce_as_by_hashlib(name: str) -> None:
    expected = hashlib_search(bytes(64), NONCE_END // 300_000, 1, 3_000_000, bytearray(1))
    assert expected[0] is not None
    assert search_of(name)(bytes(64), NONCE_END // 300_000, 1, 3_000_000, bytearray(1)) == expected


@every_search
def test_targets_at_both_ends(name: str) -> None:
    search = search_of(name)
    assert search(bytes(64), NONCE_END - 1, 7, 100, bytearray(1)) == (7, 8)
    assert search(bytes(64), 0, 7, 5_000, bytearray(1)) == (None, 5_007)


@every_search
def test_nonces_end_at_2_to_the_64(name: str) -> None:
    search = search_of(name)
    for room in range(1, 2 * MOST_LANES + 2):
        assert search(bytes(64), 0, NONCE_END - room, 100, bytearray(1)) == (None, NONCE_END)
        assert search(bytes(64), 0, NONCE_END - room, NONCE_END - 1, bytearray(1)) == (None, NONCE_END)
    assert search(bytes(64), NONCE_END - 1, NONCE_END - 1, 100, bytearray(1)) == (NONCE_END - 1, NONCE_END)


@every_search
def test_the_last_nonce_of_all_can_be_the_hit(name: str) -> None:
    last = NONCE_END - 1
    value = trial_value(last, bytes(64))
    start = next(n for n in range(last, last - 100, -1) if n == last - 99 or trial_value(n - 1, bytes(64)) <= value)
    assert search_of(name)(bytes(64), value, start, 100, bytearray(1)) == (last, NONCE_END)


@every_search
def test_nothing_is_tried_when_nothing_is_asked_for(name: str) -> None:
    assert search_of(name)(bytes(64), NONCE_END - 1, 9, 0, bytearray(1)) == (None, 9)


@every_search
def test_a_search_goes_on_where_it_ended(name: str) -> None:
    search, at, portion = search_of(name), 0, 0
    expected, _ = hashlib_search(bytes(64), EASY // 100, 0, 1 << 20, bytearray(1))
    nonce = None
    while nonce is None:
        portion = portion % 5_003 + 997
        nonce, at = search(bytes(64), EASY // 100, at, portion, bytearray(1))
    assert (nonce, at) == (expected, nonce + 1)


@every_search
def test_a_set_stop_flag_ends_the_search_before_its_first_trial(name: str) -> None:
    flag = bytearray(b"\1")
    assert search_of(name)(bytes(64), NONCE_END - 1, 9, 1 << 40, flag) == (None, 9)
    flags: Buffer = memoryview(bytearray(b"\0\1"))[1:]
    assert search_of(name)(bytes(64), NONCE_END - 1, 9, 1 << 40, flags) == (None, 9)


@every_kernel
def test_a_stop_flag_set_meanwhile_ends_the_search_and_says_how_far_it_came(name: str) -> None:
    flag, start = bytearray(1), 3
    results: list[tuple[int | None, int]] = []
    search = partial(search_of(name), bytes(64), 0, start, 1 << 62, flag)
    thread = threading.Thread(target=lambda: results.append(search()))
    thread.start()
    flag[0] = 1  # the kernel runs without the GIL: this is reached at once
    thread.join()
    assert results[0][0] is None
    assert (results[0][1] - start) % POLL_EVERY == 0


@pytest.mark.skipif(EXTENSION is None, reason=f"native extension: {_fault}")
class TestRefusals:
    @pytest.mark.parametrize("arguments", [(bytes(63), 0, 0, 1, bytearray(1)), (bytes(64), 0, 0, 1, bytearray(2))])
    def test_buffers_of_the_wrong_size(self, arguments: tuple[bytes, int, int, int, bytearray]) -> None:
        with pytest.raises(ValueError, match="64 bytes"):
            search_of("scalar")(*arguments)

    @pytest.mark.parametrize("asked", [0, 1, 2])
    @pytest.mark.parametrize("number", [-1, NONCE_END])
    def test_numbers_beyond_64_bits(self, asked: int, number: int) -> None:
        target, start, count = (number if place == asked else 1 for place in range(3))
        with pytest.raises(OverflowError):
            search_of("scalar")(bytes(64), target, start, count, bytearray(1))

    @pytest.mark.parametrize("name", ["warp", "", "hashlib"])
    def test_kernels_there_are_not(self, name: str) -> None:
        assert EXTENSION is not None
        with pytest.raises(ValueError, match="no kernel"):
            EXTENSION.search(name, bytes(64), 0, 0, 1, bytearray(1))


def test_the_known_nonce_is_reached_in_every_lane() -> None:
    """What the known-answer test of a start relies on."""
    assert KNOWN_NONCE - MOST_LANES >= 1 << 40
