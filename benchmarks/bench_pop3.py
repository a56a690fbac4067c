"""POP3 hands out a maildrop of 10,000 messages, one command after the other and pipelined.

Mails of 4 kB on SQLite, sealed at L0; no TLS, so that the server's own work shows. Beside it, in turns, the stock
Twisted POP3 class over a maildrop in memory, with TCP_NODELAY set; and Dovecot, where it is installed, over a Maildir.
"""

import statistics
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial

from bench_imap import filled_gateway, rivals
from clients import PASSWORD, USER, Pop3Client
from common import (
    Figure,
    Must,
    Options,
    forget_peak,
    in_turns,
    median_ratio,
    megabytes,
    read_options,
    report,
    seconds,
)

AHEAD = 500  # commands sent before an answer is waited for


def main() -> None:
    options = read_options(__doc__)
    report(options, "POP3: a large maildrop over one connection, no TLS", measure(options))


def measure(options: Options) -> list[Figure]:
    """One gateway and those it is compared with, all filled with the same mails."""
    count, rounds = options.pick(10_000, 2_000, 20), options.pick(5, 3, 1)
    other_count = options.pick(2_000, 500, 20)
    with ExitStack() as stack:
        gateway = stack.enter_context(filled_gateway(count))
        place = gateway.listener("pop3 starttls")
        figures = [login_time(place, f"first login, {count:,} messages", 1)]
        figures.append(login_time(place, f"login, {count:,} messages", rounds))
        places = {"ours": (place, count)} | stack.enter_context(rivals("pop3", other_count, other_count))
        clients = {name: (session(stack, where), have) for name, (where, have) in places.items()}
        forget_peak(gateway.pid)  # a password takes 64 MiB for a moment
        figures += compared("RETR, one by one", retr_rate, clients, rounds, Must(2_000))
        figures += compared("RETR, pipelined", pipelined_rate, clients, rounds, None)
        figures.append(list_time(clients["ours"][0], b"UIDL", count, rounds))
        figures.append(list_time(clients["ours"][0], b"LIST", count, rounds))
        peak = megabytes(gateway.pid, "VmHWM")
        figures.append(Figure("resident memory, peak meanwhile", peak, "MB", Must(150, at_least=False)))
    return figures


def session(stack: ExitStack, place: tuple[str, int]) -> Pop3Client:
    """Logged in until the stack ends."""
    client = stack.enter_context(Pop3Client(*place))
    client.login(USER, PASSWORD)
    return client


def login_time(place: tuple[str, int], name: str, rounds: int) -> Figure:
    """Until STAT is answered; the first one reads all mail for its sizes."""

    def log_in() -> None:
        with Pop3Client(*place) as client:
            client.login(USER, PASSWORD)
            client.command(b"STAT")
            client.command(b"QUIT")

    times = [seconds(log_in) for _ in range(rounds)]
    return Figure(name, statistics.median(times) * 1e3, "ms")


def retr_rate(client: Pop3Client, count: int) -> float:
    """Messages per second, each asked for when the one before has come."""

    def fetch() -> None:
        for number in range(1, count + 1):
            client.count_octets(b"RETR %d" % number)

    return count / seconds(fetch)


def pipelined_rate(client: Pop3Client, count: int) -> float:
    """Messages per second, many asked for at once."""

    def fetch() -> None:
        for start in range(1, count + 1, AHEAD):
            client.count_responses([b"RETR %d" % n for n in range(start, min(start + AHEAD, count + 1))])

    return count / seconds(fetch)


def list_time(client: Pop3Client, command: bytes, count: int, rounds: int) -> Figure:
    """A list of all messages."""
    times = [seconds(lambda: client.count_octets(command)) for _ in range(rounds)]
    return Figure(f"{command.decode()} of {count:,}", statistics.median(times) * 1e3, "ms")


def compared(
    name: str,
    rate: Callable[[Pop3Client, int], float],
    clients: Mapping[str, tuple[Pop3Client, int]],
    rounds: int,
    must: Must | None,
) -> list[Figure]:
    """Ours, once beside each other server; those get fewer messages, their rate is the same."""
    rates = in_turns({each: partial(rate, *client) for each, client in clients.items()}, rounds)
    ours, count = rates["ours"], clients["ours"][1]
    return [
        Figure(f"{name}, {count:,}", statistics.median(ours), "/s", must, other, median_ratio(ours, theirs))
        for other, theirs in rates.items()
        if other != "ours"
    ]


if __name__ == "__main__":
    main()
