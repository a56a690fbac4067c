"""Maildrops over a real database: exact sizes, one session at a time, and all that is deleted in one transaction."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fakes import Failpoints, FakeClock
from storage_fixtures import NOW, add_account, make_database, make_passwords, make_vault

from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import Flags
from bmgate.errors import MessageMissing
from bmgate.mail.structure import index_message
from bmgate.services.events import MailboxEvents
from bmgate.services.mailboxes import maildrops as module
from bmgate.services.mailboxes.mailboxes import Mailboxes
from bmgate.services.mailboxes.maildrops import MaildropInUse, Maildrops
from bmgate.storage.database import SealedDatabase

HEADER = b"Subject: x\r\n\r\n"


class Place:
    """An account on SQLite with its two ways to its mail."""

    def __init__(self, database: SealedDatabase, account: AccountId) -> None:
        self.events, self.failpoints, self.account, self._database = MailboxEvents(), Failpoints(), account, database
        self.mailboxes = Mailboxes(database, self.events, FakeClock(NOW), self.failpoints)
        self.restart()

    def restart(self) -> None:
        """Nothing is remembered any more."""
        self.maildrops = Maildrops(self._database, self.events, self.failpoints)

    async def deliver(self, *bodies: bytes) -> None:
        for body in bodies:
            await self.mailboxes.append(self.account, "INBOX", HEADER + body, Flags.NONE, (), None)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    vault = make_vault()
    database = make_database(tmp_path, vault)
    account = await database.transact(lambda store: add_account(store, make_passwords(vault), "alice"))
    yield Place(database, account.id)
    assert await database.close()


async def test_sizes_are_those_of_the_wire_now_and_after_a_restart(place: Place) -> None:
    await place.deliver(b"a\r\n", b"a\nb\n", b"no end", b"")
    await place.mailboxes.append(place.account, "Sent", HEADER, Flags.NONE, (), None)
    first = await place.maildrops.open(place.account)
    assert first.octets == tuple(len(HEADER) + more for more in (3, 6, 8, 0))
    place.maildrops.release(place.account)
    await place.deliver(b"new\r\n")
    again = await place.maildrops.open(place.account)
    assert again.octets == (*first.octets, len(HEADER) + 5)
    place.restart()
    assert await place.maildrops.open(place.account) == again


async def test_mail_is_measured_in_portions_and_what_is_gone_is_left_out(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MEASURED_AT_ONCE", 1)
    monkeypatch.setattr(module, "MESSAGES_AT_ONCE", 2)
    with monkeypatch.context() as before:
        _index_wire_octets(before, None)
        await place.deliver(*(b"x" * number + b"\r\n" for number in range(4)))
    await place.deliver(b"x" * 4 + b"\r\n")
    shown = await place.maildrops.open(place.account)
    assert shown.uids == (1, 2, 3, 4, 5)
    assert shown.octets == tuple(len(HEADER) + 2 + number for number in range(5))


async def test_the_stored_index_tells_the_size_so_that_bodies_are_not_read(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    _index_wire_octets(monkeypatch, 4711)
    await place.deliver(b"a\r\n")
    assert (await place.maildrops.open(place.account)).octets == (4711,)


async def test_a_maildrop_is_held_until_it_is_released(place: Place) -> None:
    await place.maildrops.open(place.account)
    with pytest.raises(MaildropInUse):
        await place.maildrops.open(place.account)
    place.maildrops.release(place.account)
    await place.maildrops.open(place.account)


async def test_what_is_removed_is_gone_at_once_and_watchers_are_told(place: Place) -> None:
    await place.deliver(b"a\r\n", b"b\r\n", b"c\r\n")
    shown = await place.maildrops.open(place.account)
    told: list[str] = []
    place.events.watch(shown.mailbox, lambda: told.append("changed"))
    await place.maildrops.remove(shown, [1, 3, 99])
    assert told == ["changed"]
    assert [message.uid for message in await place.maildrops.messages(shown, shown.uids)] == [2]
    assert [head.header for head in await place.maildrops.heads(shown, shown.uids)] == [HEADER]
    assert (await place.mailboxes.changes(place.account, shown.mailbox, 0)).expunged == [1, 3]
    await place.maildrops.remove(shown, [1])
    assert told == ["changed"]


async def test_sizes_of_the_least_recent_maildrop_are_forgotten(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REMEMBERED", 0)
    await place.deliver(b"a\r\n")
    for _ in range(2):
        assert (await place.maildrops.open(place.account)).uids == (1,)
        place.maildrops.release(place.account)


def _index_wire_octets(monkeypatch: pytest.MonkeyPatch, octets: int | None) -> None:
    """What is delivered from now on is indexed with this size; None as by version 1 of the index."""
    monkeypatch.setattr(
        "bmgate.services.mailboxes.indexed.index_message", lambda raw: index_message(raw)._replace(wire_octets=octets)
    )


async def test_a_body_is_read_until_the_mail_is_expunged(place: Place) -> None:
    body = bytes(range(256)) * 3000
    await place.deliver(body)
    drop = await place.maildrops.open(place.account)
    (head,) = await place.maildrops.heads(drop, drop.uids)
    got = b""
    while len(got) < len(body):
        got += await place.maildrops.body(drop, head.uuid, len(got), len(body))
    assert got == body
    await place.maildrops.remove(drop, drop.uids)
    with pytest.raises(MessageMissing):
        await place.maildrops.body(drop, head.uuid, 0, len(body))
