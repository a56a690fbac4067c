"""Every connection of the node, from its first byte to its last: who is let in, what we say of ourselves, what ends it.

Hands on what peers say to whoever trades and gossips; decides nothing about objects and addresses.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from bmgate import __version__
from bmgate.bm.commands import (
    NONCE_SIZE,
    PROTOCOL_VERSION,
    Command,
    NetAddress,
    Services,
    VersionCommand,
    encode_host,
)
from bmgate.bm.conversation import Conversation, Direction
from bmgate.bm.handshake import Ending
from bmgate.bm.keys import Entropy
from bmgate.bm.network import STREAM
from bmgate.bm.node.bans import THRESHOLD, Bans, Offence, with_points
from bmgate.bm.node.connectors import Connector
from bmgate.bm.node.download import PeerId
from bmgate.bm.node.peer import PeerHooks, PeerProtocol
from bmgate.bm.node.pool import Connection, Kind, Pool
from bmgate.bm.node.settings import NodeSettings
from bmgate.bm.node.targets import PeerTarget
from bmgate.bm.node.tls_offers import TlsOffers
from bmgate.bm.peer_events import Established, PeerEvent
from bmgate.domain.ports.world import Clock

log = logging.getLogger(__name__)

USER_AGENT = f"/bmgate:{'.'.join(__version__.split('.')[:2])}/".encode()
PROXIED_HANDSHAKE_SECONDS = 60.0  # P3
NOWHERE = "127.0.0.1"  # said where an address must stand and none may, or none fits
OFFENCES = {Ending.VIOLATION: Offence.VIOLATION, Ending.UNHELPFUL: Offence.UNHELPFUL}

Trace = Callable[[str, Direction, Command], None]


def not_traced(peer: str, direction: Direction, command: Command) -> None:
    """The trace of a node nobody watches."""


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """One connection, for people. `since` in Unix seconds; `services` are the peer's, 0 until it told them."""

    host: str
    port: int
    kind: str
    inbound: bool
    established: bool
    tls: bool
    user_agent: str
    services: int
    bytes_in: int
    bytes_out: int
    since: int


@dataclass(frozen=True, slots=True)
class ConnectionHooks:
    """What others do when something happens. `ended` is told of every connection that was in the pool."""

    established: Callable[[PeerProtocol, Connection], None]
    said: Callable[[PeerProtocol, Connection, PeerEvent], None]
    ended: Callable[[PeerProtocol, Connection, Ending, str], None]


class Connections:
    """All peers' transports and conversations. `is_open` is False once the node stops: nobody is let in any more."""

    def __init__(
        self,
        settings: NodeSettings,
        pool: Pool,
        bans: Bans,
        connector: Connector,
        clock: Clock,
        entropy: Entropy,
        trace: Trace,
        hooks: ConnectionHooks,
    ) -> None:
        self._settings, self._pool, self._bans, self._connector = settings, pool, bans, connector
        self._clock, self._entropy, self._trace, self._hooks = clock, entropy, trace, hooks
        self._tls = TlsOffers(settings.tls_inbound)
        self._peers: dict[PeerId, PeerProtocol] = {}
        self._last_id = 0
        self._past_bytes = [0, 0]
        self.listening_port: int | None = None
        self.is_open = False
        self.not_let_in = 0  # until somebody tells of them and begins anew

    def open(self) -> None:
        """Find out what TLS can do, and let peers in."""
        self._tls.start()
        self.is_open = True

    def close(self) -> list[asyncio.Future[Ending]]:
        """End all connections at once; what to wait for."""
        self.is_open = False
        peers = list(self._peers.values())
        for peer in peers:
            peer.hang_up(Ending.STOPPED, "we stop")
            peer.abort()
        return [peer.closed for peer in peers]

    # --- making ---

    def outgoing(self, target: PeerTarget, kind: Kind) -> PeerProtocol:
        """Our end of a call to `target`."""
        return self._new_peer(kind, target, None)

    def incoming(self, host: str | None = None) -> PeerProtocol:
        """Our end of somebody's call; `host` is given where a proxy knows it better than the socket."""
        return self._new_peer(Kind.INBOUND, None, host)

    def _new_peer(self, kind: Kind, target: PeerTarget | None, host: str | None) -> PeerProtocol:
        self._last_id += 1
        hooks = PeerHooks(partial(self._begin, kind, target, host), self._deliver, self._closed)
        return PeerProtocol(PeerId(self._last_id), self._clock, hooks)

    def _begin(
        self,
        kind: Kind,
        target: PeerTarget | None,
        known_host: str | None,
        peer: PeerProtocol,
        transport: asyncio.Transport,
    ) -> Conversation | None:
        names = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        if not self.is_open or None in names:  # we stop, or the peer has gone again
            return None
        (host, port), own_host = names[0][:2], names[1][0]
        is_direct = known_host is None and not self._pool.is_proxy(host)
        if target is not None and not self._connector.is_direct(target.host):
            host, port, is_direct = target.host, target.port, False
        host = known_host or host
        if not self._is_wanted(kind, host):
            return None
        if kind is Kind.EXPLICIT:
            self._pool.exempt.add(host)
        now = self._clock.monotonic()
        context = self._tls.context(target, host, now) if is_direct or target is not None else None
        version = self._version(host if is_direct else NOWHERE, port, context is not None)
        self._peers[peer.id] = peer
        since = self._clock.now()
        self._pool.add(Connection(peer.id, host, port, own_host, kind, version.nonce, since, peer.hang_up, now, target))
        deadlines = self._settings.deadlines
        if not is_direct:
            deadlines = replace(deadlines, handshake=max(deadlines.handshake, PROXIED_HANDSHAKE_SECONDS))
        return Conversation(
            self._settings.network,
            version,
            initiator=target is not None,
            admit=partial(self._pool.admit, peer.id),
            tls_context=context,
            deadlines=deadlines,
            trace=partial(self._trace, str(PeerTarget(host, port))),
        )

    def _is_wanted(self, kind: Kind, host: str) -> bool:
        unix_now = self._clock.now()
        if kind is not Kind.INBOUND:
            return not self._bans.is_banned(host, unix_now)
        if self._pool.may_accept(host, unix_now):
            return True
        log.debug("peer %s is not let in: too many connections, or banned", host)
        self.not_let_in += 1
        return False

    def _version(self, host: str, port: int, offers_tls: bool) -> VersionCommand:
        """What we say of ourselves; the nonce is new each time, or it would link our connections."""
        services = Services.NETWORK | (Services.SSL if offers_tls else Services(0))
        if self._settings.exchange.dandelion:
            services |= Services.DANDELION
        return VersionCommand(
            protocol_version=PROTOCOL_VERSION,
            services=services,
            timestamp=self._clock.now(),
            receiver=NetAddress(Services.NETWORK, _as_field(host), port),
            sender=NetAddress(services, NOWHERE, self.listening_port or self._settings.network.port),
            nonce=self._entropy(NONCE_SIZE),
            user_agent=USER_AGENT,
            streams=(STREAM,),
        )

    # --- what happens ---

    def tick(self) -> None:
        """Look at all deadlines."""
        for peer in list(self._peers.values()):
            self._pool[peer.id].useful_at = peer.useful_at
            peer.tick()

    def _deliver(self, peer: PeerProtocol, event: PeerEvent) -> None:
        connection = self._pool[peer.id]
        if not isinstance(event, Established):
            self._hooks.said(peer, connection, event)
            return
        connection.established, connection.tls = True, event.tls
        connection.latency = self._clock.monotonic() - connection.opened_at
        level = logging.DEBUG if connection.kind is Kind.FEELER else logging.INFO
        log.log(level, "peer %s is established, %s", name_of(connection), event.version.displayed_agent)
        self._hooks.established(peer, connection)

    def _closed(self, peer: PeerProtocol, ending: Ending, detail: str) -> None:
        connection = self._pool[peer.id]
        is_passer_by = connection.kind in (Kind.INBOUND, Kind.FEELER) and not connection.established
        is_quiet = is_passer_by or connection.kind is Kind.FEELER  # whose number nothing limits
        level = logging.DEBUG if is_quiet else logging.INFO
        log.log(level, "peer %s is closed, %s: %s", name_of(connection), ending.name, detail)
        if ending is Ending.TLS_FAILED:
            self._tls.failed(connection.target, connection.host, self._clock.monotonic())
        if ending in OFFENCES:
            self.charge(connection, OFFENCES[ending])
        self._past_bytes[0] += peer.conversation.bytes_in
        self._past_bytes[1] += peer.conversation.bytes_out
        self._hooks.ended(peer, connection, ending, detail)
        self._pool.remove(peer.id)
        del self._peers[peer.id]

    def charge(self, connection: Connection, offence: Offence) -> None:
        """Hold it against whoever is there; against explicit peers, and whom nobody can tell from others, no longer
        than the connection lasts.
        """
        if self._pool.is_exempt(connection.host) or self._pool.is_proxy(connection.host):
            connection.standing = with_points(connection.standing, offence, self._clock.now())
            if connection.standing.score >= THRESHOLD:
                connection.hang_up(Ending.MISBEHAVED, f"too much that is bad, at last: {offence.name.lower()}")
        elif self._bans.charge(connection.host, offence, self._clock.now()):
            self.hang_up_on_refused()

    def hang_up_on_refused(self) -> int:
        """End connections with whoever is refused by now; how many there were."""
        now = self._clock.now()

        def is_meant(connection: Connection) -> bool:
            if self._pool.is_exempt(connection.host):
                return self._bans.is_banned(connection.host, now)
            return self._bans.is_refused(connection.host, now)

        return self._pool.hang_up_on(is_meant, Ending.BANNED, "it is banned")

    # --- what is asked ---

    def protocol(self, connection: Connection) -> PeerProtocol:
        return self._peers[connection.id]

    def infos(self) -> list[PeerInfo]:
        """Every connection, oldest first."""
        return [self._info(connection) for connection in self._pool]

    @property
    def bytes_in_and_out(self) -> tuple[int, int]:
        """Of all connections there ever were."""
        live = [peer.conversation for peer in self._peers.values()]
        return (
            self._past_bytes[0] + sum(each.bytes_in for each in live),
            self._past_bytes[1] + sum(each.bytes_out for each in live),
        )

    def _info(self, connection: Connection) -> PeerInfo:
        conversation = self._peers[connection.id].conversation
        version = conversation.peer
        return PeerInfo(
            host=connection.host,
            port=connection.port,
            kind=connection.kind.value,
            inbound=connection.inbound,
            established=connection.established,
            tls=connection.tls,
            user_agent=version.displayed_agent if version else "",
            services=int(version.services) if version else 0,
            bytes_in=conversation.bytes_in,
            bytes_out=conversation.bytes_out,
            since=connection.since,
        )


def name_of(connection: Connection) -> str:
    """The peer in a log line."""
    return str(PeerTarget(connection.host, connection.port))


def _as_field(host: str) -> str:
    """What stands for a host where only addresses and short onion names fit."""
    with suppress(ValueError):
        encode_host(host)
        return host
    return NOWHERE
