"""SEARCH: which messages a key is true for, reading no more of a message than the answer takes.

A key is judged with what is at hand: True, False, or None when that cannot be told without the header or the body.
"""

from collections.abc import Callable, Iterable

from bmgate.domain.mailbox import MessageHead
from bmgate.imap.data_items import Depth
from bmgate.imap.fetch import told_date
from bmgate.imap.octets import body_lacks, header_lacks
from bmgate.imap.parts import part_texts
from bmgate.imap.pieces import LargeMessage
from bmgate.imap.search_values import (
    AddedKey,
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
    SearchKey,
    SizeIs,
    Subject,
    TextHas,
    Within,
)
from bmgate.imap.view import MailboxView
from bmgate.mail.charsets import decode_unlabelled
from bmgate.mail.envelope import MAX_ADDRESSES, envelope_addresses
from bmgate.mail.fields import field_value
from bmgate.mail.headers import decode_header
from bmgate.mail.structure import MessageIndex, decode_index
from bmgate.units import DAY

_INDEXED: dict[str, Callable[[MessageIndex], str]] = {
    "subject": lambda index: index.texts.subject,
    "from": lambda index: index.texts.from_,
    "to": lambda index: index.texts.to,
    "cc": lambda index: index.texts.cc,
    "bcc": lambda index: index.texts.bcc,
}
_ADDRESS_FIELDS = _INDEXED.keys() - {"subject"}


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
                age = self._now - told_date(subject.row.internaldate)
                return age <= seconds if younger else age >= seconds
            case ModseqIs(modseq):
                return subject.row.modseq >= modseq
            case Not(inner):
                verdict = self._judge(inner, subject)
                return None if verdict is None else not verdict
            case Either(left, right):
                return _any(self._judge(part, subject) for part in (left, right))
            case Every(keys):
                return _all(self._judge(part, subject) for part in keys)
            case SizeIs(larger, octets):
                index = subject.stored_index
                return None if index is None else index.size > octets if larger else index.size < octets
            case HeaderHas():
                return _header(key, subject)
            case TextHas():
                return _text(key, subject)
            case AddedKey():  # the last: whether something is one takes as long as all others together
                return key.verdict(subject)


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
    if not key.sent:
        return key.relation.holds(told_date(subject.row.internaldate) // DAY, key.day)
    index = subject.stored_index
    if index is None:
        return None
    sent = index.sent_day
    return sent is not None and key.relation.holds(sent, key.day)


def _header(key: HeaderHas, subject: Subject) -> bool | None:
    head = subject.head
    if head is None:
        return None
    has_comments = key.name in _ADDRESS_FIELDS and b"(" in head.header
    if not has_comments and header_lacks(key.text, head.header):
        return False
    index = decode_index(head.encoded_index)
    if key.name in _INDEXED and key.text and key.text in _INDEXED[key.name](index).casefold():
        return True
    raw = [field_value(head.header, field) for field in index.fields if field[0] == key.name]
    if not key.text:
        return bool(raw)
    if any(key.text in decode_header(value).casefold() for value in raw):
        return True
    return has_comments and any(b"(" in value and key.text in _addresses(value) for value in raw)


def _addresses(value: bytes) -> str:
    """The addresses of a field without what comments hide, one a line."""
    found = envelope_addresses(value, MAX_ADDRESSES)
    return "\n".join(decode_unlabelled(b"%b@%b" % (it.mailbox or b"", it.host or b"")) for it in found).casefold()


def _text(key: TextHas, subject: Subject) -> bool | None:
    mail = subject.head
    if mail is None or isinstance(mail, MessageHead):
        return None
    if not key.text:
        return True
    if key.header and not header_lacks(key.text, mail.header) and key.text in decode_header(mail.header).casefold():
        return True
    index = decode_index(mail.encoded_index)
    if isinstance(mail, LargeMessage):
        return any(key.text in text for text in part_texts(mail.octets, index))
    if body_lacks(key.text, mail.body, index.bodystructure):
        return False
    return any(key.text in text for text in part_texts(mail.header + mail.body, index))


def depths_of(key: SearchKey) -> frozenset[Depth]:
    """How much of a message the parts of `key` have to see."""
    match key:
        case Not(inner):
            return depths_of(inner)
        case Either(left, right):
            return depths_of(left) | depths_of(right)
        case Every(keys):
            return frozenset[Depth]().union(*map(depths_of, keys))
    return frozenset({_depth(key)})


def _depth(key: SearchKey) -> Depth:
    match key:
        case TextHas():
            return Depth.BODY
        case HeaderHas() | SizeIs() | DayIs(sent=True):
            return Depth.HEADER
        case AddedKey():
            return key.depth
    return Depth.ROW
