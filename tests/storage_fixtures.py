"""Real databases for tests: a fresh one takes a few milliseconds on SQLite."""

import itertools
import os
import sqlite3
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

from bmgate.bm.keys import random_keys
from bmgate.domain.account import Account, Level
from bmgate.domain.identity import NewIdentity
from bmgate.domain.mailbox import NewContent
from bmgate.domain.ports.database import Failpoints, Store
from bmgate.storage.database import SealedDatabase, open_database
from bmgate.storage.failpoints import NoFailpoints
from bmgate.storage.migrations import migrate
from bmgate.storage.passwords import Argon2Cost, PasswordSlots
from bmgate.storage.spool import SPOOLED_OCTETS, FileSpools
from bmgate.storage.sqlite import SqliteBackend
from bmgate.storage.store import open_store
from bmgate.storage.vault import Vault

T = TypeVar("T")

NOW = 1_700_000_000
MASTER_KEY = bytes(range(32))
CHEAP = Argon2Cost(operations=1, memory_bytes=8192)
PASSWORD = "correct horse"


def make_vault() -> Vault:
    """With the master key of all test databases, and no account open."""
    return Vault(MASTER_KEY, os.urandom)


def make_passwords(vault: Vault) -> PasswordSlots:
    """Passwords that cost next to nothing."""
    return PasswordSlots(vault, CHEAP)


def make_database(tmp_path: Path, vault: Vault | None = None, failpoints: Failpoints | None = None) -> SealedDatabase:
    """A SQLite database in `tmp_path`; made at the first call, opened again at later ones."""
    path = tmp_path / "bmgate.db"
    if not path.exists():
        path.write_bytes(_migrated())
        path.chmod(0o600)
    return open_database(path, vault or make_vault(), "test", failpoints)


def make_spools(tmp_path: Path, limit: int = SPOOLED_OCTETS) -> FileSpools:
    """In a folder of `tmp_path`, on a disk with room."""
    return FileSpools(tmp_path / "spool", os.urandom, lambda octets, beside: None, limit)


@cache
def _migrated() -> bytes:
    """A database file with our schema and nothing in it; Alembic takes longer than most tests."""
    with tempfile.TemporaryDirectory() as folder:
        backend = SqliteBackend(Path(folder) / "bmgate.db")
        backend.create()
        with backend.connect_writer() as connection:
            migrate(connection, backend, NoFailpoints())
            backend.before_close(connection)
        return backend.path.read_bytes()


class Units:
    """Units of work on SQLite without a loop and without waiting for the disk, for properties; each commits."""

    def __init__(self, path: Path, vault: Vault) -> None:
        self._path, self.vault = path, vault
        path.write_bytes(_migrated())
        self.reopen()

    def reopen(self) -> None:
        """As after a restart."""
        backend = SqliteBackend(self._path)
        self._connection = backend.connect_writer()
        driver = self._connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.execute("PRAGMA synchronous=OFF").close()

    def run(self, work: Callable[[Store], T]) -> T:
        """Commits, or rolls back and raises."""
        with self._connection.begin():
            return work(open_store(self._connection, self.vault))

    def close(self) -> None:
        self._connection.close()


_names = (f"user{number}" for number in itertools.count(1))


def add_account(store: Store, passwords: PasswordSlots, name: str = "", level: Level = Level.L0) -> Account:
    """An account that opens with `PASSWORD`."""
    keys = passwords.new_account(PASSWORD, level)
    return store.accounts.add(name or next(_names), keys, level, None, NOW)


def new_identity(label: str = "", is_default: bool = True, entropy: Callable[[int], bytes] = os.urandom) -> NewIdentity:
    """With random keys; the work it demands is that of the test network."""
    keys = random_keys(entropy, leading_zeros=0)
    return NewIdentity(keys.public.address(), keys, label, is_default, 1, 1000, NOW)


def new_content(text: str = "hello") -> NewContent:
    """A small mail with an index that nobody reads."""
    return NewContent(b"Subject: " + text.encode() + b"\r\n\r\n", b"index of " + text.encode(), text.encode() * 3)
