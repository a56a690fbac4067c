"""Which object to ask which peer for: each of one peer at a time, and only of one that announced it.

Bounded whatever strangers announce (P9, P10): at most `per_peer` wanted objects a peer and `in_all` together, oldest
out. What nobody delivers within `give_up` seconds of the first request is forgotten. A request unanswered for `timeout`
seconds goes to the next announcer, or again to the only one. A peer starts with a small window, since it may ignore the
first getdata (anti-intersection delay), and earns a larger one by delivering.
"""

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import NamedTuple, NewType

from bmgate.bm.hashes import InventoryVector

PeerId = NewType("PeerId", int)  # one connection, numbered by the node

SETTLED_IN_QUEUE = 1_000  # objects that may stand in a peer's queue for nothing, besides as many as are wanted of it


@dataclass(frozen=True, slots=True)
class DownloadLimits:
    """Seconds and numbers; the defaults are those of the live network.

    P9 allows 200,000 `in_all`. Half of it is more than the network holds, is filled by no single peer, and saves the 18
    MiB that a crowd of flooding ones would claim (T1).
    """

    per_peer: int = 50_000
    in_all: int = 100_000
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
    """One peer. What it announced and we lack, `number` objects, is under way here or elsewhere, or else in the queue.

    The queue, the oldest first, also holds what is settled meanwhile: eight bytes each, where a dict takes a hundred.
    """

    start: float  # no request before
    window: int
    number: int = 0
    queue: deque[InventoryVector] = field(default_factory=deque)
    in_flight: dict[InventoryVector, None] = field(default_factory=dict)
    elsewhere: dict[InventoryVector, None] = field(default_factory=dict)  # asked of others, or of this peer in vain
    delivered_at: float = 0.0
    timeouts: int = 0

    def drop(self, vector: InventoryVector) -> None:
        """This object is not to come from this peer."""
        self.number -= 1
        self.in_flight.pop(vector, None)
        self.elsewhere.pop(vector, None)
        if self.queue and self.queue[0] == vector:  # the oldest goes first, mostly
            self.queue.popleft()


class Downloads:
    """Everything announced that we lack. `now` is monotonic seconds."""

    def __init__(self, limits: DownloadLimits = DownloadLimits()) -> None:
        self._limits = limits
        self._wanted: dict[InventoryVector, _Heard] = {}
        self._gone = 0  # from `_wanted` since it was made, other than by delivery
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
        before = len(self._wanted)
        self._lose_announcer(peer, source, [*source.queue, *source.elsewhere, *source.in_flight])
        self._shrink(before - len(self._wanted))

    def announced(self, peer: PeerId, vectors: Iterable[InventoryVector], is_stem: bool = False) -> None:
        """The peer has these, all of which we lack."""
        source = self._sources.get(peer)
        if source is None:
            return
        alone = _Heard((peer,), is_stem)
        joined: dict[_Heard, _Heard] = {}
        for vector in vectors:
            heard = self._wanted.get(vector)
            if heard is None:
                self._wanted[vector] = alone
            elif peer in heard.announcers:
                continue
            else:
                if heard not in joined:
                    joined[heard] = heard.also_from(peer, is_stem)
                self._wanted[vector] = joined[heard]
            source.number += 1
            if self._is_under_way(vector):
                source.elsewhere[vector] = None
            else:
                source.queue.append(vector)
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
        vectors: list[InventoryVector] = []
        while source.queue and len(source.in_flight) < source.window:
            vector = source.queue.popleft()
            if self._can_be_asked(vector, peer, source):
                self._ask(vector, peer, now)
                vectors.append(vector)
        return vectors

    def _ask(self, vector: InventoryVector, peer: PeerId, now: float) -> None:
        for other in self._wanted[vector].announcers:
            table = self._sources[other].in_flight if other == peer else self._sources[other].elsewhere
            table[vector] = None
        before = self._asked.get(vector)
        self._asked[vector] = _Asked(peer, now, before.first if before else now)

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
        source = self._sources[peer]
        del source.in_flight[vector]
        source.elsewhere[vector] = None
        announcers = self._wanted[vector].announcers
        self._offer(vector, [other for other in announcers if other != peer] or [peer])

    def _offer(self, vector: InventoryVector, peers: Iterable[PeerId]) -> None:
        """Nobody is being asked any more: the first of `peers` with room asks next."""
        self._asked[vector].peer = None
        for peer in peers:
            del self._sources[peer].elsewhere[vector]
            self._sources[peer].queue.append(vector)

    def _can_be_asked(self, vector: InventoryVector, peer: PeerId, source: _Source) -> bool:
        """Whether what stands in the peer's queue is still to come from it."""
        heard = self._wanted.get(vector)
        is_announced = heard is not None and peer in heard.announcers
        return is_announced and vector not in source.in_flight and vector not in source.elsewhere

    def _is_under_way(self, vector: InventoryVector) -> bool:
        asked = self._asked.get(vector)
        return asked is not None and asked.peer is not None

    def _keep_within_limits(self, source: _Source, peer: PeerId) -> None:
        """The oldest go together: each look for the first key of a dict passes the places of all that went before.

        What was asked for goes last, or a flood would push its own unkept promises out.
        """
        if source.number > self._limits.per_peer:
            self._lose_announcer(peer, source, self._oldest_of(source, peer, source.number - self._limits.per_peer))
        if len(source.queue) > 2 * source.number + SETTLED_IN_QUEUE:
            queued = (vector for vector in source.queue if self._can_be_asked(vector, peer, source))
            source.queue = deque(dict.fromkeys(queued))
        surplus = len(self._wanted) - self._limits.in_all
        if surplus > 0:
            not_asked = (vector for vector in self._wanted if vector not in self._asked)
            for vector in list(islice(chain(not_asked, self._asked), surplus)):
                self._forget(vector)
            self._shrink(surplus)

    def _shrink(self, gone: int) -> None:
        """A dict never shrinks by itself, and one that loses its oldest all the time grows to twice its size."""
        self._gone += gone
        if self._gone > min(self._limits.in_all // 2, 2 * len(self._wanted)):
            self._wanted, self._gone = dict(self._wanted), 0

    def _oldest_of(self, source: _Source, peer: PeerId, number: int) -> list[InventoryVector]:
        """Taken out of the peer's queue, and when this is not enough, of what is under way."""
        oldest: dict[InventoryVector, None] = {}
        while source.queue and len(oldest) < number:
            vector = source.queue.popleft()
            if self._can_be_asked(vector, peer, source):
                oldest[vector] = None
        return [*oldest, *islice(chain(source.elsewhere, source.in_flight), number - len(oldest))]

    def _lose_announcer(self, peer: PeerId, source: _Source, vectors: Collection[InventoryVector]) -> None:
        """None of `vectors` is to come from this peer; those that were not to anyway do not matter."""
        left: dict[_Heard, _Heard] = {}
        for vector in vectors:
            before = self._wanted.get(vector)
            if before is None or peer not in before.announcers:
                continue
            source.drop(vector)
            if len(before.announcers) == 1:
                del self._wanted[vector]
                self._asked.pop(vector, None)
                continue
            if before not in left:
                left[before] = before.without(peer)
            self._wanted[vector] = left[before]
            others = left[before].announcers
            if vector in self._asked and all(vector in self._sources[other].elsewhere for other in others):
                self._offer(vector, others)

    def _forget(self, vector: InventoryVector) -> None:
        for peer in self._wanted.pop(vector).announcers:
            self._sources[peer].drop(vector)
        self._asked.pop(vector, None)
