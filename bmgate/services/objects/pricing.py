"""What sending a mail costs: the trials for the msg, for the ack inside it and for the question for a key.

Before an object is built its size follows from that of the text; after that it is what it is. Trials are expectations.
"""

from dataclasses import dataclass

from bmgate.bm.acks import ack_ttl
from bmgate.bm.network import NetworkParameters
from bmgate.domain.outbox import UNBUILT, Kind, OutgoingMessage, State
from bmgate.domain.ports.world import chance
from bmgate.pow.target import expected_trials
from bmgate.services.objects.keys import Demand, minimum

_OBJECT_HEADER = 16  # nonce and expiry before the ack data
_PACKET_HEADER = 24
_PLAIN = 234  # bytes of a msg's plaintext from a v4 sender, without text and ack
_CIPHER = 140  # object header, IV, point and MAC around it
_PLAIN_BROADCAST = _PLAIN - 21  # no recipient's hash, and no length of an ack
_TAG = 32  # before the ciphertext of a broadcast
_BLOCK = 16

WORKED_ON = {State.NEED_PUBKEY: "getpubkey", State.ACK_POW: "ack", State.BUILT: "msg"}
"""The states in which a row's payload is an object that work is done for."""


@dataclass(frozen=True, slots=True)
class Price:
    """Expected trials that are still to pay, 0 for what is done or not needed."""

    msg: int = 0
    ack: int = 0
    getpubkey: int = 0

    @property
    def trials(self) -> int:
        """All together."""
        return self.msg + self.ack + self.getpubkey


@dataclass(frozen=True, slots=True)
class Pricing:
    """Prices on one network."""

    network: NetworkParameters

    def before(self, text_size: int, ack_data: bytes, ttl_seconds: int, demand: Demand, kind: Kind = Kind.MSG) -> Price:
        """Of an object that is not built: `text_size` is that of the encoded subject and body in bytes."""
        size = broadcast_size(text_size) if kind is Kind.BROADCAST else msg_size(text_size, ack_data)
        return Price(_trials(size, ttl_seconds, demand), self._ack(ack_data, ttl_seconds))

    def left(self, row: OutgoingMessage, text_size: int, demand: Demand, now: int) -> Price:
        """Of all that this attempt still has to work for."""
        estimate = self.before(text_size, row.ack_data, row.ttl_seconds, demand, row.kind)
        if row.state in UNBUILT:
            asked = self.payload(row, demand, now) if row.state is State.NEED_PUBKEY else 0
            return Price(estimate.msg, estimate.ack, asked)
        if row.state is State.ACK_POW:
            return Price(estimate.msg, self.payload(row, demand, now))
        return Price(self.payload(row, demand, now)) if row.state is State.BUILT else Price()

    def payload(self, row: OutgoingMessage, demand: Demand, now: int) -> int:
        """Expected trials of the object that is being worked on, 0 when there is none."""
        if not row.payload or row.state not in WORKED_ON:
            return 0
        left = max(row.expires_time - now, 0)
        return _trials(len(row.payload), left, demand if row.state is State.BUILT else minimum(self.network))

    def share_done(self, row: OutgoingMessage, text_size: int, demand: Demand, now: int) -> float:
        """How much of the work of an attempt is behind the row, 0 to 1; a search counts by its probability."""
        if row.state in UNBUILT:
            return 0.0
        left = self.left(row, text_size, demand, now)
        if not left.trials:
            return 1.0
        done = chance(row.saved_nonce, self.payload(row, demand, now))
        if row.state is State.ACK_POW:
            return left.ack * done / left.trials
        ack = self._ack(row.ack_data, row.ttl_seconds)
        return (ack + left.msg * done) / (ack + left.msg)

    def _ack(self, ack_data: bytes, ttl_seconds: int) -> int:
        if not ack_data:
            return 0
        return _trials(_OBJECT_HEADER + len(ack_data), ack_ttl(ttl_seconds), minimum(self.network))


def msg_size(text_size: int, ack_data: bytes) -> int:
    """Bytes of the msg object for a text of so many bytes."""
    ack = _PACKET_HEADER + _OBJECT_HEADER + len(ack_data) if ack_data else 0
    plain = _PLAIN + text_size + _longer(text_size) + ack + _longer(ack)
    return _CIPHER + _BLOCK * (plain // _BLOCK + 1)


def broadcast_size(text_size: int) -> int:
    """Bytes of the broadcast object of a v4 identity for a text of so many bytes."""
    return _CIPHER + _TAG + _BLOCK * ((_PLAIN_BROADCAST + text_size + _longer(text_size)) // _BLOCK + 1)


def _longer(length: int) -> int:
    """How many bytes more than one a length takes."""
    return 0 if length < 253 else 2 if length < 1 << 16 else 4


def _trials(size: int, ttl_seconds: int, demand: Demand) -> int:
    return expected_trials(size, ttl_seconds, demand.nonce_trials_per_byte, demand.payload_length_extra_bytes)
