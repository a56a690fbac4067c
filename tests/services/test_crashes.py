"""A crash of a station is one: nothing of the life before it happens in the next."""

import asyncio
from threading import Event

from fakes import SPINS
from stations import Station, User
from storage_fixtures import new_identity

from bmgate.domain.ports.database import Store


async def test_what_was_being_written_is_written_before_the_next_life_begins(station: Station) -> None:
    alice: User = await station.add_user("alice")
    begun, go_on = Event(), Event()

    def write(store: Store) -> None:
        begun.set()
        assert go_on.wait(20)
        store.account(alice.id).identities.add(new_identity("late", is_default=False))

    writing = asyncio.ensure_future(station.database.transact(write))
    while not begun.is_set():  # noqa: ASYNC110 - a thread tells the loop nothing
        await asyncio.sleep(0)
    writing.cancel()
    crash = asyncio.ensure_future(station.crash())
    for _ in range(3 * SPINS):
        await asyncio.sleep(0)
    assert not crash.done()
    go_on.set()
    await crash
    labels = await station.database.read(
        lambda store: [each.label for each in store.account(alice.id).identities.all()]
    )
    assert "late" in labels
