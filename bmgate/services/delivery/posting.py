"""Posting: a message that was read becomes a mail in a mailbox, in its thread, in the transaction of its arrival.

Whether it is wanted, and which mailbox takes it, the caller decided.
"""

from dataclasses import dataclass

from bmgate.bm.addresses import Address
from bmgate.domain.mailbox import Flags, MailboxId
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.thread import Exchange, Thread
from bmgate.mail.incoming import IncomingMail, render
from bmgate.mail.incoming_body import Parts
from bmgate.mail.message_identity import message_id
from bmgate.mail.reading import Reading
from bmgate.services.delivery.threads import note_copy, note_received, references_of
from bmgate.services.mailboxes.indexed import indexed, to_minute
from bmgate.services.mailboxes.mailbox_names import label_of as mailbox_label


@dataclass(frozen=True, slots=True, repr=False)
class Post:
    """A message on its way into a mailbox.

    `recipient` is the address it was delivered for. `vector` names the object that brought it, as answers may do; mail
    that came in no object is named by its content id. `between` are the two ends of its thread, for a chan both the
    chan.
    """

    sender: Address
    recipient: Address
    encoding: int
    reading: Reading
    parts: Parts
    content_id: bytes
    vector: bytes
    between: Exchange
    by_subject: bool
    first_contact: bool = False


@dataclass(frozen=True, slots=True)
class Poster:
    """Writes mails. `domain` is what addresses are written under."""

    domain: str

    def post(self, mine: AccountStore, post: Post, mailbox: MailboxId, now: int, flags: Flags = Flags.NONE) -> None:
        """Raises OverQuota."""
        name = self.name_of(mine, post.content_id)
        references = references_of(mine, post.reading, post.between, now, by_subject=post.by_subject)
        mail = IncomingMail(
            sender=post.sender,
            recipient=post.recipient,
            encoding=post.encoding,
            reading=post.reading,
            parts=post.parts,
            content_id=post.content_id,
            received_at=now,
            sender_label=label_of(mine, post.sender),
            recipient_label=label_of(mine, post.recipient),
            references=references,
            first_contact=post.first_contact,
        )
        raw = render(mail, mine.secrets.id_key, self.domain)
        content = mine.messages.add_content(indexed(raw).content(mine.messages.message_id_tag(name)))
        mine.messages.append(mailbox, content, flags, (), to_minute(now))
        thread = Thread(name, references)
        note_received(mine, thread, post.between, post.reading, post.vector, now, by_subject=post.by_subject)

    def note_copy(self, mine: AccountStore, content_id: bytes, between: Exchange, vector: bytes, now: int) -> None:
        """Another object brought what was posted before (I14)."""
        note_copy(mine, self.name_of(mine, content_id), between, vector, now)

    def name_of(self, mine: AccountStore, content_id: bytes) -> str:
        """The Message-ID of a mail (I15)."""
        return message_id(mine.secrets.id_key, content_id, self.domain)


def label_of(mine: AccountStore, address: Address) -> str:
    """The account's own word for an address: of an identity, a contact, a chan or a subscription (A2)."""
    own = mine.identities.find(address)
    return (own.label if own else "") or mine.contacts.label_of(address) or _mailbox_label(mine, address)


def _mailbox_label(mine: AccountStore, address: Address) -> str:
    found = mine.chans.find(address) or mine.subscriptions.find(address)
    return "" if found is None else mailbox_label(mine.mailboxes.get(found.mailbox))
