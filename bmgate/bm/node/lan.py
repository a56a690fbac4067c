"""Nodes of the local network, found as PyBitmessage finds them: each tells all others by UDP where it listens.

A broadcast is an `addr` packet with one entry that no stranger could reach: it means the sender's own address and this
port. Only private addresses are believed. What is found is one more node to choose from. Off unless `lan` is on, and
where connections go through a proxy (V18). Source: PyBitmessage's UDP socket.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable

from bmgate.bm.commands import AddrCommand, PeerAddress, Services, encode_command, read_command
from bmgate.bm.network import STREAM, NetworkParameters
from bmgate.bm.node.targets import PeerTarget, is_private, is_public
from bmgate.bm.packets import PacketReader
from bmgate.domain.ports.world import Clock
from bmgate.errors import ProtocolError

EVERYBODY = "255.255.255.255"
ANNOUNCE_SECONDS = 60.0
CLOCK_SECONDS = 3_600
NOBODY = "127.0.0.1"  # stands for the sender's address
MAX_DATAGRAM = 2_048
HEARD_A_MINUTE = 100  # more is not looked at

log = logging.getLogger(__name__)


class LanDiscovery(asyncio.DatagramProtocol):
    """Tells `broadcast` (a broadcast address) of `place`, where this node listens, and `found` of others."""

    def __init__(
        self,
        network: NetworkParameters,
        place: PeerTarget,
        broadcast: str,
        clock: Clock,
        found: Callable[[PeerTarget], None],
    ) -> None:
        self._network, self._place, self._broadcast, self._clock, self._found = network, place, broadcast, clock, found
        self._heard = 0

    async def run(self) -> None:
        """Until cancelled; where the local network does not let us, not at all."""
        loop = asyncio.get_running_loop()
        own_host = "" if self._place.host == "0.0.0.0" else self._place.host
        with contextlib.ExitStack() as opened:
            try:
                ear, _ = await loop.create_datagram_endpoint(
                    lambda: self, sock=_bound(self._broadcast, self._network.port, shared=True)
                )
                opened.callback(ear.close)
                mouth, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, sock=_bound(own_host, 0))
                opened.callback(mouth.close)
            except OSError as error:
                log.warning("nodes of the local network are not looked for: %s", error.strerror or error)
                return
            while True:
                mouth.sendto(self._announcement(), (self._broadcast, self._network.port))
                await self._clock.sleep(ANNOUNCE_SECONDS)
                self._heard = 0

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._heard += 1
        host = addr[0]
        if self._heard > HEARD_A_MINUTE or len(data) > MAX_DATAGRAM or not is_private(host):
            return
        try:
            peers = _read(data, self._network)
        except ProtocolError as error:
            log.debug("a broadcast of %s is not understood: %s", host, error)
            return
        now = self._clock.now()
        for peer in peers:
            if peer.stream == STREAM and abs(now - peer.time) <= CLOCK_SECONDS and not is_public(_target(peer)):
                if (host, peer.port) != (self._place.host, self._place.port):
                    self._found(PeerTarget(host, peer.port))
                return

    def error_received(self, exc: Exception) -> None:
        log.debug("the local network is away: %s", exc)

    def _announcement(self) -> bytes:
        own = PeerAddress(self._clock.now(), STREAM, Services.NETWORK, NOBODY, self._place.port)
        return encode_command(AddrCommand((own,)), self._network.magic)


def _bound(host: str, port: int, shared: bool = False) -> socket.socket:
    """A UDP socket that may broadcast; `shared`: other nodes of this machine may have the port too."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def _read(data: bytes, network: NetworkParameters) -> tuple[PeerAddress, ...]:
    """The entries of an `addr` packet; of others none. Raises ProtocolError."""
    reader = PacketReader(network.magic)
    reader.feed(data)
    packet = reader.next_packet()
    command = None if packet is None else read_command(packet)
    return command.peers if isinstance(command, AddrCommand) else ()


def _target(peer: PeerAddress) -> PeerTarget:
    return PeerTarget(peer.host, peer.port)
