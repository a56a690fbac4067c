"""Chans and subscriptions on disk: round trips on both databases, and who sees what."""

import os
from collections.abc import Callable

import pytest
from storage_fixtures import NOW

from bmgate.bm.addresses import Address
from bmgate.bm.keys import deterministic_keys, random_keys
from bmgate.bm.objects import ObjectType, encode_object, read_object
from bmgate.domain.account import Account
from bmgate.domain.chan import CHANS, Membership, NewChan
from bmgate.domain.mailbox import MailboxId, MailboxKind
from bmgate.domain.objects import StoredObject
from bmgate.domain.ports.database import Store
from bmgate.domain.subscription import SUBSCRIPTIONS, Subscription
from bmgate.errors import Conflict, Missing
from bmgate.storage.database import SealedDatabase

GENERAL_KEYS = next(deterministic_keys(b"general"))
GENERAL = NewChan(GENERAL_KEYS.public.address(), GENERAL_KEYS)
OLD = NewChan(GENERAL_KEYS.public.address(version=3), GENERAL_KEYS)


def a_mailbox(store: Store, account: Account, name: str) -> MailboxId:
    return store.account(account.id).mailboxes.create(name, MailboxKind.USER, NOW).id


def join(store: Store, account: Account, chan: NewChan = GENERAL, name: str = f"{CHANS}/general") -> Membership:
    return store.account(account.id).chans.join(chan, a_mailbox(store, account, name), NOW)


async def test_the_members_of_a_chan_share_its_keys(database: SealedDatabase, alice: Account, bob: Account) -> None:
    def work(store: Store) -> None:
        mine, theirs = join(store, alice), join(store, bob)
        assert mine.chan == theirs.chan
        assert store.chans.receiving() == [mine.chan]
        (key,) = store.chans.receiving_keys([mine.chan])
        assert (key.address, key.encryption_key) == (GENERAL.address, GENERAL_KEYS.encryption)
        assert store.chans.members(mine.chan) == [mine, theirs]
        assert store.chans.public_keys(GENERAL.address) == GENERAL_KEYS.public
        assert store.account(bob.id).chans.private_keys(theirs.id) == GENERAL_KEYS
        assert store.account(bob.id).chans.by_mailbox(theirs.mailbox) == theirs

    await database.transact(work)


async def test_the_keys_go_with_the_last_member(database: SealedDatabase, alice: Account, bob: Account) -> None:
    def work(store: Store) -> None:
        mine, theirs = join(store, alice), join(store, bob)
        store.account(alice.id).chans.leave(mine.id)
        assert store.chans.members(mine.chan) == [theirs]
        store.account(bob.id).chans.leave(theirs.id)
        assert store.chans.receiving() == []
        assert store.chans.public_keys(GENERAL.address) is None
        assert join(store, alice, name=f"{CHANS}/again").chan != mine.chan

    await database.transact(work)


async def test_nobody_joins_twice_but_the_old_version_is_another_chan(
    database: SealedDatabase, alice: Account, bob: Account
) -> None:
    def work(store: Store) -> None:
        mine = join(store, alice)
        assert join(store, alice, OLD, f"{CHANS}/old").chan != mine.chan
        with pytest.raises(Conflict):
            join(store, alice, name=f"{CHANS}/twice")

    await database.transact(work)


def _leave(store: Store, account: Account, joined: Membership) -> None:
    store.account(account.id).chans.leave(joined.id)


def _take_keys(store: Store, account: Account, joined: Membership) -> None:
    store.account(account.id).chans.private_keys(joined.id)


@pytest.mark.parametrize("attempt", [_leave, _take_keys])
async def test_another_accounts_membership_is_out_of_reach(
    database: SealedDatabase, alice: Account, bob: Account, attempt: Callable[[Store, Account, Membership], None]
) -> None:
    def work(store: Store) -> None:
        theirs = join(store, bob)
        with pytest.raises(Missing):
            attempt(store, alice, theirs)
        assert store.account(alice.id).chans.by_mailbox(theirs.mailbox) is None
        assert store.chans.members(theirs.chan) == [theirs]

    await database.transact(work)


async def test_broadcasts_find_their_subscribers(database: SealedDatabase, alice: Account, bob: Account) -> None:
    keys = random_keys(os.urandom)
    address, old = keys.public.address(), keys.public.address(version=3)

    def work(store: Store) -> None:

        def subscribe(account: Account, label: str, to: Address = address) -> Subscription:
            mailbox = a_mailbox(store, account, f"{SUBSCRIPTIONS}/{label}")
            return store.account(account.id).subscriptions.add(to, mailbox, NOW)

        mine, theirs, ancient = subscribe(alice, "news"), subscribe(bob, "news"), subscribe(alice, "old news", old)
        assert store.subscriptions.by_tag(address.tag) == [mine, theirs]
        assert store.subscriptions.by_tag(old.lookup) == []
        assert store.subscriptions.untagged() == [ancient]
        assert store.account(alice.id).subscriptions.all() == [mine, ancient]
        assert store.account(alice.id).subscriptions.by_mailbox(mine.mailbox) == mine
        with pytest.raises(Conflict):
            subscribe(alice, "twice")

    await database.transact(work)


async def test_a_disabled_subscription_is_kept_and_finds_nothing(
    database: SealedDatabase, alice: Account, bob: Account
) -> None:
    address = random_keys(os.urandom).public.address()

    def work(store: Store) -> None:
        mine = store.account(alice.id).subscriptions
        subscription = mine.add(address, a_mailbox(store, alice, f"{SUBSCRIPTIONS}/news"), NOW)
        mine.set_enabled(subscription.id, False)
        assert store.subscriptions.by_tag(address.tag) == []
        found = mine.find(address)
        assert found is not None
        assert not found.enabled
        with pytest.raises(Missing):
            store.account(bob.id).subscriptions.set_enabled(subscription.id, True)
        with pytest.raises(Missing):
            store.account(bob.id).subscriptions.remove(subscription.id)
        mine.remove(subscription.id)
        assert mine.all() == []

    await database.transact(work)


async def test_who_is_new_has_everything_stored_to_be_looked_through(
    database: SealedDatabase, alice: Account, bob: Account
) -> None:
    address = random_keys(os.urandom).public.address(version=3)

    def work(store: Store) -> None:
        member = join(store, alice)
        mine = store.account(bob.id).subscriptions
        subscription = mine.add(address, a_mailbox(store, bob, f"{SUBSCRIPTIONS}/news"), NOW)
        assert (store.chans.unscanned(), store.subscriptions.unscanned()) == ([member], [subscription])
        assert member.scan_from == subscription.scan_from == 0
        assert store.subscriptions.to(address) == [subscription]
        assert store.subscriptions.to(Address(2, address.stream, address.ripe)) == []
        store.chans.note_scanned(member.id, 17)
        assert [each.scan_from for each in store.chans.unscanned()] == [17]
        store.chans.note_scanned(member.id, None)
        store.subscriptions.note_scanned(subscription.id, None)
        assert [store.chans.unscanned(), store.subscriptions.unscanned()] == [[], []]
        mine.set_enabled(subscription.id, False)
        assert store.subscriptions.unscanned() == []
        mine.set_enabled(subscription.id, True)
        assert [each.scan_from for each in store.subscriptions.unscanned()] == [0]

    await database.transact(work)


async def test_stored_objects_are_read_in_order_by_type(database: SealedDatabase) -> None:
    expires = NOW + 3_600
    msgs = [read_object(encode_object(expires, ObjectType.MSG, 1, 1, b"%d" % number * 100)) for number in range(5)]
    broadcast = read_object(encode_object(expires, ObjectType.BROADCAST, 4, 1, b"news"))

    def work(store: Store) -> None:
        store.inventory.add(StoredObject(each) for each in (*msgs[:2], broadcast, *msgs[2:]))
        first = store.inventory.stored_from(0, ObjectType.MSG, 3)
        assert [obj for _, obj in first] == msgs[:3]
        after = first[-1][0] + 1
        assert [obj for _, obj in store.inventory.stored_from(after, ObjectType.MSG, 10, max_bytes=1)] == msgs[3:4]
        assert store.inventory.count_from(after, ObjectType.MSG) == 2
        assert [obj for _, obj in store.inventory.stored_from(0, ObjectType.BROADCAST, 10)] == [broadcast]
        assert store.inventory.stored_from(after + 9, ObjectType.MSG, 10) == []

    await database.transact(work)
