"""Mailbox names: which are possible, what a client means by one, and moving whole trees of them."""

import re
import unicodedata
from typing import NamedTuple

from bmgate.domain.chan import CHANS
from bmgate.domain.mailbox import (
    DELIMITER,
    SPECIAL_MAILBOXES,
    SYNONYMS,
    Mailbox,
    MailboxId,
    MailboxKind,
)
from bmgate.domain.ports.account_mail import AccountMailboxes
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.subscription import SUBSCRIPTIONS
from bmgate.errors import LimitReached, MailboxExists, MailboxHasChildren, MailboxMissing, NotAllowed

PARENTS = frozenset({CHANS, SUBSCRIPTIONS})
MAX_MAILBOXES = 1_000
MAX_NAME_LEVELS, MAX_NAME_CHARACTERS = 20, 200

# controls, line separators and what turns the direction of writing: a name is shown as it is, and on one line (I14)
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069*%]")
_HOLDS_NO_MAIL = "{} holds no mail, only other mailboxes"
_INBOX = SPECIAL_MAILBOXES[MailboxKind.INBOX]


def resolve(mailboxes: AccountMailboxes, name: str) -> Mailbox:
    """The mailbox a client means: exact name, or `spelled_here`; raises MailboxMissing."""
    found = mailboxes.find(name) or mailboxes.find(spelled_here(name))
    if found is None:
        raise MailboxMissing(f"no mailbox {name!r}")
    return found


def spelled_here(name: str) -> str:
    """`name` with its first level as the special mailbox it means: INBOX in any case, or a synonym (M3)."""
    first, delimiter, rest = name.partition(DELIMITER)
    if first.upper() == _INBOX:
        first = _INBOX
    elif first.lower() in SYNONYMS:
        first = SPECIAL_MAILBOXES[SYNONYMS[first.lower()]]
    return first + delimiter + rest


def resolve_doomed(mailboxes: AccountMailboxes, name: str) -> Mailbox:
    """The mailbox to be deleted; raises MailboxHasChildren where there are only mailboxes below that name."""
    try:
        return resolve(mailboxes, name)
    except MailboxMissing:
        tree = tree_of(mailboxes, name)
        raise MailboxHasChildren(f"{tree.name} is no mailbox, it only holds others") from None


def label_of(mailbox: Mailbox) -> str:
    """The label that a chan's or a subscription's mailbox is named by: what follows the first delimiter."""
    return mailbox.name.partition(DELIMITER)[2]


def resolve_with_mail(mailboxes: AccountMailboxes, name: str) -> Mailbox:
    """The mailbox a client means; raises MailboxMissing, NotAllowed for one that only holds others."""
    try:
        mailbox = resolve(mailboxes, name)
    except MailboxMissing:
        raise NotAllowed(_HOLDS_NO_MAIL.format(tree_of(mailboxes, name).name)) from None
    if mailbox.kind is MailboxKind.PARENT:
        raise NotAllowed(_HOLDS_NO_MAIL.format(mailbox.name))
    return mailbox


def below(parent: str, label: str) -> str:
    """The name of a mailbox below `parent` for any label; raises NotAllowed for one that is empty or too long."""
    name = parent + DELIMITER + fitting(label)
    check_name(name)
    return name


def fitting(label: str) -> str:
    """Somebody else's proposal for a label, without what no name of a mailbox holds."""
    return _NOT_IN_NAMES.sub("_", label).replace(DELIMITER, "_")


def check_label(label: str) -> None:
    """Raises NotAllowed for a label of a chan or subscription that would not be the name of its mailbox."""
    if label != fitting(label):
        raise NotAllowed(f"the label names a mailbox, so it has no {DELIMITER!r}, '*', '%' or control characters")


def relabel(mailboxes: AccountMailboxes, mailbox: MailboxId, label: str) -> None:
    """Give the mailbox of a chan or subscription another label, as RENAME does.

    Raises MailboxExists, NotAllowed for what cannot be one.
    """
    check_label(label)
    name = mailboxes.get(mailbox).name
    wanted = below(name.partition(DELIMITER)[0], label)
    if wanted != name:
        mailboxes.rename(mailbox, wanted)


def check_name(name: str) -> None:
    """Raises NotAllowed for a name no mailbox may have (I14)."""
    levels = name.split(DELIMITER)
    if not name or any(not level.strip() for level in levels):
        raise NotAllowed("a mailbox name has no empty part")
    _check_size(name)
    if _NOT_IN_NAMES.search(name):
        raise NotAllowed("a mailbox name has no control characters, '*' or '%'")


def _check_size(name: str) -> None:
    if name.count(DELIMITER) >= MAX_NAME_LEVELS or len(name) > MAX_NAME_CHARACTERS:
        raise NotAllowed(f"a mailbox name has at most {MAX_NAME_LEVELS} levels and {MAX_NAME_CHARACTERS} characters")


def refuse_taken(mailboxes: AccountMailboxes, name: str) -> None:
    """Raises MailboxExists for a name that is there, or that looks like one that is or like one above it (I14)."""
    if mailboxes.find(name) is not None:
        raise MailboxExists(f"mailbox {name!r} exists already")
    if name.isascii():
        return
    there = {mailbox.name for mailbox in mailboxes.all()}
    looks = {unicodedata.normalize("NFC", each) for each in there}
    for each in _levels(name):
        if each not in there and unicodedata.normalize("NFC", each) in looks:
            raise MailboxExists(f"mailbox {each!r} exists already, with its letters encoded otherwise")


def make_with_parents(
    mailboxes: AccountMailboxes, name: str, now: int, subscribed: bool = True, limit: int = MAX_MAILBOXES
) -> Mailbox:
    """To those that mail programs make they subscribe themselves. Raises MailboxExists, LimitReached."""
    *parents, wanted = _levels(spelled_here(name))
    missing = [parent for parent in parents if mailboxes.find(parent) is None]
    if mailboxes.count() + len(missing) >= limit:
        raise LimitReached(f"an account has at most {limit} mailboxes")
    for parent in missing:
        mailboxes.create(parent, _kind(parent), now, subscribed)
    return mailboxes.create(wanted, _kind(wanted), now, subscribed)


def _levels(name: str) -> list[str]:
    """The names above `name`, and itself."""
    parts = name.split(DELIMITER)
    return [DELIMITER.join(parts[:depth]) for depth in range(1, len(parts) + 1)]


def _kind(name: str) -> MailboxKind:
    return MailboxKind.PARENT if name in PARENTS else MailboxKind.USER


def make_shown(mailboxes: AccountMailboxes, name: str, now: int) -> Mailbox:
    """The same, subscribed to: programs that show nothing else are to show what did not come from them."""
    return make_with_parents(mailboxes, name, now, subscribed=True)


def refuse_special(mailbox: Mailbox, verb: str) -> None:
    """Raises NotAllowed for a special mailbox."""
    if mailbox.kind in SPECIAL_MAILBOXES:
        raise NotAllowed(f"{mailbox.name} is always there and cannot be {verb}")


class Tree(NamedTuple):
    """A name with the mailboxes below it; `top` is None where no mailbox has it (RFC 9051 6.3.6)."""

    name: str
    top: Mailbox | None
    below: list[Mailbox]

    def renamed(self, wanted: str) -> list[tuple[Mailbox, str]]:
        """Each of its mailboxes with the name it gets."""
        mailboxes = self.below if self.top is None else [self.top, *self.below]
        return [(mailbox, wanted + mailbox.name[len(self.name) :]) for mailbox in mailboxes]


def tree_of(mailboxes: AccountMailboxes, name: str) -> Tree:
    """What a client means by `name`; raises MailboxMissing where there is nothing of it or below it."""
    top = mailboxes.find(name) or mailboxes.find(spelled_here(name))
    own = spelled_here(name) if top is None else top.name
    below = [other for other in mailboxes.all() if other.name.startswith(own + DELIMITER)]
    if top is None and not below:
        raise MailboxMissing(f"no mailbox {name!r}")
    return Tree(own, top, below)


def rename_tree(mailboxes: AccountMailboxes, tree: Tree, wanted: str, now: int, limit: int) -> None:
    """Give `tree` another name. Raises MailboxExists, NotAllowed, LimitReached."""
    parent = wanted.rpartition(DELIMITER)[0]
    if parent and mailboxes.find(parent) is None:
        make_with_parents(mailboxes, parent, now, subscribed=False, limit=limit)
    for mailbox, name in tree.renamed(wanted):
        _check_size(name)
        mailboxes.rename(mailbox.id, name)


def move_inbox(mine: AccountStore, inbox: Mailbox, target: Mailbox, saved_at: int) -> list[MailboxId]:
    """All mail of INBOX to `target`; which mailboxes changed."""
    uids = [row.uid for row in mine.messages.rows(inbox.id)]
    mine.messages.copy(inbox.id, uids, target.id, saved_at)
    mine.messages.expunge(inbox.id, uids)
    return [inbox.id]
