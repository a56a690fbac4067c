"""Which chan or subscription is meant: by its address, else by its exact label."""

from collections.abc import Callable
from typing import TypeVar

from bmgate.bm.addresses import Address, parse_address
from bmgate.domain.mailbox import DELIMITER, MailboxId
from bmgate.domain.ports.account_store import AccountStore
from bmgate.errors import BadAddress
from bmgate.mail.addresses import address_in

T = TypeVar("T")


def meant(
    mine: AccountStore,
    parent: str,
    text: str,
    by_address: Callable[[Address], T | None],
    by_mailbox: Callable[[MailboxId], T | None],
) -> T | None:
    """What people mean by a text.

    An address, with or without `BM-`, means that one, whatever others are called. Everything else is a label first,
    with all that stands in it; only then what stands behind an @, or makes a link, is taken off an address.
    """
    try:
        return by_address(parse_address(text))
    except BadAddress:
        pass
    mailbox = mine.mailboxes.find(parent + DELIMITER + text)
    found = None if mailbox is None else by_mailbox(mailbox.id)
    if found is None and (address := address_in(text)) is not None:
        return by_address(address)
    return found
