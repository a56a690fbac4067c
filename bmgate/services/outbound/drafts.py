"""What goes into a msg or broadcast before it is built, and what is remembered of it once it is published.

All within the caller's unit of work; making the payload of a large mail takes a while, so it must be a reading one.
"""

from dataclasses import dataclass, replace

from bmgate.bm.encodings import SIMPLE
from bmgate.bm.keys import Entropy, PrivateKeys
from bmgate.bm.network import NetworkParameters
from bmgate.bm.plaintext import Pubkey, build_broadcast, build_msg
from bmgate.domain.outbox import Kind, OutgoingMessage, Reason
from bmgate.domain.ports.database import Store
from bmgate.domain.thread import Exchange, Thread
from bmgate.errors import TooLarge, UnsupportedMedia
from bmgate.services.delivery.threads import note_sent
from bmgate.services.objects.keys import key_for
from bmgate.services.outbound.payloads import Payloads


@dataclass(frozen=True, slots=True, repr=False)
class Draft:
    """All that goes into a msg, or into a broadcast.

    `pubkey` is None while nobody has it, `refused` says why it cannot be sent.
    """

    kind: Kind
    pubkey: Pubkey | None
    sender: Pubkey
    private: PrivateKeys
    encoding: int = SIMPLE
    data: bytes = b""
    refused: Reason = Reason.NONE

    def built(self, recipient: Pubkey, ack: bytes, expires_time: int, entropy: Entropy) -> bytes:
        """The object, without its work. Raises TooLarge, and ValueError for a key that is no point of the curve."""
        sender, private, encoding, data = self.sender, self.private, self.encoding, self.data
        if self.kind is Kind.BROADCAST:
            return build_broadcast(sender, private, encoding, data, expires_time, entropy)
        return build_msg(sender, private, recipient, encoding, data, ack, expires_time, entropy)


def gather_draft(store: Store, payloads: Payloads, row: OutgoingMessage, network: NetworkParameters) -> Draft:
    """As things stand now; raises AccountLocked."""
    submission = store.outbox.submission(row.submission)
    pubkey = key_for(store, row, network)
    draft = _signed_by(store, row, pubkey)
    if row.kind.is_post and pubkey is None:
        return replace(draft, refused=Reason.LEFT_CHAN)
    try:
        payload = payloads.payload_of(store, submission, row)
        return replace(draft, encoding=payload.encoding, data=payload.data)
    except UnsupportedMedia:
        return replace(draft, refused=Reason.ATTACHMENTS)
    except TooLarge:
        return replace(draft, refused=Reason.TOO_LARGE)


def note_published(store: Store, row: OutgoingMessage, domain: str, vector: bytes, now: int) -> None:
    """Remember what an answer to the mail will name (I17), and that what comes back from a chan is the account's own.

    A mail to many that has no Message-ID is named after its row, in `domain`.
    """
    mine, submission = store.account(row.account), store.outbox.submission(row.submission)
    before = tuple(reversed(mine.outbox.enclosures(row.submission).answered))
    own = row.recipient if row.kind.is_public else mine.identities.get(row.identity).address
    name = submission.message_id or (f"<{row.name}@{domain}>" if row.kind.is_public else "")
    note_sent(mine, Thread(name, before), Exchange(own, row.recipient), submission.subject, vector, now)


def _signed_by(store: Store, row: OutgoingMessage, pubkey: Pubkey | None) -> Draft:
    """The beginning of a draft: whose it is."""
    mine = store.account(row.account)
    member = mine.chans.find(row.recipient) if row.kind is Kind.CHAN else None
    if member is not None and pubkey is not None:
        return Draft(row.kind, pubkey, pubkey, mine.chans.private_keys(member.id))
    private = PrivateKeys(*mine.identities.private_keys(row.identity))
    return Draft(row.kind, pubkey, store.identities.public_record(row.identity), private)
