"""PostgreSQL: the same single writer as on SQLite, which an advisory lock makes the only one of the database (D9)."""

import os
import socket
from dataclasses import dataclass, field

from sqlalchemy import URL, Connection, Engine, create_engine, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from bmgate.errors import StorageBusy
from bmgate.storage.backend import BUSY_SECONDS, Spare

ADVISORY_LOCK = 0x626D67617465  # "bmgate"

LOCK_SECONDS = 1  # that a gateway about to end may take to let go


@dataclass(frozen=True)
class PostgresqlBackend:
    """The database at `url`."""

    url: str
    writer: Engine = field(init=False)
    reader: Engine = field(init=False)

    def __post_init__(self) -> None:
        arguments = {
            "connect_timeout": BUSY_SECONDS,
            "application_name": f"bmgate {os.getpid()} on {socket.gethostname()}",
            "options": f"-c synchronous_commit=on -c lock_timeout={BUSY_SECONDS * 1000}",
        }
        writer = create_engine(_psycopg(self.url), poolclass=NullPool, connect_args=arguments)
        snapshot = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        object.__setattr__(self, "writer", writer)
        object.__setattr__(self, "reader", writer.execution_options(**snapshot))

    def create(self) -> None:
        """An empty database is its operator's to make."""

    def connect_writer(self) -> Connection:
        """Raises StorageBusy, naming the holder, when another gateway has the database."""
        try:
            connection = self.writer.connect()
        except DBAPIError as error:
            raise StorageBusy(f"PostgreSQL does not answer: {' '.join(str(error.orig).split())}") from error
        try:
            with connection.begin():
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_SECONDS * 1000}")
                connection.exec_driver_sql(f"SELECT pg_advisory_lock({ADVISORY_LOCK})")
        except OperationalError as error:
            with connection, connection.begin():
                holder = connection.exec_driver_sql(_HOLDER, (ADVISORY_LOCK & 0xFFFFFFFF,)).scalar()
            raise StorageBusy(f"this database is in use by {holder or 'another bmgate'}") from error
        return connection

    def is_failure(self, error: DBAPIError) -> bool:
        """Damage is PostgreSQL's own affair: it stops by itself, and connections end."""
        return False

    def before_upgrade(self, connection: Connection, revision: str) -> None:
        """Backups of a PostgreSQL are its operator's."""

    def tidy(self, connection: Connection) -> Spare:
        """PostgreSQL keeps its files in order itself, and not on our disk."""
        return Spare()

    def before_close(self, connection: Connection) -> None:
        """Closing the connection gives the lock back."""


_HOLDER = """
SELECT application_name || ' at ' || coalesce(host(client_addr), 'this machine')
FROM pg_stat_activity JOIN pg_locks USING (pid) JOIN pg_database ON oid = database
WHERE locktype = 'advisory' AND granted AND objid::bigint = %s AND pg_database.datname = current_database() LIMIT 1
"""


def _psycopg(url: str) -> URL:
    return make_url(url).set(drivername="postgresql+psycopg")
