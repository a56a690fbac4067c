"""Mailboxes and messages of one account, on both databases."""

import os
from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import text
from storage_fixtures import NOW, add_account, make_passwords, new_content

from bmgate.domain.account import Account, Level
from bmgate.domain.mailbox import (
    SPECIAL_MAILBOXES,
    FlagChange,
    Flags,
    Mailbox,
    MailboxId,
    MailboxKind,
    MessageRow,
    NewContent,
    StoredMessage,
)
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Store
from bmgate.errors import AccountLocked, MailboxExists, MailboxMissing, MessageMissing, OverQuota
from bmgate.storage.database import SealedDatabase
from bmgate.storage.repositories.contents import CHUNK_SIZE, size_class
from bmgate.storage.sealing import Damaged
from bmgate.storage.store import SealedStore
from bmgate.storage.vault import Vault

Work = Callable[[AccountStore], object]


def inbox_of(mine: AccountStore) -> Mailbox:
    return mine.mailboxes.by_kind(MailboxKind.INBOX)


def deliver(mine: AccountStore, words: str = "hello", flags: Flags = Flags.NONE) -> MessageRow:
    content = mine.messages.add_content(new_content(words))
    return mine.messages.append(inbox_of(mine).id, content, flags, (), NOW)


def sql(store: Store, statement: str) -> list[tuple[object, ...]]:
    assert isinstance(store, SealedStore)
    result = store.scope.connection.execute(text(statement))
    return [tuple(row) for row in result] if result.returns_rows else []


async def test_special_mailboxes_are_there_from_the_start(database: SealedDatabase, alice: Account) -> None:
    mailboxes = await database.read(lambda store: store.account(alice.id).mailboxes.all())
    assert [(mailbox.kind, mailbox.name) for mailbox in mailboxes] == list(SPECIAL_MAILBOXES.items())
    assert len({mailbox.uidvalidity for mailbox in mailboxes}) == len(mailboxes)
    assert min(mailbox.uidvalidity for mailbox in mailboxes) >= NOW


async def test_mailboxes_are_found_by_exact_name_and_inbox_in_any_case(
    database: SealedDatabase, alice: Account
) -> None:
    def look(store: Store) -> None:
        mailboxes = store.account(alice.id).mailboxes
        made = mailboxes.create("Zürich/Reise", MailboxKind.USER, NOW)
        assert mailboxes.find("Zürich/Reise") == made == mailboxes.get(made.id)
        assert mailboxes.find("zürich/reise") is None
        assert mailboxes.find("inBOX") == mailboxes.by_kind(MailboxKind.INBOX)
        with pytest.raises(MailboxExists):
            mailboxes.create("Inbox", MailboxKind.USER, NOW)
        mailboxes.rename(made.id, "Elsewhere")
        assert mailboxes.find("Zürich/Reise") is None
        assert mailboxes.get(made.id).name == "Elsewhere"
        with pytest.raises(MailboxExists):
            mailboxes.rename(made.id, "Sent")
        mailboxes.set_subscribed(made.id, False)
        assert not mailboxes.get(made.id).subscribed

    await database.transact(look)


async def test_a_mailbox_made_again_has_a_greater_uidvalidity(database: SealedDatabase, alice: Account) -> None:
    def make_twice(store: Store) -> None:
        mine = store.account(alice.id)
        first = mine.mailboxes.create("Again", MailboxKind.USER, NOW + 1000)
        content = mine.messages.add_content(new_content())
        mine.messages.append(first.id, content, Flags.NONE, (), NOW)
        mine.mailboxes.delete(first.id)
        with pytest.raises(MailboxMissing):
            mine.mailboxes.get(first.id)
        second = mine.mailboxes.create("Again", MailboxKind.USER, NOW - 1000)
        assert second.uidvalidity == first.uidvalidity + 1
        assert second.id > first.id
        assert sql(store, "SELECT count(*) FROM content") == [(0,)]
        assert sql(store, "SELECT count(*) FROM content_blob") == [(0,)]

    await database.transact(make_twice)


async def test_i7_a_budget_ends_reading_at_the_last_mail_that_fits(database: SealedDatabase, alice: Account) -> None:
    sizes = (600, 1_000, 1_000, 5_000, 10, 10)

    def store_all(store: Store) -> MailboxId:
        mine = store.account(alice.id)
        for size in sizes:
            content = mine.messages.add_content(NewContent(b"", b"index", bytes(size)))
            mine.messages.append(inbox_of(mine).id, content, Flags.NONE, (), NOW)
        mine.messages.expunge(inbox_of(mine).id, [2])
        return inbox_of(mine).id

    inbox = await database.transact(store_all)

    async def read(uids: list[int], budget: int | None) -> list[int]:
        found = await database.read(lambda store: store.account(alice.id).messages.messages(inbox, uids, budget))
        assert [len(message.body) for message in found] == [sizes[message.uid - 1] for message in found]
        return [message.uid for message in found]

    assert await read([1, 2, 3, 4, 5, 6], None) == [1, 3, 4, 5, 6]
    assert await read([1, 2, 3, 4, 5, 6], size_class(600) + size_class(1_000)) == [1, 3]
    assert await read([6, 5, 4], 100) == [4]
    assert await read([1, 5, 6], 0) == [1]
    assert await read([2, 99], 0) == []
    assert await read([*range(100, 2_000), 5, 6], 20) == [5, 6]


async def test_i7_a_mail_larger_than_the_budget_comes_alone_and_as_its_head(
    database: SealedDatabase, alice: Account
) -> None:
    def store_all(store: Store) -> MailboxId:
        mine = store.account(alice.id)
        for size in (600, 5_000, 10, 10):
            content = mine.messages.add_content(NewContent(b"head", b"index", bytes(size)))
            mine.messages.append(inbox_of(mine).id, content, Flags.NONE, (), NOW)
        return inbox_of(mine).id

    inbox = await database.transact(store_all)

    async def read(uids: list[int], budget: int) -> list[tuple[int, bool]]:
        found = await database.read(lambda store: store.account(alice.id).messages.portion(inbox, uids, budget))
        assert all((message.header, message.encoded_index) == (b"head", b"index") for message in found)
        return [(message.uid, isinstance(message, StoredMessage)) for message in found]

    assert await read([1, 2, 3, 4], 1_000) == [(1, True)]
    assert await read([2, 3, 4], 1_000) == [(2, False)]
    assert await read([3, 4], 1_000) == [(3, True), (4, True)]
    assert await read([2, 3, 4], 10_000) == [(2, True), (3, True), (4, True)]
    assert await read([9], 1_000) == []


@pytest.mark.parametrize("are_open", [False, True])
async def test_i7_of_headers_only_what_fits_a_budget_is_opened(
    database: SealedDatabase, vault: Vault, alice: Account, are_open: bool
) -> None:
    sizes = (1_000, 2_000, 10, 10, 300_000, 10)

    def store_all(store: Store) -> MailboxId:
        mine = store.account(alice.id)
        for size in sizes:
            content = mine.messages.add_content(NewContent(bytes(size), b"index", b""))
            mine.messages.append(inbox_of(mine).id, content, Flags.NONE, (), NOW)
        return inbox_of(mine).id

    inbox = await database.transact(store_all)

    async def read(uids: list[int], budget: int | None) -> list[int]:
        if not are_open:
            vault.opened.clear()
        found = await database.read(lambda store: store.account(alice.id).messages.heads(inbox, uids, budget))
        assert [len(head.header) for head in found] == [sizes[head.uid - 1] for head in found]
        return [head.uid for head in found]

    assert await read([1, 2, 3, 4, 5, 6], None) == [1, 2, 3, 4, 5, 6]
    assert await read([1, 2, 3, 4, 5, 6], 4_000) == [1, 2, 3, 4]
    assert await read([1, 2, 3, 4, 5, 6], 2_000) == [1]
    assert await read([2, 3], 100) == [2]
    assert await read([5, 6], 100_000) == [5]
    assert await read([6, 99], 0) == [6]
    assert await read([99], 0) == []


async def test_a_body_is_read_chunk_by_chunk_by_its_owner_as_long_as_it_is_there(
    database: SealedDatabase, alice: Account, bob: Account
) -> None:
    body = os.urandom(2 * CHUNK_SIZE + 100)

    def deliver_twice(store: Store) -> bytes:
        mine = store.account(alice.id)
        content = mine.messages.add_content(NewContent(b"head", b"index", body))
        for _ in range(2):
            mine.messages.append(inbox_of(mine).id, content, Flags.NONE, (), NOW)
        return mine.messages.heads(inbox_of(mine).id, [1])[0].uuid

    uuid = await database.transact(deliver_twice)

    async def read(account: Account, start: int, end: int) -> bytes:
        return await database.read(lambda store: store.account(account.id).messages.body(uuid, start, end))

    assert await read(alice, 0, len(body)) == body[:CHUNK_SIZE]
    assert await read(alice, CHUNK_SIZE - 1, len(body)) == body[CHUNK_SIZE - 1 : CHUNK_SIZE]
    assert await read(alice, CHUNK_SIZE + 5, CHUNK_SIZE + 9) == body[CHUNK_SIZE + 5 : CHUNK_SIZE + 9]
    assert await read(alice, 2 * CHUNK_SIZE, len(body)) == body[2 * CHUNK_SIZE :]
    with pytest.raises(MessageMissing):
        await read(bob, 0, 10)
    for start in (len(body), 3 * CHUNK_SIZE):  # where the index said more than there is
        with pytest.raises(Damaged):
            await read(alice, start, start + 1)
    await database.transact(
        lambda store: store.account(alice.id).messages.expunge(inbox_of(store.account(alice.id)).id, [1])
    )
    assert await read(alice, 0, 1) == body[:1]
    await database.transact(
        lambda store: store.account(alice.id).messages.expunge(inbox_of(store.account(alice.id)).id, [2])
    )
    with pytest.raises(MessageMissing):
        await read(alice, 0, 1)


@pytest.mark.parametrize(
    "splice",
    [
        "UPDATE content_blob SET data = (SELECT data FROM content_blob WHERE n = 1) WHERE kind = 1 AND n = 0",
        "UPDATE content_blob SET last = (n = 0) WHERE kind = 1",
        "UPDATE content_blob SET data = (SELECT data FROM content_blob WHERE kind = 0) WHERE kind = 1 AND n = 0",
        "DELETE FROM content_blob WHERE kind = 1 AND n = 0",
    ],
)
async def test_a_chunk_that_somebody_moved_does_not_open_alone(
    database: SealedDatabase, alice: Account, splice: str
) -> None:
    def deliver_one(store: Store) -> bytes:
        mine = store.account(alice.id)
        content = mine.messages.add_content(NewContent(b"head", b"index", bytes(CHUNK_SIZE + 1)))
        mine.messages.append(inbox_of(mine).id, content, Flags.NONE, (), NOW)
        return mine.messages.heads(inbox_of(mine).id, [1])[0].uuid

    uuid = await database.transact(deliver_one)
    await database.transact(lambda store: sql(store, splice))
    with pytest.raises(Damaged):
        await database.read(lambda store: store.account(alice.id).messages.body(uuid, 0, 9))


async def test_mail_comes_back_byte_by_byte(database: SealedDatabase, alice: Account) -> None:
    sizes = (0, 1, 5_000, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE - 7)
    contents = [NewContent(os.urandom(700), os.urandom(300), os.urandom(size)) for size in sizes]

    def store_all(store: Store) -> list[int]:
        mine = store.account(alice.id)
        inbox = inbox_of(mine).id
        added = [mine.messages.add_content(content) for content in contents]
        for content, new in zip(added, contents, strict=True):
            found = mine.messages.by_content(content)
            assert found is not None
            assert (found.uid, found.body) == (0, new.body)
        return [mine.messages.append(inbox, content, Flags.SEEN, ("$x",), NOW).uid for content in added]

    uids = await database.transact(store_all)
    assert uids == [1, 2, 3, 4, 5, 6]
    inbox = (await database.read(lambda store: inbox_of(store.account(alice.id)))).id
    found = await database.read(lambda store: store.account(alice.id).messages.messages(inbox, [*uids, 99]))
    assert [(m.uid, m.header, m.encoded_index, m.body) for m in found] == [
        (uid, content.header, content.index, content.body) for uid, content in zip(uids, contents, strict=True)
    ]
    heads = await database.read(lambda store: store.account(alice.id).messages.heads(inbox, [6, 2]))
    assert [(head.uid, head.header) for head in heads] == [(2, contents[1].header), (6, contents[5].header)]
    rows = await database.read(lambda store: store.account(alice.id).messages.rows(inbox))
    assert rows[0] == MessageRow(1, rows[0].modseq, Flags.SEEN, ("$x",), NOW, NOW)
    assert type(rows[0].flags) is Flags


async def test_flags_change_and_modseq_rises_where_something_changed(database: SealedDatabase, alice: Account) -> None:
    def change(store: Store) -> None:
        mine = store.account(alice.id)
        inbox = inbox_of(mine).id
        for _ in range(3):
            deliver(mine)
        before = inbox_of(mine).modseq
        messages = mine.messages
        rows = messages.set_flags(inbox, [1, 2, 77], FlagChange.ADD, Flags.SEEN, ["$Work", "bm-sent"])
        assert [(row.uid, row.flags, row.keywords) for row in rows] == [
            (1, Flags.SEEN, ("$Work", "bm-sent")),
            (2, Flags.SEEN, ("$Work", "bm-sent")),
        ]
        assert {row.modseq for row in rows} == {before + 1} == {inbox_of(mine).modseq}
        again = messages.set_flags(inbox, [1, 2, 3], FlagChange.ADD, Flags.SEEN, ["$WORK"])
        assert [row.modseq for row in again] == [before + 1, before + 1, before + 2]
        unchanged = messages.set_flags(inbox, [1], FlagChange.ADD, Flags.SEEN, [])
        assert unchanged[0].modseq == before + 1
        assert inbox_of(mine).modseq == before + 2
        removed = messages.set_flags(inbox, [1], FlagChange.REMOVE, Flags.SEEN, ["$work"])
        assert (removed[0].flags, removed[0].keywords) == (Flags.NONE, ("bm-sent",))
        replaced = messages.set_flags(inbox, [2], FlagChange.REPLACE, Flags.FLAGGED | Flags.DRAFT, ["new"])
        assert (replaced[0].flags, replaced[0].keywords) == (Flags.FLAGGED | Flags.DRAFT, ("new",))
        assert messages.rows(inbox)[1] == replaced[0]
        changes = messages.changes(inbox, before + 2)
        assert [row.uid for row in changes.updated] == [1, 2]
        assert changes.modseq == inbox_of(mine).modseq

    await database.transact(change)


async def test_expunged_mail_is_told_and_its_content_goes_with_the_last_copy(
    database: SealedDatabase, alice: Account
) -> None:
    def work(store: Store) -> None:
        mine = store.account(alice.id)
        inbox, archive = inbox_of(mine), mine.mailboxes.by_kind(MailboxKind.ARCHIVE)
        for words in ("one", "two", "three"):
            deliver(mine, words, Flags.SEEN)
        before = inbox_of(mine).modseq
        assert mine.messages.copy(inbox.id, [3, 1, 50], archive.id) == [(1, 1), (3, 2)]
        assert mine.messages.expunge(inbox.id, [1, 2, 50]) == [1, 2]
        assert mine.messages.expunge(inbox.id, [1, 2]) == []
        changes = mine.messages.changes(inbox.id, before)
        assert (changes.expunged, changes.updated, changes.uidnext) == ([1, 2], [], 4)
        assert sql(store, "SELECT count(*) FROM content") == [(2,)]
        copies = mine.messages.messages(archive.id, [1, 2])
        assert [message.body for message in copies] == [b"one" * 3, b"three" * 3]
        assert [row.flags for row in mine.messages.rows(archive.id)] == [Flags.SEEN] * 2
        mine.messages.expunge(archive.id, [1, 2])
        assert sql(store, "SELECT count(*) FROM content") == [(1,)]
        used = sql(store, "SELECT used_bytes FROM account")
        assert used == [(size_class(new_content("three").size),)]

    await database.transact(work)


async def test_status_counts_what_is_there(database: SealedDatabase, alice: Account) -> None:
    def work(store: Store) -> None:
        mine = store.account(alice.id)
        inbox = inbox_of(mine).id
        assert (mine.mailboxes.status(inbox).messages, mine.mailboxes.status(inbox).size) == (0, 0)
        deliver(mine, flags=Flags.SEEN)
        deliver(mine, flags=Flags.DELETED)
        deliver(mine)
        status = mine.mailboxes.status(inbox)
        assert (status.messages, status.unseen, status.deleted) == (3, 2, 1)
        assert status.size == 3 * size_class(new_content().size)
        assert status.mailbox == inbox_of(mine)

    await database.transact(work)


async def test_mail_is_found_by_its_message_id(database: SealedDatabase, alice: Account) -> None:
    def work(store: Store) -> None:
        mine = store.account(alice.id)
        inbox = inbox_of(mine).id
        tag = mine.messages.message_id_tag("<a@b>")
        deliver(mine)
        content = mine.messages.add_content(NewContent(b"h", b"i", b"b", message_id_tag=tag))
        row = mine.messages.append(inbox, content, Flags.NONE, (), NOW)
        assert mine.messages.places_of("<a@b>") == [(inbox, row.uid)]
        assert mine.messages.places_of("<c@d>") == []

    await database.transact(work)


async def test_status_keywords_follow_the_content(database: SealedDatabase, alice: Account) -> None:
    def work(store: Store) -> None:
        mine = store.account(alice.id)
        sent, archive = (mine.mailboxes.by_kind(kind) for kind in (MailboxKind.SENT, MailboxKind.ARCHIVE))
        content = mine.messages.add_content(new_content())
        mine.messages.append(sent.id, content, Flags.SEEN, ("bm-queued", "mine"), NOW)
        mine.messages.copy(sent.id, [1], archive.id)
        assert mine.messages.status_keywords(content, ["bm-queued"], ["bm-sent"]) == [sent.id, archive.id]
        assert mine.messages.rows(archive.id)[0].keywords == ("mine", "bm-sent")
        assert mine.messages.status_keywords(content, ["bm-queued"], ["bm-sent"]) == []

    await database.transact(work)


async def test_a_full_account_takes_no_more(database: SealedDatabase, vault: Vault) -> None:
    quota = 4 * size_class(1000)

    def work(store: Store) -> None:
        keys = make_passwords(vault).new_account("password", Level.L0)
        mine = store.account(store.accounts.add("small", keys, Level.L0, quota, NOW).id)
        content = NewContent(b"", b"index is free", bytes(1000))
        inbox = inbox_of(mine).id
        for _ in range(4):
            mine.messages.append(inbox, mine.messages.add_content(content), Flags.NONE, (), NOW)
        with pytest.raises(OverQuota):
            mine.messages.add_content(content)
        mine.messages.expunge(inbox, [2])
        mine.messages.add_content(content)

    await database.transact(work)


async def test_size_classes_are_a_little_larger() -> None:
    for size in (0, 1, 2, 9, 100, 1000, 123_456, 10_000_000):
        assert size <= size_class(size) <= size * 1.12 + 1
    assert len({size_class(size) for size in range(100_000, 101_000)}) <= 2


@pytest.mark.parametrize(
    "splice",
    [
        "UPDATE content_blob SET data = (SELECT data FROM content_blob AS other WHERE other.content = 2"
        " AND other.kind = content_blob.kind AND other.n = 0) WHERE content = 1",
        "UPDATE content_blob SET kind = 1 - kind WHERE content = 1 AND n < 0",
        "UPDATE content SET uuid = (SELECT uuid FROM account) WHERE id = 1",
        "UPDATE content SET sealed_key = (SELECT sealed_key FROM content AS other WHERE other.id = 2) WHERE id = 1",
        "UPDATE content SET scheme = 2 WHERE id = 1",
        "DELETE FROM content_blob WHERE content = 1 AND kind = 1",
    ],
)
async def test_mail_that_somebody_moved_about_does_not_open(
    database: SealedDatabase, alice: Account, splice: str
) -> None:
    def work(store: Store) -> MailboxId:
        mine = store.account(alice.id)
        deliver(mine, "one")
        deliver(mine, "two")
        return inbox_of(mine).id

    inbox = await database.transact(work)
    if "n < 0" in splice:  # the chunks of one mail, exchanged in two steps
        for step in ("SET kind = kind + 10", "SET kind = 11 - kind"):
            statement = f"UPDATE content_blob {step} WHERE content = 1"
            await database.transact(partial(sql, statement=statement))
    await database.transact(lambda store: sql(store, splice))
    with pytest.raises(Damaged):
        await database.read(lambda store: store.account(alice.id).messages.messages(inbox, [1]))
    untouched = await database.read(lambda store: store.account(alice.id).messages.messages(inbox, [2]))
    assert untouched[0].body == b"two" * 3


async def test_a_locked_account_takes_mail_and_shows_none(database: SealedDatabase, vault: Vault) -> None:
    passwords = make_passwords(vault)
    account = await database.transact(lambda store: add_account(store, passwords, "sealed", Level.L1))

    def look(store: Store) -> object:
        mine = store.account(account.id)
        return mine.messages.messages(inbox_of(mine).id, [1])

    def deliver_in_the_dark(store: Store) -> list[MessageRow]:
        mine = store.account(account.id)
        deliver(mine, "in the dark")
        return mine.messages.rows(inbox_of(mine).id)

    assert len(await database.transact(deliver_in_the_dark)) == 1
    assert (
        len(
            await database.read(
                lambda store: store.account(account.id).messages.rows(inbox_of(store.account(account.id)).id)
            )
        )
        == 1
    )
    with pytest.raises(AccountLocked):
        await database.read(look)
    with pytest.raises(AccountLocked):
        await database.read(lambda store: store.accounts.user_key(account.id))
    slot = (await database.read(lambda store: store.accounts.password_slots(account.id)))[0]
    assert passwords.open_slot(slot.parameters, slot.wrapped, "correct horse") is not None
    await database.transact(lambda store: deliver(store.account(account.id), "in the light"))
    found = await database.read(
        lambda store: store.account(account.id).messages.messages(inbox_of(store.account(account.id)).id, [1, 2])
    )
    assert [message.body for message in found] == [b"in the dark" * 3, b"in the light" * 3]


async def test_a_slot_copied_from_another_account_is_not_offered(
    database: SealedDatabase, alice: Account, bob: Account
) -> None:
    statement = f"UPDATE slot SET account = {alice.id} WHERE account = {bob.id} AND kind = 'password'"
    await database.transact(lambda store: sql(store, statement))
    slots = await database.read(lambda store: store.accounts.password_slots(alice.id))
    assert len(slots) == 1
