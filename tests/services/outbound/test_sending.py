"""Sending: what each state waits for, what the sender is told, and what a restart takes up."""

from dataclasses import replace

import pytest
from fakes import FakeClock
from stations import MakeStation, Settings, Station, User
from storage_fixtures import new_identity
from strangers import Stranger, send

from bmgate.bm.acks import ack_object
from bmgate.bm.objects import ObjectType, read_object
from bmgate.bm.plaintext import Behavior
from bmgate.domain.identity import Identity
from bmgate.domain.mailbox import MailboxKind
from bmgate.domain.objects import StoredObject
from bmgate.domain.outbox import OutgoingMessage, Reason, State
from bmgate.domain.policy import Policy
from bmgate.errors import Missing, NotAllowed

DAY = 86_400


async def the_row(alice: User) -> OutgoingMessage:
    (row,) = await alice.rows()
    return row


async def subjects(alice: User) -> list[str]:
    found = []
    for message in await alice.messages():
        line = next(line for line in message.header.decode().splitlines() if line.startswith("Subject: "))
        found.append(line.removeprefix("Subject: "))
    return found


async def acknowledge(station: Station, row: OutgoingMessage) -> None:
    stored = StoredObject(read_object(ack_object(row.ack_data, station.clock.now() + DAY)))
    await station.database.transact(lambda store: store.inventory.add([stored]))
    station.services.receiving.wake()
    await station.settle()


async def wait_days(station: Station, clock: FakeClock, days: float) -> None:
    clock.advance(days * DAY)
    await station.settle()


async def own_objects(station: Station, kind: ObjectType) -> int:
    stored = await station.database.read(
        lambda store: store.inventory.get([vector for vector, _, _ in store.inventory.vectors()])
    )
    return sum(read_object(encoded).object_type == kind for encoded in stored.values())


async def test_nobody_confirms_so_it_is_sent_five_times_and_given_up_once(station: Station, clock: FakeClock) -> None:
    alice = await station.add_user("alice")
    stranger = await Stranger(station).known()
    await send(alice, stranger, raw=b"X-Bitmessage-TTL: 1h\r\nSubject: Anybody?\r\n\r\nhello\r\n")
    ttls = []
    for _ in range(6):
        row = await the_row(alice)
        if row.state is not State.PUBLISHED:
            break
        ttls.append((row.attempt, row.ttl_seconds))
        await wait_days(station, clock, row.ttl_seconds * 1.11 / DAY)
    assert ttls == [(number + 1, 3600 * 2**number) for number in range(5)]
    row = await the_row(alice)
    assert (row.state, row.reason) == (State.FAILED, Reason.NEVER_CONFIRMED)
    assert (await subjects(alice)).count("Not delivered: Anybody?") == 1
    assert await alice.keywords() == [("bm-failed",)]
    await wait_days(station, clock, 40)
    assert (await subjects(alice)).count("Not delivered: Anybody?") == 1


async def test_an_ack_after_a_failure_was_reported_is_told_once(station: Station, clock: FakeClock) -> None:
    alice = await station.add_user("alice")
    await send(alice, await Stranger(station).known(), raw=b"X-Bitmessage-TTL: 1h\r\nSubject: Late\r\n\r\nhello\r\n")
    for _ in range(6):
        await wait_days(station, clock, 1)
    row = await the_row(alice)
    assert row.state is State.FAILED
    await station.crash()
    await station.start()  # the watch is filled from the database (O5)
    for _ in range(2):
        await acknowledge(station, row)
    assert (await the_row(alice)).state is State.ACKED
    assert [subject for subject in await subjects(alice) if "Delayed" not in subject] == [
        "Not delivered: Late",
        "Delivered: Late",
    ]
    assert await alice.keywords() == [("bm-acked",)]


async def test_an_ack_stored_before_a_crash_counts_after_it(station: Station) -> None:
    alice = await station.add_user("alice")
    await send(alice, await Stranger(station).known())
    row = await the_row(alice)
    await station.crash()
    stored = StoredObject(read_object(ack_object(row.ack_data, station.clock.now() + DAY)))
    await station.database.transact(lambda store: store.inventory.add([stored]))
    await station.start()
    assert (await the_row(alice)).state is State.ACKED


async def test_an_ack_for_a_cancelled_mail_changes_nothing(station: Station) -> None:
    alice = await station.add_user("alice")
    station.solver.held = True
    await send(alice, await Stranger(station).known())
    row = await the_row(alice)
    await station.services.queue.cancel(alice.id, row.name)
    await acknowledge(station, row)
    assert (await the_row(alice)).state is State.CANCELLED


async def test_without_a_key_it_asks_again_until_28_days_are_over_and_the_last_question_has_expired(
    station: Station, clock: FakeClock
) -> None:
    alice = await station.add_user("alice")
    await send(alice, Stranger(station), subject="Who are you")
    asked = []
    for _ in range(45):
        asked.append(await own_objects(station, ObjectType.GETPUBKEY))
        await wait_days(station, clock, 1)
    row = await the_row(alice)
    assert (row.state, row.reason) == (State.FAILED, Reason.NO_KEY)
    assert asked[0] == 1
    assert asked[-1] == 4, "the time between questions doubles"
    assert (await subjects(alice)).count("Not delivered: Who are you") == 1


async def test_the_first_question_lives_two_and_a_half_days(station: Station, clock: FakeClock) -> None:
    alice = await station.add_user("alice")
    await send(alice, Stranger(station))
    (vector,) = station.announcer.announced
    stored = await station.database.read(lambda store: store.inventory.get([vector]))
    assert abs(read_object(stored[vector]).expires_time - clock.now() - 216_000) <= 300


async def test_one_question_serves_two_mails(station: Station) -> None:
    alice, stranger = await station.add_user("alice"), Stranger(station)
    await send(alice, stranger)
    await send(alice, stranger)
    assert await own_objects(station, ObjectType.GETPUBKEY) == 1
    await stranger.publish_key()
    assert [row.state for row in await alice.rows()] == [State.PUBLISHED] * 2


async def test_a_key_somewhere_in_the_inventory_is_found_without_asking(station: Station) -> None:
    alice, stranger = await station.add_user("alice"), Stranger(station)
    await stranger.publish_key()
    await send(alice, stranger)
    assert (await the_row(alice)).state is State.PUBLISHED
    assert await own_objects(station, ObjectType.GETPUBKEY) == 0


async def test_a_key_that_came_while_we_were_away_is_found_at_start(station: Station) -> None:
    alice, stranger = await station.add_user("alice"), Stranger(station)
    await send(alice, stranger)
    await station.crash()
    await stranger.known()
    await station.start()
    assert (await the_row(alice)).state is State.PUBLISHED


async def test_whoever_does_not_confirm_is_not_waited_for(station: Station, clock: FakeClock) -> None:
    alice = await station.add_user("alice")
    await send(alice, await Stranger(station, behavior=Behavior(0)).known())
    assert (await the_row(alice)).state is State.NO_ACK_EXPECTED
    assert await alice.keywords() == [("bm-noack",)]
    await wait_days(station, clock, 30)
    assert (await the_row(alice)).state is State.NO_ACK_EXPECTED
    assert await own_objects(station, ObjectType.MSG) == 1


async def test_p29_too_high_a_demand_waits_for_the_sender_to_force_it(station: Station, clock: FakeClock) -> None:
    alice = await station.add_user("alice")
    await send(alice, await Stranger(station, nonce_trials_per_byte=11).known(), subject="Dear")
    row = await the_row(alice)
    assert (row.state, row.reason) == (State.TOO_DIFFICULT, Reason.TOO_DIFFICULT)
    assert await subjects(alice) == ["Delayed: Dear"]
    await station.services.queue.force(alice.id, row.name)
    await station.settle()
    row = await the_row(alice)
    assert (row.state, row.reason, row.forced) == (State.PUBLISHED, Reason.NONE, True)
    with pytest.raises(NotAllowed, match="nothing to force"):
        await station.services.queue.force(alice.id, row.name)


async def test_p29_too_high_a_demand_is_given_up_after_a_week(station: Station, clock: FakeClock) -> None:
    alice = await station.add_user("alice")
    await send(alice, await Stranger(station, payload_length_extra_bytes=11_000).known(), subject="Dear")
    await wait_days(station, clock, 7.1)
    row = await the_row(alice)
    assert (row.state, row.reason) == (State.FAILED, Reason.TOO_DIFFICULT)
    assert await subjects(alice) == ["Delayed: Dear", "Not delivered: Dear"]


async def test_cancelling_wins_before_publishing_only(station: Station) -> None:
    alice, stranger = await station.add_user("alice"), await Stranger(station).known()
    station.solver.held = True
    await send(alice, stranger)
    row = await the_row(alice)
    (cancelled,) = await station.services.queue.cancel(alice.id, row.name.lower())
    await station.settle()
    assert cancelled.state is State.CANCELLED
    assert station.solver.waiting == [], "the work stops"
    assert await alice.keywords() == [("bm-cancelled",)]
    assert await subjects(alice) == []
    station.solver.held = False
    await send(alice, stranger, body="another")
    name = (await alice.rows())[1].name
    (published,) = await station.services.queue.cancel(alice.id, name)
    assert (published.state, published.no_retry) == (State.PUBLISHED, True), "too late, but it is the last attempt"
    with pytest.raises(NotAllowed, match="too late"):
        await station.services.queue.cancel(alice.id, name)


async def test_a_queue_is_its_owners(station: Station) -> None:
    alice, bob = await station.add_user("alice"), await station.add_user("bob")
    await send(alice, Stranger(station))
    name = (await the_row(alice)).queue_id
    for command in (station.services.queue.show, station.services.queue.cancel, station.services.queue.retry):
        with pytest.raises(Missing):
            await command(bob.id, name)
    (entry,) = await station.services.queue.show(alice.id, name)
    assert entry.subject == "Hello"
    assert [line.state for line in entry.history] == [State.ACCEPTED, State.NEED_PUBKEY, State.REQUESTED]
    assert await station.services.queue.rows(bob.id) == []


async def test_a_restart_works_on_the_same_payload_from_the_saved_nonce(station: Station) -> None:
    alice, stranger = await station.add_user("alice"), await Stranger(station).known()
    station.solver.held = True
    await send(alice, stranger)
    station.solver.release()  # the ack
    await station.settle()
    built = await the_row(alice)
    assert built.state is State.BUILT
    station.solver.reports[0](12_345)
    await station.settle()
    await station.crash()
    await station.start()
    assert (await the_row(alice)).payload == built.payload
    assert station.solver.jobs[-1].start_nonce == 12_345
    assert station.solver.jobs[-1].initial_hash == station.solver.jobs[-2].initial_hash


async def test_a_payload_that_waited_too_long_is_signed_anew_as_another_attempt(
    station: Station, clock: FakeClock
) -> None:
    alice, stranger = await station.add_user("alice"), await Stranger(station).known()
    station.solver.held = True
    await send(alice, stranger)
    station.solver.release()
    await station.settle()
    await station.crash()
    clock.advance(5 * DAY)
    station.solver.held = False
    await station.start()
    row = await the_row(alice)
    assert (row.state, row.attempt) == (State.PUBLISHED, 2), "O7"
    assert await own_objects(station, ObjectType.MSG) == 1


async def test_work_longer_than_the_ttl_is_done_all_the_same(station: Station, clock: FakeClock) -> None:
    """A payload made anew would be late too, so nothing is signed over and over."""
    alice, stranger = await station.add_user("alice"), await Stranger(station).known()
    station.solver.held = True
    await send(alice, stranger, raw=b"X-Bitmessage-TTL: 1h\r\nSubject: s\r\n\r\nbody\r\n")
    station.solver.trials_per_second = 0.01
    station.solver.held = False
    station.solver.release()
    await station.settle()
    row = await the_row(alice)
    assert (row.state, row.attempt) == (State.PUBLISHED, 1)


async def test_a_clock_set_forward_resends_nothing(station: Station, clock: FakeClock) -> None:
    alice, stranger = await station.add_user("alice"), await Stranger(station).known()
    await send(alice, stranger)
    clock.jump(20 * DAY)
    clock.advance(10)
    await station.settle()
    row = await the_row(alice)
    assert (row.state, row.attempt) == (State.PUBLISHED, 1), "O8"
    clock.advance(5 * DAY)
    await station.settle()
    assert (await the_row(alice)).attempt == 2


async def test_a_success_notice_comes_when_it_was_asked_for(make_station: MakeStation) -> None:
    usual = Settings()
    station = await make_station(replace(usual, policy=Policy(notify=("SUCCESS", "FAILURE", "DELAY"))))
    alice, bob = await station.add_user("alice"), await station.add_user("bob")
    await alice.send(bob, subject="Did it")
    await station.settle()
    assert await subjects(alice) == ["Delivered: Did it"]


async def test_the_text_goes_when_the_last_row_is_final(station: Station) -> None:
    alice, bob = await station.add_user("alice"), await station.add_user("bob")
    stranger = Stranger(station)
    await alice.send(bob, stranger.as_user(alice), body="secret")
    await station.settle()
    rows = await alice.rows()
    assert [row.state for row in rows] == [State.ACKED, State.REQUESTED]

    async def text() -> str:
        return (await station.database.read(lambda store: store.outbox.submission(rows[0].submission))).body

    assert (await text()).strip() == "secret"
    await station.services.queue.cancel(alice.id, rows[1].name)
    assert await text() == ""
    assert await alice.bodies(MailboxKind.SENT) == ["secret"]


async def test_mail_to_a_second_own_address_over_quota_waits(station: Station, clock: FakeClock) -> None:
    alice = await station.add_user("alice", quota_bytes=700)
    second: Identity = await station.add_identity(alice.account, new_identity(is_default=False))
    await alice.send(replace(alice, identity=second), body="x" * 100)
    await station.settle()
    assert not station.died
    assert (await the_row(alice)).state in (State.ACCEPTED, State.ACKED)
