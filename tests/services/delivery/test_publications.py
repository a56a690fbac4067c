"""Posts to chans and broadcasts, from the network to the mailboxes of those who read them."""

import os
from dataclasses import replace
from email import message_from_bytes
from email.message import Message

import pytest
from coincurve.utils import GROUP_ORDER_INT
from fakes import Failpoints
from stations import DOMAIN, MakeStation, Station, User, Wire
from storage_fixtures import NOW
from writers import DAY, HELLO, Writer, key_of, receive, worked

from bmgate.bm.addresses import Address
from bmgate.bm.crypto import decrypt, encrypt
from bmgate.bm.encodings import IGNORE, SIMPLE, encode_message
from bmgate.bm.keys import PrivateKeys, deterministic_keys, public_point
from bmgate.bm.objects import encode_object, read_object
from bmgate.bm.plaintext import Behavior, Pubkey, build_broadcast, build_msg, open_broadcast
from bmgate.bm.plaintext.broadcasts import Broadcast
from bmgate.bm.plaintext.pubkeys import encode_pubkey_record
from bmgate.bm.wire import encode_var_bytes, encode_varint
from bmgate.domain.contact import Contact, Standing
from bmgate.domain.mailbox import Flags
from bmgate.domain.policy import Reads
from bmgate.domain.ports.database import Store
from bmgate.domain.thread import Exchange, Thread
from bmgate.errors import NotAllowed
from bmgate.services.chans.options import ChanOptions
from bmgate.services.delivery.sender_rates import Rate
from bmgate.services.inbound import receiving, scanning

GENERAL_KEYS: PrivateKeys = next(deterministic_keys(b"general"))
GENERAL = Pubkey(4, 1, 0, GENERAL_KEYS.public, 1, 1000)
LIST_TEXT = "Sat, 2026-11-21 20:15:00 UTC   Message ostensibly from BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Z:\n\nhello"


def anonymous_post(text: str = "to all", expires: int = NOW + 4 * DAY, sender: Pubkey = GENERAL) -> bytes:
    """Signed with the key that all members share, under one of the addresses that it makes."""
    message = encode_message(text, text)
    return worked(build_msg(sender, GENERAL_KEYS, GENERAL, SIMPLE, message, b"", expires, os.urandom))


class Publisher(Writer):
    """Somebody who writes for all who want to read it."""

    def __init__(self, version: int = 4, behavior: int = Behavior.DOES_ACK) -> None:
        super().__init__(behavior)
        demand = (1, 1000) if version >= 3 else (0, 0)
        self.pubkey = Pubkey(version, 1, behavior, self.keys.public, *demand)

    @property
    def address(self) -> Address:
        return self.pubkey.address

    def broadcast(self, text: str = "news", encoding: int = SIMPLE, expires: int = NOW + 4 * DAY) -> bytes:
        message = encode_message("News", text)
        return worked(build_broadcast(self.pubkey, self.keys, encoding, message, expires, os.urandom))

    def post(self, text: str = "to all", ack: bool = False) -> bytes:
        """To the chan, under the own address."""
        return self.msg(GENERAL, encode_message(text, text), ack=None if ack else b"")


async def mails(user: User, name: str) -> list[Message]:
    return [mail for mail, _ in await flagged(user, name)]


async def flagged(user: User, name: str) -> list[tuple[Message, Flags]]:
    """Everything in a mailbox but the note of the gateway, with its flags."""

    def every(store: Store) -> list[tuple[Message, Flags]]:
        mine = store.account(user.id)
        mailbox = mine.mailboxes.find(name)
        assert mailbox is not None
        rows = mine.messages.rows(mailbox.id)
        stored = mine.messages.messages(mailbox.id, [row.uid for row in rows])
        return [
            (message_from_bytes(each.header + each.body), row.flags) for row, each in zip(rows, stored, strict=True)
        ]

    found = await user.station.database.read(every)
    return [(mail, flags) for mail, flags in found if not str(mail["Subject"]).startswith("You joined")]


async def subjects(user: User, name: str) -> list[str]:
    return [str(mail["Subject"]) for mail in await mails(user, name)]


async def join(user: User, passphrase: str = "general") -> None:
    await user.station.services.chans.join(user.id, passphrase)
    await user.station.settle()


async def subscribe(user: User, address: Address, label: str = "news") -> None:
    await user.station.services.subscriptions.subscribe(user.id, address, label)
    await user.station.settle()


async def set_option(user: User, name: str, words: str, chan: str = "general") -> None:
    options = ChanOptions(user.station.database, user.station.services.policies)
    await options.set(user.id, chan, name, words)


# --- chans ---


async def test_a_post_reaches_every_member_at_every_station_and_nobody_else(make_station: MakeStation) -> None:
    here, there = await make_station(), await make_station()
    wire = Wire(here, there)
    members = [await here.add_user("alice"), await here.add_user("bob"), await there.add_user("carol")]
    for member in members:
        await join(member)
    outsider = await there.add_user("dave")
    encoded = Publisher().post()
    await receive(here, encoded)
    here.announcer.announce([read_object(encoded).vector])
    await wire.carry()
    for member in members:
        assert await subjects(member, "Chans/general") == ["to all"]
        assert await member.messages() == []
    assert [box.name for box in await there.services.mailboxes.all(outsider.id) if "Chans" in box.name] == []


async def test_a_crowd_is_served_in_portions_and_once(
    make_station: MakeStation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "CROWD", 2)
    station = await make_station()
    members = [await station.add_user(f"user{number}") for number in range(5)]
    for member in members:
        await join(member)
    await station.crash()
    await station.start(Failpoints(kill_at=5))  # at the last delivery
    await station.add_objects([anonymous_post()])
    await station.settle()
    assert station.died
    await station.crash()
    assert [len(await mails(member, "Chans/general")) for member in members] == [1, 1, 1, 1, 0]
    await station.start()
    assert [await subjects(member, "Chans/general") for member in members] == [["to all"]] * 5


async def test_a_post_is_marked_as_such(station: Station) -> None:
    alice, writer = await station.add_user("alice"), Publisher()
    await join(alice)
    await receive(station, anonymous_post("nobody"), writer.post("somebody"))
    nobody, somebody = await mails(alice, "Chans/general")
    chan = f"{GENERAL.address}@{DOMAIN}"
    for mail in (nobody, somebody):
        assert mail["X-Bitmessage-Kind"] == "chan"
        assert mail["Delivered-To"] == chan
        assert mail["To"] == mail["Reply-To"] == f"general <{chan}>"
        assert mail["List-Id"] == f'"general" <{GENERAL.address}.chan.{DOMAIN}>'
        assert mail["Precedence"] == "list"
    assert nobody["X-Bitmessage-Key"] == f"chan {GENERAL.address}"
    assert "neutral (chan key is public)" in nobody["Authentication-Results"]
    assert nobody["From"] == f"general <{chan}>"
    assert somebody["X-Bitmessage-Key"] == f"verified {writer.address}"
    assert somebody["From"] == f"{writer.address}@{DOMAIN}"
    assert [mail["X-Bitmessage-First-Contact"] for mail in (nobody, somebody)] == [None, "yes"]


async def test_a_post_is_never_confirmed_and_no_demand_counts(station: Station) -> None:
    alice = await station.add_user("alice")
    await join(alice)
    await receive(station, Publisher().post(ack=True))
    assert await subjects(alice, "Chans/general") == ["to all"]
    assert station.announcer.announced == []


async def test_the_chans_own_key_is_not_kept_as_a_pubkey(station: Station) -> None:
    alice, writer = await station.add_user("alice"), Publisher()
    await join(alice)
    await receive(station, anonymous_post(), writer.post())
    found = await station.database.read(
        lambda store: [store.pubkeys.find(each) for each in (GENERAL.address, writer.address)]
    )
    assert found == [None, writer.pubkey]


@pytest.mark.parametrize(("joined", "signed"), [(4, (3, 1)), (4, (2, 1)), (3, (4, 1)), (4, (4, 2))])
async def test_the_chans_key_proves_nothing_under_whatever_address_it_signs(
    station: Station, joined: int, signed: tuple[int, int]
) -> None:
    alice, (version, stream) = await station.add_user("alice"), signed
    other = replace(GENERAL, version=version, stream=stream)
    chan = replace(GENERAL.address, version=joined)
    await station.services.chans.join(alice.id, "general", chan)
    await station.settle()
    await receive(station, anonymous_post("one", sender=other))
    (mail,) = await mails(alice, "Chans/general")
    assert mail["From"] == f"general <{chan}@{DOMAIN}>"
    assert mail["X-Bitmessage-Key"] == f"chan {chan}"
    assert "neutral (chan key is public)" in mail["Authentication-Results"]
    assert mail["X-Bitmessage-First-Contact"] is None
    assert await station.database.read(lambda store: store.pubkeys.find(other.address)) is None
    await set_option(alice, "junk", "anonymous")
    await receive(station, anonymous_post("two", sender=other))
    assert await subjects(alice, "Junk") == ["two"]


async def test_p7_the_two_forms_of_a_signature_are_one_mail(station: Station) -> None:
    alice = await station.add_user("alice")
    await join(alice)
    expires = NOW + 4 * DAY
    low = read_object(build_msg(GENERAL, GENERAL_KEYS, GENERAL, SIMPLE, HELLO, b"", expires, os.urandom))
    plaintext = decrypt(low.ciphertext, GENERAL_KEYS.encryption)
    assert plaintext is not None
    signed, signature = _split_signature(plaintext)
    twin = signed + encode_var_bytes(_high_s(signature))
    high = encode_object(expires, 2, 1, 1, encrypt(twin, GENERAL_KEYS.public.encryption, os.urandom))
    for encoded in (low.encoded, high, low.encoded):
        await receive(station, worked(encoded))
    await station.crash()
    await station.start()
    await receive(station, worked(high))
    assert await subjects(alice, "Chans/general") == ["Hi"]


def _split_signature(plaintext: bytes) -> tuple[bytes, bytes]:
    for size in (70, 71, 72):
        if plaintext[-size - 1] == size and plaintext[-size] == 0x30:
            return plaintext[: -size - 1], plaintext[-size:]
    raise AssertionError("no signature at the end")


def _high_s(signature: bytes) -> bytes:
    """(r, n - s), which is as good."""
    r_size = signature[3]
    r, s = signature[4 : 4 + r_size], int.from_bytes(signature[6 + r_size :])
    other = (GROUP_ORDER_INT - s).to_bytes(33).lstrip(b"\0")
    other = b"\0" * (other[0] >> 7) + other
    body = b"\x02" + bytes([r_size]) + r + b"\x02" + bytes([len(other)]) + other
    return b"\x30" + bytes([len(body)]) + body


async def test_what_an_own_identity_posts_is_read_already(station: Station) -> None:
    alice, bob = await station.add_user("alice"), await station.add_user("bob")
    for member in (alice, bob):
        await join(member)
    signing, encryption = await station.database.read(
        lambda store: store.account(alice.id).identities.private_keys(alice.identity.id)
    )
    sender, keys = await key_of(alice), PrivateKeys(signing, encryption)
    await receive(
        station, worked(build_msg(sender, keys, GENERAL, SIMPLE, HELLO, b"", NOW + DAY, os.urandom)), anonymous_post()
    )
    assert [flags & Flags.SEEN for _, flags in await flagged(alice, "Chans/general")] == [Flags.SEEN, Flags.NONE]
    assert [flags & Flags.SEEN for _, flags in await flagged(bob, "Chans/general")] == [Flags.NONE, Flags.NONE]


async def test_what_the_account_sent_comes_back_as_read(station: Station) -> None:
    """Nothing in an anonymous post says whose it is: the object does."""
    alice, bob = await station.add_user("alice"), await station.add_user("bob")
    for member in (alice, bob):
        await join(member)
    encoded = anonymous_post()
    own, chan = alice.identity.address, GENERAL.address
    sent = Thread("<sent@client>"), Exchange(own, chan)
    await station.database.transact(
        lambda store: store.account(alice.id).threads.add_vector(read_object(encoded).vector, *sent, NOW)
    )
    await receive(station, encoded, anonymous_post("of another"))
    assert [flags & Flags.SEEN for _, flags in await flagged(alice, "Chans/general")] == [Flags.SEEN, Flags.NONE]
    assert [flags & Flags.SEEN for _, flags in await flagged(bob, "Chans/general")] == [Flags.NONE, Flags.NONE]


async def test_i17_an_answer_within_a_chan_joins_its_thread(station: Station) -> None:
    alice = await station.add_user("alice")
    await join(alice)
    message = encode_message("Re: plan", "yes")
    answer = worked(build_msg(GENERAL, GENERAL_KEYS, GENERAL, SIMPLE, message, b"", NOW + DAY, os.urandom))
    await receive(station, Publisher().post("plan"), answer)
    plan, reply = await mails(alice, "Chans/general")
    assert reply["In-Reply-To"] == plan["Message-ID"]


async def test_posts_of_the_blocked_go_to_junk(station: Station) -> None:
    alice, pest = await station.add_user("alice"), Publisher()
    await join(alice)
    await station.database.transact(
        lambda store: store.account(alice.id).contacts.set_standing(pest.address, Standing.BLOCKED)
    )
    await receive(station, pest.post("pest"), anonymous_post("other"))
    assert await subjects(alice, "Chans/general") == ["other"]
    assert [each["Subject"] for each in await mails(alice, "Junk")] == ["pest"]


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("off", ["anonymous", "stranger", "friend"]),
        ("flood", ["anonymous", "stranger", "friend"]),
        ("anonymous", ["stranger", "friend"]),
        ("strangers", ["friend"]),
    ],
)
async def test_a_chan_has_its_own_rules_for_junk(station: Station, rule: str, kept: list[str]) -> None:
    alice, friend = await station.add_user("alice"), Publisher()
    await join(alice)
    await set_option(alice, "junk", rule)
    await station.database.transact(
        lambda store: store.account(alice.id).contacts.save(Contact(friend.address, "Friend"))
    )
    await receive(station, anonymous_post("anonymous"), Publisher().post("stranger"), friend.post("friend"))
    assert await subjects(alice, "Chans/general") == kept


@pytest.mark.parametrize(("rule", "kept"), [("flood", 2), ("off", 3)])
async def test_p38_a_flood_goes_to_junk(
    station: Station, monkeypatch: pytest.MonkeyPatch, rule: str, kept: int
) -> None:
    monkeypatch.setattr("bmgate.services.delivery.sender_rates.ONE_FOR_ALL", Rate(2, 60))
    alice = await station.add_user("alice")
    await join(alice)
    await set_option(alice, "junk", rule)
    await receive(station, *(anonymous_post(f"{number}") for number in range(3)))
    assert len(await mails(alice, "Chans/general")) == kept


async def test_a_muted_chan_delivers_what_is_read_already(station: Station) -> None:
    alice = await station.add_user("alice")
    await join(alice)
    await set_option(alice, "mute", "on")
    await receive(station, anonymous_post())
    assert [flags & Flags.SEEN for _, flags in await flagged(alice, "Chans/general")] == [Flags.SEEN]


async def test_what_went_to_junk_can_be_moved_back_and_nothing_else(station: Station) -> None:
    alice, pest = await station.add_user("alice"), Publisher()
    await join(alice)
    await join(alice, "another")
    await subscribe(alice, pest.address)
    await set_option(alice, "junk", "strangers", "general")
    await receive(station, pest.post("to general"), pest.broadcast())
    mailboxes = station.services.mailboxes

    async def move(source: str, target: str) -> None:
        opened = await mailboxes.open(alice.id, source)
        await mailboxes.move(alice.id, opened.mailbox.id, [row.uid for row in opened.rows], target)

    for source, target in (("Junk", "Chans/another"), ("Subscriptions/news", "Chans/general"), ("Junk", "Chans")):
        with pytest.raises(NotAllowed):
            await move(source, target)
    await move("Junk", "Chans/general")
    assert await subjects(alice, "Chans/general") == ["to general"]
    await move("Subscriptions/news", "Trash")
    await move("Trash", "Subscriptions/news")


async def test_who_left_gets_nothing_more(station: Station) -> None:
    alice, bob = await station.add_user("alice"), await station.add_user("bob")
    for member in (alice, bob):
        await join(member)
    await station.services.chans.leave(alice.id, "general")
    await receive(station, anonymous_post())
    assert await subjects(bob, "Chans/general") == ["to all"]
    assert await alice.messages() == []


# --- what is there already (M4) ---


async def test_m4_joining_again_brings_back_what_is_still_in_the_network(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "BATCH", 2)
    alice, bob = await station.add_user("alice"), await station.add_user("bob")
    await join(alice)
    texts = [f"{number}" for number in range(5)]
    await receive(station, *(anonymous_post(text) for text in texts), Writer().msg(await key_of(bob)))
    await station.services.chans.leave(alice.id, "general")
    await join(alice)
    assert [(str(mail["Subject"]), flags & Flags.SEEN) for mail, flags in await flagged(alice, "Chans/general")] == [
        (text, Flags.NONE) for text in texts
    ]
    assert len(await bob.messages()) == 1
    assert await station.database.read(lambda store: store.chans.unscanned()) == []


async def test_what_was_posted_before_is_not_taken_for_a_flood(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bmgate.services.delivery.sender_rates.ONE_FOR_ALL", Rate(2, 60))
    alice = await station.add_user("alice")
    await receive(station, *(anonymous_post(f"{number}") for number in range(4)))
    await join(alice)
    assert len(await mails(alice, "Chans/general")) == 4


async def test_a_search_goes_on_after_a_restart_and_delivers_once(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "BATCH", 1)
    alice = await station.add_user("alice")
    texts = [f"{number}" for number in range(6)]
    await receive(station, *(anonymous_post(text) for text in texts))
    await station.services.chans.join(alice.id, "general")
    await station.crash()
    await receive(station, anonymous_post("new"))
    await station.start()
    assert sorted(await subjects(alice, "Chans/general")) == [*texts, "new"]


# --- broadcasts ---


@pytest.mark.parametrize("version", [2, 3, 4])
async def test_a_broadcast_reaches_its_subscribers(station: Station, version: int) -> None:
    alice, bob, carol = [await station.add_user(name) for name in ("alice", "bob", "carol")]
    publisher, other = Publisher(version), Publisher(version)
    for user in (alice, bob):
        await subscribe(user, publisher.address)
    await subscribe(carol, other.address)
    await receive(station, publisher.broadcast(), publisher.broadcast("again"))
    for user in (alice, bob):
        news, again = await mails(user, "Subscriptions/news")
        assert news["Subject"] == again["Subject"] == "News"
        assert news["X-Bitmessage-Kind"] == "broadcast"
        assert news["To"] == "subscribers:;"
        assert news["From"] == f"news <{publisher.address}@{DOMAIN}>"
        assert news["List-Id"] == f'"news" <{publisher.address}.broadcast.{DOMAIN}>'
        assert f"subject=usub%20{publisher.address}" in news["List-Unsubscribe"]
        assert "x-bitmessage=pass" in news["Authentication-Results"]
    assert await mails(carol, "Subscriptions/news") == []
    assert await station.database.read(lambda store: store.pubkeys.find(publisher.address)) == publisher.pubkey
    assert station.announcer.announced == []


async def test_i10_a_list_passes_on_what_others_wrote(station: Station) -> None:
    alice, publisher = await station.add_user("alice"), Publisher()
    await subscribe(alice, publisher.address, "the list")
    await receive(station, publisher.broadcast(LIST_TEXT))
    (mail,) = await mails(alice, "Subscriptions/the list")
    assert mail["X-Bitmessage-Kind"] == "list"
    assert mail["Reply-To"] == f'"the list" <{publisher.address}@{DOMAIN}>'
    assert "claims BM-2cWvwe..S1o8Z" in mail["From"]
    assert mail.get_payload() == "hello\r\n"


async def test_readers_learn_from_broadcasts(station: Station) -> None:
    alice, publisher = await station.add_user("alice"), Publisher(behavior=Behavior.READS_FILES)
    await subscribe(alice, publisher.address)
    await receive(station, publisher.broadcast())

    def learnt(store: Store) -> tuple[Reads, list[Address]]:
        contacts = store.account(alice.id).contacts
        return contacts.reads_of(publisher.address), contacts.correspondents()

    assert await station.database.read(learnt) == (Reads.FILES, [publisher.address])


@pytest.mark.parametrize("version", [3, 4])
async def test_m5_what_is_in_the_inventory_comes_at_once_and_after_a_pause(station: Station, version: int) -> None:
    alice, publisher = await station.add_user("alice"), Publisher(version)
    subscriptions = station.services.subscriptions
    await receive(station, publisher.broadcast("first"), Publisher().broadcast("of another"))
    await subscribe(alice, publisher.address)
    await subscriptions.set_enabled(alice.id, "news", False)
    await receive(station, publisher.broadcast("second"))
    assert [mail.get_payload() for mail in await mails(alice, "Subscriptions/news")] == ["first\r\n"]
    await subscriptions.set_enabled(alice.id, "news", True)
    await station.settle()
    assert [mail.get_payload() for mail in await mails(alice, "Subscriptions/news")] == ["first\r\n", "second\r\n"]


async def test_a_copy_of_a_broadcast_is_not_shown(station: Station) -> None:
    alice, publisher = await station.add_user("alice"), Publisher()
    await subscribe(alice, publisher.address)
    broadcast = open_broadcast(read_object(publisher.broadcast()), publisher.address)
    assert broadcast is not None
    for _ in range(3):
        await receive(station, worked(_again(publisher, broadcast)))
    assert len(await mails(alice, "Subscriptions/news")) == 1


def _again(publisher: Publisher, broadcast: Broadcast) -> bytes:
    """Another object with the very same signed content."""
    content = encode_pubkey_record(broadcast.sender) + encode_varint(SIMPLE) + encode_var_bytes(broadcast.message)
    plaintext = content + encode_var_bytes(broadcast.signature)
    payload = publisher.address.tag + encrypt(plaintext, public_point(publisher.address.derived_key), os.urandom)
    return encode_object(NOW + 4 * DAY, 3, 5, 1, payload)


async def test_encoding_0_shows_nothing(station: Station) -> None:
    alice, publisher = await station.add_user("alice"), Publisher()
    await subscribe(alice, publisher.address)
    await join(alice)
    await receive(station, publisher.broadcast(encoding=IGNORE), publisher.msg(GENERAL, HELLO, IGNORE, b""))
    assert await mails(alice, "Subscriptions/news") == await mails(alice, "Chans/general") == []


async def test_a_broadcast_in_anothers_name_is_dropped(station: Station) -> None:
    """Version 4 names nobody: a forger needs only the address to encrypt under its key."""
    alice, publisher, forger = await station.add_user("alice"), Publisher(3), Publisher(3)
    await subscribe(alice, publisher.address)
    forged = read_object(forger.broadcast())
    plaintext = decrypt(forged.ciphertext, forger.address.derived_key)
    assert plaintext is not None
    payload = encrypt(plaintext, public_point(publisher.address.derived_key), os.urandom)
    await receive(station, worked(encode_object(forged.expires_time, 3, 4, 1, payload)), publisher.broadcast("true"))
    assert [mail.get_payload() for mail in await mails(alice, "Subscriptions/news")] == ["true\r\n"]


async def test_a_full_account_misses_posts_and_others_do_not(station: Station) -> None:
    full, bob = await station.add_user("full", quota_bytes=8_000), await station.add_user("bob")
    for member in (full, bob):
        await join(member)
    await receive(station, *(anonymous_post("x" * 500 + f"{number}") for number in range(5)))
    assert 0 < len(await mails(full, "Chans/general")) < 5
    assert len(await mails(bob, "Chans/general")) == 5
