"""SMTP takes at least 300 durable mails a second over 20 connections.

Each mail is committed, with a copy in Sent, before its 250. Beside it, in turns, aiosmtpd with an empty handler, which
keeps nothing: what the protocol itself costs. The recipient's key is unknown, so that the mails wait and no proof of
work shares the processor.
"""

import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from clients import PASSWORD, SmtpClient
from common import (
    Figure,
    Must,
    Options,
    cpu_seconds,
    in_turns,
    median_ratio,
    peer,
    percentile,
    read_options,
    report,
    scratch,
)
from mails import mail

from bmgate.bm.keys import random_keys
from bmgate.localnet import local_network

CONNECTIONS = 20
SIZE = 1000
PLENTY = "1000000"
LIMITS = {
    ("smtp", "queue_limit"): PLENTY,
    ("smtp", "connections_per_user"): PLENTY,
    ("smtp", "connections_per_source"): PLENTY,
    ("log", "level"): "warning",
}


class Senders:
    """Connections that send at the same time; `send` returns mails per second and keeps the time of each mail."""

    def __init__(self, host: str, port: int, sender: str, recipient: str) -> None:
        self._sender, self._recipient = sender, recipient
        self._clients = [SmtpClient(host, port) for _ in range(CONNECTIONS)]
        self._sent = 0
        self.latencies: list[float] = []

    def login(self, user: str) -> None:
        for client in self._clients:
            client.login(user, PASSWORD)

    def send(self, each: int) -> float:
        """`each` mails over every connection."""
        mails = [self._mail() for _ in range(each * CONNECTIONS)]
        begun = time.perf_counter()
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            for done in [threads.submit(self._send_all, at, mails[at::CONNECTIONS]) for at in range(CONNECTIONS)]:
                done.result()
        return len(mails) / (time.perf_counter() - begun)

    def _mail(self) -> bytes:
        self._sent += 1
        return mail(self._sent, SIZE, self._sender, self._recipient)

    def _send_all(self, at: int, mails: list[bytes]) -> None:
        for each in mails:
            begun = time.perf_counter()
            self._clients[at].send(self._sender, self._recipient, each)
            self.latencies.append(time.perf_counter() - begun)


def main() -> None:
    options = read_options(__doc__)
    report(options, "SMTP: durable mails over 20 connections", measure(options))


def measure(options: Options) -> list[Figure]:
    """Rounds in turns, after one that only warms up."""
    rounds, each = options.pick(7, 3, 1), options.pick(20, 10, 1)
    with scratch() as folder, local_network(folder, 1, LIMITS) as (gateway,), peer("peer_smtp.py") as (port, _):
        login = gateway.add_account("alice", PASSWORD)
        stranger = f"{random_keys(os.urandom).public.address()}@bm.internal"
        ours = Senders(*gateway.listener("smtp starttls"), f"{login.address}@bm.internal", stranger)
        ours.login(login.user)
        empty = Senders("127.0.0.1", port, "alice@localhost", "bob@localhost")
        contenders: dict[str, Callable[[], float]] = {
            "ours": lambda: ours.send(each),
            "empty": lambda: empty.send(each),
        }
        in_turns(contenders, 1)
        ours.latencies.clear()
        before = cpu_seconds(gateway.pid)
        rates = in_turns(contenders, rounds)
        spent = (cpu_seconds(gateway.pid) - before) / (rounds * each * CONNECTIONS)
        stored = gateway.status()["outbox"]
    assert sum(stored.values()) == (rounds + 1) * each * CONNECTIONS, stored
    return [
        Figure(
            f"mails of {SIZE} octets, {rounds} rounds of {each * CONNECTIONS}",
            statistics.median(rates["ours"]),
            "/s",
            Must(300),
            "aiosmtpd, empty handler",
            median_ratio(rates["ours"], rates["empty"]),
        ),
        Figure("MAIL to 250, p50", percentile(ours.latencies, 50) * 1e3, "ms"),
        Figure("MAIL to 250, p99", percentile(ours.latencies, 99) * 1e3, "ms"),
        Figure("processor time of the gateway for a mail", spent * 1e3, "ms"),
        Figure("aiosmtpd, empty handler", statistics.median(rates["empty"]), "/s"),
    ]


if __name__ == "__main__":
    main()
