"""A mail reaches the other side's mail program within a second of its 250, beyond the work itself.

Two gateways of the test network as processes of their own. Time runs from the 250 of SMTP here to the EXISTS that IMAP
IDLE pushes there, and on to the push that says the acknowledgement came back. The expected work of message and
acknowledgement is taken off; on the test network it is a few milliseconds.
"""

import time
from dataclasses import dataclass

from clients import PASSWORD, ImapClient, SmtpClient
from common import Figure, Must, Options, percentile, read_options, report, scratch
from mails import mail

from bmgate.bm.acks import ack_ttl
from bmgate.bm.network import TESTNET
from bmgate.localnet import GatewayProcess, Login, local_network
from bmgate.pow.target import expected_trials

SIZE = 1000
OVERHEAD, ACK_SIZE = 462, 54  # octets of a msg around its text, and of an acknowledgement
TTL_SECONDS = 4 * 86_400


@dataclass(frozen=True, slots=True)
class Trip:
    """Seconds: until the 250, from there until the push to the recipient, and until the sender knew."""

    accepted: float
    arrived: float
    acked: float


def main() -> None:
    options = read_options(__doc__)
    report(options, "Mail to mail: from the 250 here to the IMAP push there", measure(options))


def measure(options: Options) -> list[Figure]:
    """Mails one after the other, after a first one that fetches the recipient's key; then the other way.

    The second gateway has made the connection, as a node of the real network makes most of its own, so its objects have
    a stem to begin in; those of the first wait until the time for that is over.
    """
    count = options.pick(100, 10, 2)
    with scratch() as folder, local_network(folder, 2) as (called, caller):
        alice, bob = called.add_account("alice", PASSWORD), caller.add_account("bob", PASSWORD)
        trips = send_mails(caller, bob, called, alice, count + 1)
        work = expected_work(caller)
        back = send_mails(called, alice, caller, bob, count + 1)
    return [*figures(trips[1:], work, trips[0]), *figures_back(back[1:], work)]


def send_mails(here: GatewayProcess, alice: Login, there: GatewayProcess, bob: Login, count: int) -> list[Trip]:
    """`count` trips from Alice here to Bob there."""
    sender, recipient = f"{alice.address}@bm.internal", f"{bob.address}@bm.internal"
    with (
        SmtpClient(*here.listener("smtp starttls")) as smtp,
        ImapClient(*here.listener("imap starttls")) as sent,
        ImapClient(*there.listener("imap starttls")) as inbox,
    ):
        smtp.login(alice.user, PASSWORD)
        for client, login, mailbox in ((sent, alice, b"Sent"), (inbox, bob, b"INBOX")):
            client.login(login.user, PASSWORD)
            client.command(b"SELECT " + mailbox)
            client.idle()
        trips = []
        for number in range(1, count + 1):
            begun = time.perf_counter()
            smtp.send(sender, recipient, mail(number, SIZE, sender, recipient))
            accepted = time.perf_counter()
            arrived = inbox.push(b" EXISTS")
            acked = sent.push(b"* %d FETCH " % number, b"bm-acked")
            trips.append(Trip(accepted - begun, arrived - accepted, acked - accepted))
    return trips


def expected_work(gateway: GatewayProcess) -> float:
    """Seconds of one processor for a msg and its acknowledgement at the network's minimum."""
    minimum = (TESTNET.nonce_trials_per_byte, TESTNET.payload_length_extra_bytes)
    msg = expected_trials(SIZE + OVERHEAD, TTL_SECONDS, *minimum)
    ack = expected_trials(ACK_SIZE, ack_ttl(TTL_SECONDS), *minimum)
    rate: float = gateway.status()["work"]["trials_per_second"]
    return (msg + ack) / rate


def figures(trips: list[Trip], work: float, first: Trip) -> list[Figure]:
    """p50 and p99 of all parts, in milliseconds."""
    arrived = [(trip.arrived - work) * 1e3 for trip in trips]
    acked = [(trip.acked - work) * 1e3 for trip in trips]
    accepted = [trip.accepted * 1e3 for trip in trips]
    return [
        Figure(f"250 to push, p50 of {len(trips)}", percentile(arrived, 50), "ms", Must(1000, at_least=False)),
        Figure("250 to push, p99", percentile(arrived, 99), "ms"),
        Figure("250 to acknowledged, p50", percentile(acked, 50), "ms"),
        Figure("250 to acknowledged, p99", percentile(acked, 99), "ms"),
        Figure("MAIL to 250, p50", percentile(accepted, 50), "ms"),
        Figure("MAIL to 250, p99", percentile(accepted, 99), "ms"),
        Figure("first mail, its key asked for, 250 to push", (first.arrived - work) * 1e3, "ms"),
        Figure("expected work, taken off everywhere", work * 1e3, "ms"),
    ]


def figures_back(trips: list[Trip], work: float) -> list[Figure]:
    """The way of a node that others have called and that has called nobody."""
    arrived = [(trip.arrived - work) * 1e3 for trip in trips]
    return [
        Figure("without a stem, 250 to push, p50", percentile(arrived, 50), "ms", Must(1000, at_least=False)),
        Figure("without a stem, 250 to push, p99", percentile(arrived, 99), "ms"),
    ]


if __name__ == "__main__":
    main()
