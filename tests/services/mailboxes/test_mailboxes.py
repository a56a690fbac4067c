"""Mailboxes: names, special places, and what append, copy, move and expunge promise."""

from collections.abc import Awaitable, Callable

import pytest
from fakes import Failpoints
from stations import Station, User

from bmgate.domain.mailbox import FlagChange, Flags, MailboxId, MailboxKind, MessageHead
from bmgate.errors import LimitReached, MailboxExists, MailboxMissing, MessageMissing, NotAllowed
from bmgate.services.events import MailboxEvents
from bmgate.services.mailboxes.keywords import MAX_OF_MAILBOX, MAX_OF_MESSAGE
from bmgate.services.mailboxes.mailboxes import Mailboxes

SPECIAL = ["INBOX", "Sent", "Drafts", "Trash", "Junk", "Archive", "Outbox"]
MAIL = b"Subject: hello\r\n\r\nbody\r\n"


@pytest.fixture
async def alice(station: Station) -> User:
    return await station.add_user("alice")


@pytest.fixture
def mailboxes(station: Station) -> Mailboxes:
    return station.services.mailboxes


async def names(mailboxes: Mailboxes, user: User) -> list[str]:
    return [mailbox.name for mailbox in await mailboxes.all(user.id)]


async def id_of(mailboxes: Mailboxes, user: User, name: str) -> MailboxId:
    return (await mailboxes.open(user.id, name)).mailbox.id


async def fill(mailboxes: Mailboxes, user: User, name: str, count: int, flags: Flags = Flags.NONE) -> list[int]:
    uids = []
    for _ in range(count):
        uids += (await mailboxes.append(user.id, name, MAIL, flags, ("word",), None)).target_uids
    return uids


async def test_an_account_begins_with_the_special_mailboxes(mailboxes: Mailboxes, alice: User) -> None:
    assert await names(mailboxes, alice) == SPECIAL


@pytest.mark.parametrize(
    ("asked", "kind"), [("inbox", "inbox"), ("Sent Items", "sent"), ("SPAM", "junk"), ("deleted messages", "trash")]
)
async def test_special_mailboxes_answer_to_the_names_programs_use(
    mailboxes: Mailboxes, alice: User, asked: str, kind: str
) -> None:
    assert (await mailboxes.open(alice.id, asked)).mailbox.kind is MailboxKind(kind)
    if kind != "inbox":
        await mailboxes.create(alice.id, asked)
        assert await names(mailboxes, alice) == SPECIAL


async def test_a_mailbox_is_made_with_those_above_it(mailboxes: Mailboxes, alice: User) -> None:
    await mailboxes.create(alice.id, "a/b/c/")
    assert (await names(mailboxes, alice))[7:] == ["a", "a/b", "a/b/c"]
    with pytest.raises(MailboxExists):
        await mailboxes.create(alice.id, "a/b")


@pytest.mark.parametrize(
    "name",
    ["", "/", "a//b", "/a", "a/ /b", "a*", "a%b", "a\0b", "a\nb", "x" * 201, "a/" * 20 + "a"],
)
async def test_impossible_names_are_refused(mailboxes: Mailboxes, alice: User, name: str) -> None:
    with pytest.raises(NotAllowed):
        await mailboxes.create(alice.id, name)
    assert await names(mailboxes, alice) == SPECIAL


@pytest.mark.parametrize("name", SPECIAL)
async def test_special_mailboxes_stay(mailboxes: Mailboxes, alice: User, name: str) -> None:
    with pytest.raises(NotAllowed):
        await mailboxes.delete(alice.id, name)
    if name != "INBOX":
        with pytest.raises(NotAllowed):
            await mailboxes.rename(alice.id, name, "elsewhere")


async def test_renaming_takes_those_below_along(mailboxes: Mailboxes, alice: User) -> None:
    await mailboxes.create(alice.id, "a/b/c")
    await mailboxes.create(alice.id, "ab")
    await mailboxes.rename(alice.id, "a", "x/y")
    assert (await names(mailboxes, alice))[7:] == ["ab", "x", "x/y", "x/y/b", "x/y/b/c"]
    with pytest.raises(NotAllowed):
        await mailboxes.rename(alice.id, "x/y", "x/y/z")
    with pytest.raises(MailboxExists):
        await mailboxes.rename(alice.id, "x/y", "ab")


async def test_renaming_inbox_moves_its_mail_and_keeps_it(mailboxes: Mailboxes, alice: User) -> None:
    await fill(mailboxes, alice, "INBOX", 3)
    before = (await mailboxes.open(alice.id, "INBOX")).mailbox
    await mailboxes.rename(alice.id, "INBOX", "old mail")
    inbox, old = await mailboxes.open(alice.id, "INBOX"), await mailboxes.open(alice.id, "old mail")
    assert (len(inbox.rows), len(old.rows)) == (0, 3)
    assert inbox.mailbox.uidvalidity == before.uidvalidity
    assert inbox.mailbox.uidnext == before.uidnext, "U1: UIDs are not used again"


async def test_a_mailbox_made_again_has_another_uidvalidity(mailboxes: Mailboxes, alice: User) -> None:
    await mailboxes.create(alice.id, "a")
    first = (await mailboxes.open(alice.id, "a")).mailbox.uidvalidity
    await mailboxes.delete(alice.id, "a")
    with pytest.raises(MailboxMissing):
        await mailboxes.open(alice.id, "a")
    await mailboxes.create(alice.id, "a")
    assert (await mailboxes.open(alice.id, "a")).mailbox.uidvalidity > first, "U3"


async def test_the_number_of_mailboxes_has_a_limit(station: Station, alice: User) -> None:
    few = Mailboxes(station.database, MailboxEvents(), station.clock, Failpoints(), limit=9)
    with pytest.raises(LimitReached):
        await few.create(alice.id, "a/b/c")
    assert await names(few, alice) == SPECIAL
    await few.create(alice.id, "a")
    for wanted in ("b/c/a", "b/c"):
        with pytest.raises(LimitReached):
            await few.rename(alice.id, "INBOX", wanted)
    with pytest.raises(LimitReached):
        await few.rename(alice.id, "a", "b/c/a")
    await few.rename(alice.id, "a", "b/a")
    with pytest.raises(LimitReached):
        await few.create(alice.id, "c")
    assert (await names(few, alice))[7:] == ["b", "b/a"]


async def test_names_below_a_renamed_mailbox_stay_within_bounds(mailboxes: Mailboxes, alice: User) -> None:
    await mailboxes.create(alice.id, "a/" + "x" * 190)
    with pytest.raises(NotAllowed):
        await mailboxes.rename(alice.id, "a", "y" * 100)
    assert (await names(mailboxes, alice))[7:] == ["a", "a/" + "x" * 190]


async def test_t5_keywords_of_a_message_and_of_a_mailbox_are_bounded(mailboxes: Mailboxes, alice: User) -> None:
    def words(first: int, count: int) -> tuple[str, ...]:
        return tuple(f"word{number}" for number in range(first, first + count))

    uids = await fill(mailboxes, alice, "INBOX", 9)
    inbox, add = await id_of(mailboxes, alice, "INBOX"), FlagChange.ADD
    await mailboxes.set_flags(alice.id, inbox, uids[:1], add, Flags.NONE, words(0, MAX_OF_MESSAGE - 1))
    with pytest.raises(LimitReached):
        await mailboxes.set_flags(alice.id, inbox, uids[:1], add, Flags.NONE, ("another",))
    for place, first in enumerate(range(0, MAX_OF_MAILBOX - 101, 100)):
        await mailboxes.set_flags(
            alice.id, inbox, uids[place : place + 1], FlagChange.REPLACE, Flags.NONE, words(first, 100)
        )
    await mailboxes.set_flags(alice.id, inbox, uids[:1], add, Flags.SEEN, ("word7", "$Label1"))
    rows = (await mailboxes.open(alice.id, "INBOX")).rows
    assert len({word for row in rows for word in row.keywords}) == 901
    await mailboxes.create(alice.id, "full")
    await mailboxes.copy(alice.id, inbox, uids, "full")
    await mailboxes.append(alice.id, "full", MAIL, Flags.NONE, words(2000, 99), None)
    full = await id_of(mailboxes, alice, "full")
    await mailboxes.set_flags(alice.id, full, [1], FlagChange.REMOVE, Flags.SEEN, ("never there",))
    for attempt in (
        lambda: mailboxes.append(alice.id, "full", MAIL, Flags.NONE, words(3000, 2), None),
        lambda: mailboxes.set_flags(alice.id, full, [1], add, Flags.NONE, words(3000, 2)),
        lambda: mailboxes.copy(alice.id, inbox, uids[:1], "full"),
    ):
        await mailboxes.set_flags(alice.id, inbox, uids[:1], FlagChange.REPLACE, Flags.NONE, words(5000, 2))
        with pytest.raises(LimitReached):
            await attempt()
    assert len((await mailboxes.open(alice.id, "full")).rows) == 10


async def test_a_mail_is_not_saved_before_it_came(mailboxes: Mailboxes, alice: User, station: Station) -> None:
    now = station.clock.now()
    for internaldate in (None, now, now - 5, now - 5000, now + 5000):
        await mailboxes.append(alice.id, "Drafts", MAIL, Flags.NONE, (), internaldate)
    saved = [(row.internaldate - now, row.saved_at) for row in (await mailboxes.open(alice.id, "Drafts")).rows]
    minute = now // 60 * 60
    assert saved == [(0, now), (0, now), (-5, max(now - 5, minute)), (-5000, minute), (5000, now)]
    await mailboxes.copy(alice.id, await id_of(mailboxes, alice, "Drafts"), [1, 4], "Archive")
    assert [row.saved_at for row in (await mailboxes.open(alice.id, "Archive")).rows] == [now, minute]


async def test_a_move_is_a_copy_and_an_expunge_at_once(mailboxes: Mailboxes, alice: User) -> None:
    uids = await fill(mailboxes, alice, "INBOX", 3, Flags.FLAGGED)
    inbox = await id_of(mailboxes, alice, "INBOX")
    moved = await mailboxes.move(alice.id, inbox, uids[:2], "Archive")
    assert (moved.source_uids, len(moved.target_uids)) == (uids[:2], 2)
    archive = await mailboxes.open(alice.id, "Archive")
    assert [(row.flags, row.keywords) for row in archive.rows] == [(Flags.FLAGGED, ("word",))] * 2
    assert [row.uid for row in (await mailboxes.open(alice.id, "INBOX")).rows] == uids[2:]
    changes = await mailboxes.changes(alice.id, inbox, 0)
    assert set(changes.expunged) >= set(uids[:2])
    with pytest.raises(MailboxMissing):
        await mailboxes.move(alice.id, inbox, uids, "nowhere")
    assert len((await mailboxes.open(alice.id, "INBOX")).rows) == 1


async def test_only_what_is_marked_is_expunged(mailboxes: Mailboxes, alice: User) -> None:
    uids = await fill(mailboxes, alice, "INBOX", 4)
    inbox = await id_of(mailboxes, alice, "INBOX")
    await mailboxes.set_flags(alice.id, inbox, uids[:3], FlagChange.ADD, Flags.DELETED, ())
    assert await mailboxes.expunge(alice.id, inbox, uids[2:]) == [uids[2]]
    assert await mailboxes.expunge(alice.id, inbox, None) == uids[:2]
    assert [row.uid for row in (await mailboxes.open(alice.id, "INBOX")).rows] == uids[3:]


async def test_watchers_hear_of_every_change_until_they_stop(mailboxes: Mailboxes, alice: User) -> None:
    inbox = await id_of(mailboxes, alice, "INBOX")
    heard: list[int] = []
    stop = mailboxes.watch(inbox, lambda: heard.append(1))
    (uid,) = await fill(mailboxes, alice, "INBOX", 1)
    await mailboxes.set_flags(alice.id, inbox, [uid], FlagChange.ADD, Flags.SEEN | Flags.DELETED, ())
    await mailboxes.copy(alice.id, inbox, [uid], "INBOX")
    await mailboxes.expunge(alice.id, inbox, None)
    assert len(heard) == 4
    stop()
    await fill(mailboxes, alice, "INBOX", 1)
    assert len(heard) == 4


async def test_another_accounts_mailboxes_are_as_if_absent(station: Station, mailboxes: Mailboxes, alice: User) -> None:
    """I16, V13: by name and by row id."""
    bob = await station.add_user("bob")
    uids = await fill(mailboxes, alice, "INBOX", 2)
    theirs, mine = await id_of(mailboxes, alice, "INBOX"), await id_of(mailboxes, bob, "INBOX")
    attempts: tuple[Callable[[], Awaitable[object]], ...] = (
        lambda: mailboxes.messages(bob.id, theirs, uids),
        lambda: mailboxes.heads(bob.id, theirs, uids),
        lambda: mailboxes.changes(bob.id, theirs, 0),
        lambda: mailboxes.set_flags(bob.id, theirs, uids, FlagChange.ADD, Flags.DELETED, ()),
        lambda: mailboxes.expunge(bob.id, theirs, None),
        lambda: mailboxes.copy(bob.id, theirs, uids, "INBOX"),
        lambda: mailboxes.move(bob.id, theirs, uids, "INBOX"),
    )
    for attempt in attempts:
        with pytest.raises(MailboxMissing):
            await attempt()
    assert (await mailboxes.changes(bob.id, mine, 0)).updated == []
    assert [row.flags for row in (await mailboxes.open(alice.id, "INBOX")).rows] == [Flags.NONE] * 2


async def test_a_mail_appended_keeps_its_bytes_date_and_flags(mailboxes: Mailboxes, alice: User) -> None:
    raw = b"Subject: caf\xe9\nX: \0\n\nline\r\nbare\rcr\n"
    transfer = await mailboxes.append(alice.id, "Drafts", raw, Flags.DRAFT | Flags.SEEN, ("$label1",), 981_173_106)
    snapshot = await mailboxes.open(alice.id, "Drafts")
    assert transfer.uidvalidity == snapshot.mailbox.uidvalidity
    (row,) = snapshot.rows
    assert (row.uid, row.flags, row.keywords) == (transfer.target_uids[0], Flags.DRAFT | Flags.SEEN, ("$label1",))
    (message,) = await mailboxes.messages(alice.id, snapshot.mailbox.id, [row.uid])
    assert message.header + message.body == raw
    assert message.internaldate // 60 == 981_173_106 // 60


async def test_i7_a_large_mail_is_looked_into_and_read_in_portions(mailboxes: Mailboxes, alice: User) -> None:
    raw = MAIL + bytes(range(256)) * 3000
    split = MAIL.index(b"body")
    await mailboxes.append(alice.id, "INBOX", raw, Flags.NONE, (), None)
    inbox = await id_of(mailboxes, alice, "INBOX")
    (head,) = await mailboxes.portion(alice.id, inbox, [1], 10_000)
    assert isinstance(head, MessageHead)
    cuts = [(0, 10), (split - 3, split + 3), (0, len(raw)), (len(raw) - 5, None), (700_000, 10), (262_000, 530_000)]
    slices = [slice(*cut) for cut in cuts]
    assert await mailboxes.look_into(alice.id, head, lambda octets: [octets[cut] for cut in slices]) == [
        raw[cut] for cut in slices
    ]
    got = b""
    while len(got) < len(raw) - split:
        got += await mailboxes.body(alice.id, head.uuid, len(got), len(raw) - split)
    assert got == raw[split:]
    await mailboxes.set_flags(alice.id, inbox, [1], FlagChange.ADD, Flags.DELETED, ())
    await mailboxes.expunge(alice.id, inbox, None)
    with pytest.raises(MessageMissing):
        await mailboxes.look_into(alice.id, head, lambda octets: octets[-10:])
