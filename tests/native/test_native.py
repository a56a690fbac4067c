"""Which kernels are chosen, and why no faster ones."""

import hashlib
import os
import platform
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, cast

import coincurve
import pytest

from bmgate.native import (
    KERNELS,
    KNOWN_HASH,
    KNOWN_NONCE,
    KNOWN_POINT,
    KNOWN_START,
    KNOWN_TARGET,
    LEVELS,
    Buffer,
    Extension,
    Obstacle,
    Work,
    assess_kernels,
    backend_of,
    choose_backend,
    hashlib_search,
    load_extension,
    passes_known_answer,
    passes_known_trial,
)

if TYPE_CHECKING:
    from bmgate.native._native import KeySet

EXTENSION, FAULT = load_extension()
needs_extension = pytest.mark.skipif(EXTENSION is None, reason=f"native extension: {FAULT}")
MOST_LANES = 16


AVX2_FLAGS = {"avx2", "bmi1", "bmi2", "fma"}
AVX512_FLAGS = AVX2_FLAGS | {"avx512f", "avx512dq", "avx512bw", "avx512vl"}
IFMA_FLAGS = AVX512_FLAGS | {"avx512ifma", "avx512_vbmi2"}


def processor_flags() -> set[str]:
    """As Linux has them, which keeps silent about what it did not switch on."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((set(line.partition(":")[2].split()) for line in lines if line.startswith("flags")), set())


def trial_value(nonce: int, initial_hash: bytes) -> int:
    inner = hashlib.sha512(nonce.to_bytes(8, "big") + initial_hash).digest()
    return int.from_bytes(hashlib.sha512(inner).digest()[:8], "big")


class PlainKeySet:
    """What the known-answer test asks of a KeySet, by coincurve; the kernel "wrong" takes the last key twice."""

    def __init__(self, kernel: str, width: int, constant_time: bool) -> None:
        self._kernel, self._keys = kernel, b""

    def add(self, keys: bytes) -> None:
        self._keys += keys

    def table(self, point: bytes) -> bytes:
        return point

    def shared_x(self, table: bytes) -> bytes:
        point = coincurve.PublicKey(b"\4" + table)
        keys = [self._keys[at : at + 32] for at in range(0, len(self._keys), 32)]
        if self._kernel == "wrong":
            keys[0] = keys[-1]
        return b"".join(point.multiply(key).format(compressed=False)[1:33] for key in keys)


class FakeExtension:
    """A compiled module with these kernels; the `broken` ones err."""

    BUILD = "0123456789abcdef"

    def __init__(self, pow_kernels: str, trial_kernels: str, broken: str = "") -> None:
        self._pow, self._trial, self._broken = pow_kernels.split(), trial_kernels.split(), broken.split()

    def KeySet(self, kernel: str, width: int, constant_time: bool) -> PlainKeySet:
        return PlainKeySet("wrong" if kernel in self._broken else kernel, width, constant_time)

    def pow_kernels(self) -> tuple[str, ...]:
        return tuple(self._pow)

    def trial_kernels(self) -> tuple[str, ...]:
        return tuple(self._trial)

    def aes(self, trial_kernel: str) -> str:
        return f"aes-of-{trial_kernel}"

    def search(
        self, kernel: str, initial_hash: bytes, target: int, start: int, count: int, stop: Buffer
    ) -> tuple[int | None, int]:
        nonce, next_untried = hashlib_search(initial_hash, target, start, count, stop)
        return (nonce + 1 if nonce is not None and kernel in self._broken else nonce), next_untried


def chosen(extension: FakeExtension, wanted: str = "") -> tuple[str, str, str]:
    """Kernels for proof of work and for trial decryption, and what is lacking."""
    backend = backend_of(cast(Extension, extension), "", wanted)
    return backend.name, backend.trial, backend.lacking


# -- known answers ---------------------------------------------------------------------------------------------------


def test_the_known_answer_is_one() -> None:
    values = [trial_value(nonce, KNOWN_HASH) for nonce in range(KNOWN_START, KNOWN_NONCE + 1)]
    assert values[-1] == KNOWN_TARGET == min(values)
    assert passes_known_answer(hashlib_search)


def test_the_known_answer_is_asked_of_every_lane() -> None:
    starts = set()

    def watched(initial_hash: bytes, target: int, start: int, count: int, stop: Buffer) -> tuple[int | None, int]:
        starts.add(KNOWN_NONCE - start)
        return hashlib_search(initial_hash, target, start, count, stop)

    assert passes_known_answer(watched)
    assert starts >= set(range(MOST_LANES))


def test_a_search_that_errs_fails_its_known_answer_test() -> None:
    def skips_one(initial_hash: bytes, target: int, start: int, count: int, stop: Buffer) -> tuple[int | None, int]:
        nonce, next_untried = hashlib_search(initial_hash, target, start, count, stop)
        return (None if nonce is None else nonce + 1), next_untried

    def finds_always(initial_hash: bytes, target: int, start: int, count: int, stop: Buffer) -> tuple[int, int]:
        return KNOWN_NONCE, KNOWN_NONCE + 1

    def errs_in_its_last_lane(
        initial_hash: bytes, target: int, start: int, count: int, stop: Buffer
    ) -> tuple[int | None, int]:
        nonce, next_untried = hashlib_search(initial_hash, target, start, count, stop)
        in_last_lane = nonce is not None and (nonce - start) % MOST_LANES == MOST_LANES - 1
        return (None if in_last_lane else nonce), next_untried

    assert not passes_known_answer(skips_one)
    assert not passes_known_answer(finds_always)
    assert not passes_known_answer(errs_in_its_last_lane)


def test_the_known_answer_for_trial_decryption_is_coincurves() -> None:
    assert coincurve.PrivateKey((1).to_bytes(32, "big")).public_key.format(compressed=False)[1:] == KNOWN_POINT
    plain = cast("type[KeySet]", PlainKeySet)
    assert passes_known_trial(plain, "any")
    assert not passes_known_trial(plain, "wrong")


# -- the choice ------------------------------------------------------------------------------------------------------


def test_the_fastest_kernel_is_taken() -> None:
    everything = FakeExtension("avx512x16 avx2x4 scalar", "ifma avx2 portable")
    assert chosen(everything) == ("avx512x16", "ifma", "")
    assert chosen(FakeExtension("avx512x16 avx2x4 scalar", "avx2 portable")) == ("avx512x16", "avx2", "")
    assert chosen(FakeExtension("scalar", "portable")) == ("scalar", "portable", "")
    assert chosen(FakeExtension("neon2 scalar", "portable")) == ("neon2", "portable", "")
    assert chosen(FakeExtension("scalar", "")) == ("scalar", "coincurve", "")


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("avx512", ("avx512x16", "ifma")),
        ("avx2", ("avx2x4", "avx2")),
        ("neon2", ("scalar", "portable")),
        ("scalar", ("scalar", "portable")),
        ("hashlib", ("hashlib", "coincurve")),
    ],
)
def test_a_level_caps_both_kernels(level: str, expected: tuple[str, str]) -> None:
    *names, lacking = chosen(FakeExtension("avx512x16 avx2x4 scalar", "ifma avx2 portable"), level)
    assert tuple(names) == expected
    assert ("asked for" in lacking) is (level != "avx512")


def test_a_level_that_the_processor_has_not_got_is_missed_loudly() -> None:
    name, _, lacking = chosen(FakeExtension("scalar", "portable"), "avx512")
    assert name == "scalar"
    assert "avx512x16 needs AVX-512" in lacking


def test_a_kernel_that_errs_makes_room_for_the_next_one_loudly() -> None:
    kernels = ("avx512x16 avx2x4 scalar", "ifma avx2 portable")
    assert chosen(FakeExtension(*kernels, broken="avx512x16")) == (
        "avx2x4",
        "ifma",
        "avx512x16 failed its known-answer test",
    )
    assert chosen(FakeExtension(*kernels, broken="ifma avx2"))[:2] == ("avx512x16", "portable")
    name, trial, lacking = chosen(FakeExtension(*kernels, broken=" ".join(kernels)))
    assert (name, trial) == ("hashlib", "coincurve")
    assert all(f"{kernel} failed" in lacking for kernel in " ".join(kernels).split())


def test_without_the_extension_hashlib_and_coincurve_do_it() -> None:
    backend = backend_of(None, "it was not built", "")
    assert (backend.name, backend.trial, backend.needs_processes) == ("hashlib", "coincurve", True)
    assert backend.lacking == "it was not built"
    assert backend.report() == "pow=hashlib trial=coincurve aes=none build=none"


def test_the_report_names_what_is_in_use() -> None:
    backend = backend_of(cast(Extension, FakeExtension("avx2x4", "avx2")), "", "")
    assert backend.report() == "pow=avx2x4 trial=avx2/ct aes=aes-of-avx2 build=0123456789abcdef"
    assert "trial=avx2/fast" in backend.report(constant_time=False)


def test_assessments_say_of_each_kernel_what_is_in_its_way() -> None:
    extension = cast(Extension, FakeExtension("avx2x4 scalar", "avx2 portable", broken="avx2x4"))
    stand = {each.kernel.name: each for each in assess_kernels(extension, "", "", Work.POW)}
    assert list(stand) == [kernel.name for kernel in KERNELS if kernel.work == Work.POW]
    assert stand["avx512x16"].why_not.startswith("avx512x16 needs AVX-512")
    assert stand["avx2x4"].why_not == "avx2x4 failed its known-answer test"
    assert stand["scalar"].why_not == ""
    capped = assess_kernels(extension, "", "scalar", Work.TRIAL)
    assert [each.obstacle for each in capped] == [Obstacle.ABSENT, Obstacle.CAPPED, None]
    assert [each.obstacle for each in assess_kernels(extension, "", "warp", Work.TRIAL)][1:] == [Obstacle.CAPPED] * 2
    assert {each.why_not for each in assess_kernels(None, "not built", "", Work.POW)} == {"not built"}


def test_an_unknown_level_says_which_there_are() -> None:
    assert "'warp'" in choose_backend("warp").lacking
    assert all(level in choose_backend("warp").lacking for level in LEVELS)


def test_the_environment_forces_a_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BMGATE_BACKEND", "hashlib")
    assert choose_backend().name == "hashlib"
    assert "asked for" in choose_backend().lacking


# -- the extension itself --------------------------------------------------------------------------------------------


@needs_extension
def test_this_processor_gets_the_kernels_it_must() -> None:
    if platform.machine() not in ("x86_64", "aarch64") or platform.system() != "Linux":
        pytest.skip("what this processor can do is not known here")
    backend, flags = choose_backend(""), processor_flags()
    if platform.machine() == "aarch64":
        expected = ("neon2", "portable")
    elif flags >= IFMA_FLAGS:
        expected = ("avx512x16", "ifma")
    elif flags >= AVX512_FLAGS:
        expected = ("avx512x16", "avx2")
    elif flags >= AVX2_FLAGS:
        expected = ("avx2x4", "avx2")
    else:
        expected = ("scalar", "portable")
    assert (backend.name, backend.trial) == expected
    assert backend.lacking == ""


@needs_extension
def test_the_extension_was_built_from_these_sources() -> None:
    assert EXTENSION is not None
    folder = Path(str(resources.files("bmgate.native")))
    sources = sorted([*folder.glob("*.c"), *folder.glob("*.h")], key=lambda path: path.name)
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    assert digest == EXTENSION.BUILD, "rebuild: BMGATE_BUILD_NATIVE=require pip install --no-build-isolation -e ."


@pytest.mark.skipif(os.environ.get("BMGATE_BUILD_NATIVE") != "require", reason="BMGATE_BUILD_NATIVE is not require")
def test_the_compiled_extension_is_there_where_it_is_required() -> None:
    assert EXTENSION is not None, FAULT
