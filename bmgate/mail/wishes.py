"""What a sender asks for beside the text: how long to keep trying (O14), how soon (O15), and under which name a post to
a chan appears (M11). None of it travels.
"""

import re
from email.utils import mktime_tz, parsedate_tz
from enum import StrEnum
from typing import Literal

from bmgate.errors import BadTtl, NotAllowed
from bmgate.mail.headers import decode_header, raw_field
from bmgate.mail.parse import Part
from bmgate.mail.text import clean_line

HOUR = 3600
MIN_TTL = HOUR  # seconds
MAX_TTL = 28 * 24 * HOUR  # seconds
_UNITS = {"": 1, "s": 1, "m": 60, "h": HOUR, "d": 24 * HOUR, "w": 7 * 24 * HOUR}
_TTL = re.compile(r"\s*([0-9]{1,9})\s*([smhdw]?)\s*", re.IGNORECASE)


class Priority(StrEnum):
    """Orders mail inside the account's own share of the work."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


_PRIORITY_WORDS = {
    "X-Priority": {"1": Priority.HIGH, "2": Priority.HIGH, "3": Priority.NORMAL, "4": Priority.LOW, "5": Priority.LOW},
    "Importance": {"high": Priority.HIGH, "normal": Priority.NORMAL, "low": Priority.LOW},
    "Priority": {"urgent": Priority.HIGH, "normal": Priority.NORMAL, "non-urgent": Priority.LOW},
}


def read_ttl(text: str) -> int:
    """Seconds from `2d`, `36h` or `86400`, brought within 1 hour and 28 days (O14); raises BadTtl."""
    return clamp_ttl(_seconds(text))


def read_exact_ttl(text: str) -> int:
    """The same from somebody who hears what is wrong with it: raises BadTtl beyond 1 hour and 28 days too."""
    seconds = _seconds(text)
    if seconds != clamp_ttl(seconds):
        raise BadTtl(f"ttl is a time from 1h to 28d, such as 12h or 4d, not {clean_line(text)[:40]!r}")
    return seconds


def _seconds(text: str) -> int:
    match = _TTL.fullmatch(text)
    if match is None:
        raise BadTtl(f"unreadable TTL {text[:40]!r}: write a number of seconds, or a number and s, m, h, d or w")
    return int(match[1]) * _UNITS[match[2].lower()]


def clamp_ttl(seconds: int) -> int:
    """The nearest TTL that bmgate sends with."""
    return max(MIN_TTL, min(MAX_TTL, seconds))


def chosen_ttl(wished: int | None, tag_ttl: int | None, expires_at: int | None, now: int, default: int) -> int:
    """Seconds: the header's wish, else the recipient's tag, else `Expires`, else the default; `now` in Unix seconds."""
    if wished is not None:
        return wished
    if tag_ttl is not None:
        return tag_ttl
    return clamp_ttl(default if expires_at is None else expires_at - now)


def ttl_of(message: Part) -> int | None:
    """Seconds of `X-Bitmessage-TTL`, None without that field; raises BadTtl."""
    field = raw_field(message, "X-Bitmessage-TTL")
    return read_ttl(decode_header(field)) if field.strip() else None


def post_as_of(message: Part) -> Literal["chan", "identity"] | None:
    """Who is to sign posts to chans, None where `X-Bitmessage-Post-As` does not say it; raises NotAllowed."""
    match clean_line(decode_header(raw_field(message, "X-Bitmessage-Post-As"))).lower():
        case "chan":
            return "chan"
        case "identity":
            return "identity"
        case "":
            return None
        case word:
            raise NotAllowed(f"X-Bitmessage-Post-As is chan or identity, not {word[:40]!r}")


def is_automatic(message: Part) -> bool:
    """Whether a program sends it unasked: `Auto-Submitted` says something other than `no` (RFC 3834)."""
    word = decode_header(raw_field(message, "Auto-Submitted")).partition(";")[0].strip().lower()
    return word not in ("", "no")


def expires_at(message: Part) -> int | None:
    """Unix seconds of `Expires`, None without that field or when it holds no date."""
    words = decode_header(raw_field(message, "Expires"))[:100]
    try:
        parsed = parsedate_tz(words)
        return mktime_tz(parsed) if parsed else None
    except (ValueError, OverflowError, IndexError):  # dates such as the 99th of a month
        return None


def priority_of(message: Part) -> Priority:
    """The first valid of X-Priority, Importance and Priority."""
    for name, meanings in _PRIORITY_WORDS.items():
        words = decode_header(raw_field(message, name)).lower().split()
        if words and words[0] in meanings:
            return meanings[words[0]]
    return Priority.NORMAL
