"""The data items of FETCH as values, and how much of a message each of them takes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, IntEnum

from bmgate.domain.mailbox import MessageHead, MessageRow, StoredMessage
from bmgate.imap.pieces import LargeMessage, Piece
from bmgate.mail.structure import MessageIndex, Section

StoredMail = MessageHead | StoredMessage
Shown = StoredMail | LargeMessage
Renderer = Callable[[MessageRow, Shown, MessageIndex, list[Piece]], None]
"""Adds one data item to the pieces of a response, so that bodies are copied once only."""


class Depth(IntEnum):
    """How much of a message a command must see."""

    ROW = 0
    HEADER = 1
    BODY = 2


class Attribute(Enum):
    """Data items of the base protocol that have no section, and MODSEQ of CONDSTORE."""

    UID = b"UID"
    FLAGS = b"FLAGS"
    INTERNALDATE = b"INTERNALDATE"
    SIZE = b"RFC822.SIZE"
    ENVELOPE = b"ENVELOPE"
    BODY = b"BODY"
    BODYSTRUCTURE = b"BODYSTRUCTURE"
    MODSEQ = b"MODSEQ"


ROW_ITEMS = frozenset({Attribute.UID, Attribute.FLAGS, Attribute.INTERNALDATE, Attribute.MODSEQ})


@dataclass(frozen=True, slots=True)
class AddedItem:
    """A data item that an extension adds; without `wants_index` its renderer is given an empty index."""

    render: Renderer
    depth: Depth
    wants_index: bool = False


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


FetchItem = Attribute | AddedItem | BodySection | BinarySection


def depth_of(items: Iterable[FetchItem]) -> Depth:
    """What must be read for `items`."""
    return max(map(_depth, items), default=Depth.ROW)


def _depth(item: FetchItem) -> Depth:
    if isinstance(item, Attribute):
        return Depth.ROW if item in ROW_ITEMS else Depth.HEADER
    if isinstance(item, AddedItem):
        return item.depth
    if isinstance(item, BinarySection):
        return Depth.BODY
    section = item.section
    in_header = not section.path and section.kind.startswith("HEADER")
    return Depth.HEADER if in_header else Depth.BODY


def copies_in(items: Iterable[FetchItem]) -> int:
    """How often the responses may have all octets of a message in them."""
    return max(sum(isinstance(item, BodySection | BinarySection) for item in items), 1)


def marks_seen(items: Iterable[FetchItem]) -> bool:
    r"""Whether fetching `items` sets \Seen."""
    return any(isinstance(item, BodySection | BinarySection) and not item.peek for item in items)
