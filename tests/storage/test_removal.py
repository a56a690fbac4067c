"""What was deleted is taken out whole, on both databases, and nothing of anybody else goes with it."""

import pytest
from sqlalchemy import create_engine, func, select
from sqlalchemy.pool import NullPool
from storage_fixtures import NOW, new_content, new_identity

from bmgate.bm.keys import deterministic_keys
from bmgate.domain.account import Account
from bmgate.domain.chan import CHANS, NewChan
from bmgate.domain.mailbox import Flags, MailboxKind
from bmgate.domain.policy import Scope
from bmgate.domain.ports.database import Store
from bmgate.errors import Missing
from bmgate.storage.database import SealedDatabase
from bmgate.storage.repositories import removal
from bmgate.storage.schema import metadata

KEYS = next(deterministic_keys(b"general"))
OTHERS = {"former_alias", "gateway"}  # tables that no account owns


def furnish(store: Store, account: Account) -> None:
    """Something of each kind."""
    mine = store.account(account.id)
    identity = mine.identities.add(new_identity("label"))
    mine.identities.add_alias(f"{account.name}-desk", identity.id, NOW)
    mine.settings.put(Scope.IDENTITY, identity.id, "ack", "never")
    mine.contacts.make_ref(KEYS.public.address())
    inbox = mine.mailboxes.by_kind(MailboxKind.INBOX)
    for number in range(5):
        mine.messages.append(inbox.id, mine.messages.add_content(new_content(str(number))), Flags.NONE, (), NOW)
    mine.messages.expunge(inbox.id, [2])
    chan = mine.mailboxes.create(f"{CHANS}/general", MailboxKind.USER, NOW)
    mine.chans.join(NewChan(KEYS.public.address(), KEYS), chan.id, NOW)


def counts(url: str) -> dict[str, int]:
    """Rows of each table."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
    with engine.connect() as connection:
        return {
            name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in metadata.tables.items()
            if name not in OTHERS
        }


async def test_an_account_goes_with_all_it_has_and_nothing_else(
    database: SealedDatabase, url: str, alice: Account, bob: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.transact(lambda store: furnish(store, bob))
    before = counts(url)
    carol = await database.transact(lambda store: _copy(store, alice))
    after = counts(url)
    assert all(after[name] > before[name] for name in ("message", "content_blob", "setting", "membership", "identity"))
    monkeypatch.setattr(removal, "PORTION", 2)
    portions = 1
    while not await database.transact(lambda store: store.accounts.purge(carol.id, NOW)):
        portions += 1
    assert portions == 3, "four mails, two at a time"
    with pytest.raises(Missing):
        await database.read(lambda store: store.accounts.get(carol.id))
    left = counts(url)
    assert {name: before[name] - left[name] for name in left if before[name] != left[name]} == {
        "account": 1,
        "alias": 1,
        "mailbox": 7,
        "slot": before["slot"] - left["slot"],
    }, "what alice had before she was furnished"


def _copy(store: Store, account: Account) -> Account:
    furnish(store, account)
    return account


async def test_a_deleted_address_is_taken_out(database: SealedDatabase, alice: Account) -> None:
    identity = await database.transact(lambda store: store.account(alice.id).identities.add(new_identity()))

    def delete(store: Store) -> None:
        store.account(alice.id).identities.delete(identity.id, NOW)

    await database.transact(delete)
    assert await database.read(lambda store: store.identities.deleted_before(NOW)) == []
    assert await database.read(lambda store: store.identities.deleted_before(NOW + 1)) == [identity.id]
    assert await database.transact(lambda store: store.identities.purge(identity.id))
    assert await database.read(lambda store: store.identities.deleted_before(NOW + 1)) == []
