"""Trial decryption of a msg with many keys: at least 35 times as fast as coincurve for 1,000 keys, 42 times for 16,000.

A set of keys opens msgs of 1 kB, from the call in Python to the plaintext, with each kernel of this processor and both
kinds of look-ups. In turns with it, on the same processor, runs what one would write without it: coincurve's
multiplication, SHA-512 and HMAC, key by key; and the same with libsecp256k1's ECDH in constant time, as gateways
without the extension do it. Every set finds the one key that was planted, or there is no figure.
"""

import hmac
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha512
from itertools import islice

from coincurve import PublicKey
from common import Figure, Must, Options, in_turns, median_ratio, megabytes, one_processor, read_options, report

from bmgate.bm.crypto import Ciphertext, encrypt, read_ciphertext
from bmgate.bm.keys import KEY_SIZE, public_point
from bmgate.bm.trial import FEWEST, ONE_BY_ONE, KeySet, Lookups
from bmgate.errors import ShuttingDown

SLICE_SECONDS = 0.01
SHORTEST = 1e-6  # seconds: clocks are coarse
SMALL, LARGE = 800, 250_000  # octets of plaintext: objects of 1 kB and the largest
THREADS = 2
HASHED = 2_000_000  # octets
LOOP_KEYS = 200  # tried by the loops in one slice
LOOP, ECDH = "coincurve loop", "libsecp256k1 ECDH, constant time"
MEBIBYTE = 1 << 20
MILLION = 1_000_000
PORTION = 500  # as many as receiving adds at a time
SHORT = {Lookups.CONSTANT_TIME: "ct", Lookups.FAST: "fast"}
PROMISES = {
    ("ifma", Lookups.CONSTANT_TIME, 1_000): 35,
    ("ifma", Lookups.CONSTANT_TIME, 16_000): 42,
    ("ifma", Lookups.FAST, 1_000): 40,
    ("ifma", Lookups.FAST, 16_000): 60,
    ("avx2", Lookups.FAST, 16_000): 15,
    ("portable", Lookups.FAST, 1_000): 5,
}

Clock = Callable[[], float]
"""Seconds since some moment."""
Timed = Callable[[], float]
"""Runs once and returns seconds per key."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kernel, and how it reads its tables."""

    kernel: str
    lookups: Lookups

    def __str__(self) -> str:
        return f"{self.kernel}/{SHORT[self.lookups]}"


@dataclass(frozen=True, slots=True)
class Rounds:
    """How often everything is measured, after so many seconds for nothing."""

    rounds: int
    warm_up: float

    def fewer(self) -> "Rounds":
        return Rounds(max(1, self.rounds // 3), self.warm_up)


def main() -> None:
    options = read_options(__doc__)
    kinds = [Kind(kernel, lookups) for kernel in kernels() for lookups in Lookups]
    kinds = kinds or [Kind(ONE_BY_ONE, Lookups.CONSTANT_TIME)]
    names = ", ".join(kernels()) or "none, every key is tried by itself"
    report(options, f"Trial decryption of msgs of 1 kB, kernels: {names}", measure(options, kinds))


def kernels() -> tuple[str, ...]:
    """Those of this processor, fastest first; none where the extension was not built."""
    try:
        from bmgate.native._native import trial_kernels
    except ImportError:
        return ()
    return trial_kernels()


def measure(options: Options, kinds: Sequence[Kind]) -> list[Figure]:
    """Sizes one after the other; what is compared takes turns."""
    sizes = options.pick((16, 128, 1_000, 16_000, 131_072), (16, 128, 1_000, 16_000), (16, 40))
    run, size = options.pick(Rounds(21, 0.3), Rounds(7, 0.1), Rounds(1, 0)), options.pick(16_000, 16_000, 40)
    very_many = many(kinds[0], options.pick(MILLION, 50_000, 40), run.fewer())  # before others leave memory behind
    with one_processor():
        figures = few_keys(run)
        for each in sizes:
            figures += compare(kinds, each, run if each <= size else run.fewer())
        figures += [large_msgs(kind, size, run) for kind in kinds[:2]]
    for kind in kinds[:2]:
        figures += two_threads(kind, size, run)
    return [*figures, *very_many]


# -- keys and msgs ---------------------------------------------------------------------------------------------------


def some_keys(count: int) -> list[bytes]:
    """Random ones; that a draw is no scalar happens to nobody."""
    return [os.urandom(KEY_SIZE) for _ in range(count)]


def msg_to(key: bytes, size: int = SMALL) -> Ciphertext:
    """What a peer sends: a sender of version 4 in stream 1, and whatever follows."""
    return read_ciphertext(encrypt(b"\x04\x01" + os.urandom(size - 2), public_point(key), os.urandom))


@contextmanager
def holding(kind: Kind, keys: Sequence[bytes], threads: int = 1) -> Iterator[KeySet[int]]:
    """A set that finds the first, the middle and the last of `keys` when a msg is for it, and no other."""
    with closing(KeySet[int](kind.kernel, kind.lookups, threads)) as held:
        held.add_all((key, owner) for owner, key in enumerate(keys))
        for planted in (0, len(keys) // 2, len(keys) - 1):
            found = [owner for owner, _ in held.open(msg_to(keys[planted]))]
            assert found == [planted], f"{kind} with {len(keys)} keys: {found} instead of {planted}"
        yield held


# -- contenders ------------------------------------------------------------------------------------------------------


def loop(keys: Sequence[bytes], ciphertext: Ciphertext) -> None:
    """Key by key through coincurve, in time that depends on the key."""
    point = PublicKey(b"\x04" + ciphertext.point)
    for key in keys:
        secret = sha512(point.multiply(key).format(compressed=False)[1:33]).digest()
        tag = hmac.digest(secret[32:], ciphertext.authenticated, "sha256")
        assert not hmac.compare_digest(tag, ciphertext.mac)


def ecdh(keys: Sequence[bytes], ciphertext: Ciphertext) -> None:
    """Key by key, as `KeySet` does it without a kernel."""
    assert not any(ciphertext.decrypt_each(keys))


def timed(work: Callable[[], object], keys: int, warm_up: float, clock: Clock = time.thread_time) -> Timed:
    """`work`, often enough to fill a slice of time; `warm_up` in seconds.

    By default in processor time of this thread: what one thread does alone costs the same when others take turns.
    """
    begun, count = clock(), 0
    while (elapsed := clock() - begun) < warm_up or not count:
        work()
        count += 1
    repeats = max(1, round(SLICE_SECONDS * count / max(elapsed, SHORTEST)))

    def run() -> float:
        begun = clock()
        for _ in range(repeats):
            work()
        return (clock() - begun) / (repeats * keys)

    return run


def loops(warm_up: float) -> dict[str, Timed]:
    keys, ciphertext = some_keys(LOOP_KEYS), msg_to(some_keys(1)[0])
    works = {LOOP: partial(loop, keys, ciphertext), ECDH: partial(ecdh, keys, ciphertext)}
    return {name: timed(work, LOOP_KEYS, warm_up) for name, work in works.items()}


# -- figures ---------------------------------------------------------------------------------------------------------


def compare(kinds: Sequence[Kind], size: int, run: Rounds) -> list[Figure]:
    """All kinds at one number of keys, and the loops."""
    keys, stranger = some_keys(size), msg_to(some_keys(1)[0])
    with ExitStack() as running:
        contenders = loops(run.warm_up)
        for kind in kinds:
            held = running.enter_context(holding(kind, keys))
            contenders[str(kind)] = timed(partial(held.open, stranger), size, run.warm_up)
        found = in_turns(contenders, run.rounds)
    figures = [
        Figure(
            f"{kind}, {size:,} keys",
            statistics.median(found[str(kind)]) * 1e6,
            "us/key",
            promised(kind, size),
            LOOP,
            median_ratio(found[LOOP], found[str(kind)]),
        )
        for kind in kinds
    ]
    return figures + [
        Figure(f"{name}, beside {size:,} keys", statistics.median(found[name]) * 1e6, "us/key") for name in (LOOP, ECDH)
    ]


def promised(kind: Kind, size: int) -> Must | None:
    least = PROMISES.get((kind.kernel, kind.lookups, size))
    return None if least is None else Must(least, ratio=True)


def few_keys(run: Rounds) -> list[Figure]:
    """Sets so small that no kernel is asked: nothing is lost there either."""
    figures = []
    for size in (1, FEWEST - 1):
        keys, stranger = some_keys(size), msg_to(some_keys(1)[0])
        kind = Kind((*kernels(), ONE_BY_ONE)[0], Lookups.CONSTANT_TIME)
        with holding(kind, keys) as held:
            plain = timed(partial(ecdh, keys, stranger), size, run.warm_up)
            found = in_turns({"set": timed(partial(held.open, stranger), size, run.warm_up), ECDH: plain}, run.rounds)
        value, ratio = statistics.median(found["set"]) * 1e6, median_ratio(found["set"], found[ECDH])
        figures.append(
            Figure(
                f"one by one, {size} keys: time", value, "us/key", Must(1.05, at_least=False, ratio=True), ECDH, ratio
            )
        )
    return figures


def large_msgs(kind: Kind, size: int, run: Rounds) -> Figure:
    """The filter looks at three blocks, however many there are."""
    strange, keys = some_keys(1)[0], some_keys(size)
    with holding(kind, keys) as held:
        contenders = {
            name: timed(partial(held.open, msg_to(strange, octets)), size, run.warm_up)
            for name, octets in (("large", LARGE), ("small", SMALL))
        }
        found = in_turns(contenders, run.rounds)
    value, ratio = statistics.median(found["large"]) * 1e6, median_ratio(found["large"], found["small"])
    must = Must(1.1, at_least=False, ratio=True)
    return Figure(f"{kind}, {size:,} keys, a msg of 250 kB: time", value, "us/key", must, "1 kB", ratio)


def two_threads(kind: Kind, size: int, run: Rounds) -> list[Figure]:
    """On any processor; beside them what hashlib gains by a second thread, which is what this machine has to give."""
    keys, stranger, text = some_keys(size), msg_to(some_keys(1)[0]), bytes(HASHED)
    with (
        holding(kind, keys) as one,
        holding(kind, keys, threads=THREADS) as two,
        ThreadPoolExecutor(THREADS) as threads,
    ):
        works: dict[str, Callable[[], object]] = {
            "one": partial(one.open, stranger),
            "two": partial(two.open, stranger),
            "one hash": lambda: [sha512(text) for _ in range(THREADS)],
            "two hashes": lambda: list(threads.map(sha512, [text] * THREADS)),
        }
        contenders = {name: timed(work, size, run.warm_up, time.perf_counter) for name, work in works.items()}
        found = in_turns(contenders, run.rounds)
        spent = in_turns(
            {name: timed(works[name], size, run.warm_up, time.process_time) for name in ("one", "two")}, run.rounds
        )
    name, machine = f"{kind}, {size:,} keys, two threads", median_ratio(found["one hash"], found["two hashes"])
    value, gain = statistics.median(found["two"]) * 1e6, median_ratio(found["one"], found["two"])
    both, cost = statistics.median(spent["two"]) * 1e6, median_ratio(spent["two"], spent["one"])
    return [
        Figure(name, value, "us/key", Must(1.85, ratio=True), "one thread", gain),
        Figure(f"{name}, processor time of both", both, "us/key", None, "one thread", cost),
        Figure(f"beside {kind}: what a second thread gives hashlib", machine, "x"),
    ]


def many(kind: Kind, size: int, run: Rounds) -> list[Figure]:
    """Memory and time of a very large set."""
    before = megabytes(os.getpid(), "VmRSS")
    with one_processor(), closing(KeySet[int](kind.kernel, kind.lookups, 1)) as held:
        owners = iter(range(size))
        begun = time.perf_counter()
        while owned := list(islice(owners, PORTION)):
            held.add_all((os.urandom(KEY_SIZE), owner) for owner in owned)
        adding = time.perf_counter() - begun
        used = (megabytes(os.getpid(), "VmRSS") - before) * 1e6
        key = some_keys(1)[0]
        held.add(key, size)
        assert [owner for owner, _ in held.open(msg_to(key))] == [size]
        opened = timed(partial(held.open, msg_to(some_keys(1)[0])), 1, run.warm_up)
        opening = statistics.median(opened() for _ in range(run.rounds))
        stopping = stop_latency(held, opening)
    second, memory, stop = (Must(limit, at_least=False) if size >= MILLION else None for limit in (1, 512, 5))
    return [
        Figure(f"{kind}, one msg against {size:,} keys, processor time", opening, "s", second),
        Figure(f"memory of {size:,} keys", used / MEBIBYTE, "MiB", memory),
        Figure("memory of a key, all told", used / size, "B"),
        Figure("adding a key", adding / size * 1e6, "us"),
        Figure("closing the set until its search ended", stopping * 1e3, "ms", stop),
    ]


def stop_latency(held: KeySet[int], opening: float) -> float:
    """Seconds, when a search that takes `opening` seconds is in the middle; wiping the keys comes afterwards."""
    ended: list[float] = []

    def search() -> None:
        with suppress(ShuttingDown):
            held.open(msg_to(some_keys(1)[0]))
        ended.append(time.perf_counter())

    with ThreadPoolExecutor(1) as thread:
        searching = thread.submit(search)
        time.sleep(opening / 2)
        begun = time.perf_counter()
        held.close()
        searching.result()
    return max(0.0, ended[0] - begun)


if __name__ == "__main__":
    main()
