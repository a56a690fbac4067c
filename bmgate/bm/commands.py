"""What peers say to each other: the payload of each packet as a value, and back.

Leaves framing to `packets`, the inside of objects to `objects`, and every judgement (which stream, which clock, how
often) to the conversation. Source: protocol specification v3, "Message types". All integers are big-endian.
"""

import base64
import ipaddress
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import IntFlag
from typing import cast

from bmgate.bm.addresses import MAX_STREAM
from bmgate.bm.hashes import VECTOR_SIZE, InventoryVector
from bmgate.bm.packets import Packet, encode_packet
from bmgate.bm.wire import WireReader, encode_var_bytes, encode_varint
from bmgate.errors import BadCommand, ProtocolError

PROTOCOL_VERSION = 3
MAX_VECTORS = 50_000
MAX_VECTORS_SENT = 49_999  # released PyBitmessage refuses 50,000
MAX_PEERS = 1_000
MAX_USER_AGENT = 5_000  # bytes
MAX_STREAMS = 1_000  # the documents say 160,000; real peers send one, and P15 wants 10,000 refused
MAX_ERROR_TEXT = 5_000  # bytes
NONCE_SIZE = 8
IP_SIZE = 16  # bytes of a host; only 16-letter onion names fit behind their prefix
ONION_PREFIX = b"\xfd\x87\xd8\x7e\xeb\x43"  # OnionCat; the base32-decoded name follows

_PEER_SIZE = 38  # time, stream, services, IP, port
_IPV4_PREFIX = b"\0" * 10 + b"\xff\xff"
_ONION_SUFFIX = ".onion"


class Services(IntFlag):
    """What a node offers: masks, though the protocol documents number them 1, 2, 3, 4. Unknown bits are kept."""

    NETWORK = 1
    SSL = 2
    POW = 4
    DANDELION = 8


@dataclass(frozen=True, slots=True)
class NetAddress:
    """A node as `version` names it. `host` is an IPv4 or IPv6 address, or a 16-letter onion name."""

    services: Services
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """A node as `addr` names it: `time` in Unix seconds is when somebody last saw it."""

    time: int
    stream: int
    services: Services
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class VersionCommand:
    """Who is there; the first packet each way. Of `sender` only services and port mean anything."""

    protocol_version: int
    services: Services
    timestamp: int  # Unix seconds by the sender's clock
    receiver: NetAddress
    sender: NetAddress
    nonce: bytes  # 8 bytes, fresh for each connection
    user_agent: bytes
    streams: tuple[int, ...]

    @property
    def displayed_agent(self) -> str:
        """The first 64 printable ASCII characters of the user agent, the only ones to show or log (P15)."""
        return "".join(chr(byte) for byte in self.user_agent if 0x20 <= byte < 0x7F)[:64]


@dataclass(frozen=True, slots=True)
class Verack:
    """The other side's `version` is accepted."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Asks for a pong."""


@dataclass(frozen=True, slots=True)
class Pong:
    """Answers a ping; many peers also send it unasked, to stay connected."""


@dataclass(frozen=True, slots=True)
class AddrCommand:
    """Nodes that exist."""

    peers: tuple[PeerAddress, ...]


@dataclass(frozen=True, slots=True)
class Inv:
    """Objects that the sender has."""

    vectors: tuple[InventoryVector, ...]


@dataclass(frozen=True, slots=True)
class Dinv:
    """The same within a Dandelion stem."""

    vectors: tuple[InventoryVector, ...]


@dataclass(frozen=True, slots=True)
class Getdata:
    """Objects that the sender wants. Peers may name one twice."""

    vectors: tuple[InventoryVector, ...]


@dataclass(frozen=True, slots=True)
class ObjectCommand:
    """One object, unchecked: nonce, header fields and payload."""

    encoded: bytes


@dataclass(frozen=True, slots=True)
class ErrorCommand:
    """A complaint; `fatal` is 0 (warning), 1, or 2 (the connection ends). The text is a stranger's: for the log."""

    fatal: int
    ban_seconds: int
    vector: bytes  # of the object in question, or empty
    text: str


@dataclass(frozen=True, slots=True)
class UnknownCommand:
    """Some other command, to be counted and ignored (P6)."""

    name: bytes
    payload: bytes = b""


Command = (
    VersionCommand
    | Verack
    | Ping
    | Pong
    | AddrCommand
    | Inv
    | Dinv
    | Getdata
    | ObjectCommand
    | ErrorCommand
    | UnknownCommand
)


def read_command(packet: Packet) -> Command:
    """What `packet` says; BadCommand when its payload does not follow its command."""
    reader = _READERS.get(packet.command)
    if reader is None:
        return UnknownCommand(packet.command, packet.payload)
    try:
        return reader(WireReader(packet.payload))
    except ProtocolError as error:
        raise BadCommand(f"{packet.command.decode('ascii')}: {error}") from error


def encode_command(command: Command, magic: int) -> bytes:
    """The whole packet that says `command`. ValueError for what no peer may be sent, such as an empty inv."""
    name, payload = _name_and_payload(command)
    return encode_packet(Packet(name, payload), magic)


def split_vectors(vectors: Iterable[InventoryVector]) -> Iterator[tuple[InventoryVector, ...]]:
    """Cut any number of vectors into portions for one inv or getdata each: none empty, too long or repeating itself.

    MiNode drops a peer that names an object twice in one packet.
    """
    distinct = tuple(dict.fromkeys(vectors))
    for start in range(0, len(distinct), MAX_VECTORS_SENT):
        yield distinct[start : start + MAX_VECTORS_SENT]


def encode_host(host: str) -> bytes:
    """The 16 bytes that stand for a host; ValueError for names that do not fit, such as v3 onion names."""
    if host.endswith(_ONION_SUFFIX):
        name = base64.b32decode(host.removesuffix(_ONION_SUFFIX).upper())
        if len(name) != IP_SIZE - len(ONION_PREFIX):
            raise ValueError(f"no address field holds {host}")
        return ONION_PREFIX + name
    address = ipaddress.ip_address(host)
    return _IPV4_PREFIX + address.packed if address.version == 4 else address.packed


def decode_host(field: bytes) -> str:
    """The host in an address field of 16 bytes, as `NetAddress` spells it."""
    if field.startswith(_IPV4_PREFIX):
        return str(ipaddress.IPv4Address(field[-4:]))
    if field.startswith(ONION_PREFIX):
        return base64.b32encode(field[len(ONION_PREFIX) :]).decode("ascii").lower() + _ONION_SUFFIX
    return str(ipaddress.IPv6Address(field))


def _read_version(reader: WireReader) -> VersionCommand:
    """Bytes behind the streams are let pass: a later protocol version may add fields."""
    return VersionCommand(
        protocol_version=reader.uint32(),
        services=Services(reader.uint64()),
        timestamp=reader.uint64(),
        receiver=_read_net_address(reader),
        sender=_read_net_address(reader),
        nonce=reader.take(NONCE_SIZE),
        user_agent=reader.var_bytes(MAX_USER_AGENT),
        streams=tuple(_read_stream(reader) for _ in range(reader.count(1, MAX_STREAMS))),
    )


def _read_stream(reader: WireReader) -> int:
    stream = reader.varint()
    if not 1 <= stream <= MAX_STREAM:
        raise BadCommand(f"stream {stream}")
    return stream


def _read_net_address(reader: WireReader) -> NetAddress:
    return NetAddress(Services(reader.uint64()), decode_host(reader.take(IP_SIZE)), reader.uint16())


def _read_addr(reader: WireReader) -> AddrCommand:
    """Perhaps fewer peers than announced: MiNode counts those that it knows twice, and writes them once."""
    announced = reader.count(0, MAX_PEERS)
    peers = tuple(_read_peer_address(reader) for _ in range(min(announced, reader.remaining // _PEER_SIZE)))
    reader.finish()
    return AddrCommand(peers)


def _read_peer_address(reader: WireReader) -> PeerAddress:
    return PeerAddress(
        time=reader.uint64(),
        stream=reader.uint32(),
        services=Services(reader.uint64()),
        host=decode_host(reader.take(IP_SIZE)),
        port=reader.uint16(),
    )


def _read_vectors(reader: WireReader) -> tuple[InventoryVector, ...]:
    """Exactly as many as announced (P9): PyBitmessage takes a truncated list as far as it goes."""
    number = reader.count(VECTOR_SIZE, MAX_VECTORS)
    vectors = reader.items(number, VECTOR_SIZE)
    reader.finish()
    return cast(tuple[InventoryVector, ...], vectors)


def _read_error(reader: WireReader) -> ErrorCommand:
    return ErrorCommand(
        fatal=reader.varint(),
        ban_seconds=reader.varint(),
        vector=reader.var_bytes(VECTOR_SIZE),
        text=reader.var_bytes(MAX_ERROR_TEXT).decode("utf-8", "replace"),
    )


# A payload behind verack, ping and pong is let pass, as PyBitmessage and notbit do.
_READERS: dict[bytes, Callable[[WireReader], Command]] = {
    b"version": _read_version,
    b"verack": lambda _: Verack(),
    b"ping": lambda _: Ping(),
    b"pong": lambda _: Pong(),
    b"addr": _read_addr,
    b"inv": lambda reader: Inv(_read_vectors(reader)),
    b"dinv": lambda reader: Dinv(_read_vectors(reader)),
    b"getdata": lambda reader: Getdata(_read_vectors(reader)),
    b"object": lambda reader: ObjectCommand(reader.rest()),
    b"error": _read_error,
}


def _name_and_payload(command: Command) -> tuple[bytes, bytes]:
    match command:
        case VersionCommand():
            return b"version", _encode_version(command)
        case Verack():
            return b"verack", b""
        case Ping():
            return b"ping", b""
        case Pong():
            return b"pong", b""
        case AddrCommand(peers):
            return b"addr", _encode_addr(peers)
        case Inv(vectors):
            return b"inv", _encode_vectors(vectors)
        case Dinv(vectors):
            return b"dinv", _encode_vectors(vectors)
        case Getdata(vectors):
            return b"getdata", _encode_vectors(vectors)
        case ObjectCommand(encoded):
            return b"object", encoded
        case ErrorCommand():
            return b"error", _encode_error(command)
        case UnknownCommand(name, payload):
            return name, payload


def _encode_version(command: VersionCommand) -> bytes:
    return b"".join(
        (
            command.protocol_version.to_bytes(4),
            command.services.to_bytes(8),
            command.timestamp.to_bytes(8),
            _encode_net_address(command.receiver),
            _encode_net_address(command.sender),
            command.nonce,
            encode_var_bytes(command.user_agent),
            encode_varint(len(command.streams)),
            *map(encode_varint, command.streams),
        )
    )


def _encode_net_address(address: NetAddress) -> bytes:
    return address.services.to_bytes(8) + encode_host(address.host) + address.port.to_bytes(2)


def _encode_addr(peers: tuple[PeerAddress, ...]) -> bytes:
    if len(peers) > MAX_PEERS:
        raise ValueError(f"addr of {len(peers)} peers")
    return encode_varint(len(peers)) + b"".join(map(_encode_peer_address, peers))


def _encode_peer_address(peer: PeerAddress) -> bytes:
    return (
        peer.time.to_bytes(8)
        + peer.stream.to_bytes(4)
        + _encode_net_address(NetAddress(peer.services, peer.host, peer.port))
    )


def _encode_vectors(vectors: tuple[InventoryVector, ...]) -> bytes:
    if not 1 <= len(vectors) <= MAX_VECTORS:
        raise ValueError(f"{len(vectors)} vectors in one packet")
    return encode_varint(len(vectors)) + b"".join(vectors)


def _encode_error(command: ErrorCommand) -> bytes:
    return (
        encode_varint(command.fatal)
        + encode_varint(command.ban_seconds)
        + encode_var_bytes(command.vector)
        + encode_var_bytes(command.text.encode("utf-8"))
    )
