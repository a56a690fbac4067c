"""Commands as values: those of RFC 3501 and 9051, of which the longer ones have modules of their own.

Pure: what is not grammar raises BadSyntax.
"""

import re
from collections.abc import Callable

from bmgate.domain.mailbox import DELIMITER, FlagChange
from bmgate.imap.append_grammar import flag_list_of, flag_words, read_flags
from bmgate.imap.cursor import BadSyntax, Cursor
from bmgate.imap.data_items import Attribute
from bmgate.imap.extension import Dialect, Tagged
from bmgate.imap.fetch_items import read_fetch_items
from bmgate.imap.mailbox_grammar import read_mailbox
from bmgate.imap.modifiers import read_fetch_modifiers, read_select_parameters, read_store_modifier
from bmgate.imap.reader import RawCommand
from bmgate.imap.search_keys import read_search_program
from bmgate.imap.sets import read_set
from bmgate.imap.values import (
    Authenticate,
    Copy,
    Create,
    Enable,
    Expunge,
    Fetch,
    Login,
    Rename,
    Search,
    Select,
    Store,
    Subscribe,
    UnreadableSearch,
)
from bmgate.imap.vocabulary import CommandCursor

_BASE64 = re.compile(rb"[A-Za-z0-9+/]+={0,2}|=")


def read_command(raw: RawCommand, dialect: Dialect, utf8: bool = False) -> Tagged:
    """The command; with `utf8` mailbox names are UTF-8 (RFC 6855). Raises BadSyntax, BadCharset."""
    cursor = CommandCursor(raw.pieces, dialect.vocabulary, utf8)
    tag = cursor.tag()
    cursor.space()
    name = cursor.word()
    if name == "UID":
        cursor.space()
        name = "UID " + cursor.word()
    verb = dialect.verbs.get(name)
    if verb is None:
        raise BadSyntax("Unknown command")
    command = verb.read(cursor)
    cursor.finish()
    return Tagged(tag, verb, command)


def read_tag(raw: RawCommand) -> bytes:
    """The tag of a command that may be nonsense otherwise; `*` when it has none."""
    try:
        return Cursor(raw.pieces).tag()
    except BadSyntax:
        return b"*"


def read_login(cursor: Cursor) -> Login:
    """LOGIN."""
    cursor.space()
    user = cursor.astring()
    cursor.space()
    return Login(user, cursor.astring())


def read_authenticate(cursor: Cursor) -> Authenticate:
    """AUTHENTICATE."""
    cursor.space()
    mechanism = cursor.word()
    if not cursor.skip(b" "):
        return Authenticate(mechanism, None)
    return Authenticate(mechanism, cursor.match(_BASE64, "base64")[0])


def read_enable(cursor: Cursor) -> Enable:
    """ENABLE."""
    cursor.space()
    words = [cursor.word()]
    while cursor.skip(b" "):
        words.append(cursor.word())
    return Enable(tuple(words))


def read_select(read_only: bool) -> Callable[[Cursor], Select]:
    """SELECT, EXAMINE."""

    def read(cursor: Cursor) -> Select:
        mailbox = read_mailbox(cursor)
        condstore, resync = read_select_parameters(cursor)
        return Select(mailbox, read_only, condstore, resync)

    return read


def read_subscribe(subscribed: bool) -> Callable[[Cursor], Subscribe]:
    """SUBSCRIBE, UNSUBSCRIBE."""
    return lambda cursor: Subscribe(read_mailbox(cursor), subscribed)


def read_create(cursor: Cursor) -> Create:
    """CREATE."""
    name = read_mailbox(cursor)
    return Create(name.removesuffix(DELIMITER) or name)


def read_rename(cursor: Cursor) -> Rename:
    """RENAME."""
    name = read_mailbox(cursor)
    new_name = read_mailbox(cursor)
    return Rename(name, new_name.removesuffix(DELIMITER) or new_name)


def read_uid_expunge(cursor: Cursor) -> Expunge:
    """UID EXPUNGE."""
    cursor.space()
    return Expunge(read_set(cursor))


def read_fetch(uid: bool) -> Callable[[CommandCursor], Fetch]:
    """FETCH, UID FETCH."""

    def read(cursor: CommandCursor) -> Fetch:
        cursor.space()
        messages = read_set(cursor)
        cursor.space()
        items = read_fetch_items(cursor, uid)
        changed_since, vanished = read_fetch_modifiers(cursor, uid)
        if changed_since is not None and Attribute.MODSEQ not in items:
            items = (*items, Attribute.MODSEQ)
        return Fetch(messages, items, uid, changed_since, vanished)

    return read


def read_store(uid: bool) -> Callable[[Cursor], Store]:
    """STORE, UID STORE."""

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


def read_copy(uid: bool, move: bool) -> Callable[[Cursor], Copy]:
    """COPY, MOVE and their UID forms."""

    def read(cursor: Cursor) -> Copy:
        cursor.space()
        messages = read_set(cursor)
        return Copy(messages, read_mailbox(cursor), uid, move)

    return read


def read_search(uid: bool) -> Callable[[CommandCursor], Search | UnreadableSearch]:
    """SEARCH, UID SEARCH."""

    def read(cursor: CommandCursor) -> Search | UnreadableSearch:
        returns, key = read_search_program(cursor)
        if key is None:
            return UnreadableSearch(saves="SAVE" in (returns or ()))
        return Search(key, uid, returns)

    return read
