"""Commands on a data folder without a running gateway: each opens it, does its work and leaves it in order."""

import io
import json
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from gateway_folders import PASSWORD, Run

from bmgate.cli.main import cli
from bmgate.cli.options import ask, read_secret
from bmgate.datafolder import DataFolder


def value(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_an_account_and_its_address_are_made_listed_and_shown(run: Run) -> None:
    made = value(run("account", "add", "anna", "--password-stdin", "--json", stdin=PASSWORD + "\n"))
    assert [each["name"] for each in value(run("account", "list", "--json"))] == ["anna"]
    assert [each["address"] for each in value(run("address", "list", "--json"))] == [made["address"]["address"]]
    assert value(run("address", "show", "anna", "--json")) == made["address"]
    shown = run("address", "show")
    assert made["address"]["address"] in shown.stdout
    assert "█" in shown.stdout  # the QR code
    assert made["address"]["address"] in run("address", "list").stdout
    assert "unlimited" in run("account", "list").stdout


def test_an_account_without_an_address_is_told_how_to_get_one(run: Run) -> None:
    made = run("account", "add", "anna", "--no-address", "--password-stdin", stdin=PASSWORD)
    assert "bmgate address new --account anna" in made.stdout
    new = value(run("address", "new", "--label", "work", "--alias", "office", "--json"))
    assert (new["label"], new["default"]) == ("work", True)


def test_a_password_is_asked_for_twice(run: Run) -> None:
    result = run("account", "add", "anna", stdin=f"{PASSWORD}\nsomething else\n{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0
    assert PASSWORD not in result.output
    assert "do not match" in result.output


def test_no_password_is_no_account(run: Run) -> None:
    result = run("account", "add", "anna", "--password-stdin")
    assert result.exit_code == 2
    assert "no password came" in result.stderr


def test_a_refusal_is_one_line_and_exit_code_1(run: Run) -> None:
    result = run("account", "add", "anna", "--password-stdin", stdin="short")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == ["bmgate: the password has 5 characters; it needs at least 10"]
    assert result.stdout == ""


def test_passwords_and_states_change(run: Run) -> None:
    run("account", "add", "anna", "--no-address", "--password-stdin", stdin=PASSWORD)
    assert run("account", "passwd", "--password-stdin", stdin="a different one").exit_code == 0
    assert value(run("account", "disable", "anna", "--json"))["state"] == "disabled"
    assert "anna is active" in run("account", "enable", "anna").stdout


def test_options_of_an_account_are_set_and_shown(run: Run) -> None:
    run("account", "add", "anna", "--no-address", "--password-stdin", stdin=PASSWORD)
    assert run("account", "set", "anna", "Identity-Guard", "off").stdout == "anna: identity_guard = off\n"
    lines = [line.split() for line in run("account", "show").stdout.splitlines()]
    assert ["identity_guard", "off", "set", "here"] in lines
    assert ["attachments", "refuse"] in lines
    assert run("account", "set", "anna", "identity_guard").stdout == "anna: identity_guard = refuse\n"
    assert value(run("account", "show", "--json"))["name"] == "anna"
    refused = run("account", "set", "anna", "attachments", "perhaps")
    assert refused.exit_code == 1
    assert "refuse, extended, inline or omit, not 'perhaps'" in refused.stderr


def test_a_passphrase_comes_from_standard_input(run: Run) -> None:
    run("account", "add", "anna", "--no-address", "--password-stdin", stdin=PASSWORD)
    words = "several words that nobody guesses\n"
    first = value(run("address", "new", "--passphrase-stdin", "--version", "3", "--json", stdin=words))
    assert first["version"] == 3
    again = run("address", "new", "--passphrase-stdin", "--version", "3", stdin=words)
    assert again.exit_code == 1
    assert "already" in again.stderr


def test_labels_cannot_move_the_cursor(run: Run) -> None:
    run("account", "add", "anna", "--no-address", "--password-stdin", stdin=PASSWORD)
    value(run("address", "new", "--label", "\u202eevil", "--json"))
    assert "\u202e" not in run("address", "list").stdout


def test_an_empty_queue_is_an_empty_list(run: Run) -> None:
    run("account", "add", "anna", "--password-stdin", stdin=PASSWORD)
    assert value(run("queue", "list", "--json")) == []
    assert run("queue", "list", "--all").exit_code == 0
    missing = run("queue", "show", "7KQ2AB")
    assert missing.exit_code == 1
    assert "bmgate queue list" in missing.stderr


def test_several_accounts_are_asked_to_be_named(run: Run) -> None:
    for name in ("anna", "bob"):
        run("account", "add", name, "--no-address", "--password-stdin", stdin=PASSWORD)
    result = run("address", "list")
    assert result.exit_code == 1
    assert "anna, bob" in result.stderr
    assert value(run("address", "list", "--account", "bob", "--json")) == []


def test_peers_need_a_running_gateway(run: Run) -> None:
    for arguments in (("peers", "list"), ("peers", "add", "127.0.0.9")):
        result = run(*arguments)
        assert result.exit_code == 75
        assert "bmgate serve" in result.stderr


def test_status_says_that_nothing_runs(run: Run) -> None:
    assert value(run("status", "--json"))["running"] is False
    assert "not running" in run("status").stdout


def test_fsck_finds_nothing_in_a_sound_folder(run: Run) -> None:
    run("account", "add", "anna", "--password-stdin", stdin=PASSWORD)
    assert value(run("fsck", "--json")) == []
    assert run("fsck").stdout == "All is well.\n"


@pytest.mark.parametrize("arguments", [("serve",), ("fsck",), ("status",), ("account", "list")])
def test_whoever_comes_second_is_told_who_holds_the_folder(
    run: Run, folder: Path, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bmgate.datafolder.LOCK_WAIT_SECONDS", 0.0)
    with DataFolder(folder).locked("bmgate restore"):
        result = run(*arguments)
    assert result.exit_code == 75
    assert "in use by bmgate restore, process" in result.stderr


@pytest.mark.parametrize("arguments", [("serve",), ("status",), ("address", "list"), ("fsck",)])
def test_without_a_data_folder_the_way_to_one_is_told(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, ["--data", str(tmp_path / "none"), *arguments])
    assert result.exit_code == 2
    assert "bmgate quickstart" in result.stderr
    assert not (tmp_path / "none").exists()


def test_a_folder_open_to_others_is_refused_with_the_command_that_helps(run: Run, folder: Path) -> None:
    folder.chmod(0o755)
    result = run("status")
    assert result.exit_code == 2
    assert f"chmod 700 {shlex.quote(str(folder))}" in result.stderr


def test_a_wrong_setting_is_exit_code_2_and_named(run: Run, folder: Path) -> None:
    settings = folder / "gateway.ini"
    settings.write_text(settings.read_text(encoding="utf-8") + "\nnonsense = 1\n", encoding="utf-8")
    result = run("status")
    assert result.exit_code == 2
    assert "nonsense" in result.stderr
    assert str(settings) in result.stderr


def test_the_folder_may_be_named_behind_the_command_or_by_the_environment(folder: Path) -> None:
    for arguments, environ in (
        (["status", "--json", "--data", str(folder)], {}),
        (["account", "list", "--json", "--data", str(folder)], {}),
        (["account", "--data", str(folder), "list", "--json"], {}),
        (["status", "--json"], {"BMGATE_DATA": str(folder)}),
    ):
        assert CliRunner().invoke(cli, arguments, env=environ).exit_code == 0


def test_settings_may_come_from_another_file(run: Run, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.ini"
    text = (folder / "gateway.ini").read_text(encoding="utf-8")
    other.write_text(text.replace("[gateway]\n", "[gateway]\ndomain = example.net\n", 1), encoding="utf-8")
    assert value(run("--config", str(other), "status", "--json"))["domain"] == "example.net"
    assert value(run("status", "--json", "--config", str(other)))["domain"] == "example.net"


def test_watching_needs_a_running_gateway(run: Run) -> None:
    run("account", "add", "anna", "--password-stdin", stdin=PASSWORD)
    result = run("queue", "watch")
    assert result.exit_code == 75
    assert "bmgate serve" in result.stderr


def test_an_address_demands_and_confirms_as_it_is_told(run: Run) -> None:
    run("account", "add", "anna", "--password-stdin", stdin=PASSWORD)
    assert run("address", "set", "anna", "difficulty", "3").stdout.rstrip().endswith("difficulty = 3")
    assert run("address", "set", "anna@bm.internal", "ACK", "contacts").stdout.rstrip().endswith("ack = contacts")
    options = {each["name"]: each for each in value(run("address", "set", "anna", "--json"))}
    assert options["difficulty"] == {"name": "difficulty", "value": "3", "is_set": True}
    assert (options["ack"]["value"], options["ack"]["is_set"]) == ("contacts", True)
    assert options["ttl"]["is_set"] is False
    assert "contacts" in run("address", "set", "anna").stdout
    shown = value(run("address", "show", "--json"))
    assert (shown["difficulty"], shown["pubkey_outdated"]) == (3, False)
    assert run("address", "set", "anna", "difficulty").stdout.rstrip().endswith("difficulty = 1")
    for option, word, hoped in (("difficulty", "101", "1 to 100"), ("ack", "some", "all, contacts"), ("x", "1", "ttl")):
        refused = run("address", "set", "anna", option, word)
        assert refused.exit_code == 1
        assert hoped in refused.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("account", "add", "ann\udcff", "--password-stdin"),
        ("account", "show", "ann\udcff"),
        ("queue", "watch", "\udcff"),
        ("quickstart", "--account", "ann\udcff", "--password-stdin"),
    ],
)
def test_e2_arguments_that_are_not_utf8_are_wrong_usage(run: Run, arguments: tuple[str, ...]) -> None:
    refused = run(*arguments, stdin=PASSWORD)
    assert refused.exit_code == 2
    assert [line[-12:] for line in refused.stderr.splitlines()] == ["is not UTF-8"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("account", "show", "x" * 65_537),
        ("contact", "add", "BM-2cUQDtsUrv3WTKcFedRDit6n75w1WtsKuQ", "x" * 65_537),
        ("quickstart", "--account", "x" * 65_537, "--password-stdin"),
    ],
)
def test_arguments_that_are_longer_than_anything_are_told_in_one_line(run: Run, arguments: tuple[str, ...]) -> None:
    refused = run(*arguments, stdin=PASSWORD)
    assert refused.exit_code == 2
    (line,) = refused.stderr.splitlines()
    assert line.endswith("is longer than 65536 characters")


@pytest.mark.parametrize(
    ("answer", "fault"),
    [(b"secr\xfft", "is not UTF-8"), (b"se\0cret", "holds a zero byte"), (70_000 * b"x", "is longer than 65536")],
)
@pytest.mark.parametrize("question", ["Passphrase of the chan", "Password"])
def test_answers_that_no_command_can_take_are_told_in_one_line(question: str, answer: bytes, fault: str) -> None:
    asking = click.command()(lambda: click.echo(ask(question, hidden=question == "Password", twice=True)))
    refused = CliRunner().invoke(asking, input=2 * (answer + b"\n"))
    assert refused.exit_code == 2
    (line,) = refused.stderr.splitlines()
    assert line.startswith(f"bmgate: the {question.lower()} {fault}")


@pytest.mark.parametrize(
    ("typed", "secret"),
    [
        (4_096 * "x", 4_096 * "x"),
        (4_096 * "ä" + "\r\n", 4_096 * "ä"),
        ("one\rtwo\u2028three \nmore", "one\rtwo\u2028three "),
        ("one\r\r\n", "one\r"),
        (4_097 * "x", None),
        (4_097 * "x" + "\n", None),
        (20_000 * "x", None),
        (4_096 * "x" + "\r\r\n", None),
    ],
)
def test_a_secret_is_taken_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch, typed: str, secret: str | None) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(typed.encode())))
    if secret is not None:
        assert read_secret("Passphrase", from_stdin=True) == secret
        return
    with pytest.raises(click.UsageError, match="the passphrase is longer than 4096 characters"):
        read_secret("Passphrase", from_stdin=True)


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_e2_secrets_that_are_not_utf8_are_wrong_usage(monkeypatch: pytest.MonkeyPatch, errors: str) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"secr\xfft\n"), "utf-8", errors))
    with pytest.raises(click.UsageError, match="the password is not UTF-8"):
        read_secret("Password", from_stdin=True)
