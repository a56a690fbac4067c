"""Conversations under a fake clock: both orders of the handshake, TLS, deadlines, and each rule a peer can break."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peers import CLIENT, UNIX_NOW, Ends, conversation, events, hang_ups, packed, sent, version
from strategies import chunkings

from bmgate.bm.commands import (
    AddrCommand,
    Command,
    Dinv,
    ErrorCommand,
    Getdata,
    Inv,
    NetAddress,
    ObjectCommand,
    PeerAddress,
    Ping,
    Pong,
    Services,
    UnknownCommand,
    Verack,
    VersionCommand,
    read_command,
)
from bmgate.bm.conversation import Conversation
from bmgate.bm.handshake import (
    CLOCK_AHEAD,
    CLOCK_BEHIND,
    MALFORMED,
    NO_COMMON_STREAM,
    SERVER_FULL,
    TOO_OLD,
    TRANSITIONS,
    Ending,
    Heard,
    Phase,
    Refusal,
)
from bmgate.bm.hashes import InventoryVector
from bmgate.bm.network import MAINNET, TESTNET, NetworkParameters
from bmgate.bm.packets import HEADER, Packet, PacketReader, encode_packet
from bmgate.bm.peer_events import (
    Announced,
    Established,
    HangUp,
    ObjectArrived,
    Output,
    PeersLearned,
    Requested,
)
from bmgate.bm.tls import TlsLayer
from bmgate.bm.wire import encode_varint

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent.parent / "vectors" / "packets.json").read_text())
A, B = InventoryVector(b"a" * 32), InventoryVector(b"b" * 32)
TLS = Services.NETWORK | Services.SSL
START = 1_000.0


def commands(data: bytes, network: NetworkParameters = TESTNET) -> list[Command]:
    reader = PacketReader(network.magic)
    reader.feed(data)
    return [read_command(packet) for packet in iter(reader.next_packet, None)]


def said(outputs: list[Output]) -> list[Command]:
    return commands(sent(outputs))


def raw(command: bytes, payload: bytes) -> bytes:
    return encode_packet(Packet(command, payload), TESTNET.magic)


def listening(**arguments: Any) -> Conversation:
    ours = conversation(initiator=False, **arguments)
    assert ours.start(START) == []
    return ours


def established(initiator: bool = False, network: NetworkParameters = TESTNET) -> Conversation:
    """Ours, after a handshake in clear."""
    ours = conversation(initiator, network=network)
    ours.start(START)
    outputs = ours.receive(packed(version(), Verack(), network=network), START)
    assert Established(version(), tls=False) in outputs
    return ours


def ending(outputs: list[Output]) -> Ending | None:
    """How the conversation ended, if it did: at most once, and as the last output."""
    ends = hang_ups(outputs)
    assert len(ends) <= 1
    assert not ends or outputs[-1] is ends[0]
    return ends[0].ending if ends else None


# --- the handshake ---


def test_a_responder_sends_verack_before_version() -> None:
    ours = listening()
    assert [type(command) for command in said(ours.receive(packed(version()), START))] == [Verack, VersionCommand]
    assert ours.receive(packed(Verack()), START) == [Established(version(), tls=False)]


@pytest.mark.parametrize("answer", [(Verack(), version()), (version(), Verack())])
def test_an_initiator_takes_both_orders(answer: tuple[Command, Command]) -> None:
    ours = conversation(initiator=True)
    assert [type(command) for command in said(ours.start(START))] == [VersionCommand]
    outputs = [output for command in answer for output in ours.receive(packed(command), START)]
    assert [type(command) for command in said(outputs)] == [Verack]
    assert events(outputs) == [Established(version(), tls=False)]


def test_every_step_of_a_handshake_leads_to_ready() -> None:
    phases = {phase for phase, _ in TRANSITIONS} | {Phase.READY}
    assert phases == set(Phase)
    assert {phase for phase, _ in TRANSITIONS.values()} <= phases
    assert all((Phase.READY, heard) not in TRANSITIONS for heard in Heard)


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
@pytest.mark.parametrize(("left_tls", "right_tls"), [(False, False), (True, False), (False, True), (True, True)])
def test_two_conversations_establish_and_trade(chunk: int, left_tls: bool, right_tls: bool) -> None:
    ends = Ends(conversation(True, tls=left_tls), conversation(False, tls=right_tls))
    ends.start(chunk)
    ends.say("left", Inv((A, B)), Ping())
    ends.say("right", Getdata((B,)))
    ends.say("left", ObjectCommand(b"object"))
    tls = left_tls and right_tls
    first_left, *left = ends.events("left")
    first_right, *right = ends.events("right")
    assert isinstance(first_left, Established)
    assert isinstance(first_right, Established)
    assert (first_left.tls, first_right.tls) == (tls, tls)
    assert left == [Requested((B,))]
    assert right == [Announced((A, B)), ObjectArrived(b"object")]
    assert ends.left.bytes_out == ends.right.bytes_in
    assert ends.left.bytes_in == ends.right.bytes_out


def test_a_client_hello_in_the_segment_of_the_verack_is_not_lost() -> None:
    ours = listening(tls=True)
    ours.receive(packed(version(services=TLS)), START)
    theirs = TlsLayer(CLIENT, server_side=False)
    answer = sent(ours.receive(packed(Verack()) + theirs.receive(b"").wire, START))
    outputs = ours.receive(theirs.receive(answer).wire, START)
    assert events(outputs) == [Established(version(services=TLS), tls=True)]
    theirs.receive(sent(outputs))
    assert events(ours.receive(theirs.seal(packed(Inv((A,)))), START)) == [Announced((A,))]


def test_an_initiator_flushes_its_verack_in_clear_before_tls() -> None:
    ours = conversation(initiator=True, tls=True)
    ours.start(START)
    data = sent(ours.receive(packed(Verack(), version(services=TLS)), START))
    verack = packed(Verack())
    assert data[: len(verack)] == verack
    assert data[len(verack) : len(verack) + 2] == b"\x16\x03"  # a TLS handshake record


def test_clear_bytes_after_agreeing_on_tls_end_the_conversation() -> None:
    ours = listening(tls=True)
    ours.receive(packed(version(services=TLS), Verack()), START)
    assert ending(ours.receive(packed(Inv((A,))), START)) is Ending.TLS_FAILED


def test_a_transport_that_closes_during_the_tls_handshake_counts_as_failed_tls() -> None:
    ours = conversation(initiator=True, tls=True)
    ours.start(START)
    assert conversation(initiator=True, tls=True).lost() is Ending.LOST
    ours.receive(packed(Verack(), version(services=TLS)), START)
    assert ours.lost() is Ending.TLS_FAILED


def test_a_changed_tls_record_ends_the_conversation() -> None:
    ends = Ends(conversation(True, tls=True), conversation(False, tls=True))
    ends.start()
    record = bytearray(sent(ends.left.say([Ping()], ends.now)))
    record[-1] ^= 1
    assert ending(ends.right.receive(bytes(record), ends.now)) is Ending.VIOLATION


# --- P1, P2: frames ---


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        TlsLayer(CLIENT, server_side=False).receive(b"").wire,
        bytes(range(100)),
        packed(version(), network=MAINNET),
    ],
)
@pytest.mark.parametrize("initiator", [False, True])
def test_p1_anything_but_our_magic_ends_it(data: bytes, initiator: bool) -> None:
    ours = conversation(initiator)
    ours.start(START)
    assert ending(ours.receive(data, START)) is Ending.VIOLATION
    assert ours.receive(packed(version()), START) == []


@pytest.mark.parametrize(
    ("command", "length"),
    [(b"inv", 0xFFFFFFFF), (b"inv", 1_600_101), (b"object", 2**18 + 65), (b"nonsense", 2_000_000)],
)
def test_p2_a_length_beyond_the_limit_ends_it_at_the_header(command: bytes, length: int) -> None:
    ours = established()
    assert ending(ours.receive(HEADER.pack(TESTNET.magic, command, length, bytes(4)), START)) is Ending.VIOLATION


# --- P3, P12: deadlines ---


@pytest.mark.parametrize("initiator", [False, True])
def test_p3_a_handshake_has_thirty_seconds(initiator: bool) -> None:
    ours = conversation(initiator)
    ours.start(START)
    data = packed(version())
    for second in range(29):
        assert ending(ours.receive(data[second : second + 1], START + second)) is None
        assert ending(ours.tick(START + second)) is None
    assert ending(ours.tick(START + 30)) is Ending.TIMEOUT


def test_p3_a_tls_handshake_shares_the_thirty_seconds() -> None:
    ours = listening(tls=True)
    ours.receive(packed(version(services=TLS), Verack()), START + 10)
    assert ending(ours.tick(START + 29)) is None
    assert ending(ours.tick(START + 30)) is Ending.TLS_FAILED


def test_p3_a_header_then_silence_ends_after_a_minute_and_the_time_its_size_takes() -> None:
    ours = established()
    ours.receive(HEADER.pack(TESTNET.magic, b"inv", 80_000, bytes(4)), START + 100)
    assert ending(ours.tick(START + 169)) is None
    assert ending(ours.tick(START + 170)) is Ending.TIMEOUT


def test_p3_a_payload_that_trickles_ends_as_soon_as_a_silent_one() -> None:
    ours = established()
    ours.receive(HEADER.pack(TESTNET.magic, b"inv", 80_000, bytes(4)), START)
    for second in range(70):
        assert ending(ours.receive(bytes(10), START + second) + ours.tick(START + second)) is None
    assert ending(ours.tick(START + 70)) is Ending.TIMEOUT


def test_p3_part_of_a_header_has_a_minute() -> None:
    ours = established()
    ours.receive(packed(Ping())[:10], START)
    assert ending(ours.tick(START + 59)) is None
    assert ending(ours.tick(START + 61)) is Ending.TIMEOUT


def test_p3_large_packets_in_good_time_are_no_offence() -> None:
    ours = established()
    data = packed(Inv((A,) * 25_000))
    stream, size = data * 3, len(data) // 100
    for second, at in enumerate(range(0, len(stream), size)):
        outputs = ours.receive(stream[at : at + size], START + second) + ours.tick(START + second)
        assert ending(outputs) is None


def test_p3_silence_brings_a_ping_after_five_minutes_and_the_end_after_ten() -> None:
    ours = established()
    assert ours.tick(START + 299) == []
    assert said(ours.tick(START + 300)) == [Ping()]
    assert ours.tick(START + 301) == []
    assert ending(ours.tick(START + 599)) is None
    assert ending(ours.tick(START + 600)) is Ending.TIMEOUT


def test_p3_a_pong_keeps_the_connection() -> None:
    ends = Ends(conversation(True), conversation(False))
    ends.start()
    for _ in range(10):
        ends.tick(300)
    assert not hang_ups(ends.outputs["left"] + ends.outputs["right"])


def test_something_goes_out_every_five_minutes_however_much_is_heard() -> None:
    ours = established()
    pings = []
    for minute in range(1, 21):
        ours.receive(packed(Pong()), START + 60 * minute)
        pings += [minute for command in said(ours.tick(START + 60 * minute)) if command == Ping()]
    assert pings == [5, 10, 15, 20]


def test_a_peer_that_is_not_read_is_not_late() -> None:
    ours = established()
    ours.receive(packed(Ping())[:10], START)
    for minute in range(1, 30):
        assert ending(ours.tick(START + 60 * minute, hears=False)) is None


def test_p12_a_peer_that_reads_nothing_for_a_minute_is_left() -> None:
    ours = established()
    ours.say([ObjectCommand(bytes(1000))] * 100, START)
    assert ending(ours.tick(START + 1, unsent=90_000)) is None
    assert ending(ours.tick(START + 50, unsent=80_000)) is None  # it reads, slowly
    ours.say([ObjectCommand(bytes(1000))], START + 55)
    assert ending(ours.tick(START + 109, unsent=81_024)) is None
    assert ending(ours.tick(START + 110, unsent=81_024)) is Ending.TIMEOUT


# --- P5-P8: order, unknown commands, checksums, malformed payloads ---


@pytest.mark.parametrize("initiator", [False, True])
@pytest.mark.parametrize("command", [Ping(), Inv((A,)), Getdata((A,)), ObjectCommand(bytes(50)), UnknownCommand(b"?")])
def test_p5_a_command_before_the_handshake_ends_it(initiator: bool, command: Command) -> None:
    ours = conversation(initiator)
    ours.start(START)
    assert ending(ours.receive(packed(command), START)) is Ending.VIOLATION


def test_p5_a_verack_first_on_an_inbound_connection_ends_it() -> None:
    assert ending(listening().receive(packed(Verack()), START)) is Ending.VIOLATION


def test_p5_a_second_verack_within_the_handshake_ends_it() -> None:
    ours = conversation(initiator=True)
    ours.start(START)
    assert ending(ours.receive(packed(Verack(), Verack()), START)) is Ending.VIOLATION


@pytest.mark.parametrize("is_established", [False, True])
def test_p5_a_second_version_is_ignored_once(is_established: bool) -> None:
    ours = listening()
    ours.receive(packed(version(), Verack()) if is_established else packed(version()), START)
    assert ours.receive(packed(version()), START) == []
    assert ending(ours.receive(packed(version()), START)) is Ending.VIOLATION


def test_p5_a_verack_flood_ends_it() -> None:
    outputs = established().receive(packed(*[Verack()] * 100), START)
    assert ending(outputs) is Ending.VIOLATION


@pytest.mark.parametrize("name", [b"foobar", b"ping\0garbage", b"\xff\xfe", b"__class__"])
def test_p6_the_tenth_unknown_command_ends_it(name: bytes) -> None:
    ours = established()
    for _ in range(9):
        assert ours.receive(raw(name, b"anything"), START) == []
    assert ending(ours.receive(raw(name, b"anything"), START)) is Ending.VIOLATION


def test_p7_the_third_wrong_checksum_ends_it() -> None:
    ours = established()
    damaged = packed(Ping())[:-1] + b"\0"
    assert said(ours.receive(damaged + packed(Ping()), START)) == [Pong()]
    assert said(ours.receive(damaged + packed(Ping()), START)) == [Pong()]
    assert ending(ours.receive(damaged + packed(Ping()), START)) is Ending.VIOLATION


@pytest.mark.parametrize(
    "count", [b"", b"\xfd\x00\x01", b"\xfd\x01", b"\xff" * 9, encode_varint(2**59), encode_varint(50_001)]
)
@pytest.mark.parametrize("command", [b"inv", b"dinv", b"addr"])
def test_p8_impossible_counts_end_it(command: bytes, count: bytes) -> None:
    assert ending(established().receive(raw(command, count + A), START)) is Ending.VIOLATION


def test_a_getdata_that_cannot_be_read_is_skipped() -> None:
    ours = established()
    assert said(ours.receive(raw(b"getdata", b"\x01") + packed(Ping()), START)) == [Pong()]


def test_empty_lists_are_ignored() -> None:
    data = b"".join(raw(command, b"\0") for command in (b"inv", b"dinv", b"getdata", b"addr"))
    assert established().receive(data, START) == []


# --- P9, P13: limits of lists ---


def test_p9_an_inv_of_fifty_thousand_is_taken_and_one_more_ends_it() -> None:
    ours = established()
    (event,) = events(ours.receive(packed(Inv((A,) * 50_000)), START))
    assert event == Announced((A,) * 50_000)
    one_more = raw(b"inv", encode_varint(50_001) + A * 50_001)
    assert ending(ours.receive(one_more, START)) is Ending.VIOLATION


def test_p13_an_addr_of_a_thousand_is_taken_and_one_more_ends_it() -> None:
    ours = established()
    peer = PeerAddress(UNIX_NOW, 1, Services.NETWORK, "203.0.113.7", 8444)
    assert events(ours.receive(packed(AddrCommand((peer,) * 1000)), START)) == [PeersLearned((peer,) * 1000)]
    entry = packed(AddrCommand((peer,)))[HEADER.size + 1 :]
    one_more = raw(b"addr", encode_varint(1001) + entry * 1001)
    assert ending(ours.receive(one_more, START)) is Ending.VIOLATION


# --- P14, P15: whom we do not want ---


def test_p14_whom_the_node_does_not_admit_gets_its_text_and_neither_verack_nor_version() -> None:
    ours = listening(admit=lambda _: Refusal(Ending.DUPLICATE, SERVER_FULL))
    outputs = ours.receive(packed(version()), START)
    assert said(outputs) == [ErrorCommand(2, 0, b"", SERVER_FULL)]
    assert ending(outputs) is Ending.DUPLICATE


@pytest.mark.parametrize("initiator", [False, True])
@pytest.mark.parametrize(
    ("offer", "text"),
    [
        (version(timestamp=UNIX_NOW + 3601), CLOCK_AHEAD),
        (version(timestamp=UNIX_NOW - 3601), CLOCK_BEHIND),
        (version(protocol_version=2), TOO_OLD),
        (version(streams=()), NO_COMMON_STREAM),
        (version(streams=(2,)), NO_COMMON_STREAM),
        (version(streams=(1,) * 10_000), MALFORMED),
        (version(streams=(0,)), MALFORMED),
        (version(streams=(2**63,)), MALFORMED),
        (version(user_agent=b"\0\n" * 5_000), MALFORMED),
    ],
)
def test_p15_an_unacceptable_version_is_refused_with_an_error(
    initiator: bool, offer: VersionCommand, text: str
) -> None:
    ours = conversation(initiator)
    ours.start(START)
    outputs = ours.receive(packed(offer), START)
    assert said(outputs) == [ErrorCommand(2, 0, b"", text)]
    assert ending(outputs) is Ending.REFUSED


@pytest.mark.parametrize(
    "offer",
    [
        version(timestamp=UNIX_NOW + 3600),
        version(timestamp=UNIX_NOW - 3600),
        version(protocol_version=4),
        version(streams=(1, 2, 3)),
        version(user_agent=b"\0\n" * 2_500),
        version(services=Services(0)),
    ],
)
def test_p15_an_odd_version_is_taken(offer: VersionCommand) -> None:
    assert listening().receive(packed(offer, Verack()), START)[-1] == Established(offer, tls=False)


def test_the_clock_of_a_peer_is_compared_with_the_time_its_version_came() -> None:
    ours = listening()
    outputs = ours.receive(packed(version(timestamp=UNIX_NOW + 3620)), START + 20)
    assert ending(outputs) is None


@pytest.mark.parametrize("fatal", [0, 1, 2])
@pytest.mark.parametrize("is_established", [False, True])
def test_only_a_fatal_error_ends_it(fatal: int, is_established: bool) -> None:
    ours = established() if is_established else listening()
    outputs = ours.receive(packed(ErrorCommand(fatal, 0, b"", "sorry")), START)
    assert outputs == ([HangUp(Ending.REFUSED_BY_PEER, "the peer sent a fatal error")] if fatal == 2 else [])


# --- what real peers send ---


@pytest.mark.parametrize("initiator", [False, True])
@pytest.mark.parametrize(
    "case", [case for case in VECTORS["packets"] if case["command"] == "version"], ids=lambda case: case["context"]
)
def test_versions_of_real_peers_are_accepted(case: dict[str, Any], initiator: bool) -> None:
    ours = conversation(initiator, network=MAINNET, unix_now=case["captured_at"])
    ours.start(START)
    packet = bytes.fromhex(case["packet_hex"])
    outputs = ours.receive(packet + packed(Verack(), network=MAINNET), START)
    assert ending(outputs) is None
    (event,) = events(outputs)
    assert isinstance(event, Established)
    assert event.version.displayed_agent.encode() == event.version.user_agent


@pytest.mark.parametrize(
    "case",
    [case for case in VECTORS["packets"] if case["command"] not in ("version", "verack")],
    ids=lambda case: f"{case['peer']} {case['command']} {case['captured_at']}",
)
def test_packets_of_real_peers_are_understood(case: dict[str, Any]) -> None:
    ours = established(network=MAINNET)
    outputs = ours.receive(bytes.fromhex(case["packet_hex"]), START)
    kinds: dict[str, list[type]] = {
        "inv": [Announced],
        "dinv": [Announced],
        "getdata": [Requested],
        "object": [ObjectArrived],
        "addr": [PeersLearned],
    }
    assert [type(event) for event in events(outputs)] == kinds.get(case["command"], [])
    assert ending(outputs) is (Ending.REFUSED_BY_PEER if case["command"] == "error" else None)


# Name in packets.json -> what we do: the ending, or the commands we answer with.
REACTIONS: dict[str, tuple[Ending | None, list[Command]]] = {
    "wrong magic": (Ending.VIOLATION, []),
    "version with a wrong checksum": (None, []),  # P7: dropped and counted
    "ping before version": (Ending.VIOLATION, []),
    "unknown command foobar after the handshake": (None, []),
    "ping with a payload after the handshake": (None, [Pong()]),
    "inv announcing 3 hashes with 1 present": (Ending.VIOLATION, []),
    "getdata for an unknown hash": (None, []),
    "header that announces 1600200 payload bytes": (Ending.VIOLATION, []),
    "object with only 20 bytes": (None, []),  # the node drops it
    "command name not NUL padded properly": (None, []),  # P6: an unknown command
}
BEFORE = ("version with a wrong checksum", "ping before version")


@pytest.mark.parametrize("case", VECTORS["malformed"], ids=lambda case: case["name"])
def test_malformed_packets_meet_our_rules(case: dict[str, Any]) -> None:
    ours = listening(network=MAINNET) if case["name"] in BEFORE else established(network=MAINNET)
    outputs = ours.receive(bytes.fromhex(case["packet_hex"]), START)
    assert (ending(outputs), commands(sent(outputs), MAINNET)) == REACTIONS[case["name"]]


def test_a_trace_sees_both_directions() -> None:
    seen: list[tuple[str, Command]] = []
    ours = conversation(initiator=False, trace=lambda direction, command: seen.append((direction, command)))
    ours.start(START)
    ours.receive(packed(version(), Verack(), Ping()), START)
    assert [(direction, type(command)) for direction, command in seen] == [
        ("in", VersionCommand),
        ("out", Verack),
        ("out", VersionCommand),
        ("in", Verack),
        ("in", Ping),
        ("out", Pong),
    ]


def test_nothing_is_said_after_the_end() -> None:
    ours = established()
    assert ending(ours.hang_up(Ending.STOPPED, "enough")) is Ending.STOPPED
    assert ours.hang_up(Ending.STOPPED, "enough") == []
    assert ours.say([Ping()], START) == []
    assert ours.tick(START + 1000) == []


# --- whatever arrives ---

TRANSCRIPT = packed(
    version(),
    Verack(),
    Inv((A, B)),
    Dinv((B,)),
    Getdata((A,)),
    ObjectCommand(bytes(60)),
    AddrCommand((PeerAddress(UNIX_NOW, 1, Services.NETWORK, "203.0.113.7", 8444),)),
    Ping(),
    Pong(),
)


@given(st.data())
def test_any_chunking_gives_the_same_transcript(data: st.DataObject) -> None:
    whole, cut = listening(), listening()
    expected = whole.receive(TRANSCRIPT, START)
    outputs = [out for chunk in data.draw(chunkings(TRANSCRIPT)) for out in cut.receive(chunk, START)]
    assert (sent(outputs), events(outputs)) == (sent(expected), events(expected))
    assert ending(outputs) is None


@given(st.data(), st.booleans(), st.booleans())
def test_garbage_never_raises(data: st.DataObject, initiator: bool, tls: bool) -> None:
    ours = conversation(initiator, tls=tls)
    outputs = ours.start(START)
    spoilt = bytearray(TRANSCRIPT)
    for _ in range(data.draw(st.integers(0, 5))):
        at = data.draw(st.integers(0, len(spoilt) - 1))
        spoilt[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=5))
    for chunk in data.draw(chunkings(bytes(spoilt) + data.draw(st.binary(max_size=100)))):
        outputs += ours.receive(chunk, START)
    outputs += ours.tick(START + 1)
    assert len(hang_ups(outputs)) <= 1


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"version", b"inv", b"addr", b"getdata", b"error", b"object"]), st.binary(max_size=80)
        )
    )
)
def test_garbage_in_good_frames_never_raises(packets: list[tuple[bytes, bytes]]) -> None:
    for ours in (listening(), established()):
        outputs = ours.receive(b"".join(raw(name, payload) for name, payload in packets), START)
        assert len(hang_ups(outputs)) <= 1


def test_version_addresses_may_be_anything() -> None:
    odd = replace(version(), receiver=NetAddress(TLS, "::", 0), sender=NetAddress(TLS, "ff02::1", 0))
    assert ending(listening().receive(packed(odd), START)) is None
