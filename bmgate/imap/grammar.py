"""Commands of RFC 3501 and 9051 as values. Pure: what is not grammar raises BadSyntax.

FETCH items and SEARCH keys have modules of their own.
"""

import re
from calendar import timegm
from collections.abc import Callable

from bmgate.domain.mailbox import DELIMITER, FlagChange, Flags
from bmgate.imap.cursor import BadSyntax, Cursor
from bmgate.imap.fetch_items import read_fetch_items
from bmgate.imap.mailbox_grammar import read_list, read_lsub, read_mailbox, read_status
from bmgate.imap.reader import RawCommand
from bmgate.imap.search_keys import read_search
from bmgate.imap.sets import read_set
from bmgate.imap.values import (
    Append,
    Authenticate,
    Capability,
    Check,
    Close,
    Command,
    Copy,
    Create,
    Delete,
    Enable,
    Expunge,
    Fetch,
    FlagList,
    Id,
    Idle,
    Login,
    Logout,
    Namespace,
    Noop,
    Rename,
    Search,
    Select,
    Starttls,
    Store,
    Subscribe,
    Tagged,
    Unselect,
)
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
_ID_PAIRS = 30

_FLAG = re.compile(rb"\\?[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+")
_DATE_TIME = re.compile(
    rb'"([ 0-9]?[0-9])-([A-Za-z]{3})-([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})"'
)
_BASE64 = re.compile(rb"[A-Za-z0-9+/]+={0,2}|=")


def read_command(raw: RawCommand) -> Tagged:
    """The command; raises BadSyntax."""
    cursor = Cursor(raw.pieces)
    tag = cursor.tag()
    cursor.space()
    name = cursor.word()
    if name == "UID":
        cursor.space()
        name = "UID " + cursor.word()
    reader = _COMMANDS.get(name)
    if reader is None:
        raise BadSyntax("Unknown command")
    command = reader(cursor)
    cursor.finish()
    return Tagged(tag, command)


def read_tag(raw: RawCommand) -> bytes:
    """The tag of a command that may be nonsense otherwise; `*` when it has none."""
    try:
        return Cursor(raw.pieces).tag()
    except BadSyntax:
        return b"*"


def read_flags(cursor: Cursor) -> FlagList:
    """A parenthesised list of flags."""
    cursor.expect(b"(")
    out = [] if cursor.peek() == b")" else _flag_words(cursor)
    cursor.expect(b")")
    return _flag_list(out)


def _flag_words(cursor: Cursor) -> list[str]:
    out = [_flag_word(cursor)]
    while cursor.skip(b" "):
        out.append(_flag_word(cursor))
    return out


def _flag_word(cursor: Cursor) -> str:
    return cursor.match(_FLAG, "a flag")[0].decode("ascii")


def _flag_list(words: list[str]) -> FlagList:
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
    """A date-time in Unix seconds."""
    found = cursor.match(_DATE_TIME, "a date")
    month = found[2].decode("ascii").capitalize()
    day, year, hour, minute, second, zone_hours, zone_minutes = map(int, found.group(1, 3, 4, 5, 6, 8, 9))
    if month not in MONTHS or not 1 <= day <= 31 or year < 1970 or hour > 23 or minute > 59 or second > 60:
        raise BadSyntax("Not a date")
    offset = (zone_hours * 60 + zone_minutes) * (60 if found[7] == b"+" else -60)
    return max(0, timegm((year, MONTHS.index(month) + 1, day, hour, minute, second)) - offset)


def _login(cursor: Cursor) -> Login:
    cursor.space()
    user = cursor.astring()
    cursor.space()
    return Login(user, cursor.astring())


def _authenticate(cursor: Cursor) -> Authenticate:
    cursor.space()
    mechanism = cursor.word()
    if not cursor.skip(b" "):
        return Authenticate(mechanism, None)
    return Authenticate(mechanism, cursor.match(_BASE64, "base64")[0])


def _enable(cursor: Cursor) -> Enable:
    cursor.space()
    words = [cursor.word()]
    while cursor.skip(b" "):
        words.append(cursor.word())
    return Enable(tuple(words))


def _id(cursor: Cursor) -> Id:
    cursor.space()
    if not cursor.skip(b"("):
        if cursor.nstring() is not None:
            raise BadSyntax("Expected a list or NIL")
        return Id()
    cursor.skip(b" ")  # aioimaplib: ID ( "name" "x" )
    if cursor.skip(b")"):
        return Id()
    for _ in range(_ID_PAIRS):
        cursor.string()
        cursor.space()
        cursor.nstring()
        if cursor.skip(b")") or cursor.skip(b" )"):
            return Id()
        cursor.space()
    raise BadSyntax("Too many fields")


def _select(read_only: bool) -> Callable[[Cursor], Select]:
    return lambda cursor: Select(read_mailbox(cursor), read_only)


def _subscribe(subscribed: bool) -> Callable[[Cursor], Subscribe]:
    return lambda cursor: Subscribe(read_mailbox(cursor), subscribed)


def _create(cursor: Cursor) -> Create:
    name = read_mailbox(cursor)
    return Create(name.removesuffix(DELIMITER) or name)


def _rename(cursor: Cursor) -> Rename:
    name = read_mailbox(cursor)
    new_name = read_mailbox(cursor)
    return Rename(name, new_name.removesuffix(DELIMITER) or new_name)


def _append(cursor: Cursor) -> Append:
    mailbox = read_mailbox(cursor)
    cursor.space()
    flags, internaldate = FlagList(), None
    if cursor.peek() == b"(":
        flags = read_flags(cursor)
        cursor.space()
    if cursor.peek() == b'"':
        internaldate = read_date_time(cursor)
        cursor.space()
    return Append(mailbox, flags, internaldate, cursor.literal())


def _uid_expunge(cursor: Cursor) -> Expunge:
    cursor.space()
    return Expunge(read_set(cursor))


def _fetch(uid: bool) -> Callable[[Cursor], Fetch]:
    def read(cursor: Cursor) -> Fetch:
        cursor.space()
        messages = read_set(cursor)
        cursor.space()
        return Fetch(messages, read_fetch_items(cursor, uid), uid)

    return read


def _store(uid: bool) -> Callable[[Cursor], Store]:
    def read(cursor: Cursor) -> Store:
        cursor.space()
        messages = read_set(cursor)
        cursor.space()
        change = FlagChange.ADD if cursor.skip(b"+") else FlagChange.REMOVE if cursor.skip(b"-") else FlagChange.REPLACE
        item = cursor.word()
        if item not in {"FLAGS", "FLAGS.SILENT"}:
            raise BadSyntax("Unknown store item")
        cursor.space()
        flags = read_flags(cursor) if cursor.peek() == b"(" else _flag_list(_flag_words(cursor))
        return Store(messages, change, item == "FLAGS.SILENT", flags, uid)

    return read


def _copy(uid: bool, move: bool) -> Callable[[Cursor], Copy]:
    def read(cursor: Cursor) -> Copy:
        cursor.space()
        messages = read_set(cursor)
        return Copy(messages, read_mailbox(cursor), uid, move)

    return read


def _search(uid: bool) -> Callable[[Cursor], Search]:
    return lambda cursor: Search(read_search(cursor), uid)


_COMMANDS: dict[str, Callable[[Cursor], Command]] = {
    "CAPABILITY": lambda _: Capability(),
    "NOOP": lambda _: Noop(),
    "LOGOUT": lambda _: Logout(),
    "STARTTLS": lambda _: Starttls(),
    "CHECK": lambda _: Check(),
    "CLOSE": lambda _: Close(),
    "UNSELECT": lambda _: Unselect(),
    "IDLE": lambda _: Idle(),
    "NAMESPACE": lambda _: Namespace(),
    "EXPUNGE": lambda _: Expunge(None),
    "ID": _id,
    "LOGIN": _login,
    "AUTHENTICATE": _authenticate,
    "ENABLE": _enable,
    "SELECT": _select(read_only=False),
    "EXAMINE": _select(read_only=True),
    "CREATE": _create,
    "DELETE": lambda cursor: Delete(read_mailbox(cursor)),
    "RENAME": _rename,
    "SUBSCRIBE": _subscribe(subscribed=True),
    "UNSUBSCRIBE": _subscribe(subscribed=False),
    "LIST": read_list,
    "LSUB": read_lsub,
    "STATUS": read_status,
    "APPEND": _append,
    "UID EXPUNGE": _uid_expunge,
    "FETCH": _fetch(uid=False),
    "UID FETCH": _fetch(uid=True),
    "STORE": _store(uid=False),
    "UID STORE": _store(uid=True),
    "COPY": _copy(uid=False, move=False),
    "UID COPY": _copy(uid=True, move=False),
    "MOVE": _copy(uid=False, move=True),
    "UID MOVE": _copy(uid=True, move=True),
    "SEARCH": _search(uid=False),
    "UID SEARCH": _search(uid=True),
}
