"""Identities: Bitmessage addresses with their private keys, owned by one account each."""

from dataclasses import dataclass
from typing import NewType

from bmgate.bm.addresses import Address
from bmgate.bm.keys import PrivateKeys
from bmgate.bm.plaintext import Behavior
from bmgate.domain.account import AccountId

IdentityId = NewType("IdentityId", int)


@dataclass(frozen=True, slots=True)
class Identity:
    """One address of an account, with the work it demands from strangers.

    `pubkey_sent_at` is the Unix time of the last publication of its pubkey, None if there was none.
    """

    id: IdentityId
    account: AccountId
    address: Address
    label: str
    enabled: bool
    is_default: bool
    nonce_trials_per_byte: int
    payload_length_extra_bytes: int
    created_at: int
    pubkey_sent_at: int | None
    is_pubkey_outdated: bool = False  # what was published is no longer true
    deleted_at: int | None = None  # it receives no more; its keys stay for a while


@dataclass(frozen=True, slots=True, repr=False)
class NewIdentity:
    """What storage needs to make an identity; its pubkey may have to wait until somebody asks for it."""

    address: Address
    keys: PrivateKeys
    label: str
    is_default: bool
    nonce_trials_per_byte: int
    payload_length_extra_bytes: int
    created_at: int
    behavior: int = int(Behavior.DOES_ACK | Behavior.READS_FILES)
    publish_on_request: bool = False
    pubkey_sent_at: int | None = None  # where it was published before it came here


@dataclass(frozen=True, slots=True, repr=False)
class ReceivingKey:
    """What recognising a msg takes: the encryption key of one enabled identity, 32 raw bytes."""

    identity: IdentityId
    account: AccountId
    address: Address
    encryption_key: bytes


@dataclass(frozen=True, slots=True)
class PubkeyWork:
    """A pubkey object of an own identity on its way out: signed and stored before its proof of work begins (P28)."""

    identity: IdentityId
    payload: bytes
    saved_nonce: int
