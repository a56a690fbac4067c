"""`bmgate serve`: the gateway in the foreground."""

from typing import TYPE_CHECKING

import click

from bmgate.cli.options import place, place_options

if TYPE_CHECKING:
    from bmgate.app import Gateway


@click.command()
@click.option("--trace", type=click.Choice(["bm"]), help="Log what passes: bm, between peers and us.")
@place_options
def serve(trace: str | None) -> None:
    """Run the gateway in the foreground, until Ctrl-C or SIGTERM.

    Says what it listens on; the log goes to standard error, or as gateway.ini says in [log].
    One gateway works in a data folder: a second one is refused with exit code 75.
    """
    where = place()
    where.folder.check()
    config = where.config()  # most mistakes are here: they are told before the rest is imported
    from bmgate.bm.node.node import not_traced
    from bmgate.cli.running import run_gateway
    from bmgate.trace import trace_peers

    run_gateway(where.folder, config, _nothing_to_prepare, trace_peers if trace == "bm" else not_traced)


async def _nothing_to_prepare(_gateway: "Gateway") -> bool:
    return True
