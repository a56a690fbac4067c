"""Accounts with a chosen password and an address each: a thousand from a file, and one at a time, at a running gateway.

Compared with Argon2id alone, run over the same passwords in two threads. Times are those of whole commands; processor
time tells what a machine with others on it hides.
"""

import csv
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from common import CLOCK_TICKS, Figure, Must, Options, percentile, read_options, repeated, report, scratch, seconds
from nacl import bindings

from bmgate.control.client import ControlClient
from bmgate.datafolder import DataFolder
from bmgate.localnet import GatewayProcess, prepare_folder
from bmgate.storage.passwords import Argon2Cost

OWN_HOST = "127.1.78.1"
THREADS = 2
ALONE = "Argon2id alone, two threads"
PAUSE_SECONDS = 0.1
SALT = bytes(16)


def main() -> None:
    options = read_options(__doc__)
    report(options, "Accounts with an address each", measure(options))


def measure(options: Options) -> list[Figure]:
    """One at a time, then the batch: afterwards the gateway is busy with a thousand pubkeys."""
    count, singles = options.pick(1_000, 30, 2), options.pick(21, 5, 1)
    passwords = [f"correct horse battery {number}" for number in range(count)]
    hashing_begun = time.process_time()
    hashed = seconds(partial(hash_all, passwords))
    hashing = time.process_time() - hashing_begun
    with scratch() as folder:
        own = folder / "gateway"
        prepare_folder(own, OWN_HOST, {}, int(time.time()))
        table = write_table(folder / "accounts.csv", passwords)
        with GatewayProcess(own) as gateway:
            gateway.start()
            before = spent(gateway.pid) + commands_spent()
            one = [seconds(partial(add, own, f"single{number}", "--password-stdin")) for number in range(singles)]
            single_work = (spent(gateway.pid) + commands_spent() - before) / singles
            with asked_meanwhile(own) as answers:
                before = spent(gateway.pid)
                batch = seconds(partial(add, own, "--from", str(table)))
                work = spent(gateway.pid) - before
            again = seconds(partial(add, own, "--from", str(table), "--if-missing"))
    must = Must(90, at_least=False) if count == 1_000 else None
    return [
        Figure(f"{count} accounts from a file", batch, "s", must, ALONE, batch / hashed),
        Figure(f"{count} passwords, {ALONE}", hashed, "s"),
        Figure("processor time of the gateway for the file", work, "s", None, ALONE, work / hashing),
        Figure("another command at the gateway meanwhile, p99", percentile(answers, 99) * 1e3, "ms"),
        Figure("the same file again, --if-missing", again, "s"),
        Figure(f"one account, median of {singles} commands", statistics.median(one), "s", Must(0.5, at_least=False)),
        Figure("one account, the slowest", max(one), "s"),
        Figure("processor time for it, command and gateway", single_work, "s"),
    ]


def hash_all(passwords: Sequence[str]) -> None:
    """What the passwords cost by themselves."""
    cost = Argon2Cost()

    def derive(password: str) -> None:
        bindings.crypto_pwhash_alg(
            64,
            password.encode(),
            SALT,
            cost.operations,
            cost.memory_bytes,
            bindings.crypto_pwhash_ALG_ARGON2ID13,
        )

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(derive, passwords))


def write_table(path: Path, passwords: Sequence[str]) -> Path:
    """What an operator has."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("name", "password"))
        rows.writerows((f"user{number}", password) for number, password in enumerate(passwords))
    return path


def add(folder: Path, *arguments: str) -> None:
    """`bmgate account add`, a whole process."""
    command = [sys.executable, "-m", "bmgate", "--data", str(folder), "account", "add", *arguments]
    subprocess.run(command, input=b"correct horse battery\n", check=True, stdout=subprocess.DEVNULL)


def spent(pid: int) -> float:
    """Processor time of the gateway, and of the processes it has had search for keys."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / CLOCK_TICKS


def commands_spent() -> float:
    """Processor time of the commands that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@contextmanager
def asked_meanwhile(folder: Path) -> Iterator[list[float]]:
    """How long the running gateway takes to answer somebody else, again and again."""
    with (
        ControlClient(DataFolder(folder).socket) as client,
        repeated(partial(client.call, "peers.list", {}, lambda _: None), PAUSE_SECONDS) as answers,
    ):
        yield answers


if __name__ == "__main__":
    main()
