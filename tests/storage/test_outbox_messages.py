"""What storage remembers of rows beside their state: Outbox messages, reminders, reasons, automatic answers."""

from dataclasses import replace

import pytest
from storage_fixtures import NOW, new_identity

from bmgate.bm.keys import random_keys
from bmgate.domain.account import Account
from bmgate.domain.mailbox import MailboxKind
from bmgate.domain.outbox import (
    WAITING_NOTICES,
    NewOutgoing,
    NewSubmission,
    OutgoingMessage,
    Priority,
    Reason,
    ReturnContent,
    State,
)
from bmgate.domain.ports.database import Store
from bmgate.errors import Missing
from bmgate.storage.database import SealedDatabase


def add_rows(store: Store, account: Account, count: int = 1, held_until: int = 0) -> list[OutgoingMessage]:
    mine = store.account(account.id)
    identity = mine.identities.add(new_identity())
    submission = NewSubmission(identity.id, "7KQ2AB", "s", "b", "", ReturnContent.FULL, "", None, b"tag", NOW)
    rows = [
        NewOutgoing(n, new_identity().address, b"", 3600, Priority.NORMAL, ("DELAY",), "", held_until)
        for n in range(1, count + 1)
    ]
    return mine.outbox.add(submission, rows)


async def test_a_row_knows_its_message_until_it_is_final(
    database: SealedDatabase, alice: Account, bob: Account
) -> None:
    def look(store: Store) -> None:
        first, second = add_rows(store, alice, 2)
        mine, his = store.account(alice.id).outbox, store.account(bob.id).outbox
        assert mine.unshown(10) == [first, second]
        assert mine.unshown(1) == [first]
        assert his.unshown(10) == []
        store.outbox.show(first.id, 7, 1)
        shown = mine.shown([7, 8])
        assert shown == {7: replace(first, shown_uid=7, rendering=1)}
        assert his.shown([7]) == {}
        assert mine.unshown(10) == [second]
        store.outbox.show(second.id, 0, 0)
        assert mine.unshown(10) == [], "put away"
        store.outbox.show(second.id, None, 0)
        store.outbox.save(replace(second, state=State.CANCELLED), NOW, "")
        assert mine.unshown(10) == []

    await database.transact(look)


async def test_only_its_owner_changes_a_priority(database: SealedDatabase, alice: Account, bob: Account) -> None:
    (row,) = await database.transact(lambda store: add_rows(store, alice))
    await database.transact(lambda store: store.account(alice.id).outbox.prioritise(row.id, Priority.HIGH, NOW + 1))
    changed = await database.read(lambda store: store.outbox.get(row.id))
    assert (changed.priority, changed.updated_at) == (Priority.HIGH, NOW + 1)
    with pytest.raises(Missing):
        await database.transact(lambda store: store.account(bob.id).outbox.prioritise(row.id, Priority.LOW, NOW))


async def test_reminders_come_due_and_end_with_the_row(database: SealedDatabase, alice: Account) -> None:
    def look(store: Store) -> None:
        first, second = add_rows(store, alice, 2)
        due = NOW + WAITING_NOTICES[0]
        assert store.outbox.notices_due(due - 1, 10) == []
        assert store.outbox.notices_due(due, 10) == [first, second]
        store.outbox.remind(first.id, due + 5)
        assert store.outbox.notices_due(due, 10) == [second]
        store.outbox.save(replace(second, state=State.ACKED), NOW, "")
        assert store.outbox.notices_due(due + 5, 10) == [first]
        store.outbox.remind(first.id, None)
        assert store.outbox.notices_due(due + 5, 10) == []

    await database.transact(look)


async def test_held_rows_are_found_and_counted(database: SealedDatabase, alice: Account) -> None:
    def look(store: Store) -> None:
        assert store.outbox.oldest_unfinished() is None
        (row,) = add_rows(store, alice, held_until=NOW + 60)
        assert (row.reason, row.next_attempt) == (Reason.SEND_DELAY, NOW + 60)
        assert store.outbox.held(Reason.SEND_DELAY) == [row]
        assert store.outbox.held(Reason.NO_PEERS) == []
        assert store.outbox.count_by_reason() == {Reason.SEND_DELAY: 1}
        assert store.outbox.oldest_unfinished() == NOW

    await database.transact(look)


async def test_answers_are_remembered_for_each_identity(database: SealedDatabase, alice: Account, bob: Account) -> None:
    somebody = random_keys(lambda size: bytes(range(size)), leading_zeros=0).public.address()

    def look(store: Store) -> None:
        mine = store.account(alice.id)
        one, other = mine.identities.add(new_identity()), mine.identities.add(new_identity())
        assert mine.answers.last(one.id, somebody) is None
        mine.answers.note(one.id, somebody, NOW)
        mine.answers.note(one.id, somebody, NOW + 5)
        assert mine.answers.last(one.id, somebody) == NOW + 5
        assert mine.answers.last(other.id, somebody) is None
        assert store.account(bob.id).answers.last(one.id, somebody) is None
        assert mine.answers.count(one.id, NOW + 5) == 1
        assert mine.answers.count(one.id, NOW + 6) == 0
        mine.answers.forget(one.id, NOW + 6)
        assert mine.answers.last(one.id, somebody) is None

    await database.transact(look)


async def test_accounts_without_a_special_mailbox_are_found(database: SealedDatabase, alice: Account) -> None:
    def look(store: Store) -> None:
        assert store.accounts.without_mailbox(MailboxKind.OUTBOX) == []
        mailboxes = store.account(alice.id).mailboxes
        mailboxes.delete(mailboxes.by_kind(MailboxKind.OUTBOX).id)
        assert store.accounts.without_mailbox(MailboxKind.OUTBOX) == [alice.id]

    await database.transact(look)
