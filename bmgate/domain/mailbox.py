"""Mailboxes and the messages in them, as IMAP sees them (RFC 9051 section 2.3)."""

from dataclasses import dataclass, field
from enum import IntFlag, StrEnum
from typing import NamedTuple, NewType

from bmgate.mail.octets import Octets

MailboxId = NewType("MailboxId", int)
ContentId = NewType("ContentId", int)

DELIMITER = "/"


class MailboxKind(StrEnum):
    """What a mailbox is for; the special ones are always present and cannot be deleted (M3)."""

    INBOX = "inbox"
    SENT = "sent"
    DRAFTS = "drafts"
    TRASH = "trash"
    JUNK = "junk"
    ARCHIVE = "archive"
    OUTBOX = "outbox"
    USER = "user"
    PARENT = "parent"  # holds other mailboxes and no mail


SPECIAL_MAILBOXES: dict[MailboxKind, str] = {
    MailboxKind.INBOX: "INBOX",
    MailboxKind.SENT: "Sent",
    MailboxKind.DRAFTS: "Drafts",
    MailboxKind.TRASH: "Trash",
    MailboxKind.JUNK: "Junk",
    MailboxKind.ARCHIVE: "Archive",
    MailboxKind.OUTBOX: "Outbox",
}
"""Kind to name, in the order they are made and listed."""

TAKE_MAIL = frozenset({MailboxKind.INBOX, MailboxKind.ARCHIVE, MailboxKind.JUNK, MailboxKind.TRASH, MailboxKind.USER})
"""The kinds of mailboxes that mail to an address may be delivered to."""

SYNONYMS: dict[str, MailboxKind] = {
    "sent items": MailboxKind.SENT,
    "sent messages": MailboxKind.SENT,
    "deleted items": MailboxKind.TRASH,
    "deleted messages": MailboxKind.TRASH,
    "junk e-mail": MailboxKind.JUNK,
    "spam": MailboxKind.JUNK,
    "archives": MailboxKind.ARCHIVE,
}
"""Names, lower case, under which mail programs ask for a special mailbox (M3)."""


class Flags(IntFlag):
    """The system flags of a message."""

    NONE = 0
    SEEN = 1
    ANSWERED = 2
    FLAGGED = 4
    DELETED = 8
    DRAFT = 16
    RECENT = 32  # of one session, never stored


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox and its stored counters; `name` is Unicode, hierarchy by `/`."""

    id: MailboxId
    name: str
    kind: MailboxKind
    subscribed: bool
    uidvalidity: int
    uidnext: int
    modseq: int
    recent_uid: int = 1  # messages from here on were told to no session yet


@dataclass(frozen=True, slots=True)
class MailboxStatus:
    """A mailbox with the counts STATUS asks for; sizes sum the messages' octets, rounded up by size class."""

    mailbox: Mailbox
    messages: int
    unseen: int
    deleted: int
    size: int
    deleted_size: int = 0
    recent: int = 0


class MessageRow(NamedTuple):
    """One message of a mailbox without its content: what SELECT and FLAGS need. Times are Unix seconds."""

    uid: int
    modseq: int
    flags: Flags
    keywords: tuple[str, ...]
    internaldate: int
    saved_at: int | None = None  # in this mailbox


class SentCopy(NamedTuple):
    """A mail in Sent: whether the gateway submitted it, and whether the client stored this copy (M7)."""

    uid: int
    internaldate: int
    keywords: tuple[str, ...]
    is_of_submission: bool
    is_of_client: bool


@dataclass(frozen=True, slots=True)
class MailboxSnapshot:
    """A mailbox at one instant: its messages in UID order."""

    mailbox: Mailbox
    rows: list[MessageRow]


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened in a mailbox after some MODSEQ: new and changed messages in UID order, expunged UIDs."""

    modseq: int
    uidnext: int
    updated: list[MessageRow]
    expunged: list[int]


class MessageHead(NamedTuple):
    """The header of a message and its stored index (`mail.structure.decode_index`)."""

    uid: int
    internaldate: int
    header: bytes
    encoded_index: bytes
    uuid: bytes = b""  # of the content


class StoredMessage(NamedTuple):
    """A whole message: header, stored index and body; header + body are the bytes of the mail."""

    uid: int
    internaldate: int
    header: bytes
    encoded_index: bytes
    body: bytes
    uuid: bytes = b""  # of the content


@dataclass(frozen=True, slots=True)
class NewMail:
    """A mail that a client stores; `internaldate` in Unix seconds, None for now."""

    raw: Octets
    flags: Flags
    keywords: tuple[str, ...]
    internaldate: int | None


@dataclass(frozen=True, slots=True)
class NewContent:
    """Mail to be stored, in the two blobs it is kept as.

    `index` is the encoded `MessageIndex`. The tags are HMACs that find the mail again without naming it: of its
    Message-ID, and of the inventory vectors that brought it. Empty when there is none.
    """

    header: bytes
    index: bytes
    body: bytes
    message_id_tag: bytes = b""
    vector_tag: bytes = b""
    beyond_quota: bool = False  # what the gateway owes its user, though he has no room left

    @property
    def size(self) -> int:
        """Octets of the whole mail."""
        return len(self.header) + len(self.body)


class StagedMail(NamedTuple):
    """A content that is stored and not shown yet, and how it will be."""

    content: ContentId
    flags: Flags
    keywords: tuple[str, ...]
    internaldate: int
    saved_at: int | None = None  # in a mailbox elsewhere; None: it comes only now


class FlagChange(StrEnum):
    """The three forms of STORE."""

    ADD = "+"
    REMOVE = "-"
    REPLACE = ""


@dataclass(frozen=True, slots=True)
class Transfer:
    """The outcome of COPY, MOVE or APPEND: pairs of UIDs in the order of the source, for COPYUID and APPENDUID."""

    uidvalidity: int
    source_uids: list[int] = field(default_factory=list)
    target_uids: list[int] = field(default_factory=list)
