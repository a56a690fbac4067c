"""What travels to whom: opened with the recipient's own keys, as his program would."""

import base64
import os
import zlib
from dataclasses import replace

import pytest
from stations import MakeStation, Settings, Station, User
from strangers import Stranger, send

from bmgate.bm.crypto import decrypt
from bmgate.bm.encodings import EXTENDED, SIMPLE, DecodedMessage, decode_message
from bmgate.bm.hashes import InventoryVector
from bmgate.bm.objects import ObjectType, read_object
from bmgate.bm.plaintext import Behavior, Msg, read_msg
from bmgate.domain.mailbox import MailboxKind
from bmgate.domain.outbox import Reason, State
from bmgate.domain.policy import Attachments, Policy, Reads
from bmgate.domain.ports.database import Store
from bmgate.domain.thread import Exchange, Thread
from bmgate.errors import TooDifficult, TooLarge, UnsupportedMedia

PLAN = b"%PDF-1.4 canary of the file\r\n" * 40
READS_FILES = Behavior.DOES_ACK | Behavior.READS_FILES


def with_file(sender: User, subject: str = "Plan", body: str = "See the plan.", fields: str = "") -> bytes:
    encoded = zlib.compress(PLAN, 0).hex()
    return (
        f"From: <{sender.mail_address}>\r\nSubject: {subject}\r\nMessage-ID: <{subject}@client>\r\n{fields}"
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=canary-boundary\r\n\r\ncanary preamble\r\n"
        f"--canary-boundary\r\nContent-Type: text/plain\r\n\r\n{body}\r\n"
        "--canary-boundary\r\nContent-Type: application/pdf; name=plan.pdf\r\nX-Canary: canary\r\n"
        f"Content-Disposition: attachment; filename=plan.pdf\r\n\r\n{encoded}\r\n--canary-boundary--\r\n"
    ).encode()


async def msgs_for(stranger: Stranger) -> list[Msg]:
    """What is in the inventory for him, in the order it came."""
    database, key = stranger.station.database, stranger.keys.encryption
    vectors = [vector for vector, _, _ in await database.read(lambda store: store.inventory.vectors())]
    encoded = await database.read(lambda store: store.inventory.get(vectors))
    found = []
    for vector in vectors:
        obj = read_object(encoded[vector])
        clear = decrypt(obj.payload, key) if obj.object_type == ObjectType.MSG else None
        if clear is not None:
            found.append(read_msg(obj, clear, stranger.keys.public.ripe))
    return found


async def got(stranger: Stranger) -> tuple[int, DecodedMessage]:
    """The only message he got."""
    (msg,) = await msgs_for(stranger)
    return msg.encoding, decode_message(msg.encoding, msg.message)


async def option(alice: User, name: str, words: str, contact: Stranger | None = None) -> None:
    def change(store: Store) -> None:
        address = None if contact is None else contact.pubkey.address
        alice.station.services.policies.set(store.account(alice.id), name, words, contact=address)

    await alice.station.database.transact(change)


async def test_a_reader_of_files_gets_them_in_encoding_3(station: Station) -> None:
    alice, reader = await station.add_user("alice"), await Stranger(station, behavior=READS_FILES).known()
    await send(alice, reader, raw=with_file(alice))
    encoding, message = await got(reader)
    assert (encoding, message.subject, message.body) == (EXTENDED, "Plan", "See the plan.")
    (file,) = message.files
    assert (file.name, file.media_type, file.disposition) == ("plan.pdf", "application/pdf", "attachment")
    (msg,) = await msgs_for(reader)
    assert msg.sender.reads_files


async def test_text_alone_goes_to_him_in_encoding_2(station: Station) -> None:
    alice, reader = await station.add_user("alice"), await Stranger(station, behavior=READS_FILES).known()
    await send(alice, reader, body="only text")
    assert await got(reader) == (SIMPLE, DecodedMessage("Hello", "only text"))


async def test_unknown_readers_refuse_attachments_with_a_text_that_says_what_to_do(station: Station) -> None:
    alice, stranger = await station.add_user("alice"), await Stranger(station).known()
    told = (
        rf"^{stranger.pubkey.address} is not known to accept attachments \(plan\.pdf, 2 kB\)\. "
        r"Send text only, or see \"help attachments\" \(options extended, inline, omit\)$"
    )
    with pytest.raises(UnsupportedMedia, match=told):
        await send(alice, stranger, raw=with_file(alice))
    assert (await alice.rows(), await alice.messages(MailboxKind.SENT)) == ([], [])


@pytest.mark.parametrize(
    ("words", "encoding", "body"),
    [
        ("omit", SIMPLE, "See the plan.\n\n[Attachment not sent: plan.pdf, application/pdf, 2 kB]"),
        ("extended", EXTENDED, "See the plan.\n\n[1 attachment: plan.pdf (2 kB). Needs a program that reads files"),
    ],
)
async def test_the_account_may_choose_otherwise(station: Station, words: str, encoding: int, body: str) -> None:
    alice, stranger = await station.add_user("alice"), await Stranger(station).known()
    await option(alice, "attachments", words)
    await send(alice, stranger, raw=with_file(alice))
    number, message = await got(stranger)
    assert number == encoding
    assert message.body.startswith(body)


async def test_what_is_left_out_is_told_with_the_250(station: Station) -> None:
    alice, stranger = await station.add_user("alice"), await Stranger(station).known()
    await option(alice, "attachments", "omit")
    assert (await alice.send(stranger.as_user(alice), raw=with_file(alice))).left_out == ("plan.pdf 2 kB",)


async def test_one_who_sent_whole_mails_gets_one(station: Station) -> None:
    alice, stranger = await station.add_user("alice"), await Stranger(station).known()
    address = stranger.pubkey.address
    await station.database.transact(lambda store: store.account(alice.id).contacts.learn_reads(address, Reads.MIME))
    await send(alice, stranger, raw=with_file(alice))
    encoding, message = await got(stranger)
    assert encoding == SIMPLE
    assert message.body.startswith(f"From: {alice.mail_address}\nTo: {address}@bm.internal\nSubject: Plan\n")
    assert "canary" not in message.body


@pytest.mark.parametrize(("words", "gets"), [("files", True), ("plain", False)])
async def test_what_the_account_says_of_a_contact_goes_before_what_he_shows(
    station: Station, words: str, gets: bool
) -> None:
    alice = await station.add_user("alice")
    shows = Behavior.DOES_ACK if gets else READS_FILES
    contact = await Stranger(station, behavior=shows).known()
    await option(alice, "reads", words, contact)
    if gets:
        await send(alice, contact, raw=with_file(alice))
        assert (await got(contact))[0] == EXTENDED
    else:
        with pytest.raises(UnsupportedMedia):
            await send(alice, contact, raw=with_file(alice))


async def test_where_it_goes_to_some_the_others_are_told_of_by_a_notice(station: Station) -> None:
    alice = await station.add_user("alice")
    reader, stranger = await Stranger(station, behavior=READS_FILES).known(), await Stranger(station).known()
    await alice.send(stranger.as_user(alice), reader.as_user(alice), raw=with_file(alice))
    await station.settle()
    first, second = await alice.rows()
    assert (first.state, first.reason, second.state) == (State.FAILED, Reason.ATTACHMENTS, State.PUBLISHED)
    (notice,) = await alice.bodies()
    assert "Status: 5.6.1" in notice
    assert "attachments not accepted" in notice
    assert await msgs_for(stranger) == []
    assert (await got(reader))[0] == EXTENDED


@pytest.mark.parametrize(("behavior", "state"), [(READS_FILES, State.PUBLISHED), (Behavior.DOES_ACK, State.FAILED)])
async def test_a_row_that_waits_for_a_key_is_decided_when_it_comes(
    station: Station, behavior: Behavior, state: State
) -> None:
    alice, stranger = await station.add_user("alice"), Stranger(station, behavior=behavior)
    await send(alice, stranger, raw=with_file(alice))
    assert [row.state for row in await alice.rows()] == [State.REQUESTED]
    await stranger.publish_key()
    (row,) = await alice.rows()
    assert row.state == state
    assert row.reason == (Reason.NONE if state is State.PUBLISHED else Reason.ATTACHMENTS)


async def test_the_files_go_with_the_text_when_the_last_row_is_final(station: Station) -> None:
    alice, stranger = await station.add_user("alice"), await Stranger(station, behavior=READS_FILES).known()
    receipt = await alice.send(stranger.as_user(alice), raw=with_file(alice))

    def enclosed(store: Store) -> int:
        mine = store.account(alice.id)
        return len(mine.outbox.enclosures(mine.outbox.find(receipt.queue_id)[0].submission).files)

    assert await station.database.read(enclosed) == 1
    await station.services.queue.cancel(alice.id, receipt.queue_id)
    await station.settle()
    if (await alice.rows())[0].state is State.CANCELLED:
        assert await station.database.read(enclosed) == 0


async def test_mail_between_own_addresses_keeps_its_files_and_costs_nothing(station: Station) -> None:
    alice = await station.add_user("alice")
    address = alice.identity.address
    await station.database.transact(
        lambda store: station.services.policies.set(store.account(alice.id), "reads", "plain", contact=address)
    )
    assert (await alice.send(alice, raw=with_file(alice))).seconds == 0
    await station.settle()
    (message,) = await alice.messages()
    assert b'filename="plan.pdf"' in message.body


# -- threads -------------------------------------------------------------------------------------------------------


async def exchanged(alice: User, stranger: Stranger, message_id: str, vector: bytes) -> None:
    exchange = Exchange(alice.identity.address, stranger.pubkey.address)
    await alice.station.database.transact(
        lambda store: store.account(alice.id).threads.add_vector(
            vector, Thread(message_id), exchange, alice.station.clock.now()
        )
    )


def answer(sender: User, *fields: str) -> bytes:
    return "\r\n".join([f"From: <{sender.mail_address}>", "Subject: Re: s", *fields, "", "text"]).encode()


async def test_an_answer_names_what_these_two_exchanged_and_nothing_else(station: Station) -> None:
    alice = await station.add_user("alice")
    reader, other = [await Stranger(station, behavior=READS_FILES).known() for _ in range(2)]
    await exchanged(alice, reader, "<first@x>", b"1" * 32)
    await exchanged(alice, reader, "<second@x>", b"2" * 32)
    await exchanged(alice, other, "<foreign@x>", b"3" * 32)
    raw = answer(alice, "In-Reply-To: <second@x>", "References: <foreign@x> <first@x> <unknown@x> <second@x>")
    await send(alice, reader, raw=raw)
    encoding, message = await got(reader)
    assert (encoding, message.parents) == (EXTENDED, (b"1" * 32, b"2" * 32))
    await send(alice, other, raw=answer(alice, "In-Reply-To: <second@x>"))
    assert await got(other) == (SIMPLE, DecodedMessage("Re: s", "text"))


async def test_parents_are_never_told_to_who_may_not_read_them(station: Station) -> None:
    alice, stranger = await station.add_user("alice"), await Stranger(station).known()
    await exchanged(alice, stranger, "<first@x>", b"1" * 32)
    await send(alice, stranger, raw=answer(alice, "In-Reply-To: <first@x>"))
    assert await got(stranger) == (SIMPLE, DecodedMessage("Re: s", "text"))


async def test_what_was_sent_is_known_by_its_vector(station: Station) -> None:
    alice, reader = await station.add_user("alice"), await Stranger(station, behavior=READS_FILES).known()
    await send(alice, reader, message_id="<mine@client>")
    exchange = Exchange(alice.identity.address, reader.pubkey.address)
    vectors = await station.database.read(
        lambda store: store.account(alice.id).threads.vectors_of("<mine@client>", exchange)
    )
    known = await station.database.read(lambda store: store.inventory.get([InventoryVector(each) for each in vectors]))
    assert len(known) == len(vectors) == 1


# -- what never leaves ---------------------------------------------------------------------------------------------

CANARIES = "\r\n".join(
    f"{name}: canary {name} canary@example.org"
    for name in (
        "Received", "Date", "User-Agent", "X-Mailer", "X-Originating-IP", "X-Mozilla-Status", "Autocrypt", "List-Id",
        "Reply-To", "Organization", "Content-Language", "Disposition-Notification-To", "Bcc", "Cc", "To", "Keywords",
        "X-Bitmessage-Queue-Id", "Return-Receipt-To", "X-Confirm-Reading-To", "References", "Comments",
    )
)  # fmt: skip


@pytest.mark.parametrize("attachments", list(Attachments))
@pytest.mark.parametrize("behavior", [Behavior.DOES_ACK, READS_FILES])
async def test_v1_no_canary_and_no_other_recipient_is_in_a_payload(
    make_station: MakeStation, behavior: Behavior, attachments: Attachments
) -> None:
    station = await make_station(Settings(policy=Policy(attachments=attachments)))
    alice = await station.add_user("alice")
    readers = [await Stranger(station, behavior=behavior).known() for _ in range(3)]
    plain = b"Content-Type: text/plain\r\n\r\ntext"
    raw = f"From: canary <{alice.mail_address}>\r\n{CANARIES}\r\nSubject: s\r\n".encode() + plain
    await alice.send(*(reader.as_user(alice) for reader in readers), raw=raw)
    if behavior == READS_FILES or attachments in (Attachments.OMIT, Attachments.EXTENDED):
        with_files = with_file(alice, body="text", fields=f"{CANARIES}\r\n")
        await alice.send(*(reader.as_user(alice) for reader in readers), raw=with_files)
    await station.settle()
    for reader in readers:
        others = [str(other.pubkey.address) for other in readers if other is not reader]
        messages = await msgs_for(reader)
        assert messages
        for msg in messages:
            inflated = zlib.decompress(msg.message) if msg.encoding == EXTENDED else msg.message
            told = inflated.replace(
                b"".join(file.data for file in decode_message(msg.encoding, msg.message).files), b""
            )
            assert b"canary" not in told.lower()
            assert not [other for other in others if other.encode() in inflated]


async def test_recipients_are_told_of_each_other_only_where_the_sender_wants_it(station: Station) -> None:
    alice = await station.add_user("alice")
    readers = [await Stranger(station, behavior=READS_FILES).known() for _ in range(3)]
    first, second, hidden = (str(reader.pubkey.address) for reader in readers)
    fields = f"To: <{first}@bm.internal>\r\nCc: x@example.org, {second}@bm.addr\r\nBcc: <{hidden}@bm.internal>"
    raw = f"From: <{alice.mail_address}>\r\n{fields}\r\nSubject: s\r\n\r\ntext".encode()
    users = [reader.as_user(alice) for reader in readers]
    await alice.send(*users, raw=raw)
    await option(alice, "disclose_recipients", "on")
    await alice.send(*users, raw=raw)
    await station.settle()
    for reader in readers:
        undisclosed, disclosed = sorted(await msgs_for(reader), key=lambda msg: msg.encoding)
        assert (undisclosed.encoding, disclosed.encoding) == (SIMPLE, EXTENDED)
        told = zlib.decompress(disclosed.message)
        assert [name.encode() in told for name in (first, second, hidden)] == [True, True, False]


async def test_the_bit_can_be_hidden(station: Station) -> None:
    alice, stranger = await station.add_user("alice"), await Stranger(station).known()
    await option(alice, "reads_files_bit", "off")
    await send(alice, stranger)
    (msg,) = await msgs_for(stranger)
    assert not msg.sender.reads_files


# -- size and price ------------------------------------------------------------------------------------------------


async def test_a_text_too_long_for_encoding_2_goes_to_who_reads_encoding_3(station: Station) -> None:
    alice = await station.add_user("alice")
    reader, stranger = await Stranger(station, behavior=READS_FILES).known(), await Stranger(station).known()
    long = "Ein Satz, oft gesagt.\r\n" * 17_000
    with pytest.raises(TooLarge, match=r"^text is 374 kB, Bitmessage carries 261 kB; shorten it by about 113 kB$"):
        await send(alice, stranger, body=long)
    await send(alice, reader, body=long)
    assert (await got(reader))[0] == EXTENDED


async def test_files_that_no_object_carries_are_refused_with_the_excess(station: Station) -> None:
    alice, reader = await station.add_user("alice"), await Stranger(station, behavior=READS_FILES).known()
    fields = f"From: <{alice.mail_address}>\r\nContent-Type: application/zip; name=a.zip\r\n"
    compressed = r"message with its attachment is 300 kB, Bitmessage carries 261 kB; shorten it by about 39 kB"
    inflated = r"message is 1500 kB before it is compressed, 1048 kB are the limit; shorten it by at least 452 kB"
    for size, told in ((300_000, compressed), (1_500_000, inflated)):
        raw = f"{fields}Content-Transfer-Encoding: base64\r\n\r\n".encode() + base64.encodebytes(os.urandom(size))
        with pytest.raises(TooLarge, match=f"^{told}$"):
            await send(alice, reader, raw=raw)
        await alice.send(alice, raw=raw)
    await station.settle()
    assert len(await alice.messages()) == 2


async def test_a_demand_above_the_limit_is_refused_at_rcpt_when_it_is_known(station: Station) -> None:
    alice, dear = await station.add_user("alice"), await Stranger(station, nonce_trials_per_byte=40).known()
    with pytest.raises(TooDifficult, match="demands 40 times the usual work; the limit here is 10 times"):
        await station.services.submissions.resolve(alice.id, str(dear.pubkey.address))


# -- how it is sent ------------------------------------------------------------------------------------------------


async def test_the_options_of_a_contact_hold_for_his_copy_alone(station: Station) -> None:
    alice = await station.add_user("alice")
    first, second = [await Stranger(station).known() for _ in range(2)]
    await option(alice, "ttl", "2d", second)
    await option(alice, "quotes", "dashes", second)
    await alice.send(first.as_user(alice), second.as_user(alice), body="Yes.\r\n\r\n> Really?")
    await station.settle()
    assert [row.ttl_seconds for row in await alice.rows()] == [4 * 86_400, 2 * 86_400]
    assert [(await got(each))[1].body for each in (first, second)] == [
        "Yes.\n\n> Really?",
        f"Yes.\n\n{'-' * 54}\nReally?",
    ]


async def test_several_recipients_begin_apart_and_one_at_once(make_station: MakeStation) -> None:
    usual = Settings()
    station = await make_station(replace(usual, network=replace(usual.network, delay_divisor=1)))
    alice = await station.add_user("alice")
    strangers = [await Stranger(station).known() for _ in range(12)]
    await alice.send(strangers[0].as_user(alice))
    await alice.send(*(stranger.as_user(alice) for stranger in strangers))
    single, *several = await alice.rows()
    assert single.next_attempt == 0
    begins = [row.next_attempt for row in several]
    assert begins != sorted(begins)
    assert len(set(begins)) > 6


async def test_a_send_delay_holds_the_row(make_station: MakeStation) -> None:
    station = await make_station(Settings(policy=Policy(send_delay=60)))
    alice, stranger = await station.add_user("alice"), await Stranger(station).known()
    await send(alice, stranger)
    (row,) = await alice.rows()
    assert (row.state, row.reason, row.next_attempt) == (State.ACCEPTED, Reason.SEND_DELAY, station.clock.now() + 60)


async def test_the_price_of_files_is_told_with_the_250_and_in_the_queue(station: Station) -> None:
    alice, reader = await station.add_user("alice"), await Stranger(station, behavior=READS_FILES).known()
    station.solver.held = True
    text = (await alice.send(reader.as_user(alice))).seconds
    receipt = await alice.send(reader.as_user(alice), raw=with_file(alice))
    await station.settle()
    (entry,) = await station.services.queue.show(alice.id, receipt.queue_id)
    assert receipt.seconds > text
    assert entry.price_seconds == pytest.approx(receipt.seconds, rel=0.5)
