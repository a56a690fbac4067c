"""`bmgate bench`: how fast this machine does what takes longest."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING

import click

from bmgate.cli.options import json_option

if TYPE_CHECKING:
    from bmgate.native import Assessment, Extension, Kernel, Search

MEASURE_SECONDS = 0.2
KEYS, KEY_WIDTH = 1024, 7
PORTION = 4096  # trials of one call
UNITS = {"pow": "trials/s", "trial": "keys/s"}


@dataclass(frozen=True, slots=True)
class Row:
    """One way to do a work; `per_second` is None where it cannot be used here."""

    work: str
    kernel: str
    state: str
    per_second: int | None
    why_not: str


@click.group()
def bench() -> None:
    """Measure what takes longest on this machine."""


@bench.command()
@json_option
def backends(as_json: bool) -> None:
    """Show which kernels are in use and why no better ones, and measure each for a moment.

    pow is proof of work, in trials a second; trial is trial decryption, in keys a second tried on one message, 1,024 at
    once. Both on one core. BMGATE_BACKEND=avx512, avx2, neon2, scalar or hashlib forbids what is faster than that.
    """
    from bmgate.cli.output import print_json, print_table
    from bmgate.native import choose_backend

    backend, rows = choose_backend(), list(_rows())
    if as_json:
        print_json({"report": backend.report(), "lacking": backend.lacking, "kernels": [asdict(row) for row in rows]})
        return
    click.echo(backend.report())
    if backend.lacking:
        click.echo(f"Slower than it could be: {backend.lacking}")
    click.echo()
    print_table(
        ("WORK", "KERNEL", "STATE", "SPEED", "WHY NOT"),
        ((row.work, row.kernel, row.state, _speed(row), row.why_not) for row in rows),
    )


def _speed(row: Row) -> str:
    return "" if row.per_second is None else f"{row.per_second:,} {UNITS[row.work]}"


def _rows() -> Iterator[Row]:
    """Each work's kernels, fastest first, and what does without."""
    from bmgate.native import WITHOUT_KERNEL, Work, assess_kernels, choose_backend, load_extension, wanted_level

    backend, (extension, fault) = choose_backend(), load_extension()
    for work, used in ((Work.POW, backend.name), (Work.TRIAL, backend.trial)):
        for assessment in assess_kernels(extension, fault, wanted_level(), work):
            yield _row(assessment, used, extension)
        plain, loop = WITHOUT_KERNEL[work], _hashlib_loop if work == Work.POW else _coincurve_loop
        yield Row(work, plain, "in use" if plain == used else "available", _per_second(loop()), "")


def _row(assessment: "Assessment", used: str, extension: "Extension | None") -> Row:
    from bmgate.native import Obstacle

    kernel = assessment.kernel
    if extension is None or assessment.obstacle in (Obstacle.ABSENT, Obstacle.WRONG):
        return Row(kernel.work, kernel.name, "unusable", None, assessment.why_not)
    state = "in use" if kernel.name == used else "available"
    return Row(kernel.work, kernel.name, state, _per_second(_kernel_loop(kernel, extension)), assessment.why_not)


def _per_second(work: Callable[[], int]) -> int:
    """What `work` gets done in a second, having been called for `MEASURE_SECONDS`; it returns what one call did."""
    work()
    begun, done = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - begun) < MEASURE_SECONDS:
        done += work()
    return round(done / elapsed)


def _kernel_loop(kernel: "Kernel", extension: "Extension") -> Callable[[], int]:
    from bmgate.native import Work

    if kernel.work == Work.POW:
        return _trials(partial(extension.search, kernel.name))
    return _batch(extension, kernel.name)


def _hashlib_loop() -> Callable[[], int]:
    from bmgate.native import hashlib_search

    return _trials(hashlib_search)


def _trials(search: "Search") -> Callable[[], int]:
    """Trials that cannot succeed."""
    return lambda: search(bytes(64), 0, 0, PORTION, bytearray(1))[1]


def _batch(extension: "Extension", kernel: str) -> Callable[[], int]:
    """One message tried with all keys, in constant time."""
    from bmgate.native import KNOWN_POINT

    keys = extension.KeySet(kernel, KEY_WIDTH, True)
    keys.add(_private_keys(KEYS))
    blocks, stop = os.urandom(64), bytearray(1)

    def attempt() -> int:
        keys.candidates(keys.table(KNOWN_POINT), blocks[:16], blocks[16:32], blocks[32:], 0, 0, KEYS, stop)
        return KEYS

    return attempt


def _coincurve_loop() -> Callable[[], int]:
    """The points alone, one key after the other: nearly all of the time."""
    from coincurve import PrivateKey, PublicKey

    from bmgate.native import KNOWN_POINT

    point, key = PublicKey(b"\4" + KNOWN_POINT).format(), PrivateKey(_private_keys(1))

    def attempt() -> int:
        key.ecdh(point)
        return 1

    return attempt


def _private_keys(count: int) -> bytes:
    """Random ones; that a draw is no scalar, one in 2^128, happens to nobody."""
    return os.urandom(32 * count)
