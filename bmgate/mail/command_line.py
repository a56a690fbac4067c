"""Mail commands: what the subject of a mail to `bmgate@D` asks for (mail conversion 1.4).

The subject is the command line: a name in any case, words split at spaces, `"..."` groups. Secrets stay out of
subjects, so some commands read the first line of the body. What a command does is the services' business.

Subject and body come as they were written. What stands for something else once it is cleaned (a passphrase with a tab,
a label in which a letter is hidden) is refused: nothing is joined, left or made that nobody wrote.
"""

import re
from dataclasses import dataclass

from bmgate.errors import Refused
from bmgate.mail.text import REPLACEMENT, clean_line

MAX_WORDS = 20

_REPLY = re.compile(r"^(?:(?:re|fwd?|aw|wg)\s*:\s*)+", re.IGNORECASE)
_WORD = re.compile(r'([ \t]*)(?:"([^"]*)"(?=[ \t]|\Z)|([^ \t]+))')
_SPACES = re.compile(" {2,}")


class BadCommandLine(Refused):
    """A subject that is no command, or lacks a word; the text says how it is written."""


@dataclass(frozen=True, slots=True)
class Usage:
    """How a command is written and what it does; `least` to `most` words may follow its name.

    `is_exact`: the words are one name or passphrase, in which every space counts.
    """

    name: str
    arguments: str
    help: str
    least: int = 0
    most: int = 0
    aliases: tuple[str, ...] = ()
    reads_body: bool = False
    is_exact: bool = False

    @property
    def line(self) -> str:
        """As the help shows it."""
        return f"{self.name} {self.arguments}".strip()


@dataclass(frozen=True, slots=True)
class CommandLine:
    """One command as it was asked for."""

    usage: Usage
    words: tuple[str, ...]
    body: str = ""
    body_doubt: str = ""  # why its first line may not be what was written

    @property
    def name(self) -> str:
        return self.usage.name

    @property
    def body_line(self) -> str:
        """The first line of the body that is not blank, exactly; raises BadCommandLine.

        Spaces around it may have been lost or added on the way of a mail, and so may what nobody sees.
        """
        line = next((line for line in self.body.split("\n") if line.strip(" \t\r")), "")
        if line and self.body_doubt:
            raise BadCommandLine(f"the first line of the body is taken exactly: {self.body_doubt}")
        if line != line.strip() or not _is_plain(line):
            raise BadCommandLine(
                "the first line of the body is taken exactly, and begins or ends with a space, or holds a character "
                "that nobody sees; write it without, or use the command line"
            )
        return line


_USAGES = (
    Usage("help", "[command]", "this table, or one line of it", most=1),
    Usage("list", "[addresses|contacts|chans|subs|queue|aliases]", "your addresses, or what you name", most=1),
    Usage("status", "[queue-id|BM-...]", "the node and its work, or what became of one message", most=1),
    Usage("createAddr", "[label]", "a new address; its label is for you alone", most=MAX_WORDS),
    Usage(
        "createAddr",
        "deterministic [label]",
        "an address made from a passphrase: the first line of the body",
        most=MAX_WORDS,
        reads_body=True,
    ),
    Usage("enable", "BM-...", "receive at one of your addresses again", 1, 1),
    Usage("disable", "BM-...", "receive no more at one of your addresses", 1, 1),
    Usage("label", "name|BM-... text", "call an address, chan or subscription of yours something else", 2, MAX_WORDS),
    Usage("alias", "name BM-...", "name@ means that address of yours", 2, 2),
    Usage("unalias", "name", "give an alias up; nobody else gets it for a year", 1, 1),
    Usage("delete", "BM-... [token]", "delete one of your addresses: asks first, by a token", 1, 2),
    Usage("sub", "BM-... [label]", "read the broadcasts of an address", 1, MAX_WORDS, ("subscribe",)),
    Usage("usub", "BM-...", "read them no more", 1, MAX_WORDS, ("unsubscribe",), is_exact=True),
    Usage(
        "join",
        "name [BM-...]",
        "take part in a chan; its name may stand in the body instead",
        most=MAX_WORDS,
        reads_body=True,
        is_exact=True,
    ),
    Usage("leave", "name|BM-...", "leave a chan; its mailbox goes", 1, MAX_WORDS, is_exact=True),
    Usage("contact", "BM-... label", "put an address into your address book", 1, MAX_WORDS),
    Usage("uncontact", "BM-...", "take it out again", 1, 1),
    Usage("block", "BM-...", "mail from there goes to Junk, unconfirmed", 1, 1),
    Usage("allow", "BM-...", "undo block, and let mail out of Requests", 1, 1),
    Usage("reads", "BM-... files|mime|plain|auto", "what a correspondent's program can read", 2, 2),
    Usage("cancel", "id", "do not send a message that waits", 1, 1),
    Usage("retry", "id", "try again now", 1, 1),
    Usage("force", "id", "send it although the recipient demands much work", 1, 1),
    Usage("ttl", "id 2d", "let a message live that long on the network", 2, 2),
    Usage("set", "option value|default", "change an option of your account, or give it up", 2, MAX_WORDS),
    Usage("show", "", "your options"),
)


def usages() -> tuple[Usage, ...]:
    """All commands, in the order of the help."""
    return _USAGES


def read_command(subject: str, body: str = "", name: str = "", body_doubt: str = "") -> CommandLine:
    """The command of a mail; `name` is the command where the recipient says it (A5). Raises BadCommandLine.

    `subject` and `body` are as they were written, the latter with LF line ends; of its first line there may be doubt.
    """
    found = _WORD.findall(f"{name} {_REPLY.sub('', subject.strip(' '))}")
    words = [quoted or word for _, quoted, word in found]
    if not words:
        raise BadCommandLine("the subject is empty; it is the command, such as: help")
    usage = _usage(words)
    arguments = words[1:]
    if any(word.startswith('"') for *_, word in found):
        raise BadCommandLine("a quotation mark begins a word, and none ends it")
    if usage.is_exact and "" in arguments:
        raise BadCommandLine("there is nothing between two quotation marks")
    if not usage.least <= len(arguments) <= usage.most:
        raise BadCommandLine(f"it is written: {usage.line}")
    if not all(map(_is_plain, arguments)):
        raise BadCommandLine("the subject holds a character that nobody sees, and means something else without it")
    if usage.is_exact and any(gap != " " for gap, *_ in found[2:]):
        raise BadCommandLine("there are several spaces in a row; put in quotes what they belong to")
    return CommandLine(usage, tuple(arguments), *((body, body_doubt) if usage.reads_body else ()))


def _usage(words: list[str]) -> Usage:
    name = words[0].lower()
    found = [usage for usage in _USAGES if name in (usage.name.lower(), *usage.aliases)]
    if not found:
        raise BadCommandLine(f"there is no command {words[0]!r}")
    second = words[1].lower() if len(words) > 1 else ""
    for usage in found[1:]:
        if usage.arguments.split()[0] == second:
            return usage
    return found[0]


def _is_plain(text: str) -> bool:
    """Whether cleaning takes nothing away, and a wrong charset did not: of spaces a row may be meant."""
    return REPLACEMENT not in text and clean_line(text) == _SPACES.sub(" ", text).strip(" ")
