"""Correspondents: labels the account gave, and what is known of an address's pubkey."""

from dataclasses import dataclass

from bmgate.bm.addresses import Address
from bmgate.bm.plaintext import Pubkey


@dataclass(frozen=True, slots=True)
class Contact:
    """An entry of an account's address book."""

    address: Address
    label: str


@dataclass(frozen=True, slots=True)
class KnownPubkey:
    """A pubkey in the cache and when it was learnt, in Unix seconds."""

    pubkey: Pubkey
    learnt_at: int
