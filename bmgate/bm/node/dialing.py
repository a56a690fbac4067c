"""Staying connected to the peers we were told of: one attempt at a time for each, with growing pauses between them."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from bmgate.bm.handshake import Ending
from bmgate.bm.node.peer import PeerProtocol
from bmgate.bm.node.pool import DayNotes, Pool
from bmgate.domain.ports.world import Clock

log = logging.getLogger(__name__)

DIAL_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class PeerTarget:
    """Where a peer listens: an IP address or a name, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds between attempts: doubled from `first` to `longest`, each made longer or shorter by up to a half."""

    first: float = 2.0
    longest: float = 300.0

    def pause(self, failures: int, random: Random) -> float:
        return min(self.longest, self.first * 2.0 ** min(failures, 16)) * random.uniform(0.5, 1.5)


class Dialer:
    """Keeps connections to explicit peers.

    `without_tls` holds those whose TLS failed within the last day: they are dialled without. `own_host` is the loopback
    address to dial other loopback addresses from, so that each node of a local network is seen under its own.
    """

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        random: Random,
        backoff: Backoff,
        new_peer: Callable[[PeerTarget], PeerProtocol],
        own_host: str | None,
    ) -> None:
        self._pool, self._clock, self._random, self._backoff = pool, clock, random, backoff
        self._new_peer, self._own_host = new_peer, own_host
        self.without_tls = DayNotes()

    async def stay_connected(self, target: PeerTarget) -> None:
        """For ever, unless the peer turns out to be ourselves."""
        failures = 0
        while True:
            if self._pool.is_connected(target.host):
                failures = 0
            else:
                peer = await self._dial(target)
                ending = await peer.closed if peer is not None else None
                if ending is Ending.SELF:
                    log.info("peer %s is this node: it is not dialled again", target)
                    return
                if ending is Ending.TLS_FAILED:
                    self.without_tls.add(str(target), self._clock.monotonic())
                succeeded = peer is not None and peer.was_established
                failures = 0 if succeeded or ending is Ending.TLS_FAILED else failures + 1
            await self._clock.sleep(self._backoff.pause(failures, self._random))

    async def _dial(self, target: PeerTarget) -> PeerProtocol | None:
        own = (self._own_host, 0) if self._own_host is not None and target.host.startswith("127.") else None
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                _, peer = await asyncio.get_running_loop().create_connection(
                    lambda: self._new_peer(target), target.host, target.port, local_addr=own
                )
        except (OSError, TimeoutError) as error:
            log.info("peer %s cannot be reached: %s", target, error or "no answer")
            return None
        return peer
