"""Calling peers: explicit ones again and again, with growing pauses in between; others once.

Opens connections through the node's connector alone.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from bmgate.bm.handshake import Ending
from bmgate.bm.node.connectors import Connector
from bmgate.bm.node.peer import PeerProtocol
from bmgate.bm.node.pool import Kind
from bmgate.bm.node.targets import PeerTarget
from bmgate.domain.ports.world import Clock

log = logging.getLogger(__name__)

_OFFENSIVE = frozenset({Ending.VIOLATION, Ending.UNHELPFUL, Ending.MISBEHAVED})


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds between attempts: doubled from `first` to `longest`, each made longer or shorter by up to a half."""

    first: float = 2.0
    longest: float = 300.0

    def pause(self, failures: int, random: Random) -> float:
        return min(self.longest, self.first * 2.0 ** min(failures, 16)) * random.uniform(0.5, 1.5)


class Dialer:
    """Calls through `connector`; `new_peer` makes our end of a connection; `is_free` tells whether a host may be
    called now: it is not connected, nor banned.
    """

    def __init__(
        self,
        connector: Connector,
        clock: Clock,
        random: Random,
        backoff: Backoff,
        new_peer: Callable[[PeerTarget, Kind], PeerProtocol],
        is_free: Callable[[str], bool],
    ) -> None:
        self._connector, self._clock, self._random, self._backoff = connector, clock, random, backoff
        self._new_peer, self._is_free = new_peer, is_free

    async def stay_connected(self, target: PeerTarget) -> None:
        """For ever, unless the peer turns out to be ourselves, or cannot be reached by our way.

        Who broke the rules has the same growing pauses as who did not answer.
        """
        if not self._connector.reaches(target.host):
            log.warning("peer %s cannot be reached from here: [node] reach, socks and sam decide", target)
            return
        failures = 0
        while True:
            if not self._is_free(target.host):
                failures = 0
            else:
                peer = await self.call(target, Kind.EXPLICIT)
                ending = await peer.closed if peer is not None else None
                if ending is Ending.SELF:
                    log.info("peer %s is this node: it is not dialled again", target)
                    return
                succeeded = peer is not None and peer.was_established and ending not in _OFFENSIVE
                failures = 0 if succeeded or ending is Ending.TLS_FAILED else failures + 1
            await self._clock.sleep(self._backoff.pause(failures, self._random))

    async def call(self, target: PeerTarget, kind: Kind) -> PeerProtocol | None:
        """A connection that has begun; None when nobody answers."""
        level = logging.INFO if kind is Kind.EXPLICIT else logging.DEBUG  # most nodes one hears of are not there
        try:
            return await self._connector.connect(target, lambda: self._new_peer(target, kind))
        except (OSError, TimeoutError) as error:
            log.log(level, "peer %s cannot be reached: %s", target, error or "no answer")
            return None
