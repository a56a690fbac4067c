"""The commands of the base protocol as values, made by `grammar` and carried out by the command modules.

Those of an extension are in its own file.
"""

from dataclasses import dataclass

from bmgate.domain.mailbox import FlagChange, Flags
from bmgate.imap.data_items import FetchItem
from bmgate.imap.search_values import SearchKey
from bmgate.imap.sets import SequenceSet
from bmgate.imap.status_items import StatusItem
from bmgate.mail.octets import Octets


class Command:
    """What a client asks for, without its tag."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Capability(Command):
    """CAPABILITY."""


@dataclass(frozen=True, slots=True)
class Noop(Command):
    """NOOP."""


@dataclass(frozen=True, slots=True)
class Logout(Command):
    """LOGOUT."""


@dataclass(frozen=True, slots=True)
class Starttls(Command):
    """STARTTLS."""


@dataclass(frozen=True, slots=True)
class Check(Command):
    """CHECK."""


@dataclass(frozen=True, slots=True)
class Close(Command):
    """CLOSE."""


@dataclass(frozen=True, slots=True, repr=False)
class Login(Command):
    """LOGIN."""

    user: bytes
    password: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Authenticate(Command):
    """AUTHENTICATE; `initial` is the initial response in base64, `=` for an empty one."""

    mechanism: str
    initial: bytes | None


@dataclass(frozen=True, slots=True)
class Enable(Command):
    """ENABLE."""

    capabilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Resync:
    """What a client remembers of a mailbox: the QRESYNC parameter of SELECT (RFC 7162 3.2.5)."""

    uidvalidity: int
    modseq: int
    known_uids: SequenceSet | None


@dataclass(frozen=True, slots=True)
class Select(Command):
    """SELECT, or EXAMINE, with its parameters."""

    mailbox: str
    read_only: bool
    condstore: bool = False
    resync: Resync | None = None


@dataclass(frozen=True, slots=True)
class Create(Command):
    """CREATE."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class Delete(Command):
    """DELETE."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class Rename(Command):
    """RENAME."""

    mailbox: str
    new_name: str


@dataclass(frozen=True, slots=True)
class Subscribe(Command):
    """SUBSCRIBE, or UNSUBSCRIBE."""

    mailbox: str
    subscribed: bool


@dataclass(frozen=True, slots=True)
class ListCommand(Command):
    """LIST with its selection and return options, upper case (RFC 5258)."""

    reference: str
    patterns: tuple[str, ...]
    selection: frozenset[str] = frozenset()
    returns: frozenset[str] = frozenset()
    status_items: tuple[StatusItem, ...] = ()
    is_xlist: bool = False


@dataclass(frozen=True, slots=True)
class Lsub(Command):
    """LSUB."""

    reference: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Status(Command):
    """STATUS."""

    mailbox: str
    items: tuple[StatusItem, ...]


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
    message: Octets


@dataclass(frozen=True, slots=True)
class Append(Command):
    """APPEND of one mail or several, all or none (RFC 3502)."""

    mailbox: str
    mails: tuple[AppendedMail, ...]


@dataclass(frozen=True, slots=True)
class Expunge(Command):
    """EXPUNGE, or UID EXPUNGE of a set."""

    uids: SequenceSet | None


@dataclass(frozen=True, slots=True)
class Fetch(Command):
    """FETCH, or UID FETCH; the modifiers are those of RFC 7162."""

    messages: SequenceSet
    items: tuple[FetchItem, ...]
    uid: bool
    changed_since: int | None = None
    vanished: bool = False


@dataclass(frozen=True, slots=True)
class Store(Command):
    """STORE, or UID STORE."""

    messages: SequenceSet
    change: FlagChange
    silent: bool
    flags: FlagList
    uid: bool
    unchanged_since: int | None = None


@dataclass(frozen=True, slots=True)
class Copy(Command):
    """COPY or MOVE, and their UID forms."""

    messages: SequenceSet
    mailbox: str
    uid: bool
    move: bool


@dataclass(frozen=True, slots=True)
class Search(Command):
    """SEARCH, or UID SEARCH; `returns` are the words behind RETURN, None where there is no RETURN (RFC 4731)."""

    key: SearchKey
    uid: bool
    returns: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class UnreadableSearch(Command):
    """A search in a charset that is not read; `saves` where it was to be kept for `$`."""

    saves: bool
