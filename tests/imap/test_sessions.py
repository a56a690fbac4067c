"""Three mail programs change one mailbox over the wire and a real database, against a model (I17, U1, U2, U5 to U7)."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from imap.memory import Memory
from imap.wire import Wire
from wires import mail

T = TypeVar("T")
Connect = Callable[[], Awaitable[Wire]]

SECONDS = 20.0
STATUS = re.compile(rb"\(MESSAGES (\d+) UNSEEN (\d+) UIDNEXT (\d+) HIGHESTMODSEQ (\d+)\)")
UIDS = re.compile(rb"\[(?:APPENDUID|COPYUID) \d+ (?:[0-9,:]+ )?([0-9,:]+)\]")
FLAGS = (b"\\Seen", b"\\Flagged", b"\\Answered", b"\\Deleted", b"$Label1", b"$Label2")

WHO = st.sampled_from(range(3))
PICK = st.integers(0, 100)
FLAG = st.sampled_from(FLAGS)
SIGN = st.sampled_from((b"+", b"-", b""))


@dataclass
class Model:
    """The mailbox as it must be."""

    mails: dict[int, frozenset[bytes]] = field(default_factory=dict)  # flags by UID
    uidnext: int = 1

    def add(self, flags: Iterable[bytes] = ()) -> int:
        """The UID of one more mail."""
        self.mails[self.uidnext] = frozenset(flags)
        self.uidnext += 1
        return self.uidnext - 1

    def store(self, uids: Iterable[int], sign: bytes, flag: bytes) -> None:
        """Those that are still there."""
        for uid in self.mails.keys() & set(uids):
            kept = self.mails[uid] - {flag} if sign else frozenset[bytes]()
            self.mails[uid] = kept if sign == b"-" else kept | {flag}

    def expunge(self, uids: Iterable[int]) -> None:
        r"""Those marked \Deleted."""
        for uid in self.mails.keys() & set(uids):
            if b"\\Deleted" in self.mails[uid]:
                del self.mails[uid]


class ThreePrograms(RuleBasedStateMachine):
    """One after the other gives a command; the third has QRESYNC. Runs beside the loop that the server runs on."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connect: Connect, mailbox: bytes) -> None:
        super().__init__()
        self._loop, self._connect, self._mailbox = loop, connect, mailbox
        self._wires: list[Wire] = []
        self.programs: list[Memory] = []
        self.model = Model()
        self.status = (0, 0, 0, 0)
        self.last_mails: dict[int, frozenset[bytes]] = {}

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(SECONDS)

    @initialize()
    def begin(self) -> None:
        self.run(self._begin())

    async def _begin(self) -> None:
        for _ in range(4):
            self._wires.append(await self._connect())
        *wires, self.witness = self._wires
        await self.witness.ok(b"CREATE " + self._mailbox)
        await wires[2].ok(b"ENABLE QRESYNC")
        self.programs = [Memory(wire, self._mailbox, has_qresync=wire is wires[2]) for wire in wires]
        for program in self.programs:
            await program.select()
        await self._append(self.programs[0], 3, b"")

    async def _append(self, program: Memory, number: int, flag: bytes) -> None:
        mails = [mail(f"mail {self.model.uidnext + i}") for i in range(number)]
        text = b"".join(b" (%b) {%d+}\r\n%b" % (flag, len(raw), raw) for raw in mails)
        last = await program.do(b"APPEND %b%b" % (self._mailbox, text), may_expunge=True)
        assert told_uids(last) == [self.model.add([flag] if flag else []) for _ in mails]
        await program.look()

    def _known(self, who: int, pick: int) -> tuple[Memory, int | None]:
        """A program, and one of the mails it knows of: by sequence number, from 1."""
        program = self.programs[who]
        return program, pick % len(program.uids) + 1 if program.uids else None

    @rule(who=WHO, number=st.integers(1, 3), flag=st.sampled_from((b"", *FLAGS)))
    def append(self, who: int, number: int, flag: bytes) -> None:
        self.run(self._append(self.programs[who], number, flag))

    @rule(who=WHO, pick=PICK, sign=SIGN, flag=FLAG)
    def store_by_number(self, who: int, pick: int, sign: bytes, flag: bytes) -> None:
        program, number = self._known(who, pick)
        if number is None:
            return
        uids = [program.known[number - 1]]
        self.run(program.do(b"STORE %d %bFLAGS (%b)" % (number, sign, flag), may_expunge=False))
        self.model.store(uids, sign, flag)
        self.run(program.look())

    @rule(who=WHO, sign=SIGN, flag=FLAG)
    def store_all(self, who: int, sign: bytes, flag: bytes) -> None:
        program = self.programs[who]
        uids = program.known
        self.run(program.do(b"UID STORE 1:* %bFLAGS.SILENT (%b)" % (sign, flag), may_expunge=True))
        self.model.store(uids, sign, flag)
        self.run(program.look())

    @rule(other=st.sampled_from((0, 1)), pick=PICK, flag=FLAG)
    def store_what_another_may_have_changed(self, other: int, pick: int, flag: bytes) -> None:
        """UNCHANGEDSINCE: what was changed meanwhile is told, and left alone (RFC 7162 3.1.3)."""
        third = self.programs[2]
        self.run(third.do(b"NOOP", may_expunge=True))
        self.run(third.look())
        if not third.known:
            return
        uid = third.known[pick % len(third.known)]
        since = third.modseqs[uid]
        before, program = dict(self.model.mails), self.programs[other]
        if uid in program.known:
            self.model.store([uid], b"+", b"\\Answered")
        self.run(program.do(b"UID STORE %d +FLAGS (\\Answered)" % uid, may_expunge=True))
        self.run(program.look())
        command = b"UID STORE %d (UNCHANGEDSINCE %d) +FLAGS (%b)" % (uid, since, flag)
        last = self.run(third.do(command, may_expunge=True))
        assert (b"[MODIFIED %d]" % uid in last) is (before != self.model.mails)
        if before == self.model.mails:
            self.model.store([uid], b"+", flag)
        self.run(third.look())

    @rule(who=WHO, pick=PICK, by_uid=st.booleans())
    def expunge(self, who: int, pick: int, by_uid: bool) -> None:
        program, number = self._known(who, pick)
        if by_uid and number is not None:
            uid = program.known[number - 1]
            self.run(program.do(b"UID EXPUNGE %d" % uid, may_expunge=True))
            self.model.expunge([uid])
        else:
            self.run(program.do(b"EXPUNGE", may_expunge=True))
            self.model.expunge(self.model.mails)
        self.run(program.look())

    @rule(who=WHO, pick=PICK, by_uid=st.booleans())
    def move_away(self, who: int, pick: int, by_uid: bool) -> None:
        program, number = self._known(who, pick)
        if number is None:
            return
        uid = program.known[number - 1]
        command = b"UID MOVE %d Trash" % uid if by_uid else b"MOVE %d Trash" % number
        self.run(program.do(command, may_expunge=True))
        self.model.mails.pop(uid, None)
        self.run(program.look())

    @rule(who=WHO)
    def copy_all_here(self, who: int) -> None:
        program = self.programs[who]
        sources = [uid for uid in program.known if uid in self.model.mails][:3]
        if sources:
            command = b"UID COPY %b %b" % (b",".join(b"%d" % uid for uid in sources), self._mailbox)
            last = self.run(program.do(command, may_expunge=True))
            assert told_uids(last) == [self.model.add(self.model.mails[uid]) for uid in sources]
            self.run(program.look())

    @rule(who=WHO)
    def noop(self, who: int) -> None:
        program = self.programs[who]
        self.run(program.do(b"NOOP", may_expunge=True))
        self.run(program.look())
        self._agree(program)

    @rule(who=WHO, flag=FLAG)
    def search(self, who: int, flag: bytes) -> None:
        """What it was told of is found as it was told."""
        self.noop(who)
        key = b"KEYWORD " + flag if flag.startswith(b"$") else flag[1:].upper()
        found = self.run(self.programs[who].search(key))
        assert found == [uid for uid, flags in sorted(self.model.mails.items()) if flag in flags]

    @rule(who=WHO)
    def open_again(self, who: int) -> None:
        program = self.programs[who]
        self.run(program.come_back() if program.has_qresync else program.select())
        self._agree(program)

    @rule(who=WHO, by=st.integers(1, 2))
    def idle(self, who: int, by: int) -> None:
        """What another appends is pushed."""
        self.run(self._idle(self.programs[who], self.programs[(who + by) % 3]))

    async def _idle(self, program: Memory, other: Memory) -> None:
        await program.wire.send(b"i IDLE\r\n")
        while not (line := await program.wire.line()).startswith(b"+ "):
            program.hear([line], may_expunge=True)
        await self._append(other, 1, b"")
        while len(program.uids) < len(self.model.mails) or None not in program.uids:
            program.hear([await program.wire.line()], may_expunge=True)
        await program.wire.send(b"DONE\r\n")
        *told, last = await program.wire.until(b"i")
        assert last.startswith(b"i OK ")
        program.hear(told, may_expunge=True)
        await program.look()

    @invariant()
    def counters_are_those_of_the_model(self) -> None:
        """STATUS counts like a recount, UIDNEXT never falls, and whatever changes raises HIGHESTMODSEQ."""
        if not self.programs:
            return
        command = b"STATUS %b (MESSAGES UNSEEN UIDNEXT HIGHESTMODSEQ)" % self._mailbox
        told = STATUS.search(self.run(self.witness.ok(command))[0])
        assert told is not None
        messages, unseen, uidnext, modseq = map(int, told.groups())
        mails = self.model.mails
        assert (messages, uidnext) == (len(mails), self.model.uidnext)
        assert unseen == sum(b"\\Seen" not in flags for flags in mails.values())
        assert (modseq > self.status[3]) or (modseq == self.status[3] and mails == self.last_mails)
        self.status, self.last_mails = (messages, unseen, uidnext, modseq), dict(mails)

    def _agree(self, program: Memory) -> None:
        assert program.uids == sorted(self.model.mails)
        assert {uid: program.flags[uid] for uid in program.known} == self.model.mails

    def teardown(self) -> None:
        try:
            for who in range(len(self.programs)):
                self.noop(who)
        finally:
            self.run(self._leave())

    async def _leave(self) -> None:
        for wire in self._wires[:3]:
            await wire.close()
        for wire in self._wires[3:]:
            await wire.ask(b"DELETE " + self._mailbox)
            await wire.close()


def told_uids(answer: bytes) -> list[int]:
    """The target UIDs of APPENDUID or COPYUID."""
    told = UIDS.search(answer)
    assert told is not None, answer
    found: list[int] = []
    for span in told[1].split(b","):
        low, _, high = span.partition(b":")
        found += range(int(low), int(high or low) + 1)
    return found


async def run(connect: Connect, examples: int, steps: int) -> None:
    loop, names = asyncio.get_running_loop(), count()

    class OnThisLoop(ThreePrograms):
        def __init__(self) -> None:
            super().__init__(loop, connect, b"box%d" % next(names))

    await asyncio.to_thread(
        run_state_machine_as_test,
        OnThisLoop,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )


async def test_i17_three_programs_agree_with_the_model(connect: Connect) -> None:
    await run(connect, examples=6, steps=30)


@pytest.mark.nightly
async def test_i17_three_programs_agree_with_the_model_for_ten_thousand_steps(connect: Connect) -> None:
    await run(connect, examples=100, steps=100)
