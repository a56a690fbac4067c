"""The data items of STATUS of both revisions of IMAP and of CONDSTORE (RFC 3501, RFC 9051 6.3.11, RFC 7162 3.1.7)."""

from collections.abc import Callable
from dataclasses import dataclass

from bmgate.domain.mailbox import MailboxStatus
from bmgate.imap.features import Feature
from bmgate.imap.limits import ImapLimits


@dataclass(frozen=True, slots=True)
class StatusItem:
    """A data item: its name, what is told, and the feature that asking for it switches on."""

    name: str
    value: Callable[[MailboxStatus, ImapLimits], int | str]
    enables: Feature | None = None


STATUS_ITEMS = (
    StatusItem("MESSAGES", lambda status, _: status.messages),
    StatusItem("RECENT", lambda status, _: status.recent),
    StatusItem("UIDNEXT", lambda status, _: status.mailbox.uidnext),
    StatusItem("UIDVALIDITY", lambda status, _: status.mailbox.uidvalidity),
    StatusItem("UNSEEN", lambda status, _: status.unseen),
    StatusItem("DELETED", lambda status, _: status.deleted),
    StatusItem("SIZE", lambda status, _: status.size),
    StatusItem("HIGHESTMODSEQ", lambda status, _: status.mailbox.modseq, Feature.CONDSTORE),
)
