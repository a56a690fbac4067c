"""Proof of work: the kernel this build uses, against the tightest loop that Python's hashlib allows.

Both try nonces that cannot succeed, in turns, on one processor; first both find the same known nonce. Two threads are
compared with one in the same run, each on a processor of its own.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from hashlib import sha512
from struct import Struct

from common import Figure, Must, Options, in_turns, median_ratio, read_options, report, seconds

from bmgate.native import KNOWN_HASH, KNOWN_NONCE, KNOWN_START, KNOWN_TARGET, Backend, choose_backend

SLICE_SECONDS = 0.03
THREADS = 2
WARM_UP_SECONDS = 0.3
CHUNK = 4096
ENDLESS = 1 << 62
NONCE = Struct(">Q")
INITIAL_HASH = bytes(64)
Search = Callable[[int], None]
"""Tries so many nonces that cannot succeed."""

HASHLIB = "hashlib, tightest loop"


def main() -> None:
    options = read_options(__doc__)
    report(options, f"Proof of work, kernel: {choose_backend().name}", measure(options))


def measure(options: Options) -> list[Figure]:
    """One processor first, then two threads."""
    backend, rounds = choose_backend(), options.pick(61, 21, 1)
    assert backend.search(KNOWN_HASH, KNOWN_TARGET, KNOWN_START, CHUNK, bytearray(1))[0] == KNOWN_NONCE
    assert tightest(KNOWN_HASH, KNOWN_TARGET + 1, KNOWN_START, CHUNK) == KNOWN_NONCE
    kernel: Search = partial(search_in_vain, backend)
    with one_processor():
        count, loop_count = slice_of(kernel), slice_of(loop_in_vain)
        contenders = {"kernel": partial(rate, kernel, count), "loop": partial(rate, loop_in_vain, loop_count)}
        rates = in_turns(contenders, rounds)
        stops = [stop_latency(backend) for _ in range(rounds)]
    processors = iter(sorted(os.sched_getaffinity(0)) * THREADS)
    with ThreadPoolExecutor(THREADS, initializer=lambda: os.sched_setaffinity(0, {next(processors)})) as threads:
        threaded = {number: partial(threads_rate, threads, kernel, count, number) for number in (1, THREADS)}
        scaled = in_turns({str(number): work for number, work in threaded.items()}, rounds)
    single, double = scaled["1"], scaled["2"]
    return [
        Figure(
            f"{backend.name}, one thread",
            statistics.median(rates["kernel"]) / 1e6,
            "M/s",
            compared_to=HASHLIB,
            ratio=median_ratio(rates["kernel"], rates["loop"]),
        ),
        Figure(HASHLIB, statistics.median(rates["loop"]) / 1e6, "M/s"),
        Figure(
            "two threads",
            statistics.median(double) / 1e6,
            "M/s",
            Must(1.8, ratio=True),
            "one thread",
            median_ratio(double, single),
        ),
        Figure("stop flag until stopped", statistics.median(stops) * 1e3, "ms", Must(5, at_least=False)),
    ]


def tightest(initial_hash: bytes, target: int, start: int, count: int) -> int | None:
    """The fastest form of the loop in Python: the first nonce whose trial value is below `target`."""
    pack, limit = NONCE.pack, NONCE.pack(target)
    for nonce in range(start, start + count):
        if sha512(sha512(pack(nonce) + initial_hash).digest()).digest() < limit:
            return nonce
    return None


def loop_in_vain(count: int) -> None:
    tightest(INITIAL_HASH, 0, 0, count)


def search_in_vain(backend: Backend, count: int) -> None:
    backend.search(INITIAL_HASH, 0, 0, count, bytearray(1))


def slice_of(search: Search) -> int:
    """The number of trials that fills a slice of time, found while warming up."""
    begun, count = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - begun) < WARM_UP_SECONDS:
        search(CHUNK)
        count += CHUNK
    return int(count / elapsed * SLICE_SECONDS)


def rate(search: Search, count: int) -> float:
    """Trials per second."""
    return count / seconds(partial(search, count))


def threads_rate(threads: ThreadPoolExecutor, search: Search, count: int, number: int) -> float:
    """Trials per second of `number` threads together, each with `count` of them."""
    return number * count / seconds(lambda: list(threads.map(search, [count] * number)))


def stop_latency(backend: Backend) -> float:
    """Seconds from setting the flag until the search returned."""
    flag = bytearray(1)
    with ThreadPoolExecutor(1) as thread:
        searching = thread.submit(backend.search, INITIAL_HASH, 0, 0, ENDLESS, flag)
        time.sleep(SLICE_SECONDS)
        begun = time.perf_counter()
        flag[0] = 1
        searching.result()
        return time.perf_counter() - begun


@contextmanager
def one_processor() -> Iterator[None]:
    """Keep this process on one processor."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


if __name__ == "__main__":
    main()
