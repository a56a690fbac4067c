"""How the node reaches out, and the names under which Tor and I2P lead others to it, as gateway.ini has it.

Without socks and sam: straight, and nothing here runs. Behind them nothing else is contacted (V18), unless `mixed`.
"""

import asyncio
import base64
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from nacl.bindings import crypto_scalarmult_ed25519_base_noclamp

from bmgate.bm.hosts import Reach, onion_name
from bmgate.bm.keys import Entropy
from bmgate.bm.node.connectors import Connector, DirectConnector, Routes, loopback_of
from bmgate.bm.node.i2p import SamBridge, name_of_i2p_key
from bmgate.bm.node.key_files import read_key
from bmgate.bm.node.peer import PeerProtocol
from bmgate.bm.node.socks import SocksConnector
from bmgate.bm.node.targets import PeerTarget
from bmgate.config import Config, HostPort, NodeSection
from bmgate.domain.ports.world import Clock
from bmgate.doors import MAIL_PORTS, ONION, ONION_OFFSET, Listener
from bmgate.errors import ConfigError

TOR_FOLDER, I2P_FOLDER = "tor", "i2p"  # in the data folder
NODE_KEY, MAIL_KEY = "node.key", "mail.key"
ONION_SECRET_SIZE = 64
NODE_STREAMS = 2  # of one caller at once, as from one IP address
MAIL_STREAMS = 40  # a mail program opens many
FORWARDED_BY_TOR = ("127.0.0.1", "::1")  # where connections come from that Tor and local proxies bring


class HiddenPlaces:
    """What the settings make of Tor and I2P. `folder` holds the keys of our names."""

    def __init__(self, config: Config, folder: Path, clock: Clock, entropy: Entropy) -> None:
        self._config, self._folder, self._clock = config, folder, clock
        self._sam = None
        if config.node.sam is not None:
            self._sam = SamBridge(_place(config.node.sam), folder / I2P_FOLDER / NODE_KEY, clock, entropy)
        self.connector = choose_connector(config.node, self._sam, entropy)

    @property
    def node_listener(self) -> tuple[PeerTarget, ...]:
        """Where the node is to listen for Tor, beside its other listeners."""
        tor = self._config.tor
        if tor.node_service == "off":
            return ()
        port = self._config.node.parameters.port + ONION_OFFSET if tor.node_service == "torrc" else 0
        return (PeerTarget(tor.host, port),)

    @property
    def proxies(self) -> tuple[str, ...]:
        """Addresses from and to which Tor brings callers: they say nothing about who calls."""
        hides = self._config.node.is_hidden or self._config.tor.node_service != "off"
        return (*FORWARDED_BY_TOR, self._config.tor.host) if hides else ()

    def start(
        self,
        tasks: asyncio.TaskGroup,
        accept: Callable[[PeerTarget], PeerProtocol],
        named: Callable[[PeerTarget], None],
        listening: Sequence[PeerTarget],
        mail: Sequence[Listener],
    ) -> list[asyncio.Task[None]]:
        """Have our names, each in a task. `accept` lets a caller from I2P in; `named` is told each name of the node.

        `listening` is where the node listens, last of all for Tor; `mail` where the doors do. Raises ConfigError for
        keys that others can read, or that are none.
        """
        own_names(self._folder)
        running = []
        if self._sam is not None:
            running.append(tasks.create_task(self._sam.run(accept, lambda name: named(PeerTarget(name, 0)))))
        tor, port = self._config.tor, self._config.node.parameters.port
        if tor.node_service == "control":
            running.append(
                tasks.create_task(
                    self._serve_onion(
                        "the onion service of the node",
                        NODE_KEY,
                        {port: listening[-1]},
                        NODE_STREAMS,
                        lambda name: named(PeerTarget(name, port)),
                    )
                )
            )
        elif tor.node_service == "torrc" and tor.node_name:
            named(PeerTarget(tor.node_name, port))
        if tor.mail_service == "control":
            ports = {_usual_port(each): PeerTarget(each.host, each.port) for each in mail if is_onion_listener(each)}
            title = "the onion service for mail programs"
            running.append(
                tasks.create_task(self._serve_onion(title, MAIL_KEY, ports, MAIL_STREAMS, lambda name: None))
            )
        return running

    async def _serve_onion(
        self, title: str, key: str, ports: dict[int, PeerTarget], streams: int, named: Callable[[str], None]
    ) -> None:
        from bmgate.reactor import guest_reactor

        reactor = guest_reactor()  # before the next import, which asks Twisted for the global one
        await asyncio.to_thread(import_module, "bmgate.onion")  # txtorcon takes half a second
        from bmgate.onion import OnionPlan, OnionService, TorControl

        tor = self._config.tor
        assert tor.control is not None, "the settings see to it"
        control = TorControl(_place(tor.control), tor.password)
        plan = OnionPlan(title, self._folder / TOR_FOLDER / key, ports, streams)
        await OnionService(reactor, control, plan, self._clock).run(named)


def choose_connector(node: NodeSection, sam: SamBridge | None, entropy: Entropy) -> Connector:
    """The way to peers of each network in reach; straight only where the settings leave it."""
    routes: dict[Reach, Connector] = {}
    socks = None if node.socks is None else SocksConnector(_place(node.socks), node.reached, entropy)
    if Reach.CLEARNET in node.reached:
        straight = DirectConnector(loopback_of([PeerTarget(host, port) for host, port in node.listeners]))
        routes[Reach.CLEARNET] = straight if socks is None or node.mixed else socks
    if Reach.ONION in node.reached and socks is not None:
        routes[Reach.ONION] = socks
    if Reach.I2P in node.reached and sam is not None:
        routes[Reach.I2P] = sam
    return Routes(routes)


def torrc(config: Config) -> str:
    """The lines for a torrc whose services lead to this gateway; empty when there are none."""
    tor, lines = config.tor, []
    if tor.node_service == "torrc":
        port = config.node.parameters.port
        lines += [
            "HiddenServiceDir /var/lib/tor/bmgate-node/",
            f"HiddenServicePort {port} {HostPort(tor.host, port + ONION_OFFSET)}",
            f"HiddenServiceMaxStreams {NODE_STREAMS}",
            "HiddenServiceMaxStreamsCloseCircuit 1",
        ]
    if tor.mail_service == "torrc":
        lines.append("HiddenServiceDir /var/lib/tor/bmgate-mail/")
        lines += [f"HiddenServicePort {port} {HostPort(tor.host, port + ONION_OFFSET)}" for port in MAIL_PORTS.values()]
        lines += [f"HiddenServiceMaxStreams {MAIL_STREAMS}"]
    return "".join(f"{line}\n" for line in lines)


def is_onion_listener(listener: Listener) -> bool:
    return listener.name.startswith(ONION)


def _usual_port(listener: Listener) -> int:
    door, _, kind = listener.name.removeprefix(ONION).partition(" ")
    return MAIL_PORTS[door, "starttls_port" if kind else "tls_port"]


def _place(place: HostPort) -> PeerTarget:
    assert place.port is not None, "the settings see to it"
    return PeerTarget(place.host, place.port)


def own_names(folder: Path) -> dict[str, str]:
    """Our names in Tor and I2P by what they are for, from the keys in the data folder `folder`. Raises ConfigError."""
    keys = {
        "peers, onion": (folder / TOR_FOLDER / NODE_KEY, name_of_onion_key),
        "peers, I2P": (folder / I2P_FOLDER / NODE_KEY, name_of_i2p_key),
        "mail programs, onion": (folder / TOR_FOLDER / MAIL_KEY, name_of_onion_key),
    }
    return {
        use: _named(path, key, name_of) for use, (path, name_of) in keys.items() if (key := read_key(path)) is not None
    }


def _named(path: Path, key: str, name_of: Callable[[str], str]) -> str:
    try:
        return name_of(key)
    except (ValueError, OSError) as error:
        raise ConfigError(f"{path} holds no key: {error}; move it away for a new name") from error


def name_of_onion_key(key: str) -> str:
    """From `ED25519-V3:` and the 64 bytes of an expanded key, as Tor tells them; raises ValueError."""
    secret = base64.b64decode(key.partition(":")[2], validate=True)
    if len(secret) != ONION_SECRET_SIZE:
        raise ValueError(f"{len(secret)} bytes, hoped for {ONION_SECRET_SIZE}")
    return onion_name(crypto_scalarmult_ed25519_base_noclamp(secret[:32]))
