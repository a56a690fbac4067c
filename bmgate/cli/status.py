"""`bmgate status`: how the gateway is."""

from typing import Any

import click

from bmgate.cli.calls import call
from bmgate.cli.options import json_option, place_options
from bmgate.cli.output import duration, host_port, print_facts, print_json, size

TOLD_OFFSET_SECONDS = 60


@click.command()
@json_option
@place_options
def status(as_json: bool) -> None:
    """Tell how the gateway is: peers, queues, sizes.

    Works without a running gateway too, and says so then.
    """
    result = call("status")
    if as_json:
        print_json(result)
    else:
        print_facts(_facts(result))


def _facts(report: dict[str, Any]) -> dict[str, str]:
    peers, process, objects, disk = report["peers"], report["process"], report["objects"], report["disk"]
    facts = {
        "gateway": f"bmgate {report['version']}, {_life(report)}",
        "data": report["data"],
        "network": report["network"],
        "accounts": str(report["accounts"]),
        "outbox": ", ".join(f"{count} {state}" for state, count in report["outbox"].items()) or "empty",
        "objects": f"{objects['stored']} stored, {objects['to_process']} to process",
        **_searches(report["searches"]),
        **({"imports": f"{report['imports']} running, undone if the gateway stops"} if report["imports"] else {}),
        "backend": report["work"]["backend"],
        "SQLite": f"{report['database']['sqlite']}, log of {size(report['database']['wal_bytes'])}",
        "disk": f"{size(disk['free_bytes'])} free{_what_stopped(disk)}",
    }
    if not report["running"]:
        return facts
    node = report["node"]
    return facts | {
        "backend": f"{report['work']['backend']}, {report['work']['trials_per_second']} trials/s, "
        f"{report['work']['queued']} jobs",
        "objects": f"{facts['objects']}, {size(node['stored_bytes'])}",
        "peers": f"{peers['established']}{_kinds(peers)}, {peers['connecting']} connecting",
        "known nodes": f"{node['known']}, {node['tried']} of them reached; {node['banned']} banned",
        "traffic": f"{size(node['bytes_in'])} in, {size(node['bytes_out'])} out",
        "on their way": f"{node['pending_downloads']} objects to fetch, {node['in_stem']} in {node['stems']} stems",
        "listening": ", ".join(
            f"{each['name']} {host_port(each['host'], each['port'])}" for each in report["listening"]
        ),
        "clock": _clock(node["clock_offset"]),
        "process": f"{size(process['rss_bytes'])}, {process['descriptors']} descriptors, {process['tasks']} tasks, "
        f"loop at most {process['loop_lag_seconds'] * 1000:.0f} ms late",
    }


def _searches(searches: dict[str, int]) -> dict[str, str]:
    if not searches["waiting"]:
        return {}
    return {"new chans, subscriptions": f"{searches['waiting']}, {searches['objects_left']} objects to look through"}


def _kinds(peers: dict[str, Any]) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in peers["kinds"].items())
    return f" ({kinds}; {peers['tls']} with TLS)" if kinds else ""


def _what_stopped(disk: dict[str, Any]) -> str:
    if disk["takes_objects"]:
        return ""
    return "; too little: no objects are taken" if disk["takes_mail"] else "; too little: nothing is taken"


def _clock(offset: int | None) -> str:
    if offset is None:
        return "too few peers told theirs"
    side = "behind" if offset > 0 else "ahead of"
    return f"{duration(abs(offset))} {side} the peers'" if abs(offset) >= TOLD_OFFSET_SECONDS else "as the peers'"


def _life(report: dict[str, Any]) -> str:
    if not report["running"]:
        return "not running; start it: bmgate serve"
    return f"process {report['pid']}, up {duration(report['uptime_seconds'])}"
