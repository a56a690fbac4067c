import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import chunkings, packets

from bmgate.bm.network import MAINNET, TESTNET
from bmgate.bm.packets import (
    HEADER,
    MAX_OBJECT_PAYLOAD,
    MAX_PAYLOAD,
    PIECE_SIZE,
    BadChecksum,
    Packet,
    PacketReader,
    encode_packet,
)
from bmgate.errors import BadPacket

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "packets.json").read_text())
CAPTURED = VECTORS["packets"] + VECTORS["synthetic"]["packets"]
MALFORMED = {case["name"]: bytes.fromhex(case["packet_hex"]) for case in VECTORS["malformed"]}
FRAMED_WRONGLY = {
    "wrong magic": BadPacket,
    "version with a wrong checksum": BadChecksum,
    "header that announces 1600200 payload bytes": BadPacket,
}
PING = bytes.fromhex("e9beb4d970696e67000000000000000000000000cf83e135")


def reader_of(data: bytes) -> PacketReader:
    reader = PacketReader(MAINNET.magic)
    reader.feed(data)
    return reader


def header(command: bytes, length: int) -> bytes:
    return HEADER.pack(MAINNET.magic, command, length, b"\0" * 4)


@pytest.mark.parametrize("case", CAPTURED)
def test_packets_of_peers_are_read_and_written_alike(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["packet_hex"])
    reader = reader_of(data)
    packet = reader.next_packet()
    assert packet == Packet(case["command"].encode(), data[24:])
    assert len(data) == case["length"]
    assert reader.next_packet() is None
    assert encode_packet(packet, MAINNET.magic) == data


@pytest.mark.parametrize(("name", "error"), FRAMED_WRONGLY.items())
def test_a_wrong_frame_is_refused(name: str, error: type[BadPacket]) -> None:
    with pytest.raises(error):
        reader_of(MALFORMED[name]).next_packet()


@pytest.mark.parametrize("name", sorted(MALFORMED.keys() - FRAMED_WRONGLY.keys()))
def test_a_wrong_payload_is_not_the_frames_concern(name: str) -> None:
    packet = reader_of(MALFORMED[name]).next_packet()
    assert packet is not None
    assert encode_packet(packet, MAINNET.magic) == MALFORMED[name]


@given(st.lists(packets()), st.data())
def test_packets_survive_any_chunking(sent: list[Packet], data: st.DataObject) -> None:
    reader, received = PacketReader(MAINNET.magic), list[Packet]()
    stream = b"".join(encode_packet(packet, MAINNET.magic) for packet in sent)
    for chunk in data.draw(chunkings(stream)):
        reader.feed(chunk)
        received += iter(reader.next_packet, None)
    assert received == sent
    assert reader.missing == 0


@pytest.mark.parametrize("portion", [1_000, PIECE_SIZE - 1, PIECE_SIZE, 3 * PIECE_SIZE + 7])
def test_t1_a_long_packet_is_kept_in_pieces_and_read_whole_with_what_lies_behind(portion: int) -> None:
    long = Packet(b"inv", bytes(range(256)) * 400)
    stream = encode_packet(long, MAINNET.magic) + PING + encode_packet(long, MAINNET.magic) + PING
    reader, received = PacketReader(MAINNET.magic), list[Packet]()
    for start in range(0, len(stream), portion):
        reader.feed(stream[start : start + portion])
        received += iter(reader.next_packet, None)
    assert received == [long, Packet(b"ping", b""), long, Packet(b"ping", b"")]


def test_what_a_long_packet_lacks_is_known_and_its_pieces_are_handed_over() -> None:
    stream = encode_packet(Packet(b"inv", bytes(10 * PIECE_SIZE)), MAINNET.magic)
    reader = PacketReader(MAINNET.magic)
    for start in range(0, 5 * PIECE_SIZE, PIECE_SIZE):
        reader.feed(stream[start : start + PIECE_SIZE])
        assert reader.next_packet() is None
    assert reader.missing == len(stream) - 5 * PIECE_SIZE
    assert reader.take_rest() == stream[: 5 * PIECE_SIZE]
    assert reader.missing == 0


@given(st.binary(max_size=100), st.booleans())
def test_arbitrary_bytes_give_only_bad_packets(data: bytes, behind_the_magic: bool) -> None:
    reader = reader_of(MAINNET.magic.to_bytes(4) + data if behind_the_magic else data)
    try:
        while reader.next_packet():
            pass
    except BadPacket:
        assert len(data) >= 20


@pytest.mark.parametrize(
    "first", [b"GET / HTTP/1.1\r\nHost: example\r\n\r\n", bytes.fromhex("160301020001fc0303") + bytes(40)]
)
def test_other_protocols_are_refused_at_their_first_24_bytes(first: bytes) -> None:
    reader = reader_of(first[:23])
    assert reader.next_packet() is None
    reader.feed(first[23:24])
    with pytest.raises(BadPacket, match="header"):
        reader.next_packet()


@pytest.mark.parametrize(
    ("command", "length"), [(b"ping", MAX_PAYLOAD + 1), (b"inv", 2**32 - 1), (b"object", MAX_OBJECT_PAYLOAD + 1)]
)
def test_a_payload_too_long_is_refused_by_the_header_alone(command: bytes, length: int) -> None:
    reader = reader_of(header(command, length))
    for _ in range(2):  # and stays refused, whatever comes
        with pytest.raises(BadPacket, match="header"):
            reader.next_packet()
        reader.feed(bytes(1000))
    assert len(reader.take_rest()) <= HEADER.size + 1000


@pytest.mark.parametrize(("command", "length"), [(b"inv", MAX_PAYLOAD), (b"object", MAX_OBJECT_PAYLOAD)])
def test_the_longest_payloads_are_awaited(command: bytes, length: int) -> None:
    reader = reader_of(header(command, length))
    assert reader.next_packet() is None
    assert reader.missing == length


def test_reading_goes_on_behind_a_wrong_checksum() -> None:
    damaged = encode_packet(Packet(b"inv", b"abc"), MAINNET.magic)[:-1] + b"d"
    reader = reader_of(damaged + PING)
    with pytest.raises(BadChecksum, match="inv"):
        reader.next_packet()
    assert reader.next_packet() == Packet(b"ping", b"")


@pytest.mark.parametrize("name", [b"ping\0garbage", b"\0ping", b"__class__", b"\xff\xfe", b""])
def test_any_command_name_passes_as_it_is(name: bytes) -> None:
    packet = Packet(name, b"")
    assert reader_of(encode_packet(packet, MAINNET.magic)).next_packet() == packet


def test_packets_of_another_network_are_refused() -> None:
    with pytest.raises(BadPacket):
        reader_of(encode_packet(Packet(b"ping", b""), TESTNET.magic)).next_packet()


def test_what_is_missing_is_counted() -> None:
    stream = encode_packet(Packet(b"inv", b"abcde"), MAINNET.magic)
    reader = PacketReader(MAINNET.magic)
    counts = [reader.missing]
    for at in range(len(stream)):
        reader.feed(stream[at : at + 1])
        counts.append(reader.missing)
    assert counts == [0, *range(23, 0, -1), 5, 4, 3, 2, 1, 0]


def test_what_follows_the_last_packet_is_handed_over() -> None:
    reader = reader_of(PING + b"\x16\x03\x01")
    assert reader.next_packet() == Packet(b"ping", b"")
    assert reader.take_rest() == b"\x16\x03\x01"
    assert reader.take_rest() == b""


@pytest.mark.parametrize("packet", [Packet(b"thirteen_byte", b""), Packet(b"inv", bytes(MAX_PAYLOAD + 1))])
def test_what_no_frame_holds_is_our_own_mistake(packet: Packet) -> None:
    with pytest.raises(ValueError, match="no packet"):
        encode_packet(packet, MAINNET.magic)
