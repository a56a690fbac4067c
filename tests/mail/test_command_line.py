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
    command = read_command("createAddr deterministic at home", "\n \na  long passphrase\nand more\n")
    assert command.words == ("deterministic", "at", "home")
    assert command.body_line == "a  long passphrase"
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
        ('join "unbalanced', "none ends it"),
        ('contact BM-x "Aunt Mary', "none ends it"),
        ('join "a"b', "none ends it"),
        ('join "" z', "nothing between"),
        ('leave ""', "nothing between"),
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
    try:
        assert "\n" not in command.body_line
    except BadCommandLine:
        return


@pytest.mark.parametrize(
    "subject", ["leave a  b", "leave a\tb", "usub a  b", "join a  b", 'join a  "b"', "leave a b  c"]
)
def test_m4_several_spaces_between_words_of_one_name_are_refused(subject: str) -> None:
    with pytest.raises(BadCommandLine, match="in quotes"):
        read_command(subject)


@pytest.mark.parametrize("name", ["a  b", " a", "a ", "a\N{NO-BREAK SPACE}b", "a\N{IDEOGRAPHIC SPACE}b"])
def test_m4_what_stands_in_quotes_is_taken_exactly(name: str) -> None:
    assert read_command(f'leave  "{name}"').words == (name,)


@pytest.mark.parametrize(
    "letter", ["\u202e", "\0", "\x07", "\ufeff", "\u2028", "\x85", "\ufffd", "\x0b", "e" + "\u0301" * 9]
)
@pytest.mark.parametrize("command", ["leave", "join", "usub", "label BM-x", "uncontact"])
def test_what_cleaning_would_change_is_refused(command: str, letter: str) -> None:
    with pytest.raises(BadCommandLine, match="nobody sees"):
        read_command(f'{command} "a{letter}b"')


@pytest.mark.parametrize("letter", ["\u2028", "\x85", "\x0c", "\x0b", "\r", "\x07", "\ufeff", "\t"])
def test_a_passphrase_is_not_shortened_by_what_is_no_line_end(letter: str) -> None:
    command = read_command("createAddr deterministic", f"a long{letter}passphrase\nmore")
    with pytest.raises(BadCommandLine, match="taken exactly"):
        assert command.body_line


def test_a_doubtful_body_is_refused_where_it_is_read() -> None:
    assert read_command("show", "text", body_doubt="a guess").body_line == ""
    assert read_command("join", " \n", body_doubt="a guess").body_line == ""
    with pytest.raises(BadCommandLine, match="a guess"):
        assert read_command("join", "general", body_doubt="a guess").body_line


@pytest.mark.parametrize("line", [" a passphrase", "a passphrase ", "\ta passphrase"])
def test_a_passphrase_with_spaces_around_it_is_refused(line: str) -> None:
    with pytest.raises(BadCommandLine, match="taken exactly"):
        assert read_command("join", line).body_line
    assert read_command("join general", line).words == ("general",)
