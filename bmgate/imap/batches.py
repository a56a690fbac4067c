"""Messages read from the store in batches that make about one write each (I7)."""

from bisect import bisect_right
from collections.abc import Sequence

from bmgate.domain.mailbox import MessageRow
from bmgate.imap.fetch import Depth, StoredMail
from bmgate.imap.session import Session

ROWS_AT_ONCE = 2000  # rows rendered or judged before others get a turn
HEADERS_AT_ONCE = 1000  # headers looked at off the loop before others get a turn


class Batches:
    """Messages of the view, read in batches that make about the octets one write should have (I7)."""

    def __init__(self, session: Session, places: Sequence[int], depth: Depth, most: int | None = None) -> None:
        """`most` is how many may come at once, where they make no write."""
        self._session, self._places, self._depth, self._at = session, places, depth, 0
        self._size = session.limits.fetch_messages
        self._most = self._size if most is None else most

    async def next(self) -> tuple[list[tuple[int, MessageRow]], dict[int, StoredMail]] | None:
        """Rows with their sequence numbers, and what was found of them by UID; None at the end."""
        rows = self._session.view.pairs(self._places[self._at : self._at + self._size])
        if not rows:
            return None
        uids = [row.uid for _, row in rows]
        found = await (self._heads(uids) if self._depth is Depth.HEADER else self._messages(uids))
        if self._depth is not Depth.HEADER and found:
            rows = rows[: bisect_right(uids, found[-1].uid)]  # what comes behind did not fit, or is gone
        self._at += len(rows)
        return rows, {message.uid: message for message in found}

    async def _heads(self, uids: list[int]) -> Sequence[StoredMail]:
        """All of them; how many fit is learned for the next batch, for headers are small."""
        session = self._session
        found = await session.services.mailboxes.heads(session.account, session.view.id, uids)
        fitting = session.limits.fetch_octets * len(uids) // max(sum(len(head.header) for head in found), 1)
        self._size = max(1, min(fitting, self._size * 4, self._most))
        return found

    async def _messages(self, uids: list[int]) -> Sequence[StoredMail]:
        """The first of them, as many as fit; bodies are large, so the storage looks at their sizes before it reads."""
        session = self._session
        budget = session.limits.fetch_octets
        return await session.services.mailboxes.messages(session.account, session.view.id, uids, budget)
