"""What a mail program knows of a mailbox, from nothing but what it is told."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from imap.wire import Wire

_FETCH = re.compile(rb"\* (\d+) FETCH \(UID (\d+) FLAGS \(([^)]*)\)(?: MODSEQ \((\d+)\))?\)\r\n")
_NUMBER = re.compile(rb"\* (\d+) (EXISTS|EXPUNGE|RECENT)\r\n")
_VALIDITY = re.compile(rb"\[UIDVALIDITY (\d+)\]")
_MODSEQ = re.compile(rb"\[HIGHESTMODSEQ (\d+)\]")
_EARLIER = re.compile(rb"\* VANISHED \(EARLIER\) ([0-9,:]+)\r\n")
_VANISHED = re.compile(rb"\* VANISHED ([0-9,:]+)\r\n")
_FOUND = re.compile(rb"\* SEARCH((?: \d+)*)\r\n")
_OTHER = (b"* FLAGS (", b"* OK [", b"* SEARCH")
NOT_ALL = (b"OK ", b"NO [EXPUNGEISSUED] ", b"NO [MODIFIED ")
"""How a command ends that could not reach messages somebody else removed or changed."""


@dataclass
class Memory:
    """One program with `mailbox` open. Sequence numbers it has not asked about stand as None."""

    wire: Wire
    mailbox: bytes = b"INBOX"
    has_qresync: bool = False
    uids: list[int | None] = field(default_factory=list)
    flags: dict[int, frozenset[bytes]] = field(default_factory=dict)
    modseqs: dict[int, int] = field(default_factory=dict)
    validity: int = 0
    modseq: int = 0  # up to which all is known

    @property
    def known(self) -> list[int]:
        """The UIDs of all messages it knows of."""
        return [uid for uid in self.uids if uid is not None]

    async def select(self) -> None:
        """Forget all and look again."""
        self.uids, self.flags, self.modseqs = [], {}, {}
        lines = await self.wire.ok(b"SELECT " + self.mailbox)
        self._remember(lines)
        self.hear(lines, may_expunge=False)
        await self.look()

    async def come_back(self) -> None:
        """SELECT with what is remembered: the answer makes the memory complete (RFC 7162 3.2.5)."""
        known = {uid for uid in self.known if uid in self.flags}
        lines = await self.wire.ok(b"SELECT %b (QRESYNC (%d %d))" % (self.mailbox, self.validity, self.modseq))
        self._remember(lines)
        count = next(int(told[1]) for told in map(_NUMBER.fullmatch, lines) if told and told[2] == b"EXISTS")
        fetched = {int(told[2]): told for told in map(_FETCH.fullmatch, lines) if told}
        gone = {uid for told in map(_EARLIER.fullmatch, lines) if told for uid in expanded(told[1])}
        uids = sorted((known - gone) | fetched.keys())
        assert len(uids) == count
        self.uids = list(uids)
        for uid, told in fetched.items():
            self._fetched(int(told[1]), uid, frozenset(told[3].split()), int(told[4]))

    async def look(self) -> None:
        """Ask for what it was told the number of only."""
        items = b"(FLAGS MODSEQ)" if self.has_qresync else b"FLAGS"
        await self.do(b"UID FETCH 1:* " + items, may_expunge=True)
        while None in self.uids:
            await self.do(b"UID FETCH 1:* " + items, may_expunge=True)

    async def do(self, command: bytes, may_expunge: bool) -> bytes:
        """Give a command and hear its answers; the tagged one."""
        *told, last = await self.wire.ask(command)
        assert last.startswith(NOT_ALL), (command, last)
        self.hear(told, may_expunge)
        if None not in self.uids:  # whoever has not asked for new messages does not know all
            self._remember([last])
        return last

    async def search(self, keys: bytes) -> list[int]:
        """What UID SEARCH finds."""
        lines = await self.wire.ok(b"UID SEARCH " + keys)
        self.hear(lines, may_expunge=True)
        return [int(uid) for told in map(_FOUND.fullmatch, lines) if told for uid in told[1].split()]

    def hear(self, lines: Iterable[bytes], may_expunge: bool) -> None:
        """Untagged responses; EXPUNGE fails the test where it is not allowed (U6)."""
        for line in lines:
            if told := _FETCH.fullmatch(line):
                self._fetched(int(told[1]), int(told[2]), frozenset(told[3].split()), int(told[4] or 0))
            elif told := _NUMBER.fullmatch(line):
                self._counted(int(told[1]), told[2], may_expunge)
            elif told := _VANISHED.fullmatch(line):
                assert may_expunge
                for uid in expanded(told[1]):
                    self.uids.remove(uid if uid in self.uids else None)  # of a message it has not asked about
            else:
                assert line.startswith(_OTHER), line

    def _remember(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            if told := _VALIDITY.search(line):
                assert self.validity in (0, int(told[1]))
                self.validity = int(told[1])
            if told := _MODSEQ.search(line):
                assert int(told[1]) >= self.modseq
                self.modseq = int(told[1])

    def _fetched(self, number: int, uid: int, flags: frozenset[bytes], modseq: int) -> None:
        assert self.uids[number - 1] in (uid, None)
        assert not modseq or modseq >= self.modseqs.get(uid, 0)
        self.uids[number - 1], self.flags[uid] = uid, flags - {b"\\Recent"}
        self.modseqs[uid] = modseq or self.modseqs.get(uid, 0)

    def _counted(self, number: int, word: bytes, may_expunge: bool) -> None:
        if word == b"EXPUNGE":
            assert may_expunge
            assert not self.has_qresync
            del self.uids[number - 1]
        elif word == b"EXISTS":
            assert number >= len(self.uids)
            self.uids += [None] * (number - len(self.uids))


def expanded(uid_set: bytes) -> set[int]:
    """The UIDs of a set."""
    found = set[int]()
    for span in uid_set.split(b","):
        low, _, high = span.partition(b":")
        found.update(range(int(low), int(high or low) + 1))
    return found
