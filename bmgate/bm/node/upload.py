"""What a peer asked for and is still to get.

A request that names an object we do not have, or show nobody yet, is ignored whole, and the peer with it for a while:
who holds a fresh hash cannot ask node after node where its object came from (P11, V22). The first answers wait as long.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

from bmgate.bm.hashes import InventoryVector

HOP_SECONDS = 5.2  # PyBitmessage's figure for an announcement to go one hop, on the average
HOP_DEGREE = 20


def anti_intersection_seconds(known_nodes: int) -> float:
    """How long, by PyBitmessage's rule, an object needs to be everywhere in a network of so many nodes."""
    return math.ceil(math.log(known_nodes + 2, HOP_DEGREE)) * HOP_SECONDS


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """`queue` in objects. A peer may take `octets_per_second`, and `burst_octets` at most that it has saved up."""

    queue: int = 50_000
    burst_octets: float = 256 * 1024 * 1024
    octets_per_second: float = 256 * 1024


class Uploads:
    """One peer's queue. `now` is monotonic seconds; `delay`, in seconds, is the network's anti-intersection delay."""

    def __init__(self, now: float, delay: float, limits: UploadLimits = UploadLimits()) -> None:
        self._limits, self._delay = limits, delay
        self._queue: dict[InventoryVector, None] = {}
        self._start = now + delay
        self._deaf_until = now
        self._octets, self._filled_at = limits.burst_octets, now

    def __len__(self) -> int:
        return len(self._queue)

    def request(
        self, vectors: Iterable[InventoryVector], now: float, is_shown: Callable[[InventoryVector], bool]
    ) -> None:
        """Queue each object once, as long as there is room; the rest is not answered."""
        if now < self._deaf_until:
            return
        wanted = dict.fromkeys(vectors)
        if not all(map(is_shown, wanted)):
            self._deaf_until = now + self._delay
            return
        for vector in wanted:
            if len(self._queue) >= self._limits.queue:
                return
            self._queue[vector] = None

    def take(self, number: int, now: float) -> list[InventoryVector]:
        """At most `number` objects to send now; what they weigh is told to `spend`."""
        self._fill(now)
        if now < self._start or self._octets <= 0:
            return []
        vectors = list(islice(self._queue, number))
        for vector in vectors:
            del self._queue[vector]
        return vectors

    def spend(self, octets: int) -> None:
        """Count what was sent; nobody knows it beforehand, so the bucket may go below zero."""
        self._octets -= octets

    def wait(self, now: float) -> float:
        """Seconds until `take` may yield something again; only asked while something is queued."""
        self._fill(now)
        return max(self._start - now, (1 - self._octets) / self._limits.octets_per_second, 0.0)

    def _fill(self, now: float) -> None:
        saved_up = self._octets + (now - self._filled_at) * self._limits.octets_per_second
        self._octets, self._filled_at = min(self._limits.burst_octets, saved_up), now
