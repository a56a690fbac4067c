"""Pubkeys: what an identity publishes about itself, and how it travels.

The same record (version, stream, behavior bits, keys, demands) opens every msg and broadcast as its sender.
Source: protocol specification v3, "pubkey" and "Pubkey bitfield features".
"""

from dataclasses import dataclass
from enum import IntFlag

from bmgate.bm.addresses import MAX_STREAM, MAX_VERSION, Address
from bmgate.bm.crypto import decrypt, encrypt, sign, verify
from bmgate.bm.keys import POINT_SIZE, Entropy, PrivateKeys, PublicKeys, public_point
from bmgate.bm.objects import BitmessageObject, ObjectType, encode_header, encode_object, reading
from bmgate.bm.wire import WireReader, encode_var_bytes, encode_varint
from bmgate.errors import BadObject

MAX_SIGNATURE = 256  # bytes; a true one has at most 72


class Behavior(IntFlag):
    """What an identity asks of those who write to it. Unknown bits are kept and ignored."""

    DOES_ACK = 0x00000001
    READS_FILES = 0x00000100  # ours: reads files and parents of encoding 3 (O11)


@dataclass(frozen=True, slots=True)
class Pubkey:
    """The public side of an identity. Demands are 0 in version 2, which has none: the network's minimum applies."""

    version: int
    stream: int
    behavior: int
    keys: PublicKeys
    nonce_trials_per_byte: int
    payload_length_extra_bytes: int

    @property
    def address(self) -> Address:
        return self.keys.address(self.version, self.stream)

    @property
    def does_ack(self) -> bool:
        return bool(self.behavior & Behavior.DOES_ACK)

    @property
    def reads_files(self) -> bool:
        return bool(self.behavior & Behavior.READS_FILES)


def encode_pubkey_record(pubkey: Pubkey) -> bytes:
    """The record as it opens a msg; also PyBitmessage's `transmitdata`."""
    return encode_varint(pubkey.version) + encode_varint(pubkey.stream) + _published_part(pubkey)


def read_pubkey_record(data: bytes) -> Pubkey:
    """A whole stored record; raises BadObject."""
    with reading("pubkey record"):
        reader = WireReader(data)
        pubkey = take_pubkey_record(reader)
        reader.finish()
        return pubkey


def take_pubkey_record(reader: WireReader) -> Pubkey:
    """The record at the cursor; ProtocolError for versions, streams and keys that cannot be (P24)."""
    version, stream = reader.varint(), reader.varint()
    return _take_published_part(reader, version, stream)


def build_pubkey(pubkey: Pubkey, private: PrivateKeys, expires_time: int, entropy: Entropy) -> bytes:
    """The object that publishes `pubkey`, without its work; version 3 and 4 signed, version 4 encrypted."""
    published = _published_part(pubkey)
    header = encode_header(expires_time, ObjectType.PUBKEY, pubkey.version, pubkey.stream)
    address = pubkey.address
    match pubkey.version:
        case 2:
            payload = published
        case 3:
            payload = published + encode_var_bytes(sign(header + published, private.signing))
        case _:
            signature = sign(header + address.tag + published, private.signing)
            plaintext = published + encode_var_bytes(signature)
            payload = address.tag + encrypt(plaintext, public_point(address.derived_key), entropy)
    return encode_object(expires_time, ObjectType.PUBKEY, pubkey.version, pubkey.stream, payload)


def open_pubkey(obj: BitmessageObject, address: Address | None = None) -> Pubkey:
    """The pubkey in `obj`, its signature and, if given, its `address` checked; raises BadObject.

    Version 4 cannot be opened without the address. Versions 2 and 3 tell theirs; version 2 is signed by nobody.
    """
    if obj.object_type != ObjectType.PUBKEY or obj.version not in (2, 3, 4):
        raise BadObject(f"pubkey: type {obj.object_type}, address version {obj.version}")
    pubkey = read_pubkey(obj, _decrypt_for(obj, address) if obj.version == 4 else obj.payload)
    if address is not None and pubkey.address != address:
        raise BadObject(f"pubkey of {pubkey.address}, not of {address}")
    return pubkey


def read_pubkey(obj: BitmessageObject, clear: bytes) -> Pubkey:
    """The pubkey in `obj`, of which `clear` is all from the behavior bits on; signature and tag checked. BadObject."""
    with reading("pubkey"):
        reader = WireReader(clear)
        pubkey = _take_published_part(reader, obj.version, obj.stream)
        signed_data = obj.header + (obj.tag if obj.has_tag else b"") + clear[: reader.position]
        if obj.version >= 3 and not verify(signed_data, reader.var_bytes(MAX_SIGNATURE), pubkey.keys.signing):
            raise BadObject("the signature is not by the signing key")  # as notbit 0.7 signs its v3 pubkeys
    if obj.has_tag and obj.tag != pubkey.address.tag:
        raise BadObject(f"pubkey with another tag than that of {pubkey.address}")
    return pubkey


def _decrypt_for(obj: BitmessageObject, address: Address | None) -> bytes:
    if address is None:
        raise BadObject("pubkey of version 4: only who knows the address can read it")
    if obj.tag != address.tag:  # holds version and stream too: both are hashed into the tag
        raise BadObject(f"pubkey with another tag than that of {address}")
    plaintext = decrypt(obj.ciphertext, address.derived_key)
    if plaintext is None:
        raise BadObject(f"pubkey of {address} that its address does not open")
    return plaintext


def _take_published_part(reader: WireReader, version: int, stream: int) -> Pubkey:
    if not 2 <= version <= MAX_VERSION or not 1 <= stream <= MAX_STREAM:
        raise BadObject(f"address version {version}, stream {stream}")
    behavior = reader.uint32()
    keys = PublicKeys(reader.take(POINT_SIZE), reader.take(POINT_SIZE)).validated()
    nonce_trials, extra_bytes = (reader.varint(), reader.varint()) if version >= 3 else (0, 0)
    return Pubkey(version, stream, behavior, keys, nonce_trials, extra_bytes)


def _published_part(pubkey: Pubkey) -> bytes:
    """From the behavior bits on: what is in the pubkey object but not in its header."""
    fixed = pubkey.behavior.to_bytes(4, "big") + pubkey.keys.signing + pubkey.keys.encryption
    if pubkey.version < 3:
        return fixed
    demands = encode_varint(pubkey.nonce_trials_per_byte) + encode_varint(pubkey.payload_length_extra_bytes)
    return fixed + demands
