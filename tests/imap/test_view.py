"""Sequence numbers and news: three sessions against a model of one mailbox (I17, U6)."""

import re
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bmgate.domain.mailbox import Changes, Flags, Mailbox, MailboxId, MailboxKind, MailboxSnapshot, MessageRow
from bmgate.imap.sets import indices_of_numbers, indices_of_uids, write_set
from bmgate.imap.view import MailboxView

_FETCH = re.compile(rb"\* (\d+) FETCH \(UID (\d+) FLAGS \(([^)]*)\)\)\r\n")
_NUMBER = re.compile(rb"\* (\d+) (EXISTS|EXPUNGE)\r\n")


@dataclass
class Store:
    """One mailbox as it is."""

    rows: dict[int, MessageRow] = field(default_factory=dict)
    gone: list[tuple[int, int]] = field(default_factory=list)
    uidnext: int = 1
    modseq: int = 1

    def snapshot(self) -> MailboxSnapshot:
        mailbox = Mailbox(MailboxId(1), "INBOX", MailboxKind.INBOX, True, 1, self.uidnext, self.modseq)
        return MailboxSnapshot(mailbox, list(self.rows.values()))

    def changes(self, since: int) -> Changes:
        updated = [row for row in self.rows.values() if row.modseq > since]
        return Changes(self.modseq, self.uidnext, updated, [uid for uid, modseq in self.gone if modseq > since])


class Mirror:
    """What a client believes, from nothing but what it is told; None is a message whose UID it has not asked for."""

    def __init__(self, store: Store) -> None:
        self.view = MailboxView(store.snapshot(), read_only=False)
        self.uids: list[int | None] = list(store.rows)
        self.flags: dict[int, bytes] = {}

    def hear(self, lines: list[bytes], may_expunge: bool) -> None:
        for line in lines:
            if told := _FETCH.fullmatch(line):
                number, uid = int(told[1]), int(told[2])
                assert self.uids[number - 1] in (uid, None)
                self.uids[number - 1] = uid
                self.flags[uid] = told[3]
            elif told := _NUMBER.fullmatch(line):
                self._count(int(told[1]), told[2], may_expunge)
            else:
                assert line.startswith((b"* FLAGS (", b"* OK [PERMANENTFLAGS ("))

    def _count(self, number: int, word: bytes, may_expunge: bool) -> None:
        if word == b"EXPUNGE":
            assert may_expunge
            del self.uids[number - 1]
            return
        assert number > len(self.uids)
        self.uids += [None] * (number - len(self.uids))

    def ask_uids(self) -> None:
        """FETCH 1:* UID."""
        for place, uid in enumerate(self.view.uids):
            assert self.uids[place] in (uid, None)
            self.uids[place] = uid


PICK = st.integers(0, 1000)
WHO = st.integers(0, 2)


class ThreeSessions(RuleBasedStateMachine):
    """Sessions that append, flag, expunge and listen in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store()
        for _ in range(3):
            self.append()
        self.mirrors = [Mirror(self.store) for _ in range(3)]

    def _uid(self, pick: int) -> int | None:
        uids = list(self.store.rows)
        return uids[pick % len(uids)] if uids else None

    @rule()
    def append(self) -> None:
        self.store.modseq += 1
        uid = self.store.uidnext
        self.store.rows[uid] = MessageRow(uid, self.store.modseq, Flags.NONE, (), 0)
        self.store.uidnext += 1

    @rule(pick=PICK, flags=st.sampled_from(list(Flags)), keyword=st.sampled_from(["$a", "$b"]))
    def flag(self, pick: int, flags: Flags, keyword: str) -> None:
        uid = self._uid(pick)
        if uid is not None:
            self.store.modseq += 1
            row = self.store.rows[uid]
            self.store.rows[uid] = row._replace(flags=flags, keywords=(keyword,), modseq=self.store.modseq)

    @rule(pick=PICK)
    def expunge(self, pick: int) -> None:
        uid = self._uid(pick)
        if uid is not None:
            self.store.modseq += 1
            del self.store.rows[uid]
            self.store.gone.append((uid, self.store.modseq))

    @rule(who=WHO, pick=PICK, flags=st.sampled_from(list(Flags)))
    def store_flags(self, who: int, pick: int, flags: Flags) -> None:
        """STORE by one of the sessions, on a message it knows."""
        mirror = self.mirrors[who]
        uid = self._uid(pick)
        if uid is None or uid not in mirror.view.rows:
            return
        self.flag(pick, flags, "$a")
        mirror.view.stored([self.store.rows[uid]])
        mirror.hear([mirror.view.flags_line(uid)], may_expunge=False)
        self.listen(who, may_expunge=False)

    @rule(who=WHO, pick=PICK)
    def expunge_own(self, who: int, pick: int) -> None:
        """EXPUNGE by one of the sessions."""
        mirror = self.mirrors[who]
        uid = self._uid(pick)
        if uid is not None and uid in mirror.view.rows:
            self.expunge(pick)
            mirror.view.removed([uid])
            self.listen(who, may_expunge=True)

    @rule(who=WHO, may_expunge=st.booleans())
    def listen(self, who: int, may_expunge: bool) -> None:
        mirror = self.mirrors[who]
        mirror.view.learn(self.store.changes(mirror.view.modseq))
        mirror.hear(mirror.view.release(may_expunge), may_expunge)
        mirror.ask_uids()

    @rule(who=WHO)
    def select(self, who: int) -> None:
        self.mirrors[who] = Mirror(self.store)

    @invariant()
    def the_client_and_the_view_agree(self) -> None:
        for mirror in self.mirrors:
            assert mirror.uids == mirror.view.uids
            assert mirror.view.uids == sorted(mirror.view.rows)

    def teardown(self) -> None:
        """After a NOOP every client knows the mailbox as it is."""
        for who, mirror in enumerate(self.mirrors):
            self.listen(who, may_expunge=True)
            assert mirror.uids == list(self.store.rows)
            assert {uid: row[1:4] for uid, row in mirror.view.rows.items()} == {
                uid: row[1:4] for uid, row in self.store.rows.items()
            }
            assert not mirror.view.has_news


ThreeSessions.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
test_three_sessions_agree_with_the_mailbox = ThreeSessions.TestCase


def test_sets_are_cut_joined_and_written() -> None:
    uids = [2, 4, 5, 9]
    assert indices_of_uids(((1, 4), (4, 4), (9, None)), uids) == [0, 1, 3]
    assert indices_of_uids(((100, None),), uids) == [3]
    assert indices_of_uids(((1, 0xFFFFFFFF),), []) == []
    assert indices_of_numbers(((3, 100), (None, 2)), 4) == [1, 2, 3]
    assert indices_of_numbers(((1, None),), 0) == []
    assert write_set([1, 2, 3, 7, 9, 10]) == b"1:3,7,9:10"
