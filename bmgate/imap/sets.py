"""Sets of message numbers: read strictly, and cut with what exists before anything else (I3)."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from bmgate.imap.cursor import BadSyntax, Cursor

SequenceSet = tuple[tuple[int | None, int | None], ...]
"""Ranges with both ends included; None is `*`."""

SAVED: SequenceSet = ((0, 0),)
"""`$`: what the last SEARCH with SAVE found (RFC 5182); no set of numbers looks like it."""

_SET = re.compile(rb"[0-9*][0-9*:,]*")
_RANGE = re.compile(rb"([1-9][0-9]{0,9}|\*)(?::([1-9][0-9]{0,9}|\*))?")
_MAX = 0xFFFFFFFF


def read_set(cursor: Cursor) -> SequenceSet:
    """A sequence set, or `$`."""
    if cursor.skip(b"$"):
        return SAVED
    text = cursor.match(_SET, "a sequence set")[0]
    return tuple(map(_read_range, text.split(b",")))


def _read_range(text: bytes) -> tuple[int | None, int | None]:
    found = _RANGE.fullmatch(text)
    if found is None:
        raise BadSyntax("Not a sequence set")
    first = _read_end(found[1])
    return first, (first if found[2] is None else _read_end(found[2]))


def _read_end(text: bytes) -> int | None:
    if text == b"*":
        return None
    number = int(text)
    if number > _MAX:
        raise BadSyntax("Number too large")
    return number


def indices_of_uids(messages: SequenceSet, uids: Sequence[int]) -> list[int]:
    """Places in the ascending `uids` of those that are meant, ascending, each once."""
    last = uids[-1] if uids else 0
    spans = []
    for first, second in messages:
        low, high = _ordered(first, second, last)
        spans.append((bisect_left(uids, low), bisect_right(uids, high)))
    return _join(spans)


def indices_of_numbers(messages: SequenceSet, count: int) -> list[int]:
    """Places (from 0) of the messages meant by sequence numbers; numbers behind the last are left out."""
    spans = []
    for first, second in messages:
        low, high = _ordered(first, second, count)
        spans.append((max(low, 1) - 1, min(high, count)))
    return _join(spans)


def _ordered(first: int | None, second: int | None, last: int) -> tuple[int, int]:
    low, high = (last if first is None else first), (last if second is None else second)
    return (low, high) if low <= high else (high, low)


def _join(spans: list[tuple[int, int]]) -> list[int]:
    """All indices of half-open spans."""
    out: list[int] = []
    reached = 0
    for start, end in sorted(spans):
        if end > reached:
            out.extend(range(max(start, reached), end))
            reached = end
    return out


def write_set(numbers: Iterable[int]) -> bytes:
    """`numbers` in their order as a uid-set, neighbours joined."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][1] + 1 == number:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return b",".join(b"%d" % low if low == high else b"%d:%d" % (low, high) for low, high in spans)
