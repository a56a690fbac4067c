"""Clients that read a large mail slowly, or stop within it, cost the gateway little memory (I7).

One takes a mail of 100 MB a quarter of a megabyte at a time, by IMAP, by IMAP over TLS and by POP3; then fifty at once
ask for a mail of 3 MB, read its beginning and no more. Measured is how much the resident memory of a gateway that was
just started grows meanwhile.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bench_imap import filled_gateway
from clients import PASSWORD, USER, ImapClient, LineClient, Pop3Client, any_certificate
from common import Figure, Must, Options, forget_peak, megabytes, read_options, report

from bmgate.localnet import GatewayProcess

MILLION = 1_000_000
SIP = 256 * 1024  # octets
PAUSE_SECONDS = 0.002
SETTLE_SECONDS = 1.0
IMAP, IMAPS, POP3 = "imap starttls", "imap", "pop3 starttls"
NAMES = {IMAP: "IMAP", IMAPS: "IMAP over TLS", POP3: "POP3"}
FETCH = b"f FETCH 1 BODY.PEEK[]"
RETR = b"RETR 1"


def main() -> None:
    options = read_options(__doc__)
    report(options, "Slow readers of large mail: memory of the gateway", measure(options))


def measure(options: Options) -> list[Figure]:
    """A new gateway for each figure, so that none finds the memory of another."""
    large, medium, readers = options.pick((100, 3, 50), (20, 3, 20), (2, 1, 2))
    return [
        *[slow_reader(door, large) for door in NAMES],
        *(figure for door in (IMAP, IMAPS) for figure in stalled_readers(door, medium, readers)),
    ]


def slow_reader(door: str, size: int) -> Figure:
    """One client that takes a mail of `size` MB to its end."""
    with filled_gateway(1, size * MILLION) as gateway, session(gateway, door) as client:
        forget_peak(gateway.pid)  # checking a password takes 64 MiB for a moment
        before = megabytes(gateway.pid, "VmRSS")
        client.begin(RETR if door == POP3 else FETCH)
        left = size * MILLION
        while left > MILLION // 10:  # the mails are a little smaller than was asked for
            left -= client.sip(SIP)
            time.sleep(PAUSE_SECONDS)
        grown = megabytes(gateway.pid, "VmHWM") - before
    return Figure(f"one mail of {size} MB by {NAMES[door]}: memory", grown, "MB", Must(32, at_least=False))


def stalled_readers(door: str, size: int, count: int) -> list[Figure]:
    """Clients that have asked for a mail of `size` MB and stop reading."""
    with filled_gateway(1, size * MILLION) as gateway, ExitStack() as stack:
        clients = [stack.enter_context(session(gateway, door)) for _ in range(count)]
        before = megabytes(gateway.pid, "VmRSS")
        for client in clients:
            client.begin(FETCH)
            client.sip(1)
        time.sleep(SETTLE_SECONDS)
        grown = megabytes(gateway.pid, "VmRSS") - before
    what = f"{count} that stop within a mail of {size} MB, {NAMES[door]}"
    return [
        Figure(f"{what}: memory", grown, "MB"),
        Figure(f"{what}: memory of one", grown * MILLION / count / 1024, "KiB", Must(1024, at_least=False)),
    ]


@contextmanager
def session(gateway: GatewayProcess, door: str) -> Iterator[LineClient]:
    """A client that has logged in and can ask for the mail."""
    host, port = gateway.listener(door)
    if door == POP3:
        with Pop3Client(host, port) as client:
            client.login(USER, PASSWORD)
            yield client
        return
    with ImapClient(host, port, any_certificate() if door == IMAPS else None) as imap:
        imap.login(USER, PASSWORD)
        imap.command(b"SELECT INBOX")
        yield imap


if __name__ == "__main__":
    main()
