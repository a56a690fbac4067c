"""What the SMTP door itself costs: its dialogue, refused mails of 40 MB, mails made to take long.

The services behind it know one account, read mails and store nothing. Beside it, in turns, aiosmtpd with an empty
handler.
"""

import base64
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from clients import PASSWORD, USER, SmtpClient
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
    read_options,
    repeated,
    report,
)
from mails import mail

CONNECTIONS = 20
SIZE = 1000
HUGE = 40_000_000
HUGE_CONNECTIONS = 8
LINE = b"x" * 76 + b"\r\n"
SENDER, RECIPIENT = "alice@bm.internal", "bob@bm.internal"
BOMBS = {
    "parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 400_000,
    "base64": b"Content-Transfer-Encoding: base64\r\n\r\n" + (base64.b64encode(b"\xff" * 57) + b"\r\n") * 50_000,
    "quoted-printable": b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=3D=\r\n" * 600_000,
    "HTML": b"Content-Type: text/html\r\n\r\n" + (b"<" * 60_000 + b"\r\n") * 60,
    "fields": b"".join(b"X-%d: y\r\n" % number for number in range(100_000)) + b"\r\n",
}


def main() -> None:
    options = read_options(__doc__)
    report(options, "SMTP: the door alone", measure(options))


def measure(options: Options) -> list[Figure]:
    with peer("peer_door.py") as (port, pid), peer("peer_smtp.py") as (other, _):
        return [*dialogue_figures(options, port, pid, other), *bomb_figures(options, port), *huge_figures(port, pid)]


def dialogue_figures(options: Options, port: int, pid: int, other: int) -> list[Figure]:
    """Small mails over many connections."""
    rounds, each = options.pick(7, 3, 1), options.pick(100, 50, 1)
    ours, empty = connected(port, CONNECTIONS, log_in=True), connected(other, CONNECTIONS, log_in=False)
    contenders: dict[str, Callable[[], float]] = {
        "ours": lambda: send_all(ours, each),
        "empty": lambda: send_all(empty, each),
    }
    in_turns(contenders, 1)
    before = cpu_seconds(pid)
    rates = in_turns(contenders, rounds)
    spent = (cpu_seconds(pid) - before) / (rounds * each * CONNECTIONS)
    return [
        Figure(
            f"mails of {SIZE} octets over {CONNECTIONS} connections",
            statistics.median(rates["ours"]),
            "/s",
            None,
            "aiosmtpd, empty handler",
            median_ratio(rates["ours"], rates["empty"]),
        ),
        Figure("processor time for a mail", spent * 1e6, "us"),
    ]


def bomb_figures(options: Options, port: int) -> list[Figure]:
    """The longest another client waits for the answer to a NOOP, in the best of some rounds."""
    client, bystander = connected(port, 2, log_in=True)
    worst = 0.0
    for bomb in BOMBS.values():
        tries = [longest_noop(client, bystander, b"Subject: bomb\r\n" + bomb) for _ in range(options.pick(5, 3, 1))]
        worst = max(worst, min(tries))
    name = f"NOOP of others while {len(BOMBS)} bombs of up to 4 MB come, worst"
    return [Figure(name, worst * 1e3, "ms", Must(100, at_least=False))]


def huge_figures(port: int, pid: int) -> list[Figure]:
    """Mails beyond the limit."""
    before = megabytes(pid, "VmRSS")
    forget_peak(pid)
    clients = connected(port, HUGE_CONNECTIONS, log_in=True)
    huge = LINE * (HUGE // len(LINE))
    with ThreadPoolExecutor(HUGE_CONNECTIONS) as threads:
        for sent in [threads.submit(refused, client, huge) for client in clients]:
            sent.result()
    name = f"memory for {HUGE_CONNECTIONS} mails of 40 MB at once, refused"
    return [Figure(name, megabytes(pid, "VmHWM") - before, "MB", Must(64, at_least=False))]


def connected(port: int, count: int, *, log_in: bool) -> list[SmtpClient]:
    clients = [SmtpClient("127.0.0.1", port) for _ in range(count)]
    for client in clients if log_in else ():
        client.login(USER, PASSWORD)
    return clients


def send_all(clients: list[SmtpClient], each: int) -> float:
    """Mails per second."""
    mails = [mail(number, SIZE, SENDER, RECIPIENT) for number in range(each)]

    def send(client: SmtpClient) -> None:
        for one in mails:
            client.send(SENDER, RECIPIENT, one)

    begun = time.perf_counter()
    with ThreadPoolExecutor(len(clients)) as threads:
        list(threads.map(send, clients))
    return each * len(clients) / (time.perf_counter() - begun)


def longest_noop(client: SmtpClient, bystander: SmtpClient, bomb: bytes) -> float:
    """Seconds."""
    with repeated(partial(bystander.command, b"NOOP", b"250")) as delays:
        refused(client, bomb)
    return max(delays)


def refused(client: SmtpClient, raw: bytes) -> None:
    """A mail whose fate is of no interest."""
    client.command(b"MAIL FROM:<%b>" % SENDER.encode(), b"250")
    client.command(b"RCPT TO:<%b>" % RECIPIENT.encode(), b"250")
    client.command(b"DATA", b"354")
    client.command(raw + b".", b"")


if __name__ == "__main__":
    main()
