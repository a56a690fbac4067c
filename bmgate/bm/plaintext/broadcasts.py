"""Broadcasts: what an identity writes to all who know its address.

Version 4 comes from address versions 2 and 3 and has no tag: it must be tried with every such subscription.
Version 5 comes from address version 4 and is found by its tag. Source: protocol specification v3, "broadcast".
"""

from dataclasses import dataclass

from bmgate.bm.addresses import Address
from bmgate.bm.crypto import decrypt, encrypt, sign, verify
from bmgate.bm.keys import Entropy, PrivateKeys, public_point
from bmgate.bm.objects import MAX_OBJECT, BitmessageObject, ObjectType, encode_header, encode_object, reading
from bmgate.bm.plaintext.pubkeys import MAX_SIGNATURE, Pubkey, encode_pubkey_record, take_pubkey_record
from bmgate.bm.wire import WireReader, encode_var_bytes, encode_varint
from bmgate.errors import BadObject

SENDER_VERSIONS = {4: (2, 3), 5: (4,)}  # broadcast version -> address versions that send it


@dataclass(frozen=True, slots=True)
class Broadcast:
    """A broadcast signed by its sender; whoever knows his address can read it."""

    sender: Pubkey
    encoding: int
    message: bytes
    signature: bytes
    signed_data: bytes


def build_broadcast(
    sender: Pubkey, private: PrivateKeys, encoding: int, message: bytes, expires_time: int, entropy: Entropy
) -> bytes:
    """The object, without its work. Raises TooLarge."""
    version = 5 if sender.version >= 4 else 4
    address = sender.address
    tag = address.tag if version == 5 else b""
    content = encode_pubkey_record(sender) + encode_varint(encoding) + encode_var_bytes(message)
    header = encode_header(expires_time, ObjectType.BROADCAST, version, sender.stream)
    plaintext = content + encode_var_bytes(sign(header + tag + content, private.signing))
    payload = tag + encrypt(plaintext, public_point(address.derived_key), entropy)
    return encode_object(expires_time, ObjectType.BROADCAST, version, sender.stream, payload)


def open_broadcast(obj: BitmessageObject, address: Address) -> Broadcast | None:
    """The broadcast if it is by `address`, None if that address does not open it; raises BadObject."""
    if obj.has_tag and obj.tag != address.tag:
        return None
    plaintext = decrypt(obj.ciphertext, address.derived_key)
    if plaintext is None:
        return None
    broadcast = read_broadcast(obj, plaintext)
    if broadcast.sender.address != address:
        raise BadObject(f"broadcast by {broadcast.sender.address} under the key of {address}")
    return broadcast


def read_broadcast(obj: BitmessageObject, plaintext: bytes) -> Broadcast:
    """The broadcast in `plaintext`, its own parts and its signature checked; raises BadObject.

    That its sender is the subscription which opened it is for the caller to see: in version 4 nothing else binds them.
    """
    if obj.object_type != ObjectType.BROADCAST or obj.version not in SENDER_VERSIONS:
        raise BadObject(f"broadcast: type {obj.object_type}, version {obj.version}")
    broadcast = parse_broadcast(obj, plaintext)
    sender = broadcast.sender
    if sender.version not in SENDER_VERSIONS[obj.version] or sender.stream != obj.stream:
        raise BadObject(f"broadcast {obj.version} in stream {obj.stream} by {sender.address}")
    if obj.has_tag and obj.tag != sender.address.tag:
        raise BadObject(f"broadcast with another tag than that of its sender {sender.address}")
    if not verify(broadcast.signed_data, broadcast.signature, sender.keys.signing):
        raise BadObject(f"broadcast: the signature is not by {sender.address}")
    return broadcast


def parse_broadcast(obj: BitmessageObject, plaintext: bytes) -> Broadcast:
    """The parts of a broadcast, none of its claims checked; raises BadObject."""
    with reading("broadcast"):
        reader = WireReader(plaintext)
        sender = take_pubkey_record(reader)
        encoding, message = reader.varint(), reader.var_bytes(MAX_OBJECT)
        tag = obj.tag if obj.has_tag else b""
        signed_data = obj.header + tag + plaintext[: reader.position]
        return Broadcast(sender, encoding, message, reader.var_bytes(MAX_SIGNATURE), signed_data)
