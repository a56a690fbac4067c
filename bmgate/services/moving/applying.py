"""Taking a parcel in, within one transaction: what is there already stays as it is, what is new is added.

Whatever stands against it is raised, and then nothing is done. What is merely in the way of something small (a name
that is taken, an option that nobody knows any more) is left out and noted.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bmgate.bm.addresses import Address
from bmgate.bm.network import NetworkParameters
from bmgate.domain.chan import CHANS, NewChan
from bmgate.domain.contact import Contact, Standing
from bmgate.domain.identity import Identity, IdentityId, NewIdentity
from bmgate.domain.mailbox import MailboxKind, StagedMail
from bmgate.domain.moving import MovedChan, MovedContact, MovedIdentity, MovedSubscription, Parcel
from bmgate.domain.policy import Reads, Scope
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Store
from bmgate.domain.subscription import SUBSCRIPTIONS
from bmgate.errors import BadOption, Conflict, LimitReached, NotAllowed
from bmgate.mail.text import clean_line
from bmgate.mail.write import MAX_LABEL
from bmgate.services.behavior import behavior_of
from bmgate.services.chans.chans import MAX_CHANS
from bmgate.services.chans.subscriptions import MAX_SUBSCRIPTIONS
from bmgate.services.contacts.contacts import MAX_CONTACTS, check_label
from bmgate.services.identities.requests import MAX_DIFFICULTY, check_room
from bmgate.services.mailboxes.keywords import refuse_many_of_mailbox
from bmgate.services.moving.places import Place, check_mailboxes, make_mailboxes, own_mailbox, place_of
from bmgate.services.moving.report import Report
from bmgate.services.policies import Policies

MAX_THINGS = 20_000  # of a kind: they are written in one transaction, which holds up all others
MAX_TAGS = 200_000
MAX_THREADS = 20_000  # vectors, and as many other words


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
        check_limits(mine, parcel)
        check_mailboxes(mine, parcel, mails)
        for note in parcel.notes:
            report.note(note)
        mine, is_fresh = self._with_secrets(store, mine, parcel, report)
        make_mailboxes(mine, parcel, now, report, is_fresh=is_fresh)  # options of addresses name them
        self._identities(store, mine, parcel.identities, now, report)
        numbers = dict[str, int]()
        for chan in parcel.chans:
            self._chan(mine, chan, now, report, numbers)
        for subscription in parcel.subscriptions:
            self._subscription(mine, subscription, now, report, numbers)
        remembered = set(mine.contacts.known()) if parcel.contacts else set()
        for contact in parcel.contacts:
            self._contact(mine, contact, report, is_known=contact.address in remembered)
            remembered.add(contact.address)
        known = {each.option.name for each in self.policies.shown(mine) if each.is_set}
        self._options(mine, {name: words for name, words in parcel.options.items() if name not in known}, report)
        for pubkey in parcel.pubkeys:
            is_new = store.pubkeys.find(pubkey.address) is None
            report.count("pubkeys", new=is_new)
            if is_new:
                store.pubkeys.save(pubkey, now)
        mine.threads.take_over(parcel.threads)
        for place, staged in mails.items():
            target = place_of(mine, place, now, report)
            refuse_many_of_mailbox(mine.messages, target.id, {word for mail in staged for word in mail.keywords})
            mine.messages.show_staged(target.id, staged, now // 60 * 60)
            report.mailboxes.append(target.id)
        self.policies.show_behavior(mine)

    def _with_secrets(
        self, store: Store, mine: AccountStore, parcel: Parcel, report: Report
    ) -> tuple[AccountStore, bool]:
        """The account goes on with the secrets it had elsewhere (M1), unless it has begun a life of its own here.

        What is found by tags under those secrets comes with them. Also whether its life begins with them.
        """
        if parcel.secrets is None:
            return mine, False
        is_fresh = parcel.secrets != mine.secrets
        if is_fresh:
            if mine.contacts.correspondents() or mine.duplicates.tags() or _has_mail(mine):
                report.note("the account has mail of its own: what comes twice from before the move will show twice")
                return mine, False
            store.accounts.replace_secrets(mine.account.id, parcel.secrets)
            mine = store.account(mine.account.id)
        mine.duplicates.take_over(parcel.duplicates)
        mine.held_acks.take_over(parcel.held_acks)
        return mine, is_fresh

    def _identities(
        self, store: Store, mine: AccountStore, moving: Iterable[MovedIdentity], now: int, report: Report
    ) -> None:
        deleted = {each.address for each in mine.identities.deleted()}
        behavior = int(behavior_of(self.policies.of(mine)))
        for moved in moving:
            if _has_identity(mine, moved, deleted):
                report.count("identities", new=False)
                continue
            self._identity(store, mine, moved, now, behavior, report)
            if moved.deleted_at is not None:
                deleted.add(moved.address)

    def _identity(
        self, store: Store, mine: AccountStore, moved: MovedIdentity, now: int, behavior: int, report: Report
    ) -> None:
        identity = self._added(store, mine, moved, now, behavior, report)
        if identity is None:
            return
        report.count("identities" if moved.deleted_at is None else "deleted identities", new=True)
        if moved.is_default and report.counts["identities"].there == 0:
            mine.identities.set_default(identity.id)
        if not moved.enabled:
            mine.identities.set_enabled(identity.id, False)
        for alias in moved.aliases:
            try:
                mine.identities.add_alias(alias, identity.id, now)
            except (Conflict, NotAllowed):
                report.note(f"the alias {alias} of {moved.address} is taken here")
        for correspondent, at in moved.answered:
            mine.answers.note(identity.id, correspondent, min(at, now))
        self._options(mine, moved.options, report, identity=identity.id)
        if moved.deleted_at is not None:
            mine.identities.delete(identity.id, min(moved.deleted_at, now))

    def _added(
        self, store: Store, mine: AccountStore, moved: MovedIdentity, now: int, behavior: int, report: Report
    ) -> Identity | None:
        """None for what was deleted there and is somebody else's here; raises Conflict for what was not deleted."""
        if moved.deleted_at is None and store.identities.by_address(moved.address) is not None:
            raise Conflict(f"{moved.address} belongs to another account of this gateway")
        try:
            return mine.identities.add(self._new_identity(mine, moved, now, behavior, report))
        except Conflict:
            if moved.deleted_at is None:
                raise
            report.note(f"{moved.address}, which was deleted there, is another's here")
            return None

    def _new_identity(
        self, mine: AccountStore, moved: MovedIdentity, now: int, behavior: int, report: Report
    ) -> NewIdentity:
        least = self.network.nonce_trials_per_byte, self.network.payload_length_extra_bytes
        asked = moved.nonce_trials_per_byte or 0, moved.payload_length_extra_bytes or 0
        trials, extra = (min(max(one, low), MAX_DIFFICULTY * low) for one, low in zip(asked, least, strict=True))
        if trials < asked[0] or extra < asked[1]:
            report.note(f"{moved.address} demanded more than {MAX_DIFFICULTY} times the usual work: now it is that")
        return NewIdentity(
            address=moved.address,
            keys=moved.keys,
            label=clean_line(moved.label)[:MAX_LABEL],
            is_default=mine.identities.default() is None and moved.deleted_at is None,
            nonce_trials_per_byte=trials,
            payload_length_extra_bytes=extra,
            created_at=now if moved.created_at is None else min(moved.created_at, now),
            behavior=behavior,
            pubkey_sent_at=None if moved.pubkey_sent_at is None else min(moved.pubkey_sent_at, now),
        )

    def _chan(self, mine: AccountStore, moved: MovedChan, now: int, report: Report, numbers: dict[str, int]) -> None:
        there = mine.chans.find(moved.address)
        report.count("chans", new=there is None)
        if there is not None:
            return
        mailbox = own_mailbox(
            mine, CHANS, moved.label, moved.address, now, moved.mailbox, subscribed=moved.subscribed, numbers=numbers
        )
        membership = mine.chans.join(NewChan(moved.address, moved.keys), mailbox.id, now)
        self._options(mine, moved.options, report, membership=membership.id)

    def _subscription(
        self, mine: AccountStore, moved: MovedSubscription, now: int, report: Report, numbers: dict[str, int]
    ) -> None:
        there = mine.subscriptions.find(moved.address)
        report.count("subscriptions", new=there is None)
        if there is not None:
            return
        mailbox = own_mailbox(
            mine,
            SUBSCRIPTIONS,
            moved.label,
            moved.address,
            now,
            moved.mailbox,
            subscribed=moved.subscribed,
            numbers=numbers,
        )
        subscription = mine.subscriptions.add(moved.address, mailbox.id, now)
        if not moved.enabled:
            mine.subscriptions.set_enabled(subscription.id, False)

    def _contact(self, mine: AccountStore, moved: MovedContact, report: Report, *, is_known: bool) -> None:
        contacts, address, label = mine.contacts, moved.address, _label_of(moved, report)
        has_label, has_standing = False, False
        if is_known:
            has_label, has_standing = (
                bool(contacts.label_of(address)),
                contacts.standing_of(address) is not Standing.NONE,
            )
        if label or moved.standing is not Standing.NONE:
            report.count("contacts", new=not has_label and not has_standing)
        if label and not has_label:
            contacts.save(Contact(address, label))
        if moved.standing is not Standing.NONE and not has_standing:
            contacts.set_standing(address, moved.standing)
        if moved.reads is not Reads.AUTO and contacts.reads_of(address) is Reads.AUTO:
            contacts.learn_reads(address, moved.reads)
        if moved.written_to:
            contacts.note_written(address)  # which says both
        elif moved.corresponded:
            contacts.note_correspondent(address)
        here = mine.settings.values(Scope.CONTACT, contacts.ref_of(address)) if moved.options else {}
        self._options(mine, {k: v for k, v in moved.options.items() if k not in here}, report, contact=address)

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


def check_limits(mine: AccountStore, parcel: Parcel) -> None:
    """Raises LimitReached where the account would have more of something than it may, and says how many."""
    for kind, things, most in (
        ("addresses", parcel.identities, MAX_THINGS),
        ("contacts", parcel.contacts, MAX_THINGS),
        ("duplicates", parcel.duplicates, MAX_TAGS),
        ("threads", parcel.threads, 2 * MAX_THREADS),
        ("held acks", parcel.held_acks, MAX_THINGS),
    ):
        if len(things) > most:
            raise LimitReached(f"{len(things)} {kind} in one import; at most {most}")
    own = {each.address for each in mine.identities.all()}
    check_room(mine, len({each.address for each in parcel.identities if each.deleted_at is None} - own))
    for kind, there, coming, most in (
        ("chans", {each.address for each in mine.chans.all()}, parcel.chans, MAX_CHANS),
        ("subscriptions", {each.address for each in mine.subscriptions.all()}, parcel.subscriptions, MAX_SUBSCRIPTIONS),
        ("contacts", {each.address for each in mine.contacts.all()}, labelled(parcel), MAX_CONTACTS),
    ):
        after = len(there | {each.address for each in coming})
        if after > max(most, len(there)):
            raise LimitReached(f"the account would have {after} {kind}; it may have {most}")


def labelled(parcel: Parcel) -> tuple[MovedContact, ...]:
    """Those that come into the address book."""
    return tuple(each for each in parcel.contacts if each.label)


def _label_of(moved: MovedContact, report: Report) -> str:
    """As the address book holds it; none where it would pass for an address."""
    label = clean_line(moved.label)[:MAX_LABEL].strip()
    if not label:
        return ""
    try:
        check_label(label)
    except NotAllowed:
        report.note(f"left out the label of {moved.address}: it looks like an address")
        return ""
    return label


def _has_identity(mine: AccountStore, moved: MovedIdentity, deleted: Collection[Address]) -> bool:
    """Raises Conflict where it was deleted here, and not there."""
    if mine.identities.find(moved.address) is not None:
        return True
    if moved.address not in deleted:
        return False
    if moved.deleted_at is None:
        raise Conflict(f"{moved.address} was deleted; first: bmgate address undelete {moved.address}")
    return True


def _has_mail(mine: AccountStore) -> bool:
    mailboxes = [each for each in mine.mailboxes.all() if each.kind is not MailboxKind.PARENT]
    return any(mine.mailboxes.status(each.id).messages for each in mailboxes)
