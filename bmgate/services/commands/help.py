"""The help that mail commands give: the table of all commands, a line of it, or a page about something."""

from bmgate.errors import Missing
from bmgate.mail.command_line import Usage, usages

_INTRODUCTION = """\
A command is the subject of a mail to this address; the answer comes to INBOX. Words with
blanks stand in "quotes". BM-... may be any of your names for the address. Nothing of a
command leaves this gateway."""

TOPICS = {
    "attachments": """\
Most Bitmessage programs cannot read files. This gateway sends them to those of whom it knows
that they can, such as other gateways of this kind, and otherwise refuses the mail, so that
nothing is lost unseen. What else it does you choose, for all your mail or for one contact:

  set attachments refuse     refuse the mail (as it is)
  set attachments extended   send them in an extended message; programs that do not know
                             files show the text alone
  set attachments inline     send pictures inside the text, as PyBitmessage shows them, and
                             text files as text; other files are refused
  set attachments omit       send the text, and name what was left out
  reads BM-... files         this contact reads files, whatever his program showed
  reads BM-... mime          this contact uses a gateway that reads whole mails
  reads BM-... auto          find out, as it is without your word""",
    "requests": """\
With

  set requests on

mail of strangers waits in the mailbox Requests, and nobody is told that it arrived. Move it to
INBOX, or mail "allow BM-...", and its sender is allowed and told; move it to Junk, or mail
"block BM-...", and he is blocked. With "set requests junk" it goes to Junk at once. Strangers
are those who are not among your contacts, whom you never wrote to, and who answer none of
your mails.""",
}


def whole_help() -> str:
    """The table of all commands."""
    width = max(len(usage.line) for usage in usages() if len(usage.line) <= 36)
    lines = [_line(usage, width) for usage in usages()]
    topics = ", ".join(f"help {topic}" for topic in TOPICS)
    return f"{_INTRODUCTION}\n\n" + "\n".join(lines) + f"\n\nSee also: {topics}"


def help_about(word: str) -> str:
    """A topic, or the lines of one command; raises Missing."""
    wanted = word.lower()
    if wanted in TOPICS:
        return TOPICS[wanted]
    found = [usage for usage in usages() if wanted in (usage.name.lower(), *usage.aliases)]
    if not found:
        raise Missing(f"there is no command {word!r}; there are {', '.join(names())}")
    return "\n".join(_about(usage) for usage in found)


def names() -> list[str]:
    """Of all commands, each once."""
    return list(dict.fromkeys(usage.name for usage in usages()))


def _line(usage: Usage, width: int) -> str:
    written = f"  {usage.line:<{width}}"
    return f"{written}  {usage.help}" if len(usage.line) <= width else f"{written}\n  {'':<{width}}  {usage.help}"


def _about(usage: Usage) -> str:
    also = f" (also: {', '.join(usage.aliases)})" if usage.aliases else ""
    return f"{usage.line}{also}\n  {usage.help}"
