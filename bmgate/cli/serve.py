"""`bmgate serve`: the gateway in the foreground."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bmgate.cli.options import place, place_options

if TYPE_CHECKING:
    from bmgate.app import Gateway


@click.command()
@click.option("--trace", type=click.Choice(["bm"]), help="Log what passes: bm, between peers and us.")
@click.option(
    "--capture",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write what peers and we say into files there, for bmgate inspect --replay.",
)
@place_options
def serve(trace: str | None, capture: Path | None) -> None:
    """Run the gateway in the foreground, until Ctrl-C or SIGTERM.

    Says what it listens on; the log goes to standard error, or as gateway.ini says in [log].
    One gateway works in a data folder: a second one is refused with exit code 75.
    """
    where = place()
    where.folder.check()
    config = where.config()  # most mistakes are here: they are told before the rest is imported
    from bmgate.bm.node.node import not_traced
    from bmgate.cli.running import run_gateway
    from bmgate.clock import SystemClock
    from bmgate.trace import CaptureFiles, Trace, both, trace_peers

    shown: Trace = trace_peers if trace == "bm" else not_traced
    if capture is not None:
        shown = both(CaptureFiles(capture, config.node.parameters, SystemClock()), shown)
    run_gateway(where.folder, config, _nothing_to_prepare, shown)


async def _nothing_to_prepare(_gateway: "Gateway") -> bool:
    return True
