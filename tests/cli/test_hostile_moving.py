"""Files that are none, places nobody can write to, full disks: one line, the exit code, and nothing half done (E8)."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from gateway_folders import PASSWORD, Run
from moving_fixtures import PASSPHRASE, inbox_row, mbox_of, raw_mail, section, write_messages_dat
from moving_fixtures import address_of as address

from bmgate.domain.moving import MovedMail

BOTH = str(address("alice")), str(address("bob"))


@pytest.fixture
def old(run: Run, tmp_path: Path) -> Path:
    """An account with an address and a mail, and what it came from."""
    run("account", "add", "anna", "--no-address", "--password-stdin", stdin=PASSWORD)
    folder = tmp_path / "PyBitmessage"
    folder.mkdir()
    (folder / "keys.dat").write_text(section("alice", "label = Alice"))
    write_messages_dat(folder / "messages.dat", [inbox_row(*BOTH)])
    assert run("import", "pybitmessage", str(folder)).exit_code == 0
    return folder


def refused(result: Result, code: int = 1) -> str:
    """What it says, in one line."""
    assert result.exit_code == code, result.output
    (line,) = result.stderr.splitlines()
    return line


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _link_to_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _dangling(path: Path) -> None:
    path.symlink_to(path.with_name("gone"))


def _folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("form", ["pybitmessage", "notbit", "mbox", "maildir", "archive"])
@pytest.mark.parametrize("make", [_pipe, _link_to_device, _dangling, _folder])
def test_what_is_no_file_is_refused_in_one_line(run: Run, old: Path, tmp_path: Path, form: str, make: Any) -> None:
    path = tmp_path / "odd"
    make(path)
    more = ["--passphrase-stdin"] if form == "archive" else []
    result = run("import", form, str(path), *more, stdin=PASSPHRASE + "\n")
    if make is _dangling:
        assert result.exit_code == 2
    else:
        assert str(path) in refused(result)


def test_an_archive_with_another_passphrase_is_refused_in_one_line(run: Run, old: Path, tmp_path: Path) -> None:
    path = tmp_path / "archive"
    run("export", "archive", "-o", str(path), "--passphrase-stdin", stdin=PASSPHRASE + "\n")
    line = refused(run("import", "archive", str(path), "--passphrase-stdin", stdin="another passphrase\n"))
    assert "wrong passphrase" in line


@pytest.mark.parametrize("form", ["keys", "wif", "archive", "mbox", "maildir"])
def test_a_place_that_cannot_be_written_to_is_told_in_one_line(run: Run, old: Path, tmp_path: Path, form: str) -> None:
    def export(path: Path, *more: str) -> Result:
        words = ["--passphrase-stdin"] if form == "archive" else []
        return run("export", form, "-o", str(path), *words, *more, stdin=PASSPHRASE + "\n")

    there = tmp_path / "there"
    there.write_bytes(b"mine")
    before = sorted(os.listdir(tmp_path))
    assert "there already" in refused(export(there))
    assert "folder" in refused(export(old))
    assert "No such file" in refused(export(tmp_path / "none" / "out"))
    assert "Not a directory" in refused(export(there / "out"))
    assert "too long" in refused(export(tmp_path / ("x" * 300)))
    if form not in ("mbox", "maildir"):
        assert "no regular file" in refused(export(Path("/dev/null"), "--force"))
        assert "folder" in refused(export(old, "--force"))
    assert there.read_bytes() == b"mine"
    assert sorted(os.listdir(tmp_path)) == before


@contextmanager
def full(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is written cannot be brought to the disk."""

    def fsync(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        yield


@pytest.mark.parametrize("form", ["keys", "wif", "archive"])
def test_a_full_disk_leaves_no_file_and_says_later(
    run: Run, old: Path, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, before = tmp_path / "out", sorted(os.listdir(tmp_path))
    words = ["--passphrase-stdin"] if form == "archive" else []
    with full(monkeypatch):
        result = run("export", form, "-o", str(path), *words, stdin=PASSPHRASE + "\n")
    assert "no room" in refused(result, 75)
    assert sorted(os.listdir(tmp_path)) == before
    assert run("export", form, "-o", str(path), *words, stdin=PASSPHRASE + "\n").exit_code == 0
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_leaves_is_for_its_owner_alone(run: Run, old: Path, tmp_path: Path) -> None:
    for form in ("mbox", "maildir"):
        out = tmp_path / form
        assert run("export", form, "-o", str(out)).exit_code == 0
        modes = {each.is_dir(): each.stat().st_mode & 0o777 for each in (out, *out.rglob("*"))}
        assert modes == {True: 0o700, False: 0o600}


def test_mail_of_a_name_that_looks_like_a_command_is_no_command(run: Run, old: Path, tmp_path: Path) -> None:
    path = tmp_path / "x;\x1b[31m\u202e"
    path.write_bytes(mbox_of(MovedMail("", raw_mail(1))))
    result = run("import", "mbox", str(path))
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.output
