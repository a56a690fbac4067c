"""Death in the middle of an import: nothing of it is to be seen, and the next one brings everything (E8, D3)."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gateway_folders import PASSWORD, copy_template, make_template
from moving_fixtures import address_of as address
from moving_fixtures import inbox_row, section, write_messages_dat

from bmgate.control.client import ControlClient
from bmgate.datafolder import DataFolder
from bmgate.localnet import GatewayProcess

KILLED = 137
MAILS = 150
POINTS = ["import.batch:2", "import.staged", "storage.before_commit:4"]


def bmgate(folder: Path, *words: str, point: str = "", stdin: str = "") -> "subprocess.CompletedProcess[str]":
    environment = os.environ | ({"BMGATE_FAILPOINT": point} if point else {})
    command = [sys.executable, "-m", "bmgate", "--data", str(folder), *words]
    return subprocess.run(command, env=environment, input=stdin, capture_output=True, text=True, check=False)


def value(done: "subprocess.CompletedProcess[str]") -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an account."""
    folder = make_template(tmp_path_factory.mktemp("template") / "data")
    bmgate(folder, "account", "add", "anna", "--no-address", "--password-stdin", stdin=PASSWORD)
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    return copy_template(template, tmp_path / "data").folder.path


@pytest.fixture
def old(tmp_path: Path) -> Path:
    folder = tmp_path / "PyBitmessage"
    folder.mkdir()
    (folder / "keys.dat").write_text(section("alice", "label = Alice"))
    rows = [inbox_row(str(address("alice")), str(address("bob")), subject=str(number)) for number in range(MAILS)]
    write_messages_dat(folder / "messages.dat", rows)
    return folder


def test_a_killed_import_leaves_nothing_to_be_seen(folder: Path, old: Path, tmp_path: Path) -> None:
    for point in POINTS:
        died = bmgate(folder, "import", "pybitmessage", str(old), point=point)
        assert died.returncode == KILLED, (point, died.stderr)
        assert value(bmgate(folder, "address", "list", "--json")) == []
        assert not list(folder.glob(".import-*/*"))
    came = value(bmgate(folder, "import", "pybitmessage", str(old), "--json"))
    assert came["counts"]["messages"] == {"new": MAILS, "there": 0}
    assert value(bmgate(folder, "fsck", "--json")) == []


def test_a_running_gateway_imports_exports_and_tells_how_far_it_is(folder: Path, old: Path, tmp_path: Path) -> None:
    gateway = GatewayProcess(DataFolder(folder).path)
    gateway.start()
    try:
        came = value(bmgate(folder, "import", "pybitmessage", str(old), "--json"))
        assert came["counts"]["messages"] == {"new": MAILS, "there": 0}
        told: list[Any] = []
        params = {"path": str(tmp_path / "mail"), "account": "anna"}
        with ControlClient(DataFolder(folder).socket) as client:
            assert client.call("export.maildir", params, told.append)["messages"] == MAILS
        assert told[0] == {"step": "writing", "done": 0, "of": MAILS}
        assert told[-1] == {"step": "writing", "done": MAILS, "of": MAILS}
    finally:
        gateway.stop()
