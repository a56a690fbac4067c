"""The autoresponder: one answer a correspondent and period, never to a program (V17)."""

import pytest
from fakes import FakeClock
from stations import MakeStation, Settings, Station, User, Wire

from bmgate.domain.contact import Standing
from bmgate.domain.outbox import State

HOUR, DAY = 3_600, 86_400


async def set_options(user: User, **options: str) -> None:
    station = user.station

    def change(store):  # type: ignore[no-untyped-def]
        for name, words in options.items():
            station.services.policies.set(store.account(user.id), name, words, identity=user.identity.id)

    await station.database.transact(change)


async def two(make_station: MakeStation, **options: str) -> tuple[User, User, Wire]:
    """Alice, and bob at another gateway, who has these options."""
    here, there = await make_station(), await make_station()
    alice, bob = await here.add_user("alice"), await there.add_user("bob")
    if options:
        await set_options(bob, **options)
    return alice, bob, Wire(here, there)


async def subjects(user: User) -> list[str]:
    lines = [line for message in await user.messages() for line in message.header.decode().splitlines()]
    return [line.removeprefix("Subject: ") for line in lines if line.startswith("Subject: ")]


async def test_a_newcomer_writes_to_an_echo_address_and_gets_it_back(make_station: MakeStation) -> None:
    alice, bob, wire = await two(make_station, autoreply="echo")
    await alice.send(bob, subject="Is this on?", body="one two")
    await wire.carry()
    assert await subjects(alice) == ["Echo: Is this on?"]
    (body,) = await alice.bodies()
    assert body.startswith("[Automatic answer: this address sends back what it gets.]")
    assert body.endswith("one two")
    (row,) = await bob.rows()
    assert (row.state, row.ack_data) == (State.NO_ACK_EXPECTED, b"")
    assert await subjects(bob) == ["Is this on?"], "no notice"


async def test_by_default_nobody_is_answered(make_station: MakeStation) -> None:
    alice, bob, wire = await two(make_station)
    await alice.send(bob)
    await wire.carry()
    assert await bob.rows() == []


async def test_vacation_says_what_its_owner_wrote_once_in_a_week(make_station: MakeStation, clock: FakeClock) -> None:
    alice, bob, wire = await two(
        make_station, autoreply="vacation", autoreply_subject="Away", autoreply_text="Back in May."
    )
    for number in range(3):
        await alice.send(bob, subject=f"Hello {number}", body=number)
        await wire.carry()
        clock.advance(DAY)
    assert await subjects(alice) == ["Away"]
    assert "Back in May." in (await alice.bodies())[0]
    clock.advance(5 * DAY)
    await alice.send(bob, body="again")
    await wire.carry()
    assert await subjects(alice) == ["Away", "Away"]


async def test_two_echoes_fall_silent(make_station: MakeStation, clock: FakeClock) -> None:
    alice, bob, wire = await two(make_station, autoreply="echo")
    await set_options(alice, autoreply="echo")
    await alice.send(bob, body="hello")
    await wire.carry()
    clock.advance(2 * HOUR)
    await wire.carry()
    assert len(await bob.rows()) == 1
    assert len(await alice.rows()) == 1, "what she wrote herself: an answer is not answered"


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("Re: Echo: hello", "text"),
        ("Automatic reply: out", "text"),
        ("Out of office", "text"),
        ("Hello", "Auto-Submitted: auto-replied\r\nSubject: x\r\n\r\ntext"),
        ("Hello", "Sat, 2026-11-21 20:15:00 UTC   Message ostensibly from BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS:\n\nhi"),
        ("Hello", "> [Automatic answer: this address"),
    ],
)
async def test_what_a_program_wrote_is_not_answered(make_station: MakeStation, subject: str, body: str) -> None:
    alice, bob, wire = await two(make_station, autoreply="echo")
    await alice.send(bob, subject=subject, body=body)
    await wire.carry()
    assert len(await bob.messages()) == 1
    assert await bob.rows() == []


async def test_blocked_people_and_own_addresses_are_not_answered(make_station: MakeStation) -> None:
    alice, bob, wire = await two(make_station, autoreply="echo")
    await bob.station.database.transact(
        lambda store: store.account(bob.id).contacts.set_standing(alice.identity.address, Standing.BLOCKED)
    )
    await alice.send(bob)
    await bob.send(bob, body="to myself")
    await wire.carry()
    assert [row.recipient for row in await bob.rows()] == [bob.identity.address]


async def test_a_repeated_mail_is_answered_once_and_a_restart_loses_no_answer(
    make_station: MakeStation, clock: FakeClock
) -> None:
    here = await make_station()
    there: Station = await make_station(Settings(ack_delay=2e4))
    alice, bob = await here.add_user("alice"), await there.add_user("bob")
    await set_options(bob, autoreply="echo")
    wire = Wire(here, there)
    await alice.send(bob, subject="Hello")
    await wire.carry()
    (row,) = await bob.rows()
    assert (row.state, row.next_attempt > clock.now()) == (State.ACCEPTED, True), "it waits like an ack"
    await there.crash()
    await there.start()
    assert (await bob.rows())[0].state is State.ACCEPTED
    clock.advance(row.next_attempt - clock.now() + 3)
    await wire.carry()
    assert [row.state for row in await bob.rows()] == [State.NO_ACK_EXPECTED]
    assert [each for each in await subjects(alice) if each.startswith("Echo")] == ["Echo: Hello"]
