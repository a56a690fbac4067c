"""Chans: addresses whose private keys every member makes from the same passphrase, and who takes part in them."""

from dataclasses import dataclass
from typing import NewType

from bmgate.bm.addresses import Address
from bmgate.bm.keys import PrivateKeys
from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import MailboxId

ChanId = NewType("ChanId", int)
MembershipId = NewType("MembershipId", int)

CHANS = "Chans"  # the mailbox above those of all chans; what follows the delimiter is the member's label


@dataclass(frozen=True, slots=True)
class Membership:
    """One account's part in a chan: where its posts are delivered."""

    id: MembershipId
    account: AccountId
    chan: ChanId
    address: Address
    mailbox: MailboxId
    joined_at: int
    scan_from: int | None = None  # the stored msg from which on its posts are yet to be looked for; None: all were


@dataclass(frozen=True, slots=True, repr=False)
class NewChan:
    """What storage needs to let an account join."""

    address: Address
    keys: PrivateKeys


@dataclass(frozen=True, slots=True)
class ChanOwner:
    """A chan as the owner of a key, where those of identities are tried beside it."""

    chan: ChanId


@dataclass(frozen=True, slots=True, repr=False)
class ChanKey:
    """What recognising a post takes: the encryption key, 32 raw bytes."""

    chan: ChanId
    address: Address
    encryption_key: bytes
