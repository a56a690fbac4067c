"""APPEND of mails far larger than anybody wants in memory, by one client and by several at once.

What a plain program does for the same durability is measured in turns with it: bare sqlite3 writes the same octets in
pieces of the same size, a commit for each MiB, without sealing, MIME or a client. NOOPs and small mails of other
connections are timed meanwhile.
"""

import itertools
import sqlite3
import statistics
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench_imap import LIMITS, SIZE, Noops, empty_gateway, session
from common import (
    Figure,
    Must,
    Options,
    cpu_seconds,
    forget_peak,
    in_turns,
    median_ratio,
    megabytes,
    percentile,
    read_options,
    repeated,
    report,
    scratch,
    seconds,
)
from mails import mail

CHUNK = 256 * 1024
COMMIT = 4 * CHUNK
CLIENTS = 4
MAILBOX = "Drafts"
LINE = b"QmxvY2tzIG9mIGEgbGFyZ2UgYXR0YWNobWVudCwgd2hpY2ggbm9ib2R5IGxvb2tzIGludG8gaGVyZS4uLi4u\r\n"
FRONT = (
    b"From: alice@bm.internal\r\nTo: bob@bm.internal\r\nSubject: a large file\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=border\r\n\r\n--border\r\n\r\nHere it is.\r\n--border\r\n"
    b"Content-Type: application/octet-stream; name=file\r\nContent-Transfer-Encoding: base64\r\n\r\n"
)
BACK = b"--border--\r\n"


def main() -> None:
    options = read_options(__doc__)
    report(options, "APPEND of large mails", measure(options))


def measure(options: Options) -> list[Figure]:
    """One gateway; how long it takes first, then how much memory."""
    size, rounds = options.pick(100_000_000, 24_000_000, 1_200_000), options.pick(5, 3, 1)
    large = FRONT + LINE * ((size - len(FRONT) - len(BACK)) // len(LINE)) + BACK
    with scratch() as folder, ExitStack() as stack:
        gateway = stack.enter_context(empty_gateway(folder / "gateway", LIMITS))
        place = gateway.listener("imap starttls")
        clients = [stack.enter_context(session(*place)) for _ in range(CLIENTS)]
        noops, other = Noops(stack.enter_context(session(*place))), stack.enter_context(session(*place))
        numbers = itertools.count()
        for client in clients:
            client.append(MAILBOX, mail(next(numbers), SIZE))
        alone = partial(clients[0].append_large, MAILBOX, large)
        several = partial(_at_once, [partial(client.append_large, MAILBOX, large) for client in clients])
        grown = memory_figures(gateway.pid, alone, several, len(large))
        plain = partial(write_plainly, folder / "plain.db", large)
        speed = speed_figures(gateway.pid, alone, plain, rounds, size)
        with repeated(lambda: other.append(MAILBOX, mail(next(numbers), SIZE))) as small:
            noops.meanwhile(several)
    return [*grown, *speed, *delay_figures(noops.delays, "NOOP"), *delay_figures(small, "APPEND of 4 kB")]


def memory_figures(pid: int, alone: Callable[[], None], several: Callable[[], None], size: int) -> list[Figure]:
    """How far the resident memory rises above what it was before, at its peak."""
    what = f"{size / 1e6:,.0f} MB"
    return [
        Figure(f"APPEND of {what}: memory, peak", growth(pid, alone), "MB", Must(32, at_least=False)),
        Figure(f"APPEND of {what} by {CLIENTS} at once: memory, peak", growth(pid, several), "MB"),
    ]


def growth(pid: int, work: Callable[[], None]) -> float:
    """MB."""
    forget_peak(pid)
    before = megabytes(pid, "VmRSS")
    work()
    return megabytes(pid, "VmHWM") - before


def delay_figures(delays: list[float], what: str) -> list[Figure]:
    """How long others wait while several large mails come."""
    return [
        Figure(f"{what} of another meanwhile, p99", percentile(delays, 99) * 1e3, "ms"),
        Figure(f"{what} of another meanwhile, worst", max(delays) * 1e3, "ms"),
    ]


def speed_figures(
    pid: int, append: Callable[[], None], plain: Callable[[], None], rounds: int, size: int
) -> list[Figure]:
    """Octets made durable in a second, beside a plain program."""
    before = cpu_seconds(pid)
    contenders = {
        "ours": lambda: size / seconds(append),
        "plain": lambda: size / seconds(plain),
    }
    rates = in_turns(contenders, rounds)
    spent = (cpu_seconds(pid) - before) / rounds
    ours, theirs = rates["ours"], rates["plain"]
    return [
        Figure(
            f"APPEND of {size / 1e6:,.0f} MB",
            statistics.median(ours) / 1e6,
            "MB/s",
            None,
            "bare sqlite3",
            median_ratio(ours, theirs),
        ),
        Figure("bare sqlite3", statistics.median(theirs) / 1e6, "MB/s"),
        Figure("processor time of the gateway for 100 MB", spent / size * 1e8, "s"),
    ]


def write_plainly(path: Path, octets: bytes) -> None:
    """The same octets into a new SQLite file."""
    path.unlink(missing_ok=True)
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE piece (n INTEGER PRIMARY KEY, data BLOB)")
    for start in range(0, len(octets), COMMIT):
        places = range(start, min(start + COMMIT, len(octets)), CHUNK)
        database.execute("BEGIN IMMEDIATE")
        database.executemany("INSERT INTO piece VALUES (?, ?)", [(at, octets[at : at + CHUNK]) for at in places])
        database.execute("COMMIT")
    database.close()


def _at_once(works: list[Callable[[], None]]) -> None:
    with ThreadPoolExecutor(len(works)) as threads:
        for done in [threads.submit(work) for work in works]:
            done.result()


if __name__ == "__main__":
    main()
