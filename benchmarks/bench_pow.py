"""Proof of work: every kernel of this processor, against hashlib and OpenSSL.

All take turns on one processor with nonces that cannot succeed; before, each finds the same known nonce. OpenSSL is
called from a small C file (EVP, and SHA512_Init, Update, Final), which is compiled now and left out where that fails.
Two threads are compared with one in the same run, each on a processor of its own, and the loop over OpenSSL beside
them, for what the machine itself can do.
"""

import ctypes
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha512
from pathlib import Path
from struct import Struct

from common import (
    Figure,
    Must,
    Options,
    in_turns,
    median_ratio,
    one_processor,
    percentile,
    read_options,
    report,
    scratch,
    seconds,
)

from bmgate.native import KNOWN_HASH, KNOWN_NONCE, KNOWN_START, KNOWN_TARGET, Search, choose_backend, load_extension

SLICE_SECONDS = 0.02
THREADS = 2
WARM_UP_SECONDS = 0.3
CHUNK = 4096
ENDLESS = 1 << 62
CLOCK, CLOCK_ROUNDS = "clock, from a chain of additions", 500_000
LIMIT_CYCLES = 244  # of one trial with AVX-512: 3,900 operations for eight at two a cycle
NONCE = Struct(">Q")
INITIAL_HASH = bytes(64)
HERE = Path(__file__).parent
KERNEL_SOURCES = HERE.parent / "bmgate" / "native"
POLL_EVERY = 4096  # trials

USUAL, TIGHTEST = "hashlib, usual loop", "hashlib, tightest loop"
EVP, SHA512 = "OpenSSL EVP", "OpenSSL SHA512_*"
PROMISES = {
    ("avx512x16", SHA512): 4.0,
    ("avx512x16", EVP): 5.0,
    ("avx512x16", TIGHTEST): 13.0,
    ("avx2x4", SHA512): 1.8,
    ("avx2x4", TIGHTEST): 6.0,
    ("scalar", SHA512): 0.8,
}
"""At least so many times as fast, on a processor that has the kernel."""

Loop = Callable[[bytes, int, int, int], int | None]
"""(initial hash, target, start, count): the first nonce with a value up to the target."""


def main() -> None:
    options = read_options(__doc__)
    report(options, f"Proof of work, kernel in use: {choose_backend().name}", measure(options))


def measure(options: Options) -> list[Figure]:
    """One processor first, then two threads."""
    rounds, warm_up = options.pick(61, 21, 1), options.pick(WARM_UP_SECONDS, WARM_UP_SECONDS, 0.0)
    with scratch() as folder:
        library, kernels = compile_peers(folder, options.pick("-O3", "-O3", "-O1")), kernel_loops()
        peers: dict[str, Loop] = {USUAL: usual, TIGHTEST: tightest}
        if library is not None:
            peers |= {EVP: peer_loop(library, "evp_search"), SHA512: peer_loop(library, "sha512_search")}
        contenders, best = peers | kernels, next(iter(kernels), TIGHTEST)
        with one_processor():
            clock = {} if library is None else {CLOCK: partial(library.clock_rate, CLOCK_ROUNDS)}
            rates = in_turns(checked(contenders, warm_up) | clock, rounds)
            figures = [*rate_figures(rates, list(peers), list(kernels)), steadiness(rates[best])]
            if library is not None:
                figures += clock_figures(rates)
                pair = {name: peer_loop(library, f"{name}_search") for name in ("polled", "unpolled")}
                figures.append(polling_figure(in_turns(checked(pair, warm_up), rounds)))
            figures.append(stop_figure(rounds))
        scaled = [best, SHA512] if kernels and SHA512 in peers else [best]
        return figures + [thread_figure(name, contenders[name], rounds, warm_up) for name in scaled]


# -- contenders ------------------------------------------------------------------------------------------------------


def usual(initial_hash: bytes, target: int, start: int, count: int) -> int | None:
    """The loop as most programs write it."""
    for nonce in range(start, start + count):
        digest = sha512(sha512(NONCE.pack(nonce) + initial_hash).digest()).digest()
        (value,) = NONCE.unpack(digest[0:8])
        if value <= target:
            return nonce
    return None


def tightest(initial_hash: bytes, target: int, start: int, count: int) -> int | None:
    """The fastest form of the loop in Python."""
    pack, limit = NONCE.pack, NONCE.pack(target + 1)
    for nonce in range(start, start + count):
        if sha512(sha512(pack(nonce) + initial_hash).digest()).digest() < limit:
            return nonce
    return None


def kernel_loops() -> dict[str, Loop]:
    """Every kernel of this processor, fastest first."""
    extension, _ = load_extension()
    if extension is None:
        return {}

    def loop(search: Search, initial_hash: bytes, target: int, start: int, count: int) -> int | None:
        return search(initial_hash, target, start, count, bytearray(1))[0]

    return {name: partial(loop, partial(extension.search, name)) for name in extension.pow_kernels()}


def compile_peers(folder: Path, level: str) -> ctypes.CDLL | None:
    """pow_peers.c as a library; None, and a word on standard error, where it cannot be compiled."""
    library = folder / "pow_peers.so"
    command = ["gcc", level, "-Wno-psabi", "-shared", "-fPIC", f"-I{KERNEL_SOURCES}", "-o", str(library)]
    try:
        subprocess.run([*command, str(HERE / "pow_peers.c"), "-lcrypto"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        print("OpenSSL is left out: no gcc, or no headers (apt-get install gcc libssl-dev)", file=sys.stderr)
        return None
    peers = ctypes.CDLL(str(library))
    for name in ("evp_search", "sha512_search", "polled_search", "unpolled_search"):
        function = getattr(peers, name)
        function.argtypes = [ctypes.c_char_p, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64]
        function.restype = ctypes.c_uint64
    peers.clock_rate.argtypes, peers.clock_rate.restype = [ctypes.c_uint64], ctypes.c_double
    return peers


def peer_loop(peers: ctypes.CDLL, name: str) -> Loop:
    function = getattr(peers, name)

    def loop(initial_hash: bytes, target: int, start: int, count: int) -> int | None:
        nonce = int(function(initial_hash, target, start, count))
        return nonce if nonce < start + count else None

    return loop


# -- measuring -------------------------------------------------------------------------------------------------------


def checked(loops: dict[str, Loop], warm_up: float) -> dict[str, Callable[[], float]]:
    """What measures each once; first each must find the known nonce, and nothing below it, and be warm."""
    contenders: dict[str, Callable[[], float]] = {}
    for name, loop in loops.items():
        assert loop(KNOWN_HASH, KNOWN_TARGET, KNOWN_START, CHUNK) == KNOWN_NONCE, name
        assert loop(KNOWN_HASH, KNOWN_TARGET - 1, KNOWN_START, KNOWN_NONCE + 1 - KNOWN_START) is None, name
        contenders[name] = partial(rate, loop, slice_of(loop, warm_up))
    return contenders


def rate(loop: Loop, count: int) -> float:
    """Trials per second."""
    return count / seconds(partial(loop, INITIAL_HASH, 0, 0, count))


def slice_of(loop: Loop, warm_up: float) -> int:
    """The number of trials that fills a slice of time, found while warming up for so many seconds."""
    begun, count, elapsed = time.perf_counter(), 0, 0.0
    while count == 0 or elapsed < warm_up:
        loop(INITIAL_HASH, 0, 0, CHUNK)
        count += CHUNK
        elapsed = time.perf_counter() - begun
    return int(count / elapsed * SLICE_SECONDS)


def rate_figures(rates: dict[str, list[float]], peers: list[str], kernels: list[str]) -> list[Figure]:
    """A line for each peer, and one for each kernel and peer."""
    medians = {name: statistics.median(values) / 1e6 for name, values in rates.items()}
    figures = [Figure(name, medians[name], "M/s") for name in peers]
    for name in kernels:
        for peer in peers[1:]:
            limit = PROMISES.get((name, peer))
            must = None if limit is None else Must(limit, ratio=True)
            figures.append(Figure(name, medians[name], "M/s", must, peer, median_ratio(rates[name], rates[peer])))
    return figures


def steadiness(rates: list[float]) -> Figure:
    """Above 1.25 the machine was too busy for these figures."""
    times = [1 / each for each in rates]
    return Figure("95th percentile of the slices to their median", percentile(times, 95) / statistics.median(times), "")


def clock_figures(rates: dict[str, list[float]]) -> list[Figure]:
    """The clock in between, and how much of what it allows AVX-512 reaches."""
    if not all(rates[CLOCK]):
        return []
    figures = [Figure(CLOCK, statistics.median(rates[CLOCK]) / 1e9, "GHz")]
    if "avx512x16" in rates:
        share = median_ratio(rates["avx512x16"], rates[CLOCK]) * LIMIT_CYCLES
        figures.append(Figure("avx512x16, share of the 244-cycle limit", share * 100, "%", Must(78)))
    return figures


def polling_figure(rates: dict[str, list[float]]) -> Figure:
    polled, unpolled = rates["polled"], rates["unpolled"]
    name, median = f"a look at the stop flag every {POLL_EVERY:,} trials", statistics.median(polled) / 1e6
    return Figure(name, median, "M/s", Must(0.99, ratio=True), "never", median_ratio(polled, unpolled))


def stop_figure(rounds: int) -> Figure:
    return Figure(
        "stop flag until stopped",
        statistics.median(stop_latency(choose_backend().search) for _ in range(rounds)) * 1e3,
        "ms",
        Must(2, at_least=False),
    )


def stop_latency(search: Search) -> float:
    """Seconds from setting the flag until the search returned."""
    flag = bytearray(1)
    with ThreadPoolExecutor(1) as thread:
        searching = thread.submit(search, INITIAL_HASH, 0, 0, ENDLESS, flag)
        time.sleep(SLICE_SECONDS)
        begun = time.perf_counter()
        flag[0] = 1
        searching.result()
        return time.perf_counter() - begun


def thread_figure(name: str, loop: Loop, rounds: int, warm_up: float) -> Figure:
    """Two threads to one; only our kernels were promised to scale."""
    processors = iter(sorted(os.sched_getaffinity(0)) * THREADS)
    count = slice_of(loop, warm_up)
    with ThreadPoolExecutor(THREADS, initializer=lambda: os.sched_setaffinity(0, {next(processors)})) as threads:
        work = {str(number): partial(threads_rate, threads, loop, count, number) for number in (1, THREADS)}
        scaled = in_turns(work, rounds)
    one, two = scaled["1"], scaled[str(THREADS)]
    must = None if name == SHA512 else Must(1.8, ratio=True)
    ratio = median_ratio(two, one)
    return Figure(f"{name}, two threads", statistics.median(two) / 1e6, "M/s", must, "one thread", ratio)


def threads_rate(threads: ThreadPoolExecutor, loop: Loop, count: int, number: int) -> float:
    """Trials per second of `number` threads together, each with `count` of them."""
    work = partial(loop, INITIAL_HASH, 0, 0)
    return number * count / seconds(lambda: list(threads.map(work, [count] * number)))


if __name__ == "__main__":
    main()
