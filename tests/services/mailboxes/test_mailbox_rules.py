"""Mailboxes with rules of their own: asked on every change, in its transaction."""

from collections.abc import Callable, Collection, Sequence

import pytest
from fakes import Failpoints
from stations import Station, User

from bmgate.domain.mailbox import FlagChange, Flags, Mailbox, MailboxKind, NewMail
from bmgate.domain.ports.account_store import AccountStore
from bmgate.errors import MailboxExists, NotAllowed
from bmgate.services.events import MailboxEvents
from bmgate.services.mailboxes.mailbox_rules import Effects, Made, Permissive
from bmgate.services.mailboxes.mailboxes import Mailboxes

MAIL = b"Subject: hello\r\n\r\nbody\r\n"


class Strict(Permissive):
    """Keeps a diary, refuses what it is told to, and makes mailboxes itself."""

    def __init__(self) -> None:
        self.diary: list[str] = []
        self.refused: set[str] = set()

    def governs(self, name: str) -> bool:
        return name == "Box" or name.startswith("Box/")

    def _note(self, verb: str, *words: object) -> Effects:
        if verb in self.refused:
            raise NotAllowed(f"no {verb}")
        text = " ".join(map(str, (verb, *words)))
        return (lambda: self.diary.append(text),)

    def creating(self, mine: AccountStore, name: str, now: int) -> Made | None:
        return Made(mine.mailboxes.create(name, MailboxKind.USER, now), self._note("create", name))

    def renaming(self, mine: AccountStore, mailbox: Mailbox, new_name: str) -> Effects:
        return self._note("rename", mailbox.name, new_name)

    def deleting(self, mine: AccountStore, mailbox: Mailbox) -> Effects:
        return self._note("delete", mailbox.name)

    def appending(self, mine: AccountStore, mailbox: Mailbox, mails: Sequence[NewMail]) -> Effects:
        return self._note("append", mailbox.name, len(mails))

    def flagging(
        self, mine: AccountStore, mailbox: Mailbox, uids: Collection[int], change: FlagChange, flags: Flags
    ) -> Effects:
        return self._note("flag", mailbox.name, list(uids), change.name, flags.name)

    def leaving(self, mine: AccountStore, mailbox: Mailbox, uids: Collection[int], target: Mailbox | None) -> Effects:
        return self._note("leave", mailbox.name, list(uids), target and target.name)

    def arriving(
        self, mine: AccountStore, mailbox: Mailbox, source: Mailbox, uids: Collection[int], moved: bool
    ) -> Effects:
        return self._note("arrive", mailbox.name, source.name, list(uids), moved)


@pytest.fixture
def rules() -> Strict:
    return Strict()


@pytest.fixture
def mailboxes(station: Station, rules: Strict) -> Mailboxes:
    return Mailboxes(station.database, MailboxEvents(), station.clock, Failpoints(), rules=[rules])


@pytest.fixture
async def alice(station: Station) -> User:
    return await station.add_user("alice")


async def test_rules_are_asked_on_every_change(mailboxes: Mailboxes, rules: Strict, alice: User) -> None:
    box = await mailboxes.create(alice.id, "Box")
    uids = (await mailboxes.append(alice.id, "Box", MAIL, Flags.NONE, (), None)).target_uids
    await mailboxes.set_flags(alice.id, box.id, uids, FlagChange.ADD, Flags.DELETED, ())
    await mailboxes.copy(alice.id, box.id, uids, "Drafts")
    inbox = (await mailboxes.open(alice.id, "INBOX")).mailbox
    await mailboxes.append(alice.id, "INBOX", MAIL, Flags.NONE, (), None)
    await mailboxes.move(alice.id, inbox.id, [1], "Box")
    await mailboxes.move(alice.id, box.id, [2], "Trash")
    await mailboxes.expunge(alice.id, box.id, None)
    await mailboxes.rename(alice.id, "Box", "Free")
    await mailboxes.rename(alice.id, "Free", "Box")
    await mailboxes.delete(alice.id, "Box")
    assert rules.diary == [
        "create Box",
        "append Box 1",
        "flag Box [1] ADD DELETED",
        "arrive Box INBOX [1] True",
        "leave Box [2] Trash",
        "leave Box [1] None",
        "rename Box Free",
        "rename Free Box",
        "delete Box",
    ]


async def test_what_rules_refuse_leaves_no_trace(mailboxes: Mailboxes, rules: Strict, alice: User) -> None:
    box = await mailboxes.create(alice.id, "Box")
    await mailboxes.append(alice.id, "Box", MAIL, Flags.DELETED, (), None)
    before = [mailbox.name for mailbox in await mailboxes.all(alice.id)]
    rules.refused = {"create", "append", "flag", "arrive", "leave", "rename", "delete"}
    rules.diary.clear()
    attempts: list[Callable[[], object]] = [
        lambda: mailboxes.create(alice.id, "Box/x"),
        lambda: mailboxes.append(alice.id, "Box", MAIL, Flags.NONE, (), None),
        lambda: mailboxes.set_flags(alice.id, box.id, [1], FlagChange.ADD, Flags.SEEN, ()),
        lambda: mailboxes.copy(alice.id, box.id, [1], "Box"),
        lambda: mailboxes.move(alice.id, box.id, [1], "Trash"),
        lambda: mailboxes.expunge(alice.id, box.id, None),
        lambda: mailboxes.rename(alice.id, "Box", "Other"),
        lambda: mailboxes.delete(alice.id, "Box"),
    ]
    for attempt in attempts:
        with pytest.raises(NotAllowed):
            await attempt()  # type: ignore[misc]
    assert rules.diary == []
    assert [mailbox.name for mailbox in await mailboxes.all(alice.id)] == before
    assert [row.flags for row in (await mailboxes.open(alice.id, "Box")).rows] == [Flags.DELETED]


async def test_other_mailboxes_are_free(mailboxes: Mailboxes, rules: Strict, alice: User) -> None:
    rules.refused = {"create"}
    await mailboxes.create(alice.id, "Elsewhere/Box")
    with pytest.raises(MailboxExists):
        await mailboxes.create(alice.id, "Elsewhere")


async def test_sent_keeps_the_clients_first_copy_of_what_nobody_submitted(mailboxes: Mailboxes, alice: User) -> None:
    first = b"Message-ID: <a@x>\r\nSubject: 1\r\n\r\n"
    for raw in (first, first.replace(b"1", b"2")):
        await mailboxes.append(alice.id, "Sent", raw, Flags.SEEN, (), None)
    assert [row.uid for row in (await mailboxes.open(alice.id, "Sent")).rows] == [1, 2]


async def test_recent_is_told_to_one_session(station: Station, mailboxes: Mailboxes, alice: User) -> None:
    await mailboxes.append(alice.id, "INBOX", MAIL, Flags.NONE, (), None)
    assert (await mailboxes.status(alice.id, "INBOX")).recent == 1
    assert (await mailboxes.open(alice.id, "INBOX")).mailbox.recent_uid == 1
    assert (await mailboxes.open(alice.id, "INBOX", read_only=False)).mailbox.recent_uid == 1
    assert (await mailboxes.open(alice.id, "INBOX")).mailbox.recent_uid == 2
    assert (await mailboxes.status(alice.id, "INBOX")).recent == 0
    again = Mailboxes(station.database, MailboxEvents(), station.clock, Failpoints())
    assert (await again.status(alice.id, "INBOX")).recent == 0
