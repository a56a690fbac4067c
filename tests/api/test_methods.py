"""Every method of PyBitmessage's API, called as scripts and tools call it, in the legacy variant."""

import asyncio
import base64
import time
from typing import Any

import pytest
from api.house import STRANGER, House, b64, unb64

from bmgate.bm.addresses import parse_address
from bmgate.bm.objects import ObjectType, encode_object
from bmgate.domain.outbox import Kind
from bmgate.domain.ports.database import Store
from bmgate.services.inbound.receiving import Processed, Receiving

GENERAL = "BM-2cW67GEKkHGonXKZLCzouLLxnLym3azS8r"  # the chan of that passphrase
NOBODYS = "BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Z"

NAMES = """
helloWorld add statusBar clientStatus listConnections decodeAddress listAddresses listAddresses2 createRandomAddress
createDeterministicAddresses getDeterministicAddress createChan joinChan leaveChan deleteAddress enableAddress
getAllInboxMessages getAllInboxMessageIds getAllInboxMessageIDs getInboxMessageById getInboxMessageByID
getInboxMessagesByReceiver getInboxMessagesByAddress getAllSentMessages getAllSentMessageIds getAllSentMessageIDs
getSentMessageById getSentMessageByID getSentMessagesByAddress getSentMessagesBySender getSentMessageByAckData
trashMessage trashInboxMessage trashSentMessage trashSentMessageByAckData sendMessage sendBroadcast getStatus
listSubscriptions addSubscription deleteSubscription listAddressBookEntries listAddressbook addAddressBookEntry
addAddressbook deleteAddressBookEntry deleteAddressbook disseminatePreEncryptedMsg disseminatePreparedObject
disseminatePubkey getMessageDataByDestinationHash getMessageDataByDestinationTag deleteAndVacuum shutdown
undeleteMessage system.listMethods system.methodHelp
"""
METHODS = NAMES.split()


def number_of(answer: object) -> int:
    """The code of an error as the legacy variant says it."""
    assert isinstance(answer, str)
    assert answer.startswith("API Error "), answer
    return int(answer[10:14])


async def test_every_method_of_the_reference_is_there_and_explained(house: House) -> None:
    names = await house.call("system.listMethods")
    assert set(METHODS) <= set(names)
    for name in METHODS:
        assert await house.raw("system.methodHelp", name), name


async def test_wrong_numbers_of_parameters_and_unknown_methods_are_told(house: House) -> None:
    assert number_of(await house.raw("helloWorld", "a")) == 0
    assert number_of(await house.raw("listAddresses", 1)) == 0
    assert await house.raw("frobnicate") == "API Error 0020: Invalid method: frobnicate"


# -- the node ----------------------------------------------------------------------------------------------------------


async def test_it_can_be_seen_that_somebody_is_there(house: House) -> None:
    assert await house.raw("helloWorld", "hello", "world") == "hello-world"
    assert await house.raw("add", 2, 3) == 5
    assert number_of(await house.raw("add", 1e308, 1e308)) == 21
    assert await house.raw("statusBar", "working") == "success"
    assert await house.raw("deleteAndVacuum") == "done"


async def test_the_status_has_the_fields_that_tools_read(house: House) -> None:
    status = await house.call("clientStatus")
    assert status["networkConnections"] == 0
    assert status["networkStatus"] == "notConnected"
    assert status["numberOfMessagesProcessed"] == 0
    assert {"numberOfBroadcastsProcessed", "numberOfPubkeysProcessed", "pendingDownload"} < set(status)
    assert status["softwareName"] == "bmgate"
    assert await house.call("listConnections") == {"inbound": [], "outbound": []}


async def test_no_account_stops_the_service(house: House) -> None:
    assert await house.raw("shutdown") == "done"
    assert await house.raw("helloWorld", "still", "here") == "still-here"


# -- addresses ---------------------------------------------------------------------------------------------------------


async def test_an_address_is_decoded(house: House) -> None:
    decoded = await house.call("decodeAddress", STRANGER)
    assert decoded["status"] == "success"
    assert (decoded["addressVersion"], decoded["streamNumber"]) == (4, 1)
    assert decoded["ripe"]
    assert await house.call("decodeAddress", STRANGER[:-1] + "x") == {
        "status": "checksumfailed",
        "addressVersion": 0,
        "streamNumber": 0,
        "ripe": "",
    }


async def test_addresses_are_made_listed_disabled_and_deleted(house: House) -> None:
    made = await house.raw("createRandomAddress", b64("Müller"), False, 2, 1.5)
    listed = (await house.call("listAddresses"))["addresses"]
    assert listed[-1] == {"label": "Müller", "address": made, "stream": 1, "enabled": True, "chan": False}
    assert (await house.call("listAddresses2"))["addresses"][-1]["label"] == b64("Müller")
    identity, _ = await house.gateway.identities.show(house.account.id, made)
    assert house.gateway.identities.difficulty_of(identity) == 2
    assert identity.payload_length_extra_bytes == 1.5 * house.gateway.network.payload_length_extra_bytes
    assert await house.raw("enableAddress", made, False) == "success"
    assert (await house.call("listAddresses"))["addresses"][-1]["enabled"] is False
    assert number_of(await house.raw("sendMessage", STRANGER, made, b64("a"), b64("b"))) == 14
    assert await house.raw("enableAddress", made) == "success"
    assert await house.raw("deleteAddress", made.removeprefix("BM-")) == "success"
    assert [each["address"] for each in (await house.call("listAddresses"))["addresses"]] == [house.address]
    assert number_of(await house.raw("deleteAddress", made)) == 13


@pytest.mark.parametrize("difficulty", [1e300, 100.5, 10**9])
async def test_an_address_with_a_difficulty_that_cannot_be_is_not_made(house: House, difficulty: float) -> None:
    assert number_of(await house.raw("createRandomAddress", b64("a"), False, difficulty)) == 21
    assert number_of(await house.raw("createRandomAddress", b64("a"), False, 1, difficulty)) == 21
    assert len((await house.call("listAddresses"))["addresses"]) == 1


async def test_a_passphrase_makes_the_addresses_that_it_makes_everywhere(house: House) -> None:
    first = await house.raw("getDeterministicAddress", b64("general"), 4, 1)
    assert first == GENERAL
    made = (await house.call("createDeterministicAddresses", b64("a long secret"), 2, 4, 1))["addresses"]
    assert len(set(made)) == 2
    assert await house.raw("getDeterministicAddress", b64("a long secret"), 4, 1) == made[0]
    again = (await house.call("createDeterministicAddresses", b64("a long secret"), 3))["addresses"]
    assert again[:2] == made
    (third,) = (await house.call("createDeterministicAddresses", b64("another secret"), 1, 3, 1, False, 1, 1))[
        "addresses"
    ]
    assert parse_address(third).version == 3


REFUSED: list[tuple[str, tuple[Any, ...], int]] = [
    ("createDeterministicAddresses", ("",), 1),
    ("createDeterministicAddresses", (b64("x"), 1, 5), 2),
    ("createDeterministicAddresses", (b64("x"), 1, 4, 2), 3),
    ("createDeterministicAddresses", (b64("x"), 0), 4),
    ("createDeterministicAddresses", (b64("x"), 1000), 5),
    ("createDeterministicAddresses", (b64("x"), 1, 4, 1, 1), 23),
    ("getDeterministicAddress", (b64("x"), 2, 1), 2),
    ("getDeterministicAddress", (b64("x"), 4, 0), 3),
    ("getDeterministicAddress", ("", 4, 1), 1),
    ("createRandomAddress", ("/w==",), 17),
    ("createRandomAddress", ("a",), 22),
    ("createRandomAddress", (7,), 21),
    ("deleteAddress", ("BM-2cUsSYDv4n7b5H7qC2V21jQdLLqmYAZ8LQ",), 8),
    ("deleteAddress", ("BM-0OIl",), 9),
    ("deleteAddress", ("",), 9),
    ("leaveChan", (NOBODYS,), 13),
    ("enableAddress", (NOBODYS, "yes"), 23),
    ("getStatus", ("ab" * 37,), 15),
    ("getStatus", ("xy" * 38,), 22),
    ("getInboxMessageById", ("ab" * 32, 1), 23),
    ("getInboxMessageById", ("xyz",), 22),
    ("getMessageDataByDestinationHash", ("ab" * 32,), 19),
    ("sendMessage", (STRANGER, NOBODYS, b64("a"), b64("b")), 13),
    ("sendMessage", (STRANGER, NOBODYS, b64("a"), b64("b"), 1), 6),
    ("sendMessage", (STRANGER, NOBODYS, b64("a"), b64("b" * 2**18)), 27),
    ("sendMessage", (STRANGER, NOBODYS, "%", "a"), 22),
    ("sendBroadcast", (NOBODYS, b64("a"), b64("b")), 13),
    ("disseminatePubkey", ("00",), 21),
    ("disseminatePreEncryptedMsg", ("00",), 21),
]


async def test_what_cannot_be_done_has_its_number(house: House) -> None:
    answers = [(method, params, number_of(await house.raw(method, *params))) for method, params, _ in REFUSED]
    assert answers == REFUSED


async def test_old_versions_and_other_streams_have_their_numbers(house: House) -> None:
    stream_two = parse_address(STRANGER)
    other = str(type(stream_two)(4, 2, stream_two.ripe))
    assert number_of(await house.raw("deleteAddress", other)) == 12
    assert number_of(await house.raw("deleteAddress", str(type(stream_two)(1, 1, stream_two.ripe)))) == 11


# -- chans -------------------------------------------------------------------------------------------------------------


async def test_a_chan_is_joined_listed_and_left(house: House) -> None:
    assert await house.raw("createChan", b64("general")) == GENERAL
    assert number_of(await house.raw("createChan", b64("general"))) == 24
    chan = (await house.call("listAddresses"))["addresses"][-1]
    assert chan == {"label": "[chan] general", "address": GENERAL, "stream": 1, "enabled": True, "chan": True}
    assert await house.raw("leaveChan", GENERAL) == "success"
    assert number_of(await house.raw("leaveChan", GENERAL)) == 13
    assert number_of(await house.raw("leaveChan", house.address)) == 25
    assert await house.raw("joinChan", b64("general"), GENERAL) == "success"
    assert number_of(await house.raw("joinChan", b64("general"), GENERAL)) == 24
    assert number_of(await house.raw("joinChan", b64("other"), GENERAL)) == 18
    assert await house.raw("enableAddress", GENERAL, True) == "success"
    assert number_of(await house.raw("enableAddress", GENERAL, False)) == 21
    assert await house.raw("deleteAddress", GENERAL) == "success"
    assert number_of(await house.raw("createChan", "")) == 1
    assert await house.raw("createChan", b64("/")) != await house.raw("createChan", b64("%"))


async def test_a_chan_that_is_left_twice_at_once_is_not_ours_the_second_time(house: House) -> None:
    await house.raw("createChan", b64("general"))
    answers = await asyncio.gather(*(house.raw("leaveChan", GENERAL) for _ in range(4)))
    assert sorted(number_of(each) if each != "success" else 0 for each in answers) == [0, 13, 13, 13]
    await house.raw("createChan", b64("general"))
    answers = await asyncio.gather(*(house.raw("deleteAddress", GENERAL) for _ in range(4)))
    assert sorted(number_of(each) if each != "success" else 0 for each in answers) == [0, 13, 13, 13]


# -- what came ---------------------------------------------------------------------------------------------------------


async def test_what_came_is_listed_read_and_thrown_away(house: House) -> None:
    await house.arrived("first text")
    await house.arrived("second text")
    messages = (await house.call("getAllInboxMessages"))["inboxMessages"]
    assert [unb64(each["message"]) for each in messages] == ["first text", "second text"]
    first = messages[0]
    assert unb64(first["subject"]) == "Grüße"
    assert (first["toAddress"], first["fromAddress"]) == (house.address, STRANGER)
    assert (first["encodingType"], first["read"]) == (2, 0)
    assert isinstance(first["receivedTime"], str)
    assert len(first["msgid"]) == 64
    ids = (await house.call("getAllInboxMessageIds"))["inboxMessageIds"]
    assert ids == [{"msgid": each["msgid"]} for each in messages]
    assert (await house.call("getAllInboxMessageIDs"))["inboxMessageIds"] == ids
    assert (await house.call("getInboxMessageById", first["msgid"]))["inboxMessage"] == [first]
    assert (await house.call("getInboxMessageByID", first["msgid"], True))["inboxMessage"][0]["read"] == 1
    assert (await house.call("getInboxMessageById", first["msgid"], False))["inboxMessage"][0]["read"] == 0
    by_receiver = await house.call("getInboxMessagesByReceiver", house.address.removeprefix("BM-"))
    assert len(by_receiver["inboxMessages"]) == 2
    assert (await house.call("getInboxMessagesByAddress", STRANGER))["inboxMessages"] == []
    assert "Trashed" in await house.raw("trashInboxMessage", first["msgid"])
    assert (await house.call("getAllInboxMessageIds"))["inboxMessageIds"] == ids[1:]
    assert (await house.call("getInboxMessageById", first["msgid"]))["inboxMessage"] == [first], "as in PyBitmessage"
    assert "Undeleted" in await house.raw("undeleteMessage", first["msgid"])
    assert len((await house.call("getAllInboxMessages"))["inboxMessages"]) == 2
    assert "Trashed" in await house.raw("trashMessage", first["msgid"])
    assert len((await house.call("getAllInboxMessages"))["inboxMessages"]) == 1


async def test_what_is_not_there_is_none_and_no_error(house: House) -> None:
    assert await house.raw("getInboxMessageById", "ab" * 32) == "null"
    assert await house.raw("getSentMessageById", "ab" * 32) == "null"
    assert await house.raw("getSentMessageByAckData", "ab" * 38) == "null"
    assert await house.raw("getStatus", "ab" * 38) == "notfound"
    for method in ("trashMessage", "trashInboxMessage", "trashSentMessage", "trashSentMessageByAckData"):
        assert "Trashed" in await house.raw(method, "ab" * 32)


async def test_mail_that_the_network_did_not_bring_is_no_message(house: House) -> None:
    await house.gateway.chans.join(house.account.id, "general")  # a note of the gateway's own in its mailbox
    await house.arrived("a post", "Chans/general", "chan")
    await house.arrived("thrown away", "Junk")
    found = (await house.call("getAllInboxMessages"))["inboxMessages"]
    assert [unb64(each["message"]) for each in found] == ["a post"]


async def test_broadcasts_come_for_their_subscribers(house: House) -> None:
    await house.gateway.subscriptions.subscribe(house.account.id, parse_address(STRANGER), "News")
    await house.arrived("hear", "Subscriptions/News", "broadcast")
    (message,) = (await house.call("getInboxMessagesByReceiver", "[Broadcast subscribers]"))["inboxMessages"]
    assert (message["toAddress"], unb64(message["message"])) == ("[Broadcast subscribers]", "hear")


# -- sending -----------------------------------------------------------------------------------------------------------


async def test_a_message_is_queued_followed_and_thrown_away(house: House) -> None:
    ack = await house.raw("sendMessage", STRANGER, house.address, b64("Grüße"), b64("line one\nline two\n"), 2, 3600)
    assert len(ack) >= 76
    assert bytes.fromhex(ack)
    assert await house.raw("getStatus", ack) == "msgqueued"
    (sent,) = (await house.call("getAllSentMessages"))["sentMessages"]
    assert (sent["toAddress"], sent["fromAddress"]) == (STRANGER, house.address)
    assert (unb64(sent["subject"]), unb64(sent["message"])) == ("Grüße", "line one\nline two")
    assert (sent["encodingType"], sent["status"], sent["ackData"]) == (2, "msgqueued", ack)
    assert abs(sent["lastActionTime"] - time.time()) < 60
    assert (await house.call("getAllSentMessageIds"))["sentMessageIds"] == [{"msgid": sent["msgid"]}]
    assert (await house.call("getAllSentMessageIDs"))["sentMessageIds"] == [{"msgid": sent["msgid"]}]
    assert (await house.call("getSentMessageById", sent["msgid"]))["sentMessage"] == [sent]
    assert (await house.call("getSentMessageByID", sent["msgid"]))["sentMessage"] == [sent]
    assert (await house.call("getSentMessageByAckData", ack))["sentMessage"] == [sent]
    assert (await house.call("getSentMessagesBySender", house.address))["sentMessages"] == [sent]
    assert (await house.call("getSentMessagesByAddress", STRANGER))["sentMessages"] == []
    assert "Trashed" in await house.raw("trashSentMessage", sent["msgid"])
    assert (await house.call("getAllSentMessages"))["sentMessages"] == []
    assert await house.raw("getStatus", ack) == "msgqueued", "it is sent all the same"
    assert "Undeleted" in await house.raw("undeleteMessage", sent["msgid"])
    assert len((await house.call("getAllSentMessages"))["sentMessages"]) == 1
    assert "Trashed" in await house.raw("trashSentMessageByAckData", ack)
    assert (await house.call("getAllSentMessageIds"))["sentMessageIds"] == []


async def test_times_to_live_are_kept_to_what_is_sent_with(house: House) -> None:
    for wished, kept in ((60, 3600), (10**9, 28 * 86400), (7200, 7200)):
        ack = await house.raw("sendMessage", STRANGER, house.address, b64(""), b64(f"text {wished}"), 2, wished)
        sent = (await house.call("getSentMessageByAckData", ack))["sentMessage"][0]
        rows = await house.gateway.queue.rows(house.account.id)
        assert rows[0].message.ttl_seconds == kept
        assert sent["ackData"] == ack


async def test_a_broadcast_is_queued(house: House) -> None:
    ack = await house.raw("sendBroadcast", house.address, b64("News"), b64("hear"), 3, 3600)
    assert await house.raw("getStatus", ack) == "broadcastqueued"
    (sent,) = (await house.call("getAllSentMessages"))["sentMessages"]
    assert (sent["toAddress"], sent["fromAddress"]) == ("[Broadcast subscribers]", house.address)


async def test_a_chan_posts_as_itself(house: House) -> None:
    await house.raw("createChan", b64("general"))
    ack = await house.raw("sendMessage", GENERAL, GENERAL, b64("Hello"), b64("everybody"), 2, 3600)
    (sent,) = (await house.call("getSentMessagesBySender", GENERAL))["sentMessages"]
    assert (sent["toAddress"], sent["ackData"]) == (GENERAL, ack)


async def test_the_same_message_may_be_sent_twice(house: House) -> None:
    first = await house.raw("sendMessage", STRANGER, house.address, b64("ok"), b64("yes"))
    assert await house.raw("sendMessage", STRANGER, house.address, b64("ok"), b64("yes")) != first


async def test_mail_in_sent_that_no_row_tells_of_is_a_sent_message(house: House) -> None:
    await house.arrived("imported", "Sent", subject="old")
    (sent,) = (await house.call("getAllSentMessages"))["sentMessages"]
    assert (sent["status"], sent["ackData"], unb64(sent["message"])) == ("msgsent", "", "imported")


async def test_objects_that_nobody_would_take_are_not_published(house: House) -> None:
    now = house.gateway.clock.now()
    for encoded in (
        encode_object(now + 3600, ObjectType.GETPUBKEY, 4, 1, bytes(32)),
        encode_object(now - 3600, ObjectType.MSG, 1, 1, bytes(200)),
        encode_object(now + 60 * 86400, ObjectType.MSG, 1, 1, bytes(200)),
        encode_object(now + 3600, ObjectType.MSG, 1, 1, bytes(200), nonce=1),
    ):
        assert number_of(await house.raw("disseminatePreparedObject", encoded.hex())) == 21
    dear = encode_object(now + 86400, ObjectType.MSG, 1, 1, bytes(200))
    assert number_of(await house.raw("disseminatePreEncryptedMsg", dear.hex(), 10**9, 1000)) == 21


async def test_what_is_looked_for_by_destination_is_not_found(house: House) -> None:
    assert await house.call("getMessageDataByDestinationHash", "ab" * 16) == {"receivedMessageDatas": []}
    assert await house.call("getMessageDataByDestinationTag", "ab" * 16) == {"receivedMessageDatas": []}


# -- subscriptions and the address book --------------------------------------------------------------------------------


async def test_subscriptions_come_and_go(house: House) -> None:
    assert await house.raw("addSubscription", STRANGER, b64("News")) == "Added subscription."
    assert number_of(await house.raw("addSubscription", STRANGER)) == 16
    assert await house.call("listSubscriptions") == {
        "subscriptions": [{"label": b64("News"), "address": STRANGER, "enabled": True}]
    }
    for _ in range(2):
        assert await house.raw("deleteSubscription", STRANGER) == "Deleted subscription if it existed."
    assert await house.call("listSubscriptions") == {"subscriptions": []}


@pytest.mark.parametrize(
    ("entries", "add", "delete"),
    [
        ("listAddressBookEntries", "addAddressBookEntry", "deleteAddressBookEntry"),
        ("listAddressbook", "addAddressbook", "deleteAddressbook"),
    ],
)
async def test_the_address_book_is_kept(house: House, entries: str, add: str, delete: str) -> None:
    assert await house.raw(add, STRANGER.removeprefix("BM-"), b64("Bob")) == f"Added address {STRANGER} to address book"
    assert number_of(await house.raw(add, STRANGER, b64("Bob"))) == 16
    book = {"addresses": [{"label": b64("Bob"), "address": STRANGER}]}
    assert await house.call(entries) == book
    assert await house.call(entries, b64("Bob")) == book
    assert await house.call(entries, b64("Eve")) == {"addresses": []}
    for _ in range(2):
        assert "Deleted address book entry" in await house.raw(delete, STRANGER)
    assert await house.call(entries) == {"addresses": []}


async def test_accounts_see_nothing_of_each_other(house: House) -> None:
    await house.arrived("for Anna alone")
    ack = await house.raw("sendMessage", STRANGER, house.address, b64("a"), b64("b"))
    (message,) = (await house.call("getAllInboxMessages"))["inboxMessages"]
    await house.gateway.accounts.add("bertha", "correct horse battery")
    with house.proxy("bertha") as bertha:

        def ask(method: str, *params: Any) -> Any:
            return asyncio.to_thread(getattr(bertha, method), *params)

        assert await ask("getStatus", ack) == "notfound"
        assert await ask("getInboxMessageById", message["msgid"], True) == "null"
        assert await ask("trashMessage", message["msgid"])
        assert number_of(await ask("deleteAddress", house.address)) == 13
        assert number_of(await ask("sendMessage", STRANGER, house.address, b64("a"), b64("b"))) == 13
    (after,) = (await house.call("getAllInboxMessages"))["inboxMessages"]
    assert after == message


async def test_introspection_is_answered_as_it_is(house: House) -> None:
    assert isinstance(await house.raw("system.listMethods"), list), "no JSON in a string, even in the legacy variant"


async def test_an_own_address_signs_what_it_writes_to_a_chan(house: House) -> None:
    await house.raw("createChan", b64("general"))
    for sender in (house.address, GENERAL):
        await house.raw("sendMessage", GENERAL, sender, b64(sender), b64("everybody"), 2, 3600)

    def rows(store: Store) -> list[tuple[str, Kind]]:
        outbox = store.account(house.account.id).outbox
        return [(store.outbox.submission(row.submission).subject, row.kind) for row in outbox.rows()]

    kinds = dict(await house.gateway.database.read(rows))
    assert kinds == {house.address: Kind.CHAN_AS_IDENTITY, GENERAL: Kind.CHAN}


async def test_an_own_address_of_a_passphrase_is_no_chan_as_well(house: House) -> None:
    await house.call("createDeterministicAddresses", b64("general"))
    assert number_of(await house.raw("createChan", b64("general"))) == 24
    assert number_of(await house.raw("joinChan", b64("general"), GENERAL)) == 24


async def test_the_passphrase_of_a_chan_may_be_any_bytes(house: House) -> None:
    secret = base64.b64encode(b"\xff\xfebinary/").decode()
    made = await house.raw("createChan", secret)
    assert await house.raw("getDeterministicAddress", secret, 4, 1) == made
    chan = (await house.call("listAddresses"))["addresses"][-1]
    assert (chan["address"], chan["label"]) == (made, "[chan] \ufffd\ufffdbinary_")
    assert await house.raw("leaveChan", made) == "success"
    assert await house.raw("joinChan", secret, made) == "success"


async def test_an_own_address_may_stand_in_the_address_book(house: House) -> None:
    assert "Added address" in await house.raw("addAddressBookEntry", house.address, b64("me"))
    assert number_of(await house.raw("addAddressBookEntry", STRANGER, "")) == 21


async def test_what_was_processed_is_counted_by_kind(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Receiving, "processed", Processed(msgs=3, broadcasts=2, pubkeys=1))
    status = await house.call("clientStatus")
    assert [status[f"numberOf{kind}Processed"] for kind in ("Messages", "Broadcasts", "Pubkeys")] == [3, 2, 1]
