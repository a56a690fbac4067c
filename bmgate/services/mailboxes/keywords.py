"""How many keywords there may be: clients invent them, every SELECT tells them, and no quota counts them (T5).

What the gateway and the common mail programs use is always welcome, so that most changes cost no look at the mailbox.
"""

from collections.abc import Collection, Iterable

from bmgate.domain.mailbox import MailboxId, MessageRow
from bmgate.domain.ports.account_mail import AccountMessages
from bmgate.errors import LimitReached
from bmgate.services.mailboxes.sent_status import STATUS_KEYWORDS

MAX_OF_MESSAGE, MAX_OF_MAILBOX = 128, 1_000

_ORDINARY = frozenset(STATUS_KEYWORDS) | {
    *("$label1", "$label2", "$label3", "$label4", "$label5", "$forwarded", "$mdnsent", "$submitpending", "$submitted"),
    *("$junk", "$notjunk", "$phishing", "$important", "junk", "nonjunk", "notjunk", "forwarded"),
}


def refuse_many_of_mailbox(messages: AccountMessages, mailbox: MailboxId, words: Iterable[str]) -> None:
    """Before `words` come into `mailbox`; raises LimitReached where it would have too many different ones then."""
    new = {word.lower() for word in words} - _ORDINARY
    if not new:
        return
    there = messages.keywords(mailbox)
    if not new <= there and len(new | there) > MAX_OF_MAILBOX:
        raise LimitReached(f"a mailbox has at most {MAX_OF_MAILBOX} different keywords")


def refuse_many_of_message(rows: Collection[MessageRow]) -> None:
    """Raises LimitReached."""
    if any(len(row.keywords) > MAX_OF_MESSAGE for row in rows):
        raise LimitReached(f"a message has at most {MAX_OF_MESSAGE} keywords")
