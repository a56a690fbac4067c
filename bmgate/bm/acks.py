"""Acknowledgements: small objects a sender makes, works for and embeds, and the recipient publishes.

*Ack data* is such an object from its type field on: the sender watches for it, and it stays the same over all attempts
while nonce and expiry change. Nothing here decides whether an ack is published; that takes `acceptance` as well (P26).
Source: protocol specification v3, "Acknowledgements".
"""

from bmgate.bm.crypto import encrypt
from bmgate.bm.keys import Entropy, public_point
from bmgate.bm.objects import TYPE_OFFSET, BitmessageObject, ObjectType, encode_header, read_object
from bmgate.bm.packets import HEADER, Packet, PacketReader, encode_packet
from bmgate.errors import BadObject, BadPacket
from bmgate.units import DAY

TTL_BUCKETS = (DAY, 7 * DAY, 28 * DAY)  # seconds; coarse, so that an ack does not tell which msg it belongs to
MAX_ACK = 2048  # bytes of the embedded object

MIN_DUMMY, MAX_DUMMY = 234, 800  # bytes of plaintext in an ack that looks like a msg


def build_ack_data(stealth_level: int, stream: int, entropy: Entropy) -> bytes:
    """Fresh ack data: 0 a msg of 32 random bytes, 1 looks like a getpubkey, 2 like a small msg."""
    match stealth_level:
        case 0:
            return _ack_data(ObjectType.MSG, 1, stream, entropy(32))
        case 1:
            return _ack_data(ObjectType.GETPUBKEY, 4, stream, entropy(32))
        case 2:
            return _ack_data(ObjectType.MSG, 1, stream, _dummy_msg(entropy))
        case _:
            raise ValueError(f"ack stealth level {stealth_level}")


def ack_ttl(message_ttl: int) -> int:
    """How long the ack of a msg lives, in seconds: the next bucket above."""
    return next((bucket for bucket in TTL_BUCKETS[:-1] if message_ttl < bucket), TTL_BUCKETS[-1])


def ack_object(ack_data: bytes, expires_time: int) -> bytes:
    """The whole object, its work still to be done."""
    return bytes(8) + expires_time.to_bytes(8, "big") + ack_data


def ack_packet(encoded_object: bytes, magic: int) -> bytes:
    """What is embedded in the msg: a finished packet."""
    return encode_packet(Packet(b"object", encoded_object), magic)


def read_ack(packet: bytes, magic: int) -> BitmessageObject:
    """The object in the ack packet of a msg, so far as it needs no clock: work and expiry are `acceptance`'s to judge.

    Raises BadObject, also for what we would not publish for a stranger: anything large or of other types.
    """
    encoded = _packet_payload(packet, magic)
    if len(encoded) > MAX_ACK:
        raise BadObject(f"ack of {len(encoded)} bytes")
    obj = read_object(encoded)
    if obj.object_type not in (ObjectType.GETPUBKEY, ObjectType.MSG):
        raise BadObject(f"ack of type {obj.object_type}")
    return obj


def ack_data_of(encoded_object: bytes) -> bytes:
    return encoded_object[TYPE_OFFSET:]


def ack_data_in(packet: bytes) -> bytes:
    """The ack data inside an ack packet that need not be valid; empty when there is none."""
    return ack_data_of(packet[HEADER.size :])


def _ack_data(object_type: ObjectType, version: int, stream: int, body: bytes) -> bytes:
    header = encode_header(0, object_type, version, stream)
    return header[TYPE_OFFSET - 8 :] + body


def _dummy_msg(entropy: Entropy) -> bytes:
    """Random bytes for a throw-away key: only whoever knows the ciphertext can tell it from a msg."""
    size = MIN_DUMMY + int.from_bytes(entropy(8), "big") % (MAX_DUMMY - MIN_DUMMY + 1)
    return encrypt(entropy(size), public_point(entropy(32)), entropy)


def _packet_payload(packet: bytes, magic: int) -> bytes:
    reader = PacketReader(magic)
    reader.feed(packet)
    try:
        inner = reader.next_packet()
    except BadPacket as error:
        raise BadObject(f"ack packet: {error}") from error
    if inner is None or len(packet) != HEADER.size + len(inner.payload):
        raise BadObject(f"ack packet: {len(packet)} bytes are not one packet")
    if inner.command != b"object":
        raise BadObject(f"ack packet: command {inner.command!r}")
    return inner.payload
