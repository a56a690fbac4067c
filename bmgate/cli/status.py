"""`bmgate status`: how the gateway is."""

from typing import Any

import click

from bmgate.cli.calls import call
from bmgate.cli.options import json_option, place_options
from bmgate.cli.output import duration, host_port, print_facts, print_json, size


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
    peers, process, objects = report["peers"], report["process"], report["objects"]
    facts = {
        "gateway": f"bmgate {report['version']}, {_life(report)}",
        "data": report["data"],
        "network": report["network"],
        "accounts": str(report["accounts"]),
        "outbox": ", ".join(f"{count} {state}" for state, count in report["outbox"].items()) or "empty",
        "objects": f"{objects['stored']} stored, {objects['to_process']} to process",
        "backend": report["work"]["backend"],
        "SQLite": f"{report['database']['sqlite']}, log of {size(report['database']['wal_bytes'])}",
    }
    if not report["running"]:
        return facts
    node = report["node"]
    return facts | {
        "backend": f"{report['work']['backend']}, {report['work']['trials_per_second']} trials/s, "
        f"{report['work']['queued']} jobs",
        "peers": f"{peers['established']} ({peers['inbound']} in, {peers['outbound']} out), "
        f"{peers['connecting']} connecting",
        "known nodes": f"{node['known']}, {node['tried']} of them reached; {node['banned']} banned",
        "traffic": f"{size(node['bytes_in'])} in, {size(node['bytes_out'])} out",
        "on their way": f"{node['pending_downloads']} objects to fetch, {node['in_stem']} in {node['stems']} stems",
        "listening": ", ".join(
            f"{each['name']} {host_port(each['host'], each['port'])}" for each in report["listening"]
        ),
        "process": f"{size(process['rss_bytes'])}, {process['descriptors']} descriptors, {process['tasks']} tasks, "
        f"loop at most {process['loop_lag_seconds'] * 1000:.0f} ms late",
    }


def _life(report: dict[str, Any]) -> str:
    if not report["running"]:
        return "not running; start it: bmgate serve"
    return f"process {report['pid']}, up {duration(report['uptime_seconds'])}"
