"""What a mailing list makes of the mail it passes on: the form that PyBitmessage gave it (O16, protocol 12.2).

The list signs it, so the author is only named; nobody vouches for him.
"""

import re

from bmgate.bm.addresses import Address
from bmgate.mail.answers import is_automatic
from bmgate.mail.dates import moment_of
from bmgate.mail.outgoing import with_short_subject

_ANSWER = re.compile(r"re:\s*", re.IGNORECASE)


def passed_on(name: str, author: Address, subject: str, body: str, at: int) -> tuple[str, str]:
    """Subject and body for the subscribers; `at` is Unix seconds."""
    line = f"{moment_of(at):%a, %Y-%m-%d %H:%M:%S} UTC   Message ostensibly from {author}:"
    return with_short_subject(_tagged(name, subject), f"{line}\n\n{body}")


def may_pass_on(subject: str, body: str) -> bool:
    """Whether a person wrote it to the list: not what a list passed on already, nor what a program answered.

    The head of the text tells; further below a list's words may be quoted.
    """
    head = body.lstrip("\n").partition("\n\n")[0]
    return not is_automatic(subject, head)


def _tagged(name: str, subject: str) -> str:
    """With the list's name once, and one `Re:` less: every answer would get another one."""
    words, tag = subject.strip(), f"[{name}]"
    if (answer := _ANSWER.match(words)) is not None:
        words = words[answer.end() :]
    return words if tag in words else f"{tag} {words}".strip()
