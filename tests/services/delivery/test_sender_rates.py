"""How much one sender may write to one account (P38)."""

import os
from collections.abc import Awaitable

from stations import Station, User

from bmgate.bm.addresses import Address
from bmgate.services.delivery.sender_rates import ONE_FOR_ALL, is_flood

DAY = 86_400


def somebody() -> Address:
    return Address(4, 1, b"\0" + os.urandom(19))


async def floods(user: User, sender: Address, times: int, now: int | None = None) -> int:
    """How many of so many mails at one moment are too many."""
    at = user.station.clock.now() if now is None else now
    return await user.station.database.transact(
        lambda store: sum(is_flood(store.account(user.id), sender, at) for _ in range(times))
    )


async def test_p38_beyond_its_rate_a_sender_floods(station: Station) -> None:
    rate = ONE_FOR_ALL
    alice, sender, now = await station.add_user("alice"), somebody(), station.clock.now()
    assert await floods(alice, sender, rate.at_once) == 0
    assert await floods(alice, sender, 10) == 10
    assert await floods(alice, sender, 3, now + rate.seconds_each) == 2, "one is free again"
    assert await floods(alice, sender, rate.at_once, now + rate.most_ahead + rate.seconds_each) == 0


async def test_p38_senders_and_readers_are_told_apart(station: Station) -> None:
    alice, bob, sender = await station.add_user("alice"), await station.add_user("bob"), somebody()
    assert await floods(alice, sender, ONE_FOR_ALL.at_once + 1) == 1
    assert await floods(alice, somebody(), 1) == 0
    assert await floods(bob, sender, 1) == 0


async def test_p38_what_has_passed_is_forgotten_in_its_own_account_alone(station: Station) -> None:
    alice, bob, sender, now = await station.add_user("alice"), await station.add_user("bob"), somebody(), 1_000 * DAY
    for user in (alice, bob):
        await floods(user, sender, 1, now)
    await floods(alice, somebody(), 1, now + DAY)

    def until(user: User) -> Awaitable[int]:
        return station.database.read(lambda store: store.account(user.id).senders.until(sender))

    assert await until(alice) == 0
    assert await until(bob) > now


async def test_p38_a_clock_set_back_condemns_nobody(station: Station) -> None:
    alice, sender, now = await station.add_user("alice"), somebody(), station.clock.now()
    assert await floods(alice, sender, 5, now + 900 * DAY) == 0
    assert await floods(alice, sender, 1, now) == 0
