"""What the server can do, word by word; `docs/imap-extensions.md` tells how to add one."""

from collections.abc import Callable
from enum import Enum
from typing import Protocol


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


def _always(_: Circumstances) -> bool:
    return True


CAPABILITIES: tuple[tuple[str, Condition], ...] = (
    ("IMAP4rev1", _always),
    ("IMAP4rev2", _always),
    ("LITERAL+", _always),
    ("SASL-IR", _always),
    ("ID", _always),
    ("ENABLE", _always),
    ("IDLE", _always),
    ("NAMESPACE", _always),
    ("UNSELECT", _always),
    ("UIDPLUS", _always),
    ("MOVE", _always),
    ("SPECIAL-USE", _always),
    ("XLIST", _always),
    ("CHILDREN", _always),
    ("LIST-EXTENDED", _always),
    ("LIST-STATUS", _always),
    ("STATUS=SIZE", _always),
    ("CONDSTORE", _always),
    ("QRESYNC", _always),
    ("ESEARCH", _always),
    ("SEARCHRES", _always),
    ("WITHIN", _always),
    ("SORT", _always),
    ("THREAD=REFERENCES", _always),
    ("THREAD=ORDEREDSUBJECT", _always),
    ("MULTIAPPEND", _always),
    ("BINARY", _always),
    ("APPENDLIMIT={append_limit}", _always),
    ("QUOTA", _always),
    ("QUOTA=RES-STORAGE", _always),
    ("OBJECTID", _always),
    ("PREVIEW", _always),
    ("SAVEDATE", _always),
    ("UTF8=ACCEPT", _always),
    ("STARTTLS", lambda it: not it.is_logged_in and it.can_start_tls),
    ("AUTH=PLAIN", lambda it: not it.is_logged_in and it.may_log_in),
    ("AUTH=LOGIN", lambda it: not it.is_logged_in and it.may_log_in),
    ("LOGINDISABLED", lambda it: not it.is_logged_in and not it.may_log_in),
)
"""Each word, and when it is announced."""


def announced(it: Circumstances) -> bytes:
    """The words in the present state; announced anew after STARTTLS and login (I11)."""
    words = [word.format(append_limit=it.append_limit) for word, holds in CAPABILITIES if holds(it)]
    return " ".join(words).encode("ascii")
