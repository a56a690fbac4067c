"""`bmgate quickstart` without the gateway it would start."""

import os
import pty
import select
import shlex
import signal
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from gateway_folders import PASSWORD

from bmgate.certificates import fingerprint, own_files
from bmgate.cli.main import cli
from bmgate.config import load_config


def quickstart(folder: Path, *arguments: str, stdin: str = PASSWORD + "\n") -> Result:
    command = ["--data", str(folder), "quickstart", "--no-serve", *arguments]
    return CliRunner().invoke(cli, command, input=stdin)


def test_it_ends_with_everything_a_mail_program_asks_for(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    result = quickstart(folder, "--account", "anna", "--password-stdin", "--network", "test")
    assert result.exit_code == 0, result.output
    config = load_config(folder / "gateway.ini")
    assert config.node.network == "test"
    doors = (config.imap, config.smtp, config.pop3)
    for port in (port for door in doors for port in (door.tls_port, door.starttls_port)):
        assert str(port) in result.stdout
        assert isinstance(port, int)
    for text in ("anna@bm.internal", "BM-2c", fingerprint(own_files(folder / "tls").chain), "ca.pem", "█"):
        assert text in result.stdout
    assert PASSWORD not in result.output
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    again = quickstart(folder, "--account", "anna", "--password-stdin")
    assert again.exit_code == 0
    assert again.stdout == f"Start it with: bmgate serve --data {shlex.quote(str(folder))}\n"


def test_another_network_needs_another_folder(folder: Path) -> None:
    result = quickstart(folder, "--account", "anna", "--password-stdin", "--network", "main")
    assert result.exit_code == 2
    assert "--data" in result.stderr


def test_nobody_to_ask_is_a_usage_error(folder: Path) -> None:
    result = quickstart(folder, "--account", "anna")
    assert result.exit_code == 2
    assert "--password-stdin" in result.stderr


@pytest.mark.parametrize(("name", "password"), [("a b", PASSWORD), ("anna", "short")])
def test_what_cannot_be_used_ends_it(folder: Path, name: str, password: str) -> None:
    result = quickstart(folder, "--account", name, "--password-stdin", stdin=password)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) <= 2  # a warning for root, the refusal


def test_a_name_that_cannot_be_is_asked_for_again_before_the_password(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "bmgate", "--data", str(tmp_path / "data"), "quickstart", "--network", "test"]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    try:
        wait_for_question(ours)
        os.write(ours, b"a b\n")
        assert b"cannot name an account" in wait_for_question(ours)
        os.write(ours, b"ann\xff\n")
        assert process.wait(timeout=10) == 2
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize("answers", [[], [b"anna\n"], [b"anna\n", b"a good password\n"]])
def test_ctrl_c_at_a_question_ends_it(tmp_path: Path, answers: list[bytes]) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "bmgate", "--data", str(tmp_path / "data"), "quickstart", "--network", "test"]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    try:
        for answer in answers:
            wait_for_question(ours)
            os.write(ours, answer)
        wait_for_question(ours)
        assert interrupted(process) == 1
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


def interrupted(process: subprocess.Popen[bytes]) -> int:
    """The exit code after Ctrl-C, pressed again where it fell between the question and the reading of its answer."""
    for _ in range(20):
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            return process.wait(timeout=1)
    raise AssertionError("Ctrl-C does not end it")


def wait_for_question(terminal: int) -> bytes:
    """What was shown until then."""
    shown = b""
    while not shown.rstrip(b" ").endswith(b":"):
        assert select.select([terminal], [], [], 10)[0], shown
        shown += os.read(terminal, 4096)
    return shown
