"""Nodes that exist: those we have heard of, and those we have reached, each table cut into keyed buckets (T2, P13).

Which bucket a node is in depends on a secret, and for hearsay on the network of whoever told us: one /16 can fill 64 of
1,024 buckets, whatever it tells. A node is drawn bucket first, so many names in few buckets win little. A reached node
gives way to another only after a test shows that it is gone. Bounded by the number of slots; opens nothing.
Source: Bitcoin Core's addrman, with one place for each node; ratings as PyBitmessage counts them.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from random import Random

from bmgate.bm.node.targets import PeerTarget, network_group
from bmgate.domain.peers import MAX_RATING, KnownPeer
from bmgate.units import DAY

NEW_BUCKETS, NEW_SLOTS, NEW_BUCKETS_OF_SOURCE = 1_024, 16, 64
TRIED_BUCKETS, TRIED_SLOTS, TRIED_BUCKETS_OF_GROUP = 64, 64, 8
MAX_CONTESTED = 10
DRAWS = 64
FORGET_SECONDS = 28 * DAY
FRESH_SECONDS = 10_800  # what may be told to others was seen within this time
LASTING_SECONDS = 4 * 3_600  # a node seen within this time keeps its place without a test
HEARD_STEP_SECONDS = 3_600  # smaller changes of hearsay are not worth a write
FEW = 32  # so many are never forgotten for being old: a node that was away for long begins with them
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 60.0, 6 * 3_600.0
SAVED_AT_ONCE = 500

_HOPELESS_RATING = -5
_UNHEARD = 3  # attempts at a node that never answered
_GONE_ATTEMPTS, _GONE_SECONDS = 10, 7 * DAY


@dataclass(frozen=True, slots=True)
class Changes:
    """What storage does not know yet."""

    changed: tuple[KnownPeer, ...]
    gone: tuple[PeerTarget, ...]

    def __bool__(self) -> bool:
        return bool(self.changed or self.gone)


_Place = tuple[int, int]  # bucket and slot
_Table = dict[int, dict[int, PeerTarget]]


class KnownNodes:
    """The two tables, empty until `load`. `now` is Unix seconds; `random` is one that peers cannot guess."""

    def __init__(self, random: Random) -> None:
        self._key, self._random = b"", random
        self._peers: dict[PeerTarget, KnownPeer] = {}
        self._new: _Table = {}
        self._tried: _Table = {}
        self._tried_count = 0
        self._contested: dict[PeerTarget, PeerTarget] = {}  # who holds a tried place, and who wants it
        self._changed: set[PeerTarget] = set()
        self._gone: set[PeerTarget] = set()

    def __len__(self) -> int:
        return len(self._peers)

    def __contains__(self, target: PeerTarget) -> bool:
        return target in self._peers

    def __getitem__(self, target: PeerTarget) -> KnownPeer:
        return self._peers[target]

    def __iter__(self) -> Iterator[KnownPeer]:
        return iter(list(self._peers.values()))

    @property
    def tried_count(self) -> int:
        """How many we have reached ourselves."""
        return self._tried_count

    # --- what is learnt ---

    def load(self, key: bytes, stored: Iterable[KnownPeer], now: int) -> None:
        """Begin with what an earlier run knew; of two that want one place, the one seen longer ago is forgotten.

        `key` is 32 secret bytes, those of that run.
        """
        self._key = key
        for peer in sorted(stored, key=lambda each: (not each.tried, -each.seen_at, -each.heard_at)):
            bucket, slot = place = self._place(peer)
            if slot in self._table(peer).get(bucket, {}) or self._is_hopeless(peer, now):
                self._gone.add(_target(peer))
            else:
                self._put_at(place, peer)
        self._changed.clear()

    def hear(self, target: PeerTarget, source: str, heard_at: int, now: int) -> bool:
        """Somebody of the network `source` says there is a node; whether it is new and has a place."""
        known = self._peers.get(target)
        if known is not None:
            if heard_at > known.heard_at + HEARD_STEP_SECONDS:
                self._save(replace(known, heard_at=min(heard_at, now)))
            return False
        peer = KnownPeer(target.host, target.port, source, heard_at=min(heard_at, now))
        holder = self._holder(peer)
        if holder is not None and not self._is_hopeless(self._peers[holder], now):
            return False
        if holder is not None:
            self.forget(holder)
        self._put(peer)
        return True

    def dialled(self, target: PeerTarget, now: int) -> None:
        """An attempt begins. Written with whatever becomes of it: attempts are many while our own line is down."""
        if (known := self._peers.get(target)) is not None:
            self._peers[target] = replace(known, dialled_at=now)

    def reached(self, target: PeerTarget, now: int) -> None:
        """The handshake was done: the node is real."""
        known = self._peers.get(target)
        if known is None:
            return
        self._contested.pop(target, None)
        rating = min(known.rating + 1, MAX_RATING)
        known = self._save(replace(known, rating=rating, heard_at=now, seen_at=now, failures=0))
        if not known.tried:
            self._promote(known, now)

    def seen(self, target: PeerTarget, now: int) -> None:
        """We are connected to it."""
        if (known := self._peers.get(target)) is not None:
            self._save(replace(known, heard_at=now, seen_at=now))

    def failed(self, target: PeerTarget, tenths: int = 1) -> None:
        """An attempt came to nothing, or the node was of no use: its rating sinks by `tenths` (P10)."""
        known = self._peers.get(target)
        if known is None:
            return
        rating = max(known.rating - tenths, -MAX_RATING)
        self._save(replace(known, rating=rating, failures=known.failures + 1))
        challenger = self._contested.pop(target, None)
        if challenger is not None and challenger in self._peers:
            wants = self._peers[challenger]
            self.forget(challenger)
            self._demote(self._peers[target])
            self._put(replace(wants, tried=True))

    def forget(self, target: PeerTarget) -> None:
        """There is no such node, or it is ourselves."""
        known = self._peers.pop(target, None)
        if known is not None:
            self._take_from_table(known)
            self._contested.pop(target, None)
            self._changed.discard(target)
            self._gone.add(target)

    def forget_hopeless(self, now: int) -> None:
        """Let go of what was not seen for weeks or never answers, while enough remain."""
        hopeless = [target for target, peer in self._peers.items() if self._is_hopeless(peer, now)]
        for target in hopeless[: max(0, len(self._peers) - FEW)]:
            self.forget(target)

    def keep_anchors(self, targets: Collection[PeerTarget]) -> None:
        """These are the nodes to begin with after a restart."""
        for target, peer in list(self._peers.items()):
            if peer.anchor != (target in targets):
                self._save(replace(peer, anchor=target in targets))

    # --- what is asked ---

    def anchors(self) -> list[PeerTarget]:
        return [target for target, peer in self._peers.items() if peer.anchor]

    def pick(self, now: int, is_wanted: Callable[[PeerTarget], bool], only_new: bool = False) -> PeerTarget | None:
        """A node to dial, drawn from both tables alike; the worse its rating, the rarer. None when none is due."""
        for draw in range(DRAWS):
            peer = self._draw(only_new)
            if peer is None:
                return None
            leniency = 1.1**draw
            if not self._is_due(peer, now) or self._random.random() >= _chance(peer) * leniency:
                continue
            if is_wanted(target := _target(peer)):
                return target
        return None

    def pick_to_test(self, now: int, is_wanted: Callable[[PeerTarget], bool]) -> PeerTarget | None:
        """A node to feel for: one whose place another wants, else one nobody here has reached."""
        for holder in self._contested:
            if self._is_due(self._peers[holder], now) and is_wanted(holder):
                return holder
        return self.pick(now, is_wanted, only_new=True)

    def fresh(self, now: int) -> list[KnownPeer]:
        """Nodes we were connected to within three hours, and not to our harm: what may be told to others."""
        return [
            peer
            for peer in self._peers.values()
            if peer.tried and peer.rating >= 0 and peer.seen_at > now - FRESH_SECONDS
        ]

    # --- storage ---

    def take_changes(self, limit: int = SAVED_AT_ONCE) -> Changes:
        """A portion of what is to be stored; `put_back` it when that fails."""
        changed = [self._changed.pop() for _ in range(min(limit, len(self._changed)))]
        gone = [self._gone.pop() for _ in range(min(limit, len(self._gone)))]
        return Changes(tuple(self._peers[target] for target in changed), tuple(gone))

    def put_back(self, changes: Changes) -> None:
        self._changed.update(target for peer in changes.changed if (target := _target(peer)) in self._peers)
        self._gone.update(target for target in changes.gone if target not in self._peers)

    # --- tables ---

    def _draw(self, only_new: bool) -> KnownPeer | None:
        tables = [self._new] if only_new else [self._new, self._tried]
        filled = [table for table in tables if table]
        if not filled:
            return None
        table = self._random.choice(filled)
        bucket = table[self._random.choice(list(table))]
        return self._peers[self._random.choice(list(bucket.values()))]

    def _is_due(self, peer: KnownPeer, now: int) -> bool:
        """Pauses between attempts double; each is longer or shorter by up to a half, as nobody else can tell."""
        pause = min(FIRST_PAUSE_SECONDS * 2.0 ** min(peer.failures, 16), LONGEST_PAUSE_SECONDS)
        share = self._hash("pause", str(_target(peer)), str(peer.dialled_at)) % 1_000 / 1_000
        return abs(now - peer.dialled_at) >= pause * (0.5 + share)

    def _is_hopeless(self, peer: KnownPeer, now: int) -> bool:
        """Not worth its place."""
        if abs(now - peer.dialled_at) < FIRST_PAUSE_SECONDS:
            return False
        last_heard = max(peer.heard_at, peer.seen_at)
        if last_heard < now - FORGET_SECONDS:
            return True
        if not peer.seen_at:
            return peer.failures >= _UNHEARD
        if peer.rating <= _HOPELESS_RATING and peer.seen_at < now - FRESH_SECONDS:
            return True
        return peer.failures >= _GONE_ATTEMPTS and peer.seen_at < now - _GONE_SECONDS

    def _promote(self, peer: KnownPeer, now: int) -> None:
        """Into the tried table, unless somebody else holds the place and may still be there."""
        holder = self._holder(replace(peer, tried=True))
        if holder is None:
            self._move(peer, tried=True)
        elif self._peers[holder].seen_at < now - LASTING_SECONDS and len(self._contested) < MAX_CONTESTED:
            self._contested.setdefault(holder, _target(peer))

    def _demote(self, peer: KnownPeer) -> None:
        """Back to hearsay; it is worth more than what stands there."""
        occupant = self._holder(replace(peer, tried=False))
        if occupant is not None:
            self.forget(occupant)
        self._move(peer, tried=False)

    def _move(self, peer: KnownPeer, tried: bool) -> None:
        self._take_from_table(peer)
        self._put(replace(peer, tried=tried))

    def _put(self, peer: KnownPeer) -> None:
        self._put_at(self._place(peer), peer)

    def _put_at(self, place: _Place, peer: KnownPeer) -> None:
        bucket, slot = place
        self._table(peer).setdefault(bucket, {})[slot] = _target(peer)
        self._tried_count += peer.tried
        self._save(peer)

    def _save(self, peer: KnownPeer) -> KnownPeer:
        target = _target(peer)
        self._peers[target] = peer
        self._changed.add(target)
        self._gone.discard(target)
        return peer

    def _take_from_table(self, peer: KnownPeer) -> None:
        table, (bucket, slot) = self._table(peer), self._place(peer)
        del table[bucket][slot]
        if not table[bucket]:
            del table[bucket]
        self._tried_count -= peer.tried

    def _holder(self, peer: KnownPeer) -> PeerTarget | None:
        """Who has the place that `peer` would have."""
        bucket, slot = self._place(peer)
        return self._table(peer).get(bucket, {}).get(slot)

    def _table(self, peer: KnownPeer) -> _Table:
        return self._tried if peer.tried else self._new

    def _place(self, peer: KnownPeer) -> _Place:
        name, group = str(_target(peer)), network_group(peer.host)
        if peer.tried:
            within = self._hash("tried", name) % TRIED_BUCKETS_OF_GROUP
            bucket = self._hash("tried bucket", group, str(within)) % TRIED_BUCKETS
            return bucket, self._hash("tried slot", str(bucket), name) % TRIED_SLOTS
        within = self._hash("new", group, peer.source) % NEW_BUCKETS_OF_SOURCE
        bucket = self._hash("new bucket", peer.source, str(within)) % NEW_BUCKETS
        return bucket, self._hash("new slot", str(bucket), name) % NEW_SLOTS

    def _hash(self, *parts: str) -> int:
        return int.from_bytes(blake2b("\0".join(parts).encode(), digest_size=8, key=self._key).digest())


def _target(peer: KnownPeer) -> PeerTarget:
    return PeerTarget(peer.host, peer.port)


def _chance(peer: KnownPeer) -> float:
    """How often a drawn node is taken."""
    return math.exp2(min(peer.rating, 0) / 2)
