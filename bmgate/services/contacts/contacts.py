"""Contacts of an account: its own words for addresses, and what it thinks of mail from there (M3, A2, A7, O11)."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from bmgate.bm.addresses import PREFIX, Address
from bmgate.domain.account import AccountId
from bmgate.domain.contact import Contact, Standing
from bmgate.domain.mailbox import MailboxId, MailboxKind
from bmgate.domain.objects import StoredObject
from bmgate.domain.policy import Reads, Scope
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Clock
from bmgate.errors import Conflict, LimitReached, Missing, NotAllowed, RecipientMissing
from bmgate.mail.addresses import Domains, RecipientKind, resolve_recipient
from bmgate.mail.text import clean_line
from bmgate.mail.uris import split_uri
from bmgate.mail.write import MAX_LABEL, usable_label
from bmgate.services.batch import Tell, apply_all, untold
from bmgate.services.contacts.request_mailbox import writers_of
from bmgate.services.delivery.held_acks import HeldAcks
from bmgate.services.delivery.strangers import REQUESTS
from bmgate.services.directory import AccountDirectory
from bmgate.services.events import MailboxEvents
from bmgate.services.inbound.lists import MailingLists
from bmgate.services.mailboxes.indexed import to_minute
from bmgate.services.mailboxes.mailbox_rules import Effects
from bmgate.services.policies import Policies, Shown

MAX_CONTACTS = 5_000  # of one account: each is opened where a name is looked up


@dataclass(frozen=True, slots=True)
class Entry:
    """A contact with what is known of him: `reads` as the account says, `shown` as his program showed."""

    contact: Contact
    reads: Reads
    shown: Reads
    is_relay: bool

    @property
    def address(self) -> Address:
        return self.contact.address


@dataclass(frozen=True, slots=True)
class NewContact:
    """A line of a batch, or a card; `address` as people write it. Without a label that of a link is one."""

    address: str
    label: str
    standing: Standing = Standing.NONE
    is_relay: bool = False
    may_be_own: bool = False


@dataclass(frozen=True, slots=True)
class _Moved:
    """What a word about a sender moved, and whom it lets us confirm."""

    mailboxes: tuple[MailboxId, ...] = ()
    acks: tuple[StoredObject, ...] = ()
    effects: Effects = ()


class Contacts:
    """The contacts of all accounts, one account at a time."""

    def __init__(
        self,
        database: Database,
        events: MailboxEvents,
        clock: Clock,
        domains: Domains,
        policies: Policies,
        held: HeldAcks,
        lists: MailingLists,
    ) -> None:
        self._database, self._events, self._clock = database, events, clock
        self._domains, self._policies, self._held, self._lists = domains, policies, held, lists

    # -- looking ---------------------------------------------------------------------------------------------------

    async def all(self, account: AccountId, start: int = 0, most: int | None = None) -> list[Entry]:
        """Those with a word of the account's, and those it allowed or blocked, oldest first; or a part of them."""

        def look(store: Store) -> list[Entry]:
            mine = store.account(account)
            entries = mine.contacts.entries()[start:]
            return [self._entry(mine, contact) for contact in entries[:most]]

        return await self._database.read(look)

    async def show(self, account: AccountId, text: str) -> Entry:
        """One contact, by label, alias or address; raises Missing, and what addresses raise."""
        return await self._database.read(lambda store: self._known(store, account, self.named(store, account, text)))

    async def find(self, account: AccountId, text: str) -> Address:
        """Whom people mean, a contact or not; raises as `named`."""
        return await self._database.read(lambda store: self.named(store, account, text))

    async def options(self, account: AccountId, text: str) -> list[Shown]:
        """What can be set for one contact, with what is in force; raises as `show`."""

        def look(store: Store) -> list[Shown]:
            address = self.named(store, account, text)
            return self._policies.shown(store.account(account), contact=address)

        return await self._database.read(look)

    # -- the address book ------------------------------------------------------------------------------------------

    async def add(self, account: AccountId, text: str, label: str, *, if_missing: bool = False) -> Entry:
        """Put an address into the book; raises Conflict when it is there, unless that is welcome."""
        return (await self.put(account, NewContact(text, label), if_missing=if_missing))[0]

    async def put(self, account: AccountId, new: NewContact, *, if_missing: bool = False) -> tuple[Entry, bool]:
        """The same, and whether it is new."""
        return await self._database.transact(lambda store: self._add(store, account, new, if_missing, _Room()))

    async def add_all(
        self, accounts: Iterable[tuple[int, AccountId, NewContact]], tell: Tell = untold, *, if_missing: bool = False
    ) -> list[tuple[Entry, bool]]:
        """Many at once, all or none, each with the number of its line; whether each is new. Raises BatchRefused."""

        def step(account: AccountId, new: NewContact) -> Callable[[Store], tuple[Entry, bool]]:
            return lambda store: self._add(store, account, new, if_missing, room)

        room = _Room()
        steps = [(line, step(account, new)) for line, account, new in accounts]
        return await apply_all(self._database, steps, tell)

    async def label(self, account: AccountId, text: str, label: str) -> Entry:
        """Give an address that word, whether or not it has one."""

        def change(store: Store) -> Entry:
            address = self.named(store, account, text)
            _refuse_own(store.account(account), address)
            self._save(store, account, address, label)
            return self._known(store, account, address)

        return await self._database.transact(change)

    async def remove(self, account: AccountId, text: str) -> Entry:
        """Take out of the book, with all that was decided about it; raises Missing."""

        def take_out(store: Store) -> Entry:
            mine, address = store.account(account), self.named(store, account, text)
            entry = self._known(store, account, address)
            ref = mine.contacts.ref_of(address)
            for name in mine.settings.values(Scope.CONTACT, ref):
                mine.settings.put(Scope.CONTACT, ref, name, None)
            mine.contacts.remove(address)
            return entry

        return await self._database.transact(take_out)

    async def set(self, account: AccountId, text: str, option: str, words: str) -> Entry:
        """Set an option for one contact, or its `label`; empty words go back to what holds for the account.

        Raises as `show`, and BadOption.
        """
        if option.strip().lower() == "label":
            return await self.label(account, text, words)

        def change(store: Store) -> Entry:
            mine, address = store.account(account), self.named(store, account, text)
            self._policies.set(mine, option, words or None, contact=address)
            return self._known(store, account, address)

        return await self._database.transact(change)

    # -- what is thought of a sender -------------------------------------------------------------------------------

    async def allow(self, account: AccountId, text: str) -> Entry:
        """Undo a block, let mail of this sender out of Requests, and confirm it."""
        return await self._judge(account, text, Standing.ALLOWED)

    async def block(self, account: AccountId, text: str) -> Entry:
        """Have mail of this sender go to Junk, unconfirmed; what waits in Requests goes there too."""
        return await self._judge(account, text, Standing.BLOCKED)

    async def _judge(self, account: AccountId, text: str, standing: Standing) -> Entry:
        def judge(store: Store) -> tuple[Entry, _Moved]:
            mine, address = store.account(account), self.named(store, account, text)
            _refuse_own(mine, address)
            mine.contacts.set_standing(address, standing)
            return self._known(store, account, address), self._sort(store, mine, address, standing)

        entry, moved = await self._database.transact(judge)
        self._events.changed(moved.mailboxes)
        self._held.released(moved.acks)
        for effect in moved.effects:
            effect()
        return entry

    def _sort(self, store: Store, mine: AccountStore, sender: Address, standing: Standing) -> _Moved:
        """Mail of this sender that waits goes where it belongs now."""
        now, is_allowed = self._clock.now(), standing is Standing.ALLOWED
        acks = tuple(self._held.release(store, mine, sender, now)) if is_allowed else ()
        if not is_allowed:
            mine.held_acks.take(sender)
        waiting = mine.mailboxes.find(REQUESTS)
        uids = [] if waiting is None else _by(mine, waiting.id, sender)
        if waiting is None or not uids:
            return _Moved(acks=acks)
        place = mine.mailboxes.by_kind(MailboxKind.INBOX if is_allowed else MailboxKind.JUNK).id
        effects = self._lists.approved(mine, waiting.id, uids) if is_allowed else ()
        mine.messages.copy(waiting.id, uids, place, to_minute(now))
        mine.messages.expunge(waiting.id, uids)
        return _Moved((waiting.id, place), acks, effects)

    # -- within a transaction --------------------------------------------------------------------------------------

    def named(self, store: Store, account: AccountId, text: str) -> Address:
        """Whom people mean: by the exact label, else as a recipient of a mail is named (1.2).

        Also by a `bitmessage:` link. Raises what `resolve_recipient` raises, and NotAllowed for a name that is no
        address, or that of an Internet address behind a relay. A tag is part of the label here, or a mistake.
        """
        text = split_uri(text)[0]
        wanted = clean_line(text).lower()
        directory = AccountDirectory(store, account)
        if not wanted.startswith(PREFIX.lower()):  # no label does: it would look like an address
            if (found := directory.nickname(wanted)) is not None:
                return found
            if "+" in wanted:
                raise RecipientMissing(f"{clean_line(text)} is the label of no contact")
        resolved = resolve_recipient(text, self._domains, directory)
        if resolved.kind is not RecipientKind.ADDRESS or resolved.address is None or resolved.internet:
            raise NotAllowed(f"{clean_line(text)} is no address of somebody")
        return resolved.address

    def _add(
        self, store: Store, account: AccountId, new: NewContact, if_missing: bool, room: "_Room"
    ) -> tuple[Entry, bool]:
        mine, address = store.account(account), self.named(store, account, new.address)
        label = mine.contacts.label_of(address)
        if label and not if_missing:
            raise Conflict(f"{address} is in the address book already, as {label!r}")
        if label:
            return self._known(store, account, address), False
        if not new.may_be_own:
            _refuse_own(mine, address)
        room.take(store, mine)
        contact = _saved(mine, address, new.label or split_uri(new.address)[1])
        if new.standing is not Standing.NONE:
            mine.contacts.set_standing(address, new.standing)
            contact = replace(contact, standing=new.standing)
        if new.is_relay:
            self._policies.set(mine, "relay", "on", contact=address)
        return self._entry(mine, contact), True

    def _save(self, store: Store, account: AccountId, address: Address, label: str) -> None:
        mine = store.account(account)
        if not mine.contacts.label_of(address):
            _Room().take(store, mine)
        _saved(mine, address, label)

    def _known(self, store: Store, account: AccountId, address: Address) -> Entry:
        """Raises Missing for an address about which the account said nothing."""
        mine = store.account(account)
        contact = Contact(address, mine.contacts.label_of(address), mine.contacts.standing_of(address))
        entry = self._entry(mine, contact)
        if not contact.label and contact.standing is Standing.NONE and not entry.is_relay and entry.reads is Reads.AUTO:
            raise Missing(f"{address} is not among your contacts")
        return entry

    def _entry(self, mine: AccountStore, contact: Contact) -> Entry:
        policy = self._policies.of(mine, contact=contact.address)
        return Entry(contact, policy.reads, mine.contacts.reads_of(contact.address), policy.relay)


class _Room:
    """How many contacts more each account may have: counted once in a unit of work, for counting is no small work."""

    def __init__(self) -> None:
        self._store: Store | None = None
        self._left: dict[AccountId, int] = {}

    def take(self, store: Store, mine: AccountStore) -> None:
        """Room for one; raises LimitReached where there is none."""
        if store is not self._store:
            self._store, self._left = store, {}
        account = mine.account.id
        if account not in self._left:
            self._left[account] = MAX_CONTACTS - mine.contacts.count()
        if self._left[account] <= 0:
            raise LimitReached(f"an address book holds at most {MAX_CONTACTS} contacts")
        self._left[account] -= 1


def _saved(mine: AccountStore, address: Address, label: str) -> Contact:
    contact = Contact(address, clean_line(label), mine.contacts.standing_of(address))
    check_label(contact.label)
    mine.contacts.save(contact)
    return contact


def check_label(label: str) -> None:
    """Raises NotAllowed for a word that cannot be shown beside an address (A2)."""
    if not 1 <= len(label) <= MAX_LABEL:
        raise NotAllowed(f"a label has 1 to {MAX_LABEL} characters")
    if usable_label(label) != label or label.upper().startswith(PREFIX):
        raise NotAllowed("a label does not look like an address")


def _refuse_own(mine: AccountStore, address: Address) -> None:
    if mine.identities.find(address) is not None:
        raise NotAllowed(f"{address} is your own")


def _by(mine: AccountStore, mailbox: MailboxId, sender: Address) -> list[int]:
    """The mails of one sender."""
    uids: Collection[int] = [row.uid for row in mine.messages.rows(mailbox)]
    return [uid for uid in uids if writers_of(mine, mailbox, [uid]) == [sender]]
