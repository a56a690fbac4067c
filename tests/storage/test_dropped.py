"""Large mail that is deleted: gone at once for its owner, out of the file in portions, and others write in between."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError
from storage_fixtures import NOW, Units, add_account, make_passwords, make_vault, new_content
from storage_pictures import fill

from bmgate.domain.account import Account
from bmgate.domain.mailbox import ContentId, Flags, MailboxKind, NewContent, StagedMail
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Store
from bmgate.errors import MessageMissing, StorageFailed
from bmgate.storage import sqlite
from bmgate.storage.backend import Backend, Spare
from bmgate.storage.database import SealedDatabase, backend_of, open_database
from bmgate.storage.fsck import check
from bmgate.storage.repositories.contents import AT_ONCE, CHUNK_SIZE, remove_dropped
from bmgate.storage.schema import content, content_blob, submission
from bmgate.storage.sqlite import LOG_OCTETS, SqliteBackend
from bmgate.storage.store import SealedStore
from bmgate.storage.vault import Vault

MEBIBYTE = 1024 * 1024
LARGE = 3 * MEBIBYTE


@pytest.fixture
def units(tmp_path: Path) -> Units:
    return Units(tmp_path / "bmgate.db", make_vault())


def deliver(mine: AccountStore, size: int) -> ContentId:
    new = mine.messages.add_content(NewContent(b"header", b"index", bytes(size), message_id_tag=b"tag"))
    mine.messages.append(mine.mailboxes.by_kind(MailboxKind.INBOX).id, new, Flags.NONE, (), NOW)
    return new


def expunge_all(mine: AccountStore) -> None:
    inbox = mine.mailboxes.by_kind(MailboxKind.INBOX).id
    mine.messages.expunge(inbox, [row.uid for row in mine.messages.rows(inbox)])


def chunks(store: Store) -> int:
    assert isinstance(store, SealedStore)
    return store.scope.connection.execute(select(func.count()).select_from(content_blob)).scalar_one()


def remove(store: Store) -> bool:
    assert isinstance(store, SealedStore)
    return remove_dropped(store.scope.connection)


def remarks(store: Store) -> list[bool]:
    return [problem.is_remark for problem in check(store)]


async def until_removed(database: SealedDatabase) -> None:
    """Each turn gives the writer time for a portion."""
    for _ in range(100):
        if not await database.read(remarks):
            break
        await database.transact(lambda store: None)
    assert await database.read(check) == []


def test_a_large_mail_loses_its_key_at_once_and_its_chunks_in_portions(units: Units) -> None:
    anna = units.run(lambda store: add_account(store, make_passwords(units.vault)))
    gone = units.run(lambda store: deliver(store.account(anna.id), LARGE))
    before = units.run(chunks)
    units.run(lambda store: expunge_all(store.account(anna.id)))
    assert units.run(lambda store: store.account(anna.id).messages.used_octets()) == 0
    assert units.run(chunks) == before

    def key(store: Store) -> bytes:
        assert isinstance(store, SealedStore)
        stored: bytes = store.scope.connection.execute(select(content.c.sealed_key)).scalar_one()
        return stored

    assert units.run(key) == b""
    assert units.run(remarks) == [True], "fsck knows what is on its way out"
    units.reopen()
    portions = [before]
    while not units.run(remove):
        portions.append(units.run(chunks))
    steps = [before - after for before, after in pairwise(portions)]
    assert all(0 < step <= AT_ONCE // CHUNK_SIZE + 1 for step in steps)
    assert len(steps) >= 2
    assert units.run(check) == []
    assert units.run(lambda store: store.account(anna.id).messages.by_content(gone)) is None


def test_what_was_dropped_is_nobodys_any_more(units: Units) -> None:
    anna = units.run(lambda store: add_account(store, make_passwords(units.vault)))
    gone = units.run(lambda store: deliver(store.account(anna.id), LARGE))
    units.run(lambda store: expunge_all(store.account(anna.id)))

    def show(store: Store) -> None:
        mine = store.account(anna.id)
        mine.messages.show_staged(
            mine.mailboxes.by_kind(MailboxKind.INBOX).id, [StagedMail(gone, Flags.NONE, (), NOW)], NOW
        )

    def append(store: Store) -> None:
        mine = store.account(anna.id)
        mine.messages.append(mine.mailboxes.by_kind(MailboxKind.INBOX).id, gone, Flags.NONE, (), NOW)

    def finish(store: Store) -> None:
        store.account(anna.id).messages.finish_content(gone, b"", b"", b"", b"")

    for work in (show, append, finish):
        with pytest.raises(MessageMissing):
            units.run(work)
    assert units.run(lambda store: store.account(anna.id).messages.by_content(gone)) is None
    assert not units.run(lambda store: store.account(anna.id).messages.has_staged())
    assert units.run(lambda store: store.account(anna.id).messages.drop_staged()) == 0


def test_many_small_mails_go_in_portions_too(units: Units) -> None:
    anna = units.run(lambda store: add_account(store, make_passwords(units.vault)))

    def fill_inbox(store: Store) -> None:
        for _ in range(40):
            deliver(store.account(anna.id), 64 * 1024)

    units.run(fill_inbox)
    units.run(lambda store: expunge_all(store.account(anna.id)))
    assert units.run(lambda store: store.account(anna.id).messages.used_octets()) == 0
    left = units.run(chunks) // 2
    assert 20 < left < 40
    removed = 1
    while not units.run(remove):
        removed += 1
    assert removed == 2
    assert units.run(check) == []


async def test_the_writer_removes_what_was_dropped_and_others_write_in_between(
    database: SealedDatabase, alice: Account, bob: Account
) -> None:
    for _ in range(4):
        await database.transact(lambda store: deliver(store.account(alice.id), LARGE))
    before = await database.read(chunks)

    def other(store: Store) -> int:
        store.account(bob.id).messages.add_content(new_content())
        return chunks(store)

    expunging = asyncio.ensure_future(database.transact(lambda store: expunge_all(store.account(alice.id))))
    seen = await asyncio.gather(database.transact(other), database.transact(other), expunging)
    assert seen[0] >= before - 4
    await database.transact(lambda store: store.account(bob.id).messages.drop_staged())
    await until_removed(database)
    assert await database.read(chunks) == 0


async def test_a_mailbox_and_an_account_go_in_portions_too(
    database: SealedDatabase, alice: Account, bob: Account
) -> None:
    def fill_mailbox(store: Store) -> None:
        mine = store.account(alice.id)
        new = mine.mailboxes.create("large", MailboxKind.USER, NOW)
        for _ in range(2):
            stored = mine.messages.add_content(NewContent(b"header", b"index", bytes(LARGE)))
            mine.messages.append(new.id, stored, Flags.NONE, (), NOW)
        mine.mailboxes.delete(new.id)
        deliver(store.account(bob.id), LARGE)

    await database.transact(fill_mailbox)
    assert await database.read(lambda store: store.account(alice.id).messages.used_octets()) == 0
    portions = 1
    while not await database.transact(lambda store: store.accounts.purge(bob.id, NOW)):
        portions += 1
    assert portions > 1
    await until_removed(database)


async def test_what_the_last_run_left_goes_in_the_next(tmp_path: Path, vault: Vault) -> None:
    path = tmp_path / "bmgate.db"
    units = Units(path, vault)
    anna = units.run(lambda store: add_account(store, make_passwords(vault)))
    units.run(lambda store: deliver(store.account(anna.id), LARGE))
    units.run(lambda store: expunge_all(store.account(anna.id)))
    units.close()
    database = open_database(path, vault, "test")
    assert await database.read(remarks) == [True], "who only looks removes nothing"
    await until_removed(database)
    await database.close()


async def test_the_copy_of_a_submission_is_let_go(database: SealedDatabase, alice: Account) -> None:
    def copy(store: Store) -> int | None:
        assert isinstance(store, SealedStore)
        found: int | None = store.scope.connection.execute(select(submission.c.sent_content)).scalar_one()
        return found

    await database.transact(lambda store: fill(store, alice))
    kept = await database.read(copy)
    assert kept is not None

    def grow_and_drop(store: Store) -> None:
        assert isinstance(store, SealedStore)
        store.scope.connection.execute(content.update().where(content.c.id == kept).values(size_class=LARGE))
        expunge_all(store.account(alice.id))

    await database.transact(grow_and_drop)
    assert await database.read(copy) is None


# -- the log and the file ------------------------------------------------------------------------------------------


@pytest.fixture
async def on_sqlite(tmp_path: Path, vault: Vault) -> AsyncIterator[SealedDatabase]:
    database = open_database(tmp_path / "bmgate.db", vault, "test")
    yield database
    assert await database.close()


async def test_d1_the_log_is_bounded(on_sqlite: SealedDatabase) -> None:
    def pragmas(store: Store) -> list[int]:
        assert isinstance(store, SealedStore)
        names = ("wal_autocheckpoint", "journal_size_limit")
        return [store.scope.connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names]

    pages, kept = await on_sqlite.transact(pragmas)
    assert pages * sqlite.PAGE_SIZE == kept == LOG_OCTETS


async def test_d1_a_disk_too_full_to_tidy_up_stops_nothing(
    tmp_path: Path, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, failures = tmp_path / "bmgate.db", list[StorageFailed]()
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL

    def refuse(backend: SqliteBackend, connection: Connection) -> Spare:
        raise DBAPIError.instance("tidy", None, full, sqlite3.Error)

    with monkeypatch.context() as patch:
        patch.setattr(SqliteBackend, "tidy", refuse)
        database = open_database(path, vault, "test", on_failure=failures.append)
        alice = await database.transact(lambda store: add_account(store, make_passwords(vault)))
        await database.transact(lambda store: deliver(store.account(alice.id), LARGE))
        await database.transact(lambda store: expunge_all(store.account(alice.id)))
    await until_removed(database)
    assert failures == []
    assert await database.close()


async def test_d1_a_log_that_readers_held_up_shrinks_when_they_are_done(
    on_sqlite: SealedDatabase, vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_MOST_LOGGED", MEBIBYTE)
    log = tmp_path / "bmgate.db-wal"
    alice = await on_sqlite.transact(lambda store: add_account(store, make_passwords(vault)))
    backend: Backend = backend_of(tmp_path / "bmgate.db")
    with backend.reader.connect() as reader, reader.begin():
        reader.execute(select(func.count()).select_from(content)).scalar_one()
        await on_sqlite.transact(lambda store: deliver(store.account(alice.id), LARGE))
        await on_sqlite.transact(lambda store: None)
        assert log.stat().st_size > LARGE
    for _ in range(3):  # it is seen to behind a transaction
        await on_sqlite.transact(lambda store: None)
    assert log.stat().st_size < MEBIBYTE


async def test_d1_the_file_says_what_is_free_in_it_and_what_its_log_owes(
    on_sqlite: SealedDatabase, vault: Vault
) -> None:
    alice = await on_sqlite.transact(lambda store: add_account(store, make_passwords(vault)))
    await on_sqlite.transact(lambda store: deliver(store.account(alice.id), LARGE))
    await on_sqlite.transact(lambda store: None)
    assert on_sqlite.spare().owed > LARGE
    free = on_sqlite.spare().free
    await on_sqlite.transact(lambda store: expunge_all(store.account(alice.id)))
    await until_removed(on_sqlite)
    await on_sqlite.transact(lambda store: None)
    assert on_sqlite.spare().free >= free + LARGE
