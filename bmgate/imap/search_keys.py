"""The keys of SEARCH (RFC 3501 section 6.4.4), bounded in number and depth (I5)."""

import re
from collections.abc import Callable
from datetime import date

from bmgate.domain.mailbox import Flags
from bmgate.errors import ProtocolError
from bmgate.imap.cursor import BadSyntax, Cursor
from bmgate.imap.search_values import (
    Constant,
    DayIs,
    Either,
    Every,
    HasFlags,
    HasKeyword,
    HeaderHas,
    InSet,
    ModseqIs,
    Not,
    Relation,
    SearchKey,
    SizeIs,
    TextHas,
    Within,
)
from bmgate.imap.sets import read_set
from bmgate.imap.vocabulary import CommandCursor
from bmgate.mail.dates import MONTHS

MAX_DEPTH, MAX_KEYS = 30, 100
CHARSETS = ("US-ASCII", "UTF-8")
_SPELLINGS = frozenset((*CHARSETS, "UTF8"))  # imap-tools is used with "utf8", as its manual says

_DATE = re.compile(rb'("?)([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})\1')
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_FLAG_KEYS: dict[str, HasFlags] = {
    "ANSWERED": HasFlags(Flags.ANSWERED, wanted=True),
    "DELETED": HasFlags(Flags.DELETED, wanted=True),
    "DRAFT": HasFlags(Flags.DRAFT, wanted=True),
    "FLAGGED": HasFlags(Flags.FLAGGED, wanted=True),
    "SEEN": HasFlags(Flags.SEEN, wanted=True),
    "RECENT": HasFlags(Flags.RECENT, wanted=True),
    "OLD": HasFlags(Flags.RECENT, wanted=False),
    "UNANSWERED": HasFlags(Flags.ANSWERED, wanted=False),
    "UNDELETED": HasFlags(Flags.DELETED, wanted=False),
    "UNDRAFT": HasFlags(Flags.DRAFT, wanted=False),
    "UNFLAGGED": HasFlags(Flags.FLAGGED, wanted=False),
    "UNSEEN": HasFlags(Flags.SEEN, wanted=False),
}
_DATE_KEYS: dict[str, tuple[Relation, bool]] = {
    **{relation.name: (relation, False) for relation in Relation},
    **{f"SENT{relation.name}": (relation, True) for relation in Relation},
}


class BadCharset(ProtocolError):
    """A search in a charset we do not read."""


_RETURNS = frozenset({"MIN", "MAX", "ALL", "COUNT", "SAVE"})


def read_search_program(cursor: CommandCursor) -> tuple[frozenset[str] | None, SearchKey | None]:
    """What follows the word SEARCH: the words of RETURN, None without one, and the key.

    The key is None where it is in a charset we do not read. Raises BadSyntax.
    """
    returns = None
    cursor.space()
    if cursor.skip_word(b"RETURN"):
        returns = _returns(cursor)
        cursor.space()
    try:
        if cursor.skip_word(b"CHARSET"):
            cursor.space()
            read_charset(cursor)
            cursor.space()
        return returns, read_keys(cursor)
    except BadCharset:
        cursor.skip_all()
        return returns, None


def _returns(cursor: Cursor) -> frozenset[str]:
    cursor.expect(b" (")
    words = set[str]()
    while not cursor.skip(b")"):
        if words:
            cursor.space()
        words.add(cursor.word())
    if words - _RETURNS:
        raise BadSyntax("Unknown return option")
    return frozenset(words or {"ALL"})


def read_charset(cursor: Cursor) -> None:
    """Raises BadCharset for one we do not read."""
    if cursor.astring().decode("latin-1").upper() not in _SPELLINGS:
        raise BadCharset("Unknown charset")


def read_keys(cursor: CommandCursor) -> SearchKey:
    """Keys to the end of the command."""
    return _SearchReader(cursor).keys(0)


def read_day(cursor: Cursor) -> int:
    """A space and a date, in days since 1970-01-01."""
    cursor.space()
    found = cursor.match(_DATE, "a date")
    month = found[3].decode("ascii").capitalize()
    try:
        return date(int(found[4]), MONTHS.index(month) + 1, int(found[2])).toordinal() - _EPOCH_DAY
    except ValueError as error:
        raise BadSyntax("Not a date") from error


class _SearchReader:
    def __init__(self, cursor: CommandCursor) -> None:
        self._cursor, self._count = cursor, 0

    def keys(self, depth: int) -> SearchKey:
        """Keys side by side, `depth` parentheses deep."""
        keys = [self._key(depth)]
        while self._cursor.skip(b" "):
            keys.append(self._key(depth))
        return keys[0] if len(keys) == 1 else Every(tuple(keys))

    def _key(self, depth: int) -> SearchKey:
        self._count += 1
        if depth > MAX_DEPTH or self._count > MAX_KEYS:
            raise BadSyntax("Search too deep or too long")
        cursor = self._cursor
        if cursor.skip(b"("):
            inner = self.keys(depth + 1)
            cursor.expect(b")")
            return inner
        if cursor.peek().isdigit() or cursor.peek() in (b"*", b"$"):
            return InSet(read_set(cursor), uid=False)
        word = cursor.word()
        if word in _FLAG_KEYS:
            return _FLAG_KEYS[word]
        if word == "NEW":
            return Every((_FLAG_KEYS["RECENT"], _FLAG_KEYS["UNSEEN"]))
        if word == "ALL":
            return Constant(value=True)
        if word in _DATE_KEYS:
            relation, sent = _DATE_KEYS[word]
            return DayIs(relation, read_day(cursor), sent)
        if word in cursor.vocabulary.search_keys:
            return cursor.vocabulary.search_keys[word](cursor)
        if word not in _ARGUMENT_KEYS:
            raise BadSyntax("Unknown search key")
        cursor.space()
        return _ARGUMENT_KEYS[word](self, depth)

    def text(self) -> str:
        """An argument, case-folded."""
        try:
            return self._cursor.astring().decode("utf-8").casefold()
        except UnicodeDecodeError as error:
            raise BadCharset("Not UTF-8") from error

    def negated(self, depth: int) -> SearchKey:
        """NOT."""
        return Not(self._key(depth + 1))

    def either(self, depth: int) -> SearchKey:
        """OR."""
        left = self._key(depth + 1)
        self._cursor.space()
        return Either(left, self._key(depth + 1))

    def header(self) -> SearchKey:
        """HEADER."""
        name = self.text()
        self._cursor.space()
        return HeaderHas(name, self.text())

    def keyword(self, wanted: bool) -> SearchKey:
        """KEYWORD, UNKEYWORD."""
        return HasKeyword(self._cursor.word().lower(), wanted)

    def size(self, larger: bool) -> SearchKey:
        """LARGER, SMALLER."""
        return SizeIs(larger, self._cursor.number(0x7FFFFFFFFFFFFFFF))

    def within(self, younger: bool) -> SearchKey:
        """OLDER, YOUNGER."""
        seconds = self._cursor.number()
        if not seconds:
            raise BadSyntax("Expected a number above 0")
        return Within(younger, seconds)

    def modseq(self) -> SearchKey:
        """MODSEQ; the flag that may be named is not told apart (RFC 7162 3.1.5)."""
        if self._cursor.peek() == b'"':
            self._cursor.string()
            self._cursor.space()
            if self._cursor.word() not in {"PRIV", "SHARED", "ALL"}:
                raise BadSyntax("Expected priv, shared or all")
            self._cursor.space()
        return ModseqIs(self._cursor.modseq())

    def uids(self) -> SearchKey:
        """UID."""
        return InSet(read_set(self._cursor), uid=True)


_ARGUMENT_KEYS: dict[str, Callable[[_SearchReader, int], SearchKey]] = {
    "NOT": _SearchReader.negated,
    "OR": _SearchReader.either,
    "HEADER": lambda reader, _: reader.header(),
    "FROM": lambda reader, _: HeaderHas("from", reader.text()),
    "TO": lambda reader, _: HeaderHas("to", reader.text()),
    "CC": lambda reader, _: HeaderHas("cc", reader.text()),
    "BCC": lambda reader, _: HeaderHas("bcc", reader.text()),
    "SUBJECT": lambda reader, _: HeaderHas("subject", reader.text()),
    "BODY": lambda reader, _: TextHas(reader.text(), header=False),
    "TEXT": lambda reader, _: TextHas(reader.text(), header=True),
    "KEYWORD": lambda reader, _: reader.keyword(wanted=True),
    "UNKEYWORD": lambda reader, _: reader.keyword(wanted=False),
    "LARGER": lambda reader, _: reader.size(larger=True),
    "SMALLER": lambda reader, _: reader.size(larger=False),
    "UID": lambda reader, _: reader.uids(),
    "OLDER": lambda reader, _: reader.within(younger=False),
    "YOUNGER": lambda reader, _: reader.within(younger=True),
    "MODSEQ": lambda reader, _: reader.modseq(),
}
