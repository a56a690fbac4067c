"""SQLite: one connection writes, the others cannot (F3; reliability rules of section 5.5)."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from bmgate.errors import ConfigError
from bmgate.storage.backend import BUSY_SECONDS, Spare, storage_failed
from bmgate.storage.statements import control

PAGE_SIZE = 16_384
LOG_OCTETS = 16 * 1024 * 1024  # from which on each commit copies the log into the file, and begins it anew
SIDE_FILES = ("-wal", "-shm", "-journal")  # names that SQLite adds to the database's

_WRITER_CACHE = 32_768  # KiB; the indexes of 200,000 objects
_READER_CACHE = 1_024  # KiB of each; mail passes through once, and the operating system has the file in memory
_BLOBS_CACHE = 2_048  # KiB, while large blobs are written that nobody reads again soon

_EVERY_CONNECTION = (
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",
    "PRAGMA temp_store=MEMORY",
)
_WRITER = (
    f"PRAGMA page_size={PAGE_SIZE}",  # before anything makes the file
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    f"PRAGMA wal_autocheckpoint={LOG_OCTETS // PAGE_SIZE}",
    f"PRAGMA journal_size_limit={LOG_OCTETS}",
    f"PRAGMA cache_size=-{_WRITER_CACHE}",
)
_READER = ("PRAGMA wal_autocheckpoint=0", "PRAGMA query_only=ON", f"PRAGMA cache_size=-{_READER_CACHE}")

_MOST_LOGGED = 2 * LOG_OCTETS  # where readers kept it from being begun anew
_READERS_MILLISECONDS = 5  # that the writer waits for them
_EXTENT = (
    "SELECT page_count * page_size, freelist_count * page_size"
    " FROM pragma_page_count, pragma_page_size, pragma_freelist_count"
)

_DAMAGED = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_BROKEN = _DAMAGED | {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}


@contextmanager
def large_blobs(connection: Connection) -> Iterator[None]:
    """Write them with a small cache: they would push all else out of it, and fill it to the brim."""
    if connection.dialect.name != "sqlite":
        yield
        return
    control(connection, f"PRAGMA cache_size=-{_BLOBS_CACHE}")
    try:
        yield
    finally:
        control(connection, f"PRAGMA cache_size=-{_WRITER_CACHE}")


@dataclass(frozen=True)
class SqliteBackend:
    """The database file at `path`."""

    path: Path
    writer: Engine = field(init=False)
    reader: Engine = field(init=False)

    def __post_init__(self) -> None:
        writer = _engine(self.path, _WRITER, "BEGIN IMMEDIATE")
        object.__setattr__(self, "writer", writer)
        object.__setattr__(self, "reader", _engine(self.path, _READER, "BEGIN"))

    def create(self) -> None:
        """Makes the file, readable for its owner only, when it is not there; connecting makes none."""
        try:
            self.path.touch(mode=0o600)
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be made: {error.strerror}") from error

    def connect_writer(self) -> Connection:
        """Raises StorageFailed for damage, ConfigError for a file that is not there or not ours."""
        try:
            return self.writer.connect()
        except DBAPIError as error:
            if _code(error) in _DAMAGED:
                raise storage_failed(error) from error
            raise ConfigError(f"{self.path}: cannot be opened as a database: {error.orig}") from error

    def is_failure(self, error: DBAPIError) -> bool:
        """Disk errors and damaged pages; a full disk is not one."""
        return _code(error) in _BROKEN

    def before_upgrade(self, connection: Connection, revision: str) -> None:
        """A copy in `backups/` beside the database; one of an earlier try is good and stays (D12)."""
        folder = self.path.parent / "backups"
        folder.mkdir(mode=0o700, exist_ok=True)
        kept = folder / f"{self.path.stem}-{revision}.db"
        if kept.exists():
            return
        unfinished = kept.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        unfinished.touch(mode=0o600)
        _outside_transaction(connection, "VACUUM INTO ?", str(unfinished))
        unfinished.rename(kept)

    def tidy(self, connection: Connection) -> Spare:
        """A log that readers held up goes into the file whole, and the disk has its room again."""
        if _size(self.path.with_name(self.path.name + "-wal")) > _MOST_LOGGED:
            _asked(connection, f"PRAGMA busy_timeout={_READERS_MILLISECONDS}")
            try:
                _asked(connection, "PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                _asked(connection, f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
        whole, free = _asked(connection, _EXTENT)
        return Spare(free, max(0, whole - _size(self.path)))

    def before_close(self, connection: Connection) -> None:
        """All pages into the file itself; where that fails, the next start finds them in the WAL."""
        with suppress(sqlite3.DatabaseError):
            _outside_transaction(connection, "PRAGMA wal_checkpoint(TRUNCATE)")


def _code(error: DBAPIError) -> int:
    """SQLite's primary result code."""
    code: int = getattr(error.orig, "sqlite_errorcode", 0)
    return code & 0xFF


def _outside_transaction(connection: Connection, statement: str, *values: str) -> None:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.execute(statement, values).close()


def _asked(connection: Connection, statement: str) -> Sequence[Any]:
    """The first row of what it tells outside of a transaction. Raises DBAPIError."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    try:
        rows: list[Sequence[Any]] = driver.execute(statement).fetchall()
    except sqlite3.Error as error:
        raise DBAPIError.instance(statement, None, error, sqlite3.Error, hide_parameters=True) from error
    return rows[0]


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def _engine(path: Path, pragmas: tuple[str, ...], begin: str) -> Engine:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=rw",  # rw: a file that is gone is not made anew (D7)
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
            uri=True,
        )
        for pragma in (*_EVERY_CONNECTION, *pragmas):
            connection.execute(pragma).close()
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine
