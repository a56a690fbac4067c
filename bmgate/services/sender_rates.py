"""How much one sender may write to one account before the rest goes to Junk (P38).

Each mail takes its time out of the future: a sender may be ahead of the clock by so much, and no more. One moment for
each sender is all that is kept, and it passes by itself. Contacts write as much as they like: the caller spares them.
"""

from dataclasses import dataclass

from bmgate.bm.addresses import Address
from bmgate.domain.ports.account_store import AccountStore
from bmgate.mail.reading import Kind


@dataclass(frozen=True, slots=True)
class Rate:
    """`at_once` mails, and then one in so many seconds."""

    at_once: int
    seconds_each: int

    @property
    def most_ahead(self) -> int:
        return self.at_once * self.seconds_each


EACH_WORKED_FOR = Rate(500, 60)  # a msg costs its sender work for this reader alone
ONE_FOR_ALL = Rate(60, 120)  # a broadcast or a post reaches everybody at once; thirty an hour is a lively chan
RATES = {Kind.CHAN: ONE_FOR_ALL, Kind.BROADCAST: ONE_FOR_ALL, Kind.LIST: ONE_FOR_ALL}


def is_flood(mine: AccountStore, sender: Address, kind: Kind, now: int) -> bool:
    """Whether this mail is one too many, to be called once for each; within the transaction that delivers it."""
    rate = RATES.get(kind, EACH_WORKED_FOR)
    kept = mine.senders.until(sender)
    until = kept if now < kept <= now + rate.most_ahead else now  # beyond that the clock was set back
    if until + rate.seconds_each > now + rate.most_ahead:
        return True
    mine.senders.keep(sender, until + rate.seconds_each, now)
    return False
