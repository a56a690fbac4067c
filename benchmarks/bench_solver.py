"""One machine works for many: whose mail is next, how soon a cancelled one stops, and what kill -9 costs.

500 mails of one account are queued and worked on when one of another account comes. Cancelling and giving way are
measured from the call until every lane has left the search, while all processors are busy; the lag of the loop is
measured meanwhile. All threads are equally nice: how a busy machine shares itself is not the question. A gateway of the
main network, without peers, is killed in the middle of a large mail: what was tried and not saved is work lost.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha512
from pathlib import Path
from typing import Any

from clients import PASSWORD, SmtpClient
from common import Figure, Must, Options, percentile, read_options, report, scratch
from mails import mail

from bmgate.clock import SystemClock
from bmgate.domain.account import AccountId
from bmgate.domain.ports.world import Urgency, WorkJob
from bmgate.localnet import GatewayProcess, Login, prepare_folder
from bmgate.native import choose_backend
from bmgate.pow.local import LocalEngine, Trials
from bmgate.pow.solver import LocalSolver

QUEUED = 500
SIZE = 250_000  # octets of the mail that is worked on
ENDLESS = 1 << 62  # expected trials
SETTLE_SECONDS = 0.03
LAG_SECONDS = 0.002
HOST = "127.1.78.1"
POLL_SECONDS = 0.02
FIRST, SECOND = AccountId(1), AccountId(2)


class WatchedEngine(LocalEngine):
    """The engine of the gateway, and a note of every chunk that begins and ends."""

    def __init__(self, lanes: int) -> None:
        super().__init__(choose_backend(), lanes, nice=0)
        self.begun: list[bytes] = []  # the job of each chunk so far
        self.searching: dict[int, bytes] = {}  # and of each lane now
        self.changed = asyncio.Event()

    async def search(self, lane: int, initial_hash: bytes, target: int, start: int, count: int) -> Trials:
        self.begun.append(initial_hash)
        self.searching[lane] = initial_hash
        self.changed.set()
        try:
            return await super().search(lane, initial_hash, target, start, count)
        finally:
            del self.searching[lane]
            self.changed.set()

    async def until(self, holds: Callable[[int], bool], initial_hash: bytes) -> float:
        """Seconds until `holds` of the number of lanes that search for this job."""
        begun = time.perf_counter()
        while not holds(list(self.searching.values()).count(initial_hash)):
            self.changed.clear()
            await self.changed.wait()
        return time.perf_counter() - begun


def main() -> None:
    options = read_options(__doc__)
    report(options, "The queue of proof of work", measure(options))


def measure(options: Options) -> list[Figure]:
    """The queue in this process first, then a whole gateway."""
    return [*asyncio.run(queue_figures(options)), *restart_figures(options)]


# -- the queue -------------------------------------------------------------------------------------------------------


async def queue_figures(options: Options) -> list[Figure]:
    """All on the engine that this machine would use, with all its processors."""
    rounds = options.pick(300, 50, 3)
    engine = WatchedEngine(os.cpu_count() or 1)
    solver = LocalSolver(engine, SystemClock())
    await solver.start()
    lags: list[float] = []
    watching = asyncio.create_task(watch_lag(lags))
    try:
        turns = [await turn_of_another(solver, engine) for _ in range(options.pick(11, 5, 1))]
        cancels = [await cancel(solver, engine, number) for number in range(rounds)]
        ways = [await give_way(solver, engine, number) for number in range(rounds)]
    finally:
        watching.cancel()
        await solver.close()
    before, waits = [float(turn[0]) for turn in turns], [turn[1] * 1e3 for turn in turns]
    ours = f"{QUEUED} queued, one of another account"
    return [
        Figure(f"{ours}: chunks begun before it", max(before), "", Must(1, at_least=False)),
        Figure(f"{ours}: until worked on, p50", percentile(waits, 50), "ms"),
        Figure(f"{ours}: until worked on, worst", max(waits), "ms"),
        *_milliseconds("cancelled until all lanes left it", cancels, 5),
        *_milliseconds("urgent mail until worked on, all lanes busy", ways, 5),
        *_milliseconds("loop late meanwhile", lags, None),
    ]


async def turn_of_another(solver: LocalSolver, engine: WatchedEngine) -> tuple[int, float]:
    """Chunks that begin between the other account's mail and its first one, and the seconds until then."""
    tasks = [asyncio.create_task(solver.search(job(f"first {n}", FIRST), untold)) for n in range(QUEUED)]
    await asyncio.sleep(SETTLE_SECONDS * 3)
    known, wanted = len(engine.begun), job("second", SECOND)
    tasks.append(asyncio.create_task(solver.search(wanted, untold)))
    waited = await engine.until(lambda lanes: lanes > 0, wanted.initial_hash)
    await drop(tasks)
    return engine.begun[known:].index(wanted.initial_hash), waited


async def cancel(solver: LocalSolver, engine: WatchedEngine, number: int) -> float:
    """Seconds from cancelling a search that all lanes are busy with until the last has left it."""
    wanted = job(f"cancelled {number}", FIRST)
    task = asyncio.create_task(solver.search(wanted, untold))
    other = asyncio.create_task(solver.search(job("behind it", FIRST), untold))
    await engine.until(lambda lanes: lanes == engine.lanes, wanted.initial_hash)
    await asyncio.sleep(SETTLE_SECONDS * (number % 3))
    task.cancel()
    seconds = await engine.until(lambda lanes: lanes == 0, wanted.initial_hash)
    await drop([task, other])
    return seconds


async def give_way(solver: LocalSolver, engine: WatchedEngine, number: int) -> float:
    """Seconds from handing in a mail until a lane works on it, while all work for something less urgent."""
    less = asyncio.create_task(solver.search(job("bulk", FIRST, Urgency.BULK), untold))
    await asyncio.sleep(SETTLE_SECONDS * (1 + number % 3))
    wanted = job(f"urgent {number}", SECOND)
    task = asyncio.create_task(solver.search(wanted, untold))
    seconds = await engine.until(lambda lanes: lanes > 0, wanted.initial_hash)
    await drop([task, less])
    return seconds


async def watch_lag(lags: list[float]) -> None:
    """How late the loop wakes a sleeper, again and again."""
    while True:
        due = time.perf_counter() + LAG_SECONDS
        await asyncio.sleep(LAG_SECONDS)
        lags.append(time.perf_counter() - due)


def job(name: str, owner: AccountId, urgency: Urgency = Urgency.MAIL) -> WorkJob:
    return WorkJob(sha512(name.encode()).digest(), (1 << 64) // ENDLESS - 1, 0, urgency, owner, 1)


def untold(_nonce: int) -> None:
    """Nobody saves these."""


async def drop(tasks: list[asyncio.Task[int]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _milliseconds(name: str, seconds: list[float], limit: float | None) -> list[Figure]:
    must = None if limit is None else Must(limit, at_least=False)
    values = [each * 1e3 for each in seconds]
    return [Figure(f"{name}, p{percent}", percentile(values, percent), "ms", must) for percent in (50, 99)]


# -- a restart -------------------------------------------------------------------------------------------------------


def restart_figures(options: Options) -> list[Figure]:
    """Seconds of this machine's work that kill -9 loses."""
    moments = options.pick((11.0, 8.9, 14.5), (5.0,), (0.5,))
    ttl = options.pick("28d", "23h", "28d")  # minutes of work: luck must not end it before the kill
    with scratch() as folder, working_gateway(folder, ttl) as gateway:
        lost = [kill(gateway, seconds) for seconds in moments]
    told = ", ".join(f"{seconds:g}" for seconds in moments)
    return [Figure(f"lost by kill -9 after {told} s of work", max(lost), "s", Must(10, at_least=False))]


@contextmanager
def working_gateway(folder: Path, ttl: str) -> Iterator[GatewayProcess]:
    """A gateway that works on one large mail between two of its accounts; it knows nobody outside."""
    own = folder / "gateway"
    alone = {("node", "network"): "main", ("node", "listen"): "off", ("node", "bootstrap"): "off"}
    settings = {("node", "publish_pubkeys"): "never", ("node", "outbound"): "0", ("pow", "max_work"): "52w"}
    prepare_folder(own, HOST, alone | settings, int(time.time()))
    with GatewayProcess(own) as gateway:
        gateway.start()
        alice, bob = (gateway.add_account(name, PASSWORD) for name in ("alice", "bob"))
        send(gateway, alice, bob, ttl)
        while row(gateway)["state"] != "BUILT":
            time.sleep(POLL_SECONDS)
        yield gateway


def send(gateway: GatewayProcess, alice: Login, bob: Login, ttl: str) -> None:
    sender, recipient = f"{alice.address}@bm.internal", f"{bob.address}@bm.internal"
    with SmtpClient(*gateway.listener("smtp starttls")) as smtp:
        smtp.login(alice.user, PASSWORD)
        smtp.send(sender, recipient, f"X-Bitmessage-TTL: {ttl}\r\n".encode() + mail(1, SIZE, sender, recipient))


def kill(gateway: GatewayProcess, seconds: float) -> float:
    """Kill the gateway so long after it began to work; the seconds of work it had not saved. It runs again."""
    rate = gateway.status()["work"]["trials_per_second"]
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        tried, seen = row(gateway)["work"]["tried"], time.monotonic()
        time.sleep(POLL_SECONDS)
    gateway.kill()
    tried += rate * (time.monotonic() - seen)
    command = [sys.executable, "-m", "bmgate", "--data", str(gateway.folder), "queue", "list", "--json"]
    shown = subprocess.run([*command, "--account", "alice"], check=True, capture_output=True)
    saved = json.loads(shown.stdout)[0]["work"]["tried"]
    gateway.start()
    return float(max(tried - saved, 0) / rate)


def row(gateway: GatewayProcess) -> dict[str, Any]:
    """Alice's only mail."""
    found: list[dict[str, Any]] = gateway.call("queue.list", account="alice", all=True)
    return found[0]


if __name__ == "__main__":
    main()
