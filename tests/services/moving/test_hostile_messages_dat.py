"""messages.dat by a stranger: other tables than PyBitmessage's, values of any type, files that are not at rest (E8)."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from moving_fixtures import SCHEMA_11, Movers, address_of, inbox_row, movers, picture_of, untold, write_messages_dat
from stations import Station

from bmgate.domain.account import Account
from bmgate.errors import BadImport
from bmgate.foreign import messages_dat

ALICE, BOB = str(address_of("alice")), str(address_of("bob"))


@pytest.fixture
async def account(station: Station) -> Account:
    return await station.add_account("anna")


@pytest.fixture
def moving(station: Station, tmp_path: Path) -> Movers:
    return movers(station, tmp_path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_messages_dat(tmp_path / "messages.dat", [inbox_row(ALICE, BOB)])


def changed(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    "statements",
    [
        ("DROP TABLE addressbook", "CREATE VIEW addressbook AS SELECT 'x' AS label, 'y' AS address"),
        ("DROP TABLE pubkeys", "CREATE TABLE pubkeys (address PRIMARY KEY, transmitdata) WITHOUT ROWID",
         "INSERT INTO pubkeys VALUES ('x', 'y')"),
        ("DROP TABLE sent",),
        ("DELETE FROM settings",),
        ("UPDATE settings SET value = 'eleven'",),
        ("UPDATE settings SET value = 10000000000000000000000",),
    ],
)  # fmt: skip
async def test_what_is_no_table_of_its_own_refuses_the_whole(
    station: Station, account: Account, moving: Movers, path: Path, statements: tuple[str, ...]
) -> None:
    changed(path, *statements)
    before = await station.database.read(picture_of(account))
    with pytest.raises(BadImport):
        await moving.imports.pybitmessage(account.id, path, untold, dry_run=False)
    assert await station.database.read(picture_of(account)) == before


async def test_triggers_and_tables_beside_are_never_run(account: Account, moving: Movers, path: Path) -> None:
    changed(
        path,
        "CREATE TABLE other (x)",
        "CREATE TRIGGER evil AFTER INSERT ON inbox BEGIN DELETE FROM inbox; END",
        "CREATE VIEW harmless AS SELECT load_extension('x')",
    )
    report = await moving.imports.pybitmessage(account.id, path, untold, dry_run=False)
    assert report.counts["messages"].new == 1


VALUES = ("NULL", "5", "-1.5e300", "x'ff00fe'", "'a' || char(0) || 'b'", "zeroblob(100000)", "'\r\nBcc: x@y\r\n'")


@pytest.mark.parametrize("column", ["msgid", "toaddress", "fromaddress", "subject", "received", "message", "folder",
                                    "encodingtype", "read"])  # fmt: skip
async def test_values_of_any_type_in_any_column_come_as_some_mail(
    account: Account, moving: Movers, path: Path, column: str
) -> None:
    for number, value in enumerate(VALUES, 1_000):
        others = f"toaddress = '{ALICE}', fromaddress = '{BOB}', subject = 'x', message = 'y{number}'"
        changed(
            path,
            f"INSERT INTO inbox (msgid) VALUES ({number})",
            f"UPDATE inbox SET {others} WHERE msgid = {number}",
            f"UPDATE inbox SET {column} = {value} WHERE msgid = {number}",
        )
    report = await moving.imports.pybitmessage(account.id, path, untold, dry_run=False)
    assert report.counts["messages"].new == 1 + len(VALUES)


@pytest.mark.parametrize("column", ["ackdata", "toaddress", "fromaddress", "subject", "message", "lastactiontime",
                                    "status", "folder", "encodingtype"])  # fmt: skip
async def test_values_of_any_type_in_what_was_sent_come_as_some_mail(
    account: Account, moving: Movers, path: Path, column: str
) -> None:
    changed(
        path, *(f"INSERT INTO sent ({column}, retrynumber) VALUES ({value}, {n})" for n, value in enumerate(VALUES))
    )
    report = await moving.imports.pybitmessage(account.id, path, untold, dry_run=False)
    assert 2 <= report.counts["messages"].new <= 1 + len(VALUES)  # those that are alike are one


async def test_a_text_larger_than_any_refuses_the_whole(
    station: Station, account: Account, moving: Movers, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages_dat, "MAX_VALUE", 100_000)
    changed(path, "INSERT INTO inbox (message) VALUES (zeroblob(200000))")
    with pytest.raises(BadImport, match="too big"):
        await moving.imports.pybitmessage(account.id, path, untold, dry_run=False)
    assert await station.services.identities.all(account.id) == []


async def test_a_database_that_is_written_to_right_now_is_read_as_it_was_or_refused(
    account: Account, moving: Movers, path: Path
) -> None:
    locking = sqlite3.connect(path)
    locking.execute("BEGIN EXCLUSIVE")
    report = await moving.imports.pybitmessage(account.id, path, untold, dry_run=False)
    assert report.counts["messages"].new == 1
    locking.execute("UPDATE inbox SET subject = 'half'")
    locking.close()


async def test_a_log_that_was_not_brought_in_refuses_the_whole(account: Account, moving: Movers, path: Path) -> None:
    writing = sqlite3.connect(path)
    writing.execute("PRAGMA journal_mode=WAL")
    writing.execute("UPDATE inbox SET subject = 'in the log'")
    writing.commit()
    with pytest.raises(BadImport, match="quit it first"):
        await moving.imports.pybitmessage(account.id, path, untold, dry_run=False)
    writing.close()
    report = await moving.imports.pybitmessage(account.id, path, untold, dry_run=False)
    assert report.counts["messages"].new == 1


def _encrypted(path: Path) -> None:
    path.write_bytes(bytes(byte ^ 0x5A for byte in path.read_bytes()))


def _text(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + b"and nothing else")


def _no_rows(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [_encrypted, _text, _no_rows])
async def test_what_is_no_database_is_refused(
    account: Account, moving: Movers, tmp_path: Path, path: Path, damage: Callable[[Path], None]
) -> None:
    damage(path)
    for each in (path, tmp_path):
        with pytest.raises(BadImport, match=r"SQLite|damaged|empty"):
            await moving.imports.pybitmessage(account.id, each, untold, dry_run=False)


@pytest.fixture
def read_only(path: Path) -> Path:
    folder = path.parent / "old"
    folder.mkdir()
    path.rename(folder / "messages.dat")
    folder.chmod(0o500)
    return folder


async def test_a_folder_that_nobody_may_write_to_is_read(account: Account, moving: Movers, read_only: Path) -> None:
    report = await moving.imports.pybitmessage(account.id, read_only, untold, dry_run=False)
    assert report.counts["messages"].new == 1
    assert os.listdir(read_only) == ["messages.dat"]


async def test_tables_with_columns_in_another_order_and_some_more_are_read(
    account: Account, moving: Movers, tmp_path: Path
) -> None:
    schema = SCHEMA_11.replace(
        "CREATE TABLE inbox (msgid blob, toaddress text,", "CREATE TABLE inbox (more, toaddress text, msgid blob,"
    )
    path = write_messages_dat(tmp_path / "messages.dat", [], schema=schema)
    changed(path, f"INSERT INTO inbox (toaddress, fromaddress, message) VALUES ('{ALICE}', '{BOB}', 'x')")
    report = await moving.imports.pybitmessage(account.id, path, untold, dry_run=False)
    assert report.counts["messages"].new == 1
