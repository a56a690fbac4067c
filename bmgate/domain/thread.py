"""Threads: which mail an object of the network brought or took away, so that an answer finds what it answers (I17)."""

from dataclasses import dataclass
from enum import StrEnum

from bmgate.bm.addresses import Address


@dataclass(frozen=True, slots=True)
class Thread:
    """A mail as an answer to it must name it: its Message-ID, and the References it has itself, oldest first."""

    message_id: str
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exchange:
    """The two ends of a mail as the account sees them: its own address, or a chan's, and the other one's."""

    own: Address
    other: Address


class ThreadKey(StrEnum):
    """What leads to a mail."""

    VECTOR = "vector"  # of the object that carried it
    ALIAS = "alias"  # the Message-ID it has in its sender's program
    SUBJECT = "subject"


@dataclass(frozen=True, slots=True)
class ThreadEntry:
    """One thing by which a mail is found, until `keep_until` (Unix seconds).

    `word` is the vector, or the text in UTF-8. `exchange` is None for vectors that were kept without it.
    """

    key: ThreadKey
    word: bytes
    exchange: Exchange | None
    mail: Thread
    keep_until: int
