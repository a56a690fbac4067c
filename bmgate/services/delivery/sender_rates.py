"""How much one sender may write to chans and subscribers before the rest goes to an account's Junk (P38).

Each mail takes its time out of the future: a sender may be ahead of the clock by so much, and no more. One moment for
each sender is all that is kept, and it passes by itself. Contacts write as much as they like: the caller spares them.
A msg is no part of this: its sender worked for this one reader.
"""

from dataclasses import dataclass

from bmgate.bm.addresses import Address
from bmgate.domain.ports.account_store import AccountStore


@dataclass(frozen=True, slots=True)
class Rate:
    """`at_once` mails, and then one in so many seconds."""

    at_once: int
    seconds_each: int

    @property
    def most_ahead(self) -> int:
        return self.at_once * self.seconds_each


ONE_FOR_ALL = Rate(500, 60)  # who was away for a week finds a lively chan, not its flood, in Junk


def is_flood(mine: AccountStore, sender: Address, now: int) -> bool:
    """Whether this mail is one too many, to be called once for each; within the transaction that delivers it."""
    rate = ONE_FOR_ALL
    kept = mine.senders.until(sender)
    until = kept if now < kept <= now + rate.most_ahead else now  # beyond that the clock was set back
    if until + rate.seconds_each > now + rate.most_ahead:
        return True
    mine.senders.keep(sender, until + rate.seconds_each, now)
    return False
