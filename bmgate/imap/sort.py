"""What SORT and THREAD look at in a message, and SORT itself (RFC 5256 sections 2 and 3)."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from bmgate.domain.mailbox import MessageHead, MessageRow, StoredMessage
from bmgate.imap.fetch import told_date
from bmgate.mail.charsets import decode_unlabelled
from bmgate.mail.envelope import envelope_addresses
from bmgate.mail.headers import message_ids_in
from bmgate.mail.structure import MessageIndex, decode_index

MAX_SUBJECT = 1000  # characters that are compared
MAX_REFERENCES = 100  # the last of them

_BLANKS = re.compile(r"[ \t]+")
_LEADER = re.compile(r"(?:\[[^\[\]]*\][ \t]*)*(?:re|fwd?)[ \t]*(?:\[[^\[\]]*\])?:[ \t]*", re.IGNORECASE)
_BLOB = re.compile(r"\[[^\[\]]*\][ \t]*")
_FORWARDED = re.compile(r"\[fwd:(.*)\]\Z", re.IGNORECASE | re.DOTALL)


class SortKey(Enum):
    """What SORT can sort by."""

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
class Item:
    """One message: its place, and the words that order it; `date` is the sent date, or else that of arrival."""

    place: int
    arrival: int
    date: int
    size: int
    subject: str
    is_reply: bool
    from_: str
    to: str
    cc: str
    message_id: str
    references: tuple[str, ...]


def item_of(place: int, row: MessageRow, head: MessageHead | StoredMessage) -> Item:
    """From the stored header and index."""
    index = decode_index(head.encoded_index)
    subject, is_reply = base_subject(index.texts.subject)
    return Item(
        place=place,
        arrival=told_date(row.internaldate),
        date=told_date(row.internaldate) if index.sent_date is None else index.sent_date,
        size=index.size,
        subject=subject,
        is_reply=is_reply,
        from_=_first_local_part(index, head.header, "from"),
        to=_first_local_part(index, head.header, "to"),
        cc=_first_local_part(index, head.header, "cc"),
        message_id=next(iter(message_ids_in(index.value(head.header, "message-id") or b"")), ""),
        references=_references(index, head.header),
    )


def _first_local_part(index: MessageIndex, header: bytes, name: str) -> str:
    """The local part of the first address, or the name of a group that stands before it, as SORT compares it."""
    addresses = envelope_addresses(index.value(header, name) or b"", max_addresses=1)
    return decode_unlabelled(addresses[0].mailbox or b"").upper() if addresses else ""


def _references(index: MessageIndex, header: bytes) -> tuple[str, ...]:
    """References, or else the first of In-Reply-To (RFC 5256 REFERENCES, step 1)."""
    found = message_ids_in(index.value(header, "references") or b"")
    return found[-MAX_REFERENCES:] or message_ids_in(index.value(header, "in-reply-to") or b"")[:1]


def base_subject(subject: str) -> tuple[str, bool]:
    """The subject without the marks of replies and forwards, in capitals, and whether there were any (2.1)."""
    text, is_reply = _BLANKS.sub(" ", subject[:MAX_SUBJECT]), False
    while True:
        text, marked = _without_marks(text)
        is_reply = is_reply or marked
        inner = _FORWARDED.match(text)
        if inner is None:
            return text.upper(), is_reply
        text, is_reply = inner[1], True


def _without_marks(text: str) -> tuple[str, bool]:
    """Steps 2 to 5."""
    marked = False
    text = text.strip(" \t")
    while text[-5:].lower() == "(fwd)":
        text, marked = text[:-5].rstrip(" \t"), True
    while True:
        leader = _LEADER.match(text)
        if leader is not None:
            text, marked = text[leader.end() :], True
            continue
        blob = _BLOB.match(text)
        if blob is None or blob.end() == len(text):
            return text, marked
        text = text[blob.end() :]


_VALUES: dict[SortKey, Callable[[Item], Any]] = {
    SortKey.ARRIVAL: lambda item: item.arrival,
    SortKey.CC: lambda item: item.cc,
    SortKey.DATE: lambda item: item.date,
    SortKey.FROM: lambda item: item.from_,
    SortKey.SIZE: lambda item: item.size,
    SortKey.SUBJECT: lambda item: item.subject,
    SortKey.TO: lambda item: item.to,
}


def sorted_items(items: Sequence[Item], criteria: Sequence[Criterion]) -> list[Item]:
    """By the first criterion, then the second and so on, then by place."""
    ordered = sorted(items, key=lambda item: item.place)
    for criterion in reversed(criteria):
        ordered.sort(key=_VALUES[criterion.key], reverse=criterion.reverse)  # stable, also in reverse
    return ordered
