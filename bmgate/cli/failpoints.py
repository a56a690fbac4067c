"""`bmgate failpoints`: where a test can kill the gateway."""

import click

from bmgate.cli.options import json_option


@click.command(hidden=True)
@json_option
def failpoints(as_json: bool) -> None:
    """List the places where a test can kill the gateway.

    BMGATE_FAILPOINT=NAME:N ends the gateway at the N-th pass of a place, as kill -9 would. Refused on the main
    network.
    """
    from bmgate.cli.output import print_facts, print_json
    from bmgate.storage.failpoints import FAILPOINTS

    if as_json:
        print_json(FAILPOINTS)
    else:
        print_facts(FAILPOINTS)
