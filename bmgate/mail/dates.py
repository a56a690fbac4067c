"""The Date field: written by us, read from anybody.

Source: RFC 5322 3.3 and 4.3 (two-digit years, zones by name).
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

MAX_TIME = 253_402_300_799
"""The last second of the year 9999, in Unix seconds: no later one can be written as a date."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE = re.compile(
    rb"(\d{1,2})[\s-]{1,9}([A-Za-z]{3})[a-z]{0,6}[\s-]{1,9}(\d{2,4})\s{1,9}(\d{1,2}):(\d{2})(?::(\d{2}))?"
    rb"(?:\s{0,9}([+-]\d{4}|[A-Za-z]{1,5}))?"
)
_ZONE_HOURS = {b"EST": -5, b"EDT": -4, b"CST": -6, b"CDT": -5, b"MST": -7, b"MDT": -6, b"PST": -8, b"PDT": -7}


@dataclass(frozen=True, slots=True)
class SentDate:
    """A moment in Unix seconds, and the offset of the writer's zone in seconds east of UTC."""

    seconds: int
    offset: int


def moment_of(seconds: int) -> datetime:
    """Unix seconds as a moment in UTC, at most MAX_TIME."""
    return _EPOCH + timedelta(seconds=min(seconds, MAX_TIME))


def write_date(seconds: int) -> str:
    """`Sat, 21 Nov 2026 20:15:00 +0000` of Unix seconds."""
    moment = moment_of(seconds)
    month = MONTHS[moment.month - 1]
    return f"{DAYS[moment.weekday()]}, {moment.day:02} {month} {moment.year:04} {moment:%H:%M:%S} +0000"


def read_date(value: bytes) -> SentDate | None:
    """What a Date field says; None when that is nonsense."""
    found = _DATE.search(value[:200])
    if found is None:
        return None
    month = found[2].decode("ascii").capitalize()
    if month not in MONTHS:
        return None
    offset = _offset(found[7] or b"")
    try:
        written = datetime(
            _year(found[3]),
            MONTHS.index(month) + 1,
            int(found[1]),
            int(found[4]),
            int(found[5]),
            min(int(found[6] or b"0"), 59),  # a leap second
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return SentDate(int((written - _EPOCH).total_seconds()) - offset, offset)


def _year(digits: bytes) -> int:
    year = int(digits)
    if len(digits) == 2 and year < 50:
        return year + 2000
    return year + 1900 if len(digits) < 4 else year


def _offset(zone: bytes) -> int:
    if zone[:1] in (b"+", b"-"):
        seconds = int(zone[1:3]) * 3600 + int(zone[3:]) * 60
        return -seconds if zone[:1] == b"-" else seconds
    return _ZONE_HOURS.get(zone.upper(), 0) * 3600
