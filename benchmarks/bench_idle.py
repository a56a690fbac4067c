"""Thousands of programs wait for mail in IDLE, and each costs little memory and no processor time.

All have the INBOX of one account open, which has a few mails. A mail is stored, and every one of them is told; NOOPs of
another connection are timed meanwhile.
"""

import resource
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from bench_imap import LIMITS, SIZE, Noops, empty_gateway, session
from clients import PASSWORD, USER, ImapClient, any_certificate
from common import (
    Figure,
    Must,
    Options,
    cpu_seconds,
    forget_peak,
    megabytes,
    percentile,
    read_options,
    report,
    scratch,
)
from mails import mail

PLENTY = "100000"
MAILS = 20
FILES = 10_000  # descriptors that gateway and clients may have open
SETTLE_SECONDS = 1.0
DOORS = (("plain", "imap starttls", Must(120, at_least=False)), ("TLS", "imap", Must(120, at_least=False)))


def main() -> None:
    options = read_options(__doc__)
    report(options, "IDLE: many programs that wait for mail", measure(options))


def measure(options: Options) -> list[Figure]:
    """A new gateway for each way to connect."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
    count, rest = options.pick(2_000, 200, 5), options.pick(10.0, 2.0, 0.2)
    return [figure for name, door, must in DOORS for figure in idle_figures(name, door, must, count, rest)]


def idle_figures(name: str, door: str, must: Must, count: int, rest: float) -> list[Figure]:
    """Memory, processor time at rest, and how soon all are told of a mail."""
    limits = LIMITS | {("imap", key): PLENTY for key in ("connections", "connections_per_user")}
    with scratch() as folder, ExitStack() as stack:
        gateway = stack.enter_context(empty_gateway(folder / "gateway", limits))
        place = gateway.listener("imap starttls")
        storing, other = (stack.enter_context(session(*place)) for _ in range(2))
        for number in range(MAILS):
            storing.append("INBOX", mail(number, SIZE))
        forget_peak(gateway.pid)
        before = megabytes(gateway.pid, "VmRSS")
        waiting = [stack.enter_context(idler(*gateway.listener(door), door == "imap")) for _ in range(count)]
        time.sleep(SETTLE_SECONDS)
        grown = megabytes(gateway.pid, "VmRSS") - before
        used = cpu_seconds(gateway.pid)
        time.sleep(rest)
        busy = (cpu_seconds(gateway.pid) - used) / rest
        noops = Noops(other)
        told = noops.meanwhile(partial(push_times, partial(storing.append, "INBOX", mail(MAILS, SIZE)), waiting))
        peak = megabytes(gateway.pid, "VmHWM") - before
    what = f"{count:,} in IDLE, {name}"
    return [
        Figure(f"{what}: memory", grown, "MB", must),
        Figure(f"{what}: memory of one", grown * 1e3 / count, "kB"),
        Figure(f"{what}: processor at rest", busy * 100, "%"),
        Figure(f"{what}: all are told of a mail", max(told) * 1e3, "ms"),
        Figure(f"{what}: half of them", percentile(told, 50) * 1e3, "ms"),
        Figure(f"{what}: NOOP of another meanwhile, worst", max(noops.delays) * 1e3, "ms"),
        Figure(f"{what}: memory, peak while they are told", peak, "MB"),
    ]


def idler(host: str, port: int, is_tls: bool) -> ImapClient:
    """A program that waits for mail."""
    client = ImapClient(host, port, any_certificate() if is_tls else None)
    client.login(USER, PASSWORD)
    client.command(b"SELECT INBOX")
    client.idle()
    return client


def push_times(store: Callable[[], None], waiting: list[ImapClient]) -> list[float]:
    """Seconds from storing a mail until each program had been told."""
    begun = time.perf_counter()
    store()
    return [client.push(b"EXISTS") - begun for client in waiting]


if __name__ == "__main__":
    main()
