"""Folders whose master key or database was lost or damaged (D7): refused with what helps, and nothing made anew."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from gateway_folders import PASSWORD, Run

from bmgate.cli.main import cli
from bmgate.cli.options import Place
from bmgate.cli.preparation import prepare
from bmgate.datafolder import DataFolder
from bmgate.errors import ConfigError

NOW = 1_795_000_000
PAGE_SIZE = 16_384
COMMANDS = [("serve",), ("account", "list"), ("fsck",), ("status",), ("quickstart", "--no-serve")]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("arguments", COMMANDS)
def test_d7_a_missing_database_is_not_made_anew(run: Run, folder: Path, arguments: tuple[str, ...]) -> None:
    (folder / "bmgate.db").unlink()
    before = names(folder)
    result = run(*arguments)
    assert result.exit_code == 2
    assert "bmgate.db is missing or empty though master.key is there" in result.stderr
    assert "backups/" in result.stderr
    assert names(folder) == before


@pytest.mark.parametrize("arguments", COMMANDS)
def test_d7_an_empty_database_is_not_filled(run: Run, folder: Path, arguments: tuple[str, ...]) -> None:
    (folder / "bmgate.db").write_bytes(b"")
    result = run(*arguments)
    assert result.exit_code == 2
    assert "bmgate.db is missing or empty though master.key is there" in result.stderr
    assert (folder / "bmgate.db").read_bytes() == b""


@pytest.mark.parametrize("arguments", COMMANDS)
def test_d7_a_lost_master_key_is_told_alike_by_all(run: Run, folder: Path, arguments: tuple[str, ...]) -> None:
    (folder / "master.key").unlink()
    result = run(*arguments)
    assert result.exit_code == 2
    assert "master.key is gone" in result.stderr
    assert "restore it" in result.stderr
    assert not (folder / "master.key").exists()


def test_d7_with_both_moved_away_quickstart_begins_anew(run: Run, folder: Path) -> None:
    (folder / "master.key").unlink()
    (folder / "bmgate.db").unlink()
    result = run("account", "list")
    assert result.exit_code == 2
    assert "bmgate quickstart" in result.stderr
    assert run("quickstart", "--no-serve", "--account", "anna", "--password-stdin", stdin=PASSWORD).exit_code == 0
    assert run("fsck").exit_code == 0


def test_d7_a_wal_without_its_database_is_not_nothing(folder: Path) -> None:
    data = DataFolder(folder)
    data.master_key.unlink()
    data.database.rename(folder / "bmgate.db-wal")
    with pytest.raises(ConfigError, match="restore it"):
        prepare(Place(data, data.config), dict, NOW)


def test_d7_a_first_start_that_failed_half_way_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    data = DataFolder(tmp_path / "data")
    with monkeypatch.context() as patched:
        patched.setattr("bmgate.cli.preparation.create_master_key", no_room)
        with pytest.raises(OSError, match="No space"):
            prepare(Place(data, data.config), dict, NOW)
    assert data.is_new
    prepare(Place(data, data.config), dict, NOW)
    data.check_sealed()


@pytest.mark.parametrize("intact", [0, 100, PAGE_SIZE], ids=["nothing", "the file header", "the first page"])
def test_d7_damage_is_a_finding_and_ends_serve_for_good(run: Run, folder: Path, intact: int) -> None:
    whole = (folder / "bmgate.db").read_bytes()
    (folder / "bmgate.db").write_bytes(whole[:intact] + b"\xa5" * (len(whole) - intact))
    found = run("fsck", "--json")
    assert found.exit_code == 1, found.output
    assert {problem["rule"] for problem in json.loads(found.stdout)} == {"file"}
    told = run("fsck")
    assert told.exit_code == 1
    assert str(folder / "backups") in told.stdout
    for arguments in (("serve",), ("account", "list")):
        result = run(*arguments)
        assert result.exit_code == 1, result.output
        assert "bmgate fsck" in result.stderr
        assert "backups/" in result.stderr


def test_d7_damage_in_one_table_is_found_beside_what_else_there_is(run: Run, folder: Path) -> None:
    run("account", "add", "anna", "--password-stdin", stdin=PASSWORD)
    data = bytearray((folder / "bmgate.db").read_bytes())
    at = data.rindex(b"anna") // PAGE_SIZE * PAGE_SIZE
    data[at : at + PAGE_SIZE] = b"\xa5" * PAGE_SIZE
    (folder / "bmgate.db").write_bytes(data)
    result = run("fsck")
    assert result.exit_code == 1, result.output
    assert "malformed" in result.stdout
    assert str(folder / "backups") in result.stdout


def test_d7_without_a_folder_nothing_is_made(tmp_path: Path) -> None:
    assert CliRunner().invoke(cli, ["--data", str(tmp_path / "none"), "account", "list"]).exit_code == 2
    assert not (tmp_path / "none").exists()
