"""Automatic answers: which mail gets one, and what it says (V17, RFC 3834).

Bitmessage has no field that says a message was written by a program, so ours say it in their first line, and what looks
written by a program is not answered: nobody's robot must talk to ours.
"""

import re
from dataclasses import dataclass

from bmgate.mail.causes import time_words
from bmgate.mail.text import clean_line

MAX_ECHO = 2_000  # characters of a mail that go back: work is paid for each
MARK = "[Automatic answer"

_AWAY = "I am away and shall read your message later."
_AUTOMATIC_SUBJECT = re.compile(
    r"(?:(?:re|aw|fwd?|wg|sv|antw|res|tr)(?:\[\d+\])?:\s*)*"
    r"(?:auto(?:matic|mated)?[ _-]?(?:answer|reply|response|antwort)|auto:|echo:|out of (?:the )?office|abwesen"
    r"|delivery status|undeliver|(?:mail )?delivery (?:failed|failure)|not delivered:|delayed:|delivered:)",
    re.IGNORECASE,
)
_AUTOMATIC_TEXT = re.compile(
    r"^(?:auto-submitted:(?!\s*no\b)|list-(?:id|post|unsubscribe):|precedence:\s*(?:bulk|list|junk)|x-autoreply"
    r"|x-auto-response-suppress:|return-path:\s*<>)"
    r"|message ostensibly from BM-|" + re.escape(MARK),
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back."""

    subject: str
    body: str


def is_automatic(subject: str, body: str) -> bool:
    """Whether a program may have written it: other robots, lists, gateways that pass on header fields."""
    return bool(_AUTOMATIC_SUBJECT.match(subject.strip()) or _AUTOMATIC_TEXT.search(body))


def echo(subject: str, body: str, now: int, greeting: str = "") -> Answer:
    """The mail goes back, so that its sender sees what arrived and when."""
    text = body[:MAX_ECHO] + ("\n[shortened]" if len(body) > MAX_ECHO else "")
    head = f"{MARK}: this address sends back what it gets.]"
    news = f"Your message arrived on {time_words(now)}. It said:"
    return Answer(f"Echo: {clean_line(subject)}".strip(), "\n\n".join(filter(None, (head, greeting, news, text))))


def vacation(subject: str, own_subject: str, own_text: str) -> Answer:
    """The owner's own words."""
    return Answer(own_subject or f"Auto: {clean_line(subject)}".strip(), f"{MARK}]\n\n{own_text or _AWAY}")
