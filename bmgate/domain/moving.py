"""What moves between gateways and other programs: addresses, mailboxes, mails, on their way in or out.

Whoever reads a foreign format turns it into these values; nothing of the format is left in them.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from bmgate.bm.addresses import Address
from bmgate.bm.keys import PrivateKeys
from bmgate.bm.plaintext import Pubkey
from bmgate.domain.account import AccountSecrets
from bmgate.domain.contact import HeldAck, Standing
from bmgate.domain.mailbox import Flags
from bmgate.domain.policy import Reads
from bmgate.domain.thread import ThreadEntry

Words = Mapping[str, str]
"""Options by name, in the words they are set with."""

MAX_KEYWORDS = 64

_KEYWORD = re.compile(r"""[^\x00-\x20\x7f-\U0010ffff(){%*"\\\]]{1,64}""")


def usable_keywords(words: Iterable[str], limit: int = MAX_KEYWORDS) -> tuple[str, ...]:
    """Those that IMAP can say, each once."""
    found = dict.fromkeys(word for word in words if _KEYWORD.fullmatch(word))
    return tuple(found)[:limit]


@dataclass(frozen=True, slots=True, repr=False)
class MovedIdentity:
    """An address with its keys. Demands of None are the network's; times are Unix seconds, None for never.

    `answered` are those whom it answered by itself, each with the time of the last answer.
    """

    address: Address
    keys: PrivateKeys
    label: str = ""
    enabled: bool = True
    is_default: bool = False
    nonce_trials_per_byte: int | None = None
    payload_length_extra_bytes: int | None = None
    created_at: int | None = None
    pubkey_sent_at: int | None = None
    aliases: tuple[str, ...] = ()
    options: Words = field(default_factory=dict)
    deleted_at: int | None = None
    answered: tuple[tuple[Address, int], ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class MovedChan:
    """A chan with the keys that its members share; `label` names its mailbox, if that has no whole name here.

    Whether it is `subscribed` to is as IMAP means it.
    """

    address: Address
    keys: PrivateKeys
    label: str
    options: Words = field(default_factory=dict)
    subscribed: bool = True
    mailbox: str = ""


@dataclass(frozen=True, slots=True)
class MovedSubscription:
    """`label` names its mailbox, if that has no whole name here; `subscribed` is as IMAP means it."""

    address: Address
    label: str
    enabled: bool = True
    subscribed: bool = True
    mailbox: str = ""


@dataclass(frozen=True, slots=True)
class MovedContact:
    """An entry of the address book, or what is known of an address without one: then `label` is empty."""

    address: Address
    label: str = ""
    standing: Standing = Standing.NONE
    reads: Reads = Reads.AUTO
    corresponded: bool = False
    written_to: bool = False
    options: Words = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MovedMailbox:
    """A mailbox by name, with or without mail."""

    name: str
    subscribed: bool = True


@dataclass(frozen=True, slots=True, repr=False)
class Parcel:
    """All that moves but mail. `duplicates` are tags under the dedupe key of `secrets`, each with its end of time.

    `former` are names of mailboxes that are gone and still subscribed to.
    """

    identities: tuple[MovedIdentity, ...] = ()
    chans: tuple[MovedChan, ...] = ()
    subscriptions: tuple[MovedSubscription, ...] = ()
    contacts: tuple[MovedContact, ...] = ()
    mailboxes: tuple[MovedMailbox, ...] = ()
    options: Words = field(default_factory=dict)
    pubkeys: tuple[Pubkey, ...] = ()
    secrets: AccountSecrets | None = None
    duplicates: tuple[tuple[bytes, int], ...] = ()
    held_acks: tuple[HeldAck, ...] = ()
    threads: tuple[ThreadEntry, ...] = ()
    former: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # what the reader should know


class MovedMail(NamedTuple):
    """One mail as it is stored. With `of` it belongs to the mailbox of that chan or subscription, if there is one.

    `known_by` is its Message-ID where that alone tells whether it is there already; else its bytes do. `saved_at` is
    when it came into that mailbox, None for now.
    """

    mailbox: str
    raw: bytes
    flags: Flags = Flags.NONE
    keywords: tuple[str, ...] = ()
    internaldate: int | None = None
    of: Address | None = None
    known_by: str = ""
    saved_at: int | None = None


class InboxRow(NamedTuple):
    """A received message of PyBitmessage; `recipient` is its own word for subscribers where it was a broadcast."""

    msgid: bytes
    recipient: str
    sender: str
    subject: str
    received: int
    message: str
    folder: str
    encoding: int
    is_read: bool


class SentRow(NamedTuple):
    """A message that PyBitmessage sent, or was about to."""

    ack_data: bytes
    recipient: str
    sender: str
    subject: str
    message: str
    at: int
    status: str
    folder: str
    encoding: int


class ListedAddress(NamedTuple):
    """A row of PyBitmessage's address book, subscriptions, black- or whitelist."""

    label: str
    address: str
    enabled: bool = True


class StoredPubkey(NamedTuple):
    """What PyBitmessage keeps of somebody's pubkey."""

    address: str
    record: bytes
