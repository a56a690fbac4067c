"""Publications: posts to chans and broadcasts become mail of those who read them. All within one transaction.

Nobody confirms them, and no demand of ours counts. Copies of one share what was signed (I13), so that the two forms of
one signature are one mail. What is known is remembered for each mailbox: joining a chan again brings its posts back.
"""

from dataclasses import dataclass

from bmgate.bm.encodings import IGNORE
from bmgate.bm.network import MAX_FUTURE_EXPIRY_SECONDS
from bmgate.bm.plaintext import Msg
from bmgate.domain.chan import Membership
from bmgate.domain.contact import Standing
from bmgate.domain.mailbox import Flags, MailboxId, MailboxKind
from bmgate.domain.policy import Reads
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Failpoints, Store
from bmgate.domain.subscription import Subscription
from bmgate.domain.thread import Exchange
from bmgate.errors import OverQuota
from bmgate.mail.message_identity import content_id, in_mailbox
from bmgate.services.delivery.arrivals import Publication
from bmgate.services.delivery.delivery import Delivered, shown_to_read
from bmgate.services.delivery.posting import Post, Poster
from bmgate.services.delivery.sender_rates import is_flood
from bmgate.services.delivery.strangers import is_known


@dataclass(frozen=True, slots=True)
class PublicationDeliverer:
    """Decides what becomes of a publication, and has it written into a mailbox."""

    poster: Poster
    failpoints: Failpoints

    def deliver(self, store: Store, publication: Publication, now: int, *, is_late: bool = False) -> Delivered:
        """Deliver it to its reader, if he still reads it and does not have it yet.

        `is_late` says that it was looked for among what is stored: then many may come at once.
        """
        mine = store.account(publication.reader.account)
        reader = _still(mine, publication.reader)
        if reader is None or publication.content.encoding == IGNORE:
            return Delivered()
        content = _content_id(publication)
        memory = in_mailbox(content, reader.mailbox)
        delivered = Delivered()
        if mine.duplicates.seen(memory):
            self.poster.note_copy(mine, content, _between(publication), publication.object.vector, now)
        else:
            self.failpoints.pass_("delivery.store")
            try:
                delivered = self._deliver_new(mine, publication, reader.mailbox, content, now, is_late=is_late)
            except OverQuota:
                return Delivered()
        mine.duplicates.remember(memory, publication.object.expires_time + MAX_FUTURE_EXPIRY_SECONDS)
        mine.duplicates.forget(now)
        mine.threads.forget(now)
        return delivered

    def _deliver_new(
        self,
        mine: AccountStore,
        publication: Publication,
        mailbox: MailboxId,
        content: bytes,
        now: int,
        *,
        is_late: bool,
    ) -> Delivered:
        is_own = self._is_own(mine, publication, content)
        is_of_somebody = not is_own and not publication.is_anonymous
        is_junk = not is_own and _is_junk(mine, publication, now, is_late=is_late)
        sender, encoding = publication.sender.address, publication.content.encoding
        post = Post(
            sender=sender,
            recipient=publication.reader.address,
            encoding=encoding,
            reading=publication.reading,
            parts=publication.parts,
            content_id=content,
            vector=publication.object.vector,
            between=_between(publication),
            by_subject=publication.policy.thread_by_subject,
            first_contact=is_of_somebody and mine.contacts.note_correspondent(sender),
        )
        place = mine.mailboxes.by_kind(MailboxKind.JUNK).id if is_junk else mailbox
        is_seen = is_own or publication.policy.mute
        self.poster.post(mine, post, place, now, Flags.SEEN if is_seen else Flags.NONE)
        reads = shown_to_read(publication.sender, encoding, publication.reading)
        if is_of_somebody and reads is not Reads.AUTO:
            mine.contacts.learn_reads(sender, reads)
        return Delivered(place, is_wanted=not is_junk)

    def _is_own(self, mine: AccountStore, publication: Publication, content: bytes) -> bool:
        """Whether the account wrote it: under an identity of its own, or it sent the object that brings it.

        An object that only came by here once is known by the name that its mail has.
        """
        if mine.identities.find(publication.sender.address) is not None:
            return True
        known = mine.threads.by_vector(publication.object.vector)
        return known is not None and known.message_id != self.poster.name_of(mine, content)


def _still(mine: AccountStore, reader: Membership | Subscription) -> Membership | Subscription | None:
    """The reader as he is now: he may have left meanwhile."""
    if isinstance(reader, Membership):
        member = mine.chans.find(reader.address)
        return member if member is not None and member.id == reader.id else None
    subscriber = mine.subscriptions.find(reader.address)
    return subscriber if subscriber is not None and subscriber.enabled and subscriber.id == reader.id else None


def _content_id(publication: Publication) -> bytes:
    content, address = publication.content, publication.reader.address
    ack_data = content.ack_data if isinstance(content, Msg) else b""
    return content_id(content.sender.address, address, content.encoding, content.message, ack_data, content.signed_data)


def _between(publication: Publication) -> Exchange:
    """One thread for all who write there."""
    return Exchange(publication.reader.address, publication.reader.address)


def _is_junk(mine: AccountStore, publication: Publication, now: int, *, is_late: bool) -> bool:
    """By the chan's rules; who subscribed to somebody wants what he publishes, unless it is too much (P38)."""
    sender, rule = publication.sender.address, publication.policy.junk
    if isinstance(publication.reader, Membership) and mine.contacts.standing_of(sender) is Standing.BLOCKED:
        return True
    if rule == "off" or (is_known(mine, sender) and not publication.is_anonymous):
        return False
    if rule == "strangers" or (rule == "anonymous" and publication.is_anonymous):
        return True
    return not is_late and is_flood(mine, sender, now)
