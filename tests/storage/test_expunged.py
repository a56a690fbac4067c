"""How long a mailbox remembers what was expunged (RFC 7162 3.2.5.2, U5)."""

from sqlalchemy import func, insert, select, update

from bmgate.domain.account import Account
from bmgate.domain.mailbox import Changes, Flags, MailboxKind, NewContent
from bmgate.domain.ports.database import Store
from bmgate.storage.database import SealedDatabase
from bmgate.storage.fsck import check
from bmgate.storage.repositories.message_history import EXPUNGES_KEPT
from bmgate.storage.schema import expunged, mailbox
from bmgate.storage.store import SealedStore

MANY = EXPUNGES_KEPT + 1000
LAST_MODSEQ = 64 * 1000 - 2  # the second change from here is one at which the memory is looked at


async def test_old_expunges_are_forgotten_and_still_told(database: SealedDatabase, alice: Account) -> None:
    def remember_many(store: Store) -> int:
        assert isinstance(store, SealedStore)
        mine, connection = store.account(alice.id), store.scope.connection
        inbox = mine.mailboxes.by_kind(MailboxKind.INBOX).id
        first = LAST_MODSEQ - MANY
        rows = [{"mailbox": inbox, "uid": uid, "modseq": first + uid} for uid in range(1, MANY + 1)]
        connection.execute(insert(expunged), rows)
        moved = update(mailbox).where(mailbox.c.id == inbox).values(uidnext=MANY + 1, modseq=LAST_MODSEQ)
        connection.execute(moved)
        content = mine.messages.add_content(NewContent(b"\r\n", b"", b""))
        mine.messages.append(inbox, content, Flags.NONE, (), 0)
        content = mine.messages.add_content(NewContent(b"\r\n", b"", b""))
        connection.execute(update(mailbox).where(mailbox.c.id == inbox).values(modseq=LAST_MODSEQ))
        mine.messages.append(inbox, content, Flags.NONE, (), 0)
        mine.messages.expunge(inbox, [MANY + 1])
        count = connection.execute(select(func.count()).select_from(expunged)).scalar_one()
        assert mine.mailboxes.get(inbox).modseq == LAST_MODSEQ + 2
        return int(count)

    assert await database.transact(remember_many) == EXPUNGES_KEPT

    def look(store: Store) -> tuple[Changes, Changes]:
        messages, inbox = store.account(alice.id).messages, store.account(alice.id).mailboxes.by_kind(MailboxKind.INBOX)
        return messages.changes(inbox.id, 1), messages.changes(inbox.id, LAST_MODSEQ - 2)

    long_ago, lately = await database.read(look)
    assert long_ago.expunged == [*range(1, MANY + 2)]
    assert [row.uid for row in long_ago.updated] == [MANY + 2]
    assert lately.expunged == [MANY - 1, MANY, MANY + 1]
    assert [problem for problem in await database.read(check) if problem.rule.startswith("U5")] == []
