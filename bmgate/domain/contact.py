"""Contacts: labels an account gave to addresses."""

from dataclasses import dataclass

from bmgate.bm.addresses import Address


@dataclass(frozen=True, slots=True)
class Contact:
    """An entry of an account's address book."""

    address: Address
    label: str
