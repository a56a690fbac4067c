"""What mail is threaded by: found by vector, by foreign name and by subject, sealed, and only for its account."""

from sqlalchemy import select, update
from storage_fixtures import NOW, add_account, make_passwords, new_identity

from bmgate.domain.account import Account
from bmgate.domain.ports.database import Store
from bmgate.domain.thread import Exchange, Thread, ThreadKey
from bmgate.storage.database import SealedDatabase
from bmgate.storage.repositories.accounts import AccountRepository
from bmgate.storage.repositories.threads import SUBJECT_SECONDS, VECTOR_SECONDS
from bmgate.storage.schema import thread as threads
from bmgate.storage.store import SealedStore
from bmgate.storage.vault import Vault

ME, YOU, THEM = (new_identity().address for _ in range(3))
WITH_YOU, WITH_THEM = Exchange(ME, YOU), Exchange(ME, THEM)
FIRST, SECOND = bytes(31) + b"1", bytes(31) + b"2"
MAIL = Thread("<mail@x>", ("<first@x>", "<second@x>"))


async def test_a_vector_finds_its_mail(database: SealedDatabase, alice: Account) -> None:
    def work(store: Store) -> None:
        mine = store.account(alice.id).threads
        assert mine.by_vector(FIRST) is None
        mine.add_vector(FIRST, MAIL, WITH_YOU, NOW)
        mine.add_vector(FIRST, MAIL, WITH_YOU, NOW)
        mine.add_vector(SECOND, MAIL, WITH_YOU, NOW + 1)
        assert mine.by_vector(FIRST) == mine.by_vector(SECOND) == MAIL
        assert mine.vectors_of("<mail@x>", WITH_YOU) == [FIRST, SECOND]

    await database.transact(work)


async def test_v2_vectors_are_told_to_who_had_them_and_to_nobody_else(database: SealedDatabase, alice: Account) -> None:
    def work(store: Store) -> None:
        mine = store.account(alice.id).threads
        mine.add_vector(FIRST, MAIL, WITH_YOU, NOW)
        assert mine.vectors_of("<mail@x>", WITH_THEM) == []
        assert mine.vectors_of("<mail@x>", Exchange(YOU, ME)) == []
        assert mine.vectors_of("<other@x>", WITH_YOU) == []

    await database.transact(work)


async def test_an_alias_is_one_correspondents_word(database: SealedDatabase, alice: Account) -> None:
    def work(store: Store) -> None:
        mine = store.account(alice.id).threads
        mine.add_alias("<theirs@x>", MAIL, WITH_YOU, NOW)
        assert mine.by_alias("<theirs@x>", WITH_YOU) == MAIL
        assert mine.by_alias("<theirs@x>", WITH_THEM) is None

    await database.transact(work)


async def test_i17_a_subject_means_the_latest_mail_for_ninety_days(database: SealedDatabase, alice: Account) -> None:
    def work(store: Store) -> None:
        mine = store.account(alice.id).threads
        mine.add_subject("lunch", MAIL, WITH_YOU, NOW)
        later = Thread("<later@x>")
        mine.add_subject("lunch", later, WITH_YOU, NOW + 1)
        assert mine.by_subject("lunch", WITH_YOU, NOW + 1) == later
        assert mine.by_subject("lunch", WITH_THEM, NOW) is None
        assert mine.by_subject("lunch", WITH_YOU, NOW + SUBJECT_SECONDS + 2) is None

    await database.transact(work)


async def test_rows_are_forgotten_when_their_time_is_over(database: SealedDatabase, alice: Account) -> None:
    def work(store: Store) -> None:
        mine = store.account(alice.id).threads
        mine.add_vector(FIRST, MAIL, WITH_YOU, NOW)
        mine.add_subject("lunch", MAIL, WITH_YOU, NOW)
        mine.forget(NOW + SUBJECT_SECONDS + 1)
        assert mine.by_subject("lunch", WITH_YOU, NOW) is None
        assert mine.by_vector(FIRST) == MAIL
        mine.forget(NOW + VECTOR_SECONDS + 1)
        assert mine.by_vector(FIRST) is None

    await database.transact(work)


async def test_another_account_sees_nothing_of_it(database: SealedDatabase, alice: Account, vault: Vault) -> None:
    bob = await database.transact(lambda store: add_account(store, make_passwords(vault), "bob"))

    def work(store: Store) -> None:
        store.account(alice.id).threads.add_vector(FIRST, MAIL, WITH_YOU, NOW)
        theirs = store.account(bob.id).threads
        assert theirs.by_vector(FIRST) is None
        assert theirs.vectors_of("<mail@x>", WITH_YOU) == []
        theirs.forget(NOW + 2 * VECTOR_SECONDS)
        assert store.account(alice.id).threads.by_vector(FIRST) == MAIL

    await database.transact(work)


async def test_nothing_readable_is_stored(database: SealedDatabase, alice: Account) -> None:
    await database.transact(lambda store: store.account(alice.id).threads.add_vector(FIRST, MAIL, WITH_YOU, NOW))

    def stored(store: Store) -> list[bytes]:
        connection = store.scope.connection  # type: ignore[attr-defined]
        row = connection.execute(threads.select()).one()
        return [value for value in row if isinstance(value, bytes)]

    everything = b"".join(await database.read(stored))
    assert not any(secret in everything for secret in (FIRST, FIRST.hex().encode(), b"mail@x", str(YOU).encode()))


async def test_what_another_gateway_kept_is_found_here(database: SealedDatabase, alice: Account, bob: Account) -> None:
    def work(store: Store) -> None:
        mine, theirs = store.account(alice.id).threads, store.account(bob.id).threads
        mine.add_vector(FIRST, MAIL, WITH_YOU, NOW)
        mine.add_vector(SECOND, MAIL, WITH_YOU, NOW + 1)
        mine.add_alias("<theirs@x>", MAIL, WITH_YOU, NOW)
        mine.add_subject("lunch: \u00e9\n", MAIL, WITH_YOU, NOW)
        entries = mine.entries(5)
        assert [(entry.key, entry.keep_until) for entry in entries] == [
            (ThreadKey.VECTOR, NOW + 1 + VECTOR_SECONDS),
            (ThreadKey.VECTOR, NOW + VECTOR_SECONDS),
            (ThreadKey.ALIAS, NOW + VECTOR_SECONDS),
            (ThreadKey.SUBJECT, NOW + SUBJECT_SECONDS),
        ]
        assert len(mine.entries(1)) == 2
        assert (theirs.take_over(entries), theirs.take_over(entries)) == (4, 0)
        assert theirs.entries(5) == entries
        assert theirs.by_vector(FIRST) == MAIL
        assert theirs.vectors_of("<mail@x>", WITH_YOU) == [FIRST, SECOND]
        assert theirs.by_alias("<theirs@x>", WITH_YOU) == MAIL
        assert theirs.by_subject("lunch: \u00e9\n", WITH_YOU, NOW) == MAIL

    await database.transact(work)


async def test_rows_from_before_are_read_and_move_as_far_as_they_say(
    database: SealedDatabase, alice: Account, bob: Account
) -> None:
    """They hold a vector alone; those that are found by a word do not hold it."""

    def work(store: Store) -> None:
        assert isinstance(store, SealedStore)
        mine, theirs = store.account(alice.id).threads, store.account(bob.id).threads
        mine.add_vector(FIRST, MAIL, WITH_YOU, NOW)
        mine.add_subject("lunch", MAIL, WITH_YOU, NOW)
        scope = AccountRepository(store.scope).enter(alice.id)
        for row in store.scope.connection.execute(select(threads)).all():
            plain = "\n".join((FIRST.hex() if row.mail_tag else "", MAIL.message_id, *MAIL.references))
            sealed = scope.keys.seal(plain.encode(), b"thread", row.tag)
            store.scope.connection.execute(update(threads).where(threads.c.tag == row.tag).values(sealed_thread=sealed))
        assert mine.by_vector(FIRST) == mine.by_subject("lunch", WITH_YOU, NOW) == MAIL
        assert mine.vectors_of("<mail@x>", WITH_YOU) == [FIRST]
        entries = mine.entries(5)
        assert [(entry.key, entry.word, entry.exchange) for entry in entries] == [(ThreadKey.VECTOR, FIRST, None)]
        theirs.take_over(entries)
        assert theirs.by_vector(FIRST) == MAIL
        assert theirs.entries(5) == entries

    await database.transact(work)
