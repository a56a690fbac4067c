"""Native kernels and what stands in for them where they were not built.

`choose_backend` is asked once, by who starts the work: importing this module does nothing. All backends agree on the
nonce they find: the first one from `start` on whose trial value is at most the target.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha512
from struct import Struct

Buffer = bytearray | memoryview
Search = Callable[[bytes, int, int, int, Buffer], tuple[int | None, int]]

POLL_EVERY = 1024  # trials of the hashlib loop between two looks at the stop flag: about a millisecond
NONCE_END = 1 << 64
NONCE = Struct(">Q")

# A known answer: the first hit from KNOWN_START on, and the value that makes it one.
KNOWN_HASH = bytes(range(64))
KNOWN_START, KNOWN_NONCE, KNOWN_TARGET = (1 << 40) + 7, (1 << 40) + 24, 43893454906644085


@dataclass(frozen=True, slots=True)
class Backend:
    """One way to search for a nonce; `lacking` says why no faster one was taken, "" when this is the fastest."""

    name: str
    search: Search
    needs_processes: bool  # the search keeps the GIL
    build: str = ""  # digest of the C sources it was compiled from
    lacking: str = ""


def choose_backend(forced: str | None = None) -> Backend:
    """The fastest backend that passes its known-answer test; `forced` (else BMGATE_BACKEND) names a lower one."""
    wanted = os.environ.get("BMGATE_BACKEND", "") if forced is None else forced
    if wanted not in ("", "scalar", "hashlib"):
        return _hashlib_backend(f"unknown backend {wanted!r} asked for, there are scalar and hashlib")
    if wanted == "hashlib":
        return _hashlib_backend("hashlib was asked for")
    try:
        import bmgate.native._native as native
    except ModuleNotFoundError:
        return _hashlib_backend("the native extension was not built")
    except ImportError as error:
        return _hashlib_backend(f"the native extension cannot be loaded: {error}")
    if not passes_known_answer(native.search):
        return _hashlib_backend("the native extension failed its known-answer test")
    return Backend("scalar", native.search, needs_processes=False, build=native.BUILD)


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
    """Whether `search` finds the known nonce, and finds nothing where nothing is."""
    count = KNOWN_NONCE - KNOWN_START + 10
    found = search(KNOWN_HASH, KNOWN_TARGET, KNOWN_START, count, bytearray(1))
    missed = search(KNOWN_HASH, KNOWN_TARGET - 1, KNOWN_START, KNOWN_NONCE - KNOWN_START + 1, bytearray(1))
    return found == (KNOWN_NONCE, KNOWN_NONCE + 1) and missed == (None, KNOWN_NONCE + 1)


def _hashlib_backend(lacking: str) -> Backend:
    return Backend("hashlib", hashlib_search, needs_processes=True, lacking=lacking)
