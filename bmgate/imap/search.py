"""SEARCH: which messages a key is true for, reading no more of a message than the answer takes.

A key is judged with what is at hand: True, False, or None when that cannot be told without the header or the body.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bmgate.domain.mailbox import MessageHead, MessageRow, StoredMessage
from bmgate.imap.fetch import Depth, email_id_of
from bmgate.imap.parts import part_texts
from bmgate.imap.search_values import (
    Constant,
    DayIs,
    Either,
    EmailIdIs,
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
from bmgate.imap.view import MailboxView
from bmgate.mail.fields import field_value
from bmgate.mail.headers import decode_header
from bmgate.mail.structure import MessageIndex, decode_index
from bmgate.mail.transfer import decode_base64, decode_quoted_printable

DAY = 86400
MAX_DECODED = 16 * 1024 * 1024  # octets of one part that are searched
_INDEXED: dict[str, Callable[[MessageIndex], str]] = {
    "subject": lambda index: index.subject,
    "from": lambda index: index.from_,
    "to": lambda index: index.to,
    "cc": lambda index: index.cc,
    "bcc": lambda index: index.bcc,
}
_TRANSFER_ENCODINGS: dict[bytes, Callable[[bytes], bytes]] = {
    b"quoted-printable": decode_quoted_printable,
    b"base64": decode_base64,
}


@dataclass(frozen=True, slots=True)
class Subject:
    """One message under judgement."""

    place: int
    row: MessageRow
    head: MessageHead | StoredMessage | None = None
    index: MessageIndex | None = None

    def with_content(self, head: MessageHead | StoredMessage) -> "Subject":
        """The same message with more of it read."""
        return Subject(self.place, self.row, head, decode_index(head.index))


class Judge:
    """One SEARCH over one view; sets are cut with what exists before anything else (I3)."""

    def __init__(self, key: SearchKey, view: MailboxView, now: int) -> None:
        self._key, self._now = key, now
        self._sets: dict[InSet, frozenset[int]] = {}
        for found in _sets_of(key):
            indices = view.places(found.messages, found.uid)
            self._sets[found] = frozenset(indices)

    def verdict(self, subject: Subject) -> bool | None:
        """Whether the message is found; None when more of it must be read."""
        return self._judge(self._key, subject)

    def _judge(self, key: SearchKey, subject: Subject) -> bool | None:
        match key:
            case HasFlags(flags, wanted):
                return bool(int(subject.row.flags) & flags.value) == wanted
            case HasKeyword(keyword, wanted):
                return (keyword in map(str.lower, subject.row.keywords)) == wanted
            case Constant(value):
                return value
            case InSet():
                return subject.place in self._sets[key]
            case DayIs():
                return _day(key, subject)
            case Within(younger, seconds):
                age = self._now - subject.row.internaldate
                return age <= seconds if younger else age >= seconds
            case ModseqIs(modseq):
                return subject.row.modseq >= modseq
            case EmailIdIs(email_id):
                return None if subject.head is None else email_id_of(subject.head) == email_id
            case Not(inner):
                verdict = self._judge(inner, subject)
                return None if verdict is None else not verdict
            case Either(left, right):
                return _any(self._judge(part, subject) for part in (left, right))
            case Every(keys):
                return _all(self._judge(part, subject) for part in keys)
            case SizeIs(larger, octets):
                if subject.index is None:
                    return None
                return subject.index.size > octets if larger else subject.index.size < octets
            case HeaderHas():
                return _header(key, subject)
            case TextHas():
                return _text(key, subject)


def asks_modseq(key: SearchKey) -> bool:
    """Whether `key` looks at MODSEQ, so that the answer must tell one (RFC 7162 3.1.5)."""
    match key:
        case Not(inner):
            return asks_modseq(inner)
        case Either(left, right):
            return asks_modseq(left) or asks_modseq(right)
        case Every(keys):
            return any(map(asks_modseq, keys))
    return isinstance(key, ModseqIs)


def _sets_of(key: SearchKey) -> Iterable[InSet]:
    match key:
        case InSet():
            yield key
        case Not(inner):
            yield from _sets_of(inner)
        case Either(left, right):
            yield from _sets_of(left)
            yield from _sets_of(right)
        case Every(keys):
            for inner in keys:
                yield from _sets_of(inner)


def _any(verdicts: Iterable[bool | None]) -> bool | None:
    unknown = False
    for verdict in verdicts:
        if verdict:
            return True
        unknown = unknown or verdict is None
    return None if unknown else False


def _all(verdicts: Iterable[bool | None]) -> bool | None:
    unknown = False
    for verdict in verdicts:
        if verdict is False:
            return False
        unknown = unknown or verdict is None
    return None if unknown else True


def _day(key: DayIs, subject: Subject) -> bool | None:
    if key.saved:
        return subject.row.saved_at is not None and _compare(subject.row.saved_at // DAY, key)
    if not key.sent:
        return _compare(subject.row.internaldate // DAY, key)
    if subject.index is None:
        return None
    sent = subject.index.sent_day
    return sent is not None and _compare(sent, key)


def _compare(day: int, key: DayIs) -> bool:
    if key.relation is Relation.ON:
        return day == key.day
    return day < key.day if key.relation is Relation.BEFORE else day >= key.day


def _header(key: HeaderHas, subject: Subject) -> bool | None:
    index, head = subject.index, subject.head
    if index is None or head is None:
        return None
    if key.name in _INDEXED and key.text and key.text in _INDEXED[key.name](index).casefold():
        return True
    raw = [field_value(head.header, field) for field in index.fields if field[0] == key.name]
    if not key.text:
        return bool(raw)
    return any(key.text in decode_header(value).casefold() for value in raw)


def _text(key: TextHas, subject: Subject) -> bool | None:
    if subject.index is None or not isinstance(subject.head, StoredMessage):
        return None
    if not key.text:
        return True
    if key.header and key.text in decode_header(subject.head.header).casefold():
        return True
    raw = subject.head.header + subject.head.body
    return any(key.text in text for text in part_texts(raw, subject.index))


def depth_needed(key: SearchKey) -> Depth:
    """How much of a message `key` may have to see."""
    match key:
        case TextHas():
            return Depth.BODY
        case HeaderHas() | SizeIs() | EmailIdIs():
            return Depth.HEADER
        case DayIs(sent=sent):
            return Depth.HEADER if sent else Depth.ROW
        case Not(inner):
            return depth_needed(inner)
        case Either(left, right):
            return max(depth_needed(left), depth_needed(right))
        case Every(keys):
            return max(map(depth_needed, keys))
    return Depth.ROW
