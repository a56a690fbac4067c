"""Contacts: the address book, and what is thought of senders."""

import time
from collections.abc import Awaitable, Callable
from email import message_from_bytes
from functools import partial
from random import Random

import pytest
from stations import Station, User, Wire
from storage_fixtures import new_identity
from waiting_mail import careful, published, subjects, write
from writers import Writer

from bmgate.domain.contact import Standing
from bmgate.domain.mailbox import MailboxKind
from bmgate.domain.policy import Reads
from bmgate.errors import Ambiguous, BadAddress, BadOption, BatchRefused, Conflict, LimitReached, Missing, NotAllowed
from bmgate.services.contacts.contacts import NewContact
from bmgate.services.delivery.strangers import REQUESTS
from bmgate.services.outbound.submission import Envelope, Recipient
from bmgate.storage.repositories.contacts import AccountContactRepository

FRIEND = new_identity(entropy=Random("friend").randbytes).address


async def test_a_contact_is_added_found_relabelled_and_removed(station: Station) -> None:
    alice, contacts = await station.add_user("alice"), station.services.contacts
    added = await contacts.add(alice.id, f"{FRIEND}@bm.internal", "  Aunt \u202e Mary ")
    assert (added.address, added.contact.label) == (FRIEND, "Aunt Mary")
    assert [entry.contact.label for entry in await contacts.all(alice.id)] == ["Aunt Mary"]
    for name in ("aunt mary", str(FRIEND), str(FRIEND).lower(), f"{FRIEND}@bm.addr"):
        assert (await contacts.show(alice.id, name)).address == FRIEND
    await contacts.set(alice.id, "aunt mary", "label", "Mary")
    assert await station.services.submissions.resolve(alice.id, "mary@bm.internal")
    await contacts.set(alice.id, "mary", "ttl", "2d")
    assert {each.option.name: each.words for each in await contacts.options(alice.id, "mary")}["ttl"] == "2d"
    await contacts.remove(alice.id, "mary")
    with pytest.raises(Missing, match="not among your contacts"):
        await contacts.show(alice.id, str(FRIEND))
    await contacts.add(alice.id, str(FRIEND), "Again")
    assert not any(each.is_set for each in await contacts.options(alice.id, "again")), "nothing is left of before"


async def test_who_is_there_already_is_told(station: Station) -> None:
    alice, contacts = await station.add_user("alice"), station.services.contacts
    await contacts.add(alice.id, str(FRIEND), "Mary")
    with pytest.raises(Conflict, match="already, as 'Mary'"):
        await contacts.add(alice.id, str(FRIEND), "Else")
    assert (await contacts.add(alice.id, str(FRIEND), "Else", if_missing=True)).contact.label == "Mary"
    assert (await contacts.label(alice.id, str(FRIEND), "Else")).contact.label == "Else"


@pytest.mark.parametrize("label", ["", "x" * 65, "a@b", str(FRIEND)])
async def test_a2_a_label_does_not_look_like_an_address(station: Station, label: str) -> None:
    alice = await station.add_user("alice")
    with pytest.raises(NotAllowed):
        await station.services.contacts.add(alice.id, str(FRIEND), label)


async def test_what_is_no_address_of_somebody_is_refused(station: Station) -> None:
    alice, contacts = await station.add_user("alice"), station.services.contacts
    for text, error in (("BM-2cWv", BadAddress), ("nobody", Missing), ("broadcast", NotAllowed)):
        with pytest.raises(error):
            await contacts.add(alice.id, text, "x")
    for work in (contacts.block, contacts.allow):
        with pytest.raises(NotAllowed, match="is your own"):
            await work(alice.id, str(alice.identity.address))
    with pytest.raises(NotAllowed, match="is your own"):
        await contacts.add(alice.id, str(alice.identity.address), "me")


async def test_a_label_of_two_contacts_means_neither_nor_anybody_else(station: Station) -> None:
    alice, bert, contacts = await station.add_user("alice"), await station.add_user("bert"), station.services.contacts
    one, other, near = (new_identity().address for _ in range(3))
    for address, label in ((one, "bert"), (other, "Bert"), (near, "Bertie")):
        await contacts.add(alice.id, str(address), label)
    ways: tuple[Callable[[str], Awaitable[object]], ...] = (
        partial(contacts.block, alice.id),
        partial(contacts.allow, alice.id),
        partial(contacts.remove, alice.id),
        partial(contacts.show, alice.id),
        partial(contacts.label, alice.id, label="x"),
        partial(station.services.submissions.resolve, alice.id),
    )
    for way in ways:
        for text in ("bert@bm.internal", "bert", "BERT"):
            with pytest.raises(Ambiguous, match="several"):
                await way(text)
    for text in ("bertie+x", "bert+ie", "berti", "ber"):
        with pytest.raises(Missing):
            await contacts.block(alice.id, text)
    assert all(entry.contact.standing is Standing.NONE for entry in await contacts.all(alice.id))
    await contacts.remove(alice.id, str(one))
    assert (await contacts.block(alice.id, "bert")).address == other != bert.identity.address


async def test_who_is_behind_a_relay_is_not_the_relay(station: Station) -> None:
    alice, contacts = await station.add_user("alice"), station.services.contacts
    await contacts.add(alice.id, str(FRIEND), "post office")
    await contacts.set(alice.id, "post office", "relay", "on")
    with pytest.raises(NotAllowed, match="no address of somebody"):
        await contacts.block(alice.id, "anna=example.com@relay.bm.internal")


async def test_the_address_book_has_a_bound(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bmgate.services.contacts.contacts.MAX_CONTACTS", 1)
    alice, contacts = await station.add_user("alice"), station.services.contacts
    await contacts.add(alice.id, str(FRIEND), "one")
    with pytest.raises(LimitReached):
        await contacts.add(alice.id, str(new_identity().address), "two")


async def test_a_batch_is_all_or_nothing(station: Station) -> None:
    alice, contacts = await station.add_user("alice"), station.services.contacts
    other = new_identity().address
    lines = [(1, alice.id, NewContact(str(FRIEND), "Mary", Standing.BLOCKED)), (2, alice.id, NewContact("BM-x", "x"))]
    with pytest.raises(BatchRefused, match="line 2"):
        await contacts.add_all(lines)
    assert await contacts.all(alice.id) == []
    lines[1] = (2, alice.id, NewContact(str(other), "Relay", is_relay=True))
    assert [is_new for _, is_new in await contacts.add_all(lines)] == [True, True]
    first, second = await contacts.all(alice.id)
    assert (first.contact.standing, second.is_relay) == (Standing.BLOCKED, True)
    assert [is_new for _, is_new in await contacts.add_all(lines, if_missing=True)] == [False, False]


async def test_o11_reads_is_what_the_account_says(station: Station) -> None:
    alice, contacts = await station.add_user("alice"), station.services.contacts
    await station.database.transact(lambda store: store.account(alice.id).contacts.learn_reads(FRIEND, Reads.FILES))
    entry = await contacts.set(alice.id, str(FRIEND), "reads", "plain")
    assert (entry.reads, entry.shown) == (Reads.PLAIN, Reads.FILES)
    with pytest.raises(BadOption):
        await contacts.set(alice.id, str(FRIEND), "reads", "braille")


async def test_allow_lets_all_mail_of_a_sender_out_of_requests_and_confirms_it(station: Station) -> None:
    alice, stranger, other = await careful(station), Writer(), Writer()
    acks = []
    for subject in ("one", "two"):
        stranger.new_mail()
        acks.append(await write(stranger, alice, subject))
    await write(other, alice, "offer")
    entry = await station.services.contacts.allow(alice.id, str(stranger.pubkey.address))
    await station.settle()
    assert entry.contact.standing is Standing.ALLOWED
    assert await subjects(alice, "INBOX") == ["one", "two"]
    assert await subjects(alice, REQUESTS) == ["offer"]
    assert all(published(station, ack) for ack in acks)
    await station.services.contacts.block(alice.id, str(other.pubkey.address))
    assert (await subjects(alice, REQUESTS), await subjects(alice, "Junk")) == ([], ["offer"])


async def test_i12_mail_through_a_relay_names_who_wrote_it(station: Station) -> None:
    alice, relay = await station.add_user("alice"), Writer()
    contacts = station.services.contacts
    await write(relay, alice, "Hello MAILCHUCK-FROM::eve@example.org | again")
    await contacts.add(alice.id, str(relay.pubkey.address), "Relay")
    await contacts.set(alice.id, "relay", "relay", "on")
    relay.new_mail()
    await write(relay, alice, "Hello MAILCHUCK-FROM::carol@example.org | again")
    stranger, relayed = [message_from_bytes(each.header) for each in await _inbox(alice)]
    assert stranger["X-Bitmessage-Kind"] == "msg"
    assert relayed["X-Bitmessage-Kind"] == "relay"
    assert relayed["Reply-To"] == "<carol=example.org@relay.bm.internal>"
    assert relayed["From"].startswith('"carol@example.org"')


async def _inbox(user: User) -> list:  # type: ignore[type-arg]
    return await user.messages(MailboxKind.INBOX)


async def test_o17_mail_to_the_internet_goes_to_the_relay_that_reads_whom_it_is_for(station: Station) -> None:
    alice = await station.add_user("alice")
    relay = await station.add_user("relay")
    submissions, contacts = station.services.submissions, station.services.contacts
    with pytest.raises(Missing, match="no relay is known"):
        await submissions.resolve(alice.id, "carol=example.org@relay.bm.internal")
    await contacts.add(alice.id, str(relay.identity.address), "Relay")
    await contacts.set(alice.id, "relay", "relay", "on")
    recipients = [
        Recipient(await submissions.resolve(alice.id, f"{local}=example.org@relay.bm.internal"))
        for local in ("carol", "dave", "carol")
    ]
    raw = f"From: {alice.mail_address}\r\nSubject: Hello\r\n\r\ntext\r\n".encode()
    await submissions.submit(Envelope(alice.id, alice.mail_address, tuple(recipients)), raw)
    assert {row.recipient for row in await alice.rows()} == {relay.identity.address}
    await Wire(station).carry()
    station.clock.advance(60)
    await Wire(station).carry()
    subjects_there = await subjects(relay, "INBOX")
    assert sorted(subjects_there) == ["carol@example.org Hello", "dave@example.org Hello"]


async def test_a_full_address_book_is_made_and_listed_in_time(station: Station) -> None:
    alice, contacts = await station.add_user("alice"), station.services.contacts
    lines = [(n, alice.id, NewContact(str(new_identity().address), f"contact {n}")) for n in range(500)]
    begun = time.process_time()
    await contacts.add_all(lines)
    assert len(await contacts.all(alice.id)) == 500
    assert time.process_time() - begun < 5


async def test_a_batch_counts_an_address_book_once(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bmgate.services.contacts.contacts.MAX_CONTACTS", 21)
    alice, bob, contacts = await station.add_user("alice"), await station.add_user("bob"), station.services.contacts
    counted, count = list[object](), AccountContactRepository.count

    def look(book: AccountContactRepository) -> int:
        counted.append(book)
        return count(book)

    monkeypatch.setattr(AccountContactRepository, "count", look)
    lines = [(n, (alice, bob)[n % 2].id, NewContact(str(new_identity().address), f"{n}")) for n in range(40)]
    await contacts.add_all(lines)
    assert len(counted) == 2
    more = [(n, alice.id, NewContact(str(new_identity().address), f"more {n}")) for n in range(2)]
    with pytest.raises(BatchRefused, match="line 1: an address book holds at most 21"):
        await contacts.add_all(more)
    await contacts.add_all(more[:1])
