"""`bmgate peers`: connections to other Bitmessage nodes."""

import click

from bmgate.cli.calls import call
from bmgate.cli.options import json_option, place_options
from bmgate.cli.output import host_port, moment, print_json, print_table, size


@click.group()
@place_options
def peers() -> None:
    """Connections to other Bitmessage nodes, while the gateway runs."""


@peers.command("list")
@json_option
@place_options
def list_peers(as_json: bool) -> None:
    """List the connections, oldest first."""
    result = call("peers.list")
    if as_json:
        print_json(result)
        return
    rows = [
        (
            host_port(each["host"], each["port"]),
            "in" if each["inbound"] else "out",
            ("TLS" if each["tls"] else "plain") if each["established"] else "connecting",
            each["user_agent"],
            size(each["bytes_in"]),
            size(each["bytes_out"]),
            moment(each["since"]),
        )
        for each in result
    ]
    print_table(("PEER", "DIRECTION", "STATE", "PROGRAM", "RECEIVED", "SENT", "SINCE"), rows)


@peers.command()
@click.argument("peer")
@json_option
@place_options
def add(peer: str, as_json: bool) -> None:
    """Stay connected to PEER (host or host:port) until the gateway stops.

    To keep it for good, write it into gateway.ini: [node] peers.
    """
    result = call("peers.add", peer=peer)
    if as_json:
        print_json(result)
    else:
        click.echo(f"The gateway connects to {result['peer']} from now on; see: bmgate peers list")
