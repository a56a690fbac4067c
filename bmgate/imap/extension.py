"""What an extension of IMAP is made of, and what a server with some of them speaks.

The base protocol is an extension like the others, the first of the table in `capabilities`. How to add one is told in
docs/imap-extensions.md.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bmgate.imap.data_items import FetchItem
from bmgate.imap.features import Announcement, Condition, always
from bmgate.imap.replies import Reply
from bmgate.imap.search_values import SearchKey
from bmgate.imap.session import Session, State
from bmgate.imap.status_items import StatusItem
from bmgate.imap.values import Command
from bmgate.imap.vocabulary import CommandCursor, Vocabulary

T = TypeVar("T")

NEW = frozenset({State.NOT_AUTHENTICATED})
INSIDE = frozenset({State.AUTHENTICATED, State.SELECTED})
SELECTED = frozenset({State.SELECTED})
ANY = NEW | INSIDE


@dataclass(frozen=True, slots=True)
class Verb:
    """A command of clients: how it is read, what carries it out, and when."""

    name: str
    """Upper case; of a UID form with `UID ` before it."""
    read: Callable[[CommandCursor], Command]
    """From behind the name to the end of the arguments. Pure; raises BadSyntax, BadCharset."""
    handler: Callable[[Session, Any], Awaitable[Reply]]
    """Writes the untagged responses. Raises GatewayError, which becomes the tagged one."""
    states: frozenset[State]
    tells_news: bool = True
    """Whether what others did is told behind it."""
    tells_expunge: bool = True
    """Whether EXPUNGE may be told behind it: not where sequence numbers stand in it or its answer (RFC 3501 7.4.1)."""
    is_barrier: bool = False
    """Whether nothing behind it is read before it is done: it takes lines, or changes what may be read."""
    is_changing: bool = False
    """Whether it is finished even when its client goes away, so that others hear of what it began."""


@dataclass(frozen=True, slots=True)
class Extension:
    """One line of the table; most are a few words of CAPABILITY and one kind of addition."""

    words: str
    """What is announced, separated by spaces; `{append_limit}` is the limit of the server."""
    when: Condition = always
    verbs: tuple[Verb, ...] = ()
    fetch_items: Mapping[str, Callable[[CommandCursor], FetchItem]] = field(default_factory=dict)
    """What reads a data item of FETCH, from behind its name."""
    search_keys: Mapping[str, Callable[[CommandCursor], SearchKey]] = field(default_factory=dict)
    """What reads a key of SEARCH, from behind its name."""
    status_items: tuple[StatusItem, ...] = ()


class Dialect:
    """What a server speaks: its extensions, looked up by word. No two of them have the same word."""

    def __init__(self, extensions: Iterable[Extension]) -> None:
        extensions = tuple(extensions)
        self.announcements = tuple(Announcement(each.words, each.when) for each in extensions)
        self.verbs = _by_name((verb.name, verb) for each in extensions for verb in each.verbs)
        self.vocabulary = Vocabulary(
            fetch_items=_by_name(item for each in extensions for item in each.fetch_items.items()),
            search_keys=_by_name(key for each in extensions for key in each.search_keys.items()),
            status_items=_by_name((item.name, item) for each in extensions for item in each.status_items),
        )


def _by_name(named: Iterable[tuple[str, T]]) -> dict[str, T]:
    pairs = tuple(named)
    found = dict(pairs)
    assert len(found) == len(pairs)
    return found


@dataclass(frozen=True, slots=True)
class Tagged:
    """A command with its verb, and the tag its answer carries."""

    tag: bytes
    verb: Verb
    command: Command
