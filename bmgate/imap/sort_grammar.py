"""SORT and THREAD (RFC 5256 section 5)."""

from bmgate.imap.cursor import BadSyntax, Cursor
from bmgate.imap.search_keys import read_charset, read_keys
from bmgate.imap.values import Criterion, Sort, SortKey, Thread

ALGORITHMS = frozenset({"REFERENCES", "ORDEREDSUBJECT"})
MAX_CRITERIA = 20
_KEYS = {key.value: key for key in SortKey}


def read_sort(cursor: Cursor, uid: bool) -> Sort:
    """Criteria, charset, search keys."""
    cursor.space()
    cursor.expect(b"(")
    criteria = [_criterion(cursor)]
    while cursor.skip(b" "):
        criteria.append(_criterion(cursor))
    cursor.expect(b")")
    if len(criteria) > MAX_CRITERIA:
        raise BadSyntax("Too many criteria")
    _charset(cursor)
    return Sort(tuple(criteria), read_keys(cursor), uid)


def _criterion(cursor: Cursor) -> Criterion:
    word, reverse = cursor.word(), False
    if word == "REVERSE":
        cursor.space()
        word, reverse = cursor.word(), True
    if word not in _KEYS:
        raise BadSyntax("Unknown sort key")
    return Criterion(_KEYS[word], reverse)


def read_thread(cursor: Cursor, uid: bool) -> Thread:
    """Algorithm, charset, search keys."""
    cursor.space()
    algorithm = cursor.word()
    if algorithm not in ALGORITHMS:
        raise BadSyntax("Unknown algorithm")
    _charset(cursor)
    return Thread(algorithm, read_keys(cursor), uid)


def _charset(cursor: Cursor) -> None:
    cursor.space()
    read_charset(cursor)
    cursor.space()
