"""APPEND, and the flags and dates in it (RFC 3501 6.3.11, RFC 3502, RFC 3516 4.4, RFC 6855 4)."""

import re
from calendar import timegm
from datetime import date

from bmgate.domain.mailbox import Flags
from bmgate.imap.cursor import BadSyntax, Cursor
from bmgate.imap.mailbox_grammar import read_mailbox
from bmgate.imap.values import Append, AppendedMail, FlagList
from bmgate.mail.dates import MONTHS

SYSTEM_FLAGS: dict[str, Flags] = {
    "\\SEEN": Flags.SEEN,
    "\\ANSWERED": Flags.ANSWERED,
    "\\FLAGGED": Flags.FLAGGED,
    "\\DELETED": Flags.DELETED,
    "\\DRAFT": Flags.DRAFT,
    "\\RECENT": Flags.NONE,  # ours to give; older programs send it back with APPEND
}
MAX_KEYWORDS, MAX_KEYWORD = 64, 64

_FLAG = re.compile(rb"\\?[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+")
_DATE_TIME = re.compile(
    rb'"([ 0-9]?[0-9])-([A-Za-z]{3})-([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})"'
)
MAX_MAILS = 500
MAX_ZONE_HOURS = 14  # of Kiribati

_LAST_SECOND = timegm((9999, 12, 31, 23, 59, 59))  # what four digits of a year can tell


def read_append(cursor: Cursor) -> Append:
    """One mail or several."""
    mailbox = read_mailbox(cursor)
    mails = [_mail(cursor)]
    while not cursor.at_end:
        if len(mails) == MAX_MAILS:
            raise BadSyntax("Too many mails")
        mails.append(_mail(cursor))
    return Append(mailbox, tuple(mails))


def _mail(cursor: Cursor) -> AppendedMail:
    cursor.space()
    cursor.skip(b" ")  # IMAPClient puts two between one mail and the next
    flags, internaldate = FlagList(), None
    if cursor.peek() == b"(":
        flags = read_flags(cursor)
        cursor.space()
    if cursor.peek() == b'"':
        internaldate = read_date_time(cursor)
        cursor.space()
    if not cursor.skip_word(b"UTF8"):
        cursor.skip(b"~")  # a literal that may hold NUL
        return AppendedMail(flags, internaldate, cursor.mail())
    cursor.expect(b" (~")
    message = cursor.mail()
    cursor.expect(b")")
    return AppendedMail(flags, internaldate, message)


def read_flags(cursor: Cursor) -> FlagList:
    """A parenthesised list of flags."""
    cursor.expect(b"(")
    out = [] if cursor.peek() == b")" else flag_words(cursor)
    cursor.expect(b")")
    return flag_list_of(out)


def flag_words(cursor: Cursor) -> list[str]:
    out = [_flag_word(cursor)]
    while cursor.skip(b" "):
        out.append(_flag_word(cursor))
    return out


def _flag_word(cursor: Cursor) -> str:
    return cursor.match(_FLAG, "a flag")[0].decode("ascii")


def flag_list_of(words: list[str]) -> FlagList:
    flags, keywords = Flags.NONE, dict[str, str]()
    for word in words:
        if word.startswith("\\"):
            if word.upper() not in SYSTEM_FLAGS:
                raise BadSyntax("Unknown system flag")
            flags |= SYSTEM_FLAGS[word.upper()]
        elif len(word) > MAX_KEYWORD:
            raise BadSyntax("Keyword too long")
        else:
            keywords.setdefault(word.lower(), word)
    if len(keywords) > MAX_KEYWORDS:
        raise BadSyntax("Too many keywords")
    return FlagList(flags, tuple(keywords.values()))


def read_date_time(cursor: Cursor) -> int:
    """A date-time in Unix seconds; one before 1970 or behind 9999, seen from UTC, becomes the nearest within."""
    found = cursor.match(_DATE_TIME, "a date")
    day, year, hour, minute, second, zone_hours, zone_minutes = map(int, found.group(1, 3, 4, 5, 6, 8, 9))
    try:
        written = date(year, MONTHS.index(found[2].decode("ascii").capitalize()) + 1, day)
    except ValueError as error:
        raise BadSyntax("Not a date") from error
    if hour > 23 or minute > 59 or second > 60 or zone_hours > MAX_ZONE_HOURS or zone_minutes > 59:
        raise BadSyntax("Not a time")
    offset = (zone_hours * 60 + zone_minutes) * (60 if found[7] == b"+" else -60)
    seconds = timegm((*written.timetuple()[:3], hour, minute, second)) - offset
    return min(max(0, seconds), _LAST_SECOND)
