"""The keys of SEARCH (RFC 3501 section 6.4.4), bounded in number and depth (I5)."""

import re
from collections.abc import Callable
from datetime import date

from bmgate.domain.mailbox import Flags
from bmgate.errors import ProtocolError
from bmgate.imap.cursor import BadSyntax, Cursor
from bmgate.imap.sets import read_set
from bmgate.imap.values import (
    Constant,
    DayIs,
    Either,
    Every,
    HasFlags,
    HasKeyword,
    HeaderHas,
    InSet,
    Not,
    Relation,
    SearchKey,
    SizeIs,
    TextHas,
)
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
    "UNANSWERED": HasFlags(Flags.ANSWERED, wanted=False),
    "UNDELETED": HasFlags(Flags.DELETED, wanted=False),
    "UNDRAFT": HasFlags(Flags.DRAFT, wanted=False),
    "UNFLAGGED": HasFlags(Flags.FLAGGED, wanted=False),
    "UNSEEN": HasFlags(Flags.SEEN, wanted=False),
}
_CONSTANT_KEYS: dict[str, Constant] = {
    "ALL": Constant(value=True),
    "OLD": Constant(value=True),
    "NEW": Constant(value=False),
    "RECENT": Constant(value=False),
}
_DATE_KEYS: dict[str, tuple[Relation, bool]] = {
    "BEFORE": (Relation.BEFORE, False),
    "ON": (Relation.ON, False),
    "SINCE": (Relation.SINCE, False),
    "SENTBEFORE": (Relation.BEFORE, True),
    "SENTON": (Relation.ON, True),
    "SENTSINCE": (Relation.SINCE, True),
}


class BadCharset(ProtocolError):
    """A search in a charset we do not read."""


def read_search(cursor: Cursor) -> SearchKey:
    """What follows the word SEARCH; raises BadSyntax, BadCharset."""
    return _SearchReader(cursor).read()


class _SearchReader:
    def __init__(self, cursor: Cursor) -> None:
        self._cursor, self._count = cursor, 0

    def read(self) -> SearchKey:
        cursor = self._cursor
        cursor.space()
        if cursor.skip_word(b"CHARSET"):
            cursor.space()
            if cursor.astring().decode("latin-1").upper() not in _SPELLINGS:
                raise BadCharset("Unknown charset")
            cursor.space()
        return self._keys(0)

    def _keys(self, depth: int) -> SearchKey:
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
            inner = self._keys(depth + 1)
            cursor.expect(b")")
            return inner
        if cursor.peek().isdigit() or cursor.peek() == b"*":
            return InSet(read_set(cursor), uid=False)
        word = cursor.word()
        if word in _FLAG_KEYS:
            return _FLAG_KEYS[word]
        if word in _CONSTANT_KEYS:
            return _CONSTANT_KEYS[word]
        if word in _DATE_KEYS:
            return self._date(*_DATE_KEYS[word])
        if word not in _ARGUMENT_KEYS:
            raise BadSyntax("Unknown search key")
        cursor.space()
        return _ARGUMENT_KEYS[word](self, depth)

    def _date(self, relation: Relation, sent: bool) -> SearchKey:
        self._cursor.space()
        found = self._cursor.match(_DATE, "a date")
        month = found[3].decode("ascii").capitalize()
        try:
            day = date(int(found[4]), MONTHS.index(month) + 1, int(found[2])).toordinal()
        except ValueError as error:
            raise BadSyntax("Not a date") from error
        return DayIs(relation, day - _EPOCH_DAY, sent)

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
}
