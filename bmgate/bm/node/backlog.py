"""What peers announced in large portions, until there is time to look at it: some of each peer's in turn.

Bounded like what becomes of it (P9): at most `per_peer` announcements a peer and `in_all` together. The oldest go when
a peer exceeds its share, and when all together are too many, the oldest of the peer that has most.
"""

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from itertools import islice

from bmgate.bm.hashes import VECTOR_SIZE, InventoryVector
from bmgate.bm.node.download import PeerId

PIECE_VECTORS = 500


@dataclass(frozen=True, slots=True)
class Portion:
    """Announcements of one peer, to be looked at now."""

    peer: PeerId
    vectors: tuple[InventoryVector, ...]
    is_stem: bool


@dataclass(slots=True)
class _Part:
    """Vectors end to end, a third of what single objects take, in pieces small enough to fit where others were."""

    pieces: deque[bytes] = field(default_factory=deque)
    number: int = 0

    def add(self, vectors: Iterable[InventoryVector]) -> None:
        """Behind all others."""
        rest = iter(vectors)
        while piece := b"".join(islice(rest, PIECE_VECTORS)):
            self.pieces.append(piece)
            self.number += len(piece) // VECTOR_SIZE

    def take(self, number: int) -> bytes:
        """The oldest `number` vectors at most."""
        taken: list[bytes] = []
        missing = min(number, self.number) * VECTOR_SIZE
        self.number -= missing // VECTOR_SIZE
        while missing:
            piece = self.pieces.popleft()
            if len(piece) > missing:
                self.pieces.appendleft(piece[missing:])
                piece = piece[:missing]
            taken.append(piece)
            missing -= len(piece)
        return b"".join(taken)


@dataclass(slots=True)
class _Pile:
    """What one peer told of openly, and in a stem."""

    open: _Part = field(default_factory=_Part)
    stem: _Part = field(default_factory=_Part)

    def __len__(self) -> int:
        return self.open.number + self.stem.number

    def take(self, number: int) -> tuple[bytes, bool]:
        """The oldest `number` vectors at most, all told openly or all in a stem."""
        is_stem = not self.open.number
        return (self.stem if is_stem else self.open).take(number), is_stem

    def drop(self, number: int) -> None:
        """Forget the oldest."""
        while number > 0:
            number -= len(self.take(number)[0]) // VECTOR_SIZE


class Backlog:
    """Announcements nobody has looked at yet."""

    def __init__(self, per_peer: int, in_all: int) -> None:
        self._per_peer, self._in_all = per_peer, in_all
        self._piles: dict[PeerId, _Pile] = {}  # whose turn it is comes first
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __contains__(self, peer: PeerId) -> bool:
        return peer in self._piles

    def add(self, peer: PeerId, vectors: Collection[InventoryVector], is_stem: bool) -> None:
        """Keep these for later; they are not none."""
        pile = self._piles.setdefault(peer, _Pile())
        part = pile.stem if is_stem else pile.open
        part.add(vectors)
        self._size += len(vectors)
        self._drop(pile, len(pile) - self._per_peer)
        while (surplus := self._size - self._in_all) > 0:
            largest = max(self._piles.values(), key=len)
            self._drop(largest, min(surplus, (len(largest) + 1) // 2))

    def take(self, number: int) -> Portion | None:
        """At most `number` announcements of the peer whose turn it is; None when it is nobody's.

        They may be none: every peer that is in the backlog has its turn, even when all it announced was dropped.
        """
        if not self._piles:
            return None
        peer = next(iter(self._piles))
        pile = self._piles.pop(peer)
        data, is_stem = pile.take(number)
        if pile:
            self._piles[peer] = pile
        vectors = [InventoryVector(data[at : at + VECTOR_SIZE]) for at in range(0, len(data), VECTOR_SIZE)]
        self._size -= len(vectors)
        return Portion(peer, tuple(vectors), is_stem)

    def remove(self, peer: PeerId) -> None:
        """The peer is gone."""
        pile = self._piles.pop(peer, None)
        if pile is not None:
            self._size -= len(pile)

    def _drop(self, pile: _Pile, surplus: int) -> None:
        if surplus > 0:
            pile.drop(surplus)
            self._size -= surplus
