"""Twisted as a guest: its reactor on the asyncio loop that owns the process."""

import asyncio
import os
import sys
from socket import SO_ERROR, SOL_SOCKET

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.base import ReactorBase
from twisted.internet.error import ConnectionLost
from twisted.internet.main import installReactor
from twisted.internet.tcp import Connection


class GuestReactor(AsyncioSelectorReactor):
    """Leaves the loop alone: we close listeners and tasks ourselves, and the loop ends when our main coroutine does."""

    def serves(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether this is the guest of `loop`."""
        return self._asyncioEventloop is loop

    def crash(self) -> None:
        """Stop being a reactor, without stopping the loop as the parent would."""
        ReactorBase.crash(self)

    def _readOrWrite(self, selectable: object, read: bool) -> None:  # noqa: N802
        """Read or write, then end a connection that was reset behind what was read.

        uvloop tells of a reset once, and hears no more of that connection: it would stay for ever.
        """
        super()._readOrWrite(selectable, read)  # type: ignore[no-untyped-call]
        if isinstance(selectable, Connection) and selectable.fileno() != -1:
            error = selectable.socket.getsockopt(SOL_SOCKET, SO_ERROR)
            if error:
                lost = ConnectionLost(os.strerror(error))
                self._disconnectSelectable(selectable, lost, isRead=False)  # type: ignore[no-untyped-call]


def guest_reactor() -> GuestReactor:
    """A running reactor on the running loop, installed for Twisted's own modules that import the global one.

    A loop has one: asked again, it is the same. Raises ReactorAlreadyInstalledError when another kind was installed.
    """
    installed: object = sys.modules.get("twisted.internet.reactor")
    if isinstance(installed, GuestReactor) and installed.serves(asyncio.get_running_loop()):
        return installed
    reactor = GuestReactor(asyncio.get_running_loop())
    installReactor(reactor)  # type: ignore[no-untyped-call]
    reactor.startRunning(installSignalHandlers=False)
    return reactor
