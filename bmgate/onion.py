"""Onion services of Tor, made through its control port for as long as we are connected to it.

The key of such a service is ours, in a file of the data folder, so that its name stays; Tor forgets it when we go.
Importing this takes long and asks for Twisted's global reactor (txtorcon does): only who makes such a service imports
it, once there is a guest reactor. Source: Tor's control-spec, "ADD_ONION".
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IReactorTCP
from twisted.internet.protocol import ClientFactory
from txtorcon import TorControlProtocol

from bmgate.bm.hosts import ONION_SUFFIX, is_onion
from bmgate.bm.node.key_files import keep_key, read_key
from bmgate.bm.node.targets import PeerTarget
from bmgate.domain.ports.world import Clock
from bmgate.errors import ConfigError

log = logging.getLogger(__name__)

CONTROL_SECONDS = 30.0
RETRY_SECONDS = (5.0, 300.0)
NEW_KEY = "NEW:ED25519-V3"


@dataclass(frozen=True, slots=True)
class TorControl:
    """Where Tor is told what to do; without a password its cookie file is used."""

    place: PeerTarget
    password: str


@dataclass(frozen=True, slots=True)
class OnionPlan:
    """What the service is to be: which of its ports lead where, and how many streams one caller may have at once."""

    title: str  # for the log
    key_path: Path
    ports: Mapping[int, PeerTarget]
    max_streams: int


class OnionService:
    """One service, under one name."""

    def __init__(self, reactor: IReactorTCP, control: TorControl, plan: OnionPlan, clock: Clock) -> None:
        self._reactor, self._control, self._plan, self._clock = reactor, control, plan, clock

    async def run(self, named: Callable[[str], None]) -> None:
        """For ever: have the service there; `named` is told its name each time Tor has taken it."""
        pause, longest = RETRY_SECONDS
        while True:
            try:
                async with self._connected() as tor:
                    named(await self._add(tor))
                    pause = RETRY_SECONDS[0]
                    await tor.gone.wait()
                    log.warning("Tor at %s has gone, and with it %s", self._control.place, self._plan.title)
            except (
                ConnectError,
                RuntimeError,
                TimeoutError,
                ConfigError,
                OSError,
            ) as error:  # RuntimeError: txtorcon's
                log.warning("%s is not made by Tor at %s: %s", self._plan.title, self._control.place, error)
            await self._clock.sleep(pause)
            pause = min(longest, pause * 2)

    async def _add(self, tor: "_Controller") -> str:
        key = read_key(self._plan.key_path)
        flags = "MaxStreamsCloseCircuit" if key is None else "MaxStreamsCloseCircuit,DiscardPK"
        limits = f"Flags={flags} MaxStreams={self._plan.max_streams}"
        ports = " ".join(f"Port={port},{place}" for port, place in self._plan.ports.items())
        async with asyncio.timeout(CONTROL_SECONDS):
            answer: str = await _result(tor.queue_command(f"ADD_ONION {key or NEW_KEY} {limits} {ports}"))
        pairs = dict(line.split("=", 1) for line in answer.splitlines() if "=" in line)
        name: str = pairs.get("ServiceID", "") + ONION_SUFFIX
        if not is_onion(name) or (key is None and "PrivateKey" not in pairs):
            raise RuntimeError("the answer names no onion service")
        if key is None:
            keep_key(self._plan.key_path, pairs["PrivateKey"])
        log.info("%s is %s", self._plan.title, name)
        return name

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator["_Controller"]:
        """An authenticated connection to Tor, closed at the end."""
        host, port = self._control.place.host, self._control.place.port
        endpoint = (TCP6ClientEndpoint if ":" in host else TCP4ClientEndpoint)(self._reactor, host, port)
        async with asyncio.timeout(CONTROL_SECONDS):
            tor: _Controller = await _result(endpoint.connect(_Factory(self._control.password)))
        try:
            async with asyncio.timeout(CONTROL_SECONDS):
                await _result(tor.post_bootstrap)
            yield tor
        finally:
            tor.transport.abortConnection()
            await tor.gone.wait()


class _Controller(TorControlProtocol):  # type: ignore[misc]
    """txtorcon's, but for a fault: whoever holds Tor's port could name a file of ours as its cookie and be sent it."""

    def __init__(self, password: str) -> None:
        super().__init__((lambda: password) if password else None)
        self.gone = asyncio.Event()

    def authenticate(self, passphrase: str | bytes) -> Any:
        """Cookies, which are bytes, only by SAFECOOKIE, which proves them without telling."""
        if isinstance(passphrase, bytes):
            raise RuntimeError("it wants its cookie in clear; SAFECOOKIE is what Tor offers since 2012")
        return super().authenticate(passphrase)

    def connectionLost(self, reason: Any) -> None:  # noqa: N802
        """Ends what waits for an answer too."""
        self.gone.set()
        super().connectionLost(reason)


class _Factory(ClientFactory):
    noisy = False

    def __init__(self, password: str) -> None:
        self._password = password

    def buildProtocol(self, addr: object) -> _Controller:  # noqa: N802
        return _Controller(self._password)


async def _result(deferred: "Deferred[Any]") -> Any:
    return await deferred.asFuture(asyncio.get_running_loop())
