"""Strangers: mail that waits in Requests, and what its owner says by moving it (M3)."""

from dataclasses import replace

import pytest
from stations import Station, User
from storage_fixtures import NOW, new_identity
from waiting_mail import careful, move, published, set_option, standing, subjects, write
from writers import DAY, Writer, key_of, receive

from bmgate.bm.encodings import encode_message
from bmgate.bm.objects import read_object
from bmgate.domain.contact import Contact, Standing
from bmgate.domain.mailbox import Flags, MailboxKind
from bmgate.domain.ports.database import Store
from bmgate.domain.thread import Exchange, Thread
from bmgate.errors import MailboxMissing, NotAllowed
from bmgate.services.delivery.strangers import REQUESTS
from bmgate.services.mailboxes.indexed import indexed


async def test_m3_mail_of_a_stranger_waits_and_is_not_confirmed(station: Station) -> None:
    alice, stranger = await careful(station), Writer()
    ack = await write(stranger, alice, "Who are you?")
    assert (await subjects(alice, REQUESTS), await subjects(alice, "INBOX")) == (["Who are you?"], [])
    assert not published(station, ack)
    names = {each.name: each.subscribed for each in await station.services.mailboxes.all(alice.id)}
    assert names[REQUESTS], "programs show only what is subscribed to"
    again = await write(stranger, alice, "Who are you?", days=5)
    assert await subjects(alice, REQUESTS) == ["Who are you?"]
    assert not published(station, again)


async def test_without_the_option_strangers_are_welcome(station: Station) -> None:
    alice, stranger = await station.add_user("alice"), Writer()
    ack = await write(stranger, alice, "Who are you?")
    assert await subjects(alice, "INBOX") == ["Who are you?"]
    assert published(station, ack)
    with pytest.raises(MailboxMissing):
        await station.services.mailboxes.open(alice.id, REQUESTS)


@pytest.mark.parametrize("copy", [False, True])
async def test_m3_out_of_requests_into_inbox_allows_and_confirms(station: Station, copy: bool) -> None:
    alice, stranger = await careful(station), Writer()
    first = await write(stranger, alice, "one")
    second = await write(stranger, alice, "one", days=5)
    await move(alice, REQUESTS, "INBOX", copy)
    assert await standing(alice, stranger) is Standing.ALLOWED
    assert not published(station, first), "a later copy took its place"
    assert published(station, second)
    stranger.new_mail()
    third = await write(stranger, alice, "two")
    assert await subjects(alice, "INBOX") == ["one", "two"]
    assert published(station, third)


async def test_m3_out_of_requests_into_junk_blocks(station: Station) -> None:
    alice, stranger = await careful(station), Writer()
    ack = await write(stranger, alice, "one")
    await move(alice, REQUESTS, "Junk")
    stranger.new_mail()
    await write(stranger, alice, "two")
    assert await standing(alice, stranger) is Standing.BLOCKED
    assert await subjects(alice, "Junk") == ["one", "two"]
    assert not published(station, ack)


async def test_elsewhere_out_of_requests_says_nothing(station: Station) -> None:
    alice, stranger = await careful(station), Writer()
    ack = await write(stranger, alice, "one")
    await move(alice, REQUESTS, "Archive")
    assert await standing(alice, stranger) is Standing.NONE
    assert not published(station, ack)


async def test_an_ack_that_has_ended_is_not_published(station: Station) -> None:
    alice, stranger = await careful(station), Writer()
    ack = await write(stranger, alice, "one", days=1)
    station.clock.jump(2 * DAY)
    await move(alice, REQUESTS, "INBOX")
    assert await standing(alice, stranger) is Standing.ALLOWED
    assert not published(station, ack)


async def test_whoever_confirms_nobody_holds_nothing(station: Station) -> None:
    alice, stranger = await careful(station), Writer()
    await set_option(alice, "ack", "never")
    ack = await write(stranger, alice, "one")
    await move(alice, REQUESTS, "INBOX")
    assert not published(station, ack)


async def test_m3_contacts_and_those_written_to_are_no_strangers(station: Station) -> None:
    alice, friend, correspondent = await careful(station), Writer(), Writer()

    def know(store: Store) -> None:
        contacts = store.account(alice.id).contacts
        contacts.save(Contact(friend.pubkey.address, "Friend"))
        contacts.note_written(correspondent.pubkey.address)

    await station.database.transact(know)
    await write(friend, alice, "from a friend")
    await write(correspondent, alice, "an answer")
    assert await subjects(alice, "INBOX") == ["from a friend", "an answer"]


async def test_m3_a_mail_to_somebody_makes_him_known(station: Station) -> None:
    alice = await careful(station)
    bob = await station.add_user("bob")
    await alice.send(bob)
    address = bob.identity.address
    assert await station.database.read(lambda store: store.account(alice.id).contacts.was_written_to(address))


async def test_m3_an_answer_to_a_post_of_ours_belongs_to_a_thread(station: Station) -> None:
    alice, reader = await careful(station), Writer()
    chan = new_identity().address

    def post(store: Store) -> None:
        mine = store.account(alice.id)
        raw = b"Message-ID: <post@here>\r\nSubject: a post\r\n\r\ntext\r\n"
        content = mine.messages.add_content(indexed(raw).content(mine.messages.message_id_tag("<post@here>")))
        mine.messages.append(mine.mailboxes.by_kind(MailboxKind.SENT).id, content, Flags.SEEN, (), NOW)
        mine.threads.add_vector(b"v" * 32, Thread("<post@here>"), Exchange(chan, chan), NOW)

    await station.database.transact(post)
    await write(reader, alice, "about your post", parents=(b"v" * 32,))
    assert await subjects(alice, "INBOX") == ["about your post"]
    reader2 = Writer()
    await write(reader2, alice, "about nothing", parents=(b"w" * 32,))
    assert await subjects(alice, REQUESTS) == ["about nothing"]


async def test_a_second_mail_in_the_thread_of_the_first_still_waits(station: Station) -> None:
    alice, stranger = await careful(station), Writer()
    encoded = stranger.msg(await key_of(alice), encode_message("one", "text"))
    await receive(station, encoded)
    stranger.new_mail()
    await write(stranger, alice, "two", parents=(read_object(encoded).vector,))
    assert await subjects(alice, REQUESTS) == ["one", "two"]


async def test_strangers_are_not_answered_while_they_wait(station: Station) -> None:
    alice, stranger = await careful(station), Writer()
    policies, identity = station.services.policies, alice.identity.id
    await station.database.transact(
        lambda store: policies.set(store.account(alice.id), "autoreply", "echo", identity=identity)
    )
    await write(stranger, alice, "anybody there?")
    assert await alice.rows() == []


async def test_requests_junk_is_a_white_list(station: Station) -> None:
    alice, stranger = await station.add_user("alice"), Writer()
    await set_option(alice, "requests", "junk")
    ack = await write(stranger, alice, "one")
    assert await subjects(alice, "Junk") == ["one"]
    assert not published(station, ack)
    await move(alice, "Junk", "INBOX")
    assert await standing(alice, stranger) is Standing.ALLOWED


@pytest.mark.parametrize(("words", "expected"), [("off", Standing.NONE), ("on", Standing.BLOCKED)])
async def test_m3_moving_to_junk_blocks_where_the_account_says_so(
    station: Station, words: str, expected: Standing
) -> None:
    alice, writer = await station.add_user("alice"), Writer()
    await set_option(alice, "junk_blocks", words)
    await write(writer, alice, "offer")
    await move(alice, "INBOX", "Junk")
    assert await standing(alice, writer) is expected
    await move(alice, "Junk", "INBOX")
    assert await standing(alice, writer) is (Standing.ALLOWED if words == "on" else Standing.NONE)


async def test_own_mail_in_junk_blocks_nobody(station: Station) -> None:
    alice = await station.add_user("alice")
    await set_option(alice, "junk_blocks", "on")
    second = User(station, alice.account, await station.add_identity(alice.account))
    await alice.send(second)
    await station.settle()
    assert len(await subjects(alice, "INBOX")) == 1
    await move(alice, "INBOX", "Junk")
    assert await station.database.read(lambda store: store.account(alice.id).contacts.entries()) == []


async def test_nothing_is_put_into_requests_by_hand(station: Station) -> None:
    alice, stranger = await careful(station), Writer()
    await write(stranger, alice, "one")
    await set_option(alice, "requests", "off")
    await write(Writer(), alice, "two")
    with pytest.raises(NotAllowed, match="from the network alone"):
        await move(alice, "INBOX", REQUESTS)
    with pytest.raises(NotAllowed, match="from the network alone"):
        await station.services.mailboxes.append(alice.id, REQUESTS, b"Subject: x\r\n\r\nx\r\n", Flags.NONE, (), None)


async def test_held_acks_have_a_bound(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bmgate.storage.repositories.held_acks.MAX_HELD", 2)
    alice, address = await station.add_user("alice"), new_identity().address

    def hold(store: Store) -> list[bytes]:
        held = store.account(alice.id).held_acks
        for number in (1, 2, 3):
            held.hold(address, b"%d" % number, b"ack %d" % number, NOW + number)
        return held.take(address)

    assert await station.database.transact(hold) == [b"ack 2", b"ack 3"]
    assert await station.database.transact(lambda store: store.account(alice.id).held_acks.take(address)) == []


async def test_held_acks_outlive_a_restart(station: Station) -> None:
    alice, stranger = await careful(station), Writer()
    ack = await write(stranger, alice, "one")
    await station.crash()
    await station.start()
    await move(alice, REQUESTS, "INBOX")
    assert published(station, ack)


async def test_who_was_allowed_is_confirmed_by_his_next_copy_at_the_latest(station: Station) -> None:
    alice, stranger = await careful(station), Writer()
    await write(stranger, alice, "one")
    address = stranger.pubkey.address
    await station.database.transact(
        lambda store: store.account(alice.id).contacts.set_standing(address, Standing.ALLOWED)
    )  # and then the gateway died
    assert published(station, await write(stranger, alice, "one", days=5))


async def test_an_ack_that_this_gateway_waits_for_is_not_sent_for_somebody_else(station: Station) -> None:
    alice, bob, thief = await careful(station), await station.add_user("bob"), Writer()
    elsewhere = User(station, bob.account, replace(bob.identity, address=new_identity().address))
    await bob.send(elsewhere)
    (row,) = await bob.rows()
    station.services.watch.add(thief.ack_data, row.id)
    ack = await write(thief, alice, "one")
    await move(alice, REQUESTS, "INBOX")
    assert not published(station, ack), "it would show that both live here"
