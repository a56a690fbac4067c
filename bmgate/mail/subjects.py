"""Subjects that answer: the prefixes by which people see that a mail is a reply (I17)."""

import re

from bmgate.mail.text import clean_line

_PREFIX = re.compile(r"(?:re|aw|sv|antw|res|odp|vs)(?:\[\d{1,4}\])?\s*:\s*", re.IGNORECASE)


def base_subject(subject: str) -> tuple[str, bool]:
    """The subject without such prefixes, case-folded, and whether there was any."""
    text = clean_line(subject)
    end = 0
    while (prefix := _PREFIX.match(text, end)) is not None:
        end = prefix.end()
    return text[end:].casefold(), end > 0
