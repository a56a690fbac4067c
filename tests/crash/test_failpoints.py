"""Death at each named point between a mail's arrival and its ack: afterwards everything goes on (D3, O2, O3, C3)."""

from contextlib import suppress
from pathlib import Path

from crashes import Ledger, Writer, assert_clean, assert_kept
from gateways import MailUser, two_users

from bmgate.errors import Unavailable

KILLED = 137

SENDER_POINTS = [
    "submission.begin",
    "submission.stored",
    "submission.committed",
    "storage.begin",
    "storage.before_commit",
    "storage.after_commit",
    "outbox.PUBKEY_FOUND",
    "outbox.PUBKEY_FOUND.committed",
    "outbox.ACK_CHOSEN",
    "outbox.ACK_CHOSEN.committed",
    "outbox.BUILT",
    "outbox.BUILT.committed",
    "outbox.WORK_DONE",
    "outbox.WORK_DONE.committed",
    "outbox.ACK_SEEN",
    "outbox.ACK_SEEN.committed",
]
RECEIVER_POINTS = ["receiving.recorded", "receiving.committed", "delivery.store"]


def test_a_death_at_each_point_costs_nothing(tmp_path: Path) -> None:
    """Each life begins with what the one before left undone, and dies at the next point: in recovery, or soon after."""
    ledger = Ledger(tmp_path / "ledger")
    with two_users(tmp_path) as (alice, bob):
        Writer("first", alice, bob, ledger).send_until_it_breaks(1)
        assert_kept(ledger, alice, bob)
        for victim, points in ((alice, SENDER_POINTS), (bob, RECEIVER_POINTS)):
            victim.gateway.stop()
            writers = [_die(victim, point, Writer(point, alice, bob, ledger)) for point in points]
            victim.gateway.start()
            for writer in writers:
                if not writer.sent:
                    writer.send_until_it_breaks(1)
                assert writer.sent
        assert_kept(ledger, alice, bob)


def _die(victim: MailUser, point: str, writer: Writer) -> Writer:
    with suppress(Unavailable):  # it may die before it is ready
        victim.gateway.start({"BMGATE_FAILPOINT": point})
        writer.send_until_it_breaks(1)
    assert victim.gateway.wait(30) == KILLED, point
    assert_clean(victim)
    return writer
