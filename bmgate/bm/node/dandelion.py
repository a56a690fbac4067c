"""Which outbound peer carries on whose Dandelion stem.

For an epoch two outbound peers are stems, and what comes from one source goes to one of them, never back: many
observations of one source then tell no more than one. Inbound peers are never chosen, for they chose us.
Source: Dandelion++ as PyBitmessage does it.
"""

from collections.abc import Collection, Mapping
from random import Random

from bmgate.bm.node.download import PeerId

EPOCH_SECONDS = 600.0
STEMS = 2
STEM_PERCENT = 90  # of the hops go on with a dinv; after the others the child tells everyone


class Stems:
    """The routes of this epoch. `now` is monotonic seconds; `epoch_seconds` the network's; `random` is unguessable."""

    def __init__(self, random: Random, epoch_seconds: float = EPOCH_SECONDS) -> None:
        self._random, self._epoch_seconds = random, epoch_seconds
        self._stems: list[PeerId] = []
        self._routes: dict[PeerId | None, PeerId] = {}
        self._ends = 0.0

    @property
    def chosen(self) -> tuple[PeerId, ...]:
        """The stems as they were last used."""
        return tuple(self._stems)

    def child(self, source: PeerId | None, outbound: Mapping[PeerId, bool], now: float) -> PeerId | None:
        """Who is told next of what came from `source`, our own where it is None; nobody where there is no other peer.

        `outbound` are the established ones, and whether each knows Dandelion: such are preferred.
        """
        if now >= self._ends:
            self._stems, self._routes, self._ends = [], {}, now + self._epoch_seconds
        self._fill(outbound)
        route = self._routes.get(source)
        if route not in self._stems:
            others = [stem for stem in self._stems if stem != source]
            if not others:
                return None
            route = self._routes[source] = self._random.choice(others)
        return route

    def goes_on(self) -> bool:
        """Whether the next hop is one of the stem still."""
        return self._random.randrange(100) < STEM_PERCENT

    def closed(self, peer: PeerId) -> None:
        """The connection is gone: its sources get another child."""
        self._routes.pop(peer, None)
        if peer in self._stems:
            self._stems.remove(peer)

    def _fill(self, outbound: Mapping[PeerId, bool]) -> None:
        self._stems = [stem for stem in self._stems if stem in outbound]
        while len(self._stems) < STEMS and (free := [peer for peer in outbound if peer not in self._stems]):
            knowing = [peer for peer in free if outbound[peer]]
            self._stems.append(self._choose(knowing or free))

    def _choose(self, peers: Collection[PeerId]) -> PeerId:
        return self._random.choice(sorted(peers))
