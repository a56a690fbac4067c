"""Taking a parcel in, within one transaction: what is there already stays as it is, what is new is added.

Whatever stands against it is raised, and then nothing is done. What is merely in the way of something small (a name
that is taken, an option that nobody knows any more) is left out and noted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bmgate.bm.addresses import Address
from bmgate.bm.network import NetworkParameters
from bmgate.domain.chan import CHANS, NewChan
from bmgate.domain.contact import Contact, Standing
from bmgate.domain.identity import IdentityId, NewIdentity
from bmgate.domain.mailbox import DELIMITER, Mailbox, MailboxId, MailboxKind, StagedMail
from bmgate.domain.moving import MovedChan, MovedContact, MovedIdentity, MovedSubscription, Parcel
from bmgate.domain.policy import Reads
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Store
from bmgate.domain.subscription import SUBSCRIPTIONS
from bmgate.errors import BadOption, Conflict, LimitReached, MailboxMissing, Missing, NotAllowed
from bmgate.mail.text import clean_line
from bmgate.services.behavior import behavior_of
from bmgate.services.chans.chans import MAX_CHANS
from bmgate.services.chans.subscriptions import MAX_SUBSCRIPTIONS
from bmgate.services.mailboxes.mailbox_names import PARENTS, below, check_name, make_with_parents, resolve
from bmgate.services.mailboxes.mailboxes import MAX_MAILBOXES
from bmgate.services.policies import Policies

IMPORTED = "Imported"  # above mailboxes whose names mean something else here
MAX_NOTES = 50
MAX_THINGS = 20_000  # of a kind: they are written in one transaction, which holds up all others

Place = tuple[str, Address | None]
"""Where mail belongs: a mailbox's name, and the chan or subscription whose mailbox is meant if there is one."""


@dataclass(slots=True)
class Count:
    """Of one kind of things."""

    new: int = 0
    there: int = 0


@dataclass(slots=True)
class Report:
    """What came, or would come."""

    counts: dict[str, Count] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    octets: int = 0
    mailboxes: list[MailboxId] = field(default_factory=list)

    def count(self, kind: str, *, new: bool, number: int = 1) -> None:
        """One more."""
        count = self.counts.setdefault(kind, Count())
        if new:
            count.new += number
        else:
            count.there += number

    def note(self, text: str) -> None:
        """At most fifty are kept."""
        if len(self.notes) < MAX_NOTES:
            self.notes.append(text)

    @property
    def changes_keys(self) -> bool:
        """Whether other mail is recognised now."""
        return any(self.counts.get(kind, Count()).new for kind in ("identities", "chans", "subscriptions"))


@dataclass(frozen=True, slots=True)
class Applier:
    """Applies parcels to accounts of this gateway."""

    policies: Policies
    network: NetworkParameters

    def apply(
        self,
        store: Store,
        mine: AccountStore,
        parcel: Parcel,
        mails: Mapping[Place, Sequence[StagedMail]],
        now: int,
        report: Report,
    ) -> None:
        """All of it. Raises Conflict for addresses of others, LimitReached, NotAllowed, BadOption never."""
        for kind, things in (("identities", parcel.identities), ("contacts", parcel.contacts)):
            if len(things) > MAX_THINGS:
                raise LimitReached(f"{len(things)} {kind} in one import; at most {MAX_THINGS}")
        for note in parcel.notes:
            report.note(note)
        mine = self._with_secrets(store, mine, parcel, report)
        for identity in parcel.identities:
            self._identity(store, mine, identity, now, report)
        for chan in parcel.chans:
            self._chan(mine, chan, now, report)
        for subscription in parcel.subscriptions:
            self._subscription(mine, subscription, now, report)
        for contact in parcel.contacts:
            self._contact(mine, contact, report)
        known = {each.option.name for each in self.policies.shown(mine) if each.is_set}
        self._options(mine, {name: words for name, words in parcel.options.items() if name not in known}, report)
        for pubkey in parcel.pubkeys:
            is_new = store.pubkeys.find(pubkey.address) is None
            report.count("pubkeys", new=is_new)
            if is_new:
                store.pubkeys.save(pubkey, now)
        for mailbox in parcel.mailboxes:
            made = place_of(mine, (mailbox.name, None), now, report)
            if made.subscribed != mailbox.subscribed:
                mine.mailboxes.set_subscribed(made.id, mailbox.subscribed)
        for place, staged in mails.items():
            target = place_of(mine, place, now, report)
            mine.messages.show_staged(target.id, staged, now // 60 * 60)
            report.mailboxes.append(target.id)
        if len(mine.mailboxes.all()) > MAX_MAILBOXES:
            raise LimitReached(f"an account has at most {MAX_MAILBOXES} mailboxes")
        self.policies.show_behavior(mine)

    def _with_secrets(self, store: Store, mine: AccountStore, parcel: Parcel, report: Report) -> AccountStore:
        """The account goes on with the secrets it had elsewhere (M1), unless it has begun a life of its own here."""
        if parcel.secrets is None or parcel.secrets == mine.secrets:
            return mine
        if mine.contacts.correspondents() or mine.duplicates.tags() or _has_mail(mine):
            report.note("the account has mail of its own: what comes twice from before the move will show twice")
            return mine
        store.accounts.replace_secrets(mine.account.id, parcel.secrets)
        fresh = store.account(mine.account.id)
        fresh.duplicates.take_over(parcel.duplicates)
        return fresh

    def _identity(self, store: Store, mine: AccountStore, moved: MovedIdentity, now: int, report: Report) -> None:
        there = next((each for each in mine.identities.all() if each.address == moved.address), None)
        report.count("identities", new=there is None)
        if there is not None:
            return
        if any(each.address == moved.address for each in mine.identities.deleted()):
            raise Conflict(f"{moved.address} was deleted; first: bmgate address undelete {moved.address}")
        if store.identities.by_address(moved.address) is not None:
            raise Conflict(f"{moved.address} belongs to another account of this gateway")
        has_default = mine.identities.default() is not None
        trials = max(moved.nonce_trials_per_byte or 0, self.network.nonce_trials_per_byte)
        extra = max(moved.payload_length_extra_bytes or 0, self.network.payload_length_extra_bytes)
        identity = mine.identities.add(
            NewIdentity(
                address=moved.address,
                keys=moved.keys,
                label=moved.label,
                is_default=not has_default,
                nonce_trials_per_byte=trials,
                payload_length_extra_bytes=extra,
                created_at=now if moved.created_at is None else min(moved.created_at, now),
                behavior=int(behavior_of(self.policies.of(mine))),
                pubkey_sent_at=None if moved.pubkey_sent_at is None else min(moved.pubkey_sent_at, now),
            )
        )
        if moved.is_default and report.counts["identities"].there == 0:
            mine.identities.set_default(identity.id)
        if not moved.enabled:
            mine.identities.set_enabled(identity.id, False)
        for alias in moved.aliases:
            try:
                mine.identities.add_alias(alias, identity.id, now)
            except (Conflict, NotAllowed):
                report.note(f"the alias {alias} of {moved.address} is taken here")
        self._options(mine, moved.options, report, identity=identity.id)

    def _chan(self, mine: AccountStore, moved: MovedChan, now: int, report: Report) -> None:
        there = mine.chans.find(moved.address)
        report.count("chans", new=there is None)
        if there is not None:
            return
        if len(mine.chans.all()) >= MAX_CHANS:
            raise LimitReached(f"an account takes part in at most {MAX_CHANS} chans")
        mailbox = _own_mailbox(mine, CHANS, moved.label, moved.address, now)
        membership = mine.chans.join(NewChan(moved.address, moved.keys), mailbox.id, now)
        self._options(mine, moved.options, report, membership=membership.id)

    def _subscription(self, mine: AccountStore, moved: MovedSubscription, now: int, report: Report) -> None:
        there = mine.subscriptions.find(moved.address)
        report.count("subscriptions", new=there is None)
        if there is not None:
            return
        if len(mine.subscriptions.all()) >= MAX_SUBSCRIPTIONS:
            raise LimitReached(f"an account has at most {MAX_SUBSCRIPTIONS} subscriptions")
        mailbox = _own_mailbox(mine, SUBSCRIPTIONS, moved.label, moved.address, now)
        subscription = mine.subscriptions.add(moved.address, mailbox.id, now)
        if not moved.enabled:
            mine.subscriptions.set_enabled(subscription.id, False)

    def _contact(self, mine: AccountStore, moved: MovedContact, report: Report) -> None:
        contacts, address = mine.contacts, moved.address
        if moved.label or moved.standing is not Standing.NONE:
            is_new = not contacts.label_of(address) and contacts.standing_of(address) is Standing.NONE
            report.count("contacts", new=is_new)
        if moved.label and not contacts.label_of(address):
            contacts.save(Contact(address, moved.label))
        if moved.standing is not Standing.NONE and contacts.standing_of(address) is Standing.NONE:
            contacts.set_standing(address, moved.standing)
        if moved.reads is not Reads.AUTO and contacts.reads_of(address) is Reads.AUTO:
            contacts.learn_reads(address, moved.reads)
        if moved.corresponded:
            contacts.note_correspondent(address)
        if moved.written_to:
            contacts.note_written(address)
        self._options(mine, moved.options, report, contact=address)

    def _options(
        self,
        mine: AccountStore,
        options: Mapping[str, str],
        report: Report,
        *,
        identity: IdentityId | None = None,
        **where: Any,
    ) -> None:
        for name, words in options.items():
            try:
                self.policies.set(mine, name, words, identity, **where)
            except BadOption as error:
                report.note(f"left out an option: {error}")


def place_of(mine: AccountStore, place: Place, now: int, report: Report) -> Mailbox:
    """The mailbox that takes such mail, made if need be; raises NotAllowed for a name that cannot be one."""
    name, of = place
    if of is not None:
        found = mine.chans.find(of) or mine.subscriptions.find(of)
        if found is not None:
            return mine.mailboxes.get(found.mailbox)
    check_name(name)
    mailbox = _resolved(mine, name)
    if mailbox is not None and mailbox.kind not in (MailboxKind.PARENT, MailboxKind.OUTBOX):
        return mailbox
    if mailbox is not None or name.partition(DELIMITER)[0] in PARENTS:
        name = IMPORTED + DELIMITER + name
        check_name(name)
        mailbox = _resolved(mine, name)
    if mailbox is None:
        report.count("mailboxes", new=True)
        mailbox = make_with_parents(mine.mailboxes, name, now)
    return mailbox


def _resolved(mine: AccountStore, name: str) -> Mailbox | None:
    try:
        return resolve(mine.mailboxes, name)
    except MailboxMissing:
        return None


def _own_mailbox(mine: AccountStore, parent: str, label: str, address: Address, now: int) -> Mailbox:
    """A mailbox that nobody uses: the label may be that of another chan."""
    wanted = clean_line(label)[:100] or str(address)
    for name in _names(below(parent, wanted)):
        if mine.mailboxes.find(name) is None:
            return make_with_parents(mine.mailboxes, name, now)
    raise Missing("every name is taken")


def _names(name: str) -> Iterable[str]:
    yield name
    for number in range(2, MAX_MAILBOXES + 2):
        yield f"{name} {number}"


def _has_mail(mine: AccountStore) -> bool:
    mailboxes = [each for each in mine.mailboxes.all() if each.kind is not MailboxKind.PARENT]
    return any(mine.mailboxes.status(each.id).messages for each in mailboxes)
