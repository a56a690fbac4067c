"""Three sessions that change one mailbox at random, over the wire, against what is there (I17, U6)."""

import re
from dataclasses import dataclass, field
from random import Random

import pytest
from imap.fake_services import ALICE, NOW
from imap.wire import House, Wire, mail

_FETCH = re.compile(rb"\* (\d+) FETCH \(UID (\d+) FLAGS \(([^)]*)\)(?: MODSEQ \((\d+)\))?\)\r\n")
_NUMBER = re.compile(rb"\* (\d+) (EXISTS|EXPUNGE|RECENT)\r\n")
_MODSEQ = re.compile(rb"\[HIGHESTMODSEQ (\d+)\]")
_EARLIER = re.compile(rb"\* VANISHED \(EARLIER\) ([0-9,:]+)\r\n")
_VANISHED = re.compile(rb"\* VANISHED ([0-9,:]+)\r\n")
_FLAGS = (b"\\Seen", b"\\Flagged", b"\\Answered", b"$Label1", b"$Label2")


@dataclass
class Client:
    """What one mail program believes, from nothing but what it is told."""

    wire: Wire
    has_qresync: bool
    uids: list[int | None] = field(default_factory=list)
    flags: dict[int, frozenset[bytes]] = field(default_factory=dict)
    modseqs: dict[int, int] = field(default_factory=dict)
    modseq: int = 0  # up to which all is known

    async def select(self) -> None:
        self.uids, self.flags, self.modseqs = [], {}, {}
        lines = await self.wire.ok(b"SELECT INBOX")
        self._remember(lines)
        self.hear(lines, may_expunge=False)
        self.hear(await self.wire.ok(b"UID FETCH 1:* FLAGS"), may_expunge=False)

    async def come_back(self) -> None:
        """SELECT with what is remembered: the answer makes the memory complete (RFC 7162 3.2.5)."""
        known = {uid for uid in self.uids if uid is not None and uid in self.flags}
        lines = await self.wire.ok(b"SELECT INBOX (QRESYNC (%d %d))" % (NOW, self.modseq))
        self._remember(lines)
        count = next(int(told[1]) for told in map(_NUMBER.fullmatch, lines) if told and told[2] == b"EXISTS")
        fetched = {int(told[2]): told for told in map(_FETCH.fullmatch, lines) if told}
        gone = {uid for told in map(_EARLIER.fullmatch, lines) if told for uid in expanded(told[1])}
        uids = sorted((known - gone) | fetched.keys())
        assert len(uids) == count
        self.uids = list(uids)
        for uid, told in fetched.items():
            self._fetched(int(told[1]), uid, frozenset(told[3].split()), int(told[4]))

    def _remember(self, lines: list[bytes]) -> None:
        for told in map(_MODSEQ.search, lines):
            if told:
                assert int(told[1]) >= self.modseq
                self.modseq = int(told[1])

    async def do(self, command: bytes, may_expunge: bool) -> None:
        *told, last = await self.wire.ask(command)
        assert last.startswith((b"OK ", b"NO [EXPUNGEISSUED] ", b"NO [MODIFIED ")), (command, last)
        self.hear(told, may_expunge)
        if None not in self.uids:  # whoever has not asked for new messages does not know all
            self._remember([last])

    def hear(self, lines: list[bytes], may_expunge: bool) -> None:
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
                assert line.startswith((b"* FLAGS (", b"* OK [", b"* SEARCH")), line

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
    found = set[int]()
    for span in uid_set.split(b","):
        low, _, high = span.partition(b":")
        found.update(range(int(low), int(high or low) + 1))
    return found


async def step(client: Client, random: Random, number: int) -> None:
    """One command, such as a mail program gives."""
    count = len(client.uids)
    one = random.randint(1, count) if count else 0
    sign, flag = random.choice((b"+", b"-", b"")), random.choice(_FLAGS)
    match random.randrange(9) if count else 0:
        case 0:
            raw = mail(f"mail {number}")
            await client.do(b"APPEND INBOX {%d+}\r\n%b" % (len(raw), raw), may_expunge=True)
        case 1:
            await client.do(b"STORE %d %bFLAGS (%b)" % (one, sign, flag), may_expunge=False)
        case 2:
            await client.do(b"UID STORE 1:* %bFLAGS.SILENT (%b)" % (sign, flag), may_expunge=True)
            await client.do(b"UID FETCH 1:* FLAGS", may_expunge=True)
        case 3:
            await client.do(b"STORE %d +FLAGS (\\Deleted)" % one, may_expunge=False)
            await client.do(b"EXPUNGE", may_expunge=True)
        case 4:
            await client.do(b"MOVE %d Trash" % one, may_expunge=True)
        case 5:
            await client.do(b"COPY %d INBOX" % one, may_expunge=True)
        case 6:
            await client.do(b"SEARCH ALL", may_expunge=False)
        case 7:
            await client.do(b"NOOP", may_expunge=True)
        case 8 if client.has_qresync:
            await client.come_back()
        case 8:
            await client.select()


async def run(house: House, seed: int, steps: int) -> None:
    random = Random(seed)
    clients = [Client(await house.logged_in(), has_qresync=number == 2) for number in range(3)]
    await clients[2].wire.ok(b"ENABLE QRESYNC")
    house.services.mailboxes.fill("INBOX", mail("first"), mail("second"))
    for client in clients:
        await client.select()
    for number in range(steps):
        await step(random.choice(clients), random, number)
        if number % 10 == 9:
            await compare(house, clients)


async def compare(house: House, clients: list[Client]) -> None:
    """Behind a NOOP everybody knows the mailbox as it is."""
    rows = house.services.mailboxes.of(ALICE)["INBOX"].rows
    for client in clients:
        if client.has_qresync:
            await client.come_back()
        else:
            await client.do(b"NOOP", may_expunge=True)
            await client.do(b"UID FETCH 1:* FLAGS", may_expunge=True)
        assert client.uids == sorted(rows)
        flags = {uid: {word.encode() for word in row.keywords} for uid, row in rows.items()}
        names = {1: b"\\Seen", 2: b"\\Answered", 4: b"\\Flagged", 8: b"\\Deleted"}
        for uid, row in rows.items():
            flags[uid] |= {name for bit, name in names.items() if int(row.flags) & bit}
            assert client.flags[uid] == flags[uid]


@pytest.mark.parametrize("seed", range(3))
async def test_i17_three_sessions_agree_with_the_mailbox(house: House, seed: int) -> None:
    await run(house, seed, steps=80)


@pytest.mark.nightly
async def test_i17_three_sessions_agree_for_ten_thousand_steps(house: House) -> None:
    await run(house, 17, steps=10_000)
