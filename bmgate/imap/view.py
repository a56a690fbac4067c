"""A mailbox as one session has been told of it: sequence numbers, and what it has yet to hear.

What others change is taken in by `learn` and shown by `release`, at the moments the protocol allows: never an EXPUNGE
while FETCH, STORE or SEARCH with sequence numbers runs (RFC 3501 7.4.1, U6).
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import lru_cache

from bmgate.domain.mailbox import Changes, Flags, MailboxId, MailboxSnapshot, MessageRow
from bmgate.imap.sets import indices_of_numbers, indices_of_uids
from bmgate.imap.values import SequenceSet

FLAG_NAMES: tuple[tuple[int, bytes], ...] = (
    (Flags.SEEN.value, b"\\Seen"),
    (Flags.ANSWERED.value, b"\\Answered"),
    (Flags.FLAGGED.value, b"\\Flagged"),
    (Flags.DELETED.value, b"\\Deleted"),
    (Flags.DRAFT.value, b"\\Draft"),
)
MAX_KEYWORDS_TOLD = 1000


def flag_list(row: MessageRow) -> bytes:
    """The flags of a message in parentheses."""
    return _flag_list(int(row.flags), row.keywords)


@lru_cache(maxsize=1024)
def _flag_list(flags: int, keywords: tuple[str, ...]) -> bytes:
    words = [name for bit, name in FLAG_NAMES if flags & bit]
    words += [keyword.encode("ascii", "replace") for keyword in keywords]
    return b"(" + b" ".join(words) + b")"


class MailboxView:
    """The selected mailbox of one session. Places count from 0, sequence numbers from 1."""

    def __init__(self, snapshot: MailboxSnapshot, read_only: bool) -> None:
        self.mailbox, self.read_only = snapshot.mailbox, read_only
        self.modseq = snapshot.mailbox.modseq
        self.rows: dict[int, MessageRow] = {row.uid: row for row in snapshot.rows}
        self.uids: list[int] = [row.uid for row in snapshot.rows]
        self._keywords = {keyword for row in snapshot.rows for keyword in row.keywords}
        self._updates: dict[int, MessageRow] = {}
        self._expunged: set[int] = set()

    @property
    def id(self) -> MailboxId:
        """Of the mailbox."""
        return self.mailbox.id

    @property
    def count(self) -> int:
        """How many messages the client knows of."""
        return len(self.uids)

    @property
    def has_news(self) -> bool:
        """Whether `release` would say something."""
        return bool(self._updates or self._expunged)

    def places(self, messages: SequenceSet, uid: bool) -> list[int]:
        """Places of the messages a client means, ascending."""
        return indices_of_uids(messages, self.uids) if uid else indices_of_numbers(messages, len(self.uids))

    def select_uids(self, messages: SequenceSet, uid: bool) -> list[int]:
        """Their UIDs."""
        return [self.uids[place] for place in self.places(messages, uid)]

    def place(self, uid: int) -> int:
        """The place of a UID that is there."""
        return bisect_left(self.uids, uid)

    def first_unseen(self) -> int | None:
        r"""The first sequence number without \Seen."""
        seen = Flags.SEEN.value
        return next((n for n, uid in enumerate(self.uids, 1) if not int(self.rows[uid].flags) & seen), None)

    def flags_lines(self) -> list[bytes]:
        """FLAGS and PERMANENTFLAGS."""
        keywords = [word.encode("ascii", "replace") for word in sorted(self._keywords)[:MAX_KEYWORDS_TOLD]]
        names = b" ".join([name for _, name in FLAG_NAMES] + keywords)
        allowed = b"" if self.read_only else names + b" \\*"
        return [
            b"* FLAGS (" + names + b")\r\n",
            b"* OK [PERMANENTFLAGS (" + allowed + b")] Flags that can be kept\r\n",
        ]

    def learn(self, changes: Changes) -> None:
        """Take in what happened; nothing is shown yet."""
        self.modseq = max(self.modseq, changes.modseq)
        for row in changes.updated:
            known = self.rows.get(row.uid)
            if known is None or known.modseq < row.modseq:
                self._updates[row.uid] = row
        for uid in changes.expunged:
            self._updates.pop(uid, None)
            if uid in self.rows:
                self._expunged.add(uid)

    def stored(self, rows: Iterable[MessageRow]) -> None:
        """Rows this session changed itself; the client learns of them by the answer to its command."""
        for row in rows:
            known = self.rows.get(row.uid)
            if known is not None and known.modseq <= row.modseq:
                self.rows[row.uid] = row
                self._updates.pop(row.uid, None)

    def removed(self, uids: Iterable[int]) -> None:
        """Messages this session expunged itself, to be told by the next `release`."""
        self._expunged.update(uid for uid in uids if uid in self.rows)

    def release(self, expunge: bool) -> list[bytes]:
        """The untagged responses that tell the client what was learnt; EXPUNGE only when that is allowed now."""
        if not self.has_news:
            return []
        lines = self._release_expunged() if expunge else []
        return lines + self._release_updates()

    def _release_expunged(self) -> list[bytes]:
        places = sorted((self.place(uid) for uid in self._expunged), reverse=True)
        gone, self._expunged = self._expunged, set()
        for uid in gone:
            del self.rows[uid]
        self.uids = [uid for uid in self.uids if uid not in gone]
        return [b"* %d EXPUNGE\r\n" % (place + 1) for place in places]

    def _release_updates(self) -> list[bytes]:
        updates, self._updates = self._updates, {}
        arrived = sorted(uid for uid in updates if uid not in self.rows)
        told: list[bytes] = []
        for uid in sorted(updates.keys() - set(arrived)):
            before, after = self.rows[uid], updates[uid]
            self.rows[uid] = after
            if (before.flags, before.keywords) != (after.flags, after.keywords):
                told.append(self.flags_line(uid))
        if arrived:
            self.rows.update((uid, updates[uid]) for uid in arrived)
            self.uids += arrived
            told.insert(0, b"* %d EXISTS\r\n" % len(self.uids))
        return self._release_keywords(updates.values()) + told

    def _release_keywords(self, rows: Iterable[MessageRow]) -> list[bytes]:
        new = {keyword for row in rows for keyword in row.keywords} - self._keywords
        self._keywords |= new
        return self.flags_lines() if new else []

    def flags_line(self, uid: int) -> bytes:
        """The FETCH response with the flags of one message."""
        return b"* %d FETCH (UID %d FLAGS %b)\r\n" % (self.place(uid) + 1, uid, flag_list(self.rows[uid]))

    def pairs(self, places: Sequence[int]) -> list[tuple[int, MessageRow]]:
        """Sequence numbers with their rows."""
        return [(place + 1, self.rows[self.uids[place]]) for place in places]
