"""What an operator scripts: batches from files, repeated safely, accounts and addresses that come and go."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from gateway_folders import PASSWORD, Run

from bmgate.cli.main import cli
from bmgate.cli.man import manual

MANUAL = Path(__file__).parents[2] / "docs" / "man" / "bmgate.1"
SOON_SHORT = "a phrase tried 507 times"  # among its first 200 draws is one that others need 65,536 for
ACCOUNTS = f'name,password,label\nanna,{PASSWORD},"Anna, at home"\n\nbob,{PASSWORD},\n'


def value(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def accounts(run: Run, tmp_path: Path) -> Path:
    """A file with anna and bob, who are there."""
    path = tmp_path / "accounts.csv"
    path.write_text(ACCOUNTS, encoding="utf-8-sig")
    assert run("account", "add", "--from", str(path)).exit_code == 0
    return path


def test_accounts_come_from_a_file_and_twice_is_no_harm(run: Run, accounts: Path) -> None:
    assert [each["name"] for each in value(run("account", "list", "--json"))] == ["anna", "bob"]
    assert value(run("address", "show", "anna", "--account", "anna", "--json"))["label"] == "Anna, at home"
    again = value(run("account", "add", "--from", str(accounts), "--if-missing", "--json"))
    assert [(each["name"], each["is"]) for each in again] == [("anna", "there"), ("bob", "there")]
    assert run("account", "add", "--from", str(accounts), "--if-missing").stdout.count("(was there)") == 2


def test_a_refused_file_names_each_line_and_changes_nothing(run: Run, accounts: Path) -> None:
    lines = [{"name": "carol", "password": "short"}, {"name": "anna", "password": PASSWORD}, {"name": "carol"}]
    text = "\n".join(json.dumps(line) for line in (*lines[:2], {"name": "dora", "password": PASSWORD}))
    refused = run("account", "add", "--from", "-", stdin=text)
    assert refused.exit_code == 1
    assert refused.stderr.splitlines() == [
        "line 1: the password has 5 characters; it needs at least 10",
        "line 2: the name 'anna' is taken",
        "bmgate: nothing was done: 2 lines are refused",
    ]
    assert "dora" not in run("account", "list").stdout
    assert (
        "line 1: an account needs password" in run("account", "add", "--from", "-", stdin=json.dumps(lines[2])).stderr
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"name,secret\nanna,x\n", "line 1: the columns are name, password, address, label, quota_bytes, each once"),
        (b"name,password\nanna,x,y\n", "line 2: 3 cells, hoped for 2"),
        (b'name,password\nanna,"x\n', "line 2: it is no CSV"),
        (b"name,password,address\nanna,correct horse,perhaps\n", "line 2: address is yes or no"),
        (b'{"name": "anna"}\n[1]\n{"name"\n', "line 2: it is no JSON object"),
        (b'{"name": 7, "password": "correct horse"}', "line 1: name is text"),
        (b'{"name": "anna", "colour": "red"}', "line 1: there is no field colour"),
        (b"name,password\nanna,\xff\n", "line 2: it is not UTF-8"),
        (b'{"name": "anna", "password": "\\ud800"}', "line 1: password is not UTF-8"),
        (b'{"name": "an\\u0000na", "password": "correct horse"}', "line 1: name holds a zero byte"),
        (b'{"name": "anna", "password": "correct horse", "name": "bob"}', "line 1: the field name is there twice"),
    ],
)
def test_what_cannot_be_read_is_told_by_line(run: Run, text: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "accounts"
    path.write_bytes(text)
    refused = run("account", "add", "--from", str(path))
    assert refused.exit_code == 1
    assert reason in refused.stderr
    assert "x" not in [line.rpartition(" ")[2] for line in refused.stderr.splitlines()], "no cell is repeated"
    assert run("account", "list", "--json").stdout == "[]\n"


@pytest.mark.parametrize("text", ["{}\n", "name,{}\n", '{{"{}": 1}}\n', '{{"{0}": 1, "{0}": 1}}\n'])
def test_a_long_line_is_not_repeated_whole(run: Run, text: str) -> None:
    refused = run("account", "add", "--from", "-", stdin=text.format("x" * 60_000))
    assert refused.exit_code == 1
    assert len(refused.stderr) < 1_000
    named = run("alias", "add", "--from", "-", stdin=f"name,address\n{'y' * 60_000},anna\n")
    assert (named.exit_code, len(named.stderr) < 1_000) == (1, True)


def test_an_empty_file_is_wrong_usage(run: Run) -> None:
    assert run("account", "add", "--from", "-", stdin="name,password\n").exit_code == 2
    assert run("account", "add", "anna", "--from", "-", stdin=ACCOUNTS).exit_code == 2
    assert run("account", "add").exit_code == 2


def test_addresses_and_names_come_from_files(run: Run, accounts: Path) -> None:
    table = "account,label,alias,passphrase,number\nanna,work,office,,\nbob,,,a long passphrase,2\n"
    made = value(run("address", "new", "--from", "-", "--json", stdin=table))
    assert [each["label"] for each in made] == ["work", "", ""]
    names = "account,name,address\nanna,desk,office\nanna,table,desk\n"
    assert run("alias", "add", "--from", "-", stdin=names).stdout.splitlines() == [
        f"desk@bm.internal means {made[0]['address']}",
        f"table@bm.internal means {made[0]['address']}",
    ]
    assert run("alias", "add", "--from", "-", stdin=names).stderr.splitlines() == [
        "line 2: the name 'desk' is taken",
        "line 3: the name 'table' is taken",
        "bmgate: nothing was done: 2 lines are refused",
    ]
    again = value(run("alias", "add", "--from", "-", "--if-missing", "--json", stdin=names))
    assert [each["is"] for each in again] == ["there", "there"]
    unknown = run("address", "new", "--from", "-", stdin="account\nnobody\n")
    assert "line 2: there is no account 'nobody'" in unknown.stderr


def test_names_are_given_and_given_up(run: Run, accounts: Path) -> None:
    assert run("alias", "add", "desk", "anna", "--account", "anna").exit_code == 0
    listed = value(run("alias", "list", "--account", "anna", "--json"))
    assert [each["name"] for each in listed] == ["anna", "desk"]
    assert "means nothing any more" in run("alias", "remove", "desk@bm.internal", "--account", "anna").stdout
    assert "a year" in run("alias", "add", "desk", "bob", "--account", "bob").stderr
    assert run("alias", "add", "desk").exit_code == 2


def test_several_addresses_of_a_passphrase_are_told_one_a_line(run: Run, accounts: Path) -> None:
    made = run("address", "new", "--account", "bob", "--passphrase-stdin", "--number", "2", stdin="a long passphrase\n")
    assert made.stdout.splitlines() == [
        "BM-2cXhKCMPWNr2ZnH9YsYW56Z84iTNYsbRG9",
        "BM-2cThzqQhhVuzLARDjSZJ6AfbSS8QMGbyCt",
    ]


def test_the_price_is_told_and_nothing_made(run: Run, accounts: Path) -> None:
    priced = value(run("address", "new", "--price", "--shorter", "--number", "2", "--json"))
    assert priced["expected"] == 2 * 65_536
    assert priced["seconds"] > 0
    assert "draws, on average" in run("address", "new", "--price").stdout
    assert len(value(run("address", "list", "--account", "anna", "--json"))) == 1


def test_an_address_changes_goes_and_comes_back(run: Run, accounts: Path) -> None:
    def told(*arguments: str) -> dict[str, Any]:
        result: dict[str, Any] = value(run("address", *arguments, "--account", "anna", "--json"))
        return result

    other = told("new", "--label", "work", "--alias", "office")["address"]
    assert told("label", "office", "Anna at work")["label"] == "Anna at work"
    assert told("default", "office")["default"] is True
    assert told("disable", "office")["enabled"] is False
    assert told("enable", other)["enabled"] is True
    assert told("delete", f"bitmessage:{other}?label=x")["deleted_at"] > 0
    assert "deleted" in run("address", "list", "--deleted", "--account", "anna").stdout
    assert other not in run("address", "list", "--account", "anna").stdout
    assert told("undelete", other)["aliases"] == ["office"]
    assert "enabled" in run("address", "label", "office", "--account", "anna").stdout


def test_an_account_goes_and_comes_back(run: Run, accounts: Path) -> None:
    assert "anna is deleted" in run("account", "delete", "anna").stdout
    assert "anna" not in run("account", "list").stdout
    assert value(run("account", "list", "--deleted", "--json"))[0]["deleted_at"] > 0
    assert value(run("account", "undelete", "anna", "--json"))["state"] == "active"


def test_an_account_gets_another_name(run: Run, accounts: Path) -> None:
    assert value(run("account", "rename", "anna", "Annie", "--json"))["login"] == "annie@bm.internal"
    assert "mail programs log in as bert@bm.internal" in run("account", "rename", "bob", "bert", "--keep-alias").stdout
    assert [each["name"] for each in value(run("alias", "list", "--account", "bert", "--json"))] == ["bert", "bob"]
    assert "a year" in run("alias", "add", "anna", "bob", "--account", "bob").stderr
    assert run("account", "rename", "bert", "annie").stderr == "bmgate: the name 'annie' is taken\n"
    assert run("account", "rename", "bert").exit_code == 2


def test_whoever_renames_the_operator_is_told_where_the_name_stands(run: Run, accounts: Path, folder: Path) -> None:
    settings = folder / "gateway.ini"
    settings.write_text(settings.read_text().replace("# operator =", "operator = Anna"))
    told = run("account", "rename", "anna", "annie")
    assert told.exit_code == 0
    assert told.stderr == "bmgate: write it into gateway.ini: [gateway] operator = annie\n"


@pytest.mark.parametrize(("words", "room"), [("2GiB", 2 << 30), ("none", None), ("auto", None), ("500 MiB", 500 << 20)])
def test_the_room_of_an_account_is_set(run: Run, accounts: Path, words: str, room: int | None) -> None:
    assert value(run("account", "quota", "anna", words, "--json"))["quota_bytes"] == room
    assert run("account", "quota", "anna", words).exit_code == 0


@pytest.mark.parametrize("words", ["much", "0", "-1"])
def test_a_room_that_is_none_is_wrong_usage(run: Run, words: str) -> None:
    assert run("account", "quota", "anna", "--", words).exit_code == 2


def test_a_qr_code_is_drawn_and_written(run: Run, accounts: Path, tmp_path: Path) -> None:
    drawn = run("address", "qr", "--account", "anna").stdout
    assert "█" in drawn
    assert "?label=Anna%2C%20at%20home" in drawn
    png, svg = tmp_path / "anna.png", tmp_path / "anna.svg"
    files = ("--png", str(png), "--svg", str(svg))
    assert run("address", "qr", "anna", "--account", "anna", "--no-label", *files).stdout.count("Written") == 2
    assert png.read_bytes().startswith(b"\x89PNG\r\n")
    assert svg.read_text(encoding="utf-8").startswith("<svg")
    told = value(run("address", "qr", "--account", "anna", "--no-label", "--json"))
    assert told["uri"].startswith("bitmessage:BM-")
    assert "label" not in told["uri"]


def test_a_short_address_is_searched_with_its_price_told_first(run: Run, accounts: Path) -> None:
    options = ("--account", "bob", "--shorter", "--label", "short", "--json")
    made = run("address", "new", "--passphrase-stdin", *options, stdin=SOON_SHORT)
    assert made.stderr.splitlines()[0].startswith("This takes about")
    assert len(value(made)["address"]) < len("BM-2cXhKCMPWNr2ZnH9YsYW56Z84iTNYsbRG9")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_learn_to_complete(shell: str) -> None:
    assert "_BMGATE_COMPLETE" in CliRunner().invoke(cli, ["completion", shell]).stdout


def test_a_shell_is_told_what_fits() -> None:
    environ = {"_BMGATE_COMPLETE": "bash_complete", "COMP_WORDS": "bmgate address un", "COMP_CWORD": "2"}
    bmgate = shutil.which("bmgate", path=str(Path(sys.executable).parent))
    assert bmgate is not None
    told = subprocess.run([bmgate], env={**os.environ, **environ}, capture_output=True, text=True, check=True)
    assert told.stdout == "plain,undelete\n"


def test_the_manual_page_is_the_one_in_the_docs() -> None:
    assert manual(cli) == MANUAL.read_text(encoding="utf-8"), "make it anew: bmgate man > docs/man/bmgate.1"
    assert CliRunner().invoke(cli, ["man"]).stdout == manual(cli)


def test_a_name_that_means_nothing_is_not_called_a_damaged_address(run: Run) -> None:
    run("account", "add", "anna", "--password-stdin", stdin=PASSWORD)
    for command in (
        ("address", "show", "offce"),
        ("address", "label", "offce", "x"),
        ("alias", "add", "desk", "offce"),
    ):
        refused = run(*command)
        assert refused.exit_code == 1
        assert "no address or alias of that name: offce" in refused.stderr, command
    damaged = run("address", "show", "BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Y")
    assert "checksum" in damaged.stderr


def test_a_reserved_word_is_called_one(run: Run) -> None:
    run("account", "add", "anna", "--password-stdin", stdin=PASSWORD)
    for command in (("alias", "add", "admin", "anna"), ("account", "add", "Broadcast", "--password-stdin")):
        assert "is a reserved word" in run(*command, stdin=PASSWORD).stderr, command


def test_one_of_several_accounts_is_named_as_the_command_takes_it(run: Run) -> None:
    for name in ("anna", "bert"):
        run("account", "add", name, "--password-stdin", stdin=PASSWORD)
    assert "name one of anna, bert (as NAME)" in run("account", "show").stderr
    assert "name one of anna, bert (--account)" in run("address", "list").stderr


def test_only_what_a_pubkey_says_has_it_published_anew(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def outdated(_method: str, **params: str) -> dict[str, object]:
        options = [{"name": params["option"], "value": params["value"]}]
        return {"address": "BM-x", "options": options, "pubkey_outdated": True}

    monkeypatch.setattr("bmgate.cli.address.call", outdated)
    told = "Its pubkey says otherwise yet"
    for option in ("difficulty", "ack", "reads_files_bit"):
        assert told in run("address", "set", "BM-x", option, "never").stdout
    for option in ("footer", "deliver_to", "ttl"):
        assert told not in run("address", "set", "BM-x", option, "2d").stdout
