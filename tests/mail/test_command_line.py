"""Mail commands: the subject as a command line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.mail.command_line import BadCommandLine, read_command, usages


@pytest.mark.parametrize(
    ("subject", "name", "words"),
    [
        ("help", "help", ()),
        ("HELP list", "help", ("list",)),
        ("Re: Fwd: re: status 7KQ2ZZ", "status", ("7KQ2ZZ",)),
        ('createaddr "My new one"', "createAddr", ("My new one",)),
        ("subscribe BM-x the news", "sub", ("BM-x", "the", "news")),
        ('join "a b" BM-x', "join", ("a b", "BM-x")),
        ("join", "join", ()),
        ('label BM-x ""', "label", ("BM-x", "")),
    ],
)
def test_the_subject_is_a_command_line(subject: str, name: str, words: tuple[str, ...]) -> None:
    command = read_command(subject)
    assert (command.name, command.words) == (name, words)


def test_a_deterministic_address_takes_its_passphrase_from_the_body() -> None:
    command = read_command("createAddr deterministic at home", "\n  a long passphrase \nand more\n")
    assert command.words == ("deterministic", "at", "home")
    assert command.body_line == "a long passphrase"
    assert read_command("createAddr at home", "secret").body_line == ""


@pytest.mark.parametrize(
    ("subject", "told"),
    [
        ("", "the subject is empty"),
        ("Re:", "the subject is empty"),
        ("frobnicate", "no command 'frobnicate'"),
        ("alias name", "it is written: alias name BM-..."),
        ("show me", "it is written: show"),
        ("enable", "it is written: enable BM-..."),
    ],
)
def test_what_is_no_command_is_told(subject: str, told: str) -> None:
    with pytest.raises(BadCommandLine, match=told):
        read_command(subject)


def test_each_usage_is_found_by_its_own_line() -> None:
    for usage in usages():
        words = usage.line.split(" ")[: 1 + max(usage.least, usage.line.count("deterministic"))]
        assert read_command(" ".join(words)).usage is usage


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_mail_is_a_command_or_refused(subject: str, body: str) -> None:
    try:
        command = read_command(subject, body)
    except BadCommandLine:
        return
    assert "\n" not in command.body_line
