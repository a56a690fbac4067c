"""What sections of `gateway.ini` mean to the parts."""

import os

from bmgate.bm.node.exchange import ExchangeSettings
from bmgate.bm.node.node import NodeSettings
from bmgate.bm.node.pool import PoolLimits
from bmgate.bm.node.targets import PeerTarget
from bmgate.config import Config
from bmgate.domain.ports.world import Clock
from bmgate.hidden import HiddenPlaces
from bmgate.mail.addresses import Domains
from bmgate.native import Backend
from bmgate.pow.local import Engine, LocalEngine
from bmgate.pow.opencl import OpenclEngine
from bmgate.pow.permission import Permission, PowerSupplies
from bmgate.pow.solver import LocalSolver
from bmgate.storage.passwords import Argon2Cost

LOW_MEMORY_BYTES = 19 * 1024 * 1024


def domains_of(config: Config) -> Domains:
    """Which mail domains are this gateway's."""
    section = config.gateway
    return Domains(section.domain, frozenset(section.extra_domains), frozenset(section.synonym_domains))


def lanes_of(config: Config) -> int:
    """How many threads compute at the same time."""
    return (os.cpu_count() or 1) if config.pow.threads == "auto" else config.pow.threads


def solver_of(config: Config, backend: Backend, clock: Clock) -> LocalSolver:
    """Proof of work in this process, when it is permitted, on an OpenCL device where one is named."""
    engine: Engine = LocalEngine(backend, lanes_of(config), config.pow.nice)
    if config.pow.opencl not in ("", "off"):
        engine = OpenclEngine(config.pow.opencl, engine)
    power = PowerSupplies() if config.pow.on_battery == "pause" else None
    return LocalSolver(engine, clock, Permission(clock, config.pow.schedule, power))


def node_settings(config: Config, hidden: HiddenPlaces) -> NodeSettings:
    """Of the node; where it hides, it listens there too."""
    listeners = tuple(PeerTarget(host, port) for host, port in config.node.listeners)
    return NodeSettings(
        network=config.node.parameters,
        listen=(*listeners, *hidden.node_listener),
        proxies=hidden.proxies,
        peers=tuple(PeerTarget(host, port) for host, port in config.node.fixed_peers),
        outbound=config.node.outbound,
        only_peers=config.node.only_peers,
        bootstrap=config.node.bootstrap,
        lan=config.node.lan,
        tls_inbound=config.node.tls_inbound,
        exchange=ExchangeSettings(
            first_getdata=config.node.first_getdata,
            dandelion=config.node.dandelion,
            inventory_limit=config.storage.inventory_limit,
        ),
        pool=PoolLimits(inbound=config.node.inbound),
    )


def argon2_cost(config: Config) -> Argon2Cost:
    """What a login costs."""
    return Argon2Cost() if config.security.argon2 == "normal" else Argon2Cost(memory_bytes=LOW_MEMORY_BYTES)
