"""Mail that is stored unseen and shown at once, and the secrets and duplicates that an account brings along."""

from pathlib import Path

import pytest
from storage_fixtures import NOW, Units, make_passwords, make_vault

from bmgate.domain.account import Account, AccountSecrets, Level
from bmgate.domain.mailbox import ContentId, Flags, MailboxKind, MessageRow, NewContent, StagedMail
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Store
from bmgate.errors import MessageMissing, OverQuota
from bmgate.storage.repositories.contents import CHUNK_SIZE
from bmgate.storage.sealing import Damaged
from bmgate.storage.store import SealedStore

CONTENT = NewContent(b"header", b"index", b"body")


@pytest.fixture
def units(tmp_path: Path) -> Units:
    return Units(tmp_path / "bmgate.db", make_vault())


def add_account(units: Units, name: str, quota_bytes: int | None = None) -> Account:
    keys = make_passwords(units.vault).new_account("correct horse", Level.L0)
    return units.run(lambda store: store.accounts.add(name, keys, Level.L0, quota_bytes, NOW))


def inbox_rows(store: Store, account: Account) -> list[MessageRow]:
    mine = store.account(account.id)
    return mine.messages.rows(mine.mailboxes.by_kind(MailboxKind.INBOX).id)


def stage(mine: AccountStore, count: int) -> list[StagedMail]:
    contents = [mine.messages.add_content(CONTENT) for _ in range(count)]
    return [StagedMail(content, Flags.SEEN, ("$Label1",), NOW - place) for place, content in enumerate(contents)]


def test_staged_mail_is_nowhere_until_it_is_shown(units: Units) -> None:
    account = add_account(units, "anna")
    staged = units.run(lambda store: stage(store.account(account.id), 3))
    assert units.run(lambda store: inbox_rows(store, account)) == []
    assert units.run(lambda store: store.account(account.id).messages.has_staged())

    def show(store: Store) -> None:
        mine = store.account(account.id)
        mine.messages.show_staged(mine.mailboxes.by_kind(MailboxKind.INBOX).id, staged, NOW)

    units.run(show)
    rows = units.run(lambda store: inbox_rows(store, account))
    assert [(row.uid, row.flags, row.keywords, row.internaldate, row.saved_at) for row in rows] == [
        (place + 1, Flags.SEEN, ("$Label1",), NOW - place, NOW) for place in range(3)
    ]
    assert not units.run(lambda store: store.account(account.id).messages.has_staged())
    assert units.run(lambda store: store.account(account.id).messages.drop_staged()) == 0


def test_dropped_mail_gives_back_its_room_and_touches_nobody_else(units: Units) -> None:
    anna, bert = add_account(units, "anna", 15), add_account(units, "bert")
    units.run(lambda store: stage(store.account(bert.id), 2))
    units.run(lambda store: stage(store.account(anna.id), 1))
    with pytest.raises(OverQuota):
        units.run(lambda store: stage(store.account(anna.id), 1))
    assert units.run(lambda store: store.account(anna.id).messages.drop_staged()) == 1
    assert units.run(lambda store: store.account(anna.id).messages.used_octets()) == 0
    assert units.run(lambda store: store.account(bert.id).messages.has_staged())


def test_contents_of_others_cannot_be_shown(units: Units) -> None:
    anna, bert = add_account(units, "anna"), add_account(units, "bert")
    staged = units.run(lambda store: stage(store.account(bert.id), 1))

    def show(store: Store) -> None:
        mine = store.account(anna.id)
        mine.messages.show_staged(mine.mailboxes.by_kind(MailboxKind.INBOX).id, staged, NOW)

    with pytest.raises(MessageMissing):
        units.run(show)
    staged[0] = staged[0]._replace(content=ContentId(999))
    with pytest.raises(MessageMissing):
        units.run(show)


def test_the_duplicate_filter_moves_with_the_secrets(units: Units) -> None:
    here, there = add_account(units, "here"), add_account(units, "there")

    def leave(store: Store) -> tuple[AccountSecrets, list[tuple[bytes, int]]]:
        mine = store.account(here.id)
        mine.duplicates.remember(b"content", NOW + 5)
        return mine.secrets, mine.duplicates.tags()

    secrets, tags = units.run(leave)

    def arrive(store: Store) -> tuple[bool, bool, AccountSecrets]:
        store.account(there.id).duplicates.remember(b"old", NOW)
        store.accounts.replace_secrets(there.id, secrets)
        mine = store.account(there.id)
        mine.duplicates.take_over([*tags, *tags])
        mine.duplicates.take_over(tags)
        return mine.duplicates.seen(b"content"), mine.duplicates.seen(b"old"), mine.secrets

    assert units.run(arrive) == (True, False, secrets)
    units.reopen()
    assert units.run(lambda store: store.account(there.id).secrets) == secrets


def pieces_of(body: bytes) -> list[tuple[int, bytes, bool]]:
    """Where each piece of a body begins, its octets, and whether it is the last."""
    starts = range(0, max(len(body), 1), CHUNK_SIZE)
    return [(start, body[start : start + CHUNK_SIZE], start == starts[-1]) for start in starts]


@pytest.mark.parametrize("size", [0, 1, CHUNK_SIZE, 2 * CHUNK_SIZE + 1])
def test_a_content_that_comes_in_pieces_is_read_like_any_other(units: Units, size: int) -> None:
    account, body = add_account(units, "anna"), bytes(size)
    content = units.run(lambda store: store.account(account.id).messages.begin_content(size + 6))

    def add(store: Store) -> None:
        for start, data, last in pieces_of(body):
            store.account(account.id).messages.add_body(content, start, data, last=last)

    units.run(add)
    units.run(lambda store: store.account(account.id).messages.finish_content(content, b"header", b"index", b"m", b"v"))
    stored = units.run(lambda store: store.account(account.id).messages.by_content(content))
    assert stored is not None
    assert (stored.header, stored.encoded_index, stored.body) == (b"header", b"index", body)


def test_a_content_without_its_end_does_not_open(units: Units) -> None:
    account = add_account(units, "anna")

    def begin(store: Store) -> ContentId:
        messages = store.account(account.id).messages
        content = messages.begin_content(CHUNK_SIZE * 2)
        messages.add_body(content, 0, bytes(CHUNK_SIZE), last=False)
        messages.finish_content(content, b"header", b"index", b"", b"")
        return content

    content = units.run(begin)
    with pytest.raises(Damaged):
        units.run(lambda store: store.account(account.id).messages.by_content(content))


def test_i16_nobody_adds_to_contents_of_others(units: Units) -> None:
    anna, bert = add_account(units, "anna"), add_account(units, "bert")
    content = units.run(lambda store: store.account(bert.id).messages.begin_content(10))
    with pytest.raises(MessageMissing):
        units.run(lambda store: store.account(anna.id).messages.add_body(content, 0, b"x", last=True))
    with pytest.raises(MessageMissing):
        units.run(lambda store: store.account(anna.id).messages.finish_content(content, b"", b"", b"", b""))
    units.run(lambda store: store.account(anna.id).messages.drop_contents([content]))
    assert units.run(lambda store: store.account(bert.id).messages.has_staged())
    units.run(lambda store: store.account(bert.id).messages.drop_contents([content]))
    assert not units.run(lambda store: store.account(bert.id).messages.has_staged())


def test_the_quota_is_asked_before_the_first_piece(units: Units) -> None:
    account = add_account(units, "anna", 100)
    with pytest.raises(OverQuota):
        units.run(lambda store: store.account(account.id).messages.begin_content(1000))
    units.run(lambda store: store.account(account.id).messages.begin_content(64))
    assert units.run(lambda store: store.account(account.id).messages.used_octets()) == 64


def test_large_pieces_leave_the_cache_of_the_writer_as_it_was(units: Units) -> None:
    account = add_account(units, "anna")

    def cache_size(store: Store) -> int:
        assert isinstance(store, SealedStore)
        return int(store.scope.connection.exec_driver_sql("PRAGMA cache_size").scalar_one())

    before = units.run(cache_size)
    content = units.run(lambda store: store.account(account.id).messages.begin_content(10))
    units.run(lambda store: store.account(account.id).messages.add_body(content, 0, b"x" * 10, last=True))
    assert units.run(cache_size) == before
