"""Headers that stay open for a while."""

import threading
from functools import partial

from sqlalchemy import text
from storage_fixtures import NOW, add_account, make_passwords, new_content

from bmgate.domain.account import Account, Level
from bmgate.domain.mailbox import Flags, MailboxKind
from bmgate.domain.ports.database import Store
from bmgate.storage.database import SealedDatabase
from bmgate.storage.opened import OpenedHead, OpenedHeads
from bmgate.storage.store import SealedStore
from bmgate.storage.vault import Vault

ENTRY = 1_400  # octets that 1,000 octets of header and index count


def head(number: int) -> tuple[bytes, OpenedHead]:
    return number.to_bytes(16), OpenedHead(bytes(32), bytes(1_000))


def deliver(account: Account, words: str, store: Store) -> int:
    mine = store.account(account.id)
    content = mine.messages.add_content(new_content(words))
    return mine.messages.append(mine.mailboxes.by_kind(MailboxKind.INBOX).id, content, Flags.NONE, (), NOW).uid


def headers(account: Account, uids: range, store: Store) -> list[bytes]:
    mine = store.account(account.id)
    inbox = mine.mailboxes.by_kind(MailboxKind.INBOX)
    return [found.header for found in mine.messages.heads(inbox.id, uids)]


def test_the_longest_kept_go_when_there_is_no_room() -> None:
    opened = OpenedHeads(limit=10 * ENTRY)
    for number in range(25):
        opened.keep(dict([head(number)]))
    present = opened.find([number.to_bytes(16) for number in range(25)])
    assert [int.from_bytes(uuid) for uuid in present] == list(range(15, 25))


def test_a_very_large_one_is_not_kept() -> None:
    opened = OpenedHeads()
    opened.keep({b"large": OpenedHead(bytes(32), bytes(100_000))})
    assert opened.find([b"large"]) == {}


def test_what_is_kept_twice_counts_once() -> None:
    opened = OpenedHeads(limit=2 * ENTRY)
    for number in (1, 2, 2, 2):
        opened.keep(dict([head(number)]))
    assert len(opened.find([head(1)[0], head(2)[0]])) == 2


def test_threads_share_it_and_the_limit_holds() -> None:
    opened = OpenedHeads(limit=50 * ENTRY)

    def keep_some(first: int) -> None:
        for number in range(first, first + 300):
            opened.keep(dict([head(number)]))

    threads = [threading.Thread(target=keep_some, args=(first,)) for first in (0, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened.find([head(number)[0] for number in range(500)])) == 50


async def test_headers_are_opened_once_and_a_message_that_is_gone_is_not_shown(
    database: SealedDatabase, alice: Account
) -> None:
    for words in ("one", "two", "three"):
        await database.transact(partial(deliver, alice, words))
    look = partial(headers, alice, range(1, 4))
    first = await database.read(look)

    def remove_blobs(store: Store) -> None:
        assert isinstance(store, SealedStore)
        store.scope.connection.execute(text("DELETE FROM content_blob"))

    def expunge(store: Store) -> None:
        mine = store.account(alice.id)
        mine.messages.expunge(mine.mailboxes.by_kind(MailboxKind.INBOX).id, [2])

    await database.transact(remove_blobs)
    assert await database.read(look) == first
    await database.transact(expunge)
    assert await database.read(look) == [first[0], first[2]]


async def test_one_account_is_not_shown_what_another_opened(database: SealedDatabase, vault: Vault) -> None:
    passwords = make_passwords(vault)
    found = []
    for name in ("anna", "bert"):
        account = await database.transact(partial(add_account, passwords=passwords, name=name, level=Level.L0))
        await database.transact(partial(deliver, account, name))
        found.append(await database.read(partial(headers, account, range(9))))
    assert [len(own) for own in found] == [1, 1]
    assert found[0] != found[1]


def test_locking_an_account_forgets_what_was_open(vault: Vault) -> None:
    vault.opened.keep(dict([head(1)]))
    vault.lock(bytes(32))
    assert vault.opened.find([head(1)[0]]) == {}
