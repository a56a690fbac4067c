"""Which object to ask which peer for: each of one peer at a time, and only of one that announced it.

Bounded whatever strangers announce (P9, P10): at most `per_peer` wanted objects a peer and `in_all` together, oldest
out. What nobody delivers within `give_up` seconds of the first request is forgotten. A request unanswered for `timeout`
seconds goes to the next announcer, or again to the only one. A peer starts with a small window, since it may ignore the
first getdata (anti-intersection delay), and earns a larger one by delivering.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import NewType

from bmgate.bm.hashes import InventoryVector

PeerId = NewType("PeerId", int)  # one connection, numbered by the node


@dataclass(frozen=True, slots=True)
class DownloadLimits:
    """Seconds and numbers; the defaults are those of the live network."""

    per_peer: int = 50_000
    in_all: int = 200_000
    timeout: float = 60
    give_up: float = 300
    timeouts_allowed: int = 100
    first_window: int = 16
    window: int = 200


@dataclass(slots=True)
class _Wanted:
    """One object we lack: who announced it, and who is being asked since when."""

    announcers: list[PeerId]
    asked: PeerId | None = None
    asked_at: float = 0.0
    first_asked_at: float | None = None
    is_stem: bool = False


@dataclass(slots=True)
class _Source:
    """One peer: what it announced and we lack, what of this can be asked of it now, what is under way."""

    start: float  # no request before
    window: int
    announced: dict[InventoryVector, None] = field(default_factory=dict)
    queue: dict[InventoryVector, None] = field(default_factory=dict)
    in_flight: dict[InventoryVector, None] = field(default_factory=dict)
    delivered_at: float = 0.0
    timeouts: int = 0

    def drop(self, vector: InventoryVector) -> None:
        """This object is not to come from this peer."""
        for table in (self.announced, self.queue, self.in_flight):
            table.pop(vector, None)


class Downloads:
    """Everything announced that we lack. `now` is monotonic seconds."""

    def __init__(self, limits: DownloadLimits = DownloadLimits()) -> None:
        self._limits = limits
        self._wanted: dict[InventoryVector, _Wanted] = {}
        self._sources: dict[PeerId, _Source] = {}

    def __len__(self) -> int:
        return len(self._wanted)

    def __contains__(self, vector: InventoryVector) -> bool:
        return vector in self._wanted

    def add_peer(self, peer: PeerId, start: float) -> None:
        """An established peer; nothing is asked of it before `start`."""
        self._sources[peer] = _Source(start, self._limits.first_window)

    def remove_peer(self, peer: PeerId) -> None:
        """What it was asked for is asked of others; what only it had is forgotten."""
        source = self._sources.pop(peer, None)
        for vector in source.announced if source else ():
            self._lose_announcer(vector, peer)

    def announced(self, peer: PeerId, vectors: Iterable[InventoryVector], is_stem: bool = False) -> None:
        """The peer has these, all of which we lack."""
        source = self._sources.get(peer)
        if source is None:
            return
        for vector in vectors:
            if vector in source.announced:
                continue
            wanted = self._wanted.setdefault(vector, _Wanted([], is_stem=is_stem))
            wanted.is_stem = wanted.is_stem and is_stem
            wanted.announcers.append(peer)
            source.announced[vector] = None
            if wanted.asked is None:
                source.queue[vector] = None
        self._keep_within_limits(source, peer)

    def announcers(self, vector: InventoryVector) -> list[PeerId]:
        """Who told us of this object we lack."""
        wanted = self._wanted.get(vector)
        return list(wanted.announcers) if wanted else []

    def is_stem(self, vector: InventoryVector) -> bool:
        """Whether nobody announced this object outside a Dandelion stem."""
        wanted = self._wanted.get(vector)
        return wanted is not None and wanted.is_stem

    def delivered(self, peer: PeerId, vector: InventoryVector, now: float) -> bool:
        """The object is here, good or bad; False when nobody had announced it. It is no longer wanted."""
        source = self._sources.get(peer)
        if source is not None and vector in source.in_flight:
            source.delivered_at = now
            source.window = min(source.window + 1, self._limits.window)
            source.timeouts = max(0, source.timeouts - 1)
        wanted = self._wanted.get(vector)
        if wanted is None:
            return False
        self._forget(vector, wanted)
        return True

    def requests(self, peer: PeerId, now: float) -> list[InventoryVector]:
        """What to ask this peer for now, perhaps nothing; what is returned counts as asked."""
        source = self._sources.get(peer)
        if source is None or now < source.start or len(source.in_flight) > source.window // 2:
            return []
        vectors = list(islice(source.queue, source.window - len(source.in_flight)))
        for vector in vectors:
            wanted = self._wanted[vector]
            for other in wanted.announcers:
                self._sources[other].queue.pop(vector, None)
            wanted.asked, wanted.asked_at = peer, now
            wanted.first_asked_at = now if wanted.first_asked_at is None else wanted.first_asked_at
            source.in_flight[vector] = None
        return vectors

    def expire(self, now: float) -> list[PeerId]:
        """Let late requests go to others; the peers that have failed too often, to be disconnected."""
        failed = []
        for peer, source in self._sources.items():
            before = source.timeouts
            for vector in self._late(source, now):
                source.timeouts += 1
                self._ask_another(peer, vector, now)
            if source.timeouts > before:
                source.window = self._limits.first_window
            if source.timeouts >= self._limits.timeouts_allowed:
                failed.append(peer)
        return failed

    def _late(self, source: _Source, now: float) -> list[InventoryVector]:
        """A peer that keeps delivering is given time, up to `give_up` seconds for each object."""
        late = []
        for vector in source.in_flight:
            asked_at = self._wanted[vector].asked_at
            quiet_since = max(asked_at, source.delivered_at)
            if now - quiet_since >= self._limits.timeout or now - asked_at >= self._limits.give_up:
                late.append(vector)
        return late

    def _ask_another(self, peer: PeerId, vector: InventoryVector, now: float) -> None:
        wanted = self._wanted[vector]
        assert wanted.first_asked_at is not None
        if now - wanted.first_asked_at >= self._limits.give_up:
            self._forget(vector, wanted)
            return
        self._sources[peer].in_flight.pop(vector, None)
        self._offer(vector, wanted, [other for other in wanted.announcers if other != peer] or [peer])

    def _offer(self, vector: InventoryVector, wanted: _Wanted, peers: list[PeerId]) -> None:
        """Nobody is being asked any more: the first of `peers` with room asks next."""
        wanted.asked = None
        for peer in peers:
            self._sources[peer].queue[vector] = None

    def _keep_within_limits(self, source: _Source, peer: PeerId) -> None:
        """The oldest go together: each look for the first key of a dict passes the places of all that went before."""
        for vector in _oldest(source.announced, len(source.announced) - self._limits.per_peer):
            source.drop(vector)
            self._lose_announcer(vector, peer)
        for vector in _oldest(self._wanted, len(self._wanted) - self._limits.in_all):
            self._forget(vector, self._wanted[vector])

    def _lose_announcer(self, vector: InventoryVector, peer: PeerId) -> None:
        wanted = self._wanted[vector]
        wanted.announcers.remove(peer)
        if not wanted.announcers:
            del self._wanted[vector]
        elif wanted.asked == peer:
            self._offer(vector, wanted, wanted.announcers)

    def _forget(self, vector: InventoryVector, wanted: _Wanted) -> None:
        for peer in wanted.announcers:
            self._sources[peer].drop(vector)
        del self._wanted[vector]


def _oldest(table: Iterable[InventoryVector], surplus: int) -> list[InventoryVector]:
    return list(islice(table, surplus)) if surplus > 0 else []
