"""How the gateway is: one report of sizes, counts and queues, for `bmgate status` and for tests.

Figures only: no names of accounts, no addresses of users, nothing from messages.
"""

import asyncio
import contextlib
import os
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bmgate.domain.peers import Standing
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Clock
from bmgate.services.inbound.scanning import objects_left

SAMPLE_SECONDS = 1.0


class ListenerView(Protocol):
    """A bound address: `name` is such as `imap` (TLS from the first octet), `imap starttls`, `bitmessage`."""

    @property
    def name(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...


class PeerView(Protocol):
    """One connection to another node; `since` in Unix seconds."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def kind(self) -> str:
        """inbound, outbound, explicit, feeler or seed."""
        ...

    @property
    def inbound(self) -> bool: ...
    @property
    def established(self) -> bool: ...
    @property
    def tls(self) -> bool: ...
    @property
    def user_agent(self) -> str: ...
    @property
    def bytes_in(self) -> int: ...
    @property
    def bytes_out(self) -> int: ...
    @property
    def since(self) -> int: ...


class NodeStateView(Protocol):
    """Figures of the node: nodes known, reached and refused; bytes of all connections; objects on their way."""

    @property
    def known(self) -> int: ...
    @property
    def tried(self) -> int: ...
    @property
    def banned(self) -> int: ...
    @property
    def bytes_in(self) -> int: ...
    @property
    def bytes_out(self) -> int: ...
    @property
    def pending_downloads(self) -> int: ...
    @property
    def in_stem(self) -> int: ...
    @property
    def stems(self) -> int: ...
    @property
    def stored_bytes(self) -> int:
        """Of all objects together."""
        ...

    @property
    def clock_offset(self) -> int | None:
        """Seconds by which the peers' clocks are ahead of ours, in the middle; None while too few told theirs."""
        ...


class PeerNewsView(Protocol):
    """What happened to a connection; `at` in Unix seconds."""

    @property
    def at(self) -> int: ...
    @property
    def event(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def detail(self) -> str: ...


class NodeView(Protocol):
    """The running node as people look at it."""

    def peers(self) -> Sequence[PeerView]:
        """Every connection, oldest first."""
        ...

    @property
    def state(self) -> NodeStateView: ...

    def banned(self) -> Sequence[Standing]:
        """Who is refused, by the operator or for what it did."""
        ...

    def news(self) -> AsyncIterator[PeerNewsView]:
        """What happens to connections from now on."""
        ...


class DiskView(Protocol):
    """The disk that holds the data, as people look at it."""

    @property
    def free_bytes(self) -> int: ...
    @property
    def has_room_for_objects(self) -> bool: ...
    @property
    def has_room_for_mail(self) -> bool: ...


class SolverView(Protocol):
    """The proof of work as people look at it."""

    @property
    def trials_per_second(self) -> float: ...
    @property
    def queue_depth(self) -> int:
        """Jobs waiting or being searched."""
        ...


@dataclass(frozen=True, slots=True)
class Build:
    """What does not change while the process runs; `backend` is such as `pow=scalar`, `wal` the database's log."""

    version: str
    network: str
    domain: str
    backend: str
    sqlite: str
    data: Path
    wal: Path


class LoopLag:
    """How late the loop runs what is due: the worst of the last minute, in seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._samples: list[float] = []

    @property
    def worst(self) -> float:
        """0 until `watch` has run for a second."""
        return max(self._samples, default=0.0)

    async def watch(self) -> None:
        """Measure until cancelled."""
        while True:
            due = self._clock.monotonic() + SAMPLE_SECONDS
            await self._clock.sleep(SAMPLE_SECONDS)
            self._samples = [*self._samples[-59:], max(0.0, self._clock.monotonic() - due)]


class Status:
    """Collects the report. `node` is None and `listening` empty while nothing is served; `imports` counts those that
    run.
    """

    def __init__(
        self,
        build: Build,
        database: Database,
        clock: Clock,
        solver: SolverView,
        node: Callable[[], NodeView | None],
        listening: Callable[[], Sequence[ListenerView]],
        lag: LoopLag,
        disk: DiskView,
        imports: Callable[[], int],
    ) -> None:
        self._disk, self._imports = disk, imports
        self._build, self._database, self._clock, self._solver = build, database, clock, solver
        self._node, self._listening, self._lag = node, listening, lag
        self._started = clock.monotonic()

    async def report(self) -> dict[str, Any]:
        """Everything, as values for JSON."""
        node = self._node()
        return {
            "version": self._build.version,
            "running": node is not None,
            "pid": os.getpid(),
            "uptime_seconds": round(self._clock.monotonic() - self._started, 1),
            "network": self._build.network,
            "domain": self._build.domain,
            "data": str(self._build.data),
            "listening": [
                {"name": listener.name, "host": listener.host, "port": listener.port} for listener in self._listening()
            ],
            "peers": _peer_counts(node.peers() if node is not None else ()),
            "node": _node_figures(node.state) if node is not None else None,
            **await self._database.read(_stored),
            "imports": self._imports(),
            "work": {
                "backend": self._build.backend,
                "trials_per_second": round(self._solver.trials_per_second),
                "queued": self._solver.queue_depth,
            },
            "database": {"sqlite": self._build.sqlite, "wal_bytes": _size(self._build.wal)},
            "disk": {
                "free_bytes": self._disk.free_bytes,
                "takes_objects": self._disk.has_room_for_objects,
                "takes_mail": self._disk.has_room_for_mail,
            },
            "process": {
                "rss_bytes": _rss(),
                "descriptors": len(os.listdir("/proc/self/fd")),
                "tasks": len(asyncio.all_tasks()),
                "threads": threading.active_count(),
                "loop_lag_seconds": round(self._lag.worst, 4),
            },
        }


def _stored(store: Store) -> dict[str, Any]:
    stored, to_process = store.inventory.count()
    searching, left = objects_left(store)
    outbox = {state.value: count for state, count in store.outbox.count_by_state().items() if count}
    held = {reason.value: count for reason, count in store.outbox.count_by_reason().items()}
    return {
        "accounts": len(store.accounts.all()),
        "objects": {"stored": stored, "to_process": to_process},
        "searches": {"waiting": searching, "objects_left": left},
        "outbox": dict(sorted(outbox.items())),
        "queue": {"waiting": dict(sorted(held.items())), "oldest": store.outbox.oldest_unfinished()},
    }


def _peer_counts(peers: Sequence[PeerView]) -> dict[str, Any]:
    established = [peer for peer in peers if peer.established]
    inbound = sum(peer.inbound for peer in established)
    return {
        "established": len(established),
        "inbound": inbound,
        "outbound": len(established) - inbound,
        "explicit": sum(peer.kind == "explicit" for peer in established),
        "tls": sum(peer.tls for peer in established),
        "kinds": dict(sorted(Counter(peer.kind for peer in established).items())),
        "connecting": len(peers) - len(established),
    }


def _node_figures(state: NodeStateView) -> dict[str, int | None]:
    return {
        "known": state.known,
        "tried": state.tried,
        "banned": state.banned,
        "bytes_in": state.bytes_in,
        "bytes_out": state.bytes_out,
        "pending_downloads": state.pending_downloads,
        "in_stem": state.in_stem,
        "stems": state.stems,
        "stored_bytes": state.stored_bytes,
        "clock_offset": state.clock_offset,
    }


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0


def _rss() -> int:
    """Resident memory in bytes, from the second figure of statm (pages)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
