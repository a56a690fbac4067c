"""Receiving: what is delivered, what is confirmed, and what is neither."""

import os
from collections.abc import Callable
from dataclasses import replace
from email import message_from_bytes
from functools import partial
from typing import Literal

import pytest
from fakes import FakeClock
from stations import MakeStation, Settings, Station, User
from storage_fixtures import NOW, new_identity
from writers import DAY, Writer, key_of, receive, worked

from bmgate.bm.acks import ack_object, ack_packet, build_ack_data
from bmgate.bm.addresses import Address
from bmgate.bm.encodings import EXTENDED, IGNORE, SIMPLE, encode_extended, encode_message
from bmgate.bm.network import TESTNET
from bmgate.bm.objects import OnionPeer, encode_getpubkey, encode_onionpeer, read_object
from bmgate.bm.plaintext import Pubkey, build_pubkey
from bmgate.domain.mailbox import StoredMessage
from bmgate.domain.objects import StoredObject
from bmgate.domain.outbox import State
from bmgate.domain.policy import Policy
from bmgate.domain.ports.database import Store
from bmgate.errors import StorageBusy
from bmgate.services.delivery.arrivals import Arrival
from bmgate.services.delivery.delivery import Delivered, Deliverer
from bmgate.services.inbound.receiving import Processed
from bmgate.services.outbound.pubkeys import PublishPolicy

ONION = "4vu4hpcujnbw5gj2qxi6jbbsdzbznb4sn33d7rdvpmbdgdhhaj2kmmbv.onion"


async def demanding_user(station: Station, nonce_trials_per_byte: int) -> User:
    """An address that wants more work than the network does."""
    new = replace(new_identity(), nonce_trials_per_byte=nonce_trials_per_byte)
    account = await station.add_account("alice")
    return User(station, account, await station.add_identity(account, new))


async def test_a_msg_is_delivered_and_confirmed(station: Station) -> None:
    alice, stranger = await station.add_user("alice"), Writer()
    await receive(station, stranger.msg(await key_of(alice)))
    (message,) = await alice.messages()
    assert message.body.strip() == b"from afar"
    assert str(stranger.pubkey.address).encode() in message.header
    assert station.announcer.announced == [read_object(stranger.ack()[24:]).vector]


async def test_p19_a_resend_is_shown_once_and_confirmed_again(station: Station, clock: FakeClock) -> None:
    alice, stranger = await station.add_user("alice"), Writer()
    await receive(station, stranger.msg(await key_of(alice)))
    await receive(station, stranger.msg(await key_of(alice), expires=NOW + 8 * DAY, ack=stranger.ack(NOW + 2 * DAY)))
    assert await alice.bodies() == ["from afar"]
    assert len(station.announcer.announced) == 2


async def test_p19_a_deliberate_repeat_is_delivered_again(station: Station) -> None:
    alice, stranger = await station.add_user("alice"), Writer()
    await receive(station, stranger.msg(await key_of(alice)))
    stranger.ack_data = build_ack_data(1, 1, os.urandom)
    await receive(station, stranger.msg(await key_of(alice)))
    assert await alice.bodies() == ["from afar"] * 2


async def test_two_resends_in_one_batch_are_shown_once(station: Station) -> None:
    alice, stranger = await station.add_user("alice"), Writer()
    msgs = [stranger.msg(await key_of(alice), expires=NOW + days * DAY) for days in (4, 5, 6)]
    await receive(station, *msgs)
    assert await alice.bodies() == ["from afar"]


async def test_a_msg_for_nobody_here_leaves_no_trace(station: Station) -> None:
    alice, stranger = await station.add_user("alice"), Writer()
    await receive(station, stranger.msg(Writer().pubkey))
    assert await alice.messages() == []
    assert station.announcer.announced == []
    assert await station.database.read(lambda store: store.inventory.count()) == (1, 0)


async def test_p23_a_msg_sealed_again_for_somebody_else_is_dropped(station: Station) -> None:
    """P23: the destination inside the signature is another one's."""
    alice, bob, stranger = await station.add_user("alice"), await station.add_user("bob"), Writer()
    keys = replace((await key_of(bob)).keys, encryption=(await key_of(alice)).keys.encryption)
    await receive(station, stranger.msg(replace(await key_of(bob), keys=keys)))
    assert await alice.messages() == []
    assert await bob.messages() == []
    assert station.announcer.announced == []


async def test_p16_too_little_work_for_our_own_demand_is_neither_shown_nor_confirmed(station: Station) -> None:
    alice = await demanding_user(station, 1_000)
    stranger = Writer()
    await receive(station, stranger.msg(await key_of(alice)))
    assert await alice.messages() == []
    assert station.announcer.announced == []


@pytest.mark.parametrize(
    ("encoding", "message", "expected"),
    [
        (IGNORE, b"nothing to see", None),
        (SIMPLE, b"Subject:\xff\nBody:\xfe\xfd", "\u00fe\u00fd"),
        (SIMPLE, b"no fields at all", "no fields at all"),
        (EXTENDED, encode_extended("S", "extended"), "extended"),
        (EXTENDED, b"broken", ""),
        (77, b"from the future", ""),
    ],
)
async def test_every_encoding_gives_one_mail_or_none(
    station: Station, encoding: int, message: bytes, expected: str | None
) -> None:
    alice = await station.add_user("alice")
    await receive(station, Writer().msg(await key_of(alice), message, encoding))
    messages = await alice.messages()
    assert len(messages) == (0 if expected is None else 1)
    assert not station.died
    if expected:
        assert expected.encode() in decoded(messages[0])


def decoded(message: StoredMessage) -> bytes:
    payload = message_from_bytes(message.header + message.body).get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload


Spoil = Callable[[Writer], bytes]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda stranger: b"",
        lambda stranger: stranger.ack()[:-1],
        lambda stranger: b"\0" * 24 + stranger.ack()[24:],
        lambda stranger: stranger.ack(expires=NOW - 2 * DAY),
        lambda stranger: ack_packet(ack_object(stranger.ack_data, NOW + DAY), TESTNET.magic),
        lambda stranger: ack_packet(worked(encode_onionpeer(OnionPeer(ONION, 8444), NOW + DAY)), TESTNET.magic),
        lambda stranger: b"junk" * 700,
    ],
    ids=["none", "short", "header", "expired", "no-work", "onionpeer", "junk"],
)
async def test_p26_mail_with_an_ack_that_may_not_be_published_is_delivered_without_it(
    station: Station, spoil: Spoil
) -> None:
    alice, stranger = await station.add_user("alice"), Writer()
    await receive(station, stranger.msg(await key_of(alice), ack=spoil(stranger)))
    assert await alice.bodies() == ["from afar"]
    assert station.announcer.announced == []


async def test_p26_an_object_we_have_is_not_published_as_an_ack(station: Station) -> None:
    alice, stranger = await station.add_user("alice"), Writer()
    await receive(station, stranger.ack()[24:])
    await receive(station, stranger.msg(await key_of(alice)))
    assert await alice.bodies() == ["from afar"]
    assert station.announcer.announced == []


async def test_p26_an_ack_we_wait_for_ourselves_is_not_published(station: Station) -> None:
    alice, stranger = await station.add_user("alice"), Writer()
    await station.database.transact(lambda store: store.pubkeys.save(stranger.pubkey, NOW))
    await alice.send(replace(alice, identity=replace(alice.identity, address=stranger.pubkey.address)))
    await station.settle()
    (row,) = await alice.rows()
    station.announcer.announced.clear()
    stranger.ack_data = row.ack_data
    await receive(station, stranger.msg(await key_of(alice)))
    assert await alice.bodies() == ["from afar"]
    assert station.announcer.announced == []
    assert [row.state for row in await alice.rows()] == [State.PUBLISHED]


async def test_p26_one_sender_gets_twenty_acks_a_day_also_over_a_restart(station: Station, clock: FakeClock) -> None:
    alice, bob, stranger = await station.add_user("alice"), await station.add_user("bob"), Writer()

    async def confirmed(stranger: Writer, users: list[User]) -> int:
        """How many of one msg for each of `users` are."""
        station.announcer.announced.clear()
        msgs = []
        for user in users:
            stranger.ack_data = build_ack_data(1, 1, os.urandom)
            acked = ack_packet(worked(ack_object(stranger.ack_data, clock.now() + DAY), clock.now()), TESTNET.magic)
            msgs.append(stranger.msg(await key_of(user), ack=acked, expires=clock.now() + 4 * DAY))
        await station.add_objects(msgs)
        await station.settle()
        return len(station.announcer.announced)

    assert await confirmed(stranger, [alice, bob] * 8) == 16
    await station.crash()
    await station.start()
    assert await confirmed(stranger, [alice] * 9) == 4
    assert len(await alice.messages()) == 17, "mail is delivered all the same"
    assert await confirmed(Writer(), [alice]) == 1
    clock.advance(DAY + 1)
    assert await confirmed(stranger, [alice]) == 1


async def test_p25_pubkeys_nobody_asked_for_are_not_kept(station: Station) -> None:
    alice, stranger, other = await station.add_user("alice"), Writer(), Writer()
    unasked = worked(build_pubkey(stranger.pubkey, stranger.keys, NOW + DAY, os.urandom))
    wrong_tag = read_object(worked(build_pubkey(other.pubkey, other.keys, NOW + DAY, os.urandom))).encoded
    at = 22  # behind the common header stands the tag
    await receive(station, unasked, worked(wrong_tag[:at] + unasked[at : at + 32] + wrong_tag[at + 32 :]))
    for address in (stranger.pubkey.address, other.pubkey.address):
        assert await station.database.read(partial(_cached, address)) is None
    await alice.send(replace(alice, identity=replace(alice.identity, address=stranger.pubkey.address)))
    await station.settle()
    (row,) = await alice.rows()
    assert row.state is State.PUBLISHED, "the key that was among them is found when it is wanted"


@pytest.mark.parametrize(("policy", "confirmed"), [("all", 1), ("contacts", 0), ("never", 0)])
async def test_p27_the_policy_decides_whether_strangers_are_confirmed(
    make_station: MakeStation, policy: Literal["all", "contacts", "never"], confirmed: int
) -> None:
    station = await make_station(Settings(policy=Policy(ack=policy)))
    alice = await station.add_user("alice")
    await receive(station, Writer().msg(await key_of(alice)))
    assert len(await alice.bodies()) == 1
    assert len(station.announcer.announced) == confirmed


async def test_beyond_the_quota_mail_waits_for_a_resend_unconfirmed(station: Station) -> None:
    alice = await station.add_user("alice", quota_bytes=600)
    stranger = Writer()
    await receive(station, stranger.msg(await key_of(alice), encode_message("big", "x" * 5000)))
    assert not station.died
    assert await alice.messages() == []
    assert station.announcer.announced == []
    await receive(station, Writer().msg(await key_of(alice), encode_message("s", "small")))
    assert len(await alice.messages()) <= 1


async def test_trouble_with_the_disk_leaves_objects_to_be_processed_later(station: Station, clock: FakeClock) -> None:
    alice, stranger = await station.add_user("alice"), Writer()
    stored = StoredObject(read_object(stranger.msg(await key_of(alice))))
    await station.database.transact(lambda store: store.inventory.add([stored]))
    station.database.failure = StorageBusy("the disk is full")
    station.services.receiving.wake()
    await station.settle()
    station.database.failure = None
    clock.advance(60)
    await station.settle()
    assert await alice.bodies() == ["from afar"]


async def test_a_key_learnt_from_a_mail_is_used_for_the_reply(station: Station) -> None:
    alice, stranger = await station.add_user("alice"), Writer()
    await receive(station, stranger.msg(await key_of(alice)))
    known = await station.database.read(lambda store: store.pubkeys.find(stranger.pubkey.address))
    assert known == stranger.pubkey


# -- pubkeys (P28) -------------------------------------------------------------------------------------------------


async def ask(station: Station, clock: FakeClock, alice: User) -> int:
    """Ask for a key; how many objects were announced since the start."""
    asked = encode_getpubkey(alice.identity.address, clock.now() + DAY + len(station.announcer.announced))
    await receive(station, worked(asked, clock.now()))
    return len(station.announcer.announced)


async def test_p28_asked_for_its_key_an_address_answers_once_in_six_hours_and_four_times_a_day(
    station: Station, clock: FakeClock
) -> None:
    alice = await station.add_user("alice")
    assert [await ask(station, clock, alice) for _ in range(3)] == [1, 1, 1]
    answers = []
    for _ in range(5):
        clock.advance(6 * 3600 + 1)
        answers.append(await ask(station, clock, alice))
    assert answers[0] == 2
    assert answers[-1] <= 6
    clock.jump(-3 * DAY)
    assert await ask(station, clock, alice) == answers[-1], "a clock set back asks for no new key"


async def test_nobody_is_told_the_key_of_a_disabled_policy(make_station: MakeStation, clock: FakeClock) -> None:
    station = await make_station(Settings(publish=PublishPolicy.NEVER))
    assert await ask(station, clock, await station.add_user("alice")) == 0


async def test_a_question_before_the_first_publication_is_answered_by_it(
    make_station: MakeStation, clock: FakeClock
) -> None:
    station = await make_station(Settings(publish=PublishPolicy.ON_CREATE, pubkey_delay=600.0))
    alice = await station.add_user("alice")
    station.services.pubkeys.identities_changed()
    await station.settle()
    assert await ask(station, clock, alice) == 0
    clock.advance(DAY)
    await station.settle()
    assert len(station.announcer.announced) == 1


async def test_p28_a_question_survives_a_restart(make_station: MakeStation, clock: FakeClock) -> None:
    station = await make_station(Settings(pubkey_delay=600.0))
    alice = await station.add_user("alice")
    assert await ask(station, clock, alice) == 0
    await station.crash()
    await station.start()
    station.announcer.announced.clear()
    clock.advance(DAY / 2)
    await station.settle()
    assert len(station.announcer.announced) == 1


async def test_a_key_whose_work_comes_too_late_is_signed_anew(make_station: MakeStation, clock: FakeClock) -> None:
    station = await make_station(Settings(pubkey_delay=600.0))
    alice = await station.add_user("alice")
    await ask(station, clock, alice)
    await station.crash()
    clock.advance(60 * DAY)
    await station.start()
    station.announcer.announced.clear()
    clock.advance(DAY / 2)
    await station.settle()
    (vector,) = station.announcer.announced
    stored = await station.database.read(lambda store: store.inventory.get([vector]))
    assert read_object(stored[vector]).expires_time > clock.now() + 20 * DAY


def _cached(address: Address, store: Store) -> Pubkey | None:
    return store.pubkeys.find(address)


# --- faults of ours ---


async def test_a_message_that_breaks_a_recogniser_is_shown_as_it_came(
    station: Station, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(reading: object, manner: object) -> object:
        raise ValueError("secret words")

    monkeypatch.setattr("bmgate.mail.read.recognised", broken)
    alice, stranger = await station.add_user("alice"), Writer()
    await receive(station, stranger.msg(await key_of(alice)))
    assert await alice.bodies() == ["from afar"]
    assert "ValueError in test_receiving.py" in caplog.text
    assert "secret" not in caplog.text


async def test_a_message_that_cannot_be_read_at_all_arrives_as_a_file(
    station: Station, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> object:
        raise RecursionError

    monkeypatch.setattr("bmgate.services.delivery.arrivals.read_message", broken)
    alice, stranger = await station.add_user("alice"), Writer()
    await receive(station, stranger.msg(await key_of(alice)))
    (message,) = await alice.messages()
    assert b"message.bin" in message.body


async def test_an_object_that_cannot_be_processed_stops_no_other_and_comes_no_second_time(
    station: Station, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    alice, good, bad = await station.add_user("alice"), Writer(), Writer()
    deliver = Deliverer.deliver

    def breaks(self: Deliverer, store: Store, arrival: Arrival, now: int) -> Delivered:
        assert arrival.msg.sender.address != bad.pubkey.address
        return deliver(self, store, arrival, now)

    monkeypatch.setattr(Deliverer, "deliver", breaks)
    key = await key_of(alice)
    msgs = [writer.msg(key) for writer in (good, bad)]
    await receive(station, *msgs)
    assert await alice.bodies() == ["from afar"]
    assert f"object {read_object(msgs[1]).vector.hex()} is put aside" in caplog.text
    assert await station.database.read(lambda store: store.inventory.to_process(10)) == []


async def test_objects_are_counted_by_kind(station: Station) -> None:
    alice, stranger = await station.add_user("alice"), Writer()
    await receive(station, stranger.msg(await key_of(alice)), stranger.msg(Writer().pubkey))
    assert station.services.receiving.processed == Processed(msgs=2)
