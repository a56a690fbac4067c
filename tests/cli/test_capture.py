"""`bmgate serve --capture` writes what peers and we say, `bmgate inspect --replay` has it heard again."""

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from click.testing import CliRunner, Result
from gateways import wait_for
from peers import packed, version

from bmgate.bm.commands import Ping, Verack
from bmgate.bm.network import TESTNET
from bmgate.cli.main import cli
from bmgate.localnet import LOG_NAME, free_hosts, prepare_folder


def replay(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["inspect", "--replay", *map(str, arguments)])


def converse(host: str) -> None:
    """A handshake and a ping, up to the pong."""
    with socket.create_connection((host, TESTNET.port), timeout=10) as peer:
        peer.sendall(packed(version(timestamp=int(time.time())), Verack(), Ping()))
        heard = b""
        while b"pong" not in heard:
            data = peer.recv(65_536)
            assert data
            heard += data


def test_a_conversation_of_a_gateway_is_replayed(tmp_path: Path) -> None:
    (host,) = free_hosts(1)
    prepare_folder(tmp_path / "a", host, {}, int(time.time()))
    captures = tmp_path / "captures"
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "bmgate",
        "--data",
        tmp_path / "a",
        "serve",
        "--capture",
        captures,
    ]
    with (tmp_path / LOG_NAME).open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as gateway:
        try:
            wait_for((tmp_path / LOG_NAME).read_bytes, lambda text: b"bitmessage" in text, "the gateway")
            converse(host)
        finally:
            gateway.send_signal(signal.SIGTERM)
        assert gateway.wait(20) == 0
    (capture,) = captures.iterdir()
    result = replay(capture)
    assert result.exit_code == 0
    assert "== Established" in result.stdout
    assert "-> Pong()" in result.stdout
    steps = json.loads(replay("--json", capture).stdout)
    assert [step["text"] for step in steps if step["sign"] == "->"][-1] == "Pong()"


def test_what_is_no_capture_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello\n", encoding="ascii")
    for path in (tmp_path / "text", tmp_path / "none"):
        result = replay(path)
        assert result.exit_code == 1
        assert len(result.stderr.splitlines()) == 1
