"""When to tell whom of a new object.

Others' objects are told to everyone who does not know them, after a short random delay. Our own, and those that came
in a Dandelion stem, begin hidden: after that delay one outbound peer is told; the others, and whoever asks, only when
the stem time is over (V22). Hidden objects are treated as unknown. Which peer is the next of a stem is `dandelion`'s to
say. Source: protocol specification v3; Dandelion++ as PyBitmessage does it.
"""

import heapq
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from random import Random

from bmgate.bm.hashes import InventoryVector
from bmgate.bm.network import NetworkParameters
from bmgate.bm.node.download import PeerId

ANNOUNCE_SECONDS = 10.0  # the longest delay; the shortest is none
HOP_SECONDS = 2.0  # the same for what came in a stem: slow hops would let the first node's time run out before others'
STEM_SECONDS = 10.0
STEM_MEAN_EXTRA_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Due:
    """One announcement to make now: to the stem peer alone, or to all but those who know the object."""

    vector: InventoryVector
    to_stem: bool
    known_to: frozenset[PeerId]


@dataclass(slots=True)
class _Stem:
    source: PeerId | None  # never told back
    child: PeerId | None = None  # the only one who may ask for the object
    is_stuck: bool = False  # its turn came, and nobody was there to be told


class Announcements:
    """Objects on their way out. `now` is monotonic seconds; `random` is one that peers cannot guess."""

    def __init__(self, network: NetworkParameters, random: Random) -> None:
        self._network, self._random = network, random
        self._order: list[tuple[float, int, InventoryVector, bool]] = []  # a heap: due, number, vector, to_stem
        self._number = 0
        self._spreading: dict[InventoryVector, tuple[PeerId, ...]] = {}  # and who knows it
        self._stems: dict[InventoryVector, _Stem] = {}

    def spread(self, vector: InventoryVector, known_to: Iterable[PeerId], now: float) -> None:
        """Tell everyone else; ends a stem."""
        self._stems.pop(vector, None)
        if vector not in self._spreading:
            self._spreading[vector] = tuple(known_to)
            self._push(now + self._short_delay(), vector, to_stem=False)

    def begin_stem(self, vector: InventoryVector, source: PeerId | None, begins: float) -> None:
        """An object of ours (`source` is None) or from somebody's stem: hidden, and told to a child after `begins`."""
        if vector in self._stems or vector in self._spreading:
            return
        told = begins + self._short_delay(ANNOUNCE_SECONDS if source is None else HOP_SECONDS)
        extra = self._random.expovariate(1 / STEM_MEAN_EXTRA_SECONDS)
        self._push(told, vector, to_stem=True)
        self.hide(vector, told + self._network.stem_time(STEM_SECONDS + extra), source)

    def hide(self, vector: InventoryVector, until: float, source: PeerId | None = None) -> None:
        """Show the object to nobody before `until`, then spread it."""
        self._stems[vector] = _Stem(source)
        self._push(until, vector, to_stem=False)

    def try_again(self, now: float) -> None:
        """There is a new child to be had, for stems whose turn came when there was none."""
        for vector, stem in self._stems.items():
            if stem.is_stuck:
                stem.is_stuck = False
                self._push(now + self._short_delay(HOP_SECONDS), vector, to_stem=True)

    @property
    def hidden(self) -> int:
        """How many objects are in a stem now."""
        return len(self._stems)

    def is_hidden(self, vector: InventoryVector) -> bool:
        return vector in self._stems

    def hidden_among(self, vectors: Iterable[InventoryVector]) -> list[InventoryVector]:
        """Those of `vectors` that are hidden."""
        return [vector for vector in vectors if vector in self._stems]

    def is_shown_to(self, peer: PeerId, vector: InventoryVector) -> bool:
        """Whether a peer that asks for this object of ours gets it."""
        stem = self._stems.get(vector)
        return stem is None or stem.child == peer

    def heard_from(self, peer: PeerId, vectors: Iterable[InventoryVector]) -> None:
        """The peer knows these: it need not be told."""
        for vector in vectors:
            known_to = self._spreading.get(vector)
            if known_to is not None and peer not in known_to:
                self._spreading[vector] = (*known_to, peer)

    def told_to_child(self, vector: InventoryVector, child: PeerId | None) -> None:
        """The stem goes on at `child`, or waits for one until its time is over."""
        stem = self._stems.get(vector)
        if stem is not None:
            stem.child, stem.is_stuck = child, child is None

    def source_of(self, vector: InventoryVector) -> PeerId | None:
        stem = self._stems.get(vector)
        return stem.source if stem else None

    def next_due(self) -> float | None:
        """When `take_due` has something next."""
        return self._order[0][0] if self._order else None

    def take_due(self, now: float, number: int) -> list[Due]:
        """What to tell now, at most so many."""
        due: list[Due] = []
        while self._order and self._order[0][0] <= now and len(due) < number:
            _, _, vector, to_stem = heapq.heappop(self._order)
            if to_stem and vector in self._stems:
                due.append(Due(vector, True, frozenset()))
            elif not to_stem and (vector in self._spreading or vector in self._stems):
                stem = self._stems.pop(vector, None)
                children = () if stem is None or stem.child is None else (stem.child,)
                due.append(Due(vector, False, frozenset(self._spreading.pop(vector, ()) + children)))
        return due

    def forget(self, vectors: Collection[InventoryVector]) -> None:
        """These are gone; what was due for them falls away."""
        for vector in vectors:
            self._stems.pop(vector, None)
            self._spreading.pop(vector, None)

    def _short_delay(self, longest: float = ANNOUNCE_SECONDS) -> float:
        return self._network.delay(self._random.uniform(0, longest))

    def _push(self, due: float, vector: InventoryVector, to_stem: bool) -> None:
        self._number += 1
        heapq.heappush(self._order, (due, self._number, vector, to_stem))
