"""Accounts, identities, outbox, inventory, contacts: round trips on both databases."""

import os
from dataclasses import replace

import pytest
from storage_fixtures import NOW, add_account, make_passwords, new_content, new_identity

from bmgate.bm.addresses import Address
from bmgate.bm.hashes import InventoryVector
from bmgate.bm.keys import random_keys
from bmgate.bm.objects import ObjectType, encode_getpubkey, encode_object, read_object
from bmgate.bm.plaintext import Pubkey
from bmgate.domain.account import Account, AccountId, AccountState, Level
from bmgate.domain.contact import Contact
from bmgate.domain.identity import IdentityId
from bmgate.domain.mailbox import Flags, MailboxKind
from bmgate.domain.objects import StoredObject
from bmgate.domain.outbox import NewOutgoing, NewSubmission, OutgoingMessage, Priority, Reason, ReturnContent, State
from bmgate.domain.ports.database import Store
from bmgate.errors import Conflict, Missing
from bmgate.storage.database import SealedDatabase
from bmgate.storage.repositories.outbox import LATE_ACK_SECONDS
from bmgate.storage.vault import Vault


def some_address(version: int = 4) -> Address:
    return Address(version, 1, b"\0" + os.urandom(19))


def submit(
    store: Store, account: Account, recipients: list[Address], queue_id: str = "7KQ2AB", ack_data: bytes = b"ack"
) -> list[OutgoingMessage]:
    mine = store.account(account.id)
    identity = mine.identities.default() or mine.identities.add(new_identity())
    submission = NewSubmission(
        identity.id, queue_id, "Grüße", "body\n", "<id@x>", ReturnContent.HEADERS, "env+2B", None, b"repeat", NOW
    )
    rows = [
        NewOutgoing(n, recipient, ack_data, 4 * 86_400, Priority.NORMAL, ("FAILURE", "DELAY"), f"rfc822;{recipient}")
        for n, recipient in enumerate(recipients, 1)
    ]
    return mine.outbox.add(submission, rows)


def an_object(kind: int = 2, version: int = 1, payload: bytes = b"", expires_time: int = NOW + 100) -> StoredObject:
    encoded = encode_object(expires_time, kind, version, 1, payload or os.urandom(50), nonce=7)
    return StoredObject(read_object(encoded))


# --- accounts and identities ---


async def test_account_names_and_aliases_are_one_namespace(
    database: SealedDatabase, alice: Account, bob: Account, vault: Vault
) -> None:
    def work(store: Store) -> None:
        mine = store.account(alice.id).identities
        first = mine.add(new_identity("first"))
        assert mine.aliases() == {"alice": first.id}
        second = mine.add(new_identity("second", is_default=False))
        mine.add_alias("Sales", second.id, NOW)
        assert mine.aliases() == {"alice": first.id, "sales": second.id}
        assert store.accounts.find("SALES") == alice
        assert store.identities.by_alias("sales") == second
        assert store.identities.by_alias("Alice") == first
        assert store.identities.by_alias("bob") is None
        for taken in ("sales", "bob", "ALICE"):
            with pytest.raises(Conflict):
                mine.add_alias(taken, second.id, NOW)
        with pytest.raises(Missing):  # bob may not name what is alice's
            store.account(bob.id).identities.add_alias("fresh", second.id, NOW)
        with pytest.raises(Conflict):
            add_account(store, make_passwords(vault), "sales")

    await database.transact(work)


async def test_a_renamed_account_is_found_by_its_new_name_and_the_former_is_reserved(
    database: SealedDatabase, alice: Account, bob: Account
) -> None:
    def work(store: Store) -> None:
        mine = store.account(alice.id).identities
        first, others = mine.add(new_identity()), store.account(bob.id).identities
        his = others.add(new_identity())
        store.accounts.rename(alice.id, "Anna", NOW)
        renamed = replace(alice, name="anna")
        assert store.accounts.find("ANNA") == store.accounts.get(alice.id) == renamed
        assert store.accounts.find("alice") is None
        assert store.account(alice.id).account == renamed
        assert mine.aliases() == {"anna": first.id}
        for taken in ("alice", "anna"):
            with pytest.raises(Conflict):
                others.add_alias(taken, his.id, NOW)
        with pytest.raises(Conflict):
            store.accounts.rename(bob.id, "anna", NOW)
        mine.add_alias("alice", first.id, NOW)
        assert mine.aliases() == {"alice": first.id, "anna": first.id}

    await database.transact(work)


async def test_an_address_is_found_and_counted_without_the_others(
    database: SealedDatabase, alice: Account, bob: Account
) -> None:
    def work(store: Store) -> None:
        mine, others = store.account(alice.id).identities, store.account(bob.id).identities
        first, second = mine.add(new_identity("first")), mine.add(new_identity("second", is_default=False))
        assert (mine.count(), others.count()) == (2, 0)
        assert mine.find(second.address) == second
        assert mine.find(replace(second.address, version=3)) is None
        assert others.find(second.address) is None
        mine.delete(first.id, NOW)
        assert (mine.count(), mine.find(first.address)) == (1, None)

    await database.transact(work)


async def test_identities_come_back_with_their_keys(database: SealedDatabase, alice: Account, bob: Account) -> None:
    new = new_identity("Büro")

    def work(store: Store) -> None:
        mine = store.account(alice.id).identities
        made = mine.add(new)
        assert (made.address, made.label, made.is_default, made.enabled) == (new.address, "Büro", True, True)
        assert mine.all() == [made] == [mine.default()]
        assert mine.private_keys(made.id) == (new.keys.signing, new.keys.encryption)
        with pytest.raises(Conflict):
            store.account(bob.id).identities.add(new)
        second = mine.add(new_identity("new default"))
        assert [identity.is_default for identity in mine.all()] == [False, True]
        assert mine.default() == second
        keys = store.identities.receiving_keys()
        assert [(key.account, key.address) for key in keys] == [(alice.id, new.address), (alice.id, second.address)]
        assert keys[0].encryption_key == new.keys.encryption
        assert store.identities.receiving() == [made.id, second.id]
        assert store.identities.receiving_keys([second.id, IdentityId(77)]) == keys[1:]
        assert store.identities.receiving_keys([]) == []
        record = store.identities.public_record(made.id)
        assert record.address == new.address
        assert record.keys == new.keys.public
        assert record.does_ack
        assert record.reads_files
        assert store.identities.by_address(new.address) == replace(made, is_default=False)
        assert store.identities.by_lookup(4, new.address.tag) == replace(made, is_default=False)
        assert store.identities.by_lookup(3, new.address.tag) is None
        assert store.accounts.find_by_address(new.address) == alice
        assert store.accounts.find_by_folded_address(str(new.address)[3:].lower()) == alice

    await database.transact(work)


async def test_a_pubkey_on_its_way_out_is_recorded(database: SealedDatabase, alice: Account) -> None:
    def work(store: Store) -> None:
        identity = store.account(alice.id).identities.add(new_identity())
        identities = store.identities
        assert identities.without_pubkey() == [identity]
        identities.begin_pubkey(identity.id, b"payload", NOW, 10**9)
        assert identities.without_pubkey() == []
        identities.save_pubkey_nonce(identity.id, 2**64 - 1)
        (work,) = identities.pubkey_work()
        assert (work.identity, work.payload, work.saved_nonce) == (identity.id, b"payload", 2**64 - 1)
        assert identities.publications_since(identity.id, NOW) == 1
        assert identities.publications_since(identity.id, NOW + 1) == 0
        assert identities.trials_since(NOW) == 10**9
        assert identities.trials_since(NOW + 1) == 0
        identities.end_pubkey(identity.id)
        assert identities.pubkey_work() == []
        assert identities.without_pubkey() == []
        assert store.account(alice.id).identities.get(identity.id).pubkey_sent_at == NOW

    await database.transact(work)


async def test_accounts_change_state_and_password(database: SealedDatabase, alice: Account, vault: Vault) -> None:
    passwords = make_passwords(vault)

    def work(store: Store) -> None:
        store.accounts.set_state(alice.id, AccountState.DISABLED)
        assert store.accounts.get(alice.id).state is AccountState.DISABLED
        user_key = store.accounts.user_key(alice.id)
        store.accounts.replace_password_slots(alice.id, passwords.new_slot(user_key, "another"))
        (slot,) = store.accounts.password_slots(alice.id)
        assert passwords.open_slot(slot.parameters, slot.wrapped, "another") == user_key
        assert store.accounts.all() == [store.accounts.get(alice.id)]
        with pytest.raises(Missing):
            store.account(AccountId(99))
        with pytest.raises(Conflict):
            add_account(store, passwords, "Alice")

    await database.transact(work)


# --- outbox ---


@pytest.mark.parametrize(
    ("ends", "is_repeat"), [((State.CANCELLED, State.FAILED), False), ((State.FAILED, State.ACKED), True)]
)
async def test_o9_a_mail_of_which_nothing_came_may_be_sent_again(
    database: SealedDatabase, alice: Account, ends: tuple[State, State], is_repeat: bool
) -> None:
    def work(store: Store) -> None:
        rows = submit(store, alice, [some_address(), some_address()])
        for row, state in zip(rows, ends, strict=True):
            store.outbox.save(replace(row, state=state), NOW, "")
        assert (store.account(alice.id).outbox.find_repeat(b"repeat", NOW) is not None) == is_repeat

    await database.transact(work)


async def test_a_submission_comes_back_with_its_rows(database: SealedDatabase, alice: Account) -> None:
    to = [some_address(), some_address(3)]

    def work(store: Store) -> None:
        rows = submit(store, alice, to)
        mine = store.account(alice.id).outbox
        assert [row.name for row in rows] == ["7KQ2AB-1", "7KQ2AB-2"]
        assert [store.outbox.get(row.id) for row in rows] == rows == mine.rows_of(rows[0].submission)
        assert mine.rows() == rows[::-1]
        assert mine.rows(limit=1) == rows[1:]
        assert mine.find("7kq2ab") == rows
        assert mine.find("7KQ2AB-2") == rows[1:]
        assert mine.find("7KQ2AB-3") == mine.find("OTHER1") == []
        submission = store.outbox.submission(rows[0].submission)
        assert (submission.subject, submission.body, submission.message_id) == ("Grüße", "body\n", "<id@x>")
        assert (submission.ret, submission.envelope_id, submission.account) == (
            ReturnContent.HEADERS,
            "env+2B",
            alice.id,
        )
        assert mine.find_repeat(b"repeat", NOW) == submission
        assert mine.find_repeat(b"repeat", NOW + 1) is None
        store.outbox.forget_text(submission.id)
        forgotten = store.outbox.submission(submission.id)
        assert (forgotten.subject, forgotten.body, forgotten.message_id) == ("", "", "<id@x>")
        assert mine.unfinished_count() == 2
        assert mine.unfinished() == mine.rows()

    await database.transact(work)


async def test_a_row_is_saved_with_its_history(database: SealedDatabase, alice: Account) -> None:
    def work(store: Store) -> None:
        (row,) = submit(store, alice, [some_address()])
        changed = replace(
            row,
            state=State.READY,
            reason=Reason.TOO_LARGE,
            attempt=3,
            getpubkey_attempt=2,
            ttl_seconds=99,
            next_attempt=NOW + 5,
            ack_data=b"other",
            payload=b"payload",
            saved_nonce=2**63,
            expires_time=NOW + 9,
            forced=True,
            no_retry=True,
            priority=Priority.HIGH,
        )
        saved = store.outbox.save(changed, NOW + 1, "pubkey found")
        assert saved == replace(changed, updated_at=NOW + 1) == store.outbox.get(row.id)
        store.outbox.save(saved, NOW + 2, "not a change of state")
        store.outbox.save_nonce(row.id, 2**64 - 1)
        assert store.outbox.get(row.id).saved_nonce == 2**64 - 1
        history = store.account(alice.id).outbox.history(row.id)
        assert [(entry.at, entry.state, entry.detail) for entry in history] == [
            (NOW, State.ACCEPTED, ""),
            (NOW + 1, State.READY, "pubkey found"),
        ]
        assert store.outbox.due(NOW + 4, 10) == []
        assert [found.id for found in store.outbox.due(NOW + 5, 10)] == [row.id]
        store.outbox.save(replace(saved, state=State.ACKED), NOW + 3, "")
        assert store.outbox.due(NOW + 5, 10) == store.outbox.unfinished() == []
        assert store.account(alice.id).outbox.unfinished() == []
        assert store.outbox.count_by_state() == {State.ACKED: 1}

    await database.transact(work)


async def test_rows_are_found_by_the_pubkey_they_wait_for(database: SealedDatabase, alice: Account) -> None:
    fourth, third = some_address(), some_address(3)

    def work(store: Store) -> None:
        rows = submit(store, alice, [fourth, third])
        assert store.outbox.waiting_for(fourth) == []
        for row, state in zip(rows, (State.NEED_PUBKEY, State.REQUESTED), strict=True):
            store.outbox.save(replace(row, state=state), NOW, "")
        assert [row.n for row in store.outbox.waiting_for(fourth)] == [1]
        assert [row.n for row in store.outbox.waiting_for(third)] == [2]
        assert [row.n for row in store.outbox.waiting_by_lookup(4, fourth.tag)] == [1]
        assert [row.n for row in store.outbox.waiting_by_lookup(3, bytes(20))] == [2]
        assert store.outbox.waiting_by_lookup(4, bytes(32)) == store.outbox.waiting_by_lookup(2, b"") == []

    await database.transact(work)


async def test_acks_are_watched_for_long_after_a_failure(database: SealedDatabase, alice: Account) -> None:
    def work(store: Store) -> None:
        first, second, third = submit(store, alice, [some_address() for _ in range(3)])
        submit(store, alice, [some_address()], "NOACK1", ack_data=b"")
        assert store.outbox.watched_acks() == [(b"ack", row.id) for row in (first, second, third)]
        store.outbox.save(replace(first, state=State.FAILED), NOW, "")
        store.outbox.save(replace(second, state=State.ACKED), NOW, "")
        store.outbox.save(third, NOW + LATE_ACK_SECONDS, "")
        assert store.outbox.watched_acks() == [(b"ack", first.id), (b"ack", third.id)]
        store.outbox.save(third, NOW + LATE_ACK_SECONDS + 1, "")
        assert store.outbox.watched_acks() == [(b"ack", third.id)]

    await database.transact(work)


async def test_the_sent_copy_of_a_submission_can_be_replaced_and_can_go(
    database: SealedDatabase, alice: Account
) -> None:
    def work(store: Store) -> None:
        (row,) = submit(store, alice, [some_address()])
        mine = store.account(alice.id)
        sent = mine.mailboxes.by_kind(MailboxKind.SENT).id
        content = mine.messages.add_content(new_content())
        mine.messages.append(sent, content, Flags.SEEN, (), NOW)
        mine.outbox.replace_sent_content("<other@x>", content)
        assert store.outbox.submission(row.submission).sent_content is None
        mine.outbox.replace_sent_content("<id@x>", content)
        assert store.outbox.submission(row.submission).sent_content == content
        mine.messages.expunge(sent, [1])
        assert store.outbox.submission(row.submission).sent_content is None

    await database.transact(work)


# --- inventory and pubkeys ---


async def test_the_inventory_tells_what_was_new(database: SealedDatabase) -> None:
    objects = [an_object() for _ in range(5)]
    vectors = [stored.object.vector for stored in objects]

    def work(store: Store) -> None:
        inventory = store.inventory
        assert inventory.add(objects[:3] + objects[:1]) == vectors[:3]
        assert inventory.add(objects) == vectors[3:]
        assert inventory.add(objects) == inventory.add([]) == []
        assert inventory.get([*vectors, InventoryVector(bytes(32))]) == {
            stored.object.vector: stored.object.encoded for stored in objects
        }
        assert sorted(inventory.vectors()) == sorted((vector, NOW + 100, 0) for vector in vectors)

    await database.transact(work)


async def test_objects_wait_in_the_order_of_their_arrival_until_processed(database: SealedDatabase) -> None:
    objects = [replace(an_object(), own=number % 2 == 0, stem_until=number) for number in range(4)]
    vectors = [stored.object.vector for stored in objects]

    def work(store: Store) -> None:
        inventory = store.inventory
        inventory.add(objects)
        inventory.add([replace(an_object(), to_process=False)])
        assert inventory.to_process(3) == objects[:3]
        two = 2 * len(objects[0].object.encoded)
        assert [inventory.to_process(3, size) for size in (1, two, two + 1)] == [objects[:1], objects[:2], objects[:3]]
        inventory.mark_processed(vectors[:2])
        assert inventory.to_process(10) == objects[2:]
        assert inventory.count() == (5, 2)
        assert len(inventory.purge(NOW + 100)) == 0
        assert len(inventory.purge(NOW + 101)) == 3
        assert inventory.to_process(10) == objects[2:]

    await database.transact(work)


async def test_p40_room_is_made_by_those_that_expire_first_and_by_own_ones_last(database: SealedDatabase) -> None:
    """Three of ours that expire first, three of others, one still to be processed."""
    mine = [an_object(expires_time=NOW + number) for number in range(3)]
    others = [an_object(expires_time=NOW + 50 + number) for number in range(3)]
    waiting = an_object(expires_time=NOW)
    size = len(waiting.object.encoded)

    def work(store: Store) -> None:
        inventory = store.inventory
        inventory.add(replace(each, own=True, to_process=False) for each in mine)
        inventory.add(replace(each, to_process=False) for each in others)
        inventory.add([waiting])
        assert inventory.size() == 7 * size
        assert inventory.evict(size + 1) == {each.object.vector: size for each in others[:2]}
        assert inventory.evict(2 * size) == {each.object.vector: size for each in (others[2], mine[0])}
        assert inventory.evict(10 * size) == {each.object.vector: size for each in mine[1:]}
        assert inventory.evict(1) == {}
        assert inventory.size() == size
        assert inventory.to_process(10) == [waiting]

    await database.transact(work)


async def test_p40_own_objects_that_wait_for_an_answer_go_last(database: SealedDatabase, alice: Account) -> None:
    """A msg without its ack and a getpubkey without its pubkey expire before others of ours that nobody waits for."""

    def work(store: Store) -> None:
        rows = submit(store, alice, [some_address() for _ in range(3)])
        objects: dict[State, StoredObject] = {}
        for number, (row, state) in enumerate(zip(rows, (State.PUBLISHED, State.REQUESTED, State.ACKED), strict=True)):
            expires = NOW + 10 + number
            store.outbox.save(replace(row, state=state, expires_time=expires), NOW, "")
            objects[state] = replace(an_object(expires_time=expires), own=True, to_process=False)
        ack = replace(an_object(expires_time=NOW + 90), own=True, to_process=False)
        store.inventory.add([*objects.values(), ack])
        order = [next(iter(store.inventory.evict(1))) for _ in range(4)]
        wanted = (objects[State.ACKED], ack, objects[State.PUBLISHED], objects[State.REQUESTED])
        assert order == [each.object.vector for each in wanted]

    await database.transact(work)


async def test_numbers_beyond_any_column_are_stored(database: SealedDatabase) -> None:
    encoded = encode_object(2**64 - 1, 0xFFFFFFFF, 2**64 - 1, 1, b"payload")
    await database.transact(lambda store: store.inventory.add([StoredObject(read_object(encoded))]))
    (stored,) = await database.read(lambda store: store.inventory.to_process(1))
    assert stored.object == read_object(encoded)


async def test_pubkeys_and_getpubkeys_are_found_by_what_they_are_asked_by(database: SealedDatabase) -> None:
    address, tag = some_address(), os.urandom(32)
    own = StoredObject(read_object(encode_getpubkey(address, NOW + 50)), own=True)
    others = StoredObject(read_object(encode_getpubkey(some_address(), NOW + 50)))
    newer = an_object(ObjectType.PUBKEY, 4, tag + b"newer", NOW + 9)
    older = an_object(ObjectType.PUBKEY, 4, tag + b"older", NOW + 8)
    third = an_object(ObjectType.PUBKEY, 3, os.urandom(200))

    def work(store: Store) -> None:
        inventory = store.inventory
        inventory.add([own, others, older, newer, third])
        assert inventory.pubkeys_by_lookup(4, tag) == [newer.object, older.object]
        assert inventory.pubkeys_by_lookup(3, bytes(20)) == [third.object]
        assert inventory.pubkeys_by_lookup(2, bytes(20)) == []
        assert inventory.live_getpubkey(address.lookup, NOW) == own.object
        assert inventory.live_getpubkey(address.lookup, NOW + 51) is None
        assert inventory.live_getpubkey(others.object.tag, NOW) is None

    await database.transact(work)


async def test_p25_strangers_do_not_push_out_the_pubkeys_of_whom_we_write_to(
    database: SealedDatabase, alice: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bmgate.storage.repositories.pubkeys.MAX_PUBKEYS", 5)
    pubkeys = [Pubkey(4, 1, 1, random_keys(os.urandom, 0).public, 1000, 1000) for _ in range(30)]

    def work(store: Store) -> list[bool]:
        submit(store, alice, [pubkeys[0].address])
        for at, pubkey in enumerate(pubkeys):
            store.pubkeys.save(pubkey, NOW + at)
        return [store.pubkeys.find(pubkey.address) is not None for pubkey in pubkeys]

    assert await database.transact(work) == [True, *[False] * 25, *[True] * 4]


async def test_the_newest_pubkey_of_an_address_is_kept(
    database: SealedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bmgate.storage.repositories.pubkeys.MAX_PUBKEYS", 2)
    keys = [random_keys(os.urandom, 0).public for _ in range(3)]
    pubkeys = [Pubkey(4, 1, 1, key, 1000, 1000) for key in keys]

    def work(store: Store) -> None:
        assert store.pubkeys.find(pubkeys[0].address) is None
        store.pubkeys.save(replace(pubkeys[0], nonce_trials_per_byte=5), NOW)
        store.pubkeys.save(pubkeys[0], NOW + 1)
        assert store.pubkeys.find(pubkeys[0].address) == pubkeys[0]
        store.pubkeys.save(pubkeys[1], NOW + 2)
        store.pubkeys.save(pubkeys[2], NOW + 3)
        assert [store.pubkeys.find(pubkey.address) is not None for pubkey in pubkeys] == [False, True, True]

    await database.transact(work)


# --- contacts and duplicates ---


async def test_contacts_and_correspondents_are_remembered(database: SealedDatabase, alice: Account) -> None:
    friend, stranger = some_address(), some_address()

    def work(store: Store) -> None:
        contacts = store.account(alice.id).contacts
        contacts.save(Contact(friend, "Freund"))
        assert contacts.label_of(friend) == "Freund"
        assert contacts.label_of(stranger) == ""
        assert contacts.correspondents() == []
        assert contacts.note_correspondent(friend)
        assert contacts.note_correspondent(stranger)
        assert not contacts.note_correspondent(friend)
        contacts.save(Contact(friend, "alter Freund"))
        assert contacts.all() == [Contact(friend, "alter Freund")]
        assert contacts.correspondents() == [friend, stranger]

    await database.transact(work)


async def test_duplicates_are_forgotten_when_their_time_is_over(
    database: SealedDatabase, alice: Account, bob: Account
) -> None:
    def work(store: Store) -> None:
        mine, others = store.account(alice.id).duplicates, store.account(bob.id).duplicates
        mine.remember(b"old", NOW - 1)
        mine.remember(b"new", NOW)
        others.remember(b"old", NOW - 1)
        mine.forget(NOW)
        assert (mine.seen(b"old"), mine.seen(b"new"), others.seen(b"old")) == (False, True, True)

    await database.transact(work)


async def test_duplicates_are_known_per_account(database: SealedDatabase, alice: Account, bob: Account) -> None:
    def work(store: Store) -> None:
        mine = store.account(alice.id).duplicates
        assert not mine.seen(b"content id")
        mine.remember(b"content id", NOW)
        mine.remember(b"content id", NOW + 5)
        assert mine.seen(b"content id")
        assert not store.account(bob.id).duplicates.seen(b"content id")

    await database.transact(work)


async def test_secrets_and_levels_come_back(database: SealedDatabase, vault: Vault) -> None:
    account = await database.transact(lambda store: add_account(store, make_passwords(vault), "eve", Level.L1))
    secrets = await database.read(lambda store: store.account(account.id).secrets)
    assert account.level is Level.L1
    assert len(secrets.id_key) == len(secrets.dedupe_key) == 32
    assert secrets.id_key != secrets.dedupe_key
