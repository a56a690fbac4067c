"""The command line as a whole: help for everything, cheap imports, exit codes."""

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from bmgate import __version__
from bmgate.cli.main import COMMANDS, HIDDEN, cli, exit_code
from bmgate.errors import ConfigError, GatewayError, Missing, NoPeers, Refused, StorageBusy

HEAVY = ("sqlalchemy", "twisted", "coincurve", "pydantic", "cryptography", "asyncio", "rich", "structlog", "nacl")


def all_commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command and sub-command by its words."""
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        yield (name,), command
        if isinstance(command, click.Group):
            yield from (((name, each), child) for each, child in command.commands.items())


each_command = pytest.mark.parametrize(
    ("words", "command"), [pytest.param(words, command, id=" ".join(words)) for words, command in all_commands()]
)


@each_command
def test_every_command_has_help_that_says_something(words: tuple[str, ...], command: click.Command) -> None:
    result = CliRunner().invoke(cli, [*words, "--help"], prog_name="bmgate")
    assert result.exit_code == 0
    assert f"Usage: bmgate {' '.join(words)}" in result.stdout
    assert len(command.help or "") > 15
    for param in command.params:
        if isinstance(param, click.Option):
            assert param.help, f"{words}: {param.name}"


@each_command
def test_no_option_takes_a_secret(words: tuple[str, ...], command: click.Command) -> None:
    for param in command.params:
        if "passw" in str(param.name) or "passphrase" in str(param.name):
            assert isinstance(param, click.Option)
            assert param.is_flag, f"{words}: {param.name}"


def test_whatever_lists_or_shows_speaks_json() -> None:
    without = {words for words, command in all_commands() if not _has_json(command)}
    assert without == {("quickstart",), ("serve",), ("completion",), ("man",)}


def _has_json(command: click.Command) -> bool:
    return isinstance(command, click.Group) or any(param.name == "as_json" for param in command.params)


def test_the_list_of_commands_is_complete() -> None:
    result = CliRunner().invoke(cli, ["--help"])
    for name, text in COMMANDS.items():
        assert (f"\n  {name} " in result.stdout) is (name not in HIDDEN)
        assert (text in result.stdout) is (name not in HIDDEN)


@pytest.mark.parametrize("words", ["", *COMMANDS, "account add", "queue list"])
def test_help_imports_nothing_heavy(words: str) -> None:
    script = f"""
import sys
from bmgate.cli.main import cli
try:
    cli({[*words.split(), "--help"]!r}, prog_name="bmgate")
except SystemExit:
    pass
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stderr.strip() == "[]"


def test_the_version_is_told() -> None:
    assert CliRunner().invoke(cli, ["--version"]).stdout == f"bmgate {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["nonsense"], "No such command"),
        (["account", "add"], "Missing argument"),
        (["status", "--nonsense"], "No such option"),
        (["address", "new", "--version", "5"], "not in the range"),
        (["localnet", "0"], "not in the range"),
        (["quickstart", "--password-stdin"], "needs --account"),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str], text: str) -> None:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert text in result.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (GatewayError(""), 1),
        (Missing(""), 1),
        (Refused(""), 1),
        (OSError(), 1),
        (ConfigError(""), 2),
        (NoPeers(""), 75),
        (StorageBusy(""), 75),
    ],
)
def test_errors_have_their_exit_codes(error: Exception, code: int) -> None:
    assert exit_code(error) == code


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (Missing("there is none"), "there is none"),
        (FileNotFoundError(2, "No such file", "/x"), "/x: No such file"),
        (OSError(98, "address in use"), "address in use"),
        (OSError("odd"), "odd"),
        (ExceptionGroup("tasks", [ExceptionGroup("inner", [Missing("there is none")])]), "there is none"),
    ],
)
def test_an_error_of_ours_or_of_the_system_is_one_line(
    error: Exception, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("bmgate.cli.status.call", fail)
    result = CliRunner().invoke(cli, ["status"])
    assert result.stderr == f"bmgate: {text}\n"
    assert result.exit_code == 1


@pytest.mark.parametrize("error", [ZeroDivisionError(), ExceptionGroup("tasks", [Missing("a"), Missing("b")])])
def test_a_bug_keeps_its_traceback(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("bmgate.cli.status.call", fail)
    assert CliRunner().invoke(cli, ["status"]).exception is error


def test_python_m_bmgate_is_the_command_line() -> None:
    run = subprocess.run([sys.executable, "-m", "bmgate", "--version"], capture_output=True, text=True, check=True)
    assert run.stdout == f"bmgate {__version__}\n"
