"""Mail too large for memory: stored in many transactions, seen all at once or not at all."""

import asyncio
from collections.abc import Callable

import pytest
from fakes import Failpoints, WatchedDatabase
from stations import Station, User
from windowed import Windowed

from bmgate.domain.mailbox import Flags, NewMail, StoredMessage
from bmgate.errors import MailboxMissing, OverQuota, ShuttingDown, Unavailable
from bmgate.services.events import MailboxEvents
from bmgate.services.mailboxes.large_mail import PORTION
from bmgate.services.mailboxes.mailboxes import Mailboxes
from bmgate.storage.fsck import check

WINDOW = 100_000
HEADER = b"Message-ID: <large@here>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
SMALL = b"Subject: small\r\n\r\nbody\r\n"


def large(octets: int = 2 * PORTION + 12_345, header: bytes = HEADER) -> Windowed:
    """A mail of so many octets."""
    front, back = header + b"--b\r\n\r\ntext\r\n--b\r\n\r\n", b"\r\n--b--\r\n"
    return Windowed(front + b"0123456789abcdef" * ((octets - len(front) - len(back)) // 16 + 1) + back, WINDOW)


def new(raw: bytes | Windowed) -> NewMail:
    return NewMail(raw, Flags.SEEN, ("word",), None)


@pytest.fixture
async def alice(station: Station) -> User:
    return await station.add_user("alice")


@pytest.fixture
def mailboxes(station: Station) -> Mailboxes:
    return station.services.mailboxes


async def contents(mailboxes: Mailboxes, user: User, name: str = "INBOX") -> list[StoredMessage]:
    snapshot = await mailboxes.open(user.id, name)
    return await mailboxes.messages(user.id, snapshot.mailbox.id, [row.uid for row in snapshot.rows])


async def assert_clean(station: Station, user: User) -> None:
    """Nothing is stored that is not shown, once the writer has had the time, and no room is taken by it."""
    for _ in range(100):
        if all(not problem.is_remark for problem in await station.database.read(check)):
            break
        await station.database.transact(lambda store: None)
    assert await station.database.read(check) == []
    assert not await station.database.read(lambda store: store.account(user.id).messages.has_staged())


@pytest.mark.parametrize("octets", [1, PORTION - 1, PORTION, PORTION + 1, 2 * PORTION + 12_345])
async def test_it_is_stored_as_if_it_had_come_whole(
    station: Station, mailboxes: Mailboxes, alice: User, octets: int
) -> None:
    mail = large(octets)
    transfer = await mailboxes.append_all(alice.id, "INBOX", [new(mail), new(mail.raw), new(SMALL)])
    assert transfer.target_uids == [1, 2, 3]
    first, second, _ = await contents(mailboxes, alice)
    assert first._replace(uuid=b"", uid=2) == second._replace(uuid=b"")
    assert first.header + first.body == mail.raw
    assert mail.largest <= max(PORTION, 2 * WINDOW)
    await assert_clean(station, alice)


async def test_a_mail_that_is_all_header_has_an_empty_body(station: Station, mailboxes: Mailboxes, alice: User) -> None:
    mail = Windowed(b"Subject: nothing else\r\n" * 5, 10)
    await mailboxes.append_all(alice.id, "INBOX", [new(mail)])
    (stored,) = await contents(mailboxes, alice)
    assert (stored.header, stored.body) == (mail.raw, b"")
    await assert_clean(station, alice)


async def test_nothing_of_it_is_seen_before_all_is_stored_and_others_write_meanwhile(
    station: Station, alice: User
) -> None:
    seen, points = list[int](), Failpoints()
    mailboxes = Mailboxes(station.database, MailboxEvents(), station.clock, points)
    storing = asyncio.create_task(mailboxes.append_all(alice.id, "INBOX", [new(large())]))
    while not storing.done():
        await mailboxes.append_all(alice.id, "Archive", [new(SMALL)])
        seen.append(len(await contents(mailboxes, alice)) if "append.staged" in points.passed else 0)
        if storing.done():
            break
    await storing
    assert set(seen[:-1]) <= {0}
    assert points.passed.count("append.staged") == 3
    assert len(await contents(mailboxes, alice)) == 1


async def test_over_quota_it_is_refused_before_anything_is_stored(station: Station, alice: User) -> None:
    points = Failpoints()
    mailboxes = Mailboxes(station.database, MailboxEvents(), station.clock, points)
    await station.database.transact(lambda store: store.accounts.set_quota(alice.id, 2 * PORTION))
    with pytest.raises(OverQuota):
        await mailboxes.append_all(alice.id, "INBOX", [new(large(PORTION)), new(large())])
    assert points.passed.count("append.staged") == 1
    await assert_clean(station, alice)


async def test_for_a_mailbox_that_is_not_there_nothing_is_stored(station: Station, alice: User) -> None:
    points = Failpoints()
    mailboxes = Mailboxes(station.database, MailboxEvents(), station.clock, points)
    with pytest.raises(MailboxMissing):
        await mailboxes.append_all(alice.id, "nowhere", [new(large())])
    assert points.passed == []
    await assert_clean(station, alice)


class Breaking:
    """Raises an error at the n-th pass of a point."""

    def __init__(self, name: str, count: int, act: Callable[[], None]) -> None:
        self._name, self._left, self._act = name, count, act

    def pass_(self, name: str) -> None:
        self._left -= name == self._name
        if name == self._name and self._left == 0:
            self._act()


def fail() -> None:
    raise Unavailable("the storage is gone")


@pytest.mark.parametrize(("point", "count"), [("append.staged", 1), ("append.staged", 4), ("append.stored", 1)])
async def test_what_fails_in_the_middle_leaves_nothing(station: Station, alice: User, point: str, count: int) -> None:
    mailboxes = Mailboxes(station.database, MailboxEvents(), station.clock, Breaking(point, count, fail))
    with pytest.raises(Unavailable):
        await mailboxes.append_all(alice.id, "INBOX", [new(large()), new(large())])
    assert await contents(mailboxes, alice) == []
    await assert_clean(station, alice)


async def test_what_cannot_be_dropped_now_is_swept_at_the_next_start(station: Station, alice: User) -> None:
    database = WatchedDatabase(station.database)

    def stop() -> None:
        database.failure = ShuttingDown("the gateway is about to stop")
        raise KeyError("first")

    mailboxes = Mailboxes(database, MailboxEvents(), station.clock, Breaking("append.staged", 1, stop))
    with pytest.raises(KeyError, match="first"):
        await mailboxes.append_all(alice.id, "INBOX", [new(large())])
    assert await station.database.read(lambda store: store.account(alice.id).messages.has_staged())
    await station.database.transact(lambda store: store.account(alice.id).messages.drop_staged())
    await assert_clean(station, alice)


@pytest.mark.parametrize(("point", "count"), [("append.staged", 1), ("append.staged", 3)])
async def test_an_import_that_sweeps_it_away_meanwhile_costs_a_repeat(
    station: Station, alice: User, point: str, count: int
) -> None:
    swept = list[asyncio.Task[int]]()

    def sweep() -> None:
        drop = station.database.transact(lambda store: store.account(alice.id).messages.drop_staged())
        swept.append(asyncio.ensure_future(drop))

    mailboxes = Mailboxes(station.database, MailboxEvents(), station.clock, Breaking(point, count, sweep))
    with pytest.raises(Unavailable):
        await mailboxes.append_all(alice.id, "INBOX", [new(large())])
    assert [task.result() for task in swept] == [1]
    await assert_clean(station, alice)


async def test_m7_a_second_copy_in_sent_leaves_nothing(station: Station, mailboxes: Mailboxes, alice: User) -> None:
    raw = b"From: <%b>\r\nSubject: s\r\nMessage-ID: <m1@here>\r\n\r\ntext\r\n" % alice.mail_address.encode()
    await alice.send(alice, raw=raw)
    await station.settle()
    copy = Windowed(raw, WINDOW)
    first = await mailboxes.append_all(alice.id, "Sent", [new(copy)])
    second = await mailboxes.append_all(alice.id, "Sent", [new(copy)])
    assert first.target_uids == second.target_uids
    await assert_clean(station, alice)
