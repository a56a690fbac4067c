"""Mailboxes for what comes in: found or made, within one transaction."""

from collections.abc import Iterable

from bmgate.bm.addresses import Address
from bmgate.domain.mailbox import DELIMITER, Mailbox, MailboxKind
from bmgate.domain.moving import MovedMailbox, Parcel
from bmgate.domain.ports.account_store import AccountStore
from bmgate.errors import LimitReached, MailboxMissing, Missing
from bmgate.mail.text import clean_line
from bmgate.services.mailboxes.mailbox_names import (
    MAX_MAILBOXES,
    PARENTS,
    below,
    check_name,
    fitting,
    make_with_parents,
    resolve,
    spelled_here,
)
from bmgate.services.moving.report import Report

IMPORTED = "Imported"  # above mailboxes whose names mean something else here
HOLD_NOTHING = frozenset({MailboxKind.PARENT, MailboxKind.OUTBOX})  # that could come from elsewhere

Place = tuple[str, Address | None]
"""Where mail belongs: a mailbox's name, and the chan or subscription whose mailbox is meant if there is one."""


def place_of(mine: AccountStore, place: Place, now: int, report: Report, *, subscribed: bool = True) -> Mailbox:
    """The mailbox that takes such mail, made if need be; raises NotAllowed for a name that cannot be one.

    What stands in names elsewhere and in none here becomes `_`. Raises LimitReached.
    """
    name, of = place
    if of is not None:
        found = mine.chans.find(of) or mine.subscriptions.find(of)
        if found is not None:
            return mine.mailboxes.get(found.mailbox)
    name = _fitted(name)
    check_name(name)
    mailbox = _resolved(mine, name)
    if mailbox is not None and mailbox.kind not in HOLD_NOTHING:
        return mailbox
    if mailbox is not None or name.partition(DELIMITER)[0] in PARENTS:
        name = IMPORTED + DELIMITER + name
        check_name(name)
        mailbox = _resolved(mine, name)
    if mailbox is None:
        report.count("mailboxes", new=True)
        mailbox = make_with_parents(mine.mailboxes, name, now, subscribed)
    return mailbox


def check_mailboxes(mine: AccountStore, parcel: Parcel, places: Iterable[Place]) -> None:
    """Raises LimitReached where there would be too many, before any is made; those above others come on top of it."""
    there = {mailbox.name for mailbox in mine.mailboxes.all()}
    named = {each.name for each in parcel.mailboxes} | {name for name, of in places if of is None}
    after = len(there | {spelled_here(_fitted(name)) for name in named})
    if after > max(MAX_MAILBOXES, len(there)):
        raise LimitReached(f"the account would have {after} mailboxes; it may have {MAX_MAILBOXES}")


def make_mailboxes(mine: AccountStore, parcel: Parcel, now: int, report: Report, *, is_fresh: bool) -> None:
    """Those of a parcel. What is there already stays subscribed to or not, unless the account is fresh."""
    for moved in parcel.mailboxes:
        _make(mine, moved, now, report, is_fresh)
    if is_fresh:
        for name in parcel.former:
            if mine.mailboxes.find(name) is None:
                mine.mailboxes.keep_subscription(name)


def _make(mine: AccountStore, moved: MovedMailbox, now: int, report: Report, is_fresh: bool) -> None:
    mailbox = mine.mailboxes.find(moved.name)
    if mailbox is None and moved.name in PARENTS:
        mailbox = make_with_parents(mine.mailboxes, moved.name, now, moved.subscribed)
    if mailbox is None:
        mailbox = place_of(mine, (moved.name, None), now, report, subscribed=moved.subscribed)
    if is_fresh and mailbox.subscribed != moved.subscribed:
        mine.mailboxes.set_subscribed(mailbox.id, moved.subscribed)


def own_mailbox(
    mine: AccountStore,
    parent: str,
    label: str,
    address: Address,
    now: int,
    name: str = "",
    *,
    subscribed: bool,
    numbers: dict[str, int],
) -> Mailbox:
    """A mailbox below `parent` that nobody uses: `name` if it can be had, else by the label, which others may share.

    `numbers` tells the last number of each such label, so that a thousand that share one are quickly told apart.
    """
    name = _fitted(name)
    if name.startswith(parent + DELIMITER) and mine.mailboxes.find(name) is None:
        check_name(name)
        return make_with_parents(mine.mailboxes, name, now, subscribed)
    wanted = below(parent, clean_line(label)[:100] or str(address))
    for number in range(numbers.get(wanted, 1), MAX_MAILBOXES + 2):
        numbers[wanted] = number
        each = f"{wanted} {number}" if number > 1 else wanted
        if mine.mailboxes.find(each) is None:
            return make_with_parents(mine.mailboxes, each, now, subscribed)
    raise Missing("every name is taken")


def _fitted(name: str) -> str:
    return DELIMITER.join(map(fitting, name.split(DELIMITER)))


def _resolved(mine: AccountStore, name: str) -> Mailbox | None:
    try:
        return resolve(mine.mailboxes, name)
    except MailboxMissing:
        return None
