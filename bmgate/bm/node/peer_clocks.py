"""What peers say the time is, compared with our clock; never used to set it (P15, D6).

Counted are the last words of nodes that we called ourselves, one for each source: who calls us could tell anything.
They are kept on the monotonic clock, so that a jump of ours shows at once.
"""

import logging
from collections.abc import Callable, Collection

from bmgate.bm.conversation import Conversation
from bmgate.bm.hashes import InventoryVector
from bmgate.bm.node.pool import Connection
from bmgate.domain.ports.world import Clock
from bmgate.domain.sources import source_group

log = logging.getLogger(__name__)

MAX_SOURCES = 50  # the oldest out
ENOUGH = 3  # fewer say nothing
WRONG_SECONDS = 3_600  # beyond it nodes refuse each other
FAR_SECONDS = 6 * 3_600
WARNED_SECONDS = 3_600.0  # between two warnings


class PeerClocks:
    """`now` is monotonic, `unix_now` our Unix time; both in seconds."""

    def __init__(self) -> None:
        self._ahead: dict[str, float] = {}  # by source: their Unix time less our monotonic one

    def heard(self, host: str, timestamp: int, now: float) -> None:
        """A node that we called says it is `timestamp` (Unix seconds)."""
        source = source_group(host)
        self._ahead.pop(source, None)
        self._ahead[source] = timestamp - now
        if len(self._ahead) > MAX_SOURCES:
            del self._ahead[next(iter(self._ahead))]

    def offset(self, now: float, unix_now: int) -> int | None:
        """By how many seconds the one in the middle is ahead of us; None while there are too few."""
        if len(self._ahead) < ENOUGH:
            return None
        middle = sorted(self._ahead.values())[len(self._ahead) // 2]
        return round(middle + now - unix_now)

    def are_refused(self, now: float, unix_now: int) -> bool:
        """Whether nodes refuse us, and we them, because of our clock."""
        return abs(self.offset(now, unix_now) or 0) > WRONG_SECONDS

    def is_ours_far_off(self, now: float, unix_now: int) -> bool:
        """Whether what we judge and make by our clock is wrong to everybody else."""
        return abs(self.offset(now, unix_now) or 0) > FAR_SECONDS


class ClockWatch:
    """Warns of a clock that keeps us apart from others, and holds back meanwhile what nobody would take.

    `announce` tells peers of own objects.
    """

    def __init__(self, clock: Clock, announce: Callable[[Collection[InventoryVector]], None]) -> None:
        self._clock, self._announce = clock, announce
        self._clocks = PeerClocks()
        self._held_back: set[InventoryVector] = set()
        self._warned_at = -WARNED_SECONDS

    def listen(self, connection: Connection, conversation: Conversation) -> None:
        """To what the peer said when it was called, refused for it or not; to be done once, as it says it once."""
        if conversation.heard_time is not None and not connection.inbound:
            self._clocks.heard(connection.host, conversation.heard_time, self._clock.monotonic())

    @property
    def offset(self) -> int | None:
        """By how many seconds the peers are ahead of us, in the middle."""
        return self._clocks.offset(self._clock.monotonic(), self._clock.now())

    @property
    def is_far_off(self) -> bool:
        return self._clocks.is_ours_far_off(self._clock.monotonic(), self._clock.now())

    def hold_back(self, vectors: Collection[InventoryVector]) -> None:
        """Until our clock is better."""
        self._held_back.update(vectors)

    def tick(self) -> None:
        """Warn, and let out what was held back."""
        now, unix_now = self._clock.monotonic(), self._clock.now()
        if self._clocks.are_refused(now, unix_now) and now - self._warned_at >= WARNED_SECONDS:
            self._warned_at = now
            log.warning(
                "the clock of this machine differs from those of other nodes by %d s: they refuse it; set it right%s",
                self.offset,
                " (nothing is published and nothing expires meanwhile)" if self.is_far_off else "",
            )
        if self._held_back and not self.is_far_off:
            held, self._held_back = self._held_back, set()
            self._announce(held)
