"""Subscriptions: addresses whose broadcasts an account wants to read."""

from dataclasses import dataclass
from typing import NewType

from bmgate.bm.addresses import Address
from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import MailboxId

SubscriptionId = NewType("SubscriptionId", int)

SUBSCRIPTIONS = "Subscriptions"  # the mailbox above those of all; what follows the delimiter is the subscriber's label


@dataclass(frozen=True, slots=True)
class Subscription:
    """One account's subscription, and where the broadcasts are delivered."""

    id: SubscriptionId
    account: AccountId
    address: Address
    mailbox: MailboxId
    enabled: bool
    created_at: int
    scan_from: int | None = None  # the stored broadcast from which on to look for its own; None: all were looked at
