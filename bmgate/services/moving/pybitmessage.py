"""What PyBitmessage and notbit keep, as what moves: keys.dat and messages.dat (protocol reference 13).

Pure: files are read by others, mails are rendered in `old_mails`.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from bmgate.bm.addresses import Address
from bmgate.bm.keysdat import NETWORK_MINIMUM, KeysEntry, KeysFile
from bmgate.bm.network import NetworkParameters
from bmgate.bm.plaintext import Pubkey
from bmgate.bm.plaintext.pubkeys import read_pubkey_record
from bmgate.domain.contact import Standing
from bmgate.domain.moving import (
    ListedAddress,
    MovedChan,
    MovedContact,
    MovedIdentity,
    MovedSubscription,
    Parcel,
)
from bmgate.domain.policy import MAX_GIVE_UP, duration_text
from bmgate.domain.ports.moving import MessagesDat
from bmgate.errors import BadObject, ProtocolError
from bmgate.mail.text import clean_line
from bmgate.services.moving.applying import MAX_THINGS
from bmgate.services.moving.old_mails import NOBODY, STATUS_KEYWORDS, SUBSCRIBERS, address_in
from bmgate.units import DAY

MIN_TTL, MAX_TTL = 3_600, 28 * DAY
MAX_LABEL, MAX_LIST_NAME = 64, 60
MAX_PUBKEYS = 10_000  # the others are asked for when they are needed


def parcel_of_keys(file: KeysFile, network: NetworkParameters, here: Collection[Address] = ()) -> Parcel:
    """The addresses of a keys.dat, and what its settings say of sending; `here` are those of the account."""
    entries, notes = _one_of_each(file.entries, here)
    options = {}
    if file.ttl:
        options["ttl"] = duration_text(min(max(file.ttl, MIN_TTL), MAX_TTL))
    if file.give_up:
        options["give_up"] = duration_text(min(max(file.give_up, MIN_TTL), MAX_GIVE_UP))
    if not file.blacklist:
        options["requests"] = "on"  # whom no whitelist names is not simply let in
    return Parcel(
        identities=tuple(_identity(entry, network) for entry in entries if not entry.is_chan),
        chans=tuple(_chan(entry) for entry in entries if entry.is_chan),
        contacts=tuple(MovedContact(contact.address, _label(contact.label)) for contact in file.contacts),
        options=options,
        notes=tuple(notes),
    )


def _one_of_each(entries: Sequence[KeysEntry], here: Collection[Address]) -> tuple[list[KeysEntry], list[str]]:
    """One address of each pair of keys, and what is to be said of the others; of a chan one of each version.

    That is the one that is here already, else the enabled one, else that of the higher version.
    """
    own = {address.ripe: address for address in here}
    chans = {entry.address.ripe for entry in entries if entry.is_chan} - own.keys()
    chosen = dict(own)
    for entry in sorted(entries, key=lambda each: (not each.enabled, -each.address.version)):
        if entry.address.ripe not in chans:
            chosen.setdefault(entry.address.ripe, entry.address)
    kept, notes = dict[Address, KeysEntry](), list[str]()
    for entry in entries:
        one = chosen.get(entry.address.ripe)
        is_wanted = entry.is_chan if one is None else entry.address == one and not (entry.is_chan and one in here)
        if is_wanted and entry.address not in kept:
            kept[entry.address] = entry
        elif entry.address not in kept:
            other = "the chan" if one is None else str(one)
            notes.append(f"passed over {entry.address}: {other} has the same keys, and mail to either address is read")
    return list(kept.values()), notes


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
    off = lists.note_standings(messages.listed("blacklist"), Standing.BLOCKED)
    off += lists.note_standings(messages.listed("whitelist"), Standing.ALLOWED)
    subscriptions = [(lists.address(row), row) for row in messages.listed("subscriptions")]
    notes = [*lists.notes(), *_note_correspondents(lists, messages)]
    if off:
        notes.append(f"{off} entries of the black- and whitelist are disabled: their labels came, nobody is blocked")
    records = list(islice(messages.pubkeys(), MAX_PUBKEYS))
    pubkeys = tuple(found for row in records if (found := _pubkey(row.address, row.record)) is not None)
    if len(pubkeys) < len(records):
        notes.append(f"left out {len(records) - len(pubkeys)} pubkeys that cannot be read; they are asked for again")
    return Parcel(
        subscriptions=tuple(
            MovedSubscription(address, _label(row.label), row.enabled)
            for address, row in dict(subscriptions).items()
            if address is not None
        ),
        contacts=tuple(lists.known.values()),
        pubkeys=pubkeys,
        notes=tuple(notes),
    )


def _note_correspondents(lists: "_Lists", messages: MessagesDat) -> Iterator[str]:
    """With whom mail was exchanged, and what is to be said of it; of very many the latest."""
    heard, written, odd = dict[Address, None](), dict[Address, None](), 0
    found = _Addresses()
    for received in messages.inbox():
        sender = found.of(received.sender)
        odd += sender is None
        if sender is not None:
            heard[sender] = heard.pop(sender, None)
    for sent in messages.sent():
        recipient = found.of(sent.recipient)
        odd += found.of(sent.sender) is None or (recipient is None and sent.recipient != SUBSCRIBERS)
        if recipient is not None and sent.status in STATUS_KEYWORDS:
            written[recipient] = written.pop(recipient, None)
    room = max(0, MAX_THINGS - len(lists.known))
    met = list(dict.fromkeys([*reversed(written), *reversed(heard)]))
    for address in reversed(met[:room]):
        facts = {"corresponded": True} | ({"written_to": True} if address in written else {})
        lists.put(address, **facts)
    if odd:
        yield f"{odd} mails name a sender or recipient that is no address: {NOBODY} stands for it"
    if len(met) > room:
        yield f"of {len(met)} correspondents the latest {room} came"


@dataclass(slots=True)
class _Lists:
    """What is known of addresses, gathered from several tables."""

    known: dict[Address, MovedContact] = field(default_factory=dict)
    unusable: set[str] = field(default_factory=set)

    def address(self, row: ListedAddress) -> Address | None:
        found = address_in(row.address)
        if found is None and row.address:
            self.unusable.add(clean_line(row.address)[:40])
        return found

    def note(self, row: ListedAddress, **facts: Any) -> None:
        """`facts` are fields of `MovedContact`."""
        address = self.address(row)
        if address is not None:
            self.put(address, **facts)

    def note_standings(self, rows: Iterable[ListedAddress], standing: Standing) -> int:
        """Those of a black- or whitelist, with a label where the address book has none; how many are disabled."""
        off = 0
        for row in rows:
            address = self.address(row)
            if address is None:
                continue
            label = self.known.get(address, MovedContact(address)).label or _label(row.label)
            self.put(address, label=label, **({"standing": standing} if row.enabled else {}))
            off += not row.enabled
        return off

    def put(self, address: Address, **facts: Any) -> None:
        """The same for an address that is one."""
        self.known[address] = replace(self.known.get(address, MovedContact(address)), **facts)

    def notes(self) -> Iterator[str]:
        """What is to be said of it."""
        if self.unusable:
            some = ", ".join(sorted(self.unusable)[:5])
            yield f"left out {len(self.unusable)} addresses that are none: {some}"


class _Addresses:
    """Each text is parsed once; the same few write again and again."""

    def __init__(self) -> None:
        self._parsed: dict[str, Address | None] = {}

    def of(self, text: str) -> Address | None:
        if text not in self._parsed:
            self._parsed[text] = address_in(text)
        return self._parsed[text]


def _pubkey(text: str, record: bytes) -> Pubkey | None:
    """None for what is no pubkey of that address."""
    try:
        pubkey = read_pubkey_record(record)
        return pubkey if pubkey.address == address_in(text) else None
    except (BadObject, ProtocolError):
        return None


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


def _label(text: str) -> str:
    return clean_line(text)[:MAX_LABEL]
