"""Contacts: labels an account gave to addresses, and what it thinks of them."""

from dataclasses import dataclass
from enum import StrEnum

from bmgate.bm.addresses import Address


class Standing(StrEnum):
    """What the owner decided about mail from an address."""

    NONE = ""
    ALLOWED = "allowed"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Contact:
    """An address that an account has a word for, or decided about; `label` is empty without a word."""

    address: Address
    label: str
    standing: Standing = Standing.NONE


@dataclass(frozen=True, slots=True, repr=False)
class HeldAck:
    """The ack for a mail of a stranger; `content_tag` is the mail's in the duplicate filter, times are Unix seconds."""

    sender: Address
    content_tag: bytes
    packet: bytes
    keep_until: int
