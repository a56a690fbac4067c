"""LIST: which mailboxes a pattern means, and what is said of each (RFC 9051 section 6.3.9, RFC 5258, RFC 6154).

Patterns are matched by a set of states kept in one integer, one step per character of the name: linear, whatever the
pattern (I4).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bmgate.domain.mailbox import DELIMITER, Mailbox, MailboxKind
from bmgate.imap.values import ListCommand, Lsub

SPECIAL_USE: dict[MailboxKind, bytes] = {
    MailboxKind.SENT: b"\\Sent",
    MailboxKind.DRAFTS: b"\\Drafts",
    MailboxKind.TRASH: b"\\Trash",
    MailboxKind.JUNK: b"\\Junk",
    MailboxKind.ARCHIVE: b"\\Archive",
}

_XLIST_USE: dict[MailboxKind, tuple[bytes, ...]] = {
    MailboxKind.INBOX: (b"\\Inbox",),
    MailboxKind.JUNK: (b"\\Spam",),
}


class Pattern:
    """A LIST pattern: `*` stands for anything, `%` for anything but the delimiter."""

    def __init__(self, pattern: str) -> None:
        self._literals: dict[str, int] = {}
        self._any = self._within = 0
        state = 1
        for char in pattern:
            if char == "*":
                self._any |= state
            elif char == "%":
                self._within |= state
            else:
                self._literals[char] = self._literals.get(char, 0) | state
                state <<= 1
        self._final = state

    def matches(self, name: str) -> bool:
        """Whether the whole of `name` is meant."""
        states = 1
        for char in name:
            stay = self._any if char == DELIMITER else self._any | self._within
            states = (states & self._literals.get(char, 0)) << 1 | states & stay
            if not states:
                return False
        return states & self._final != 0


@dataclass(frozen=True, slots=True)
class Listing:
    """One line of LIST or LSUB; `mailbox` is None for a name that only has children."""

    name: str
    attributes: tuple[bytes, ...]
    mailbox: Mailbox | None
    child_info: bool = False  # matched because of subscribed children alone (RECURSIVEMATCH)

    @property
    def has_status(self) -> bool:
        """Whether STATUS can be asked of it."""
        return self.mailbox is not None and self.mailbox.kind is not MailboxKind.PARENT


class _Matcher:
    """Several patterns at once; INBOX is found in any case, also as a first level."""

    def __init__(self, reference: str, patterns: Iterable[str]) -> None:
        full = [_with_inbox(reference + pattern) for pattern in patterns]
        self._patterns = [Pattern(pattern) for pattern in full]
        self._inbox = [Pattern(pattern.upper()) for pattern in full]

    def matches(self, name: str) -> bool:
        chosen = self._inbox if name == "INBOX" else self._patterns
        return any(pattern.matches(name) for pattern in chosen)


def _with_inbox(pattern: str) -> str:
    first, delimiter, rest = pattern.partition(DELIMITER)
    return "INBOX" + delimiter + rest if delimiter and first.upper() == "INBOX" else pattern


def _parents(names: Iterable[str]) -> set[str]:
    """All superior names of `names`."""
    found = set()
    for name in names:
        while (cut := name.rfind(DELIMITER)) > 0:
            name = name[:cut]
            if name in found:
                break
            found.add(name)
    return found


def list_mailboxes(mailboxes: Iterable[Mailbox], command: ListCommand, former: Iterable[str] = ()) -> Iterator[Listing]:
    """The lines that answer `command`, INBOX first, then by name; `former` are subscribed and not there any more."""
    known = {mailbox.name: mailbox for mailbox in mailboxes}
    parents, lost = _parents(known), set(former)
    matcher = _Matcher(command.reference, command.patterns)
    subscribed = [name for name, mailbox in known.items() if mailbox.subscribed] + list(lost)
    told_by_child = _parents(name for name in subscribed if not matcher.matches(name))  # RFC 5258 3.5
    shown_for_child = told_by_child if _asks_children(command.selection) else frozenset[str]()
    for name in sorted(known.keys() | parents | lost | shown_for_child, key=lambda name: (name != "INBOX", name)):
        if not matcher.matches(name):
            continue
        mailbox, by_child = known.get(name), name in shown_for_child
        if name in lost and "SPECIAL-USE" not in command.selection:
            yield Listing(name, (b"\\NonExistent", _children(name in parents), b"\\Subscribed"), None, by_child)
        elif _is_selected(mailbox, command.selection) or by_child:
            yield Listing(name, _attributes(mailbox, name in parents, command), mailbox, by_child)


def _asks_children(selection: frozenset[str]) -> bool:
    """Whether children can make a line; those of special use are never below others (RFC 6154, M3)."""
    return selection >= {"RECURSIVEMATCH", "SUBSCRIBED"} and "SPECIAL-USE" not in selection


def _is_selected(mailbox: Mailbox | None, selection: frozenset[str]) -> bool:
    if "SUBSCRIBED" in selection and not (mailbox and mailbox.subscribed):
        return False
    return "SPECIAL-USE" not in selection or (mailbox is not None and mailbox.kind in SPECIAL_USE)


def _attributes(mailbox: Mailbox | None, has_children: bool, command: ListCommand) -> tuple[bytes, ...]:
    out = [_children(has_children)]
    if mailbox is None:
        return (b"\\Noselect", *out)
    if mailbox.kind is MailboxKind.PARENT:
        out.insert(0, b"\\Noselect")
    if mailbox.subscribed and "SUBSCRIBED" in command.returns | command.selection:
        out.append(b"\\Subscribed")
    if mailbox.kind in SPECIAL_USE:
        out.append(SPECIAL_USE[mailbox.kind])
    if command.is_xlist:
        out += _XLIST_USE.get(mailbox.kind, ())
    return tuple(out)


def _children(has_children: bool) -> bytes:
    return b"\\HasChildren" if has_children else b"\\HasNoChildren"


def list_subscribed(mailboxes: Iterable[Mailbox], command: Lsub, former: Iterable[str] = ()) -> Iterator[Listing]:
    """The lines that answer LSUB; a parent that matches stands for its subscribed children (RFC 3501 6.3.9)."""
    known: dict[str, Mailbox | None] = dict.fromkeys(former)
    known.update((mailbox.name, mailbox) for mailbox in mailboxes if mailbox.subscribed)
    matcher = _Matcher(command.reference, (command.pattern,))
    parents = _parents(known) if "%" in command.pattern else set()
    for name in sorted(known.keys() | parents, key=lambda name: (name != "INBOX", name)):
        if matcher.matches(name):
            mailbox = known.get(name)
            has_mail = mailbox is not None and mailbox.kind is not MailboxKind.PARENT
            yield Listing(name, () if has_mail else (b"\\Noselect",), mailbox)
