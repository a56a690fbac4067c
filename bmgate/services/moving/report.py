"""What an import tells of itself."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from bmgate.domain.mailbox import MailboxId

MAX_NOTES = 50


@dataclass(slots=True)
class Count:
    """Of one kind of things."""

    new: int = 0
    there: int = 0


@dataclass(slots=True)
class Report:
    """What came, or would come."""

    counts: dict[str, Count] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    octets: int = 0
    mailboxes: list[MailboxId] = field(default_factory=list)

    def count(self, kind: str, *, new: bool, number: int = 1) -> None:
        """One more."""
        count = self.counts.setdefault(kind, Count())
        if new:
            count.new += number
        else:
            count.there += number

    def note(self, text: str) -> None:
        """At most fifty are kept."""
        if len(self.notes) < MAX_NOTES:
            self.notes.append(text)

    def note_all(self, texts: Iterable[str]) -> None:
        for text in texts:
            self.note(text)

    @property
    def changes_keys(self) -> bool:
        """Whether other mail is recognised now."""
        return any(self.counts.get(kind, Count()).new for kind in ("identities", "chans", "subscriptions"))
