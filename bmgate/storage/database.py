"""The database as services use it: units of work in, values out.

One thread writes (`writer`), a few read on snapshots that they cannot change. Both databases are used alike; what
differs is in `sqlite` and `postgresql`.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bmgate.domain.ports.database import Failpoints, Store
from bmgate.errors import ConfigError, ShuttingDown, StorageBusy, StorageFailed
from bmgate.storage.backend import BUSY_SECONDS, Backend, Spare, translated
from bmgate.storage.failpoints import NoFailpoints
from bmgate.storage.gateway import check_gateway
from bmgate.storage.migrations import current_revision, migrate
from bmgate.storage.postgresql import PostgresqlBackend
from bmgate.storage.sqlite import SIDE_FILES, SqliteBackend
from bmgate.storage.store import open_store
from bmgate.storage.vault import Vault
from bmgate.storage.writer import Unit, Writer

T = TypeVar("T")

READERS = 3
MAX_WAITING = 2_000  # units of work, before those who bring more wait at the door
CLOSE_SECONDS = 2.0


def backend_of(url: str | Path) -> Backend:
    """For a path or `sqlite:///path`, and for `postgresql://...`."""
    if isinstance(url, Path):
        return SqliteBackend(url)
    if url.startswith("postgresql"):
        return PostgresqlBackend(url)
    return SqliteBackend(Path(url.removeprefix("sqlite:///")))


def open_database(
    url: str | Path,
    vault: Vault,
    network: str,
    failpoints: Failpoints | None = None,
    on_failure: Callable[[StorageFailed], None] = lambda failure: None,
    *,
    create: bool = True,
) -> "SealedDatabase":
    """Open, and upgrade as needed; blocks, so call it before serving. A new database is made only with `create` (D7).

    Raises ConfigError for a newer schema, another network or another master key, StorageBusy when somebody else has it,
    StorageFailed for a damaged one.
    `on_failure` is called once, on a storage thread, when the storage broke and the gateway should end.
    """
    backend, points = backend_of(url), failpoints or NoFailpoints()
    if create:
        backend.create()
    connection = backend.connect_writer()
    try:
        if not create and current_revision(connection) is None:
            raise ConfigError("the database holds nothing: move it away and bring back a backup")
        migrate(connection, backend, points)
        check_gateway(connection, vault, network)
    except SQLAlchemyError as error:
        connection.close()
        raise translated(error, backend) from error
    except BaseException:
        connection.close()
        raise
    return SealedDatabase(backend, connection, vault, points, on_failure)


def create_database(path: Path, vault: Vault, network: str) -> None:
    """A new SQLite database in one file, whole and on disk when this returns; what an earlier try left there goes."""
    for left in (path, *(path.with_name(path.name + end) for end in SIDE_FILES)):
        left.unlink(missing_ok=True)
    backend = SqliteBackend(path)
    backend.create()
    with backend.connect_writer() as connection:
        migrate(connection, backend, NoFailpoints())
        check_gateway(connection, vault, network)
        backend.before_close(connection)


class SealedDatabase:
    """The `Database` port over one SQLite file or one PostgreSQL database."""

    def __init__(
        self,
        backend: Backend,
        connection: Connection,
        vault: Vault,
        failpoints: Failpoints,
        on_failure: Callable[[StorageFailed], None],
    ) -> None:
        self._backend, self._vault = backend, vault
        self._writer = Writer(backend, connection, vault, failpoints, on_failure)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="storage-reader")
        self._idle: deque[Connection] = deque()  # the last one used comes first: its page cache is warm
        self._room = asyncio.Semaphore(MAX_WAITING)
        self._closed = False

    async def transact(self, work: Callable[[Store], T]) -> T:
        """Run `work` in a transaction and return once it is durable; an exception rolls it back and is raised here.

        Cancelling the caller takes back a unit that has not begun; one that has is carried out.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        await self._enter()
        try:
            self._writer.submit(Unit(work, future, loop))
            return await future
        finally:
            self._room.release()

    async def read(self, work: Callable[[Store], T]) -> T:
        """Run `work` on a snapshot it cannot change."""
        await self._enter()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)
        finally:
            self._room.release()

    def spare(self) -> Spare:
        """As it was after the last transaction."""
        return self._writer.spare

    async def close(self) -> bool:
        """Finish what was begun, leave the file in order, end the threads; False when that took too long."""
        self._closed = True
        return await asyncio.get_running_loop().run_in_executor(None, self._close)

    async def _enter(self) -> None:
        if self._closed:
            raise ShuttingDown("the gateway is about to stop")
        if not self._room.locked():
            await self._room.acquire()
            return
        try:
            async with asyncio.timeout(BUSY_SECONDS):
                await self._room.acquire()
        except TimeoutError as error:
            raise StorageBusy("too much is waiting for the database") from error

    def _read(self, work: Callable[[Store], T]) -> T:
        try:
            connection = self._take_reader()
            try:
                with connection.begin():
                    return work(open_store(connection, self._vault))
            finally:
                self._put_back(connection)
        except SQLAlchemyError as error:
            raise translated(error, self._backend) from error

    def _take_reader(self) -> Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._backend.reader.connect()

    def _put_back(self, connection: Connection) -> None:
        if connection.invalidated:
            connection.close()
        else:
            self._idle.append(connection)

    def _close(self) -> bool:
        self._readers.shutdown(wait=True, cancel_futures=True)
        while self._idle:
            self._idle.pop().close()
        return self._writer.close(CLOSE_SECONDS)
