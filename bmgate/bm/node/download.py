"""Which object to ask which peer for: each of one peer at a time, and only of one that announced it.

Bounded whatever strangers announce (P9, P10): at most `per_peer` wanted objects a peer and `in_all` together, oldest
out. What nobody delivers within `give_up` seconds of the first request is forgotten. A request unanswered for `timeout`
seconds goes to the next announcer, or again to the only one. A peer starts with a small window, since it may ignore the
first getdata (anti-intersection delay), and earns a larger one by delivering.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import NamedTuple, NewType

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


class _Heard(NamedTuple):
    """Who announced an object we lack, in the order of time; one value serves all objects announced alike.

    `is_stem`: nobody told of it outside a Dandelion stem.
    """

    announcers: tuple[PeerId, ...]
    is_stem: bool

    def also_from(self, peer: PeerId, is_stem: bool) -> "_Heard":
        return _Heard((*self.announcers, peer), self.is_stem and is_stem)

    def without(self, peer: PeerId) -> "_Heard":
        return _Heard(tuple(other for other in self.announcers if other != peer), self.is_stem)


@dataclass(slots=True)
class _Asked:
    """An object that was asked for: of whom now, since when, and since when at all."""

    peer: PeerId | None
    since: float
    first: float


@dataclass(slots=True)
class _Source:
    """One peer. What it announced and we lack stands in exactly one of three tables, the oldest first."""

    start: float  # no request before
    window: int
    queue: dict[InventoryVector, None] = field(default_factory=dict)  # can be asked of it
    in_flight: dict[InventoryVector, None] = field(default_factory=dict)  # is being asked of it
    elsewhere: dict[InventoryVector, None] = field(default_factory=dict)  # is being asked of others, or was in vain
    delivered_at: float = 0.0
    timeouts: int = 0

    def __len__(self) -> int:
        return len(self.queue) + len(self.in_flight) + len(self.elsewhere)

    def __iter__(self) -> Iterator[InventoryVector]:
        """What it announced; last what is being asked of it, or a flood would push its own unkept promises out."""
        return chain(self.queue, self.elsewhere, self.in_flight)

    def hold_back(self, vector: InventoryVector) -> None:
        """This object is not to be asked of this peer for now."""
        self.drop(vector)
        self.elsewhere[vector] = None

    def drop(self, vector: InventoryVector) -> None:
        """This object is not to come from this peer."""
        for table in (self.queue, self.in_flight, self.elsewhere):
            table.pop(vector, None)


class Downloads:
    """Everything announced that we lack. `now` is monotonic seconds."""

    def __init__(self, limits: DownloadLimits = DownloadLimits()) -> None:
        self._limits = limits
        self._wanted: dict[InventoryVector, _Heard] = {}
        self._asked: dict[InventoryVector, _Asked] = {}  # of the wanted ones, those that were ever asked for
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
        if source is None:
            return
        self._lose_announcer(peer, source)
        if len(source) > len(self._wanted):  # most is gone, and a dict never shrinks by itself
            self._wanted = dict(self._wanted)

    def announced(self, peer: PeerId, vectors: Iterable[InventoryVector], is_stem: bool = False) -> None:
        """The peer has these, all of which we lack."""
        source = self._sources.get(peer)
        if source is None:
            return
        alone = _Heard((peer,), is_stem)
        joined: dict[_Heard, _Heard] = {}
        for vector in vectors:
            heard = self._wanted.setdefault(vector, alone)
            if heard is not alone:
                if vector in source.queue or vector in source.in_flight or vector in source.elsewhere:
                    continue
                if heard not in joined:
                    joined[heard] = heard.also_from(peer, is_stem)
                self._wanted[vector] = joined[heard]
            elif vector in source.queue:  # twice in a row
                continue
            table = source.elsewhere if self._is_under_way(vector) else source.queue
            table[vector] = None
        self._keep_within_limits(source, peer)

    def announcers(self, vector: InventoryVector) -> list[PeerId]:
        """Who told us of this object we lack."""
        heard = self._wanted.get(vector)
        return list(heard.announcers) if heard else []

    def is_stem(self, vector: InventoryVector) -> bool:
        """Whether nobody announced this object outside a Dandelion stem."""
        heard = self._wanted.get(vector)
        return heard is not None and heard.is_stem

    def delivered(self, peer: PeerId, vector: InventoryVector, now: float) -> bool:
        """The object is here, good or bad; False when nobody had announced it. It is no longer wanted."""
        source = self._sources.get(peer)
        if source is not None and vector in source.in_flight:
            source.delivered_at = now
            source.window = min(source.window + 1, self._limits.window)
            source.timeouts = max(0, source.timeouts - 1)
        if vector not in self._wanted:
            return False
        self._forget(vector)
        return True

    def requests(self, peer: PeerId, now: float) -> list[InventoryVector]:
        """What to ask this peer for now, perhaps nothing; what is returned counts as asked."""
        source = self._sources.get(peer)
        if source is None or now < source.start or len(source.in_flight) > source.window // 2:
            return []
        vectors = list(islice(source.queue, source.window - len(source.in_flight)))
        for vector in vectors:
            for other in self._wanted[vector].announcers:
                self._sources[other].hold_back(vector)
            del source.elsewhere[vector]
            source.in_flight[vector] = None
            before = self._asked.get(vector)
            self._asked[vector] = _Asked(peer, now, before.first if before else now)
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
            asked_at = self._asked[vector].since
            quiet_since = max(asked_at, source.delivered_at)
            if now - quiet_since >= self._limits.timeout or now - asked_at >= self._limits.give_up:
                late.append(vector)
        return late

    def _ask_another(self, peer: PeerId, vector: InventoryVector, now: float) -> None:
        if now - self._asked[vector].first >= self._limits.give_up:
            self._forget(vector)
            return
        self._sources[peer].hold_back(vector)
        announcers = self._wanted[vector].announcers
        self._offer(vector, [other for other in announcers if other != peer] or [peer])

    def _offer(self, vector: InventoryVector, peers: Iterable[PeerId]) -> None:
        """Nobody is being asked any more: the first of `peers` with room asks next."""
        self._asked[vector].peer = None
        for peer in peers:
            del self._sources[peer].elsewhere[vector]
            self._sources[peer].queue[vector] = None

    def _is_under_way(self, vector: InventoryVector) -> bool:
        asked = self._asked.get(vector)
        return asked is not None and asked.peer is not None

    def _keep_within_limits(self, source: _Source, peer: PeerId) -> None:
        """The oldest go together: each look for the first key of a dict passes the places of all that went before.

        What was asked for goes last.
        """
        lost = _oldest(source, len(source) - self._limits.per_peer)
        for vector in lost:
            source.drop(vector)
        self._lose_announcer(peer, lost)
        not_asked = (vector for vector in self._wanted if vector not in self._asked)
        for vector in _oldest(chain(not_asked, self._asked), len(self._wanted) - self._limits.in_all):
            self._forget(vector)

    def _lose_announcer(self, peer: PeerId, vectors: Iterable[InventoryVector]) -> None:
        """The tables of the peer itself are the caller's."""
        left: dict[_Heard, _Heard] = {}
        for vector in vectors:
            before = self._wanted[vector]
            if len(before.announcers) == 1:
                del self._wanted[vector]
                self._asked.pop(vector, None)
                continue
            if before not in left:
                left[before] = before.without(peer)
            self._wanted[vector] = heard = left[before]
            asked = self._asked.get(vector)
            if asked is not None and asked.peer == peer:
                self._offer(vector, heard.announcers)

    def _forget(self, vector: InventoryVector) -> None:
        for peer in self._wanted.pop(vector).announcers:
            self._sources[peer].drop(vector)
        self._asked.pop(vector, None)


def _oldest(table: Iterable[InventoryVector], surplus: int) -> list[InventoryVector]:
    return list(islice(table, surplus)) if surplus > 0 else []
