"""Units of work: durable together, failing alone."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from storage_fixtures import add_account, make_database, make_passwords, make_vault

from bmgate.domain.account import Account
from bmgate.domain.mailbox import Flags, MailboxKind, NewContent
from bmgate.domain.ports.database import Database, Store
from bmgate.errors import ConfigError, Conflict, Missing, ShuttingDown, StorageBusy, StorageFailed
from bmgate.storage.database import SealedDatabase, create_database, open_database
from bmgate.storage.fsck import check
from bmgate.storage.store import SealedStore
from bmgate.storage.vault import Vault


def satisfies_the_port(database: SealedDatabase, store: SealedStore) -> tuple[Database, Store]:
    """For the type checker, which compares every method of every repository."""
    return database, store


async def test_a_unit_returns_what_it_found(database: SealedDatabase, alice: Account) -> None:
    assert await database.read(lambda store: store.accounts.get(alice.id)) == alice
    assert await database.transact(lambda store: store.accounts.find("ALICE")) == alice


async def test_a_unit_that_raises_leaves_nothing(database: SealedDatabase, vault: Vault) -> None:
    def fail(store: Store) -> None:
        add_account(store, make_passwords(vault), "carol")
        raise Missing("something else")

    with pytest.raises(Missing, match="something else"):
        await database.transact(fail)
    assert await database.read(lambda store: store.accounts.all()) == []


@asynccontextmanager
async def busy_writer(database: SealedDatabase) -> AsyncIterator[None]:
    """Whatever is handed in meanwhile waits for the same unit of work."""
    begun, go = threading.Event(), threading.Event()

    def hold(store: Store) -> None:
        begun.set()
        go.wait(20)

    holding = asyncio.ensure_future(database.transact(hold))
    await asyncio.to_thread(begun.wait, 20)
    try:
        yield
    finally:
        go.set()
        await holding


async def test_units_of_a_batch_fail_alone(database: SealedDatabase, vault: Vault) -> None:
    passwords = make_passwords(vault)
    names = ["one", "two", "one", "three"]
    works = [partial(add_account, passwords=passwords, name=name) for name in names]
    async with busy_writer(database):
        waiting = [asyncio.ensure_future(database.transact(work)) for work in works]
        await asyncio.sleep(0)
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [isinstance(outcome, Conflict) for outcome in outcomes] == [False, False, True, False]
    kept = await database.read(lambda store: [account.name for account in store.accounts.all()])
    assert kept == ["one", "three", "two"]


async def test_one_that_comes_after_a_crowd_is_carried_out_alone(database: SealedDatabase) -> None:
    await asyncio.gather(*(database.transact(lambda store: store.accounts.all()) for _ in range(10)))
    assert await database.transact(lambda store: store.accounts.all()) == []
    assert await database.transact(lambda store: store.accounts.find("nobody")) is None


async def test_what_waits_is_committed_together(tmp_path: Path, vault: Vault) -> None:
    commits = []

    class Counting:
        def pass_(self, name: str) -> None:
            if name == "storage.after_commit":
                commits.append(name)

    database = make_database(tmp_path, vault, Counting())
    async with busy_writer(database):
        waiting = [asyncio.ensure_future(database.transact(lambda store: store.accounts.all())) for _ in range(20)]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    await database.close()
    assert len(commits) == 2


async def test_a_cancelled_unit_that_has_not_begun_is_taken_back(database: SealedDatabase, vault: Vault) -> None:
    async with busy_writer(database):
        unwanted = asyncio.ensure_future(
            database.transact(lambda store: add_account(store, make_passwords(vault), "nobody"))
        )
        await asyncio.sleep(0)
        unwanted.cancel()
        await asyncio.gather(unwanted, return_exceptions=True)
    assert await database.transact(lambda store: store.accounts.find("nobody")) is None


async def test_readers_cannot_write(database: SealedDatabase, vault: Vault) -> None:
    with pytest.raises(Exception, match=r"read.?only"):
        await database.read(lambda store: add_account(store, make_passwords(vault), "carol"))
    assert await database.read(lambda store: store.accounts.all()) == []


async def test_a_reader_sees_one_instant(database: SealedDatabase, vault: Vault) -> None:
    seen, go = threading.Event(), threading.Event()

    def look_twice(store: Store) -> tuple[int, int]:
        before = len(store.accounts.all())
        seen.set()
        go.wait(5)
        return before, len(store.accounts.all())

    looking = asyncio.ensure_future(database.read(look_twice))
    await asyncio.to_thread(seen.wait, 5)
    await database.transact(lambda store: add_account(store, make_passwords(vault), "carol"))
    go.set()
    assert await looking == (0, 0)


async def test_what_is_committed_is_there_after_a_restart(url: str, vault: Vault) -> None:
    first = open_database(url, vault, "test")
    account = await first.transact(lambda store: add_account(store, make_passwords(vault), "alice"))
    await first.close()
    second = open_database(url, make_vault(), "test")
    assert await second.read(lambda store: store.accounts.get(account.id)) == account
    inbox = await second.read(lambda store: store.account(account.id).mailboxes.by_kind(MailboxKind.INBOX))
    assert inbox.name == "INBOX"
    await second.close()


async def test_a_closed_database_takes_no_work(tmp_path: Path) -> None:
    database = make_database(tmp_path)
    assert await database.close()
    with pytest.raises(ShuttingDown):
        await database.transact(lambda store: store.accounts.all())
    with pytest.raises(ShuttingDown):
        await database.read(lambda store: store.accounts.all())


async def test_another_network_is_refused(url: str, vault: Vault) -> None:
    await open_database(url, vault, "test").close()
    with pytest.raises(ConfigError, match="belongs to 'test'"):
        open_database(url, vault, "main")


async def test_another_master_key_is_refused(url: str, vault: Vault) -> None:
    await open_database(url, vault, "test").close()
    with pytest.raises(ConfigError, match=r"master\.key"):
        open_database(url, Vault(bytes(32), vault.entropy), "test")


async def test_a_second_gateway_on_a_postgresql_is_told_who_has_it(url: str, vault: Vault) -> None:
    if not url.startswith("postgresql"):
        pytest.skip("SQLite relies on the lock of the data folder")
    first = open_database(url, vault, "test")
    with pytest.raises(StorageBusy, match="bmgate"):
        open_database(url, vault, "test")
    await first.close()
    await open_database(url, vault, "test").close()


async def test_sqlite_is_set_up_to_keep_promises(tmp_path: Path) -> None:
    database = make_database(tmp_path)
    pragmas = ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "page_size", "temp_store")

    def look(store: Store) -> list[object]:
        assert isinstance(store, SealedStore)
        return [store.scope.connection.execute(text(f"PRAGMA {pragma}")).scalar() for pragma in pragmas]

    assert await database.transact(look) == ["wal", 2, 1, 1, 16_384, 2]
    await database.close()
    assert (tmp_path / "bmgate.db").stat().st_mode & 0o777 == 0o600


async def test_a_locked_file_is_busy_and_works_again_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bmgate.storage.sqlite.BUSY_SECONDS", 0.05)
    database = make_database(tmp_path)
    outsider = sqlite3.connect(tmp_path / "bmgate.db", isolation_level=None)
    outsider.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageBusy):
        await database.transact(lambda store: store.accounts.all())
    outsider.execute("ROLLBACK")
    outsider.close()
    assert await database.transact(lambda store: store.accounts.all()) == []
    await database.close()


async def test_a_disk_error_ends_all_writing(tmp_path: Path, vault: Vault) -> None:
    failures: list[StorageFailed] = []
    database = open_database(tmp_path / "bmgate.db", vault, "test", on_failure=failures.append)

    def break_down(store: Store) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
        raise OperationalError("COMMIT", None, error)

    with pytest.raises(StorageFailed, match="disk I/O error"):
        await database.transact(break_down)
    with pytest.raises(StorageFailed):
        await database.transact(lambda store: store.accounts.all())
    assert len(failures) == 1
    await database.close()


@pytest.mark.parametrize(
    ("failpoint", "names"),
    [("storage.before_commit:1", []), ("storage.after_commit:1", ["alice"]), ("storage.migrated:1", [])],
)
async def test_a_killed_process_leaves_all_of_a_unit_or_nothing(
    tmp_path: Path, failpoint: str, names: list[str]
) -> None:
    program = f"""
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from storage_fixtures import add_account, make_passwords, make_vault
from bmgate.storage.database import open_database
from bmgate.storage.failpoints import read_failpoint
vault = make_vault()
async def main():
    database = open_database(Path({str(tmp_path / "bmgate.db")!r}), vault, "test", read_failpoint({failpoint!r}))
    await database.transact(lambda store: add_account(store, make_passwords(vault), "alice"))
asyncio.run(main())
"""
    process = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program], timeout=30)
    assert process.returncode == 137
    database = make_database(tmp_path)
    assert [account.name for account in await database.read(lambda store: store.accounts.all())] == names
    await database.close()


async def test_a_full_disk_is_busy_and_works_again_with_room(tmp_path: Path, vault: Vault) -> None:
    database = make_database(tmp_path, vault)
    account = await database.transact(lambda store: add_account(store, make_passwords(vault), "alice"))

    def limit(store: Store, pages: int) -> None:
        assert isinstance(store, SealedStore)
        store.scope.connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    def deliver(store: Store) -> None:
        messages = store.account(account.id).messages
        content = messages.add_content(NewContent(b"header", b"index", bytes(1_000_000)))
        messages.append(store.account(account.id).mailboxes.by_kind(MailboxKind.INBOX).id, content, Flags.NONE, (), 0)

    await database.transact(partial(limit, pages=1))  # as many as there are
    with pytest.raises(StorageBusy, match="full"):
        await database.transact(deliver)
    await database.transact(partial(limit, pages=1_000_000))
    await database.transact(deliver)
    assert await database.read(check) == []
    await database.close()


async def test_a_postgresql_that_restarts_is_busy_and_works_again(url: str, vault: Vault) -> None:
    if not url.startswith("postgresql"):
        pytest.skip("SQLite has no server that could restart")
    database = open_database(url, vault, "test")

    def hang_up(store: Store) -> None:
        assert isinstance(store, SealedStore)
        store.scope.connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(StorageBusy):
        await database.transact(hang_up)
    assert await database.transact(lambda store: store.accounts.all()) == []
    with pytest.raises(StorageBusy):
        await database.read(hang_up)
    assert await database.read(lambda store: store.accounts.all()) == []
    await database.close()


async def test_who_comes_while_too_much_waits_is_told_so(
    tmp_path: Path, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bmgate.storage.database.MAX_WAITING", 1)
    monkeypatch.setattr("bmgate.storage.database.BUSY_SECONDS", 0.01)
    database = make_database(tmp_path, vault)
    begun, go = threading.Event(), threading.Event()

    def hold(store: Store) -> None:
        begun.set()
        go.wait(5)

    holding = asyncio.ensure_future(database.transact(hold))
    await asyncio.to_thread(begun.wait, 5)
    with pytest.raises(StorageBusy, match="waiting"):
        await database.transact(lambda store: store.accounts.all())
    go.set()
    await holding
    assert await database.transact(lambda store: store.accounts.all()) == []
    await database.close()


async def test_d7_only_who_asks_for_a_new_database_gets_one(tmp_path: Path, vault: Vault) -> None:
    path = tmp_path / "bmgate.db"
    with pytest.raises(ConfigError, match="cannot be opened"):
        open_database(path, vault, "test", create=False)
    assert not path.exists()
    path.touch()
    with pytest.raises(ConfigError, match="backup"):
        open_database(path, vault, "test", create=False)
    create_database(path, vault, "test")
    assert files(tmp_path) == [path]
    assert path.stat().st_mode & 0o777 == 0o600
    await open_database(path, vault, "test", create=False).close()
    with pytest.raises(ConfigError, match="belongs to 'test'"):
        open_database(path, vault, "main", create=False)


async def test_d7_an_empty_database_of_a_server_is_filled_only_for_who_asks(empty_url: str, vault: Vault) -> None:
    with pytest.raises(ConfigError):
        open_database(empty_url, vault, "test", create=False)
    await open_database(empty_url, vault, "test").close()
    await open_database(empty_url, vault, "test", create=False).close()


async def test_d7_a_file_that_goes_while_it_is_used_is_not_made_anew(tmp_path: Path, vault: Vault) -> None:
    database = make_database(tmp_path, vault)
    for path in files(tmp_path):
        path.unlink()
    with pytest.raises(StorageFailed):
        await database.read(lambda store: store.accounts.all())
    assert files(tmp_path) == []
    await database.close()


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())
