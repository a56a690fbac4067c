"""What a sender is told while his mail waits, and how often."""

from dataclasses import replace

import pytest
from fakes import FakeClock
from stations import MakeStation, Settings, Station, User
from strangers import DAY, Stranger, send

from bmgate.bm.acks import ack_object
from bmgate.bm.objects import read_object
from bmgate.domain.objects import StoredObject
from bmgate.domain.outbox import OutgoingMessage, Reason, State
from bmgate.domain.policy import Policy
from bmgate.errors import NotAllowed

HOUR = 3_600


async def the_row(user: User) -> OutgoingMessage:
    (row,) = await user.rows()
    return row


async def notices(user: User) -> list[str]:
    """Each as bytes of text."""
    return [(message.header + message.body).decode() for message in await user.messages()]


async def subjects(user: User) -> list[str]:
    return [line for text in await notices(user) for line in text.splitlines() if line.startswith("Subject: ")][::2]


async def wait(station: Station, seconds: float) -> None:
    station.clock.advance(seconds)
    await station.settle()


async def outbox_words(user: User) -> list[tuple[str, ...]]:
    rows = (await user.station.services.mailboxes.open(user.id, "Outbox")).rows
    return [row.keywords for row in rows]


async def test_a_key_that_is_not_found_is_told_of_at_four_hours_and_at_a_day(station: Station) -> None:
    alice = await station.add_user("alice")
    await send(alice, Stranger(station), subject="Who")
    await wait(station, 3.9 * HOUR)
    assert await notices(alice) == []
    told = []
    for hours in (0.2, 10, 10.0, 0.2, 24):
        await wait(station, hours * HOUR)
        told.append(len(await notices(alice)))
        await station.crash()
        await station.start()
        assert len(await notices(alice)) == told[-1], "a restart tells nothing twice"
    assert told == [1, 1, 2, 2, 2]
    text = (await notices(alice))[0].replace("=\r\n", "")
    assert "Status: 4.4.1" in text
    assert "has not been sent yet: the recipient's key is not on the network" in text
    assert "Will-Retry-Until: " in text
    assert "Diagnostic-Code: x-bitmessage; awaitingpubkey, getpubkey attempt 2" in text


async def test_whoever_wants_no_notices_gets_none(make_station: MakeStation, clock: FakeClock) -> None:
    station = await make_station(Settings(policy=Policy(notify=("NEVER",))))
    alice = await station.add_user("alice")
    await send(alice, Stranger(station))
    await send(alice, await Stranger(station).known(), raw=b"X-Bitmessage-TTL: 1h\r\nSubject: s\r\n\r\nx\r\n")
    for _ in range(8):
        await wait(station, DAY)
    row = (await alice.rows())[1]
    assert row.state is State.FAILED
    stored = StoredObject(read_object(ack_object(row.ack_data, clock.now() + DAY)))
    await station.database.transact(lambda store: store.inventory.add([stored]))
    station.services.receiving.wake()
    await station.settle()
    assert (await alice.rows())[1].state is State.ACKED
    assert await notices(alice) == []


async def test_what_happens_to_several_recipients_at_once_is_told_once(station: Station) -> None:
    alice = await station.add_user("alice")
    strangers = [await Stranger(station).known() for _ in range(3)]
    raw = b"X-Bitmessage-TTL: 1h\r\nSubject: All\r\n\r\nhello\r\n"
    await alice.send(*(stranger.as_user(alice) for stranger in strangers), raw=raw)
    await wait(station, 60)
    assert {row.state for row in await alice.rows()} == {State.PUBLISHED}
    await wait(station, 2 * HOUR)
    (text,) = await notices(alice)
    assert text.count("Final-Recipient: ") == 3
    assert text.count("Status: 4.4.7") == 3
    for _ in range(10):
        await wait(station, DAY)
    texts = await notices(alice)
    assert {row.state for row in await alice.rows()} == {State.FAILED}
    failed = [text for text in texts if "Action: failed" in text]
    assert sum(text.count("Final-Recipient: ") for text in failed) == 3, "one final notice for each recipient"
    assert len(failed) == 1


async def test_what_the_user_sends_again_himself_is_no_delay(station: Station) -> None:
    alice = await station.add_user("alice")
    await send(alice, await Stranger(station).known())
    await station.services.queue.retry(alice.id, (await the_row(alice)).name)
    await station.settle()
    row = await the_row(alice)
    assert (row.state, row.attempt) == (State.PUBLISHED, 2)
    assert await notices(alice) == []


async def test_without_peers_what_is_published_is_held_and_told_of(station: Station, clock: FakeClock) -> None:
    alice = await station.add_user("alice")
    station.connected = False
    await wait(station, 3)
    await send(alice, await Stranger(station).known())
    row = await the_row(alice)
    assert (row.state, row.reason) == (State.PUBLISHED, Reason.NO_PEERS)
    assert await alice.keywords() == [("bm-pending",)]
    assert await outbox_words(alice) == [("bm-held",)]
    await wait(station, 4.1 * HOUR)
    (text,) = await notices(alice)
    assert "there is no connection to the Bitmessage network" in text.replace("=\r\n", "")
    station.connected = True
    await wait(station, 3)
    assert (await the_row(alice)).reason is Reason.NONE
    assert await alice.keywords() == [("bm-sent",)]
    assert await outbox_words(alice) == [("bm-sent",)]


async def test_a_gateway_that_is_never_connected_says_so_in_the_end(station: Station) -> None:
    alice = await station.add_user("alice")
    station.connected = False
    await wait(station, 3)
    await send(alice, await Stranger(station).known(), raw=b"X-Bitmessage-TTL: 1h\r\nSubject: s\r\n\r\nx\r\n")
    for hours in (0.5, 4, 20, 24, 24, 24, 24):
        await wait(station, hours * HOUR)
    row = await the_row(alice)
    assert (row.state, row.reason) == (State.FAILED, Reason.NO_NETWORK)
    texts = await notices(alice)
    assert [text.count("Status: 4.4.1") for text in texts] == [1, 0], "nobody could confirm"
    assert "had no connection to the Bitmessage network" in texts[1].replace("=\r\n", "")


async def test_a_send_delay_holds_a_mail_and_it_can_be_called_back(make_station: MakeStation, clock: FakeClock) -> None:
    station = await make_station(Settings(policy=Policy(send_delay=60)))
    alice, stranger = await station.add_user("alice"), await Stranger(station).known()
    await send(alice, stranger, body="one")
    await send(alice, stranger, body="two")
    await send(alice, stranger, body="three")
    first, second, _ = await alice.rows()
    assert {row.state for row in await alice.rows()} == {State.ACCEPTED}
    assert await outbox_words(alice) == [("bm-held",)] * 3
    await station.services.queue.cancel(alice.id, first.name)
    await station.services.queue.retry(alice.id, second.name)
    await station.settle()
    states = [row.state for row in await alice.rows()]
    assert states == [State.CANCELLED, State.PUBLISHED, State.ACCEPTED], "retry: without waiting"
    await station.crash()
    await station.start()
    assert (await alice.rows())[2].state is State.ACCEPTED
    await wait(station, 65)
    row = (await alice.rows())[2]
    assert (row.state, row.reason) == (State.PUBLISHED, Reason.NONE)


async def test_a_full_mailbox_holds_what_is_delivered_to_it(station: Station) -> None:
    alice = await station.add_user("alice", quota_bytes=600)
    await send_to_self(alice, "x" * 300)
    row = await the_row(alice)
    assert (row.state, row.reason) == (State.ACCEPTED, Reason.OVER_QUOTA)


async def send_to_self(alice: User, body: str) -> None:
    await alice.send(alice, body=body)
    await alice.station.settle()


async def test_the_work_a_recipient_demands_is_told_in_time(station: Station) -> None:
    alice = await station.add_user("alice")
    station.solver.trials_per_second = 1e3
    await send(alice, await Stranger(station, nonce_trials_per_byte=40).known(), subject="Dear")
    (text,) = await notices(alice)
    flat = text.replace("=\r\n", "")
    row = await the_row(alice)
    assert "demands 40 times the usual work, about " in flat
    assert f'To send it anyway mail "force {row.name}" to bmgate@bm.internal before ' in flat
    (words,) = await outbox_words(alice)
    assert words == ("bm-toohard",)


async def test_another_ttl_counts_from_the_next_object_on(station: Station) -> None:
    alice, stranger = await station.add_user("alice"), await Stranger(station).known()
    station.solver.held = True
    await send(alice, stranger)
    queue, row = station.services.queue, await the_row(alice)
    assert row.state is State.ACK_POW
    await queue.set_ttl(alice.id, row.name, 2 * HOUR)
    await station.settle()
    again = await the_row(alice)
    assert (again.state, again.ttl_seconds, again.attempt) == (State.ACK_POW, 2 * HOUR, 2)
    assert again.payload != row.payload
    station.solver.held = False
    station.solver.release()
    await station.settle()
    assert (await the_row(alice)).state is State.PUBLISHED
    with pytest.raises(NotAllowed, match="published"):
        await queue.set_ttl(alice.id, row.name, 3 * HOUR)


async def test_a_success_notice_of_several_recipients(make_station: MakeStation) -> None:
    usual = Settings()
    station = await make_station(replace(usual, policy=Policy(notify=("SUCCESS", "FAILURE", "DELAY"))))
    alice = await station.add_user("alice")
    await send(alice, await Stranger(station).known())
    row = await the_row(alice)
    stored = StoredObject(read_object(ack_object(row.ack_data, station.clock.now() + DAY)))
    await station.database.transact(lambda store: store.inventory.add([stored]))
    station.services.receiving.wake()
    await station.settle()
    (text,) = await notices(alice)
    assert "Action: delivered" in text
    assert "Status: 2.1.5" in text


async def test_an_account_says_itself_when_to_give_up(station: Station) -> None:
    alice = await station.add_user("alice")
    await station.database.transact(
        lambda store: station.services.policies.set(store.account(alice.id), "give_up", "3h")
    )
    await send(alice, await Stranger(station).known(), raw=b"X-Bitmessage-TTL: 1h\r\nSubject: s\r\n\r\nx\r\n")
    await wait(station, 1.2 * HOUR)
    assert (await the_row(alice)).attempt == 2
    await wait(station, 3 * HOUR)
    row = await the_row(alice)
    assert (row.state, row.attempt) == (State.FAILED, 2)


async def test_a_notice_comes_though_the_mailbox_is_full(station: Station) -> None:
    alice = await station.add_user("alice", quota_bytes=600)
    await send(alice, await Stranger(station).known(), raw=b"X-Bitmessage-TTL: 1h\r\nSubject: s\r\n\r\n" + b"x" * 400)
    for _ in range(8):
        await wait(station, DAY)
    assert (await the_row(alice)).state is State.FAILED
    assert sum("Action: failed" in text for text in await notices(alice)) == 1
