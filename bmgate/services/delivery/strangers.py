"""Strangers: whose mail is a first contact, and where it waits (M3). All within the caller's unit of work."""

from enum import Enum

from bmgate.bm.addresses import Address
from bmgate.domain.contact import Standing
from bmgate.domain.mailbox import Mailbox, MailboxKind
from bmgate.domain.policy import Policy
from bmgate.domain.ports.account_store import AccountStore
from bmgate.mail.reading import Reading

REQUESTS = "Requests"


class Welcome(Enum):
    """How mail of a sender is received: delivered, left to wait in Requests, or thrown into Junk."""

    WANTED = "wanted"
    WAITING = "waiting"
    JUNK = "junk"


def is_known(mine: AccountStore, sender: Address) -> bool:
    """Whether the account has a word for this address, or allowed it."""
    return bool(mine.contacts.label_of(sender)) or mine.contacts.standing_of(sender) is Standing.ALLOWED


def welcome(mine: AccountStore, sender: Address, reading: Reading, policy: Policy) -> Welcome:
    """By what the owner decided about the sender, else by what the account does with strangers.

    What is wanted waits all the same where a list has to be shown it before it is passed on.
    """
    if mine.contacts.standing_of(sender) is Standing.BLOCKED:
        return Welcome.JUNK
    how = _welcome(mine, sender, reading, policy)
    return Welcome.WAITING if how is Welcome.WANTED and policy.list and policy.moderate else how


def _welcome(mine: AccountStore, sender: Address, reading: Reading, policy: Policy) -> Welcome:
    if policy.requests == "off" or is_known(mine, sender) or mine.contacts.was_written_to(sender):
        return Welcome.WANTED
    if _is_own(mine, sender) or _answers_us(mine, reading):
        return Welcome.WANTED
    return Welcome.WAITING if policy.requests == "on" else Welcome.JUNK


def requests_mailbox(mine: AccountStore, now: int) -> Mailbox:
    """Where mail of strangers waits; made when the first comes, and subscribed to, so that mail programs show it."""
    return mine.mailboxes.find(REQUESTS) or mine.mailboxes.create(REQUESTS, MailboxKind.USER, now)


def _is_own(mine: AccountStore, sender: Address) -> bool:
    return mine.identities.find(sender) is not None


def _answers_us(mine: AccountStore, reading: Reading) -> bool:
    """Whether it names a mail as answered that the account sent: a post to a chan, perhaps."""
    threads = [found for vector in reading.parents if (found := mine.threads.by_vector(vector)) is not None]
    if not threads:
        return False
    sent = mine.mailboxes.by_kind(MailboxKind.SENT).id
    return any(place == sent for thread in threads for place, _ in mine.messages.places_of(thread.message_id))
