"""Commands of RFC 3501 and 9051 as values. Pure: what is not grammar raises BadSyntax.

FETCH items and SEARCH keys have modules of their own.
"""

import re
from collections.abc import Callable

from bmgate.domain.mailbox import DELIMITER, FlagChange
from bmgate.imap.append_grammar import flag_list_of, flag_words, read_append, read_flags
from bmgate.imap.cursor import BadSyntax, Cursor
from bmgate.imap.fetch_items import read_fetch_items
from bmgate.imap.mailbox_grammar import read_list, read_lsub, read_mailbox, read_status, read_xlist
from bmgate.imap.modifiers import read_fetch_modifiers, read_select_parameters, read_store_modifier
from bmgate.imap.reader import RawCommand
from bmgate.imap.search_keys import read_search
from bmgate.imap.sets import read_set
from bmgate.imap.sort_grammar import read_sort, read_thread
from bmgate.imap.values import (
    Attribute,
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
    GetQuota,
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

_ID_PAIRS = 30
_BASE64 = re.compile(rb"[A-Za-z0-9+/]+={0,2}|=")


def read_command(raw: RawCommand, utf8: bool = False) -> Tagged:
    """The command; with `utf8` mailbox names are UTF-8 (RFC 6855). Raises BadSyntax, BadCharset."""
    cursor = Cursor(raw.pieces, utf8)
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
    def read(cursor: Cursor) -> Select:
        mailbox = read_mailbox(cursor)
        condstore, resync = read_select_parameters(cursor)
        return Select(mailbox, read_only, condstore, resync)

    return read


def _subscribe(subscribed: bool) -> Callable[[Cursor], Subscribe]:
    return lambda cursor: Subscribe(read_mailbox(cursor), subscribed)


def _create(cursor: Cursor) -> Create:
    name = read_mailbox(cursor)
    return Create(name.removesuffix(DELIMITER) or name)


def _rename(cursor: Cursor) -> Rename:
    name = read_mailbox(cursor)
    new_name = read_mailbox(cursor)
    return Rename(name, new_name.removesuffix(DELIMITER) or new_name)


def _uid_expunge(cursor: Cursor) -> Expunge:
    cursor.space()
    return Expunge(read_set(cursor))


def _fetch(uid: bool) -> Callable[[Cursor], Fetch]:
    def read(cursor: Cursor) -> Fetch:
        cursor.space()
        messages = read_set(cursor)
        cursor.space()
        items = read_fetch_items(cursor, uid)
        changed_since, vanished = read_fetch_modifiers(cursor, uid)
        if changed_since is not None and Attribute.MODSEQ not in items:
            items = (*items, Attribute.MODSEQ)
        return Fetch(messages, items, uid, changed_since, vanished)

    return read


def _store(uid: bool) -> Callable[[Cursor], Store]:
    def read(cursor: Cursor) -> Store:
        cursor.space()
        messages = read_set(cursor)
        cursor.space()
        unchanged_since = read_store_modifier(cursor)
        change = FlagChange.ADD if cursor.skip(b"+") else FlagChange.REMOVE if cursor.skip(b"-") else FlagChange.REPLACE
        item = cursor.word()
        if item not in {"FLAGS", "FLAGS.SILENT"}:
            raise BadSyntax("Unknown store item")
        cursor.space()
        flags = read_flags(cursor) if cursor.peek() == b"(" else flag_list_of(flag_words(cursor))
        return Store(messages, change, item == "FLAGS.SILENT", flags, uid, unchanged_since)

    return read


def _copy(uid: bool, move: bool) -> Callable[[Cursor], Copy]:
    def read(cursor: Cursor) -> Copy:
        cursor.space()
        messages = read_set(cursor)
        return Copy(messages, read_mailbox(cursor), uid, move)

    return read


def _search(uid: bool) -> Callable[[Cursor], Search]:
    def read(cursor: Cursor) -> Search:
        returns, key = read_search(cursor)
        return Search(key, uid, returns)

    return read


def _quota(cursor: Cursor) -> GetQuota:
    cursor.space()
    return GetQuota(cursor.astring().decode("utf-8", "replace"))


def _set_quota(cursor: Cursor) -> GetQuota:
    root = _quota(cursor).root
    cursor.space()
    cursor.expect(b"(")
    while not cursor.skip(b")"):
        cursor.word()
        cursor.space()
        cursor.number(0x7FFFFFFFFFFFFFFF)
        cursor.skip(b" ")
    return GetQuota(root, is_change=True)


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
    "XLIST": read_xlist,
    "GETQUOTA": _quota,
    "GETQUOTAROOT": lambda cursor: GetQuota(mailbox=read_mailbox(cursor)),
    "SETQUOTA": _set_quota,
    "STATUS": read_status,
    "APPEND": read_append,
    "UID EXPUNGE": _uid_expunge,
    "FETCH": _fetch(uid=False),
    "UID FETCH": _fetch(uid=True),
    "STORE": _store(uid=False),
    "UID STORE": _store(uid=True),
    "COPY": _copy(uid=False, move=False),
    "UID COPY": _copy(uid=True, move=False),
    "MOVE": _copy(uid=False, move=True),
    "UID MOVE": _copy(uid=True, move=True),
    "SORT": lambda cursor: read_sort(cursor, uid=False),
    "UID SORT": lambda cursor: read_sort(cursor, uid=True),
    "THREAD": lambda cursor: read_thread(cursor, uid=False),
    "UID THREAD": lambda cursor: read_thread(cursor, uid=True),
    "SEARCH": _search(uid=False),
    "UID SEARCH": _search(uid=True),
}
