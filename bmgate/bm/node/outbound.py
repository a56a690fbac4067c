"""Whom to dial next: anchors of the last run first, then nodes of different networks until there are enough (T2).

When the places are filled, now and then a feeler finds out whether a node that was only heard of is there, so that a
later choice is a good one. Decides; `dialing` dials.
Source: Bitcoin Core's net (outbound groups, feelers, anchors); PyBitmessage keeps 8 connections.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random

from bmgate.bm.handshake import Ending
from bmgate.bm.network import NetworkParameters
from bmgate.bm.node.known_nodes import KnownNodes
from bmgate.bm.node.pool import Kind
from bmgate.bm.node.targets import PeerTarget, network_group

ANCHORS = 2
FEELER_SECONDS = 120.0  # mean
MAX_DIALLING = 8
MAX_OWN = 100
USELESS = {Ending.UNHELPFUL: 3, Ending.VIOLATION: 3, Ending.REFUSED: 3}  # tenths that the rating sinks


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call to make."""

    target: PeerTarget
    kind: Kind


@dataclass(frozen=True, slots=True)
class Held:
    """A connection that exists already; `host` as the pool knows it."""

    host: str
    kind: Kind
    established: bool


class Outbound:
    """Keeps `slots` connections to nodes of our own choice. `may_dial` says whether a host is reachable and wanted at
    all; `now` is monotonic, `unix_now` Unix seconds.
    """

    def __init__(
        self,
        network: NetworkParameters,
        known: KnownNodes,
        random: Random,
        slots: int,
        may_dial: Callable[[str], bool],
    ) -> None:
        self._network, self._known, self._random, self._slots, self._may_dial = network, known, random, slots, may_dial
        self._anchors: list[PeerTarget] = []
        self._dialling: dict[PeerTarget, Kind] = {}
        self._own: dict[PeerTarget, None] = {}
        self._feeler_at: float | None = None

    def start(self) -> None:
        """Begin with the anchors that the known nodes hold."""
        self._anchors = self._known.anchors()[:ANCHORS]

    def attempts(self, held: Iterable[Held], now: float, unix_now: int) -> list[Attempt]:
        """Calls to begin now; each has to be followed by `ended`."""
        here = list(held)
        found: list[Attempt] = []
        missing = self._slots - sum(each.kind is Kind.OUTBOUND for each in here) - self._count(Kind.OUTBOUND, here)
        for _ in range(min(missing, MAX_DIALLING - len(self._dialling))):
            target = self._next_outbound(here, unix_now)
            if target is None:
                break
            found.append(self._begin(target, Kind.OUTBOUND, unix_now))
        if self._is_time_to_feel(here, now) and (target := self._next_feeler(here, unix_now)) is not None:
            found.append(self._begin(target, Kind.FEELER, unix_now))
        return found

    def established(self, target: PeerTarget, unix_now: int) -> None:
        """The handshake with a node was done, whoever wanted it."""
        self._known.reached(target, unix_now)

    def ended(self, attempt: Attempt, ending: Ending | None, was_established: bool, is_online: bool) -> None:
        """A call is over; `ending` is None where nobody answered. Nothing is held against a node while we are not
        `is_online`: then it is our own line that fails.
        """
        target = attempt.target
        self._dialling.pop(target, None)
        if ending is Ending.SELF:
            self.is_ourselves(target)
        elif ending in USELESS:
            self._known.failed(target, USELESS[ending])
        elif not was_established and is_online and ending not in (Ending.STOPPED, Ending.DUPLICATE, Ending.TLS_FAILED):
            self._known.failed(target)

    def is_ourselves(self, target: PeerTarget) -> None:
        """Remember it as our own place (P14)."""
        self._known.forget(target)
        if len(self._own) < MAX_OWN:
            self._own[target] = None

    def is_own(self, target: PeerTarget) -> bool:
        return target in self._own

    # --- choosing ---

    def _begin(self, target: PeerTarget, kind: Kind, unix_now: int) -> Attempt:
        self._dialling[target] = kind
        self._known.dialled(target, unix_now)
        return Attempt(target, kind)

    def _count(self, kind: Kind, held: list[Held]) -> int:
        """Calls of this kind that are not connections yet."""
        hosts = {each.host for each in held}
        return sum(each is kind and target.host not in hosts for target, each in self._dialling.items())

    def _next_outbound(self, held: list[Held], unix_now: int) -> PeerTarget | None:
        taken = self._taken_groups(held)

        def is_wanted(target: PeerTarget) -> bool:
            return self._is_free(target, held) and network_group(target.host) not in taken

        while self._anchors:
            anchor = self._anchors.pop(0)
            if anchor in self._known and is_wanted(anchor):
                return anchor
        return self._known.pick(unix_now, is_wanted)

    def _next_feeler(self, held: list[Held], unix_now: int) -> PeerTarget | None:
        return self._known.pick_to_test(unix_now, lambda target: self._is_free(target, held))

    def _taken_groups(self, held: list[Held]) -> set[str]:
        if not self._network.limits_groups:
            return set()
        hosts = [each.host for each in held if each.kind in (Kind.OUTBOUND, Kind.EXPLICIT)]
        dialling = [target.host for target, kind in self._dialling.items() if kind is Kind.OUTBOUND]
        return {network_group(host) for host in (*hosts, *dialling)}

    def _is_free(self, target: PeerTarget, held: list[Held]) -> bool:
        """Not connected, not being dialled, not ourselves, and worth a call."""
        hosts = {each.host for each in held} | {each.host for each in self._dialling}
        return target.host not in hosts and target not in self._own and self._may_dial(target.host)

    def _is_time_to_feel(self, held: list[Held], now: float) -> bool:
        """At random moments, one at a time, once the places are filled or nobody else is left to fill them."""
        if self._feeler_at is None:
            self._feeler_at = now + self._feeler_pause()
        if now < self._feeler_at or Kind.FEELER in self._dialling.values():
            return False
        if not any(each.established and each.kind is not Kind.INBOUND for each in held):
            return False
        self._feeler_at = now + self._feeler_pause()
        return True

    def _feeler_pause(self) -> float:
        return self._random.expovariate(1 / FEELER_SECONDS)
