"""Bitmessage objects: the common header, and the types whose payload is in clear (getpubkey, onionpeer).

Leaves encrypted payloads to `plaintext`, and the decision to keep an object to `acceptance`.
Source: protocol specification v3, "Objects". All integers are big-endian.
"""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum

from bmgate.bm.addresses import RIPE_SIZE, Address
from bmgate.bm.commands import IP_SIZE, ONION_PREFIX, decode_host
from bmgate.bm.hashes import InventoryVector, inventory_vector
from bmgate.bm.wire import WireReader, encode_varint
from bmgate.errors import BadObject, ProtocolError, TooLarge

MAX_OBJECT = 262_144  # bytes: of the whole object when we send, of the part after the header when we receive
TYPE_OFFSET = 16  # where the object type stands; ack data is everything from here on
TAG_SIZE = 32
MAX_GETPUBKEY = 200  # bytes of the whole object

ONION_V3_SIZE = 35  # bytes behind the prefix


class ObjectType(IntEnum):
    """The types there are; I2P and ADDR are relayed and never read."""

    GETPUBKEY = 0
    PUBKEY = 1
    MSG = 2
    BROADCAST = 3
    ONIONPEER = 0x746F72
    I2P = 0x493250
    ADDR = 0x61646472


@dataclass(frozen=True, slots=True)
class BitmessageObject:
    """An object with its common header read; `object_type` and `version` may be numbers nobody knows."""

    encoded: bytes
    nonce: int
    expires_time: int
    object_type: int
    version: int
    stream: int
    payload: bytes

    @property
    def vector(self) -> InventoryVector:
        return inventory_vector(self.encoded)

    @property
    def header(self) -> bytes:
        """From expiresTime through stream: how the signed data of every signed object begins."""
        return self.encoded[8 : len(self.encoded) - len(self.payload)]

    @property
    def tag(self) -> bytes:
        """The first 32 payload bytes, or fewer: what pubkeys v4, broadcasts v5 and getpubkeys are looked up by."""
        return self.payload[:TAG_SIZE]

    @property
    def has_tag(self) -> bool:
        """Whether a tag in clear comes before the ciphertext."""
        return (self.object_type, self.version) in ((ObjectType.PUBKEY, 4), (ObjectType.BROADCAST, 5))

    @property
    def ciphertext(self) -> bytes:
        """What to decrypt in a msg, a broadcast or a pubkey v4."""
        return self.payload[TAG_SIZE:] if self.has_tag else self.payload

    def is_expired(self, now: int) -> bool:
        return self.expires_time < now


def read_object(encoded: bytes) -> BitmessageObject:
    """Read the common header of a whole object, nonce included; raises BadObject."""
    with reading("object header"):
        reader = WireReader(encoded)
        nonce, expires_time, object_type = reader.uint64(), reader.uint64(), reader.uint32()
        version, stream = reader.varint(), reader.varint()
    return BitmessageObject(encoded, nonce, expires_time, object_type, version, stream, reader.rest())


def encode_object(
    expires_time: int, object_type: int, version: int, stream: int, payload: bytes, nonce: int = 0
) -> bytes:
    """A whole object; the work is still to be done while `nonce` is 0. Raises TooLarge."""
    header = encode_header(expires_time, object_type, version, stream)
    encoded = nonce.to_bytes(8, "big") + header + payload
    if len(encoded) > MAX_OBJECT:
        raise TooLarge(f"object of {len(encoded)} bytes, Bitmessage carries {MAX_OBJECT}")
    return encoded


def encode_header(expires_time: int, object_type: int, version: int, stream: int) -> bytes:
    """From expiresTime through stream, as `BitmessageObject.header`."""
    fixed = expires_time.to_bytes(8, "big") + object_type.to_bytes(4, "big")
    return fixed + encode_varint(version) + encode_varint(stream)


def with_nonce(encoded: bytes, nonce: int) -> bytes:
    """The same object with its work done."""
    return nonce.to_bytes(8, "big") + encoded[8:]


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Whatever is wrong with the bytes read within is a BadObject that says what they were to be."""
    try:
        yield
    except ProtocolError as error:
        raise BadObject(f"{what}: {error}") from error


# --- getpubkey ---


@dataclass(frozen=True, slots=True)
class Getpubkey:
    """Somebody asks for a pubkey by its ripe (20 bytes, versions 2 and 3) or its tag (32 bytes, version 4)."""

    address_version: int
    stream: int
    lookup: bytes


def read_getpubkey(obj: BitmessageObject) -> Getpubkey:
    """Raises BadObject; bytes after the lookup are tolerated, as PyBitmessage does."""
    if obj.object_type != ObjectType.GETPUBKEY or obj.version not in (2, 3, 4):
        raise BadObject(f"getpubkey: type {obj.object_type}, address version {obj.version}")
    size = TAG_SIZE if obj.version == 4 else RIPE_SIZE
    if len(obj.payload) < size or len(obj.encoded) > MAX_GETPUBKEY:
        raise BadObject(f"getpubkey of {len(obj.encoded)} bytes")
    return Getpubkey(obj.version, obj.stream, obj.payload[:size])


def encode_getpubkey(address: Address, expires_time: int) -> bytes:
    """The object that asks for the pubkey of `address`, without its work."""
    return encode_object(expires_time, ObjectType.GETPUBKEY, address.version, address.stream, address.lookup)


# --- onionpeer ---


@dataclass(frozen=True, slots=True)
class OnionPeer:
    """A node somebody says is there: `host` is a .onion name or an IP address. Nobody signed this."""

    host: str
    port: int


def read_onionpeer(obj: BitmessageObject) -> OnionPeer:
    """Raises BadObject. Version 2 objects hold names of Tor's dead second version; they read well all the same."""
    if obj.object_type != ObjectType.ONIONPEER or obj.version not in (2, 3):
        raise BadObject(f"onionpeer: type {obj.object_type:#x}, version {obj.version}")
    with reading("onionpeer"):
        reader = WireReader(obj.payload)
        port, host = reader.varint(), reader.rest()
    if not 0 < port < 65536:
        raise BadObject(f"onionpeer: port {port}")
    return OnionPeer(_host_name(host), port)


def encode_onionpeer(peer: OnionPeer, expires_time: int) -> bytes:
    """The object that tells of our onion service (a 56-letter name), in stream 1 and without its work."""
    name = base64.b32decode(peer.host.removesuffix(".onion").upper())
    if len(name) != ONION_V3_SIZE:
        raise ValueError(f"no name of an onion service: {peer.host}")
    payload = encode_varint(peer.port) + ONION_PREFIX + name
    return encode_object(expires_time, ObjectType.ONIONPEER, 3, 1, payload)


def _host_name(host: bytes) -> str:
    is_onion_v3 = host.startswith(ONION_PREFIX) and len(host) == len(ONION_PREFIX) + ONION_V3_SIZE
    if len(host) != IP_SIZE and not is_onion_v3:
        raise BadObject(f"onionpeer: host of {len(host)} bytes")
    return decode_host(host)
