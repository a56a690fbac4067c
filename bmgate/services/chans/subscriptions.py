"""Subscriptions of an account: whose broadcasts it reads (mail conversion M5).

Nothing of it goes on the wire: broadcasts reach every node, and a subscription only has them opened. Each has a mailbox
of its own, whose name below `Subscriptions/` is the subscriber's label.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from bmgate.bm.addresses import Address
from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import Mailbox
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Clock
from bmgate.domain.subscription import SUBSCRIPTIONS
from bmgate.domain.subscription import Subscription as Stored
from bmgate.errors import Conflict, LimitReached, Missing
from bmgate.mail.text import clean_line
from bmgate.services.batch import Tell, apply_all, untold
from bmgate.services.chans.naming import meant
from bmgate.services.events import MailboxEvents
from bmgate.services.mailboxes.mailbox_names import below, check_label, label_of, make_shown, relabel

MAX_SUBSCRIPTIONS = 1_000  # of one account


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription as the subscriber sees it: `label` is his own word for the address."""

    stored: Stored
    label: str


@dataclass(frozen=True, slots=True)
class Subscribing:
    """Who wants to read whom; without a label the address is one."""

    account: AccountId
    address: Address
    label: str = ""


class Subscriptions:
    """The subscriptions of all accounts, one account at a time.

    `changed` is called after each commit after which other broadcasts are wanted.
    """

    def __init__(self, database: Database, events: MailboxEvents, clock: Clock, changed: Callable[[], None]) -> None:
        self._database, self._events, self._clock, self.changed = database, events, clock, changed

    async def all(self, account: AccountId) -> list[Subscription]:
        """Oldest first."""

        def look(store: Store) -> list[Subscription]:
            mine = store.account(account)
            return [_subscription(mine, stored) for stored in mine.subscriptions.all()]

        return await self._database.read(look)

    async def subscribe(
        self, account: AccountId, address: Address, label: str = "", *, if_missing: bool = False
    ) -> Subscription:
        """Have the broadcasts of an address delivered; raises Conflict when they are already, but for `if_missing`."""
        return (await self.put(Subscribing(account, address, label), if_missing=if_missing))[0]

    async def put(self, wanted: Subscribing, *, if_missing: bool = False) -> tuple[Subscription, bool]:
        """The same, and whether it is new."""
        step, now = self._subscribe, self._clock.now()
        subscribed = await self._database.transact(lambda store: step(store, wanted, now, if_missing=if_missing))
        self.changed()
        return subscribed

    async def subscribe_all(
        self, wanted: Iterable[tuple[int, Subscribing]], tell: Tell = untold, *, if_missing: bool = False
    ) -> list[tuple[Subscription, bool]]:
        """All or none, each with the number of its line: what there is now, and whether it is new.

        Raises BatchRefused.
        """
        now = self._clock.now()
        steps = [(line, partial(self._subscribe, wanted=each, now=now, if_missing=if_missing)) for line, each in wanted]
        return await apply_all(self._database, steps, tell, self.changed)

    def _subscribe(self, store: Store, wanted: Subscribing, now: int, *, if_missing: bool) -> tuple[Subscription, bool]:
        mine, address = store.account(wanted.account), wanted.address
        former = mine.subscriptions.find(address)
        if if_missing and former is not None:
            return _subscription(mine, former), False
        label = clean_line(wanted.label)
        check_label(label)
        mailbox = self.add(mine, address, below(SUBSCRIPTIONS, label or str(address)), now)
        stored = mine.subscriptions.by_mailbox(mailbox.id)
        assert stored is not None, "it was made for this mailbox"
        return Subscription(stored, label_of(mailbox)), True

    async def unsubscribe(self, account: AccountId, text: str) -> Subscription:
        """End a subscription, named by label or address; its mailbox goes with all mail; raises Missing."""

        def end(store: Store) -> Subscription:
            mine = store.account(account)
            subscription = find(mine, text)
            self.end(mine, subscription.stored)
            mine.mailboxes.delete(subscription.stored.mailbox)
            return subscription

        ended = await self._database.transact(end)
        self.changed()
        self._events.changed([ended.stored.mailbox])
        return ended

    async def set_enabled(self, account: AccountId, text: str, enabled: bool) -> Subscription:
        """Pause a subscription, or go on: what came in between and is still there is delivered. Raises Missing."""

        def change(store: Store) -> Subscription:
            mine = store.account(account)
            found = find(mine, text)
            if found.stored.enabled != enabled:
                mine.subscriptions.set_enabled(found.stored.id, enabled)
            return find(mine, str(found.stored.address))

        changed = await self._database.transact(change)
        self.changed()
        return changed

    async def label(self, account: AccountId, text: str, label: str) -> Subscription:
        """Call a subscription something else, and its mailbox; raises Missing, MailboxExists, NotAllowed."""

        def change(store: Store) -> Subscription:
            mine = store.account(account)
            found = find(mine, text)
            relabel(mine.mailboxes, found.stored.mailbox, clean_line(label))
            return _subscription(mine, found.stored)

        return await self._database.transact(change)

    # -- for whoever has a transaction already -----------------------------------------------------------------------

    def end(self, mine: AccountStore, stored: Stored) -> None:
        """End one within a transaction; the mailbox, to which nobody stays subscribed, is the caller's to delete."""
        mine.mailboxes.set_subscribed(stored.mailbox, False)
        mine.subscriptions.remove(stored.id)

    def add(self, mine: AccountStore, address: Address, name: str, now: int) -> Mailbox:
        """Subscribe within a transaction, with a mailbox of that name; raises Conflict, LimitReached at 1,000."""
        if mine.subscriptions.find(address) is not None:
            raise Conflict(f"you are subscribed to {address} already")
        if mine.subscriptions.count() >= MAX_SUBSCRIPTIONS:
            raise LimitReached(f"an account has at most {MAX_SUBSCRIPTIONS} subscriptions")
        mailbox = make_shown(mine.mailboxes, name, now)
        mine.subscriptions.add(address, mailbox.id, now)
        return mailbox


def find(mine: AccountStore, text: str) -> Subscription:
    """A subscription by its address or its label, as `meant` says; raises Missing, BadAddress."""
    found = meant(mine, SUBSCRIPTIONS, text, mine.subscriptions.find, mine.subscriptions.by_mailbox)
    if found is not None:
        return _subscription(mine, found)
    known = ", ".join(_subscription(mine, stored).label for stored in mine.subscriptions.all()) or "none"
    raise Missing(f"you have no subscription {text!r}; your subscriptions: {known}")


def _subscription(mine: AccountStore, stored: Stored) -> Subscription:
    return Subscription(stored, label_of(mine.mailboxes.get(stored.mailbox)))
