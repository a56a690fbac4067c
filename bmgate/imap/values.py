"""IMAP commands as values, made by `grammar` and carried out by the command modules."""

from dataclasses import dataclass
from enum import Enum

from bmgate.domain.mailbox import FlagChange, Flags
from bmgate.imap.search_values import SearchKey
from bmgate.imap.sets import SequenceSet
from bmgate.mail.structure import Section


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
class Resync:
    """What a client remembers of a mailbox: the QRESYNC parameter of SELECT (RFC 7162 3.2.5)."""

    uidvalidity: int
    modseq: int
    known_uids: SequenceSet | None


@dataclass(frozen=True, slots=True)
class Select:
    """SELECT, or EXAMINE, with its parameters."""

    mailbox: str
    read_only: bool
    condstore: bool = False
    resync: Resync | None = None


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
    is_xlist: bool = False


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
class AppendedMail:
    """One mail of APPEND; `internaldate` in Unix seconds."""

    flags: FlagList
    internaldate: int | None
    message: bytes


@dataclass(frozen=True, slots=True)
class Append:
    """APPEND of one mail or several, all or none (RFC 3502)."""

    mailbox: str
    mails: tuple[AppendedMail, ...]


@dataclass(frozen=True, slots=True)
class GetQuota:
    """GETQUOTA, GETQUOTAROOT with its mailbox, and SETQUOTA, which is refused (RFC 9208)."""

    root: str = ""
    mailbox: str | None = None
    is_change: bool = False


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
    MODSEQ = b"MODSEQ"
    EMAILID = b"EMAILID"
    THREADID = b"THREADID"
    PREVIEW = b"PREVIEW"
    SAVEDATE = b"SAVEDATE"


@dataclass(frozen=True, slots=True)
class BodySection:
    """A `BODY[...]<...>` or an RFC822 item; `label` is its name in the answer, `partial` offset and count."""

    label: bytes
    section: Section
    peek: bool
    partial: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class BinarySection:
    """`BINARY[...]<...>` or `BINARY.SIZE[...]`: a part without its transfer encoding (RFC 3516)."""

    label: bytes
    path: tuple[int, ...]
    peek: bool
    partial: tuple[int, int] | None = None
    is_size: bool = False


FetchItem = Attribute | BodySection | BinarySection


@dataclass(frozen=True, slots=True)
class Fetch:
    """FETCH, or UID FETCH; the modifiers are those of RFC 7162."""

    messages: SequenceSet
    items: tuple[FetchItem, ...]
    uid: bool
    changed_since: int | None = None
    vanished: bool = False


@dataclass(frozen=True, slots=True)
class Store:
    """STORE, or UID STORE."""

    messages: SequenceSet
    change: FlagChange
    silent: bool
    flags: FlagList
    uid: bool
    unchanged_since: int | None = None


@dataclass(frozen=True, slots=True)
class Copy:
    """COPY or MOVE, and their UID forms."""

    messages: SequenceSet
    mailbox: str
    uid: bool
    move: bool


@dataclass(frozen=True, slots=True)
class Search:
    """SEARCH, or UID SEARCH; `returns` are the words behind RETURN, None where there is no RETURN (RFC 4731)."""

    key: SearchKey
    uid: bool
    returns: frozenset[str] | None = None


class SortKey(Enum):
    """What SORT can sort by (RFC 5256)."""

    ARRIVAL = "ARRIVAL"
    CC = "CC"
    DATE = "DATE"
    FROM = "FROM"
    SIZE = "SIZE"
    SUBJECT = "SUBJECT"
    TO = "TO"


@dataclass(frozen=True, slots=True)
class Criterion:
    """A key of SORT, perhaps from the greatest to the least."""

    key: SortKey
    reverse: bool


@dataclass(frozen=True, slots=True)
class Sort:
    """SORT, or UID SORT."""

    criteria: tuple[Criterion, ...]
    key: SearchKey
    uid: bool


@dataclass(frozen=True, slots=True)
class Thread:
    """THREAD, or UID THREAD."""

    algorithm: str
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
    | GetQuota
    | Expunge
    | Fetch
    | Store
    | Copy
    | Search
    | Sort
    | Thread
)


@dataclass(frozen=True, slots=True)
class Tagged:
    """A command with the tag its answer carries."""

    tag: bytes
    command: Command
