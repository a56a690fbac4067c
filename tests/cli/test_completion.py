"""What a shell completes: commands, names and values of options, and what the running gateway knows."""

from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import ShellComplete

from bmgate.cli.completion import VARIABLE
from bmgate.cli.main import cli


def completed(args: list[str], incomplete: str = "") -> list[str]:
    items = ShellComplete(cli, {}, "bmgate", VARIABLE).get_completions(args, incomplete)
    return [str(item.value) for item in items]


def test_commands_are_completed_but_not_those_for_tests_of_ours() -> None:
    assert {"chan", "address"} <= set(completed([]))
    assert "failpoints" not in completed([])


def test_the_options_of_a_thing_and_their_values_are_completed() -> None:
    assert completed(["account", "set", "anna"], "attach") == ["attachments"]
    assert completed(["account", "set", "anna", "attachments"]) == ["refuse", "extended", "inline", "omit"]
    assert completed(["chan", "set", "general"]) == ["post_as", "keep", "mute", "junk"]
    assert completed(["chan", "set", "general", "mute"], "o") == ["on", "off"]
    assert completed(["address", "set", "BM-x", "ttl"]) == []
    assert "reads" in completed(["contact", "set", "bob"])


def test_names_are_those_that_the_running_gateway_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    class Client:
        def __init__(self, _path: Path) -> None:
            pass

        def __enter__(self) -> "Client":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def call(self, method: str, params: dict[str, Any], _progress: object) -> list[dict[str, Any]]:
            if method == "account.list":
                return [{"name": "anna"}, {"name": "bert"}]
            return [{"label": f"{params['account']}s room"}, {"label": ""}]

    monkeypatch.setattr("bmgate.control.client.ControlClient", Client)
    assert completed(["chan", "list", "--account"], "b") == ["bert"]
    assert completed(["account", "delete"]) == ["anna", "bert"]
    assert completed(["chan", "leave", "--account", "anna"]) == ["annas room"]


def test_without_a_gateway_no_name_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BMGATE_DATA", str(tmp_path))
    assert completed(["account", "delete"]) == []
