"""`bmgate serve`: the gateway in the foreground."""

from typing import TYPE_CHECKING

import click

from bmgate.cli.options import place, place_options

if TYPE_CHECKING:
    from bmgate.app import Gateway


@click.command()
@place_options
def serve() -> None:
    """Run the gateway in the foreground, until Ctrl-C or SIGTERM.

    Says what it listens on; the log goes to standard error, or as gateway.ini says in [log].
    One gateway works in a data folder: a second one is refused with exit code 75.
    """
    from bmgate.cli.running import run_gateway

    where = place()
    where.folder.check()
    run_gateway(where.folder, where.config(), _nothing_to_prepare)


async def _nothing_to_prepare(_gateway: "Gateway") -> bool:
    return True
