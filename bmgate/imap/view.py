"""A mailbox as one session has been told of it: sequence numbers, and what it has yet to hear.

What others change is taken in by `learn` and shown by `release`, at the moments the protocol allows: never an EXPUNGE
while FETCH, STORE or SEARCH with sequence numbers runs (RFC 3501 7.4.1, U6).
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import lru_cache

from bmgate.domain.mailbox import Changes, Flags, MailboxId, MailboxSnapshot, MessageRow
from bmgate.imap.sets import SAVED, SequenceSet, indices_of_numbers, indices_of_uids, write_set

FLAG_NAMES: tuple[tuple[int, bytes], ...] = (
    (Flags.SEEN.value, b"\\Seen"),
    (Flags.ANSWERED.value, b"\\Answered"),
    (Flags.FLAGGED.value, b"\\Flagged"),
    (Flags.DELETED.value, b"\\Deleted"),
    (Flags.DRAFT.value, b"\\Draft"),
)
_WITH_RECENT = tuple(Flags(bits | Flags.RECENT) for bits in range(2 * Flags.RECENT))  # `|` costs 1 us a row
MAX_KEYWORDS_TOLD = 1000


def flag_list(row: MessageRow) -> bytes:
    """The flags of a message in parentheses."""
    return _flag_list(int(row.flags), row.keywords)


def _as_recent(row: MessageRow) -> MessageRow:
    return row._replace(flags=_WITH_RECENT[row.flags])


@lru_cache(maxsize=1024)
def _flag_list(flags: int, keywords: tuple[str, ...]) -> bytes:
    words = [b"\\Recent"] if flags & Flags.RECENT.value else []
    words += [name for bit, name in FLAG_NAMES if flags & bit]
    words += [keyword.encode("ascii", "replace") for keyword in keywords]
    return b"(" + b" ".join(words) + b")"


class MailboxView:
    """The selected mailbox of one session. Places count from 0, sequence numbers from 1."""

    def __init__(self, snapshot: MailboxSnapshot, read_only: bool, tells_recent: bool = False) -> None:
        self.mailbox, self.read_only = snapshot.mailbox, read_only
        self.modseq = self.told_modseq = snapshot.mailbox.modseq
        self.tells_modseq = self.tells_vanished = False
        self.saved: list[int] = []  # UIDs that `$` means (RFC 5182)
        self.uids: list[int] = [row.uid for row in snapshot.rows]
        self._tells_recent, self._uidnext = tells_recent, snapshot.mailbox.uidnext
        first = bisect_left(self.uids, snapshot.mailbox.recent_uid) if tells_recent else len(self.uids)
        self.recent: set[int] = set(self.uids[first:])
        self.rows: dict[int, MessageRow] = {row.uid: row for row in snapshot.rows[:first]}
        self.rows.update((row.uid, _as_recent(row)) for row in snapshot.rows[first:])
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
        if messages == SAVED:
            return [self.place(uid) for uid in self.saved if uid in self.rows]
        return indices_of_uids(messages, self.uids) if uid else indices_of_numbers(messages, len(self.uids))

    def select_uids(self, messages: SequenceSet, uid: bool) -> list[int]:
        """Their UIDs."""
        return [self.uids[place] for place in self.places(messages, uid)]

    def place(self, uid: int) -> int:
        """The place of a UID that is there."""
        return bisect_left(self.uids, uid)

    def is_gone(self, uid: int) -> bool:
        """Whether somebody expunged it, told or not."""
        return uid not in self.rows or uid in self._expunged

    def changed_since(self, modseq: int) -> list[int]:
        """UIDs of messages the client knows of that changed after `modseq`."""
        return [uid for uid in self.uids if self.rows[uid].modseq > modseq]

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

    def claims(self, changes: Changes) -> bool:
        """Whether messages came that may be recent for this session."""
        return self._tells_recent and not self.read_only and changes.uidnext > self._uidnext

    def learn(self, changes: Changes, recent_from: int | None = None) -> None:
        """Take in what happened, messages from `recent_from` on as recent; nothing is shown yet."""
        self.modseq = max(self.modseq, changes.modseq)
        if recent_from is not None:
            first = max(recent_from, self._uidnext)
            self.recent.update(row.uid for row in changes.updated if row.uid >= first)
        self._uidnext = max(self._uidnext, changes.uidnext)
        for row in map(self.own, changes.updated):
            known = self.rows.get(row.uid)
            if known is None or known.modseq < row.modseq:
                self._updates[row.uid] = row
        for uid in changes.expunged:
            self._updates.pop(uid, None)
            if uid in self.rows:
                self._expunged.add(uid)

    def own(self, row: MessageRow) -> MessageRow:
        r"""The row with the \Recent of this session."""
        return _as_recent(row) if row.uid in self.recent else row

    def stored(self, rows: Sequence[MessageRow]) -> list[bytes]:
        """Rows this session changed itself; the client learns of them by the answer to its command.

        Returns what must be told before that: the flags of the mailbox, when there are new ones.
        """
        for row in map(self.own, rows):
            known = self.rows.get(row.uid)
            if known is not None and known.modseq <= row.modseq:
                self.rows[row.uid] = row
                self._updates.pop(row.uid, None)
        return self._release_keywords(rows)

    def removed(self, uids: Iterable[int]) -> None:
        """Messages this session expunged itself, to be told by the next `release`."""
        self._expunged.update(uid for uid in uids if uid in self.rows)

    def release(self, expunge: bool) -> list[bytes]:
        """The untagged responses that tell the client what was learnt; EXPUNGE only when that is allowed now."""
        if not self.has_news:
            self.told_modseq = self.modseq
            return []
        lines = self._release_expunged() if expunge and self._expunged else []
        lines += self._release_updates()
        if not self._expunged:
            self.told_modseq = self.modseq
        return lines

    def _release_expunged(self) -> list[bytes]:
        places = sorted((self.place(uid) for uid in self._expunged), reverse=True)
        gone, self._expunged = self._expunged, set()
        for uid in gone:
            del self.rows[uid]
        self.uids = [uid for uid in self.uids if uid not in gone]
        self.recent -= gone
        if self.tells_vanished:
            return [b"* VANISHED " + write_set(sorted(gone)) + b"\r\n"]
        return [b"* %d EXPUNGE\r\n" % (place + 1) for place in places]

    def _release_updates(self) -> list[bytes]:
        updates, self._updates = self._updates, {}
        arrived = sorted(uid for uid in updates if uid not in self.rows)
        told: list[bytes] = []
        for uid in sorted(updates.keys() - set(arrived)):
            before, after = self.rows[uid], updates[uid]
            self.rows[uid] = after
            if self.tells_modseq or (before.flags, before.keywords) != (after.flags, after.keywords):
                told.append(self.flags_line(uid))
        if arrived:
            self.rows.update((uid, updates[uid]) for uid in arrived)
            self.uids += arrived
            told.insert(0, b"* %d EXISTS\r\n" % len(self.uids))
            if not self.recent.isdisjoint(arrived):
                told.insert(1, b"* %d RECENT\r\n" % len(self.recent))
        return self._release_keywords(updates.values()) + told

    def _release_keywords(self, rows: Iterable[MessageRow]) -> list[bytes]:
        new = {keyword for row in rows for keyword in row.keywords} - self._keywords
        self._keywords |= new
        return self.flags_lines() if new else []

    def flags_line(self, uid: int) -> bytes:
        """The FETCH response with the flags of one message."""
        row = self.rows[uid]
        modseq = b" MODSEQ (%d)" % row.modseq if self.tells_modseq else b""
        return b"* %d FETCH (UID %d FLAGS %b%b)\r\n" % (self.place(uid) + 1, uid, flag_list(row), modseq)

    def pairs(self, places: Sequence[int]) -> list[tuple[int, MessageRow]]:
        """Sequence numbers with their rows."""
        return [(place + 1, self.rows[self.uids[place]]) for place in places]
