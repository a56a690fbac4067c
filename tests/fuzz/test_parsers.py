"""Whatever bytes come, each parser answers with a value or a ProtocolError, soon, and in little memory.

What is thrown at them begins as something valid and is then damaged: cut, repeated, spliced, with odd numbers put in.
The nightly run throws much more.
"""

import contextlib
import json
import time
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from peers import packed, version
from reference import (
    ACK_PACKET,
    ALICE,
    ALICE_KEYS,
    BOB,
    BOB_KEYS,
    BROADCAST,
    GETPUBKEY,
    MESSAGE,
    MSG,
    NOW,
    PUBKEY,
    VECTORS,
)
from strategies import commands

from bmgate.bm.acceptance import judge
from bmgate.bm.acks import read_ack
from bmgate.bm.addresses import parse_address
from bmgate.bm.captures import Said, encode_head, encode_said, read_capture, replay
from bmgate.bm.commands import Command, ErrorCommand, Inv, Ping, Verack, encode_command, read_command
from bmgate.bm.crypto import decrypt, read_ciphertext, verify
from bmgate.bm.encodings import File, decode_message, encode_extended
from bmgate.bm.hashes import InventoryVector
from bmgate.bm.inspection import inspect_bytes, inspect_text
from bmgate.bm.keys import decode_wif, encode_wif
from bmgate.bm.network import MAINNET
from bmgate.bm.objects import (
    ObjectType,
    OnionPeer,
    encode_object,
    encode_onionpeer,
    read_getpubkey,
    read_object,
    read_onionpeer,
)
from bmgate.bm.packets import BadChecksum, Packet, PacketReader, encode_packet
from bmgate.bm.plaintext import encode_pubkey_record, open_pubkey, read_broadcast, read_msg, read_pubkey_record
from bmgate.bm.plaintext.broadcasts import parse_broadcast
from bmgate.bm.plaintext.msgs import parse_msg
from bmgate.bm.plaintext.pubkeys import read_pubkey
from bmgate.bm.wire import WireReader, encode_var_bytes, encode_varint
from bmgate.errors import BadPacket, ProtocolError
from bmgate.mail.incoming import IncomingMail, render
from bmgate.mail.incoming_body import parts_of
from bmgate.mail.read import read_message
from bmgate.mail.reading import Kind, Manner
from bmgate.mail.sanitise import sanitised
from bmgate.mail.structure import index_message

EXAMPLES = settings().max_examples // 2  # of the whole run's: there are many parsers
SECONDS = 5.0  # for one input: a hang, not a figure of speed
MOST_MEMORY = 8 << 20
MAX_SIZE = 5_000
ONION = "4vu4hpcujnbw5gj2qxi6jbbsdzbznb4sn33d7rdvpmbdgdhhaj2kmmbv.onion"
ODD_NUMBERS = [encode_varint(number) for number in (0, 1, 252, 253, 2**16, 2**31, 2**32, 2**63, 2**64 - 1)]
ODD_NUMBERS += [
    b"\xfd\0\1",
    b"\xfe\0\0\0\1",
    b"\xff" + bytes(7) + b"\1",
    b"\xff" * 9,
    b"\xdd\xff\xff\xff\xff",
    b"\x91" * 600,
]
MSG_PLAINTEXT = decrypt(read_object(MSG).ciphertext, BOB_KEYS.encryption) or b""
MARKUP = b"<div><p style=x>one <a href='https://x.example/'>two</a><img src=x></p><script>three</script></div>"
WHOLE_MAIL = (
    b"Subject:=?utf-8?q?=C3=BC?=\nBody:MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n"
    b"--x\n\n<img src='data:image/png;base64,iVBORw0KGgo='>\n" + b"-" * 54 + b"\nold\n"
    b"--x\nContent-Type: text/html\n\n" + MARKUP + b"\n--x--\n"
)
EXTENDED = encode_extended("Hi", "text", [bytes(32)], [File("n", b"data", "a/b", "inline")])


@dataclass(frozen=True)
class Target:
    """A parser, and valid things to begin with."""

    parse: Callable[[bytes], object]
    seeds: tuple[bytes, ...]


def read_all_packets(data: bytes) -> None:
    """As a conversation does: a wrong checksum is passed over."""
    reader = PacketReader(MAINNET.magic)
    for at in range(0, len(data), 100):
        reader.feed(data[at : at + 100])
        try:
            while reader.next_packet() is not None:
                pass
        except BadChecksum:
            continue


def read_named_command(data: bytes) -> None:
    """The first byte chooses the command: most names would be unknown otherwise."""
    names = [b"version", b"verack", b"addr", b"inv", b"dinv", b"getdata", b"object", b"error", b"ping", b"pong"]
    read_command(Packet(names[data[0] % len(names)] if data else b"", data[1:]))


def walk_wire(data: bytes) -> None:
    """Numbers, strings and counts as long as there are any."""
    reader = WireReader(data)
    while reader.remaining:
        reader.varint()
        reader.var_bytes(1_000)
        reader.count(36, 1_000)
        reader.uint16()


def read_any_object(data: bytes) -> None:
    obj = read_object(data)
    for read in (read_getpubkey, read_onionpeer):
        with contextlib.suppress(ProtocolError):
            read(obj)
    for address in (None, ALICE.address):
        with contextlib.suppress(ProtocolError):
            open_pubkey(obj, address)
    decrypt(obj.ciphertext, BOB_KEYS.encryption)
    judge(data, NOW, MAINNET)


def read_text(data: bytes) -> None:
    parse_address(data.decode("latin-1"))


def first_byte_is_the_encoding(data: bytes) -> None:
    decode_message(data[0] % 5 if data else 0, data[1:])


def deflated(data: bytes) -> None:
    """Compression would undo most damage, so what is inside it is damaged."""
    decode_message(3, zlib.compress(data, 1))


def become_mail(data: bytes) -> None:
    """The first byte is the encoding; whatever follows must make a mail."""
    encoding = data[0] % 5 if data else 0
    for manner in (Manner(), Manner(Kind.BROADCAST, marks_quotes=True, shows_html=True, is_by_relay=True)):
        reading = read_message(encoding, data[1:], manner)
        mail = IncomingMail(ALICE.address, BOB.address, encoding, reading, parts_of(reading), bytes(32), NOW)
        index_message(render(mail, bytes(32), "bm.internal"))


def captured_packets() -> tuple[bytes, ...]:
    cases = json.loads((VECTORS / "objects.json").read_text())["objects"]
    objects = [bytes.fromhex(case["object_hex"]) for case in cases][:20]
    return tuple(encode_packet(Packet(b"object", each), MAINNET.magic) for each in objects if len(each) < 3_000)


def captured_conversation() -> bytes:
    """A handshake and a little more."""
    inv, end = Inv((InventoryVector(bytes(32)),)), ErrorCommand(2, 0, b"", "go away")
    said: list[Command] = [version(), Verack(), Ping(), inv, end]
    lines = [encode_said(Said(at, "in", packed(each, network=MAINNET))) for at, each in enumerate(said)]
    lines.insert(1, encode_said(Said(0.5, "out", packed(version(b"ournonce"), network=MAINNET))))
    return (encode_head(MAINNET, "127.0.0.1:8444", NOW) + "".join(lines)).encode()


OBJECTS = (MSG, PUBKEY, GETPUBKEY, BROADCAST, encode_onionpeer(OnionPeer(ONION, 8444), NOW + 100))
TARGETS = {
    "wire": Target(walk_wire, (encode_varint(7) + encode_var_bytes(b"hello") + encode_varint(0) + b"\0\0",)),
    "packets": Target(read_all_packets, (ACK_PACKET, ACK_PACKET * 3, *captured_packets())),
    "commands": Target(
        read_named_command, (b"\3\2" + bytes(64), b"\2\1" + bytes(38), b"\0" + bytes(85), b"\7" + bytes(9))
    ),
    "objects": Target(read_any_object, OBJECTS),
    "onionpeers": Target(
        lambda data: read_onionpeer(read_object(encode_object(NOW, ObjectType.ONIONPEER, 3, 1, data))),
        (OBJECTS[4][22:],),
    ),
    "ciphertexts": Target(read_ciphertext, (MSG[22:],)),
    "msg plaintexts": Target(lambda data: read_msg(read_object(MSG), data, BOB.keys.ripe), (MSG_PLAINTEXT,)),
    "msg plaintexts, unverified": Target(lambda data: parse_msg(read_object(MSG), data), (MSG_PLAINTEXT,)),
    "broadcast plaintexts": Target(lambda data: read_broadcast(read_object(BROADCAST), data), (MSG_PLAINTEXT,)),
    "broadcasts, unverified": Target(lambda data: parse_broadcast(read_object(BROADCAST), data), (MSG_PLAINTEXT,)),
    "pubkey records": Target(read_pubkey_record, (encode_pubkey_record(ALICE),)),
    "pubkeys": Target(lambda data: read_pubkey(read_object(PUBKEY), data), (encode_pubkey_record(ALICE)[1:] * 2,)),
    "signatures": Target(
        lambda data: verify(b"data", data, ALICE.keys.signing), (bytes.fromhex("3006020101020101"), MSG_PLAINTEXT[-71:])
    ),
    "encodings": Target(first_byte_is_the_encoding, (b"\2" + MESSAGE, b"\1" + MESSAGE, b"\3" + EXTENDED)),
    "extended messages": Target(deflated, (zlib.decompress(EXTENDED),)),
    "incoming mail": Target(become_mail, (b"\2" + MESSAGE, b"\2" + WHOLE_MAIL, b"\3" + EXTENDED, b"\7x")),
    "html": Target(lambda data: sanitised(data.decode("latin-1")), (MARKUP,)),
    "addresses": Target(read_text, (str(ALICE.address).encode(), str(BOB.address).encode()[3:])),
    "private keys": Target(lambda data: decode_wif(data.decode("latin-1")), (encode_wif(ALICE_KEYS.signing).encode(),)),
    "acks": Target(lambda data: read_ack(data, MAINNET.magic), (ACK_PACKET,)),
    "inspection": Target(lambda data: inspect_bytes(data, (BOB_KEYS.encryption,), NOW), (*OBJECTS, ACK_PACKET)),
    "captures": Target(lambda data: list(replay(read_capture(data.decode("latin-1")))), (captured_conversation(),)),
    "inspection of text": Target(
        lambda data: inspect_text(data.decode("latin-1"), (), NOW), (MSG.hex().encode(), str(ALICE.address).encode())
    ),
}


@st.composite
def damaged(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """Something valid after a few accidents, or nothing but noise."""
    data = draw(st.sampled_from(seeds) | st.binary(max_size=300))
    for _ in range(draw(st.integers(0, 4))):
        at, end = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
        match draw(st.sampled_from(["put", "cut", "replace", "repeat", "splice", "flip"])):
            case "put":
                data = data[:at] + draw(st.sampled_from(ODD_NUMBERS)) + data[at:]
            case "cut":
                data = data[:at]
            case "replace":
                data = data[:at] + draw(st.binary(max_size=20)) + data[end:]
            case "repeat":
                data = data[:end] + data[at:end] * draw(st.integers(0, 5)) + data[end:]
            case "splice":
                data = data[:at] + draw(st.sampled_from(seeds))[at:]
            case "flip" if data:
                at = min(at, len(data) - 1)
                data = data[:at] + bytes([data[at] ^ (1 << draw(st.integers(0, 7)))]) + data[at + 1 :]
    return data[:MAX_SIZE]


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_damaged_input_gives_a_value_or_a_protocol_error(name: str, data: st.DataObject) -> None:
    target = TARGETS[name]
    given_bytes = data.draw(damaged(target.seeds))
    begun = time.thread_time()
    with contextlib.suppress(ProtocolError):
        target.parse(given_bytes)
    assert time.thread_time() - begun < SECONDS


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_are_worth_damaging(name: str) -> None:
    """At least one is taken as it is, or the fuzz never leaves the first check."""
    target, taken = TARGETS[name], 0
    for seed in target.seeds:
        try:
            target.parse(seed)
            taken += 1
        except ProtocolError:
            pass
    is_unsigned = name in ("broadcast plaintexts", "broadcasts, unverified", "pubkeys")  # nobody signed such a seed
    assert taken or is_unsigned


@pytest.mark.parametrize("name", TARGETS)
def test_odd_numbers_anywhere_cost_little_memory(name: str) -> None:
    target = TARGETS[name]
    seed = target.seeds[0]
    step = max(1, len(seed) // 40)
    for at in range(0, len(seed), step):
        for number in ODD_NUMBERS[-7:]:
            changed = seed[:at] + number + seed[at:]
            tracemalloc.start()
            try:
                target.parse(changed)
            except ProtocolError:
                pass
            finally:
                peak = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
            assert peak < MOST_MEMORY


@given(commands(), st.data())
def test_damaged_commands_of_every_kind_are_commands_or_protocol_errors(command: Command, data: st.DataObject) -> None:
    packet = encode_command(command, MAINNET.magic)
    name, payload = packet[4:16].rstrip(b"\0"), packet[24:]
    with contextlib.suppress(ProtocolError):
        read_command(Packet(name, data.draw(damaged((payload,)))))


@given(st.binary(max_size=200))
def test_a_reader_of_packets_never_hoards(data: bytes) -> None:
    """P2: what is announced beyond the limit is refused on the header; less is held than was fed."""
    reader = PacketReader(MAINNET.magic)
    reader.feed(encode_packet(Packet(b"object", b""), MAINNET.magic)[:16] + data)
    try:
        while reader.next_packet() is not None:
            pass
    except BadPacket:
        return
    assert reader.missing <= 2**18 + 64 + 24
