"""What the benchmarks share: options, figures and how they are printed, rounds, gateways and peers to measure.

A figure is a median of several rounds. Where two things are compared they take turns in one run, in alternating order,
and the ratio is the median of the rounds' ratios: rates differ from minute to minute, ratios hardly.
"""

import argparse
import json
import os
import platform
import signal
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bmgate.native import choose_backend

T = TypeVar("T")
FSYNC_SECONDS = 0.2
FSYNC_SIZE = 4096
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
NUMBERS = (1, 5)  # columns of the table
VECTOR_FLAGS = ("avx2", "avx512f", "avx512ifma", "sha_ni", "vaes")  # processor flags worth a word


@dataclass(frozen=True, slots=True)
class Options:
    """How large the run is and how it is told."""

    quick: bool
    json: bool
    smoke: bool

    def pick(self, full: T, quick: T, smoke: T) -> T:
        """The size for this run; `smoke` only shows that the script still works."""
        return smoke if self.smoke else quick if self.quick else full


@dataclass(frozen=True, slots=True)
class Must:
    """A promise about a figure, or about its ratio to what it is compared with."""

    limit: float
    at_least: bool = True
    ratio: bool = False

    def holds(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value < self.limit

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<'} {number(self.limit)}{' x' if self.ratio else ''}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. `ratio` is how many times `compared_to`, both None where nothing is compared."""

    name: str
    value: float
    unit: str
    must: Must | None = None
    compared_to: str | None = None
    ratio: float | None = None

    @property
    def verdict(self) -> str:
        """`yes` or `NO` where something was promised."""
        judged = self.ratio if self.must is not None and self.must.ratio else self.value
        if self.must is None or judged is None:
            return ""
        return "yes" if self.must.holds(judged) else "NO"


def read_options(doc: str | None) -> Options:
    """The flags every benchmark takes; `doc` is the module's docstring."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, under 20 seconds")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--smoke", action="store_true", help=argparse.SUPPRESS)
    found = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # so that gateways and folders go too
    return Options(found.quick, found.json, found.smoke)


def report(options: Options, title: str, figures: Sequence[Figure]) -> None:
    """Print the figures, as a table with the promises beside them or as JSON."""
    if options.json:
        keys = ("name", "value", "unit", "compared_to", "ratio")
        print(json.dumps({"figures": [{key: getattr(figure, key) for key in keys} for figure in figures]}))
        return
    print(title)
    print(machine())
    rows: list[Sequence[str]] = [("figure", "value", "unit", "must", "held", "ratio", "compared to")]
    for each in figures:
        must = "" if each.must is None else str(each.must)
        ratio = "" if each.ratio is None else f"{number(each.ratio)} x"
        rows.append((each.name, number(each.value), each.unit, must, each.verdict, ratio, each.compared_to or ""))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    for row in rows:
        cells = [
            cell.rjust(width) if place in NUMBERS else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def number(value: float) -> str:
    """Three figures that matter, or all of a large number."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def machine() -> str:
    """What the figures depend on: processor, load, versions, backend, and how fast this disk syncs."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    facts = dict(line.split(":", 1) for line in info if ":" in line)
    named = {key.strip(): value.strip() for key, value in facts.items()}
    flags = set(named.get("flags", "").split())
    load = " ".join(f"{each:.2f}" for each in os.getloadavg())
    return (
        f"{named.get('model name', platform.machine())}, {os.cpu_count()} processors, load {load}, "
        f"{' '.join(flag for flag in VECTOR_FLAGS if flag in flags) or 'no vector flags'}\n"
        f"Python {platform.python_version()}, {ssl.OPENSSL_VERSION}, pow={choose_backend().name}, "
        f"{fsync_rate():,.0f} fsyncs/s in {tempfile.gettempdir()}"
    )


def fsync_rate() -> float:
    """Small synchronous writes per second where the data folders of the benchmarks lie."""
    with tempfile.TemporaryFile() as file:
        begun, count = time.perf_counter(), 0
        while (elapsed := time.perf_counter() - begun) < FSYNC_SECONDS:
            file.write(bytes(FSYNC_SIZE))
            file.flush()
            os.fsync(file.fileno())
            count += 1
    return count / elapsed


# -- measuring -------------------------------------------------------------------------------------------------------


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


@contextmanager
def repeated(act: Callable[[], object], pause_seconds: float = 0.0) -> Iterator[list[float]]:
    """Do something over and over, once at least, while the context is open: how long it took each time, in seconds."""
    times, over = list[float](), threading.Event()

    def go_on() -> None:
        times.append(seconds(act))
        while not over.wait(pause_seconds):
            times.append(seconds(act))

    with ThreadPoolExecutor(1) as thread:
        going = thread.submit(go_on)
        try:
            yield times
        finally:
            over.set()
        going.result()


def in_turns(contenders: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """What each contender returns, round by round; the order is reversed every other round."""
    results: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds):
        for name in list(contenders)[:: -1 if turn % 2 else 1]:
            results[name].append(contenders[name]())
    return results


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the rounds' ratios."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest value that `percent` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def megabytes(pid: int, key: str) -> float:
    """`VmRSS` or `VmHWM` (its peak) of a process, in MB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(key)) * 1024 / 1e6


def forget_peak(pid: int) -> None:
    """Let `VmHWM` begin anew: checking a password takes 64 MiB for a moment."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def cpu_seconds(pid: int) -> float:
    """Processor time a process has used so far, in it and in the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


@contextmanager
def one_processor() -> Iterator[None]:
    """Keep this process on one processor."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


# -- things to measure -----------------------------------------------------------------------------------------------


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that goes afterwards."""
    with tempfile.TemporaryDirectory(prefix="bmgate-benchmark-") as name:
        yield Path(name)


@contextmanager
def peer(script: str, *arguments: str) -> Iterator[tuple[int, int]]:
    """A server to compare with, from `benchmarks/script`: its port on 127.0.0.1 and its process id."""
    command = [sys.executable, str(Path(__file__).with_name(script)), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline()), process.pid
        finally:
            process.stdin.close()  # it ends when its standard input does
