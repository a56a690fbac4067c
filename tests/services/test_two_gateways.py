"""Two gateways in one process: mail there, the ack back, and nothing twice."""

from collections import Counter
from itertools import count
from pathlib import Path

import pytest
from fakes import Failpoints, FakeClock, Killed, WatchedThreads
from stations import MakeStation, Settings, Station, User, Wire, mail
from storage_fixtures import NOW, new_identity

from bmgate.bm.objects import ObjectType, read_object
from bmgate.domain.mailbox import MailboxKind
from bmgate.domain.outbox import State
from bmgate.domain.policy import Policy

DAY = 86_400


def types(wire: Wire) -> list[int]:
    """The types of the objects carried so far."""
    return [read_object(encoded).object_type for encoded in wire.carried]


async def test_mail_goes_there_and_the_ack_comes_back(make_station: MakeStation) -> None:
    here, there = await make_station(), await make_station()
    wire = Wire(here, there)
    alice, bob = await here.add_user("alice"), await there.add_user("bob")
    await alice.send(bob, subject="Light", body="first light")
    await wire.carry()
    assert await bob.bodies() == ["first light"]
    assert b"Subject: Light\r\n" in (await bob.messages())[0].header
    assert [row.state for row in await alice.rows()] == [State.ACKED]
    assert await alice.keywords() == [("bm-acked",)]
    getpubkey, pubkey, msg, ack = types(wire)
    assert (getpubkey, pubkey, msg) == (ObjectType.GETPUBKEY, ObjectType.PUBKEY, ObjectType.MSG)
    assert ack == ObjectType.GETPUBKEY, "at ack stealth 1 an ack looks like a getpubkey"


async def test_a_reply_needs_no_key_exchange(make_station: MakeStation) -> None:
    here, there = await make_station(), await make_station()
    wire = Wire(here, there)
    alice, bob = await here.add_user("alice"), await there.add_user("bob")
    await alice.send(bob)
    await wire.carry()
    before = len(wire.carried)
    await bob.send(alice, body="and back")
    await wire.carry()
    assert await alice.bodies() == ["and back"]
    assert len(wire.carried) == before + 2, "a msg and its ack"


async def test_two_accounts_of_one_gateway_write_to_each_other_without_any_peer(station: Station) -> None:
    alice, bob = await station.add_user("alice"), await station.add_user("bob")
    await alice.send(bob, body="next door")
    await station.settle()
    assert await bob.bodies() == ["next door"]
    assert [row.state for row in await alice.rows()] == [State.ACKED]


async def test_mail_to_an_own_address_needs_no_object(station: Station) -> None:
    alice = await station.add_user("alice")
    second = User(station, alice.account, await station.add_identity(alice.account, new_identity(is_default=False)))
    await alice.send(second, body="a note to myself")
    await station.settle()
    assert await alice.bodies() == ["a note to myself"]
    assert [row.state for row in await alice.rows()] == [State.ACKED]
    assert station.announcer.announced == []
    assert await alice.keywords() == [("bm-acked",)]


async def test_a_mail_to_several_goes_to_each_once(make_station: MakeStation) -> None:
    here, there = await make_station(), await make_station()
    wire = Wire(here, there)
    alice = await here.add_user("alice")
    friends = [await there.add_user(name) for name in ("bob", "carol")]
    await alice.send(*friends, friends[0], alice, body="to all")
    await wire.carry()
    assert [await user.bodies() for user in (*friends, alice)] == [["to all"]] * 3
    assert [row.state for row in await alice.rows()] == [State.ACKED] * 3
    assert Counter(types(wire))[ObjectType.MSG] == 2


async def test_a_lost_ack_brings_one_more_attempt_and_the_mail_is_shown_once(
    make_station: MakeStation, clock: FakeClock
) -> None:
    here, there = await make_station(), await make_station()
    wire = Wire(here, there)
    alice, bob = await here.add_user("alice"), await there.add_user("bob")
    await alice.send(bob, body="once")
    lost: list[bytes] = []

    def lose_first_ack(encoded: bytes) -> bool:
        is_ack = read_object(encoded).object_type == ObjectType.GETPUBKEY and ObjectType.MSG in types(wire)
        if is_ack and not lost:
            lost.append(encoded)
            return True
        return False

    wire.lose = lose_first_ack
    await wire.carry()
    assert lost
    assert [(row.state, row.attempt) for row in await alice.rows()] == [(State.PUBLISHED, 1)]
    ttl = (await alice.rows())[0].ttl_seconds
    clock.advance(ttl * 1.05)
    await wire.carry()
    assert [(row.state, row.attempt) for row in await alice.rows()] == [(State.PUBLISHED, 1)], (
        "O4: not before TTL x 1.1"
    )
    clock.advance(ttl * 0.06)
    await wire.carry()
    row = (await alice.rows())[0]
    assert (row.state, row.attempt, row.ttl_seconds) == (State.ACKED, 2, 2 * ttl)
    assert await bob.bodies() == ["once"]
    assert Counter(types(wire))[ObjectType.MSG] == 2


async def test_whoever_sends_no_acks_is_not_waited_for(make_station: MakeStation) -> None:
    here, there = await make_station(), await make_station(Settings(policy=Policy(ack="never")))
    wire = Wire(here, there)
    alice, bob = await here.add_user("alice"), await there.add_user("bob")
    await alice.send(bob)
    await wire.carry()
    assert len(await bob.bodies()) == 1
    assert [row.state for row in await alice.rows()] == [State.PUBLISHED], "its pubkey promised an ack"


async def test_acks_wait_for_their_delay(make_station: MakeStation, clock: FakeClock) -> None:
    here, there = await make_station(), await make_station(Settings(ack_delay=60.0))
    wire = Wire(here, there)
    alice, bob = await here.add_user("alice"), await there.add_user("bob")
    await alice.send(bob)
    await wire.carry()
    assert len(await bob.bodies()) == 1
    clock.advance(3_600)
    await wire.carry()
    assert [row.state for row in await alice.rows()] == [State.ACKED]


@pytest.mark.parametrize("killed", [0, 1], ids=["sender", "receiver"])
async def test_a_crash_at_any_point_loses_nothing_and_doubles_nothing(
    tmp_path: Path, threads: WatchedThreads, killed: int
) -> None:
    survived: list[str] = []
    stations = []
    for side in ("here", "there"):
        (tmp_path / side).mkdir()
        stations.append(await Station(tmp_path / side, FakeClock(NOW), threads).start())
    wire = Wire(*stations)
    for number in count(1):
        alice, bob = await stations[0].add_user(f"alice{number}"), await stations[1].add_user(f"bob{number}")
        await stations[killed].crash()
        points = Failpoints(number)
        await stations[killed].start(points)
        await _send_with_a_crash(wire, alice, bob, stations[killed])
        if len(points.passed) < number:
            break
        survived.append(points.passed[number - 1])
    for station in stations:
        await station.close()
    expected = {
        "sender": {
            "submission.stored",
            "outbox.BUILT",
            "outbox.WORK_DONE",
            "outbox.WORK_DONE.committed",
            "outbox.ACK_SEEN",
        },
        "receiver": {"pubkey.begun", "pubkey.published", "delivery.store", "receiving.recorded", "receiving.committed"},
    }
    assert expected["sender" if killed == 0 else "receiver"] <= set(survived)


async def _send_with_a_crash(wire: Wire, alice: User, bob: User, killed: Station) -> None:
    before = Counter(types(wire))[ObjectType.MSG]
    raw = mail(alice, bob, body="precious", message_id="<one@example>")
    try:
        await alice.send(bob, raw=raw)
    except Killed:
        await killed.crash()
        await killed.start()
        await alice.send(bob, raw=raw)  # as a mail program does that got no answer
    await wire.carry()
    if killed.died:
        await killed.crash()
        await killed.start()
        await wire.carry()
    assert await bob.bodies() == ["precious"]
    assert [row.state for row in await alice.rows()] == [State.ACKED]
    assert await alice.bodies(MailboxKind.SENT) == ["precious"]
    assert Counter(types(wire))[ObjectType.MSG] == before + 1, "O3: one inventory vector for one attempt"
