"""The queue as its owner sees it: prices, progress, priorities, and watching."""

import asyncio

import pytest
from fakes import FakeClock, FakeSolver
from stations import MakeStation, Settings, Station, User
from strangers import Stranger, send

from bmgate.bm.network import TESTNET
from bmgate.domain.outbox import OutgoingMessage, State
from bmgate.domain.ports.world import Urgency
from bmgate.errors import Missing, NotAllowed, TooLarge
from bmgate.mail.wishes import Priority
from bmgate.services.outbound.queue import Queue, QueueEntry, QueueNews
from bmgate.services.outbound.submission import SubmissionOptions


async def shown(user: User, name: str = "") -> QueueEntry:
    """The only entry of the user's only mail, or of the one of that name."""
    wanted = name or (await user.rows())[0].name
    (entry,) = await user.station.services.queue.show(user.id, wanted)
    return entry


async def the_row(user: User) -> OutgoingMessage:
    (row,) = await user.rows()
    return row


async def report(station: Station, share: float) -> None:
    """The job that waits says how far it is: `share` of its expected work was tried."""
    nonce = int(station.solver.queue[0].expected_trials * share)
    station.solver.tried[station.solver.queue[0].initial_hash] = nonce
    station.solver.reports[0](nonce)
    await station.settle()


class Watcher:
    """Collects what a watch tells."""

    def __init__(self) -> None:
        self.news: list[QueueNews] = []

    async def tell(self, news: QueueNews) -> None:
        self.news.append(news)

    @property
    def states(self) -> list[list[str]]:
        """Name and state of the rows in each portion of news that has rows."""
        return [[f"{row.message.n} {row.message.state}" for row in news.rows] for news in self.news if news.rows]


async def test_the_price_before_anything_is_built_is_nearly_that_of_what_is_built(station: Station) -> None:
    alice, stranger = await station.add_user("alice"), Stranger(station)
    station.solver.held = True
    await send(alice, stranger, body="x" * 3000)
    before = await shown(alice)
    assert before.row.message.state is State.NEED_PUBKEY
    assert before.row.worked_on == "getpubkey"
    assert before.price.getpubkey > 0
    await stranger.publish_key()
    ack = await shown(alice)
    assert (ack.row.message.state, ack.row.worked_on, ack.price.getpubkey) == (State.ACK_POW, "ack", 0)
    assert ack.price.ack == pytest.approx(before.price.ack, rel=0.01)
    station.solver.release()
    await station.settle()
    msg = await shown(alice)
    assert (msg.row.message.state, msg.row.worked_on, msg.price.ack) == (State.BUILT, "msg", 0)
    assert msg.price.msg == pytest.approx(before.price.msg, rel=0.01)
    assert msg.price_seconds == pytest.approx(msg.price.trials / station.solver.trials_per_second)
    station.solver.held = False
    station.solver.release()
    await station.settle()
    sent = await shown(alice)
    assert (sent.price.trials, sent.row.work, sent.row.worked_on) == (0, None, "")


async def test_a_recipient_who_demands_more_costs_more(station: Station) -> None:
    alice = await station.add_user("alice")
    station.solver.held = True
    await send(alice, await Stranger(station).known(), body="a", message_id="<1@x>")
    await send(alice, await Stranger(station, nonce_trials_per_byte=5).known(), body="a", message_id="<2@x>")
    cheap, dear = [await shown(alice, row.name) for row in await alice.rows()]
    assert dear.price.msg == pytest.approx(5 * cheap.price.msg, rel=0.05)
    assert dear.price.ack == pytest.approx(cheap.price.ack, rel=0.01)


async def test_the_receipt_tells_the_price_that_the_recipient_demands(make_station: MakeStation) -> None:
    settings = Settings(submission=SubmissionOptions(max_work_seconds=1))
    station = await make_station(settings)
    alice, dear = await station.add_user("alice"), await Stranger(station, nonce_trials_per_byte=5).known()
    station.solver.held = True
    receipt = await alice.send(dear.as_user(alice))
    await station.settle()
    assert receipt.seconds == pytest.approx((await shown(alice)).price_seconds, rel=0.02)
    station.solver.trials_per_second = 1e4
    with pytest.raises(TooLarge, match="demands 5 times the usual work"):
        await alice.send(dear.as_user(alice), body="more")


async def test_progress_is_the_solvers_and_without_it_what_was_saved(station: Station) -> None:
    alice = await station.add_user("alice")
    station.solver.held = True
    await send(alice, await Stranger(station).known())
    await report(station, 0.5)
    (row,) = await station.services.queue.rows(alice.id, unfinished_only=True)
    assert row.work is not None
    assert row.work.running
    assert row.work.probability == pytest.approx(0.393, abs=0.01)
    alone = Queue(station.database, station.services.sending, FakeSolver(), station.clock, TESTNET)
    (saved,) = await alone.rows(alice.id)
    assert saved.work is not None
    assert not saved.work.running
    assert saved.work.probability == pytest.approx(row.work.probability, abs=0.01)
    assert saved.work.likely_seconds == pytest.approx(3 * saved.work.mean_seconds)


async def test_the_copy_in_sent_shows_each_quarter_of_the_work_once(station: Station) -> None:
    alice = await station.add_user("alice")
    station.solver.held = True
    await send(alice, await Stranger(station).known(), body="x" * 1000)
    seen = [set((await alice.keywords())[0])]
    for _ in range(2):  # the ack, then the msg
        for share in (0.1, 0.3, 0.5, 1.0, 1.1, 2.0, 3.0, 5.0):
            await report(station, share)
            words = set((await alice.keywords())[0])
            if words != seen[-1]:
                seen.append(words)
        station.solver.release()
        await station.settle()
    quarters = [{"bm-pending", "bm-pow", f"bm-pow{percent}"} for percent in (25, 50, 75)]
    assert seen == [{"bm-pending"}, *quarters]
    assert await alice.keywords() == [("bm-sent",)]


async def test_work_for_one_recipient_of_four_is_a_quarter_of_the_mail(station: Station) -> None:
    alice = await station.add_user("alice")
    others = [(await Stranger(station).known()).as_user(alice) for _ in range(4)]
    station.solver.held = True
    await alice.send(*others)
    await station.settle()
    for _ in range(2):
        await report(station, 9.0)
    assert set((await alice.keywords())[0]) == {"bm-pending"}, "an ack is less than half of the first"


async def test_work_that_is_begun_anew_shows_no_progress(station: Station, clock: FakeClock) -> None:
    alice = await station.add_user("alice")
    station.solver.held = True
    await send(alice, await Stranger(station).known())
    await report(station, 9.0)
    assert "bm-pow" in (await alice.keywords())[0]
    await station.crash()
    clock.advance(40 * 86_400)  # the ack is outdated: O7
    await station.start()
    assert (await the_row(alice)).attempt == 2
    assert await alice.keywords() == [("bm-pending",)]


async def test_a_late_report_on_an_older_payload_is_no_progress_of_the_new_one(station: Station) -> None:
    alice = await station.add_user("alice")
    station.solver.held = True
    await send(alice, await Stranger(station).known())
    late = station.solver.reports[0]
    station.solver.release()
    await station.settle()
    late(999)
    await station.settle()
    row = await the_row(alice)
    assert (row.state, row.saved_nonce) == (State.BUILT, 0)


async def test_the_wish_of_the_mail_orders_the_work_of_its_account(station: Station) -> None:
    alice, stranger = await station.add_user("alice"), await Stranger(station).known()
    station.solver.held = True
    await send(alice, stranger, raw=b"X-Priority: 1\r\nSubject: s\r\n\r\nhigh\r\n")
    await send(alice, stranger, raw=b"Subject: s\r\n\r\nnormal\r\n")
    await send(alice, stranger, raw=b"Importance: low\r\nSubject: s\r\n\r\nlow\r\n")
    assert [job.rank for job in station.solver.queue] == [1, 3, 5]
    assert {job.urgency for job in station.solver.queue} == {Urgency.MAIL}


async def test_a_mail_whose_ack_is_done_is_finished_before_others_are_begun(station: Station) -> None:
    alice, stranger = await station.add_user("alice"), await Stranger(station).known()
    station.solver.held = True
    for body in ("one", "two", "three"):
        await send(alice, stranger, body=body)
    station.solver.release()
    await station.settle()
    assert [job.rank for job in station.solver.queue] == [3, 3, 2]


async def test_a_priority_changed_later_is_kept_and_moves_the_work(station: Station) -> None:
    alice, queue = await station.add_user("alice"), station.services.queue
    station.solver.held = True
    await send(alice, await Stranger(station).known())
    name = (await the_row(alice)).queue_id
    (row,) = await queue.prioritise(alice.id, name, Priority.HIGH)
    assert row.priority is Priority.HIGH
    assert station.solver.queue[0].rank == 1
    station.solver.release()
    await station.settle()
    assert (station.solver.queue[0].rank, (await the_row(alice)).state) == (0, State.BUILT)
    await station.crash()
    await station.start()
    assert station.solver.queue[0].rank == 0
    await queue.cancel(alice.id, name)
    with pytest.raises(NotAllowed, match="cancelled"):
        await queue.prioritise(alice.id, name, Priority.LOW)


async def test_watching_tells_what_changes_until_all_is_final(station: Station, clock: FakeClock) -> None:
    alice, watcher = await station.add_user("alice"), Watcher()
    others = [(await Stranger(station).known()).as_user(alice) for _ in range(2)]
    station.solver.held = True
    await alice.send(*others)
    await station.settle()
    name = (await alice.rows())[0].queue_id
    watching = asyncio.create_task(station.services.queue.watch(alice.id, name, watcher.tell))

    async def look() -> None:
        await station.settle()
        clock.advance(0.5)
        await station.settle()

    await look()
    assert watcher.states == [["1 ACK_POW", "2 ACK_POW"]]
    assert watcher.news[0].backlog.jobs == 2
    await look()
    assert len(watcher.news) == 1, "nothing changed"
    await report(station, 0.5)
    await look()
    assert [len(states) for states in watcher.states[1:]] == [1], "the one that got on"
    for row in await alice.rows():
        await station.services.queue.cancel(alice.id, row.name)
    await look()
    assert watcher.states[2:] == [["1 CANCELLED", "2 CANCELLED"]]
    assert watching.done()
    await watching


async def test_watching_everything_follows_new_mail_and_ends_with_the_last(station: Station, clock: FakeClock) -> None:
    alice, watcher, queue = await station.add_user("alice"), Watcher(), station.services.queue
    await queue.watch(alice.id, "", watcher.tell)
    assert watcher.states == [], "nothing is on its way"
    station.solver.held = True
    stranger = await Stranger(station).known()
    await send(alice, stranger, body="one")
    watching = asyncio.create_task(queue.watch(alice.id, "", watcher.tell))
    await station.settle()
    await send(alice, stranger, body="two")
    for row in await alice.rows():
        clock.advance(0.5)
        await station.settle()
        await queue.cancel(alice.id, row.name)
    clock.advance(0.5)
    await station.settle()
    assert watcher.states == [["1 ACK_POW"], ["1 ACK_POW"], ["1 CANCELLED"], ["1 CANCELLED"]]
    await watching


async def test_nobody_watches_the_queue_of_another(station: Station) -> None:
    alice, bob, watcher = await station.add_user("alice"), await station.add_user("bob"), Watcher()
    station.solver.held = True
    await send(alice, await Stranger(station).known())
    with pytest.raises(Missing):
        await station.services.queue.watch(bob.id, (await the_row(alice)).queue_id, watcher.tell)
    await station.services.queue.watch(bob.id, "", watcher.tell)
    assert watcher.states == []
