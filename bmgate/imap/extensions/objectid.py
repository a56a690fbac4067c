"""OBJECTID: ids of mailboxes, messages and threads that outlive their names and places (RFC 8474).

EMAILID is of the content, which COPY and MOVE share. THREADID is shared by mails that answer each other: it is made of
the first Message-ID that a mail refers to, or else of its own. So it never changes, is the same in all mailboxes, and
nothing but the mail itself is read for it. Mails whose references were cut off stand apart.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import ClassVar

from bmgate.domain.mailbox import MessageRow
from bmgate.imap.cursor import Cursor
from bmgate.imap.data_items import AddedItem, Depth, Shown
from bmgate.imap.extension import Extension
from bmgate.imap.mailbox_commands import mailbox_id
from bmgate.imap.pieces import Piece
from bmgate.imap.search_values import AddedKey, Subject
from bmgate.imap.status_items import StatusItem
from bmgate.mail.headers import message_ids_in
from bmgate.mail.structure import MessageIndex, decode_index

_SIZE = 16  # octets
_ROOTS = ("references", "in-reply-to", "message-id")  # the first that names a mail


def _email_id(message: Shown) -> bytes:
    return b"E" + message.uuid.hex().encode("ascii")


def _thread_id(message: Shown, index: MessageIndex) -> bytes | None:
    """None for a mail without any Message-ID."""
    for name in _ROOTS:
        found = message_ids_in(index.value(message.header, name) or b"")
        if found:
            return b"T" + blake2b(found[0].encode(), digest_size=_SIZE).hexdigest().encode("ascii")
    return None


def _render_email_id(_: MessageRow, message: Shown, __: MessageIndex, out: list[Piece]) -> None:
    out.append(b"EMAILID (%b)" % _email_id(message))


def _render_thread_id(_: MessageRow, message: Shown, index: MessageIndex, out: list[Piece]) -> None:
    found = _thread_id(message, index)
    out.append(b"THREADID NIL" if found is None else b"THREADID (%b)" % found)


@dataclass(frozen=True, slots=True)
class EmailIdIs(AddedKey):
    """EMAILID."""

    email_id: bytes
    depth: ClassVar[Depth] = Depth.HEADER

    def verdict(self, subject: Subject) -> bool | None:
        """By the header's uuid."""
        return None if subject.head is None else _email_id(subject.head) == self.email_id


@dataclass(frozen=True, slots=True)
class ThreadIdIs(AddedKey):
    """THREADID."""

    thread_id: bytes
    depth: ClassVar[Depth] = Depth.HEADER

    def verdict(self, subject: Subject) -> bool | None:
        """By the header."""
        head = subject.head
        return None if head is None else _thread_id(head, decode_index(head.encoded_index)) == self.thread_id


def _reader(key: Callable[[bytes], AddedKey]) -> Callable[[Cursor], AddedKey]:
    def read(cursor: Cursor) -> AddedKey:
        cursor.space()
        return key(cursor.astring())

    return read


OBJECTID = Extension(
    "OBJECTID",
    fetch_items={
        "EMAILID": lambda _: AddedItem(_render_email_id, Depth.HEADER),
        "THREADID": lambda _: AddedItem(_render_thread_id, Depth.HEADER, wants_index=True),
    },
    search_keys={"EMAILID": _reader(EmailIdIs), "THREADID": _reader(ThreadIdIs)},
    status_items=(StatusItem("MAILBOXID", lambda status, _: f"({mailbox_id(status.mailbox).decode('ascii')})"),),
)
