"""What of an account goes into an archive beside its mail, and what waits to be sent as drafts.

`tests/services/moving/test_every_column.py` holds this against the tables: what is an account's own is here, or it is
said there why it is not.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from bmgate.bm.addresses import Address
from bmgate.bm.keys import PrivateKeys
from bmgate.domain.identity import Identity
from bmgate.domain.mailbox import SPECIAL_MAILBOXES, Flags, Mailbox, MailboxKind
from bmgate.domain.moving import (
    MovedChan,
    MovedContact,
    MovedIdentity,
    MovedMail,
    MovedMailbox,
    MovedSubscription,
    Parcel,
)
from bmgate.domain.outbox import UNPUBLISHED, OutboxId, OutgoingMessage
from bmgate.domain.policy import Scope
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Store
from bmgate.errors import Missing
from bmgate.services.mailboxes.mailbox_names import label_of
from bmgate.services.moving.applying import MAX_TAGS, MAX_THINGS, MAX_THREADS
from bmgate.services.moving.places import HOLD_NOTHING
from bmgate.services.outbound.queued_mail import QueuedMailWriter

PENDING = "bm-pending"  # nothing is, where it goes
_DRAFTS = SPECIAL_MAILBOXES[MailboxKind.DRAFTS]


def parcel_of(mine: AccountStore) -> Parcel:
    """All that is an account's but its mail; raises AccountLocked."""
    own = {mailbox.id: mailbox for mailbox in mine.mailboxes.all()}
    chans, subscriptions, known = mine.chans.all(), mine.subscriptions.all(), mine.contacts.known()
    taken = {each.mailbox for each in chans} | {each.mailbox for each in subscriptions}
    return Parcel(
        identities=tuple(_identities(mine, known)),
        chans=tuple(
            MovedChan(
                each.address,
                mine.chans.private_keys(each.id),
                label_of(own[each.mailbox]),
                mine.settings.values(Scope.MEMBERSHIP, each.id),
                own[each.mailbox].subscribed,
                own[each.mailbox].name,
            )
            for each in chans
        ),
        subscriptions=tuple(
            MovedSubscription(
                each.address,
                label_of(own[each.mailbox]),
                each.enabled,
                own[each.mailbox].subscribed,
                own[each.mailbox].name,
            )
            for each in subscriptions
        ),
        contacts=tuple(_contacts(mine, known)),
        mailboxes=tuple(
            MovedMailbox(mailbox.name, mailbox.subscribed) for mailbox in own.values() if mailbox.id not in taken
        ),
        options=mine.settings.values(Scope.ACCOUNT),
        secrets=mine.secrets,
        duplicates=tuple(sorted(mine.duplicates.tags(), key=lambda each: each[1])[-MAX_TAGS:]),  # the longest kept
        held_acks=tuple(mine.held_acks.held_for(known)),
        threads=tuple(mine.threads.entries(MAX_THREADS)),
        former=tuple(mine.mailboxes.former_subscriptions()),
    )


def moved_mailboxes(mine: AccountStore) -> list[Mailbox]:
    """Those whose mail moves."""
    return [mailbox for mailbox in mine.mailboxes.all() if mailbox.kind not in HOLD_NOTHING]


def waiting_rows(mine: AccountStore) -> list[OutboxId]:
    """What is accepted and was never published, oldest first."""
    return [row.id for row in reversed(mine.outbox.unfinished()) if _is_waiting(row)]


def draft_of(writer: QueuedMailWriter, row: OutboxId, now: int, store: Store) -> MovedMail | None:
    """A mail that waits, for its author to send from where it goes; None when it waits no more."""
    try:
        waiting = store.outbox.get(row)
    except Missing:
        return None
    if not _is_waiting(waiting):
        return None
    raw = writer.draft(store, waiting, now)
    return MovedMail(_DRAFTS, raw, Flags.SEEN | Flags.DRAFT, (), waiting.created_at)


def _is_waiting(row: OutgoingMessage) -> bool:
    """What is sent again was sent once."""
    return row.state in UNPUBLISHED and row.attempt == 1


def _identities(mine: AccountStore, known: Sequence[Address]) -> Iterator[MovedIdentity]:
    aliases = defaultdict[int, list[str]](list)
    for name, identity in mine.identities.aliases().items():
        if name != mine.account.name:
            aliases[identity].append(name)
    for each in mine.identities.all():
        yield _identity(mine, each, aliases[each.id], known)
    for each in mine.identities.deleted():
        yield _identity(mine, each, mine.identities.former_aliases(each.id), known)


def _identity(mine: AccountStore, each: Identity, aliases: Sequence[str], known: Sequence[Address]) -> MovedIdentity:
    return MovedIdentity(
        address=each.address,
        keys=PrivateKeys(*mine.identities.private_keys(each.id)),
        label=each.label,
        enabled=each.enabled,
        is_default=each.is_default,
        nonce_trials_per_byte=each.nonce_trials_per_byte,
        payload_length_extra_bytes=each.payload_length_extra_bytes,
        created_at=each.created_at,
        pubkey_sent_at=each.pubkey_sent_at,
        aliases=tuple(sorted(aliases)),
        options=mine.settings.values(Scope.IDENTITY, each.id),
        deleted_at=each.deleted_at,
        answered=tuple(_answered(mine, each, known)),
    )


def _answered(mine: AccountStore, identity: Identity, known: Sequence[Address]) -> Iterator[tuple[Address, int]]:
    """A tag finds whom it answered, and does not tell him."""
    if not mine.answers.count(identity.id, 0):
        return
    for address in known:
        at = mine.answers.last(identity.id, address)
        if at is not None:
            yield address, at


def _contacts(mine: AccountStore, known: Sequence[Address]) -> Iterator[MovedContact]:
    """The address book, and of others the latest, as many as one import takes."""
    entries = {contact.address: contact for contact in mine.contacts.entries()}
    others = [address for address in known if address not in entries]
    correspondents = set(mine.contacts.correspondents())
    kept = entries.keys() | set(others[-(MAX_THINGS - len(entries)) :])
    for address in (address for address in known if address in kept):
        entry = entries.get(address)
        yield MovedContact(
            address=address,
            label="" if entry is None else entry.label,
            standing=mine.contacts.standing_of(address),
            reads=mine.contacts.reads_of(address),
            corresponded=address in correspondents,
            written_to=mine.contacts.was_written_to(address),
            options=mine.settings.values(Scope.CONTACT, mine.contacts.ref_of(address)),
        )
