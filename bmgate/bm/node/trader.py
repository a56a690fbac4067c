"""One established peer as the exchange sees it."""

import asyncio
from dataclasses import dataclass, field

from bmgate.bm.commands import Services
from bmgate.bm.node.peer import PeerProtocol
from bmgate.bm.node.upload import Uploads


@dataclass(slots=True)
class Trader:
    """The connection, what the peer is to get, and what it did."""

    peer: PeerProtocol
    outbound: bool
    uploads: Uploads
    prompt_invs: int = 0  # handled at once since the last tick
    wanted: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def knows_dandelion(self) -> bool:
        """Others ignore a dinv."""
        return Services.DANDELION in self.peer.services
