"""What PyBitmessage and notbit keep, as what moves: keys.dat and messages.dat (protocol reference 13).

Pure: files are read by others. What was sent goes to Sent with its status; what never went out goes to Drafts, because
nothing is sent without being asked for.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from bmgate.bm.addresses import Address, parse_address
from bmgate.bm.encodings import SIMPLE, TRIVIAL, DecodedMessage
from bmgate.bm.keysdat import NETWORK_MINIMUM, KeysEntry, KeysFile
from bmgate.bm.network import NetworkParameters
from bmgate.bm.plaintext import Pubkey
from bmgate.bm.plaintext.pubkeys import read_pubkey_record
from bmgate.domain.contact import Standing
from bmgate.domain.mailbox import SPECIAL_MAILBOXES, Flags, MailboxKind
from bmgate.domain.moving import (
    InboxRow,
    ListedAddress,
    MovedChan,
    MovedContact,
    MovedIdentity,
    MovedMail,
    MovedSubscription,
    Parcel,
    SentRow,
)
from bmgate.domain.policy import MAX_GIVE_UP, duration_text
from bmgate.domain.ports.moving import MessagesDat
from bmgate.errors import BadAddress, BadObject, ProtocolError
from bmgate.mail.addresses import mail_address
from bmgate.mail.imported import OldMail, render_old
from bmgate.mail.incoming import IncomingMail, render
from bmgate.mail.incoming_body import parts_of
from bmgate.mail.message_identity import imported_id, message_id
from bmgate.mail.read import from_decoded
from bmgate.mail.reading import Kind, Manner
from bmgate.mail.recognisers import recognised
from bmgate.mail.text import clean_line
from bmgate.mail.write import Mailbox, usable_label

SUBSCRIBERS = "[Broadcast subscribers]"
STATUS_KEYWORDS = {
    "ackreceived": "bm-acked",
    "msgsent": "bm-sent",
    "msgsentnoackexpected": "bm-noack",
    "broadcastsent": "bm-noack",
}
"""What went out, and how its copy in Sent says so."""

MIN_TTL, MAX_TTL = 3_600, 28 * 86_400
MAX_LABEL, MAX_LIST_NAME = 64, 60
MAX_PUBKEYS = 10_000  # the others are asked for when they are needed
_INBOX, _SENT, _DRAFTS, _TRASH = (
    SPECIAL_MAILBOXES[kind] for kind in (MailboxKind.INBOX, MailboxKind.SENT, MailboxKind.DRAFTS, MailboxKind.TRASH)
)


def parcel_of_keys(file: KeysFile, network: NetworkParameters) -> Parcel:
    """The addresses of a keys.dat, and what its settings say of sending."""
    options = {}
    if file.ttl:
        options["ttl"] = duration_text(min(max(file.ttl, MIN_TTL), MAX_TTL))
    if file.give_up:
        options["give_up"] = duration_text(min(max(file.give_up, MIN_TTL), MAX_GIVE_UP))
    if not file.blacklist:
        options["requests"] = "on"  # whom no whitelist names is not simply let in
    return Parcel(
        identities=tuple(_identity(entry, network) for entry in file.entries if not entry.is_chan),
        chans=tuple(_chan(entry) for entry in file.entries if entry.is_chan),
        contacts=tuple(MovedContact(contact.address, _label(contact.label)) for contact in file.contacts),
        options=options,
    )


def _identity(entry: KeysEntry, network: NetworkParameters) -> MovedIdentity:
    options = {} if entry.acknowledges else {"ack": "never"}
    if entry.list_name is not None:
        options["list"] = clean_line(entry.list_name)[:MAX_LIST_NAME] or str(entry.address)[:MAX_LIST_NAME]
    return MovedIdentity(
        address=entry.address,
        keys=entry.keys,
        label=_label(entry.label),
        enabled=entry.enabled,
        nonce_trials_per_byte=entry.nonce_trials_per_byte * network.nonce_trials_per_byte // NETWORK_MINIMUM,
        payload_length_extra_bytes=entry.payload_length_extra_bytes
        * network.payload_length_extra_bytes
        // NETWORK_MINIMUM,
        pubkey_sent_at=entry.last_pubkey_at,
        options=options,
    )


def _chan(entry: KeysEntry) -> MovedChan:
    """One that was disabled is joined, and muted: its keys may be nowhere else."""
    return MovedChan(entry.address, entry.keys, clean_line(entry.label), {} if entry.enabled else {"mute": "on"})


def parcel_of_lists(messages: MessagesDat) -> Parcel:
    """Address book, subscriptions, black- and whitelist, pubkeys, and with whom mail was exchanged."""
    lists = _Lists()
    for row in messages.listed("addressbook"):
        lists.note(row, label=_label(row.label))
    for row in messages.listed("blacklist"):
        if row.enabled:
            lists.note(row, standing=Standing.BLOCKED)
    for row in messages.listed("whitelist"):
        if row.enabled:
            lists.note(row, standing=Standing.ALLOWED)
    for address in dict.fromkeys(row.sender for row in messages.inbox()):
        lists.note(ListedAddress("", address), corresponded=True)
    for address in dict.fromkeys(row.recipient for row in messages.sent() if row.status in STATUS_KEYWORDS):
        if address != SUBSCRIBERS:
            lists.note(ListedAddress("", address), corresponded=True, written_to=True)
    subscriptions = [(lists.address(row), row) for row in messages.listed("subscriptions")]
    records = islice(messages.pubkeys(), MAX_PUBKEYS)
    pubkeys = tuple(found for row in records if (found := _pubkey(row.address, row.record)) is not None)
    notes: tuple[str, ...] = ()
    if lists.unusable:
        notes = (f"left out {len(lists.unusable)} addresses that are none: {', '.join(sorted(lists.unusable)[:5])}",)
    return Parcel(
        subscriptions=tuple(
            MovedSubscription(address, _label(row.label), row.enabled)
            for address, row in dict(subscriptions).items()
            if address is not None
        ),
        contacts=tuple(lists.known.values()),
        pubkeys=pubkeys,
        notes=notes,
    )


@dataclass(slots=True)
class _Lists:
    """What is known of addresses, gathered from several tables."""

    known: dict[Address, MovedContact] = field(default_factory=dict)
    unusable: set[str] = field(default_factory=set)

    def address(self, row: ListedAddress) -> Address | None:
        found = _address(row.address)
        if found is None and row.address:
            self.unusable.add(clean_line(row.address)[:40])
        return found

    def note(self, row: ListedAddress, **facts: Any) -> None:
        """`facts` are fields of `MovedContact`."""
        address = self.address(row)
        if address is not None:
            self.known[address] = replace(self.known.get(address, MovedContact(address)), **facts)


def _pubkey(text: str, record: bytes) -> Pubkey | None:
    """None for what is no pubkey of that address."""
    try:
        pubkey = read_pubkey_record(record)
        return pubkey if pubkey.address == _address(text) else None
    except (BadObject, ProtocolError):
        return None


@dataclass(frozen=True, slots=True, repr=False)
class OldMails:
    """Renders the mails of a messages.dat; labels are the reader's own words for addresses."""

    id_key: bytes
    domain: str
    recognise: bool
    labels: Mapping[Address, str]

    def of(self, messages: MessagesDat) -> Iterator[MovedMail]:
        """All of them but those without a usable sender, and drafts to nobody."""
        for received in messages.inbox():
            mail = self._received(received)
            if mail is not None:
                yield mail
        for sent in messages.sent():
            mail = self._sent(sent)
            if mail is not None:
                yield mail

    def _received(self, row: InboxRow) -> MovedMail | None:
        sender, recipient = _address(row.sender), _address(row.recipient)
        if sender is None:
            return None
        manner = Manner(Kind.IMPORT)
        reading = from_decoded(DecodedMessage(row.subject, row.message), manner)
        if self.recognise and row.encoding in (TRIVIAL, SIMPLE):
            reading = recognised(reading, manner)
        content = imported_id(b"inbox", row.msgid, *_texts(row.sender, row.recipient, row.subject, row.message))
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
        is_trash = row.folder == "trash"
        return MovedMail(
            mailbox=_TRASH if is_trash else _INBOX,
            raw=render(mail, self.id_key, self.domain),
            flags=Flags.SEEN if row.is_read or is_trash else Flags.NONE,
            internaldate=row.received,
            of=None if is_trash else (recipient or sender),
            known_by=message_id(self.id_key, content, self.domain),
        )

    def _sent(self, row: SentRow) -> MovedMail | None:
        sender, recipient = _address(row.sender), _address(row.recipient)
        is_broadcast = row.recipient == SUBSCRIBERS
        if sender is None or (recipient is None and not is_broadcast):
            return None
        content = imported_id(b"sent", row.ack_data, *_texts(row.sender, row.recipient, row.subject, row.message))
        name = message_id(self.id_key, content, self.domain)
        to = Mailbox(f"broadcast@{self.domain}") if recipient is None else self._mailbox(recipient)
        old = OldMail(self._mailbox(sender), to, row.subject, row.message, name, row.at, row.encoding)
        keyword = STATUS_KEYWORDS.get(row.status)
        place, flags = (_SENT, Flags.SEEN) if keyword else (_DRAFTS, Flags.SEEN | Flags.DRAFT)
        if row.folder == "trash":
            place = _TRASH
        keywords = (keyword,) if keyword and place == _SENT else ()
        return MovedMail(place, render_old(old), flags, keywords, row.at, known_by=name)

    def _mailbox(self, address: Address) -> Mailbox:
        return Mailbox(mail_address(address, self.domain), usable_label(self.labels.get(address, "")))


def labels_of(parcels: Iterable[Parcel]) -> dict[Address, str]:
    """The words that these have for addresses; their own go before those of contacts."""
    found: dict[Address, str] = {}
    for parcel in parcels:
        for things in (parcel.identities, parcel.chans, parcel.subscriptions, parcel.contacts):
            for each in things:
                if each.label:
                    found.setdefault(each.address, each.label)
    return found


def joined(first: Parcel, second: Parcel) -> Parcel:
    """Both as one: of keys.dat and of messages.dat."""
    return Parcel(
        identities=first.identities + second.identities,
        chans=first.chans + second.chans,
        subscriptions=first.subscriptions + second.subscriptions,
        contacts=first.contacts + second.contacts,
        options={**second.options, **first.options},
        pubkeys=first.pubkeys + second.pubkeys,
        notes=first.notes + second.notes,
    )


def _address(text: str) -> Address | None:
    try:
        return parse_address(text)
    except BadAddress:
        return None


def _label(text: str) -> str:
    return clean_line(text)[:MAX_LABEL]


def _texts(*texts: str) -> tuple[bytes, ...]:
    return tuple(text.encode(errors="replace") for text in texts)
