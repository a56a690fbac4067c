"""The report counts; it does not tell who."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path

from fakes import FakeClock
from stations import Station

from bmgate.domain.peers import Standing
from bmgate.services.status import Build, LoopLag, Status


@dataclass(frozen=True, slots=True)
class Peer:
    inbound: bool
    established: bool
    host: str = "127.0.0.2"
    port: int = 18444
    kind: str = "outbound"
    tls: bool = True
    user_agent: str = "/other:1/"
    bytes_in: int = 1
    bytes_out: int = 2
    since: int = 3


class Solver:
    trials_per_second = 1000.4
    queue_depth = 3


@dataclass(frozen=True, slots=True)
class NodeState:
    known: int = 100
    tried: int = 10
    banned: int = 1
    bytes_in: int = 1_000
    bytes_out: int = 2_000
    pending_downloads: int = 3
    in_stem: int = 2
    stems: int = 1
    stored_bytes: int = 4_000
    clock_offset: int | None = -2


class Disk:
    free_bytes = 100_000_000
    has_room_for_objects = False
    has_room_for_mail = True


@dataclass(frozen=True, slots=True)
class News:
    at: int
    event: str
    host: str
    port: int
    kind: str
    detail: str


class Node:
    state = NodeState()

    def peers(self) -> list[Peer]:
        return [
            Peer(True, True, kind="inbound"),
            Peer(False, True),
            Peer(False, True, kind="explicit"),
            Peer(False, False),
        ]

    def banned(self) -> list[Standing]:
        return []

    async def news(self) -> AsyncIterator[News]:
        yield News(1, "closed", "127.0.0.2", 1, "inbound", "LOST")


@dataclass(frozen=True, slots=True)
class Listening:
    name: str
    host: str
    port: int


def build(folder: Path) -> Build:
    return Build("1.2", "test", "bm.internal", "pow=scalar", "3.51.3", folder, folder / "bmgate.db-wal")


async def test_a_running_gateway_tells_listeners_and_peers(station: Station, tmp_path: Path) -> None:
    (tmp_path / "bmgate.db-wal").write_bytes(b"x" * 77)
    status = Status(
        build(tmp_path),
        station.database,
        station.clock,
        Solver(),
        Node,
        lambda: [Listening("imap", "127.0.0.1", 993)],
        LoopLag(station.clock),
        Disk(),
        lambda: 2,
    )
    station.clock.advance(90)
    report = await status.report()
    assert report["running"] is True
    assert report["uptime_seconds"] == 90.0
    assert report["listening"] == [{"name": "imap", "host": "127.0.0.1", "port": 993}]
    assert report["peers"] == {
        "established": 3,
        "inbound": 1,
        "outbound": 2,
        "explicit": 1,
        "tls": 3,
        "kinds": {"explicit": 1, "inbound": 1, "outbound": 1},
        "connecting": 1,
    }
    assert (report["searches"], report["imports"]) == ({"waiting": 0, "objects_left": 0}, 2)
    assert report["disk"] == {"free_bytes": 100_000_000, "takes_objects": False, "takes_mail": True}
    assert report["node"] == asdict(NodeState())
    assert report["work"] == {"backend": "pow=scalar", "trials_per_second": 1000, "queued": 3}
    assert report["objects"] == {"stored": 0, "to_process": 0}
    assert report["database"] == {"sqlite": "3.51.3", "wal_bytes": 77}


async def test_no_log_of_the_database_has_no_bytes(station: Station, tmp_path: Path) -> None:
    lag = LoopLag(station.clock)
    status = Status(build(tmp_path), station.database, station.clock, Solver(), lambda: None, list, lag, Disk(), int)
    report = await status.report()
    assert report["database"]["wal_bytes"] == 0
    assert report["running"] is False
    assert report["node"] is None


async def test_the_worst_delay_of_the_last_minute_is_remembered(clock: FakeClock) -> None:
    lag = LoopLag(clock)
    watching = asyncio.create_task(lag.watch())
    await asyncio.sleep(0)
    assert lag.worst == 0.0
    clock.advance(1.25)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert lag.worst == 0.25
    for _ in range(60):
        clock.advance(1.0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert lag.worst == 0.0
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
