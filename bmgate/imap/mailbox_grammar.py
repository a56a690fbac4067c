"""Mailbox names in commands, and the commands that are made of them: LIST, LSUB, STATUS (RFC 5258, RFC 5819)."""

from bmgate.domain.mailbox import DELIMITER
from bmgate.imap.cursor import BadSyntax, Cursor
from bmgate.imap.mutf7 import BadName, decode_mailbox, decode_utf8_mailbox
from bmgate.imap.status_items import StatusItem
from bmgate.imap.values import ListCommand, Lsub, Status
from bmgate.imap.vocabulary import CommandCursor

MAX_PATTERNS = 10
MAX_NAME = 2000  # octets of a name or pattern; the longest name a mailbox may have takes fewer


def read_mailbox(cursor: Cursor) -> str:
    """A space and a mailbox name; INBOX in any case is INBOX, also as a parent."""
    cursor.space()
    return _canonical(_decode(cursor.astring(), cursor.utf8))


def read_list(cursor: CommandCursor) -> ListCommand:
    """LIST, with its selection and return options."""
    cursor.space()
    selection: frozenset[str] = frozenset()
    if cursor.peek() == b"(":
        selection = _selection(cursor)
        cursor.space()
    reference = _canonical(_decode(cursor.astring(), cursor.utf8))
    cursor.space()
    patterns = _patterns(cursor)
    returns, items = _returns(cursor) if cursor.skip(b" ") else (set(), ())
    return ListCommand(reference, patterns, selection, frozenset(returns), items)


def _selection(cursor: Cursor) -> frozenset[str]:
    words = frozenset(_words(cursor))
    if words - {"SUBSCRIBED", "RECURSIVEMATCH", "REMOTE", "SPECIAL-USE"} or words - {"REMOTE"} == {"RECURSIVEMATCH"}:
        raise BadSyntax("Unknown selection option")
    return words


def _patterns(cursor: Cursor) -> tuple[str, ...]:
    if not cursor.skip(b"("):
        return (_pattern(cursor),)
    out = [_pattern(cursor)]
    while cursor.skip(b" "):
        if len(out) == MAX_PATTERNS:
            raise BadSyntax("Too many patterns")
        out.append(_pattern(cursor))
    cursor.expect(b")")
    return tuple(out)


def _returns(cursor: CommandCursor) -> tuple[set[str], tuple[StatusItem, ...]]:
    if cursor.word() != "RETURN":
        raise BadSyntax("Expected RETURN")
    cursor.space()
    cursor.expect(b"(")
    words: set[str] = set()
    items: tuple[StatusItem, ...] = ()
    while not cursor.skip(b")"):
        if words:
            cursor.space()
        word = cursor.word()
        if word not in {"SUBSCRIBED", "CHILDREN", "SPECIAL-USE", "STATUS"}:
            raise BadSyntax("Unknown return option")
        words.add(word)
        if word == "STATUS":
            items = _status_items(cursor)
    return words, items


def _words(cursor: Cursor) -> list[str]:
    cursor.expect(b"(")
    if cursor.skip(b")"):
        return []
    out = [cursor.word()]
    while cursor.skip(b" "):
        out.append(cursor.word())
    cursor.expect(b")")
    return out


def read_lsub(cursor: Cursor) -> Lsub:
    """LSUB."""
    cursor.space()
    reference = _canonical(_decode(cursor.astring(), cursor.utf8))
    cursor.space()
    return Lsub(reference, _pattern(cursor))


def read_status(cursor: CommandCursor) -> Status:
    """STATUS."""
    return Status(read_mailbox(cursor), _status_items(cursor))


def _status_items(cursor: CommandCursor) -> tuple[StatusItem, ...]:
    cursor.space()
    words, known = _words(cursor), cursor.vocabulary.status_items
    if not words or set(words) - known.keys():
        raise BadSyntax("Unknown status item")
    return tuple(known[word] for word in dict.fromkeys(words))


def _pattern(cursor: Cursor) -> str:
    """One that no name can be decodes to itself, and finds nothing."""
    octets = cursor.list_mailbox()
    try:
        return _decode(octets, cursor.utf8)
    except BadName:
        return octets.decode("utf-8", "replace")


def _decode(octets: bytes, utf8: bool) -> str:
    """A name or pattern; matching costs names times pattern, so an endless one is refused first (I4)."""
    if len(octets) > MAX_NAME:
        raise BadSyntax("Mailbox name too long")
    return decode_utf8_mailbox(octets) if utf8 else decode_mailbox(octets)


def _canonical(name: str) -> str:
    head, delimiter, rest = name.partition(DELIMITER)
    return "INBOX" + delimiter + rest if head.upper() == "INBOX" else name
