"""What the two databases have in common: how to connect, and what an error of theirs means."""

from typing import NamedTuple, Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from bmgate.errors import Conflict, GatewayError, StorageBusy, StorageFailed

BUSY_SECONDS = 10


class Spare(NamedTuple):
    """What a database's file says of the disk, in octets."""

    free: int = 0  # of the file itself, where new mail goes first
    owed: int = 0  # that the file will grow by when what is in its log goes into it


class Backend(Protocol):
    """One kind of database."""

    @property
    def writer(self) -> Engine: ...
    @property
    def reader(self) -> Engine: ...

    def create(self) -> None:
        """Make room for a database where there is none, as far as that is ours to do."""
        ...

    def connect_writer(self) -> Connection:
        """The only connection that writes; raises StorageBusy when another gateway has it, StorageFailed for damage."""
        ...

    def is_failure(self, error: DBAPIError) -> bool:
        """Whether `error` says that the storage itself is broken."""
        ...

    def before_upgrade(self, connection: Connection, revision: str) -> None:
        """Keep a copy of a database that stands at `revision`, where that is ours to do."""
        ...

    def tidy(self, connection: Connection) -> Spare:
        """Between two transactions: keep the log short. Raises DBAPIError."""
        ...

    def before_close(self, connection: Connection) -> None:
        """Leave everything in good order."""
        ...


def translated(error: SQLAlchemyError, backend: Backend) -> GatewayError | SQLAlchemyError:
    """The error our callers know for one of the database's; programming errors stay what they are."""
    if isinstance(error, IntegrityError):
        return Conflict(f"contradicts what is stored: {type(error.orig).__name__}")
    if not isinstance(error, DBAPIError):
        return error
    if backend.is_failure(error):
        return storage_failed(error)
    if error.connection_invalidated or type(error).__name__ in ("OperationalError", "InterfaceError"):
        return StorageBusy(f"the database did not take it: {_cause(error)}")
    return error


def storage_failed(error: DBAPIError) -> StorageFailed:
    """What to tell whoever looks after the gateway."""
    return StorageFailed(f"the database failed: {_cause(error)}; look with: bmgate fsck; copies are in backups/")


def _cause(error: DBAPIError) -> str:
    return " ".join(str(error.orig).split())  # the driver's words: without statement and values
