"""Which chan or subscription is meant: by its address, else by its exact label."""

from collections.abc import Callable
from typing import TypeVar

from bmgate.bm.addresses import PREFIX, Address, parse_address
from bmgate.domain.mailbox import DELIMITER, MailboxId
from bmgate.domain.ports.account_store import AccountStore
from bmgate.errors import BadAddress
from bmgate.mail.addresses import address_in
from bmgate.mail.uris import split_uri

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
    with all that stands in it; only then what stands behind an @, or makes a link, is taken off an address. Raises
    BadAddress for what is meant as an address and is damaged.
    """
    try:
        return by_address(parse_address(text))
    except BadAddress:
        pass
    mailbox = mine.mailboxes.find(parent + DELIMITER + text)
    found = None if mailbox is None else by_mailbox(mailbox.id)
    if found is not None:
        return found
    address = address_in(text)
    if address is None:
        _check_no_address(text)
        return None
    return by_address(address)


def _check_no_address(text: str) -> None:
    """Raises BadAddress: with a wrong letter nobody can say that it is gone."""
    written = split_uri(text)[0]
    if written[: len(PREFIX)].upper() == PREFIX:
        parse_address(written.rpartition("@")[0] or written)
