"""Msgs: what one identity writes to another, signed, then encrypted to the recipient's encryption key.

Decryption itself, which is tried with every key at hand, is the work of `crypto` and the native kernel; the content is
read by `encodings`. Source: protocol specification v3, "msg".
"""

from dataclasses import dataclass

from bmgate.bm.acks import ack_data_in
from bmgate.bm.addresses import RIPE_SIZE
from bmgate.bm.crypto import encrypt, sign, verify
from bmgate.bm.keys import Entropy, PrivateKeys
from bmgate.bm.objects import MAX_OBJECT, BitmessageObject, ObjectType, encode_header, encode_object, reading
from bmgate.bm.plaintext.pubkeys import MAX_SIGNATURE, Pubkey, encode_pubkey_record, take_pubkey_record
from bmgate.bm.wire import WireReader, encode_var_bytes, encode_varint
from bmgate.errors import BadObject

MSG_VERSION = 1


@dataclass(frozen=True, slots=True)
class Msg:
    """A msg that its sender signed for this very recipient. `ack` is a packet nobody has checked yet, or empty."""

    sender: Pubkey
    destination_ripe: bytes
    encoding: int
    message: bytes
    ack: bytes
    signature: bytes
    signed_data: bytes

    @property
    def ack_data(self) -> bytes:
        """What the sender waits for, the same in every attempt; empty when no ack is wanted."""
        return ack_data_in(self.ack)


def build_msg(
    sender: Pubkey,
    private: PrivateKeys,
    recipient: Pubkey,
    encoding: int,
    message: bytes,
    ack: bytes,
    expires_time: int,
    entropy: Entropy,
) -> bytes:
    """The object, without its work. Raises TooLarge."""
    content = (
        encode_pubkey_record(sender)
        + recipient.keys.ripe
        + encode_varint(encoding)
        + encode_var_bytes(message)
        + encode_var_bytes(ack)
    )
    header = encode_header(expires_time, ObjectType.MSG, MSG_VERSION, recipient.stream)
    plaintext = content + encode_var_bytes(sign(header + content, private.signing))
    ciphertext = encrypt(plaintext, recipient.keys.encryption, entropy)
    return encode_object(expires_time, ObjectType.MSG, MSG_VERSION, recipient.stream, ciphertext)


def read_msg(obj: BitmessageObject, plaintext: bytes, recipient_ripe: bytes) -> Msg:
    """The msg in `plaintext`, which came out of `obj` by the encryption key that belongs to `recipient_ripe`.

    Raises BadObject, also where the sender wrote it to somebody else, who passed it on (P23).
    """
    if obj.object_type != ObjectType.MSG or obj.version != MSG_VERSION:
        raise BadObject(f"msg: type {obj.object_type}, version {obj.version}")
    msg = parse_msg(obj, plaintext)
    if msg.destination_ripe != recipient_ripe:
        raise BadObject("msg: written to another recipient than the one whose key opened it")
    if not verify(msg.signed_data, msg.signature, msg.sender.keys.signing):
        raise BadObject(f"msg: the signature is not by {msg.sender.address}")
    return msg


def parse_msg(obj: BitmessageObject, plaintext: bytes) -> Msg:
    """The parts of a msg, neither its destination nor its signature checked; raises BadObject.

    Bytes after the signature are ignored, as every other implementation does; nobody signed them.
    """
    with reading("msg"):
        reader = WireReader(plaintext)
        sender = take_pubkey_record(reader)
        ripe, encoding = reader.take(RIPE_SIZE), reader.varint()
        message, ack = reader.var_bytes(MAX_OBJECT), reader.var_bytes(MAX_OBJECT)
        signed_data = obj.header + plaintext[: reader.position]
        return Msg(sender, ripe, encoding, message, ack, reader.var_bytes(MAX_SIGNATURE), signed_data)
