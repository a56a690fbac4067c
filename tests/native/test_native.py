"""The native kernels against hashlib and against work done by other programs."""

import hashlib
import json
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.native import (
    KNOWN_HASH,
    KNOWN_NONCE,
    KNOWN_START,
    KNOWN_TARGET,
    NONCE_END,
    Buffer,
    Search,
    choose_backend,
    hashlib_search,
    passes_known_answer,
)

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "pow.json").read_text())
EASY = NONCE_END // 300  # a hit about every 300 trials
WHICH = ["scalar", "hashlib"]


def search_of(name: str) -> Search:
    backend = choose_backend(name)
    if backend.name != name:
        pytest.skip(f"backend {name}: {backend.lacking}")
    return backend.search


def trial_value(nonce: int, initial_hash: bytes) -> int:
    inner = hashlib.sha512(nonce.to_bytes(8, "big") + initial_hash).digest()
    return int.from_bytes(hashlib.sha512(inner).digest()[:8], "big")


@pytest.mark.parametrize("name", WHICH)
@pytest.mark.parametrize("vector", VECTORS["valid"], ids=lambda vector: str(vector["name"]))
def test_work_done_by_other_programs_is_found_again(name: str, vector: dict[str, str]) -> None:
    search, nonce = search_of(name), int(vector["nonce"])
    initial_hash, value = bytes.fromhex(vector["initial_hash_hex"]), int(vector["trial_value"])
    assert search(initial_hash, value, max(0, nonce - 50), 60, bytearray(1)) == (nonce, nonce + 1)
    assert search(initial_hash, value - 1, nonce, 1, bytearray(1)) == (None, nonce + 1)


@given(st.binary(min_size=64, max_size=64), st.integers(0, NONCE_END - 1))
def test_native_and_hashlib_find_the_same_first_nonce(initial_hash: bytes, start: int) -> None:
    native = search_of("scalar")
    expected = hashlib_search(initial_hash, EASY, start, 500, bytearray(1))
    assert native(initial_hash, EASY, start, 500, bytearray(1)) == expected


@pytest.mark.parametrize("name", WHICH)
def test_a_hit_has_exactly_the_value_that_hashlib_computes(name: str) -> None:
    search = search_of(name)
    nonce, next_untried = search(bytes(64), EASY, 0, 10_000, bytearray(1))
    assert nonce is not None
    assert next_untried == nonce + 1
    value = trial_value(nonce, bytes(64))
    assert search(bytes(64), value, nonce, 1, bytearray(1)) == (nonce, nonce + 1)
    assert search(bytes(64), value - 1, nonce, 1, bytearray(1)) == (None, nonce + 1)


@pytest.mark.parametrize("name", WHICH)
def test_targets_at_both_ends(name: str) -> None:
    search = search_of(name)
    assert search(bytes(64), NONCE_END - 1, 7, 100, bytearray(1)) == (7, 8)
    assert search(bytes(64), 0, 7, 5_000, bytearray(1)) == (None, 5_007)


@pytest.mark.parametrize("name", WHICH)
def test_nonces_end_at_2_to_the_64(name: str) -> None:
    search = search_of(name)
    assert search(bytes(64), 0, NONCE_END - 3, 100, bytearray(1)) == (None, NONCE_END)
    assert search(bytes(64), NONCE_END - 1, NONCE_END - 1, 100, bytearray(1)) == (NONCE_END - 1, NONCE_END)


@pytest.mark.parametrize("name", WHICH)
def test_nothing_is_tried_when_nothing_is_asked_for(name: str) -> None:
    assert search_of(name)(bytes(64), NONCE_END - 1, 9, 0, bytearray(1)) == (None, 9)


@pytest.mark.parametrize("name", WHICH)
def test_a_set_stop_flag_ends_the_search_before_its_first_trial(name: str) -> None:
    flag = bytearray(b"\1")
    assert search_of(name)(bytes(64), NONCE_END - 1, 9, 1 << 40, flag) == (None, 9)
    flags: Buffer = memoryview(bytearray(b"\0\1"))[1:]
    assert search_of(name)(bytes(64), NONCE_END - 1, 9, 1 << 40, flags) == (None, 9)


@pytest.mark.parametrize(
    "arguments",
    [
        (bytes(63), 0, 0, 1, bytearray(1)),
        (bytes(64), 0, 0, 1, bytearray(2)),
    ],
)
def test_the_extension_refuses_buffers_of_the_wrong_size(arguments: tuple[bytes, int, int, int, bytearray]) -> None:
    with pytest.raises(ValueError, match="64 bytes"):
        search_of("scalar")(*arguments)


@pytest.mark.parametrize("asked", [0, 1, 2])
@pytest.mark.parametrize("number", [-1, NONCE_END])
def test_the_extension_refuses_numbers_beyond_64_bits(asked: int, number: int) -> None:
    target, start, count = (number if place == asked else 1 for place in range(3))
    with pytest.raises(OverflowError):
        search_of("scalar")(bytes(64), target, start, count, bytearray(1))


def test_the_known_answer_is_one() -> None:
    values = [trial_value(nonce, KNOWN_HASH) for nonce in range(KNOWN_START, KNOWN_NONCE + 1)]
    assert values[-1] == KNOWN_TARGET == min(values)
    assert passes_known_answer(hashlib_search)


def test_a_kernel_that_errs_fails_its_known_answer_test() -> None:
    def skips_one(initial_hash: bytes, target: int, start: int, count: int, stop: Buffer) -> tuple[int | None, int]:
        nonce, next_untried = hashlib_search(initial_hash, target, start, count, stop)
        return (None if nonce is None else nonce + 1), next_untried

    def finds_always(initial_hash: bytes, target: int, start: int, count: int, stop: Buffer) -> tuple[int, int]:
        return KNOWN_NONCE, KNOWN_NONCE + 1

    assert not passes_known_answer(skips_one)
    assert not passes_known_answer(finds_always)


def test_a_lower_backend_says_why_it_was_taken() -> None:
    assert "asked for" in choose_backend("hashlib").lacking
    assert "'warp'" in choose_backend("warp").lacking


def test_the_environment_forces_a_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BMGATE_BACKEND", "hashlib")
    assert choose_backend().name == "hashlib"


def test_the_extension_was_built_from_these_sources() -> None:
    backend = choose_backend("scalar")
    if not backend.build:
        pytest.skip(f"native extension: {backend.lacking}")
    folder = Path(str(resources.files("bmgate.native")))
    sources = sorted([*folder.glob("*.c"), *folder.glob("*.h")], key=lambda path: path.name)
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    assert backend.build == digest, "rebuild: BMGATE_BUILD_NATIVE=require pip install --no-build-isolation -e ."
