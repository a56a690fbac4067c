"""Mailbox names: which are possible, what a client means by one, and moving whole trees of them."""

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
from bmgate.errors import MailboxMissing, NotAllowed

PARENTS = frozenset({CHANS, SUBSCRIPTIONS})
_NOT_IN_NAMES = str.maketrans({DELIMITER: "_", "*": "_", "%": "_"})
MAX_NAME_LEVELS, MAX_NAME_CHARACTERS = 20, 200


def resolve(mailboxes: AccountMailboxes, name: str) -> Mailbox:
    """The mailbox a client means: exact name, INBOX in any case, or a synonym of a special one; raises
    MailboxMissing.
    """
    found = mailboxes.find(name)
    if found is not None:
        return found
    kind = SYNONYMS.get(name.lower())
    if kind is None:
        raise MailboxMissing(f"no mailbox {name!r}")
    return mailboxes.by_kind(kind)


def label_of(mailbox: Mailbox) -> str:
    """The label that a chan's or a subscription's mailbox is named by: what follows the first delimiter."""
    return mailbox.name.partition(DELIMITER)[2]


def resolve_with_mail(mailboxes: AccountMailboxes, name: str) -> Mailbox:
    """The same, of those that hold mail; raises NotAllowed for one that only holds others."""
    mailbox = resolve(mailboxes, name)
    if mailbox.kind is MailboxKind.PARENT:
        raise NotAllowed(f"{mailbox.name} holds no mail, only other mailboxes")
    return mailbox


def below(parent: str, label: str) -> str:
    """The name of a mailbox below `parent` for any label; raises NotAllowed for one that is empty or too long."""
    name = parent + DELIMITER + label.translate(_NOT_IN_NAMES)
    check_name(name)
    return name


def check_name(name: str) -> None:
    """Raises NotAllowed for a name no mailbox may have (I14)."""
    levels = name.split(DELIMITER)
    if not name or any(not level.strip() for level in levels):
        raise NotAllowed("a mailbox name has no empty part")
    if len(levels) > MAX_NAME_LEVELS or len(name) > MAX_NAME_CHARACTERS:
        raise NotAllowed(f"a mailbox name has at most {MAX_NAME_LEVELS} levels and {MAX_NAME_CHARACTERS} characters")
    if any(ord(character) < 32 or ord(character) == 127 or character in "*%" for character in name):
        raise NotAllowed("a mailbox name has no control characters, '*' or '%'")
    if levels[0].upper() == "INBOX" and len(levels) > 1:
        raise NotAllowed("INBOX has no mailboxes below it; make them at top level")


def make_with_parents(mailboxes: AccountMailboxes, name: str, now: int, subscribed: bool = True) -> Mailbox:
    """To those that mail programs make they subscribe themselves. Raises MailboxExists."""
    levels = name.split(DELIMITER)
    for depth in range(1, len(levels)):
        parent = DELIMITER.join(levels[:depth])
        if mailboxes.find(parent) is None:
            mailboxes.create(parent, _kind(parent), now, subscribed)
    return mailboxes.create(name, _kind(name), now, subscribed)


def _kind(name: str) -> MailboxKind:
    return MailboxKind.PARENT if name in PARENTS else MailboxKind.USER


def make_shown(mailboxes: AccountMailboxes, name: str, now: int) -> Mailbox:
    """The same, subscribed to: programs that show nothing else are to show what did not come from them."""
    mailbox = make_with_parents(mailboxes, name, now)
    mailboxes.set_subscribed(mailbox.id, True)
    return mailboxes.get(mailbox.id)


def refuse_special(mailbox: Mailbox, verb: str) -> None:
    """Raises NotAllowed for a special mailbox."""
    if mailbox.kind in SPECIAL_MAILBOXES:
        raise NotAllowed(f"{mailbox.name} is always there and cannot be {verb}")


def rename_tree(mailboxes: AccountMailboxes, mailbox: Mailbox, wanted: str, now: int) -> None:
    """Give `mailbox` another name, and those below it."""
    below = [other for other in mailboxes.all() if other.name.startswith(mailbox.name + DELIMITER)]
    parent = wanted.rpartition(DELIMITER)[0]
    if parent and mailboxes.find(parent) is None:
        make_with_parents(mailboxes, parent, now, subscribed=False)
    mailboxes.rename(mailbox.id, wanted)
    for other in below:
        mailboxes.rename(other.id, wanted + other.name[len(mailbox.name) :])


def move_inbox(mine: AccountStore, inbox: Mailbox, target: Mailbox, saved_at: int) -> list[MailboxId]:
    """All mail of INBOX to `target`; which mailboxes changed."""
    uids = [row.uid for row in mine.messages.rows(inbox.id)]
    mine.messages.copy(inbox.id, uids, target.id, saved_at)
    mine.messages.expunge(inbox.id, uids)
    return [inbox.id]
