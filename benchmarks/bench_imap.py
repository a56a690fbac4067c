"""IMAP lists and reads a mailbox of 10,000 messages as fast as its clients take it, and others do not notice.

Mails of 4 kB on SQLite, sealed at L0; no TLS, so that the server's own work shows. Headers are UID, FLAGS, RFC822.SIZE
and the 17 fields that Thunderbird asks for; bodies are whole messages. Beside it, in turns, the stock Twisted
IMAP4Server over a mailbox in memory, where nothing is sealed and headers are parsed beforehand.
"""

import asyncio
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from clients import PASSWORD, USER, ImapClient
from common import (
    Figure,
    Must,
    Options,
    forget_peak,
    in_turns,
    median_ratio,
    megabytes,
    peer,
    percentile,
    read_options,
    report,
    scratch,
    seconds,
)
from mails import BASE_TIME, FIELDS, mail

from bmgate.app import open_gateway
from bmgate.config import parse_config
from bmgate.datafolder import DataFolder
from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import Flags, MailboxKind
from bmgate.domain.ports.database import Store
from bmgate.localnet import GatewayProcess, free_hosts, prepare_folder
from bmgate.services.mailboxes import indexed

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
STOCK = "stock Twisted in memory"


class Noops:
    """NOOPs on another connection, one after the other with a short pause, while something else is measured."""

    def __init__(self, client: ImapClient) -> None:
        self._client = client
        self.delays: list[float] = []

    def meanwhile(self, work: Callable[[], float]) -> float:
        """What `work` returns."""
        over = threading.Event()
        with ThreadPoolExecutor(1) as thread:
            asking = thread.submit(self._ask, over)
            try:
                return work()
            finally:
                over.set()
                asking.result()

    def _ask(self, over: threading.Event) -> None:
        self.delays.append(timed(self._client, b"NOOP"))
        while not over.wait(NOOP_PAUSE_SECONDS):
            self.delays.append(timed(self._client, b"NOOP"))


def main() -> None:
    options = read_options(__doc__)
    report(options, "IMAP: a large mailbox over one connection, no TLS", measure(options))


def measure(options: Options) -> list[Figure]:
    """One gateway and one stock server, both filled with the same mails."""
    count, rounds = options.pick(10_000, 2_000, 20), options.pick(5, 3, 1)
    stock_count = options.pick(2_000, 500, 20)
    with ExitStack() as stack:
        gateway = stack.enter_context(filled_gateway(count))
        ours = stack.enter_context(session(*gateway.listener("imap starttls")))
        stock_port, _ = stack.enter_context(peer("peer_imap.py", str(stock_count), str(SIZE)))
        stock = stack.enter_context(session("127.0.0.1", stock_port))
        noops = Noops(stack.enter_context(session(*gateway.listener("imap starttls"), b"Drafts")))
        forget_peak(gateway.pid)
        figures = [select_time(ours, count, rounds)]
        figures += fetch_rates(ours, count, stock, stock_count, noops, rounds)
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
            search_time(ours, count, rounds),
            Figure("resident memory, peak meanwhile", megabytes(gateway.pid, "VmHWM"), "MB", Must(150, at_least=False)),
            append_rate(gateway, options.pick(100, 20, 1)),
        ]
    return figures


# -- filling ---------------------------------------------------------------------------------------------------------


@contextmanager
def filled_gateway(count: int) -> Iterator[GatewayProcess]:
    """A running gateway with one account, `count` mails in its INBOX."""
    with scratch() as folder:
        own = folder / "gateway"
        prepare_folder(own, free_hosts(1)[0], LIMITS, int(time.time()))
        asyncio.run(fill(own, count))
        with GatewayProcess(own) as gateway:
            gateway.start()
            yield gateway


async def fill(folder: Path, count: int) -> None:
    """Make the account and store its mail, as deliveries do but many in a transaction."""
    data = DataFolder(folder)
    config = parse_config(data.config.read_text(encoding="utf-8"), str(data.config))
    gateway = open_gateway(data, config, "benchmark")
    try:
        await gateway.accounts.add(USER, PASSWORD)
        account = await gateway.accounts.named(USER)
        for start in range(0, count, BATCH):
            numbers = range(start + 1, min(start + BATCH, count) + 1)
            await gateway.database.transact(partial(deliver, account.id, numbers))
    finally:
        await gateway.close()


def deliver(account: AccountId, numbers: range, store: Store) -> None:
    """Store the mails of these numbers."""
    mine = store.account(account)
    inbox = mine.mailboxes.by_kind(MailboxKind.INBOX)
    for number in numbers:
        content = mine.messages.add_content(indexed(mail(number, SIZE)).content())
        mine.messages.append(inbox.id, content, Flags.NONE, (), BASE_TIME + number)


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


def select_time(ours: ImapClient, count: int, rounds: int) -> Figure:
    """Opening the mailbox again."""
    times = [timed(ours, b"SELECT INBOX") for _ in range(rounds)]
    return Figure(f"SELECT of {count:,} messages", statistics.median(times) * 1e3, "ms", Must(50, at_least=False))


def fetch_rates(
    ours: ImapClient, count: int, stock: ImapClient, stock_count: int, noops: Noops, rounds: int
) -> list[Figure]:
    """Messages per second of the three fetches; the stock server gets fewer messages, its rate is the same."""
    figures = []
    for name, command, least in FETCHES:
        contenders = {
            "ours": partial(noops.meanwhile, partial(rate, ours, command, count)),
            "stock": partial(rate, stock, command, stock_count),
        }
        timed(ours, command)
        rates = in_turns(contenders, rounds)
        ratio = median_ratio(rates["ours"], rates["stock"])
        must = Must(least)
        figures.append(Figure(f"{name} of {count:,}", statistics.median(rates["ours"]), "/s", must, STOCK, ratio))
    return figures


def rate(client: ImapClient, command: bytes, count: int) -> float:
    """Messages per second."""
    return count / timed(client, command)


def search_time(ours: ImapClient, count: int, rounds: int) -> Figure:
    """A search in a header field of all messages; one of them has it."""
    command = f'SEARCH HEADER Subject "meeting {count:08d}"'.encode()
    assert ours.command(command).split(b"\r\n")[0] == b"* SEARCH %d" % count
    rates = [rate(ours, command, count) for _ in range(rounds)]
    return Figure(f"SEARCH HEADER in {count:,}", statistics.median(rates), "/s")


def append_rate(gateway: GatewayProcess, each: int) -> Figure:
    """Durable APPENDs over ten connections at the same time."""
    place = gateway.listener("imap starttls")

    def append_all(client: ImapClient, numbers: range) -> None:
        for number in numbers:
            client.append("Drafts", mail(number, SIZE))

    with ExitStack() as stack:
        clients = [stack.enter_context(session(*place, b"Drafts")) for _ in range(CONNECTIONS)]
        shares = [range(at * each, (at + 1) * each) for at in range(CONNECTIONS)]
        threads = stack.enter_context(ThreadPoolExecutor(CONNECTIONS))
        elapsed = seconds(lambda: list(threads.map(append_all, clients, shares)))
    return Figure(f"APPEND over {CONNECTIONS} connections", each * CONNECTIONS / elapsed, "/s")


if __name__ == "__main__":
    main()
