"""Old chan posts go when their reader does not want to keep them."""

import asyncio
import os

from fakes import FakeClock
from stations import Station, User

from bmgate.domain.mailbox import FlagChange, Flags, MailboxId, MessageRow
from bmgate.domain.ports.database import Store
from bmgate.services.chans.options import ChanOptions
from bmgate.services.mailboxes.indexed import indexed
from bmgate.services.mailboxes.retention import Retention

DAY = 86_400


async def member(station: Station, name: str, keep: str) -> tuple[User, MailboxId]:
    user = await station.add_user(name)
    chan = await station.services.chans.join(user.id, "general")
    if keep:
        await ChanOptions(station.database, station.services.policies).set(user.id, "general", "keep", keep)
    return user, chan.membership.mailbox


async def put(user: User, mailbox: MailboxId, *days_ago: int) -> None:
    now = user.station.clock.now()

    def append(store: Store) -> None:
        mine = store.account(user.id)
        for days in days_ago:
            content = mine.messages.add_content(
                indexed(b"Subject: old\r\n\r\n" + os.urandom(4).hex().encode()).content()
            )
            mine.messages.append(mailbox, content, Flags.NONE, (), now - days * DAY)

    await user.station.database.transact(append)


async def rows(user: User, mailbox: MailboxId) -> list[MessageRow]:
    return await user.station.database.read(lambda store: store.account(user.id).messages.rows(mailbox))


def retention(station: Station) -> Retention:
    return Retention(station.database, station.services.events, station.clock, station.services.policies)


async def test_what_is_older_goes_and_nobody_elses(station: Station, clock: FakeClock) -> None:
    alice, here = await member(station, "alice", "30d")
    bob, there = await member(station, "bob", "")
    for user, mailbox in ((alice, here), (bob, there)):
        await put(user, mailbox, 31, 29, 40)
    changed: list[None] = []
    station.services.events.watch(here, lambda: changed.append(None))
    assert await retention(station).remove_old() == 2
    assert len(await rows(alice, here)) == 2, "the note and one post"
    assert len(await rows(bob, there)) == 4
    assert changed
    clock.jump(40 * DAY)
    assert await retention(station).remove_old() == 2


async def test_what_is_flagged_stays(station: Station) -> None:
    alice, mailbox = await member(station, "alice", "1d")
    await put(alice, mailbox, 3, 2)
    first = (await rows(alice, mailbox))[1].uid
    await station.services.mailboxes.set_flags(alice.id, mailbox, [first], FlagChange.ADD, Flags.FLAGGED, ())
    await retention(station).remove_old()
    assert [row.uid for row in await rows(alice, mailbox)] == [1, first]


async def test_it_looks_every_day(station: Station, clock: FakeClock) -> None:
    alice, mailbox = await member(station, "alice", "1d")
    await put(alice, mailbox, 2)
    task = asyncio.create_task(retention(station).run())
    await station.settle()
    assert len(await rows(alice, mailbox)) == 1
    await put(alice, mailbox, 2)
    clock.advance(DAY)
    await station.settle()
    assert len(await rows(alice, mailbox)) == 1, "the note, not older than that"
    task.cancel()
    await asyncio.wait([task])
