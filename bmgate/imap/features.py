"""What is announced in which state, and what ENABLE switches on; the words themselves are in `capabilities`."""

from collections.abc import Callable, Iterable
from enum import Enum
from typing import NamedTuple, Protocol


class Feature(Enum):
    """What ENABLE switches on, and what the commands of CONDSTORE switch on by themselves (RFC 7162 3.1)."""

    CONDSTORE = "CONDSTORE"
    QRESYNC = "QRESYNC"
    UTF8 = "UTF8=ACCEPT"
    REV2 = "IMAP4REV2"


IMPLIED: dict[Feature, frozenset[Feature]] = {
    Feature.CONDSTORE: frozenset({Feature.CONDSTORE}),
    Feature.QRESYNC: frozenset({Feature.QRESYNC, Feature.CONDSTORE}),
    Feature.UTF8: frozenset({Feature.UTF8}),
    Feature.REV2: frozenset({Feature.REV2, Feature.UTF8}),
}
"""What else a feature brings."""


class Circumstances(Protocol):
    """What an announcement depends on."""

    @property
    def is_logged_in(self) -> bool: ...
    @property
    def can_start_tls(self) -> bool: ...
    @property
    def may_log_in(self) -> bool: ...
    @property
    def append_limit(self) -> int: ...


Condition = Callable[[Circumstances], bool]


def always(_: Circumstances) -> bool:
    """In every state."""
    return True


class Announcement(NamedTuple):
    """Words that are announced together, as they stand in the answer; `{append_limit}` is the limit of the server."""

    words: str
    when: Condition


def announced(announcements: Iterable[Announcement], it: Circumstances) -> bytes:
    """The words in the present state; announced anew after STARTTLS and login (I11)."""
    words = [one.words.format(append_limit=it.append_limit) for one in announcements if one.when(it)]
    return " ".join(words).encode("ascii")
