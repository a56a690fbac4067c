"""Somebody out there who writes to us: msgs with their work done, as they come from the network."""

import os

from stations import Station, User
from storage_fixtures import NOW

from bmgate.bm.acks import ack_object, ack_packet, build_ack_data
from bmgate.bm.encodings import SIMPLE, encode_message
from bmgate.bm.keys import PrivateKeys, random_keys
from bmgate.bm.network import TESTNET
from bmgate.bm.objects import read_object, with_nonce
from bmgate.bm.plaintext import Behavior, Pubkey, build_msg
from bmgate.native import choose_backend
from bmgate.pow.target import initial_hash, target

DAY = 86_400
HELLO = encode_message("Hi", "from afar")


def worked(encoded: bytes, now: int = NOW, nonce_trials_per_byte: int = 1) -> bytes:
    """With its proof of work."""
    ttl = max(read_object(encoded).expires_time - now, 300)
    limit = target(len(encoded), ttl, nonce_trials_per_byte, TESTNET.payload_length_extra_bytes)
    nonce, _ = choose_backend().search(initial_hash(encoded), limit, 0, 1 << 40, bytearray(1))
    assert nonce is not None
    return with_nonce(encoded, nonce)


class Writer:
    """Somebody out there who writes to us."""

    def __init__(self, behavior: int = Behavior.DOES_ACK) -> None:
        self.keys: PrivateKeys = random_keys(os.urandom, leading_zeros=0)
        self.pubkey = Pubkey(4, 1, behavior, self.keys.public, 1, 1000)
        self.new_mail()

    def new_mail(self) -> None:
        """What follows is another mail, not a resend."""
        self.ack_data = build_ack_data(1, 1, os.urandom)

    def ack(self, expires: int = NOW + DAY) -> bytes:
        return ack_packet(worked(ack_object(self.ack_data, expires)), TESTNET.magic)

    def msg(
        self,
        recipient: Pubkey,
        message: bytes = HELLO,
        encoding: int = SIMPLE,
        ack: bytes | None = None,
        expires: int = NOW + 4 * DAY,
    ) -> bytes:
        """A msg for `recipient` with its work done."""
        packet = self.ack() if ack is None else ack
        return worked(build_msg(self.pubkey, self.keys, recipient, encoding, message, packet, expires, os.urandom))


async def key_of(user: User) -> Pubkey:
    """As it is published."""
    return await user.station.database.read(lambda store: store.identities.public_record(user.identity.id))


async def receive(station: Station, *encoded: bytes) -> None:
    await station.add_objects(encoded)
    await station.settle()
