"""The schema's way through time, on both databases."""

import re
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from storage_fixtures import add_account, make_database, make_passwords, make_vault

from bmgate.errors import ConfigError, StorageFailed
from bmgate.storage.database import backend_of, open_database
from bmgate.storage.failpoints import NoFailpoints
from bmgate.storage.migrations import HEAD, alembic_config, current_revision, migrate
from bmgate.storage.schema import metadata
from bmgate.storage.sqlite import SqliteBackend
from bmgate.storage.vault import Vault


def test_the_migrations_make_the_schema(empty_url: str) -> None:
    backend = backend_of(empty_url)
    backend.create()
    with backend.connect_writer() as connection:
        assert current_revision(connection) is None
        migrate(connection, backend, NoFailpoints())
        assert current_revision(connection) == HEAD
        with connection.begin():
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_head_is_the_newest_file(tmp_path: Path) -> None:
    backend = SqliteBackend(tmp_path / "bmgate.db")
    backend.create()
    with backend.connect_writer() as connection:
        scripts = ScriptDirectory.from_config(alembic_config(connection))
    assert scripts.get_heads() == [HEAD]


def test_tables_are_made_as_the_metadata_says(tmp_path: Path) -> None:
    migrated, made = SqliteBackend(tmp_path / "migrated.db"), SqliteBackend(tmp_path / "made.db")
    migrated.create()
    made.create()
    with migrated.connect_writer() as connection:
        migrate(connection, migrated, NoFailpoints())
        ours = _statements(connection)
    with made.connect_writer() as connection:
        with connection.begin():
            metadata.create_all(connection)
        assert {name: text for name, text in ours.items() if "alembic" not in name} == _statements(connection)


async def test_a_newer_schema_is_refused(url: str, vault: Vault) -> None:
    await open_database(url, vault, "test").close()
    _stamp(url, "9999")
    with pytest.raises(ConfigError, match=r"9999.* in backups/$"):
        open_database(url, vault, "test")


async def test_a_database_of_somebody_else_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "bmgate.db") as connection:
        connection.execute("CREATE TABLE theirs (id INTEGER)")
    connection.close()
    with pytest.raises(ConfigError, match="not bmgate's"):
        make_database(tmp_path)


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bmgate.db").write_bytes(b"not a database, but long enough to look at" * 100)
    with pytest.raises(StorageFailed, match="fsck"):
        make_database(tmp_path)


async def test_a_copy_is_kept_before_an_upgrade(tmp_path: Path) -> None:
    vault = make_vault()
    database = make_database(tmp_path, vault)
    await database.transact(lambda store: add_account(store, make_passwords(vault), "alice"))
    await database.close()
    backend = SqliteBackend(tmp_path / "bmgate.db")
    with backend.connect_writer() as connection:
        backend.before_upgrade(connection, "0001")
        backend.before_upgrade(connection, "0001")
    (kept,) = (tmp_path / "backups").iterdir()
    assert kept.name == "bmgate-0001.db"
    assert kept.stat().st_mode & 0o777 == 0o600
    kept.rename(tmp_path / "backups" / "bmgate.db")
    restored = make_database(tmp_path / "backups", vault)
    assert [account.name for account in await restored.read(lambda store: store.accounts.all())] == ["alice"]
    await restored.close()


def _statements(connection: Connection) -> dict[str, list[str]]:
    rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    return {name: _words(text) for name, text in rows}


def _words(statement: str) -> list[str]:
    """In alphabetical order: the order of constraints means nothing."""
    return sorted(re.findall(r"\w+", statement))


def _stamp(url: str, revision: str) -> None:
    with backend_of(url).connect_writer() as connection, connection.begin():
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")
