"""Objects that are ours: the work they need, the random delays before they leave, and how they enter the inventory."""

import math

from bmgate.bm.keys import Entropy
from bmgate.bm.network import NetworkParameters
from bmgate.bm.objects import read_object
from bmgate.domain.account import AccountId
from bmgate.domain.objects import StoredObject
from bmgate.domain.outbox import OutgoingMessage, Priority, State
from bmgate.domain.ports.world import Urgency, WorkJob
from bmgate.pow.target import initial_hash, target
from bmgate.services.objects.keys import Demand

RETRY_SECONDS = 20.0  # after trouble that may pass: a full disk, a locked account

_PRIORITIES = (Priority.HIGH, Priority.NORMAL, Priority.LOW)
_HEADROOM_SECONDS = 300  # a peer whose clock is slow sees a longer TTL, and asks for more work
_STEM_SECONDS = 60  # a restart in mid-stem must not show the object to everybody at once


def work_job(
    payload: bytes,
    start_nonce: int,
    demand: Demand,
    urgency: Urgency,
    owner: AccountId | None,
    now: int,
    rank: int = 0,
) -> WorkJob:
    """The search for the nonce of `payload`, a whole object with nonce 0."""
    ttl = max(read_object(payload).expires_time - now, 0) + _HEADROOM_SECONDS
    limit = target(len(payload), ttl, demand.nonce_trials_per_byte, demand.payload_length_extra_bytes)
    return WorkJob(initial_hash(payload), limit, start_nonce, urgency, owner, rank)


def work_rank(row: OutgoingMessage) -> int:
    """The place of a mail's work among its account's: by priority, and what is nearly sent before what is begun.

    Otherwise the acks of a hundred mails would be worked for before the first of the mails.
    """
    return 2 * _PRIORITIES.index(row.priority) + (row.state is not State.BUILT)


def own_object(encoded: bytes, now: int, network: NetworkParameters) -> StoredObject:
    """A finished object of ours, hidden while its stem may last."""
    return StoredObject(read_object(encoded), own=True, stem_until=now + int(network.stem_time(_STEM_SECONDS)))


def random_delay(mean: float, entropy: Entropy) -> float:
    """Seconds, exponentially distributed, so that the time of an object tells little about its cause."""
    fraction = (int.from_bytes(entropy(8), "big") + 1) / 2**64
    return -math.log(fraction) * mean
