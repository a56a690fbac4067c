"""The mails of a messages.dat, rendered (protocol reference 13.2).

What was sent goes to Sent with its status; what never went out goes to Drafts, because nothing is sent without being
asked for. All mails come: where PyBitmessage wrote something that is no address, a name that takes no mail stands for
it, beside what it wrote.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bmgate.bm.addresses import Address, parse_address
from bmgate.bm.encodings import SIMPLE, TRIVIAL, DecodedMessage
from bmgate.domain.mailbox import SPECIAL_MAILBOXES, Flags, MailboxKind
from bmgate.domain.moving import InboxRow, MovedMail, SentRow
from bmgate.domain.ports.moving import MessagesDat
from bmgate.errors import BadAddress
from bmgate.mail.addresses import mail_address
from bmgate.mail.imported import OldMail, render_old
from bmgate.mail.incoming import IncomingMail, render
from bmgate.mail.incoming_body import parts_of
from bmgate.mail.message_identity import imported_id, message_id
from bmgate.mail.read import from_decoded
from bmgate.mail.reading import Kind, Manner
from bmgate.mail.recognisers import recognised
from bmgate.mail.write import Mailbox, usable_label

SUBSCRIBERS = "[Broadcast subscribers]"
STATUS_KEYWORDS = {
    "ackreceived": "bm-acked",
    "msgsent": "bm-sent",
    "msgsentnoackexpected": "bm-noack",
    "broadcastsent": "bm-noack",
}
"""What went out, and how its copy in Sent says so."""
NOBODY = "noreply"  # stands for an address that is none: mail to it is refused

_INBOX, _SENT, _DRAFTS, _TRASH = (
    SPECIAL_MAILBOXES[kind] for kind in (MailboxKind.INBOX, MailboxKind.SENT, MailboxKind.DRAFTS, MailboxKind.TRASH)
)


@dataclass(frozen=True, slots=True, repr=False)
class OldMails:
    """Renders the mails of a messages.dat; labels are the reader's own words for addresses."""

    id_key: bytes
    domain: str
    recognise: bool
    labels: Mapping[Address, str]

    def of(self, messages: MessagesDat) -> Iterator[MovedMail]:
        """All of them."""
        for received in messages.inbox():
            yield self._received(received)
        for sent in messages.sent():
            yield self._sent(sent)

    def _received(self, row: InboxRow) -> MovedMail:
        sender, recipient = address_in(row.sender), address_in(row.recipient)
        content = imported_id(b"inbox", row.msgid, *_texts(row.sender, row.recipient, row.subject, row.message))
        name = message_id(self.id_key, content, self.domain)
        is_trash = row.folder == "trash"
        raw = self._of_nobody(row, name) if sender is None else self._of_somebody(row, sender, recipient, content)
        return MovedMail(
            mailbox=_TRASH if is_trash else _INBOX,
            raw=raw,
            flags=Flags.SEEN if row.is_read or is_trash else Flags.NONE,
            internaldate=row.received,
            of=None if is_trash else (recipient or sender),
            known_by=name,
        )

    def _of_somebody(self, row: InboxRow, sender: Address, recipient: Address | None, content: bytes) -> bytes:
        manner = Manner(Kind.IMPORT)
        reading = from_decoded(DecodedMessage(row.subject, row.message), manner)
        if self.recognise and row.encoding in (TRIVIAL, SIMPLE):
            reading = recognised(reading, manner)
        mail = IncomingMail(
            sender=sender,
            recipient=recipient or sender,  # a broadcast is delivered for the subscribed address
            encoding=row.encoding,
            reading=reading,
            parts=parts_of(reading),
            content_id=content,
            received_at=row.received,
            sender_label=self.labels.get(sender, ""),
            recipient_label=self.labels.get(recipient or sender, ""),
        )
        return render(mail, self.id_key, self.domain)

    def _of_nobody(self, row: InboxRow, name: str) -> bytes:
        """From a sender that is no address, as it stands."""
        sender, to = self._mailbox(None, row.sender), self._mailbox(address_in(row.recipient), row.recipient)
        return render_old(
            OldMail(sender, to, row.subject, row.message, name, row.received, row.encoding, claimed=row.sender)
        )

    def _sent(self, row: SentRow) -> MovedMail:
        sender, recipient = address_in(row.sender), address_in(row.recipient)
        content = imported_id(b"sent", row.ack_data, *_texts(row.sender, row.recipient, row.subject, row.message))
        name = message_id(self.id_key, content, self.domain)
        is_broadcast = row.recipient == SUBSCRIBERS
        to = Mailbox(f"broadcast@{self.domain}") if is_broadcast else self._mailbox(recipient, row.recipient)
        odd = row.sender if sender is None else "" if is_broadcast or recipient else row.recipient
        old = OldMail(
            self._mailbox(sender, row.sender), to, row.subject, row.message, name, row.at, row.encoding, claimed=odd
        )
        keyword = STATUS_KEYWORDS.get(row.status)
        place, flags = (_SENT, Flags.SEEN) if keyword else (_DRAFTS, Flags.SEEN | Flags.DRAFT)
        if row.folder == "trash":
            place = _TRASH
        keywords = (keyword,) if keyword and place == _SENT else ()
        return MovedMail(place, render_old(old), flags, keywords, row.at, known_by=name)

    def _mailbox(self, address: Address | None, text: str) -> Mailbox:
        """Where it is none, what stood there is its name."""
        if address is None:
            return Mailbox(f"{NOBODY}@{self.domain}", usable_label(text))
        return Mailbox(mail_address(address, self.domain), usable_label(self.labels.get(address, "")))


def address_in(text: str) -> Address | None:
    """None for what is no address."""
    try:
        return parse_address(text)
    except BadAddress:
        return None


def _texts(*texts: str) -> tuple[bytes, ...]:
    return tuple(text.encode(errors="replace") for text in texts)
