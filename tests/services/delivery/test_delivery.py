"""Delivery: which mailbox, which thread, what is learnt, and what the mail says of it all."""

from email import message_from_bytes
from email.message import Message

import pytest
from stations import MakeStation, Station, User, Wire, mail
from storage_fixtures import NOW, new_identity
from writers import DAY, Writer, key_of, receive

from bmgate.bm.encodings import EXTENDED, SIMPLE, File, encode_extended, encode_message
from bmgate.bm.objects import read_object
from bmgate.bm.plaintext import Behavior
from bmgate.domain.contact import Contact, Standing
from bmgate.domain.mailbox import MailboxKind
from bmgate.domain.policy import Reads
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.thread import Exchange
from bmgate.errors import BadOption

INNER = "From: a@example.org\nMessage-ID: <{}>\nIn-Reply-To: <{}>\nMIME-Version: 1.0\n\ntext"


async def mails(user: User, kind: MailboxKind = MailboxKind.INBOX) -> list[Message]:
    return [message_from_bytes(each.header + each.body) for each in await user.messages(kind)]


async def set_option(user: User, name: str, words: str, writer: Writer | None = None) -> None:
    contact = writer.pubkey.address if writer else None
    policies, database = user.station.services.policies, user.station.database
    await database.transact(lambda store: policies.set(store.account(user.id), name, words, contact=contact))


async def write(
    writer: Writer, user: User, subject: str, body: str = "text", parents: tuple[bytes, ...] = (), resend: bool = False
) -> bytes:
    """A msg that is delivered; its vector."""
    if not resend:
        writer.new_mail()
    if parents:
        message, encoding = encode_extended(subject, body, parents), EXTENDED
    else:
        message, encoding = encode_message(subject, body), SIMPLE
    encoded = writer.msg(await key_of(user), message, encoding, expires=NOW + (5 if resend else 4) * DAY)
    await receive(user.station, encoded)
    return read_object(encoded).vector


# --- where it goes, and who is confirmed ---


async def test_v15_a_blocked_sender_writes_to_junk_and_hears_nothing(station: Station) -> None:
    alice, writer = await station.add_user("alice"), Writer()

    def block(mine: AccountStore) -> None:
        mine.contacts.save(Contact(writer.pubkey.address, "Pest"))
        mine.contacts.set_standing(writer.pubkey.address, Standing.BLOCKED)

    await station.database.transact(lambda store: block(store.account(alice.id)))
    await write(writer, alice, "first")
    await write(writer, alice, "first", resend=True)
    assert [each["Subject"] for each in await mails(alice, MailboxKind.JUNK)] == ["first"]
    assert await mails(alice) == []
    assert station.announcer.announced == []


async def test_m3_an_identity_may_have_its_mail_put_elsewhere(station: Station) -> None:
    alice, writer = await station.add_user("alice"), Writer()
    policies, database = station.services.policies, station.database
    identity = alice.identity.id

    async def deliver_to(name: str) -> None:
        await database.transact(
            lambda store: policies.set(store.account(alice.id), "deliver_to", name, identity=identity)
        )

    await deliver_to("Archive")
    await write(writer, alice, "kept")
    for name in ("Nowhere", "Outbox", "Sent"):
        with pytest.raises(BadOption, match="those that do: INBOX"):
            await deliver_to(name)
    assert [each["Subject"] for each in await mails(alice, MailboxKind.ARCHIVE)] == ["kept"]


async def test_m3_mail_goes_to_inbox_when_its_mailbox_is_gone(station: Station) -> None:
    alice, writer = await station.add_user("alice"), Writer()
    policies, mailboxes = station.services.policies, station.services.mailboxes
    await mailboxes.create(alice.id, "Work")
    await station.database.transact(
        lambda store: policies.set(store.account(alice.id), "deliver_to", "Work", identity=alice.identity.id)
    )
    await mailboxes.delete(alice.id, "Work")
    await write(writer, alice, "kept")
    assert [each["Subject"] for each in await mails(alice)] == ["kept"]


# --- how it is read ---


async def test_a_contacts_mail_is_recognised_unless_the_reader_wants_it_as_sent(station: Station) -> None:
    alice, writer, other = await station.add_user("alice"), Writer(), Writer()
    await set_option(alice, "recognise", "off", writer)
    for each in (writer, other):
        await write(each, alice, "=?utf-8?Q?Gr=C3=BC=C3=9Fe?= =?utf-8?Q?!?=")
    sent, recognised = await mails(alice)
    assert sent["X-Bitmessage-Converted"] is None
    assert recognised["X-Bitmessage-Converted"] == "I5"


async def test_p35_html_is_shown_to_who_wants_it(station: Station) -> None:
    alice, writer = await station.add_user("alice"), Writer()
    await write(writer, alice, "before", "<p>one</p>")
    await set_option(alice, "incoming_html", "sanitised")
    await write(writer, alice, "after", "<p>one<script>x</script></p>")
    before, after = await mails(alice)
    assert before.get_content_type() == "text/plain"
    assert [part.get_content_type() for part in after.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert "script" not in str(after.get_payload()[1])  # type: ignore[index]


async def test_the_first_mail_of_a_sender_is_marked(station: Station) -> None:
    alice, writer = await station.add_user("alice"), Writer()
    await write(writer, alice, "one")
    await write(writer, alice, "two")
    assert [each["X-Bitmessage-First-Contact"] for each in await mails(alice)] == ["yes", None]


# --- what is learnt from it (O11) ---


@pytest.mark.parametrize(
    ("behavior", "message", "encoding", "reads"),
    [
        (Behavior.DOES_ACK, encode_message("s", "b"), SIMPLE, Reads.AUTO),
        (Behavior.DOES_ACK | Behavior.READS_FILES, encode_message("s", "b"), SIMPLE, Reads.FILES),
        (Behavior.DOES_ACK, encode_extended("s", "b"), EXTENDED, Reads.AUTO),
        (Behavior.DOES_ACK, encode_extended("s", "b", [bytes(32)]), EXTENDED, Reads.FILES),
        (Behavior.DOES_ACK, encode_extended("s", "b", (), [File("a", b"b", "c/d", "")]), EXTENDED, Reads.FILES),
        (Behavior.DOES_ACK, b"broken", EXTENDED, Reads.AUTO),
        (Behavior.DOES_ACK, encode_message("s", INNER.format("a@x", "b@x")), SIMPLE, Reads.MIME),
    ],
)
async def test_what_a_correspondent_reads_is_learnt(
    station: Station, behavior: int, message: bytes, encoding: int, reads: Reads
) -> None:
    alice, writer = await station.add_user("alice"), Writer(behavior)
    await receive(station, writer.msg(await key_of(alice), message, encoding))
    learnt = await station.database.read(lambda store: store.account(alice.id).contacts.reads_of(writer.pubkey.address))
    assert learnt is reads


# --- threads (I17) ---


async def test_i17_parents_become_references(station: Station) -> None:
    alice, writer = await station.add_user("alice"), Writer()
    first = await write(writer, alice, "first")
    second = await write(writer, alice, "second", parents=(first,))
    await write(writer, alice, "third", parents=(b"?" * 32, second))
    one, two, three = await mails(alice)
    assert one["References"] is None
    assert (two["In-Reply-To"], two["References"].split()) == (one["Message-ID"], [one["Message-ID"]])
    assert three["In-Reply-To"] == two["Message-ID"]
    assert three["References"].split() == [one["Message-ID"], two["Message-ID"]]


async def test_i14_a_resend_may_be_named_as_parent_as_well(station: Station) -> None:
    alice, writer = await station.add_user("alice"), Writer()
    first = await write(writer, alice, "first")
    again = await write(writer, alice, "first", resend=True)
    assert again != first
    await write(writer, alice, "second", parents=(again,))
    await write(writer, alice, "third", parents=(first,))
    one, two, three = await mails(alice)
    assert two["In-Reply-To"] == three["In-Reply-To"] == one["Message-ID"]


async def test_i17_what_a_whole_mail_answers_is_found_for_its_sender_only(station: Station) -> None:
    alice, writer, other = await station.add_user("alice"), Writer(), Writer()
    await write(writer, alice, "one", INNER.format("one@far", "zero@far"))
    await write(other, alice, "two", INNER.format("two@far", "one@far"))
    await write(writer, alice, "three", INNER.format("three@far", "one@far"))
    one, two, three = await mails(alice)
    assert two["In-Reply-To"] is None
    assert three["In-Reply-To"] == one["Message-ID"]
    assert three["X-Bitmessage-Claimed-Message-ID"] == "<three@far>"


async def test_i17_an_answer_joins_the_latest_mail_about_its_subject(station: Station) -> None:
    alice, writer, other = await station.add_user("alice"), Writer(), Writer()
    await write(writer, alice, "Lunch")
    await write(writer, alice, "Dinner")
    await write(writer, alice, "Lunch", body="again")
    await write(other, alice, "Re: Lunch", body="of another")
    await write(writer, alice, "AW: lunch", body="the answer")
    await set_option(alice, "thread_by_subject", "off")
    await write(writer, alice, "Re: Dinner")
    _lunch, dinner, again, of_another, answer, last = await mails(alice)
    assert answer["In-Reply-To"] == again["Message-ID"]
    assert [each["In-Reply-To"] for each in (dinner, again, of_another, last)] == [None] * 4


async def test_i17_the_correspondence_of_two_gateways_is_one_thread(make_station: MakeStation) -> None:
    here, there = await make_station(), await make_station()
    wire = Wire(here, there)
    alice, bob = await here.add_user("alice"), await there.add_user("bob")
    await alice.send(bob, subject="Plan", message_id="<plan@client>")
    await wire.carry()
    (plan,) = await mails(bob)
    answer = mail(bob, alice, subject="entirely new", message_id="<answer@client>").replace(
        b"Subject:", f"In-Reply-To: {plan['Message-ID']}\r\nReferences: {plan['Message-ID']}\r\nSubject:".encode()
    )
    await bob.send(alice, raw=answer)
    await wire.carry()
    (answered,) = await mails(alice)
    assert answered["In-Reply-To"] == "<plan@client>"
    assert answered["References"].split() == ["<plan@client>"]
    again = mail(alice, bob, subject="other words", message_id="<again@client>").replace(
        b"Subject:",
        f"In-Reply-To: {answered['Message-ID']}\r\n"
        f"References: <plan@client> {answered['Message-ID']}\r\nSubject:".encode(),
    )
    await alice.send(bob, raw=again)
    await wire.carry()
    _, third = await mails(bob)
    assert third["In-Reply-To"] == "<answer@client>"
    assert third["References"].split()[0] == plan["Message-ID"]


async def test_m9_a_thread_within_one_account_needs_no_network(station: Station) -> None:
    alice = await station.add_user("alice")
    second = User(station, alice.account, await station.add_identity(alice.account, new_identity(is_default=False)))
    await alice.send(second, subject="note", message_id="<note@client>")
    await station.settle()
    (note,) = await mails(alice)
    reply = mail(second, alice, subject="other", message_id="<reply@client>").replace(
        b"Subject:", f"In-Reply-To: {note['Message-ID']}\r\nSubject:".encode()
    )
    await second.send(alice, raw=reply)
    await station.settle()
    _, answer = await mails(alice)
    assert answer["In-Reply-To"] == note["Message-ID"]
    vectors = await station.database.read(
        lambda store: store.account(alice.id).threads.vectors_of(
            note["Message-ID"], Exchange(second.identity.address, alice.identity.address)
        )
    )
    assert len(vectors) == 1


# --- duplicates (property 7) ---


async def test_p19_resends_in_any_order_and_over_restarts_are_one_mail_and_an_ack_each(station: Station) -> None:
    alice, writer = await station.add_user("alice"), Writer()
    key = await key_of(alice)
    copies = [writer.msg(key, expires=NOW + days * DAY, ack=writer.ack(NOW + days * DAY)) for days in (6, 4, 8, 5)]
    for copy in copies[:2]:
        await receive(station, copy)
    await station.crash()
    await station.start()
    await receive(station, *copies[2:])
    assert await alice.bodies() == ["from afar"]
    acks = {read_object(writer.ack(NOW + days * DAY)[24:]).vector for days in (6, 4, 8, 5)}
    assert acks <= set(station.announcer.announced)


async def test_p30_messages_that_are_large_together_are_read_a_few_at_a_time(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bmgate.services.delivery.arrivals.MAX_SIZE", 100_000)
    alice, bob, writer = await station.add_user("alice"), await station.add_user("bob"), Writer()
    msgs = []
    for number in range(7):
        writer.new_mail()
        message = encode_extended(f"{number}", "hello\n" * 10_000)
        msgs += [writer.msg(await key_of(user), message, EXTENDED) for user in (alice, bob)]
    await receive(station, *msgs, Writer().msg(await key_of(alice)))
    assert [each["Subject"] for each in await mails(bob)] == [f"{number}" for number in range(7)]
    assert [each["Subject"] for each in await mails(alice)] == [*(f"{number}" for number in range(7)), "Hi"]
