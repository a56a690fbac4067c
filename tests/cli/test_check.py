"""`bmgate check` finds what would make trouble."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from gateway_folders import HOST, PASSWORD, Run

from bmgate.cli.checks import has_wal_reset_bug
from bmgate.cli.main import cli


def findings(run: Run, code: int) -> dict[str, tuple[str, str]]:
    """Kind and text by subject."""
    result = run("check", "--json")
    assert result.exit_code == code, result.output
    listed: list[dict[str, Any]] = json.loads(result.stdout)
    return {each["what"]: (each["kind"], each["text"]) for each in listed}


def test_a_sound_folder_has_no_errors(run: Run) -> None:
    found = findings(run, 0)
    assert {found[what][0] for what in ("data folder", "master key", "settings", "certificate", "ports")} == {"ok"}
    assert "settings" in run("check").stdout


def test_wrong_settings_are_exit_code_2(run: Run, folder: Path) -> None:
    (folder / "gateway.ini").write_text("[node]\nnetwork = moon\n", encoding="utf-8")
    kind, text = findings(run, 2)["settings"]
    assert kind == "configuration"
    assert "network" in text


def test_no_folder_is_exit_code_2(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["--data", str(tmp_path / "none"), "check"])
    assert result.exit_code == 2
    assert "bmgate quickstart" in result.stdout


def test_a_master_key_others_can_read_is_found_with_its_remedy(run: Run, folder: Path) -> None:
    (folder / "master.key").chmod(0o644)
    kind, text = findings(run, 2)["master key"]
    assert kind == "configuration"
    assert f"chmod 600 {folder}/master.key" in text


def test_any_file_others_can_read_is_found(run: Run, folder: Path) -> None:
    (folder / "tls" / "ca.pem").chmod(0o644)
    kind, text = findings(run, 1)["permissions"]
    assert kind == "error"
    assert "ca.pem" in text


def test_a_missing_certificate_is_found(run: Run, folder: Path) -> None:
    (folder / "tls" / "server.pem").unlink()
    assert findings(run, 2)["certificate"][0] == "configuration"


def test_a_broken_certificate_is_found(run: Run, folder: Path) -> None:
    (folder / "tls" / "server.pem").write_text("nonsense", encoding="utf-8")
    assert findings(run, 2)["certificate"][0] == "configuration"


def test_a_taken_port_is_found(run: Run, folder: Path) -> None:
    settings = folder / "gateway.ini"
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        text = settings.read_text(encoding="utf-8").replace("\ntls_port = 0", f"\ntls_port = {port}", 1)
        settings.write_text(text, encoding="utf-8")
        kind, told = findings(run, 1)["ports"]
    assert kind == "error"
    assert f"{HOST}:{port}" in told


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 52, 0), False),
    ],
)
def test_the_wal_reset_bug_is_known_by_version(version: tuple[int, int, int], affected: bool) -> None:
    assert has_wal_reset_bug(version) is affected


def test_an_opencl_device_is_looked_for(run: Run, folder: Path) -> None:
    (folder / "gateway.ini").write_text("[pow]\nopencl = no such processor\n", encoding="utf-8")
    kind, text = findings(run, 0)["OpenCL"]
    assert kind == "warning"
    assert "the processors do the proof of work" in text


def test_tor_and_i2p_are_looked_for(run: Run, folder: Path) -> None:
    settings = folder / "gateway.ini"
    text = settings.read_text(encoding="utf-8").replace(f"listen = {HOST}:0", "listen = off", 1)
    with socket.create_server((HOST, 0)) as tor, socket.socket() as nobody:
        nobody.bind((HOST, 0))
        here, not_here = tor.getsockname()[1], nobody.getsockname()[1]
        lines = f"socks = {HOST}:{here}\nsam = {HOST}:{not_here}\n"
        settings.write_text(text.replace("[node]\n", f"[node]\n{lines}", 1), encoding="utf-8")
        found = findings(run, 0)
    assert found["[node] socks"] == ("ok", f"{HOST}:{here} answers")
    assert found["[node] sam"][0] == "warning"
    assert "is it running" in found["[node] sam"][1]


def test_d1_a_disk_with_too_little_room_is_found(run: Run, folder: Path) -> None:
    assert findings(run, 0)["disk"][0] == "ok"
    ini = folder / "gateway.ini"
    ini.write_text(ini.read_text(encoding="utf-8").replace("[storage]\n", "[storage]\nkeep_free = 900000 GiB\n", 1))
    kind, text = findings(run, 0)["disk"]
    assert (kind, "no objects are taken" in text) == ("warning", True)


def test_an_operator_without_an_address_is_found(run: Run, folder: Path) -> None:
    assert "[gateway] operator" not in findings(run, 0)
    ini = folder / "gateway.ini"
    ini.write_text(ini.read_text(encoding="utf-8").replace("[gateway]\n", "[gateway]\noperator = Anna\n", 1))
    assert findings(run, 0)["[gateway] operator"] == (
        "warning",
        "Anna names no account that has an address: mail to postmaster, abuse and admin is refused",
    )
    assert run("account", "add", "anna", "--password-stdin", stdin=f"{PASSWORD}\n").exit_code == 0
    assert "[gateway] operator" not in findings(run, 0)
