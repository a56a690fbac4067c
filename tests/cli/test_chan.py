"""`bmgate chan` and `bmgate subscription` on a data folder without a running gateway."""

import json
from typing import Any

import pytest
from click.testing import Result
from gateway_folders import PASSWORD, Run

GENERAL = "BM-2cW67GEKkHGonXKZLCzouLLxnLym3azS8r"
ALICE = "BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Z"


def value(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(autouse=True)
def anna(run: Run) -> None:
    assert run("account", "add", "anna", "--password-stdin", stdin=PASSWORD).exit_code == 0


def test_a_chan_is_joined_listed_shown_and_left(run: Run) -> None:
    joined = value(run("chan", "join", "general", "--json"))
    assert (joined["address"], joined["mailbox"]) == (GENERAL, "Chans/general")
    assert joined["mail"] == f"{GENERAL}@bm.internal"
    assert value(run("chan", "list", "--json")) == [joined]
    assert GENERAL in run("chan", "list").stdout
    shown = run("chan", "info", f"{GENERAL}@bm.internal")
    assert GENERAL in shown.stdout
    assert "flood" in shown.stdout
    assert "left" in run("chan", "leave", "general").stdout
    assert value(run("chan", "list", "--json")) == []


def test_a_passphrase_comes_from_standard_input_or_is_asked_for_unseen(run: Run) -> None:
    given = value(run("chan", "join", "--passphrase-stdin", "--label", "mine", "--json", stdin="a long secret\n"))
    assert value(run("chan", "leave", "mine", "--json"))["address"] == given["address"]
    asked = run("chan", "join", "--label", "mine", stdin="a long secret\n")
    assert given["address"] in asked.stdout
    assert "secret" not in asked.stdout
    assert run("chan", "join", "general", "--passphrase-stdin", stdin="x").exit_code == 2
    assert run("chan", "join", "--passphrase-stdin", stdin="").exit_code == 2


def test_the_address_makes_sure_that_it_is_the_right_chan(run: Run) -> None:
    wrong = run("chan", "join", "General", "--address", GENERAL)
    assert wrong.exit_code == 1
    assert "case and spaces must be exact" in wrong.stderr
    assert value(run("chan", "join", "general", "--address", GENERAL, "--json"))["address"] == GENERAL


def test_a_new_chan_has_a_passphrase_that_others_can_join_with(run: Run) -> None:
    made = value(run("chan", "create", "--label", "us", "--json"))
    assert made["mailbox"] == "Chans/us"
    again = value(run("chan", "join", made["passphrase"], "--if-missing", "--json"))
    assert again["address"] == made["address"]
    other = value(run("chan", "create", "--json"))
    assert other["address"] != made["address"]
    assert other["label"] == other["passphrase"]


def test_joining_twice_is_refused_unless_that_is_fine(run: Run) -> None:
    run("chan", "join", "general")
    twice = run("chan", "join", "general", "--label", "again")
    assert twice.exit_code == 1
    assert "already" in twice.stderr
    assert value(run("chan", "join", "general", "--if-missing", "--json"))["label"] == "general"


def test_a_chan_has_options_of_its_own(run: Run) -> None:
    run("chan", "join", "general")
    assert run("chan", "set", "general", "keep", "30d").stdout == "general: keep = 30d\n"
    options = {each["name"]: each for each in value(run("chan", "info", "general", "--json"))["options"]}
    assert options["keep"] == {"name": "keep", "value": "30d", "is_set": True}
    assert run("chan", "set", "general", "keep").stdout == "general: keep = ever\n"
    refused = run("chan", "set", "general", "ttl", "4d")
    assert "not for a chan" in refused.stderr
    run("chan", "set", "general", "mute", "on")
    run("chan", "leave", "general")
    run("chan", "join", "general")
    assert all(not each["is_set"] for each in value(run("chan", "info", "general", "--json"))["options"])


def test_where_there_are_several_accounts_one_is_named(run: Run) -> None:
    assert run("account", "add", "bert", "--password-stdin", stdin=PASSWORD).exit_code == 0
    for command in (("chan", "list"), ("chan", "join", "general"), ("subscription", "add", ALICE)):
        refused = run(*command)
        assert refused.exit_code == 1
        assert "--account" in refused.stderr
    assert value(run("chan", "join", "general", "--account", "bert", "--json"))["address"] == GENERAL
    assert value(run("chan", "list", "--account", "anna", "--json")) == []


def test_a_subscription_is_added_paused_and_ended(run: Run) -> None:
    added = value(run("subscription", "add", f"{ALICE}@bm.internal", "--label", "Alice", "--json"))
    assert (added["address"], added["mailbox"], added["enabled"]) == (ALICE, "Subscriptions/Alice", True)
    assert run("subscription", "add", ALICE).exit_code == 1
    assert value(run("subscription", "add", ALICE, "--if-missing", "--json"))["label"] == "Alice"
    assert not value(run("subscription", "disable", "Alice", "--json"))["enabled"]
    assert "disabled" in run("subscription", "list").stdout
    assert value(run("subscription", "enable", ALICE, "--json"))["enabled"]
    assert "no longer subscribed" in run("subscription", "remove", "Alice").stdout
    assert run("subscription", "remove", "Alice").exit_code == 1


def test_status_tells_what_is_looked_for(run: Run) -> None:
    run("chan", "join", "general")
    assert value(run("status", "--json"))["searches"] == {"waiting": 1, "objects_left": 0}
    assert "1, 0 objects to look through" in run("status").stdout


def test_other_lists_are_as_before(run: Run) -> None:
    run("chan", "join", "general")
    assert [each["name"] for each in value(run("account", "list", "--json"))] == ["anna"]
    assert GENERAL not in run("address", "list").stdout


def test_many_at_once_are_made_all_or_none(run: Run) -> None:
    chans = "passphrase,address,label\ngeneral,,\nanother,,room\n"
    made = value(run("chan", "join", "--from", "-", "--json", stdin=chans))
    assert [(each["label"], each["is"]) for each in made] == [("general", "made"), ("room", "made")]
    again = run("chan", "join", "--from", "-", "--if-missing", stdin=chans)
    assert again.stdout.splitlines()[0] == f"general {GENERAL} (was there)"
    refused = run("chan", "join", "--from", "-", stdin=f"passphrase,address\nnew,\nwrong,{GENERAL}\n")
    assert refused.exit_code == 1
    assert "line 3" in refused.stderr
    assert len(value(run("chan", "list", "--json"))) == 2
    assert run("chan", "join", "general", "--from", "-", stdin=chans).exit_code == 2
    entries = f'{{"address": "{ALICE}", "label": "Alice"}}\n{{"address": "{GENERAL}"}}\n'
    made = value(run("subscription", "add", "--from", "-", "--json", stdin=entries))
    assert [each["label"] for each in made] == ["Alice", GENERAL]
    assert run("subscription", "add", "--from", "-", stdin=entries).exit_code == 1
    assert run("subscription", "add").exit_code == 2


def test_single_commands_tell_what_was_there(run: Run) -> None:
    commands = (
        ("chan", "join", "general"),
        ("chan", "create", "--label", "family"),
        ("subscription", "add", ALICE),
        ("contact", "add", ALICE, "Alice"),
        ("address", "new", "--label", "work"),
        ("alias", "add", "desk", "anna"),
    )
    for command in commands:
        told = [value(run(*command, "--if-missing", "--json")) for _ in range(2)]
        assert [each["is"] for each in told] == ["made", "there"], command
        assert told[0]["address"] == told[1]["address"]
        assert "is" not in value(run(command[0], "list", "--json"))[0]
    assert run("chan", "create", "--if-missing").exit_code == 2


@pytest.mark.parametrize(
    "command",
    [
        ("account", "add", "--label", "x"),
        ("address", "new", "--number", "2"),
        ("address", "new", "--shorter"),
        ("address", "new", "--version", "3"),
        ("alias", "add", "desk"),
        ("chan", "join", "general"),
        ("subscription", "add", ALICE),
        ("contact", "add", ALICE),
    ],
)
def test_a_file_says_it_all(run: Run, command: tuple[str, ...]) -> None:
    refused = run(*command, "--from", "-", stdin="name\n")
    assert refused.exit_code == 2
    assert "--from FILE says it all" in refused.stderr


def test_a_subscription_is_named_by_a_link_or_a_mail_address(run: Run) -> None:
    added = value(run("subscription", "add", f"bitmessage:{ALICE}?label=news", "--json"))
    assert added["address"] == ALICE
    assert value(run("subscription", "disable", f"{ALICE}@BM.Internal", "--json"))["enabled"] is False


def test_a_link_gives_the_label_where_none_is_given(run: Run) -> None:
    link = f"bitmessage:{GENERAL}?label=The%20Room"
    assert value(run("chan", "join", "general", "--address", link, "--json"))["label"] == "The Room"
    assert value(run("chan", "leave", link, "--json"))["address"] == GENERAL
    file = f'{{"passphrase": "general", "address": "{link}", "label": "mine"}}\n'
    assert value(run("chan", "join", "--from", "-", "--json", stdin=file))[0]["label"] == "mine"
    assert value(run("subscription", "add", f"bitmessage:{ALICE}?label=a/b", "--json"))["label"] == "a_b"
    assert value(run("contact", "add", f"bitmessage:{ALICE}?label=Alice", "--json"))["label"] == "Alice"
    for command in (("show",), ("block",), ("allow",), ("remove",)):
        assert run("contact", *command, f"bitmessage:{ALICE}").exit_code == 0
    assert run("contact", "add", ALICE).exit_code == 2


def test_chans_and_subscriptions_get_other_labels(run: Run) -> None:
    run("chan", "join", "general")
    run("subscription", "add", ALICE)
    assert value(run("chan", "label", "general", "room", "--json"))["mailbox"] == "Chans/room"
    assert value(run("subscription", "label", ALICE, "News", "--json"))["mailbox"] == "Subscriptions/News"
    refused = run("chan", "label", "room", "a/b")
    assert refused.exit_code == 1
    assert "the label names a mailbox" in refused.stderr
    assert "no address" in run("subscription", "add", "foo").stderr


def test_what_is_gone_already_is_no_error_where_that_is_said(run: Run) -> None:
    run("chan", "join", "general")
    run("subscription", "add", ALICE)
    run("contact", "add", ALICE, "Alice")
    run("alias", "add", "desk", "anna")
    run("address", "new", "--alias", "second")
    ends = (
        ("chan", "leave", "general"),
        ("subscription", "remove", ALICE),
        ("contact", "remove", "Alice"),
        ("alias", "remove", "desk"),
        ("address", "delete", "second"),
    )
    for end in ends:
        assert value(run(*end, "--if-present", "--json"))["is"] == "removed", end
        assert value(run(*end, "--if-present", "--json")) == {"is": "gone"}, end
        assert run(*end, "--if-present").stdout == f"{end[2]}: not there.\n"
        assert run(*end).exit_code == 1
        assert run(*end, "--if-present", "--account", "nobody").exit_code == 1, "that is a mistake"
    for state in ("removed", "gone"):
        assert value(run("account", "delete", "anna", "--if-present", "--json"))["is"] == state
    assert value(run("account", "delete", "nobody", "--if-present", "--json")) == {"is": "gone"}


def test_options_are_listed_where_none_is_named(run: Run) -> None:
    run("chan", "join", "general")
    assert "post_as" in run("chan", "set", "general").stdout
    assert {"name": "mute", "value": "off", "is_set": False} in value(run("chan", "set", "general", "--json"))
    assert "identity_guard" in run("account", "set", "anna").stdout


def test_what_is_refused_of_a_file_is_told_as_json_too(run: Run) -> None:
    for lines in ("address,label\nfoo,\n", '{"address": "foo", "label": ""}\n'):
        refused = run("subscription", "add", "--from", "-", "--json", stdin=lines)
        assert refused.exit_code == 1
        ((line, reason),) = [each.values() for each in json.loads(refused.stdout)["refused"]]
        assert line == (2 if lines.startswith("address") else 1)
        assert "foo is no address" in reason
        assert refused.stderr == "bmgate: nothing was done: a line is refused\n"
    unread = run("subscription", "add", "--from", "-", "--json", stdin="nothing\nx\n")
    assert json.loads(unread.stdout)["refused"][0]["line"] == 1
