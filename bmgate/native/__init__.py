"""Native kernels and what stands in for them where they were not built.

`choose_backend` is asked once, by who starts the work: importing this module does nothing. A backend has a kernel for
proof of work and one for trial decryption, each the fastest that this processor runs and that gives a known answer.
All kernels agree: on the nonce they find, the first one from `start` on whose trial value is at most the target, and on
the keys that open a msg.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from hashlib import sha512
from struct import Struct
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from bmgate.native._native import KeySet

Buffer = bytearray | memoryview
Search = Callable[[bytes, int, int, int, Buffer], tuple[int | None, int]]

POLL_EVERY = 1024  # trials of the hashlib loop between two looks at the stop flag: about a millisecond
NONCE_END = 1 << 64
NONCE = Struct(">Q")

# A known answer: the first hit from KNOWN_START on, and the value that makes it one.
KNOWN_HASH = bytes(range(64))
KNOWN_START, KNOWN_NONCE, KNOWN_TARGET = (1 << 40) + 7, (1 << 40) + 24, 43893454906644085

# And one for trial decryption: SHA-512 of all X of KNOWN_KEYS private keys times the generator of secp256k1.
KNOWN_KEYS = 20
KNOWN_POINT = bytes.fromhex(
    "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
)
KNOWN_SHARED = bytes.fromhex("62233e81a4c85ac04eb147601c9cd1d4")
KNOWN_WIDTHS = ((7, True), (8, False))  # digits of so many bits, looked up in constant time or not


class Work(StrEnum):
    """What a kernel does."""

    POW = "pow"
    TRIAL = "trial"


@dataclass(frozen=True, slots=True)
class Kernel:
    """One of the ways to do a work. `level` is what BMGATE_BACKEND calls it, `needs` what the processor must have."""

    work: Work
    name: str
    level: str
    needs: str


LEVELS = ("avx512", "avx2", "neon2", "scalar", "hashlib")
_AVX2 = "AVX2, BMI1, BMI2 and FMA"
KERNELS = (
    Kernel(Work.POW, "avx512x16", "avx512", "AVX-512 F, DQ, BW and VL"),
    Kernel(Work.POW, "avx2x4", "avx2", _AVX2),
    Kernel(Work.POW, "neon2", "neon2", "an ARM64 processor"),
    Kernel(Work.POW, "scalar", "scalar", "a compiled extension"),
    Kernel(Work.TRIAL, "ifma", "avx512", "AVX-512 F, DQ, BW, VL, IFMA and VBMI2"),
    Kernel(Work.TRIAL, "avx2", "avx2", _AVX2),
    Kernel(Work.TRIAL, "portable", "scalar", "a 64-bit processor"),
)
"""Of each work the fastest first; after them come hashlib and coincurve, which need nothing."""
WITHOUT_KERNEL = {Work.POW: "hashlib", Work.TRIAL: "coincurve"}


class Extension(Protocol):
    """The compiled module, as far as a choice needs it."""

    BUILD: str

    @property
    def KeySet(self) -> "type[KeySet]": ...  # noqa: N802 - a class
    def pow_kernels(self) -> tuple[str, ...]: ...
    def trial_kernels(self) -> tuple[str, ...]: ...
    def aes(self, trial_kernel: str, /) -> str: ...
    def search(
        self, kernel: str, initial_hash: bytes, target: int, start: int, count: int, stop: Buffer, /
    ) -> tuple[int | None, int]: ...


@dataclass(frozen=True, slots=True)
class Backend:
    """The kernels in use; `lacking` says why no faster ones were taken, "" when these are what the processor yields."""

    name: str  # of the kernel for proof of work
    search: Search
    needs_processes: bool  # the search keeps the GIL
    trial: str = WITHOUT_KERNEL[Work.TRIAL]
    aes: str = "none"  # the instructions that sort out wrong keys
    build: str = ""  # digest of the C sources it was compiled from
    lacking: str = ""

    def report(self, constant_time: bool = True) -> str:
        """One line for logs and people; `constant_time` is how tables are looked up."""
        lookups = "" if self.trial == WITHOUT_KERNEL[Work.TRIAL] else "/ct" if constant_time else "/fast"
        return f"pow={self.name} trial={self.trial}{lookups} aes={self.aes} build={self.build or 'none'}"


class Obstacle(StrEnum):
    """What keeps a kernel from being used."""

    ABSENT = "absent"  # the processor lacks something, or the extension was not built
    CAPPED = "capped"  # somebody asked for a lower level
    WRONG = "wrong"  # it fails its known-answer test


@dataclass(frozen=True, slots=True)
class Assessment:
    """Whether a kernel can be used: `why_not` says what is in its way in words, "" when nothing is."""

    kernel: Kernel
    obstacle: Obstacle | None
    why_not: str


def choose_backend(forced: str | None = None) -> Backend:
    """The fastest kernels that pass their known-answer tests; `forced` (else BMGATE_BACKEND) caps them."""
    extension, fault = load_extension()
    return backend_of(extension, fault, wanted_level(forced))


def wanted_level(forced: str | None = None) -> str:
    """`forced`, else BMGATE_BACKEND; "" for no cap."""
    return os.environ.get("BMGATE_BACKEND", "") if forced is None else forced


def load_extension() -> tuple[Extension | None, str]:
    """The compiled module, or None and why there is none."""
    try:
        import bmgate.native._native as native
    except ModuleNotFoundError:
        return None, "the native extension was not built"
    except ImportError as error:
        return None, f"the native extension cannot be loaded: {error}"
    return native, ""


def backend_of(extension: Extension | None, fault: str, wanted: str) -> Backend:
    """The choice among what `extension` has, or, where that is None, why there is no choice."""
    if wanted not in ("", *LEVELS):
        return _hashlib_backend(f"unknown backend {wanted!r} asked for, there are {', '.join(LEVELS)}")
    if wanted == "hashlib":
        return _hashlib_backend("hashlib was asked for")
    if extension is None:
        return _hashlib_backend(fault)
    search, search_faults = _first_usable(Work.POW, extension, wanted)
    trial, trial_faults = _first_usable(Work.TRIAL, extension, wanted)
    lacking = "; ".join(dict.fromkeys(search_faults + trial_faults))
    trial_name = trial.name if trial else WITHOUT_KERNEL[Work.TRIAL]
    aes = extension.aes(trial.name) if trial else "none"
    if search is None:
        return Backend("hashlib", hashlib_search, True, trial_name, aes, extension.BUILD, lacking)
    bound = partial(extension.search, search.name)
    return Backend(search.name, bound, False, trial_name, aes, extension.BUILD, lacking)


def assess_kernels(extension: Extension | None, fault: str, wanted: str, work: Work) -> list[Assessment]:
    """Each kernel for `work`, fastest first; known answers are asked of all that could be used."""
    return [_assess(kernel, extension, fault, wanted) for kernel in KERNELS if kernel.work == work]


def hashlib_search(initial_hash: bytes, target: int, start: int, count: int, stop: Buffer) -> tuple[int | None, int]:
    """Try up to `count` nonces from `start` on: (nonce, next untried one), the nonce None if there was no hit.

    `initial_hash` is SHA-512 of the object without its nonce. `stop` is one byte that another thread may set to
    end the search early. Nonces end at 2^64.
    """
    pack = NONCE.pack
    limit = NONCE.pack(target)
    end = min(start + count, NONCE_END)
    while start < end and not stop[0]:
        for nonce in range(start, min(start + POLL_EVERY, end)):
            if sha512(sha512(pack(nonce) + initial_hash).digest()).digest()[:8] <= limit:
                return nonce, nonce + 1
        start = min(start + POLL_EVERY, end)
    return None, start


def passes_known_answer(search: Search) -> bool:
    """Whether `search` finds the known nonce from wherever it starts, and finds nothing where nothing is."""
    after = KNOWN_NONCE + 1
    return all(
        search(KNOWN_HASH, KNOWN_TARGET, start, after + 9 - start, bytearray(1)) == (KNOWN_NONCE, after)
        and search(KNOWN_HASH, KNOWN_TARGET - 1, start, after - start, bytearray(1)) == (None, after)
        for start in range(KNOWN_START, after)
    )


def passes_known_trial(key_set: "type[KeySet]", kernel: str) -> bool:
    """Whether a key set of this kernel multiplies the known point right, both ways to look tables up."""
    private_keys = b"".join(sha512(b"bmgate key %d" % number).digest()[:32] for number in range(KNOWN_KEYS))
    for width, constant_time in KNOWN_WIDTHS:
        keys = key_set(kernel, width, constant_time)
        keys.add(private_keys)
        if sha512(keys.shared_x(keys.table(KNOWN_POINT))).digest()[: len(KNOWN_SHARED)] != KNOWN_SHARED:
            return False
    return True


def _hashlib_backend(lacking: str) -> Backend:
    return Backend("hashlib", hashlib_search, needs_processes=True, lacking=lacking)


def _first_usable(work: Work, extension: Extension, wanted: str) -> tuple[Kernel | None, list[str]]:
    """The fastest kernel with nothing in its way, and what somebody should know about the faster ones."""
    faults: list[str] = []
    for kernel in KERNELS:
        if kernel.work != work:
            continue
        assessment = _assess(kernel, extension, "", wanted)
        if assessment.obstacle is None:
            return kernel, faults
        if assessment.obstacle != Obstacle.ABSENT or kernel.level == wanted:
            faults.append(assessment.why_not)
    return None, faults


def _assess(kernel: Kernel, extension: Extension | None, fault: str, wanted: str) -> Assessment:
    if extension is None:
        return Assessment(kernel, Obstacle.ABSENT, fault)
    present = extension.pow_kernels() if kernel.work == Work.POW else extension.trial_kernels()
    if kernel.name not in present:
        return Assessment(kernel, Obstacle.ABSENT, f"{kernel.name} needs {kernel.needs}")
    if not _gives_known_answer(kernel, extension):
        return Assessment(kernel, Obstacle.WRONG, f"{kernel.name} failed its known-answer test")
    if wanted and LEVELS.index(kernel.level) < (LEVELS.index(wanted) if wanted in LEVELS else len(LEVELS)):
        return Assessment(kernel, Obstacle.CAPPED, f"{wanted} was asked for")
    return Assessment(kernel, None, "")


def _gives_known_answer(kernel: Kernel, extension: Extension) -> bool:
    if kernel.work == Work.POW:
        return passes_known_answer(partial(extension.search, kernel.name))
    return passes_known_trial(extension.KeySet, kernel.name)
