"""News of mailboxes, from whoever changed one to the sessions that show it."""

from collections import defaultdict
from collections.abc import Callable, Iterable

from bmgate.domain.mailbox import MailboxId


class MailboxEvents:
    """Calls watchers in the loop, after the commit that changed their mailbox. Holds no messages: watchers ask."""

    def __init__(self) -> None:
        self._watchers: defaultdict[MailboxId, set[Callable[[], None]]] = defaultdict(set)

    def watch(self, mailbox: MailboxId, callback: Callable[[], None]) -> Callable[[], None]:
        """Have `callback` called on every change of `mailbox`, until the function returned here is called."""
        self._watchers[mailbox].add(callback)

        def cancel() -> None:
            self._watchers[mailbox].discard(callback)
            if not self._watchers[mailbox]:
                del self._watchers[mailbox]

        return cancel

    def changed(self, mailboxes: Iterable[MailboxId]) -> None:
        """Tell the watchers of these mailboxes."""
        for mailbox in set(mailboxes):
            for callback in tuple(self._watchers.get(mailbox, ())):
                callback()
