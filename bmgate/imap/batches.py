"""Messages read from the store in batches that make about one write each (I7)."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from bmgate.domain.mailbox import MessageHead, MessageRow
from bmgate.imap.data_items import Depth, StoredMail
from bmgate.imap.session import Session

ROWS_AT_ONCE = 2000  # rows rendered or judged before others get a turn
HEADERS_AT_ONCE = 1000  # headers looked at off the loop before others get a turn
_HEAD_TO_HEADER = 2  # a head is a header and an index, which are of about the same size


class Batch(NamedTuple):
    """Rows with their sequence numbers, and what was found of them, by UID; `large` is the one too large to be read."""

    rows: list[tuple[int, MessageRow]]
    found: dict[int, StoredMail]
    large: MessageHead | None


class Batches:
    """Messages of the view, read in batches that make about the octets one write should have (I7)."""

    def __init__(
        self,
        session: Session,
        places: Sequence[int],
        depth: Depth,
        most: int | None = None,
        copies: int = 0,
    ) -> None:
        """`most` is how many may come at once, where they make no write.

        `copies` is how often what is written has a message in it; then one that is too large comes alone, as its head.
        """
        self._session, self._places, self._depth, self._at = session, places, depth, 0
        self._heads_of_large, times = copies > 0, max(copies, 1)
        self._octets = session.limits.fetch_octets // times
        self._size = max(session.limits.fetch_messages // times, 1)
        self._most = self._size if most is None else most

    async def next(self) -> Batch | None:
        """None at the end."""
        rows = self._session.view.pairs(self._places[self._at : self._at + self._size])
        if not rows:
            return None
        uids = [row.uid for _, row in rows]
        found = await (self._heads(uids) if self._depth is Depth.HEADER else self._messages(uids))
        if found:
            rows = rows[: bisect_right(uids, found[-1].uid)]  # what comes behind did not fit, or is gone
        self._at += len(rows)
        alone = found[0] if self._depth is Depth.BODY and len(found) == 1 else None
        large = alone if isinstance(alone, MessageHead) else None
        return Batch(rows, {message.uid: message for message in found}, large)

    def heavy(self, batch: Batch) -> StoredMail | None:
        """The only message of the batch, where its header alone would make more than a write."""
        message = next(iter(batch.found.values())) if len(batch.found) == 1 else None
        return message if message is not None and len(message.header) > self._octets else None

    async def _heads(self, uids: list[int]) -> Sequence[StoredMail]:
        """The first of them, as many as fit; how many that may be is learned for the next batch, for most are small."""
        session = self._session
        budget = self._octets * _HEAD_TO_HEADER
        found = await session.services.mailboxes.heads(session.account, session.view.id, uids, budget)
        octets = sum(len(head.header) + len(head.encoded_index) for head in found)
        fitting = budget * len(found) // max(octets, 1)
        self._size = max(1, min(fitting, self._size * 4, self._most))
        return found

    async def _messages(self, uids: list[int]) -> Sequence[StoredMail]:
        """The first of them, as many as fit; bodies are large, so the storage looks at their sizes before it reads."""
        session = self._session
        mailboxes = session.services.mailboxes
        read = mailboxes.portion if self._heads_of_large else mailboxes.messages
        return await read(session.account, session.view.id, uids, self._octets)
