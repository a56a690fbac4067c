"""Whether an object from a peer is kept: the checks that need nothing but the object, the clock and the network.

What else bears on it (is it known already, is its sender blocked) is the caller's. Every accepted object is compared
with the ack data we wait for, processed or not. Source: protocol specification v3, "Objects"; P16-P18.
"""

from enum import Enum, auto

from bmgate.bm.network import MAX_FUTURE_EXPIRY_SECONDS, PAST_EXPIRY_GRACE_SECONDS, STREAM, NetworkParameters
from bmgate.bm.objects import MAX_OBJECT, BitmessageObject, ObjectType, read_object
from bmgate.errors import BadObject
from bmgate.pow.target import is_work_sufficient

ANY_SIZE = range(2 * MAX_OBJECT)  # the header limits the rest

# Object type -> versions we read, and the sizes of the whole object that make sense, in bytes.
PROCESSED: dict[int, tuple[tuple[int, ...], range]] = {
    ObjectType.GETPUBKEY: ((2, 3, 4), range(42, 200 + 1)),
    ObjectType.PUBKEY: ((2, 3, 4), range(146, 440 + 1)),
    ObjectType.MSG: ((1,), ANY_SIZE),  # an ack of stealth level 0 has 54 bytes
    ObjectType.BROADCAST: ((4, 5), range(180, ANY_SIZE.stop)),
    ObjectType.ONIONPEER: ((3,), ANY_SIZE),  # version 2 names are dead since 2021
}


class Verdict(Enum):
    """What to do with an object: those in `KEPT` are stored and relayed, all others dropped."""

    ACCEPT = auto()
    ACCEPT_UNPROCESSED = auto()  # of a type, version or size we do not read
    TOO_LITTLE_WORK = auto()
    EXPIRED = auto()
    TOO_FAR = auto()
    WRONG_STREAM = auto()
    TOO_LARGE = auto()
    MALFORMED = auto()


KEPT = frozenset({Verdict.ACCEPT, Verdict.ACCEPT_UNPROCESSED})


def judge(encoded: bytes, now: int, network: NetworkParameters) -> tuple[Verdict, BitmessageObject | None]:
    """The verdict, and the object unless its header cannot be read; `now` in Unix seconds."""
    try:
        obj = read_object(encoded)
    except BadObject:
        return Verdict.MALFORMED, None
    return _verdict(obj, now, network), obj


def _verdict(obj: BitmessageObject, now: int, network: NetworkParameters) -> Verdict:
    """Work comes before all that a stranger could get for nothing."""
    if len(obj.payload) > MAX_OBJECT:
        return Verdict.TOO_LARGE
    if not is_work_sufficient(obj.encoded, now, network.nonce_trials_per_byte, network.payload_length_extra_bytes):
        return Verdict.TOO_LITTLE_WORK
    if obj.is_expired(now - PAST_EXPIRY_GRACE_SECONDS):
        return Verdict.EXPIRED
    if obj.expires_time > now + MAX_FUTURE_EXPIRY_SECONDS:
        return Verdict.TOO_FAR
    if obj.stream != STREAM:
        return Verdict.WRONG_STREAM
    return Verdict.ACCEPT if _is_processed(obj) else Verdict.ACCEPT_UNPROCESSED


def _is_processed(obj: BitmessageObject) -> bool:
    versions, sizes = PROCESSED.get(obj.object_type, ((), range(0)))
    return obj.version in versions and len(obj.encoded) in sizes
