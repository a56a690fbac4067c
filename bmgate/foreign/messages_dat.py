"""messages.dat, the SQLite database of PyBitmessage: schema 11, and those from 7 on that have the same columns.

It is opened where it is, to read only, and nothing of it is copied to a disk; who writes to it meanwhile is noticed.
Texts may be invalid UTF-8, and byte strings may be stored as text: Python 2 wrote them so. Nothing in the file
is run: tables that are views or come from modules are refused. Source: protocol reference 13.2.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bmgate.domain.moving import InboxRow, ListedAddress, SentRow, StoredPubkey
from bmgate.errors import BadImport
from bmgate.foreign.files import opened
from bmgate.mail.dates import MAX_TIME

OLDEST, NEWEST = 7, 11
MAX_VALUE = 4 * 1024 * 1024  # bytes of one column: sixteen times what an object holds
MAX_FILE = 16 * 1024 * 1024 * 1024
MAX_LISTED = 1_000_000
TABLES = ("inbox", "sent", "subscriptions", "addressbook", "blacklist", "whitelist", "pubkeys", "settings")
CACHE_KIB = 2_048  # that SQLite keeps of it in memory
_JOURNALS = ("-journal", "-wal")
_SQLITE = b"SQLite format 3\0"


class MessagesDatFile:
    """An opened file. Values come as they are: missing ones empty, numbers from text where they stand as text."""

    def __init__(self, connection: sqlite3.Connection, path: Path, looks: "_Looks") -> None:
        self._connection, self._path, self._looks = connection, path, looks
        self._columns = {table: self._columns_of(table) for table in TABLES}
        self.version = self._version()

    def inbox(self) -> Iterator[InboxRow]:
        """In the order in which they came."""
        names = (
            "msgid",
            "toaddress",
            "fromaddress",
            "subject",
            "received",
            "message",
            "folder",
            "encodingtype",
            "read",
        )
        for msgid, to, sender, subject, received, message, folder, encoding, read in self._rows("inbox", names):
            yield InboxRow(
                _bytes(msgid),
                _text(to),
                _text(sender),
                _text(subject),
                _number(received),
                _text(message),
                _text(folder),
                _number(encoding, 2),
                _text(read).lower() not in ("", "0", "false"),
            )

    def sent(self) -> Iterator[SentRow]:
        """In the order in which they were written."""
        names = ("ackdata", "toaddress", "fromaddress", "subject", "message", "lastactiontime", "status", "folder")
        for ack, to, sender, subject, message, at, status, folder, encoding in self._rows(
            "sent", (*names, "encodingtype")
        ):
            yield SentRow(
                _bytes(ack),
                _text(to),
                _text(sender),
                _text(subject),
                _text(message),
                _number(at),
                _text(status),
                _text(folder),
                _number(encoding, 2),
            )

    def listed(self, table: str) -> list[ListedAddress]:
        """The rows of `addressbook`, `subscriptions`, `blacklist` or `whitelist`."""
        found: list[ListedAddress] = []
        for label, address, enabled in self._rows(table, ("label", "address", "enabled")):
            if len(found) >= MAX_LISTED:
                raise BadImport(f"messages.dat: more than {MAX_LISTED} rows in {table}")
            found.append(ListedAddress(_text(label), _text(address), _text(enabled).lower() not in ("0", "false")))
        return found

    def pubkeys(self) -> Iterator[StoredPubkey]:
        for address, record in self._rows("pubkeys", ("address", "transmitdata")):
            yield StoredPubkey(_text(address), _bytes(record))

    def _rows(self, table: str, names: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
        """The columns of these names in the order in which rows were written; NULL where a table has no such one."""
        there = self._columns[table]
        if not there:
            return
        columns = ", ".join(f'"{name}"' if name in there else "NULL" for name in names)
        with translated():
            yield from self._connection.execute(f'SELECT {columns} FROM "{table}" ORDER BY rowid')  # noqa: S608 - ours
        if _looks_of(self._path) != self._looks:
            raise BadImport(f"{self._path} changed while it was read: PyBitmessage runs; quit it first")

    def _columns_of(self, table: str) -> frozenset[str]:
        with translated():
            query = "SELECT type, sql FROM sqlite_master WHERE name = ? COLLATE NOCASE"
            found = self._connection.execute(query, (table,)).fetchone()
            if found is None:
                return frozenset()
            if _text(found[0]) != "table" or not _text(found[1]).upper().startswith("CREATE TABLE"):
                raise BadImport(f"messages.dat: {table} is no ordinary table")
            columns = self._connection.execute(f'PRAGMA table_info("{table}")')
            return frozenset(_text(row[1]).lower() for row in columns)

    def _version(self) -> int:
        if not self._columns["settings"] or not self._columns["inbox"] or not self._columns["sent"]:
            raise BadImport("messages.dat: this SQLite database is not PyBitmessage's")
        values = {_text(key): value for key, value in self._rows("settings", ("key", "value"))}
        version = _number(values.get("version"))
        if version < OLDEST:
            raise BadImport(
                f"messages.dat has version {version} of its schema, and what can be read begins with {OLDEST}:"
                " start the latest PyBitmessage once on it"
            )
        if version > NEWEST:
            raise BadImport(f"messages.dat has version {version} of its schema, newer than {NEWEST}, the last known")
        return version


@contextmanager
def messages_dat(path: Path) -> Iterator[MessagesDatFile]:
    """The file, checked; raises BadImport."""
    for end in _JOURNALS:
        journal = path.with_name(path.name + end)
        if journal.exists() and journal.stat().st_size:
            raise BadImport(f"{journal} is there: PyBitmessage runs, or was killed; start it and quit it first")
    looks = _looks_of(path)
    _check_size(path)
    with translated():
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"  # which leaves locks and journals alone
        connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
    try:
        _check(connection)
        yield MessagesDatFile(connection, path, looks)
    finally:
        connection.close()


_Looks = tuple[int, int, int, int]
"""Device, inode, size and time of the last change, by which a file is known to be the same."""


def _looks_of(path: Path) -> _Looks:
    found = os.stat(path)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _check(connection: sqlite3.Connection) -> None:
    with translated():
        connection.text_factory = bytes
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE)
        cache = f"cache_size=-{CACHE_KIB}"
        for pragma in ("trusted_schema=OFF", "query_only=ON", "cell_size_check=ON", "mmap_size=0", cache):
            connection.execute(f"PRAGMA {pragma}").close()
        damage = connection.execute("PRAGMA quick_check(1)").fetchone()
        if damage is None or damage[0] != b"ok":
            raise BadImport(f"messages.dat is damaged: {_text(damage and damage[0])[:200]}")


def _check_size(path: Path) -> None:
    with opened(path) as file:
        size, first = os.fstat(file.fileno()).st_size, file.read(len(_SQLITE) + 2)
    if not size:
        raise BadImport(f"{path} is empty")
    if size > MAX_FILE:
        raise BadImport(f"{path} is larger than {MAX_FILE} bytes")
    if not first.startswith(_SQLITE):
        raise BadImport(f"{path} is no SQLite database")
    page_size = max(512, int.from_bytes(first[len(_SQLITE) :]) & ~1 or 65_536)
    if size % page_size:  # which SQLite itself lets pass
        raise BadImport(f"{path} is damaged: it is cut off")


@contextmanager
def translated() -> Iterator[None]:
    """What SQLite says about a damaged file is BadImport."""
    try:
        yield
    except (sqlite3.Error, sqlite3.Warning, UnicodeDecodeError) as error:  # the last for a name in what it says
        raise BadImport(f"messages.dat is damaged: {error}") from error


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    return b"" if value is None else str(value).encode()


def _text(value: object) -> str:
    return _bytes(value).decode("utf-8", "replace")


def _number(value: object, default: int = 0) -> int:
    """A whole number that Unix time may be."""
    if isinstance(value, bytes):
        text = value.decode("ascii", "replace").partition(".")[0].strip()
        value = int(text) if text.isdecimal() and len(text) <= 18 else None
    if isinstance(value, float):
        value = int(value) if abs(value) < 2**53 else None
    return value if isinstance(value, int) and 0 <= value <= MAX_TIME else default
