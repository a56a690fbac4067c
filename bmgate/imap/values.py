"""IMAP commands as values, made by `grammar` and carried out by the command modules."""

from dataclasses import dataclass
from enum import Enum

from bmgate.domain.mailbox import FlagChange, Flags
from bmgate.mail.structure import Section

SequenceSet = tuple[tuple[int | None, int | None], ...]
"""Ranges with both ends included; None is `*`."""


@dataclass(frozen=True, slots=True)
class Capability:
    """CAPABILITY."""


@dataclass(frozen=True, slots=True)
class Noop:
    """NOOP."""


@dataclass(frozen=True, slots=True)
class Logout:
    """LOGOUT."""


@dataclass(frozen=True, slots=True)
class Starttls:
    """STARTTLS."""


@dataclass(frozen=True, slots=True)
class Check:
    """CHECK."""


@dataclass(frozen=True, slots=True)
class Close:
    """CLOSE."""


@dataclass(frozen=True, slots=True)
class Unselect:
    """UNSELECT."""


@dataclass(frozen=True, slots=True)
class Idle:
    """IDLE."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """NAMESPACE."""


@dataclass(frozen=True, slots=True)
class Id:
    """ID; what the client says of itself is not kept (V23)."""


@dataclass(frozen=True, slots=True, repr=False)
class Login:
    """LOGIN."""

    user: bytes
    password: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Authenticate:
    """AUTHENTICATE; `initial` is the initial response in base64, `=` for an empty one."""

    mechanism: str
    initial: bytes | None


@dataclass(frozen=True, slots=True)
class Enable:
    """ENABLE."""

    capabilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Select:
    """SELECT, or EXAMINE."""

    mailbox: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class Create:
    """CREATE."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class Delete:
    """DELETE."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class Rename:
    """RENAME."""

    mailbox: str
    new_name: str


@dataclass(frozen=True, slots=True)
class Subscribe:
    """SUBSCRIBE, or UNSUBSCRIBE."""

    mailbox: str
    subscribed: bool


@dataclass(frozen=True, slots=True)
class ListCommand:
    """LIST with its selection and return options, upper case (RFC 5258)."""

    reference: str
    patterns: tuple[str, ...]
    selection: frozenset[str] = frozenset()
    returns: frozenset[str] = frozenset()
    status_items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lsub:
    """LSUB."""

    reference: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Status:
    """STATUS; the items in upper case."""

    mailbox: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FlagList:
    """System flags and keywords as a client writes them."""

    flags: Flags = Flags.NONE
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Append:
    """APPEND; `internaldate` in Unix seconds."""

    mailbox: str
    flags: FlagList
    internaldate: int | None
    message: bytes


@dataclass(frozen=True, slots=True)
class Expunge:
    """EXPUNGE, or UID EXPUNGE of a set."""

    uids: SequenceSet | None


class Attribute(Enum):
    """Data items of FETCH that have no section."""

    UID = b"UID"
    FLAGS = b"FLAGS"
    INTERNALDATE = b"INTERNALDATE"
    SIZE = b"RFC822.SIZE"
    ENVELOPE = b"ENVELOPE"
    BODY = b"BODY"
    BODYSTRUCTURE = b"BODYSTRUCTURE"


@dataclass(frozen=True, slots=True)
class BodySection:
    """A `BODY[...]<...>` or an RFC822 item; `label` is its name in the answer, `partial` offset and count."""

    label: bytes
    section: Section
    peek: bool
    partial: tuple[int, int] | None = None


FetchItem = Attribute | BodySection


@dataclass(frozen=True, slots=True)
class Fetch:
    """FETCH, or UID FETCH."""

    messages: SequenceSet
    items: tuple[FetchItem, ...]
    uid: bool


@dataclass(frozen=True, slots=True)
class Store:
    """STORE, or UID STORE."""

    messages: SequenceSet
    change: FlagChange
    silent: bool
    flags: FlagList
    uid: bool


@dataclass(frozen=True, slots=True)
class Copy:
    """COPY or MOVE, and their UID forms."""

    messages: SequenceSet
    mailbox: str
    uid: bool
    move: bool


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
    """A key that is the same for every message: ALL, OLD, and RECENT, which no message is."""

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
    """BEFORE, ON, SINCE and their SENT forms; `day` counts from 1970-01-01."""

    relation: Relation
    day: int
    sent: bool


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


SearchKey = HasFlags | HasKeyword | Constant | InSet | DayIs | SizeIs | HeaderHas | TextHas | Not | Either | Every


@dataclass(frozen=True, slots=True)
class Search:
    """SEARCH, or UID SEARCH."""

    key: SearchKey
    uid: bool


Command = (
    Capability
    | Noop
    | Logout
    | Starttls
    | Check
    | Close
    | Unselect
    | Idle
    | Namespace
    | Id
    | Login
    | Authenticate
    | Enable
    | Select
    | Create
    | Delete
    | Rename
    | Subscribe
    | ListCommand
    | Lsub
    | Status
    | Append
    | Expunge
    | Fetch
    | Store
    | Copy
    | Search
)


@dataclass(frozen=True, slots=True)
class Tagged:
    """A command with the tag its answer carries."""

    tag: bytes
    command: Command
