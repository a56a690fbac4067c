"""Gateways as processes: what starts them, talks to them and ends them; and the foreground commands in one."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from gateway_folders import CHANGES, HOST, PASSWORD, copy_template
from gateways import wait_for

from bmgate.cli.main import cli
from bmgate.control.client import ControlClient
from bmgate.errors import NotAllowed, Unavailable
from bmgate.localnet import GatewayProcess, free_hosts, local_network, prepare_folder

CHANGES_WITHOUT_LISTEN = {key: value for key, value in CHANGES.items() if key != ("node", "listen")}


def bmgate(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--data", str(folder), *arguments])


def test_a_gateway_runs_answers_commands_and_stops_when_told(template: Path, tmp_path: Path) -> None:
    folder = copy_template(template, tmp_path / "data").folder.path
    with GatewayProcess(folder) as gateway:
        gateway.start()
        login = gateway.add_account("anna", PASSWORD)
        assert login.user == "anna@bm.internal"
        assert {each["name"] for each in gateway.status()["listening"]} == {
            *("imap", "imap starttls", "smtp", "smtp starttls", "pop3", "pop3 starttls", "bitmessage"),
        }
        host, port = gateway.listener("imap")
        assert host == HOST
        assert f"{HOST}:{port}" in gateway.log
        status = bmgate(folder, "status", "--json")
        assert json.loads(status.stdout)["pid"] == gateway.pid
        assert login.address in bmgate(folder, "address", "list").stdout
        added = bmgate(folder, "peers", "add", "127.0.0.9:1")
        assert added.exit_code == 0, added.stderr
        refused = bmgate(folder, "peers", "add", "a b")
        assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)
        second = bmgate(folder, "serve")
        assert second.exit_code == 75
        assert f"bmgate serve, process {gateway.pid}" in second.stderr
        gateway.kill()
        with pytest.raises(Unavailable):
            ControlClient(folder / "control.sock")
        gateway.start()  # over the socket that is left
        assert [each["name"] for each in gateway.call("account.list")] == ["anna"]
        assert gateway.stop() == 0
    assert not (folder / "control.sock").exists()
    assert PASSWORD not in gateway.log
    assert bmgate(folder, "fsck").exit_code == 0


def test_a_gateway_that_cannot_start_says_why(template: Path, tmp_path: Path) -> None:
    folder = copy_template(template, tmp_path / "data").folder.path
    (folder / "gateway.ini").write_text("[node]\nnetwork = moon\n", encoding="utf-8")
    gateway = GatewayProcess(folder)
    with pytest.raises(Unavailable, match="network"):
        gateway.start()
    assert gateway.wait() == 2


def test_a_failpoint_ends_the_process_like_kill_9(template: Path, tmp_path: Path) -> None:
    folder = copy_template(template, tmp_path / "data").folder.path
    with GatewayProcess(folder) as gateway:
        gateway.launch({"BMGATE_FAILPOINT": "storage.checkpoint:1"})
        gateway.wait_until_ready()
        gateway.add_account("anna", PASSWORD)
        assert gateway.stop() == 137
        gateway.start()
        assert [each["name"] for each in gateway.call("account.list")] == ["anna"]


def test_gateways_of_a_local_network_find_each_other(tmp_path: Path) -> None:
    with local_network(tmp_path, 2, CHANGES_WITHOUT_LISTEN) as (first, second):
        wait_for(lambda: second.call("peers.list"), lambda peers: [p["established"] for p in peers] == [True], "a peer")
        pids = (first.pid, second.pid)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_the_command_prints_how_to_connect_and_leaves_nothing_behind() -> None:
    command = [sys.executable, "-m", "bmgate", "localnet", "1", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "]\n")
        (account,) = json.loads("".join(lines) + "]")
        assert Path(account["data"]).is_dir()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert (account["host"][:4], account["user"]) == ("127.", "anna@bm.internal")
    assert not Path(account["data"]).exists()


@pytest.mark.parametrize("count", [0, 101])
def test_a_network_has_a_sensible_size(count: int) -> None:
    with pytest.raises(NotAllowed):
        free_hosts(count)


def test_every_gateway_has_an_address_of_its_own(tmp_path: Path) -> None:
    hosts = free_hosts(3)
    assert len(set(hosts)) == 3
    prepare_folder(tmp_path / "data", hosts[0], {}, int(time.time()))
    settings = (tmp_path / "data" / "gateway.ini").read_text(encoding="utf-8")
    assert settings.count(hosts[0]) == 4
