"""Whom to send away when all inbound places are taken and somebody new knocks (P4, T2).

Places are kept by what an attacker cannot have many of at once: networks chosen by a secret, short ways to us, objects
that were new to us, long acquaintance. Of the rest goes the youngest of the network with the most connections.
Source: Bitcoin Core's node/eviction.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from bmgate.bm.node.download import PeerId
from bmgate.bm.node.targets import network_group

PROTECTED_BY_GROUP = 4
PROTECTED_BY_LATENCY = 8
PROTECTED_BY_USE = 4


@dataclass(frozen=True, slots=True)
class Candidate:
    """An inbound connection to a stranger. Times are monotonic seconds."""

    id: PeerId
    host: str
    since: float
    latency: float | None  # seconds its handshake took; None while that is not done
    useful_at: float = 0.0  # when it last brought an object that was new to us, 0 for never


def choose_victim(candidates: Sequence[Candidate], key: bytes) -> PeerId | None:
    """Who goes; None when all that are left are worth keeping. `key` is secret."""
    left = list(candidates)
    left = _without_best(left, PROTECTED_BY_GROUP, lambda each: _keyed(network_group(each.host), key))
    answering = [each for each in left if each.latency is not None]
    left = _without(left, _best(answering, PROTECTED_BY_LATENCY, lambda each: each.latency or 0.0))
    left = _without(
        left, _best([each for each in left if each.useful_at], PROTECTED_BY_USE, lambda each: -each.useful_at)
    )
    left = _without_best(left, (len(left) + 1) // 2, lambda each: each.since)
    if not left:
        return None
    crowd = Counter(network_group(each.host) for each in left)
    return max(left, key=lambda each: (crowd[network_group(each.host)], each.since)).id


def _best(of: list[Candidate], number: int, key: Callable[[Candidate], float]) -> list[Candidate]:
    return sorted(of, key=key)[:number]


def _without(candidates: list[Candidate], some: list[Candidate]) -> list[Candidate]:
    kept = {each.id for each in some}
    return [each for each in candidates if each.id not in kept]


def _without_best(candidates: list[Candidate], number: int, key: Callable[[Candidate], float]) -> list[Candidate]:
    return _without(candidates, _best(candidates, number, key))


def _keyed(group: str, key: bytes) -> float:
    return float(int.from_bytes(blake2b(group.encode(), digest_size=6, key=key).digest()))
