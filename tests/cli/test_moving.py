"""`bmgate import` and `bmgate export` on a data folder without a running gateway."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from gateway_folders import PASSWORD, Run
from moving_fixtures import PASSPHRASE, inbox_row, section, write_messages_dat
from moving_fixtures import address_of as address

BOTH = str(address("alice")), str(address("bob"))


def value(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    folder = tmp_path / "PyBitmessage"
    folder.mkdir()
    (folder / "keys.dat").write_text(section("alice", "label = Alice"))
    write_messages_dat(folder / "messages.dat", [inbox_row(*BOTH)])
    return folder


def test_pybitmessage_comes_and_leaves(run: Run, old: Path, tmp_path: Path) -> None:
    run("account", "add", "anna", "--no-address", "--password-stdin", stdin=PASSWORD)
    tried = value(run("import", "pybitmessage", str(old), "--dry-run", "--json"))
    assert (tried["dry_run"], tried["counts"]["messages"]["new"]) == (True, 1)
    told = run("import", "pybitmessage", str(old), "--account", "anna")
    assert told.exit_code == 0, told.output
    assert "came to the account anna" in told.stdout
    assert [each["address"] for each in value(run("address", "list", "--json"))] == [BOTH[0]]
    keys = tmp_path / "keys.dat"
    assert value(run("export", "keys", "-o", str(keys), "--json")) == {
        "account": "anna",
        "path": str(keys),
        "addresses": 1,
    }
    assert run("export", "keys", "-o", str(keys)).exit_code == 1
    assert run("export", "wif", "-o", str(keys), "--force").exit_code == 0
    for form in ("mbox", "maildir"):
        out = tmp_path / form
        assert value(run("export", form, "-o", str(out), "--json"))["messages"] == 1
        again = value(run("import", form, str(out), "--json"))
        assert again["counts"]["messages"] == {"new": 0, "there": 1}


def test_an_account_leaves_with_its_address(run: Run, old: Path, tmp_path: Path) -> None:
    run("account", "add", "anna", "--no-address", "--password-stdin", stdin=PASSWORD)
    run("import", "pybitmessage", str(old))
    path = tmp_path / "anna.bmgate"
    left = run("export", "archive", "-o", str(path), "--passphrase-stdin", stdin=PASSPHRASE + "\n")
    assert left.exit_code == 0, left.output
    assert "1 messages" in left.stdout
    assert os.stat(path).st_mode & 0o777 == 0o600
    wrong = run("import", "archive", str(path), "--passphrase-stdin", stdin="something else\n")
    assert (wrong.exit_code, "wrong passphrase" in wrong.stderr) == (1, True)
    again = value(run("import", "archive", str(path), "--passphrase-stdin", "--json", stdin=PASSPHRASE + "\n"))
    assert again["counts"]["messages"] == {"new": 0, "there": 1}


def test_what_cannot_be_read_is_told_in_one_line(run: Run, tmp_path: Path) -> None:
    run("account", "add", "anna", "--password-stdin", stdin=PASSWORD)
    (tmp_path / "keys.dat").write_text("[BM-nonsense]\n")
    result = run("import", "pybitmessage", str(tmp_path / "keys.dat"))
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert run("import", "mbox", str(tmp_path / "none")).exit_code == 2
    assert run("export", "keys", "-o", str(tmp_path / "no" / "such" / "folder")).exit_code == 1


@pytest.mark.parametrize("received", [253_402_300_799, 253_402_300_800, 2**40 - 1])
def test_messages_from_the_end_of_the_calendar_and_behind_it_come_and_leave(
    run: Run, tmp_path: Path, received: int
) -> None:
    run("account", "add", "anna", "--no-address", "--password-stdin", stdin=PASSWORD)
    (tmp_path / "keys.dat").write_text(section("alice", "label = Alice"))
    write_messages_dat(tmp_path / "messages.dat", [inbox_row(*BOTH, received=received)])
    assert value(run("import", "pybitmessage", str(tmp_path), "--json"))["counts"]["messages"]["new"] == 1
    assert value(run("export", "mbox", "-o", str(tmp_path / "out"), "--json"))["messages"] == 1
