import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import commands, hosts, vectors

from bmgate.bm.commands import (
    MAX_PEERS,
    MAX_STREAMS,
    MAX_USER_AGENT,
    MAX_VECTORS,
    MAX_VECTORS_SENT,
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
    decode_host,
    encode_command,
    encode_host,
    read_command,
    split_vectors,
)
from bmgate.bm.hashes import InventoryVector, inventory_vector
from bmgate.bm.network import MAINNET
from bmgate.bm.packets import Packet, PacketReader
from bmgate.bm.wire import encode_var_bytes, encode_varint
from bmgate.errors import BadCommand

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "packets.json").read_text())
CAPTURED = VECTORS["packets"] + VECTORS["synthetic"]["packets"]
MALFORMED = {case["name"]: bytes.fromhex(case["packet_hex"]) for case in VECTORS["malformed"]}
KNOWN = [b"version", b"verack", b"ping", b"pong", b"addr", b"inv", b"dinv", b"getdata", b"object", b"error"]
VERSION = VersionCommand(
    protocol_version=3,
    services=Services.NETWORK | Services.SSL,
    timestamp=1700000000,
    receiver=NetAddress(Services.NETWORK, "203.0.113.7", 8444),
    sender=NetAddress(Services.NETWORK | Services.SSL, "127.0.0.1", 8444),
    nonce=bytes(range(1, 9)),
    user_agent=b"/Gateway:0.1/",
    streams=(1,),
)
PEER = PeerAddress(1700000000, 1, Services.NETWORK, "203.0.113.7", 8444)


def read_packet(data: bytes) -> Command:
    reader = PacketReader(MAINNET.magic)
    reader.feed(data)
    packet = reader.next_packet()
    assert packet is not None
    return read_command(packet)


def payload_of(command: Command) -> bytes:
    return encode_command(command, MAINNET.magic)[24:]


def check_version(command: Command, decoded: dict[str, Any]) -> None:
    assert isinstance(command, VersionCommand)
    for address, fields in ((command.receiver, decoded["addr_recv"]), (command.sender, decoded["addr_from"])):
        assert (address.services, address.host, address.port) == (fields["services"], fields["host"], fields["port"])
    assert command.protocol_version == decoded["version"]
    assert (command.services, command.timestamp) == (decoded["services"], decoded["timestamp"])
    assert command.nonce.hex() == decoded["nonce_hex"]
    assert command.user_agent.decode() == decoded["user_agent"]
    assert list(command.streams) == decoded["streams"]


def check_addr(command: Command, decoded: dict[str, Any]) -> None:
    assert isinstance(command, AddrCommand)
    assert len(command.peers) == decoded["count"]
    for peer, fields in zip(command.peers, decoded["addresses"], strict=True):
        assert (peer.time, peer.stream, peer.services) == (fields["time"], fields["stream"], fields["services"])
        assert (peer.host, peer.port) == (fields["host"], fields["port"])


def check_vectors(command: Command, decoded: dict[str, Any]) -> None:
    assert isinstance(command, Inv | Dinv | Getdata)
    assert len(command.vectors) == decoded["count"]
    assert decoded["hashes_hex"] in (None, [vector.hex() for vector in command.vectors])


def check_object(command: Command, decoded: dict[str, Any]) -> None:
    assert isinstance(command, ObjectCommand)
    assert inventory_vector(command.encoded).hex() == decoded["inventory_hash"]


def check_error(command: Command, decoded: dict[str, Any]) -> None:
    vector = bytes.fromhex(decoded["inventory_vector_hex"])
    assert command == ErrorCommand(decoded["fatal"], decoded["ban_time"], vector, decoded["error_text"])


def check_empty(command: Command, decoded: dict[str, Any]) -> None:
    assert isinstance(command, Verack | Ping | Pong)
    assert decoded["payload_length"] == 0


CHECKS = {
    "version": check_version,
    "addr": check_addr,
    "inv": check_vectors,
    "dinv": check_vectors,
    "getdata": check_vectors,
    "object": check_object,
    "error": check_error,
    "verack": check_empty,
    "ping": check_empty,
    "pong": check_empty,
}


@pytest.mark.parametrize("case", CAPTURED)
def test_what_peers_said_is_understood_and_said_alike(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["packet_hex"])
    command = read_packet(data)
    CHECKS[case["command"]](command, case["decoded"])
    assert encode_command(command, MAINNET.magic) == data


def test_what_peers_got_wrong_is_told_apart() -> None:
    with pytest.raises(BadCommand):
        read_packet(MALFORMED["inv announcing 3 hashes with 1 present"])
    assert read_packet(MALFORMED["unknown command foobar after the handshake"]) == UnknownCommand(b"foobar", b"abc")
    assert read_packet(MALFORMED["command name not NUL padded properly"]) == UnknownCommand(b"ping\0garbage")
    assert read_packet(MALFORMED["ping with a payload after the handshake"]) == Ping()
    assert read_packet(MALFORMED["ping before version"]) == Ping()
    assert isinstance(read_packet(MALFORMED["getdata for an unknown hash"]), Getdata)
    short = read_packet(MALFORMED["object with only 20 bytes"])
    assert isinstance(short, ObjectCommand)
    assert len(short.encoded) == 20


def test_the_version_of_the_specification_is_written() -> None:
    assert encode_command(VERSION, MAINNET.magic).hex() == (
        "e9beb4d976657273696f6e00000000000000006037fbf2d400000003000000000000000300000000"
        "6553f100000000000000000100000000000000000000ffffcb00710720fc00000000000000030000"
        "0000000000000000ffff7f00000120fc01020304050607080d2f476174657761793a302e312f0101"
    )


def test_the_addr_of_the_specification_is_written() -> None:
    assert encode_command(AddrCommand((PEER,)), MAINNET.magic).hex() == (
        "e9beb4d961646472000000000000000000000027577c239f01000000006553f10000000001"
        "000000000000000100000000000000000000ffffcb00710720fc"
    )


def test_the_error_of_the_specification_is_written() -> None:
    packet = encode_command(ErrorCommand(2, 0, b"", "Server full, please try again later."), MAINNET.magic)
    assert packet[:28].hex() == "e9beb4d96572726f72000000000000000000002810f5383902000024"


@given(commands())
def test_commands_survive_the_round_trip(command: Command) -> None:
    assert read_packet(encode_command(command, MAINNET.magic)) == command


@given(st.sampled_from(KNOWN), st.binary(max_size=200))
def test_arbitrary_payloads_give_only_bad_commands(name: bytes, payload: bytes) -> None:
    try:
        command = read_command(Packet(name, payload))
    except BadCommand:
        return
    assert not isinstance(command, UnknownCommand)


@given(commands(), st.data())
def test_a_truncated_payload_is_a_bad_command_or_a_shorter_one(command: Command, data: st.DataObject) -> None:
    payload = payload_of(command)
    name = encode_command(command, MAINNET.magic)[4:16].rstrip(b"\0")
    cut = payload[: data.draw(st.integers(0, max(0, len(payload) - 1)))]
    if cut == payload or isinstance(command, ObjectCommand):
        return
    if isinstance(command, AddrCommand) and len(cut) % 38 == len(payload) % 38 and len(cut) >= len(payload) % 38:
        assert read_command(Packet(name, cut)) == AddrCommand(command.peers[: len(cut) // 38])
        return
    with pytest.raises(BadCommand):
        read_command(Packet(name, cut))


@pytest.mark.parametrize("name", [b"", b"__class__", b"PING", b"ping\0x", b"\xff", b"portcheck", b"custom"])
def test_commands_not_in_the_table_are_unknown(name: bytes) -> None:
    assert read_command(Packet(name, b"payload")) == UnknownCommand(name, b"payload")


@pytest.mark.parametrize("name", [b"inv", b"dinv", b"getdata"])
def test_vectors_are_exactly_as_many_as_announced_and_not_too_many(name: bytes) -> None:
    def payload(announced: int, size: int) -> Packet:
        return Packet(name, encode_varint(announced) + bytes(size))

    longest = read_command(payload(MAX_VECTORS, MAX_VECTORS * 32))
    assert isinstance(longest, Inv | Dinv | Getdata)
    assert len(longest.vectors) == MAX_VECTORS
    assert read_command(payload(0, 0)) == type(longest)(())
    for announced, size in ((MAX_VECTORS + 1, (MAX_VECTORS + 1) * 32), (2, 63), (2, 65), (1, 0), (2**64 - 1, 64)):
        with pytest.raises(BadCommand):
            read_command(payload(announced, size))


def test_an_addr_of_more_than_a_thousand_peers_is_refused() -> None:
    full = AddrCommand((PEER,) * MAX_PEERS)
    assert read_command(Packet(b"addr", payload_of(full))) == full
    with pytest.raises(BadCommand, match="at most 1000"):
        read_command(Packet(b"addr", encode_varint(MAX_PEERS + 1) + payload_of(full)[3:] + bytes(38)))
    with pytest.raises(BadCommand):
        read_command(Packet(b"addr", payload_of(full) + b"\0"))


def test_minode_announces_more_peers_in_an_addr_than_it_lists() -> None:
    listed = payload_of(AddrCommand((PEER,) * 13))[1:]
    assert read_command(Packet(b"addr", encode_varint(20) + listed)) == AddrCommand((PEER,) * 13)
    for announced, data in ((12, listed), (20, listed[:-1]), (20, listed + b"\0")):
        with pytest.raises(BadCommand):
            read_command(Packet(b"addr", encode_varint(announced) + data))


@pytest.mark.parametrize(
    "tail",
    [
        encode_var_bytes(b"a" * (MAX_USER_AGENT + 1)) + b"\1\1",
        b"\0" + encode_varint(MAX_STREAMS + 1) + b"\1" * (MAX_STREAMS + 1),
        b"\0" + encode_varint(10_000) + b"\1" * 10_000,
        b"\0\1\0",
        b"\0\1" + encode_varint(2**63),
        b"\0\2\1",
        b"\0\xff" + b"\xff" * 8,
    ],
    ids=["agent", "streams", "10,000 streams", "stream 0", "stream 2^63", "stream missing", "2^64-1 streams"],
)
def test_a_version_beyond_its_bounds_is_refused(tail: bytes) -> None:
    with pytest.raises(BadCommand, match="version"):
        read_command(Packet(b"version", payload_of(VERSION)[:80] + tail))


def test_a_version_may_be_longer_than_we_know() -> None:
    assert read_command(Packet(b"version", payload_of(VERSION) + b"later")) == VERSION


def test_a_version_without_streams_is_the_conversations_to_judge() -> None:
    command = read_command(Packet(b"version", payload_of(VERSION)[:80] + b"\0\0"))
    assert isinstance(command, VersionCommand)
    assert command.streams == ()


@pytest.mark.parametrize(
    ("agent", "shown"),
    [
        (b"/PyBitmessage:0.6.3.2/", "/PyBitmessage:0.6.3.2/"),
        (b"\x1b[2Jred\r\n\0\xc3\xa9", "[2Jred"),
        (b"a" * 5000, "a" * 64),
    ],
)
def test_a_user_agent_is_shown_without_control_characters(agent: bytes, shown: str) -> None:
    command = read_command(Packet(b"version", payload_of(VERSION)[:80] + encode_var_bytes(agent) + b"\1\1"))
    assert isinstance(command, VersionCommand)
    assert command.displayed_agent == shown


def test_an_error_with_too_much_text_is_refused_and_bad_letters_are_replaced() -> None:
    with pytest.raises(BadCommand):
        read_command(Packet(b"error", b"\2\0\0" + encode_var_bytes(b"x" * 5001)))
    assert read_command(Packet(b"error", b"\2\0\0\1\xff")) == ErrorCommand(2, 0, b"", "\ufffd")


@pytest.mark.parametrize("kind", [Inv, Dinv, Getdata])
def test_an_empty_or_oversized_list_of_vectors_is_never_sent(kind: type[Inv | Dinv | Getdata]) -> None:
    for number in (0, MAX_VECTORS + 1):
        with pytest.raises(ValueError, match="vectors in one packet"):
            encode_command(kind((InventoryVector(bytes(32)),) * number), MAINNET.magic)


def test_an_addr_too_long_is_never_sent() -> None:
    with pytest.raises(ValueError, match="1001 peers"):
        encode_command(AddrCommand((PEER,) * 1001), MAINNET.magic)


@given(st.lists(vectors(), max_size=20).flatmap(lambda some: st.permutations(some + some[:3])))
def test_split_vectors_name_each_object_once(some: list[InventoryVector]) -> None:
    portions = list(split_vectors(some))
    assert [vector for portion in portions for vector in portion] == list(dict.fromkeys(some))
    assert all(portions)


def test_split_vectors_come_in_portions_that_every_peer_takes() -> None:
    many = [InventoryVector(number.to_bytes(32)) for number in range(2 * MAX_VECTORS_SENT + 1)]
    assert [len(portion) for portion in split_vectors(many)] == [MAX_VECTORS_SENT, MAX_VECTORS_SENT, 1]


@given(hosts())
def test_hosts_survive_the_round_trip(host: str) -> None:
    assert decode_host(encode_host(host)) == host


@given(st.binary(min_size=16, max_size=16))
def test_every_address_field_is_some_host(field: bytes) -> None:
    assert encode_host(decode_host(field)) == field


@pytest.mark.parametrize(
    ("host", "field"),
    [
        ("127.0.0.1", "00000000000000000000ffff7f000001"),
        ("::1", "00000000000000000000000000000001"),
        ("2001:db8::7", "20010db8000000000000000000000007"),
        ("quzwelsuziwqgpt2.onion", "fd87d87eeb438533622e54ca2d033e7a"),
    ],
)
def test_hosts_are_written_as_peers_write_them(host: str, field: str) -> None:
    assert encode_host(host).hex() == field


@pytest.mark.parametrize(
    "host", ["", "localhost", "1.2.3", f"{'a' * 56}.onion", "short.onion", "8888888888888888.onion"]
)
def test_a_host_without_an_address_is_our_own_mistake(host: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the texts are those of ipaddress and base64
        encode_host(host)
