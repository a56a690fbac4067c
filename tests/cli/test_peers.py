"""`bmgate peers` over gateways that run."""

import json
import select
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner, Result
from gateway_folders import CHANGES
from gateways import wait_for

from bmgate.cli.main import cli
from bmgate.localnet import GatewayProcess, local_network

CHANGES_WITHOUT_LISTEN = {key: value for key, value in CHANGES.items() if key != ("node", "listen")}


def peers(gateway: GatewayProcess, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--data", str(gateway.folder), "peers", *arguments])


def connected(gateway: GatewayProcess, number: int) -> None:
    wait_for(
        lambda: gateway.call("peers.list"), lambda found: [p["established"] for p in found] == [True] * number, "peers"
    )


def test_a_peer_is_listed_banned_watched_and_let_in_again(tmp_path: Path) -> None:
    with local_network(tmp_path, 2, CHANGES_WITHOUT_LISTEN) as (first, second):
        connected(second, 1)
        (peer,) = json.loads(peers(second, "list", "--json").stdout)
        assert peer["kind"] == "explicit"
        listed = peers(second, "list").stdout
        assert "explicit" in listed
        assert "0 nodes known" in listed
        status = CliRunner().invoke(cli, ["--data", str(second.folder), "status"]).stdout
        assert "known nodes:" in status
        command = [sys.executable, "-m", "bmgate", "--data", str(second.folder), "peers", "watch", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
            assert watching.stdout is not None
            try:
                news = _ban_until_told(second, peer["host"], watching)
            finally:
                watching.terminate()
                watching.wait()
        assert (news["event"], news["host"], news["kind"]) == ("closed", peer["host"], "explicit")
        banned = peers(second, "banned").stdout
        assert peer["host"] in banned
        assert "for ever" in banned
        second.stop()
        second.start()
        assert [each["source"] for each in second.call("peers.banned")] == [peer["host"]]
        assert second.call("peers.list") == first.call("peers.list") == []
        assert peers(second, "unban", peer["host"]).exit_code == 0
        connected(second, 1)
        assert peers(second, "unban", peer["host"]).exit_code == 1


def _ban_until_told(gateway: GatewayProcess, host: str, watching: "subprocess.Popen[str]") -> dict[str, object]:
    """Ban and unban until the watching command, which takes a while to begin, tells of a closed connection."""
    assert watching.stdout is not None

    for _ in range(20):
        assert peers(gateway, "ban", host).exit_code == 0
        if select.select([watching.stdout], [], [], 1.0)[0]:
            while (news := json.loads(watching.stdout.readline()))["event"] != "closed":
                pass
            return dict(news)
        assert peers(gateway, "unban", host).exit_code == 0
        connected(gateway, 1)
    raise AssertionError("peers watch told nothing")


def test_what_cannot_be_banned_is_refused(tmp_path: Path) -> None:
    with local_network(tmp_path, 1, CHANGES_WITHOUT_LISTEN) as (gateway,):
        for host in ("peer.example", "1.2.3", "quzwelsuziwqgpt2.onion", ""):
            assert peers(gateway, "ban", host).exit_code == 1, host
        assert peers(gateway, "ban", "1.2.3.4", "--for", "soon").exit_code == 2
        told = peers(gateway, "ban", "2A00:1450::1", "--for", "12h")
        assert told.exit_code == 0, told.stderr
        assert told.stdout.startswith("2a00:1450::/64 is banned until ")
        assert peers(gateway, "unban", "2a00:1450::/64").exit_code == 0
