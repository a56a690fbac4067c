"""The page for Prometheus, read by Prometheus's own parser."""

import asyncio
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateways import wait_for
from prometheus_client.parser import text_string_to_metric_families

from bmgate.localnet import GatewayProcess, free_hosts, prepare_folder
from bmgate.metrics.figures import exposition
from bmgate.services.inbound.receiving import Trials

REPORT: dict[str, Any] = {
    "version": "1.2.3",
    "uptime_seconds": 12.5,
    "network": "test",
    "node": {
        "known": 5,
        "tried": 2,
        "banned": 1,
        "bytes_in": 1000,
        "bytes_out": 2000,
        "pending_downloads": 7,
        "in_stem": 3,
        "stems": 2,
        "stored_bytes": 5000,
        "clock_offset": -3,
    },
    "disk": {"free_bytes": 1 << 30, "takes_objects": True, "takes_mail": True},
    "accounts": 4,
    "objects": {"stored": 100, "to_process": 6},
    "searches": {"waiting": 2, "objects_left": 70},
    "imports": 1,
    "outbox": {"acked": 9, "built": 1},
    "queue": {"waiting": {"no_peers": 2}, "oldest": 1_763_000_000},
    "work": {"backend": "pow=scalar", "trials_per_second": 123456, "queued": 8},
    "database": {"sqlite": "3.51.3", "wal_bytes": 4096},
    "process": {"rss_bytes": 1 << 20, "descriptors": 30, "tasks": 11, "threads": 5, "loop_lag_seconds": 0.25},
}


@dataclass(frozen=True)
class Peer:
    """A connection, as far as figures show it."""

    kind: str
    established: bool
    host: str = "127.0.0.9"
    port: int = 8444
    inbound: bool = False
    tls: bool = False
    user_agent: str = "/secret:1/"
    bytes_in: int = 0
    bytes_out: int = 0
    since: int = 0


PEERS = [Peer("outbound", True), Peer("outbound", True), Peer("outbound", False), Peer("inbound", True)]


def read(page: bytes) -> dict[str, float]:
    """Each figure by its name and its labels' values, in the order of the labels' names."""
    families = text_string_to_metric_families(page.decode())
    samples = (sample for family in families for sample in family.samples)
    return {
        "/".join([sample.name, *(value for _, value in sorted(sample.labels.items()))]): sample.value
        for sample in samples
    }


def test_the_report_is_told_in_prometheus_words() -> None:
    figures = read(exposition(REPORT, PEERS, Trials(keys=3, msgs=10, seconds=1.5)))
    assert figures["bmgate_info/pow=scalar/test/1.2.3"] == 1
    assert figures["bmgate_peers/yes/outbound"] == 2
    assert figures["bmgate_peers/no/outbound"] == 1
    assert figures["bmgate_peers/yes/inbound"] == 1
    assert figures["bmgate_received_bytes_total"] == 1000
    assert figures["bmgate_sent_bytes_total"] == 2000
    assert (figures["bmgate_objects_stored"], figures["bmgate_objects_to_process"]) == (100, 6)
    assert (figures["bmgate_searches_waiting"], figures["bmgate_searches_objects_left"]) == (2, 70)
    assert figures["bmgate_imports_running"] == 1
    assert figures["bmgate_pending_downloads"] == 7
    assert (figures["bmgate_stem_objects"], figures["bmgate_stems"]) == (3, 2)
    assert (figures["bmgate_outbox_rows/acked"], figures["bmgate_outbox_rows/built"]) == (9, 1)
    assert (figures["bmgate_work_trials_per_second"], figures["bmgate_work_queue_jobs"]) == (123456, 8)
    assert (figures["bmgate_trial_keys"], figures["bmgate_trial_seconds_total"]) == (3, 1.5)


def test_nobody_is_named() -> None:
    page = exposition(REPORT, PEERS, Trials(0, 0, 0.0))
    assert b"127.0.0.9" not in page
    assert b"secret" not in page


async def test_a_gateway_serves_them_where_it_is_told_to(tmp_path: Path) -> None:
    (host,) = free_hosts(1)
    prepare_folder(tmp_path / "a", host, {("metrics", "listen"): f"{host}:0"}, int(time.time()))
    with GatewayProcess(tmp_path / "a") as gateway:
        await asyncio.to_thread(gateway.start)
        place = await asyncio.to_thread(gateway.listener, "metrics")

        def page() -> dict[str, float]:
            with urllib.request.urlopen(f"http://{place[0]}:{place[1]}/metrics", timeout=5) as answer:
                return read(answer.read())

        figures = await asyncio.to_thread(wait_for, page, lambda found: found["bmgate_tasks"] > 0, "figures")
        assert figures["bmgate_objects_stored"] == 0
        assert figures["bmgate_resident_memory_bytes"] > 1 << 20
        assert await asyncio.to_thread(gateway.stop) == 0
        assert "Traceback" not in gateway.log
