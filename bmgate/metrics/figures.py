"""The figures of a gateway in the text format of Prometheus, made anew from one report each time they are asked for.

The same facts as `bmgate status` tells, and no others: nobody's name, address or text. Importing this imports
prometheus_client.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bmgate.services.inbound.receiving import Trials
from bmgate.services.status import PeerView

PREFIX = "bmgate_"
L = TypeVar("L", bound=tuple[str, ...])


def exposition(report: Mapping[str, Any], peers: Sequence[PeerView], trials: Trials) -> bytes:
    """The page; `report` is that of `Status`."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(report, peers, trials))
    return generate_latest(registry)


class _Snapshot(Collector):
    """What was the case at one moment."""

    def __init__(self, report: Mapping[str, Any], peers: Sequence[PeerView], trials: Trials) -> None:
        self._report, self._peers, self._trials = report, peers, trials

    def collect(self) -> Iterator[Metric]:
        report = self._report
        info = {"version": report["version"], "network": report["network"], "backend": report["work"]["backend"]}
        yield _by_labels("info", "What runs here.", {tuple(info.values()): 1}, tuple(info))
        yield _gauge("uptime_seconds", "Since the start.", report["uptime_seconds"])
        yield from self._node()
        yield from self._storage()
        yield from self._work()
        yield from self._process()

    def _node(self) -> Iterator[Metric]:
        kinds = Counter((peer.kind, "yes" if peer.established else "no") for peer in self._peers)
        yield _by_labels("peers", "Connections to other nodes.", kinds, ("kind", "established"))
        node = self._report["node"]
        if node is None:
            return
        yield _gauge("known_nodes", "Nodes heard of.", node["known"])
        yield _gauge("tried_nodes", "Nodes that were reached.", node["tried"])
        yield _gauge("banned_sources", "Sources of connections that are refused.", node["banned"])
        yield _counter("received_bytes", "Bytes that peers sent.", node["bytes_in"])
        yield _counter("sent_bytes", "Bytes sent to peers.", node["bytes_out"])
        yield _gauge("pending_downloads", "Objects announced that have not come.", node["pending_downloads"])
        yield _gauge("stem_objects", "Objects hidden in a Dandelion stem.", node["in_stem"])
        yield _gauge("stems", "Outbound peers to which stems lead.", node["stems"])
        yield _gauge("objects_bytes", "Bytes of all objects in the inventory.", node["stored_bytes"])
        if node["clock_offset"] is not None:
            yield _gauge("clock_offset_seconds", "How far the peers' clocks are ahead of ours.", node["clock_offset"])

    def _storage(self) -> Iterator[Metric]:
        objects = self._report["objects"]
        yield _gauge("objects_stored", "Objects in the inventory.", objects["stored"])
        yield _gauge("objects_to_process", "Objects not looked into yet.", objects["to_process"])
        searches = self._report["searches"]
        yield _gauge("searches_waiting", "New chans and subscriptions to look for in the past.", searches["waiting"])
        yield _gauge("searches_objects_left", "Objects to look through for them, at most.", searches["objects_left"])
        yield _gauge("imports_running", "Imports that bring something now.", self._report["imports"])
        yield _gauge("disk_free_bytes", "Room on the disk that holds the data.", self._report["disk"]["free_bytes"])
        yield _gauge("accounts", "Accounts.", self._report["accounts"])
        rows = {(state,): count for state, count in self._report["outbox"].items()}
        yield _by_labels("outbox_rows", "Outgoing messages, one a recipient.", rows, ("state",))
        queue = self._report["queue"]
        waiting = {(reason,): count for reason, count in queue["waiting"].items()}
        yield _by_labels("outbox_waiting_rows", "Outgoing messages held back, and why.", waiting, ("reason",))
        oldest = queue["oldest"]
        if oldest is not None:
            yield _gauge("outbox_oldest_timestamp_seconds", "When the mail that waits longest was given.", oldest)
        yield _gauge("wal_bytes", "Size of the database's write-ahead log.", self._report["database"]["wal_bytes"])

    def _work(self) -> Iterator[Metric]:
        work = self._report["work"]
        yield _gauge("work_trials_per_second", "Rate of the proof of work, while it runs.", work["trials_per_second"])
        yield _gauge("work_queue_jobs", "Proofs of work waiting or being searched.", work["queued"])
        yield _gauge("trial_keys", "Keys tried on each msg.", self._trials.keys)
        yield _counter("trial_msgs", "Msgs on which keys were tried.", self._trials.msgs)
        yield _counter("trial_seconds", "Time spent on trying keys.", self._trials.seconds)

    def _process(self) -> Iterator[Metric]:
        process = self._report["process"]
        yield _gauge("resident_memory_bytes", "Resident memory.", process["rss_bytes"])
        yield _gauge("open_descriptors", "Open file descriptors.", process["descriptors"])
        yield _gauge("tasks", "Tasks of the loop.", process["tasks"])
        yield _gauge("threads", "Threads.", process["threads"])
        yield _gauge("loop_lag_seconds", "Worst delay of the loop within a minute.", process["loop_lag_seconds"])


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(PREFIX + name, text, value=value)


def _by_labels(name: str, text: str, values: Mapping[L, float], labels: tuple[str, ...]) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, text, labels=labels)
    for of, value in sorted(values.items()):
        family.add_metric(of, value)
    return family
