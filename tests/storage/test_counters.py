"""UIDs, UIDVALIDITY, MODSEQ and ids only grow, whatever happens in between (U1, U2, U3, U5, F4)."""

import shutil
import tempfile
from functools import partial
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from storage_fixtures import NOW, Units, add_account, make_passwords, make_vault, new_content

from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import FlagChange, Flags, Mailbox, MailboxId, MailboxKind, MessageRow
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Store
from bmgate.errors import MailboxExists
from bmgate.storage.fsck import check

UIDS = st.lists(st.integers(1, 12), min_size=1, max_size=5)
NAMES = st.sampled_from(["one", "two", "three"])
FLAGS = st.sampled_from([Flags.SEEN, Flags.FLAGGED | Flags.SEEN, Flags.NONE])


class RolledBack(Exception):
    """Ends a unit of work that is not to be."""


class Counters(RuleBasedStateMachine):
    """One account, compared with a plain model of what it was told."""

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="bmgate-counters-"))
        self.units = Units(self.folder / "bmgate.db", make_vault())
        passwords = make_passwords(self.units.vault)
        account = self.units.run(lambda store: add_account(store, passwords, "alice"))
        self.account: AccountId = account.id
        self.now = NOW
        self.alive: dict[MailboxId, dict[int, Flags]] = {}
        self.last_uid: dict[MailboxId, int] = {}
        self.last_modseq: dict[MailboxId, int] = {}
        self.last_uidvalidity = 0
        self.last_mailbox = 0
        for mailbox in self.units.run(lambda store: self.mine(store).mailboxes.all()):
            self.last_uidvalidity = max(self.last_uidvalidity, mailbox.uidvalidity)
            self.last_mailbox = max(self.last_mailbox, mailbox.id)
        self.make("one", 0)

    def mine(self, store: Store) -> AccountStore:
        return store.account(self.account)

    def chosen(self, number: int) -> MailboxId:
        return sorted(self.alive)[number % len(self.alive)]

    @rule(name=NAMES, step=st.integers(-50, 50))
    def make(self, name: str, step: int) -> None:
        self.now += step
        try:
            made = self.units.run(lambda store: self.mine(store).mailboxes.create(name, MailboxKind.USER, self.now))
        except MailboxExists:
            return
        assert made.uidvalidity == max(self.last_uidvalidity + 1, self.now)
        assert made.id > self.last_mailbox
        self.last_uidvalidity, self.last_mailbox = made.uidvalidity, made.id
        self.alive[made.id], self.last_uid[made.id], self.last_modseq[made.id] = {}, 0, made.modseq

    @precondition(lambda self: self.alive)
    @rule(number=st.integers(0, 5))
    def delete(self, number: int) -> None:
        mailbox = self.chosen(number)
        self.units.run(lambda store: self.mine(store).mailboxes.delete(mailbox))
        del self.alive[mailbox]

    @precondition(lambda self: self.alive)
    @rule(number=st.integers(0, 5), flags=FLAGS, fails=st.booleans())
    def append(self, number: int, flags: Flags, fails: bool) -> None:
        mailbox = self.chosen(number)

        def work(store: Store) -> tuple[int, int]:
            messages = self.mine(store).messages
            row = messages.append(mailbox, messages.add_content(new_content()), flags, (), NOW)
            if fails:
                raise RolledBack
            return row.uid, row.modseq

        try:
            uid, modseq = self.units.run(work)
        except RolledBack:
            return
        assert uid == self.last_uid[mailbox] + 1
        assert modseq > self.last_modseq[mailbox]
        self.alive[mailbox][uid] = flags
        self.last_uid[mailbox], self.last_modseq[mailbox] = uid, modseq

    @precondition(lambda self: self.alive)
    @rule(number=st.integers(0, 5), uids=UIDS, flags=FLAGS)
    def flag(self, number: int, uids: list[int], flags: Flags) -> None:
        mailbox = self.chosen(number)
        rows = self.units.run(
            lambda store: self.mine(store).messages.set_flags(mailbox, uids, FlagChange.REPLACE, flags, [])
        )
        known = self.alive[mailbox]
        assert [row.uid for row in rows] == sorted(set(uids) & set(known))
        for row in rows:
            assert (row.modseq > self.last_modseq[mailbox]) == (known[row.uid] != flags)
            known[row.uid] = flags
        self.last_modseq[mailbox] = max([self.last_modseq[mailbox], *(row.modseq for row in rows)])

    @precondition(lambda self: self.alive)
    @rule(number=st.integers(0, 5), uids=UIDS)
    def expunge(self, number: int, uids: list[int]) -> None:
        mailbox = self.chosen(number)
        gone = self.units.run(lambda store: self.mine(store).messages.expunge(mailbox, uids))
        assert gone == sorted(set(uids) & set(self.alive[mailbox]))
        for uid in gone:
            del self.alive[mailbox][uid]
        changes = self.units.run(lambda store: self.mine(store).messages.changes(mailbox, self.last_modseq[mailbox]))
        assert changes.expunged == gone
        assert (changes.modseq > self.last_modseq[mailbox]) == bool(gone)
        self.last_modseq[mailbox] = changes.modseq

    @precondition(lambda self: self.alive)
    @rule(source=st.integers(0, 5), goal=st.integers(0, 5), uids=UIDS)
    def copy(self, source: int, goal: int, uids: list[int]) -> None:
        there, here = self.chosen(goal), self.chosen(source)
        pairs = self.units.run(lambda store: self.mine(store).messages.copy(here, uids, there))
        first = self.last_uid[there] + 1
        wanted = sorted(set(uids) & set(self.alive[here]))
        assert pairs == [(uid, first + place) for place, uid in enumerate(wanted)]
        for uid, new in pairs:
            self.alive[there][new] = self.alive[here][uid]
            self.last_uid[there] = new
        if pairs:
            self.last_modseq[there] = self.units.run(lambda store: self.mine(store).mailboxes.get(there).modseq)

    @rule()
    def restart(self) -> None:
        self.units.close()
        self.units.reopen()

    @invariant()
    def the_rows_are_those_of_the_model(self) -> None:
        for mailbox, known in self.alive.items():
            rows, found = self.units.run(partial(self.look, mailbox=mailbox))
            assert {row.uid: row.flags for row in rows} == known
            assert (found.uidnext, found.modseq) == (self.last_uid[mailbox] + 1, self.last_modseq[mailbox])

    def look(self, store: Store, mailbox: MailboxId) -> tuple[list[MessageRow], Mailbox]:
        return self.mine(store).messages.rows(mailbox), self.mine(store).mailboxes.get(mailbox)

    def teardown(self) -> None:
        assert self.units.run(check) == []
        self.units.close()
        shutil.rmtree(self.folder)


TestCounters = Counters.TestCase
TestCounters.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
