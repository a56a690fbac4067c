"""Objects that an account brings ready made."""

import asyncio

import pytest
from stations import Station

from bmgate.bm.network import TESTNET
from bmgate.bm.objects import ObjectType, encode_object, read_object
from bmgate.domain.account import AccountId
from bmgate.errors import BadObject, Expired, LimitReached, NotAllowed, TooDifficult
from bmgate.services.objects.keys import Demand
from bmgate.services.texts.dissemination import Dissemination

LEAST = Demand(1, 1000)
ANNA = AccountId(1)


@pytest.fixture
def dissemination(station: Station) -> Dissemination:
    return Dissemination(station.database, station.solver, station.announcer, station.clock, TESTNET, 60)


def msg(station: Station, seconds: int = 3600, object_type: int = ObjectType.MSG, stream: int = 1) -> bytes:
    return encode_object(station.clock.now() + seconds, object_type, 1, stream, bytes(200))


async def test_the_work_is_done_and_the_object_announced(station: Station, dissemination: Dissemination) -> None:
    vector = await dissemination.publish(ANNA, msg(station), LEAST)
    assert vector in station.announcer.announced
    stored = await station.database.read(lambda store: store.inventory.get([vector]))
    assert read_object(stored[vector]).payload == bytes(200)
    finished = stored[vector]
    assert await dissemination.publish(ANNA, finished, LEAST) == vector, "and once more, finished"


@pytest.mark.parametrize(
    ("seconds", "object_type", "stream", "error"),
    [
        (3600, ObjectType.PUBKEY, 1, NotAllowed),
        (3600, ObjectType.MSG, 2, NotAllowed),
        (0, ObjectType.MSG, 1, Expired),
        (30 * 86400, ObjectType.MSG, 1, BadObject),
    ],
)
async def test_what_is_no_msg_for_now_is_refused(
    station: Station, dissemination: Dissemination, seconds: int, object_type: int, stream: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await dissemination.publish(ANNA, msg(station, seconds, object_type, stream), LEAST)
    assert not station.solver.jobs


async def test_what_would_take_too_long_is_refused(station: Station, dissemination: Dissemination) -> None:
    with pytest.raises(TooDifficult):
        await dissemination.publish(ANNA, msg(station), Demand(10**6, 1000))


async def test_one_object_of_an_account_is_worked_for_at_a_time(station: Station, dissemination: Dissemination) -> None:
    station.solver.held = True
    first = asyncio.create_task(dissemination.publish(ANNA, msg(station), LEAST))
    await asyncio.sleep(0)
    with pytest.raises(LimitReached):
        await dissemination.publish(ANNA, msg(station), LEAST)
    station.solver.release()
    await first


async def test_work_that_is_not_enough_is_told(station: Station, dissemination: Dissemination) -> None:
    unworked = msg(station, 28 * 86400)
    with pytest.raises(NotAllowed, match="too little work"):
        await dissemination.publish(ANNA, bytes(7) + b"\1" + unworked[8:], LEAST)
