"""What the listeners of one door have in common: their connections, how they begin and end."""

import asyncio
from collections.abc import Collection
from typing import Generic, TypeVar

from twisted.internet.protocol import ServerFactory

from bmgate.tcp.connection import CLOSE_SECONDS, Farewell, ServerConnection
from bmgate.tcp.connections import Connections

C = TypeVar("C", bound=ServerConnection)


class DoorFactory(ServerFactory, Generic[C]):
    """Makes the connections of one or more listeners in `buildProtocol`, and ends them together."""

    noisy = False
    connections: Connections[C]

    async def stop(self) -> None:
        """Take leave of everyone and wait until they are gone, a second at most."""
        members = tuple(self.connections.members)
        for member in members:
            member.shut_down(Farewell.STOPPING)
        await _all_set([member.closed for member in members], CLOSE_SECONDS + 1)


async def _all_set(events: Collection[asyncio.Event], seconds: float) -> None:
    """Until each of these has come, or so much time is over."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    if not waiting:
        return
    _, late = await asyncio.wait(waiting, timeout=seconds)
    for task in late:
        task.cancel()
