"""Twisted as a guest: its reactor on the asyncio loop that owns the process."""

import asyncio

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.base import ReactorBase
from twisted.internet.main import installReactor


class GuestReactor(AsyncioSelectorReactor):
    """Leaves the loop alone: we close listeners and tasks ourselves, and the loop ends when our main coroutine does."""

    def crash(self) -> None:
        """Stop being a reactor, without stopping the loop as the parent would."""
        ReactorBase.crash(self)


def guest_reactor() -> GuestReactor:
    """A running reactor on the running loop, installed for Twisted's own modules that import the global one.

    Raises ReactorAlreadyInstalledError when something has imported `twisted.internet.reactor` before.
    """
    reactor = GuestReactor(asyncio.get_running_loop())
    installReactor(reactor)  # type: ignore[no-untyped-call]
    reactor.startRunning(installSignalHandlers=False)
    return reactor
