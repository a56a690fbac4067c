"""The keys of SEARCH as values, made by `search_keys` and judged by `search`; those of extensions judge themselves."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, NamedTuple

from bmgate.domain.mailbox import Flags, MessageRow
from bmgate.imap.data_items import Depth, Shown
from bmgate.imap.sets import SequenceSet
from bmgate.mail.structure import MessageIndex, decode_index


class Subject(NamedTuple):
    """One message under judgement."""

    place: int
    row: MessageRow
    head: Shown | None = None

    @property
    def stored_index(self) -> MessageIndex | None:
        """What `mail.structure` made of it."""
        return None if self.head is None else decode_index(self.head.encoded_index)

    def with_content(self, head: Shown) -> "Subject":
        """The same message with more of it read."""
        return Subject(self.place, self.row, head)


class AddedKey(ABC):
    """A key that an extension adds: a frozen dataclass that tells how much of a message it must see."""

    __slots__ = ()
    depth: ClassVar[Depth] = Depth.ROW

    @abstractmethod
    def verdict(self, subject: Subject) -> bool | None:
        """Whether the message is found; None when less of it was read than `depth`."""


@dataclass(frozen=True, slots=True)
class HasFlags:
    """SEEN, UNSEEN and the like: whether any of the flags is set."""

    flags: Flags
    wanted: bool


@dataclass(frozen=True, slots=True)
class HasKeyword:
    """KEYWORD, UNKEYWORD; the keyword in lower case."""

    keyword: str
    wanted: bool


@dataclass(frozen=True, slots=True)
class Constant:
    """A key that is the same for every message: ALL, and those nothing here can fulfil."""

    value: bool


@dataclass(frozen=True, slots=True)
class InSet:
    """A set of sequence numbers or UIDs."""

    messages: SequenceSet
    uid: bool


class Relation(Enum):
    """How a date or size compares."""

    BEFORE = -1
    ON = 0
    SINCE = 1

    def holds(self, day: int, than: int) -> bool:
        """Whether `day` compares so."""
        if self is Relation.ON:
            return day == than
        return day < than if self is Relation.BEFORE else day >= than


@dataclass(frozen=True, slots=True)
class DayIs:
    """BEFORE, ON, SINCE and their SENT forms; `day` counts from 1970-01-01."""

    relation: Relation
    day: int
    sent: bool = False


@dataclass(frozen=True, slots=True)
class SizeIs:
    """LARGER, SMALLER."""

    larger: bool
    octets: int


@dataclass(frozen=True, slots=True)
class HeaderHas:
    """HEADER, FROM and the like; name in lower case, text case-folded, empty when the field must only exist."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class TextHas:
    """BODY, or TEXT, which looks at the header too; case-folded."""

    text: str
    header: bool


@dataclass(frozen=True, slots=True)
class Not:
    """NOT."""

    key: "SearchKey"


@dataclass(frozen=True, slots=True)
class Either:
    """OR."""

    left: "SearchKey"
    right: "SearchKey"


@dataclass(frozen=True, slots=True)
class Every:
    """Keys side by side."""

    keys: tuple["SearchKey", ...]


@dataclass(frozen=True, slots=True)
class Within:
    """OLDER, or YOUNGER, than so many seconds (RFC 5032)."""

    younger: bool
    seconds: int


@dataclass(frozen=True, slots=True)
class ModseqIs:
    """MODSEQ: at least this (RFC 7162)."""

    modseq: int


SearchKey = (
    HasFlags
    | HasKeyword
    | Constant
    | InSet
    | DayIs
    | SizeIs
    | HeaderHas
    | TextHas
    | Within
    | ModseqIs
    | AddedKey
    | Not
    | Either
    | Every
)
