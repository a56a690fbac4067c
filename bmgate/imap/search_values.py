"""The keys of SEARCH as values, made by `search_keys` and judged by `search`."""

from dataclasses import dataclass
from enum import Enum

from bmgate.domain.mailbox import Flags
from bmgate.imap.sets import SequenceSet


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


@dataclass(frozen=True, slots=True)
class DayIs:
    """BEFORE, ON, SINCE and their SENT and SAVED forms; `day` counts from 1970-01-01."""

    relation: Relation
    day: int
    sent: bool = False
    saved: bool = False


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


@dataclass(frozen=True, slots=True)
class EmailIdIs:
    """EMAILID (RFC 8474)."""

    email_id: bytes


@dataclass(frozen=True, slots=True)
class ThreadIdIs:
    """THREADID (RFC 8474)."""

    thread_id: bytes


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
    | EmailIdIs
    | ThreadIdIs
    | Not
    | Either
    | Every
)
