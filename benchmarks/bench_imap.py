"""IMAP lists and reads a mailbox of 10,000 messages as fast as its clients take it, and others do not notice.

Mails of 4 kB on SQLite, sealed at L0; no TLS, so that the server's own work shows. Headers are UID, FLAGS, RFC822.SIZE
and the 17 fields that Thunderbird asks for; bodies are whole messages. Beside it, in turns, the stock Twisted
IMAP4Server over a mailbox in memory, where nothing is sealed and headers are parsed beforehand; and Dovecot, where it
is installed, over a Maildir with a warm cache.
"""

import asyncio
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

from clients import PASSWORD, USER, ImapClient
from common import (
    Figure,
    Must,
    Options,
    cpu_seconds,
    forget_peak,
    in_turns,
    median_ratio,
    megabytes,
    peer,
    percentile,
    read_options,
    repeated,
    report,
    scratch,
    seconds,
)
from mails import BASE_TIME, FIELDS, mail
from peer_dovecot import dovecot

from bmgate.app import open_gateway
from bmgate.config import parse_config
from bmgate.datafolder import DataFolder
from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import Flags, MailboxKind
from bmgate.domain.ports.database import Store
from bmgate.localnet import GatewayProcess, free_hosts, prepare_folder
from bmgate.services.mailboxes.indexed import indexed

T = TypeVar("T")

SIZE = 4096
BATCH = 500
CONNECTIONS = 10
NOOP_PAUSE_SECONDS = 0.002
PLENTY = "1000"
LIMITS = {
    ("imap", "connections_per_user"): PLENTY,
    ("imap", "connections_per_source"): PLENTY,
    ("log", "level"): "warning",
}
HEADERS = f"FETCH 1:* (UID FLAGS RFC822.SIZE BODY.PEEK[HEADER.FIELDS ({FIELDS})])".encode()
BODIES = b"FETCH 1:* (UID BODY.PEEK[])"
FETCHES = (  # what must be reached, in messages per second
    ("headers", HEADERS, 30_000),
    ("bodies", BODIES, 20_000),
    ("UID and FLAGS", b"FETCH 1:* (UID FLAGS)", 80_000),
)
STOCK, DOVECOT = "stock Twisted in memory", "Dovecot"


class Noops:
    """NOOPs on another connection, one after the other with a short pause, while something else is measured."""

    def __init__(self, client: ImapClient) -> None:
        self._client = client
        self.delays: list[float] = []

    def meanwhile(self, work: Callable[[], T]) -> T:
        """What `work` returns."""
        with repeated(partial(self._client.count_octets, b"NOOP"), NOOP_PAUSE_SECONDS) as delays:
            found = work()
        self.delays += delays
        return found


def main() -> None:
    options = read_options(__doc__)
    report(options, "IMAP: a large mailbox over one connection, no TLS", measure(options))


def measure(options: Options) -> list[Figure]:
    """One gateway, and the servers it is compared with, all filled with the same mails."""
    count, rounds = options.pick(10_000, 2_000, 20), options.pick(5, 3, 1)
    stock_count = options.pick(2_000, 500, 20)
    with ExitStack() as stack:
        gateway = stack.enter_context(filled_gateway(count))
        place = gateway.listener("imap starttls")
        ours = stack.enter_context(session(*place))
        compared = stack.enter_context(rivals("imap", stock_count, count))
        others = {name: (stack.enter_context(session(*where)), have) for name, (where, have) in compared.items()}
        noops = Noops(stack.enter_context(session(*place, b"Drafts")))
        forget_peak(gateway.pid)
        figures = first_times(place, count, noops)
        figures += time_of("SELECT", ours, b"SELECT INBOX", count, rounds, Must(50, at_least=False), others)
        figures += fetch_rates(ours, count, others, noops, rounds)
        figures += search_times(ours, count, others, noops, rounds)
        delays = noops.delays
        figures += [
            Figure("NOOP of another connection meanwhile, p50", percentile(delays, 50) * 1e3, "ms"),
            Figure(
                "NOOP of another connection meanwhile, p99",
                percentile(delays, 99) * 1e3,
                "ms",
                Must(20, at_least=False),
            ),
            Figure("NOOP of another connection meanwhile, worst", max(delays) * 1e3, "ms"),
            Figure("resident memory, peak meanwhile", megabytes(gateway.pid, "VmHWM"), "MB", Must(150, at_least=False)),
        ]
        figures += append_rates(gateway, options.pick(40, 20, 1), rounds)
    return figures


# -- filling ---------------------------------------------------------------------------------------------------------


@contextmanager
def filled_gateway(count: int, size: int = SIZE) -> Iterator[GatewayProcess]:
    """A running gateway with one account, `count` mails of about `size` octets in its INBOX."""
    with scratch() as folder:
        own = folder / "gateway"
        prepare_folder(own, free_hosts(1)[0], LIMITS, int(time.time()))
        asyncio.run(fill(own, count, size))
        with GatewayProcess(own) as gateway:
            gateway.start()
            yield gateway


@contextmanager
def empty_gateway(folder: Path, settings: Mapping[tuple[str, str], str]) -> Iterator[GatewayProcess]:
    """A running gateway with one account."""
    prepare_folder(folder, free_hosts(1)[0], settings, int(time.time()))
    with GatewayProcess(folder) as gateway:
        gateway.start()
        gateway.add_account(USER, PASSWORD)
        yield gateway


async def fill(folder: Path, count: int, size: int) -> None:
    """Make the account and store its mail, as deliveries do but many in a transaction."""
    data = DataFolder(folder)
    config = parse_config(data.config.read_text(encoding="utf-8"), str(data.config))
    gateway = open_gateway(data, config, "benchmark")
    try:
        await gateway.accounts.add(USER, PASSWORD)
        account = await gateway.accounts.named(USER)
        for start in range(0, count, BATCH):
            numbers = range(start + 1, min(start + BATCH, count) + 1)
            await gateway.database.transact(partial(deliver, account.id, numbers, size))
    finally:
        await gateway.close()


def deliver(account: AccountId, numbers: range, size: int, store: Store) -> None:
    """Store the mails of these numbers."""
    mine = store.account(account)
    inbox = mine.mailboxes.by_kind(MailboxKind.INBOX)
    for number in numbers:
        content = mine.messages.add_content(indexed(mail(number, size)).content())
        mine.messages.append(inbox.id, content, Flags.NONE, (), BASE_TIME + number)


@contextmanager
def rivals(
    protocol: Literal["imap", "pop3"], stock_count: int, dovecot_count: int
) -> Iterator[dict[str, tuple[tuple[str, int], int]]]:
    """The servers we are compared with, where each listens and how many mails it has; Dovecot if it is there."""
    with (
        peer(f"peer_{protocol}.py", str(stock_count), str(SIZE)) as (port, _),
        dovecot(protocol, dovecot_count, SIZE) as place,
    ):
        found = {STOCK: (("127.0.0.1", port), stock_count)}
        yield found if place is None else found | {DOVECOT: (place, dovecot_count)}


@contextmanager
def session(host: str, port: int, mailbox: bytes = b"INBOX") -> Iterator[ImapClient]:
    """A logged in session with an open mailbox."""
    with ImapClient(host, port) as client:
        client.login(USER, PASSWORD)
        client.command(b"SELECT " + mailbox)
        yield client


# -- measuring -------------------------------------------------------------------------------------------------------


def timed(client: ImapClient, command: bytes) -> float:
    """Seconds until the whole response was there."""
    begun = time.perf_counter()
    client.count_octets(command)
    return time.perf_counter() - begun


def first_times(place: tuple[str, int], count: int, noops: Noops) -> list[Figure]:
    """What the first program pays after a start: nothing of the mailbox has been read yet."""
    with session(*place) as client:
        first = noops.meanwhile(lambda: rate(client, HEADERS, count))
    return [Figure(f"headers of {count:,}, the first time", first, "/s")]


def time_of(
    name: str,
    ours: ImapClient,
    command: bytes,
    count: int,
    rounds: int,
    must: Must | None,
    others: Mapping[str, tuple[ImapClient, int]],
) -> list[Figure]:
    """Milliseconds of a command, in turns with Dovecot, which has as many messages; the stock server lacks SEARCH."""
    contenders = {"": ours} | {other: client for other, (client, _) in others.items() if other == DOVECOT}
    times = in_turns({each: partial(timed, client, command) for each, client in contenders.items()}, rounds)
    value = statistics.median(times[""]) * 1e3
    figure = Figure(f"{name} of {count:,}", value, "ms", must)
    return [
        replace(figure, compared_to=other, ratio=median_ratio(times[""], theirs))
        for other, theirs in times.items()
        if other
    ] or [figure]


def fetch_rates(
    ours: ImapClient, count: int, others: Mapping[str, tuple[ImapClient, int]], noops: Noops, rounds: int
) -> list[Figure]:
    """Messages per second of the three fetches; the stock server gets fewer messages, its rate is the same."""
    figures = []
    for name, command, least in FETCHES:
        contenders: dict[str, Callable[[], float]] = {
            "": partial(noops.meanwhile, partial(rate, ours, command, count)),
            **{other: partial(rate, client, command, have) for other, (client, have) in others.items()},
        }
        for client in (ours, *(client for client, _ in others.values())):
            timed(client, command)
        rates = in_turns(contenders, rounds)
        value = statistics.median(rates[""])
        figures += [
            Figure(f"{name} of {count:,}", value, "/s", Must(least), other, median_ratio(rates[""], rates[other]))
            for other in others
        ]
    return figures


def rate(client: ImapClient, command: bytes, count: int) -> float:
    """Messages per second."""
    return count / timed(client, command)


def search_times(
    ours: ImapClient, count: int, others: Mapping[str, tuple[ImapClient, int]], noops: Noops, rounds: int
) -> list[Figure]:
    """Searches through all messages, of which one is found."""
    header = f'SEARCH HEADER Subject "meeting {count:08d}"'.encode()
    assert ours.command(header).split(b"\r\n")[0] == b"* SEARCH %d" % count
    body = f'SEARCH BODY "This is mail {count}."'.encode()
    return noops.meanwhile(
        lambda: [
            *time_of("SEARCH of a header", ours, header, count, rounds, Must(100, at_least=False), others),
            *time_of("SEARCH of bodies", ours, body, count, rounds, Must(1000, at_least=False), others),
        ]
    )


def append_rates(gateway: GatewayProcess, each: int, rounds: int) -> list[Figure]:
    """Durable APPENDs over ten connections at the same time, and an eleventh that sees none of it."""
    place, numbers = gateway.listener("imap starttls"), itertools.count()

    def append_some(client: ImapClient) -> None:
        for _ in range(each):
            client.append("Drafts", mail(next(numbers), SIZE))

    with ExitStack() as stack:
        clients = [stack.enter_context(session(*place, b"Drafts")) for _ in range(CONNECTIONS)]
        threads = stack.enter_context(ThreadPoolExecutor(CONNECTIONS))
        noops = Noops(stack.enter_context(session(*place)))
        before = cpu_seconds(gateway.pid)
        times = [
            noops.meanwhile(lambda: seconds(lambda: list(threads.map(append_some, clients)))) for _ in range(rounds)
        ]
        spent = cpu_seconds(gateway.pid) - before
    mails = each * CONNECTIONS
    return [
        Figure(f"APPEND over {CONNECTIONS} connections", mails / statistics.median(times), "/s", Must(500)),
        Figure("processor time of the gateway for an APPEND", spent / (mails * rounds) * 1e3, "ms"),
        Figure("NOOP during APPENDs, p99", percentile(noops.delays, 99) * 1e3, "ms", Must(20, at_least=False)),
    ]


if __name__ == "__main__":
    main()
