"""`bmgate peers`: connections to other Bitmessage nodes."""

import json
from contextlib import suppress
from typing import Any

import click

from bmgate.cli.calls import call, follow
from bmgate.cli.options import json_option, place_options
from bmgate.cli.output import host_port, moment, print_json, print_table, printable, size


@click.group()
@place_options
def peers() -> None:
    """Connections to other Bitmessage nodes, while the gateway runs."""


@peers.command("list")
@json_option
@place_options
def list_peers(as_json: bool) -> None:
    """List the connections, oldest first, and how many nodes are known.

    inbound: it dialled us. outbound: the gateway chose it. explicit: you named it. feeler: a short call to find out
    whether a node is there. seed: a call for addresses of others.
    """
    result = call("peers.list")
    if as_json:
        print_json(result)
        return
    rows = [
        (
            host_port(each["host"], each["port"]),
            each["kind"],
            ("TLS" if each["tls"] else "plain") if each["established"] else "connecting",
            each["user_agent"],
            size(each["bytes_in"]),
            size(each["bytes_out"]),
            moment(each["since"]),
        )
        for each in result
    ]
    print_table(("PEER", "KIND", "STATE", "PROGRAM", "RECEIVED", "SENT", "SINCE"), rows)
    known = call("peers.known")
    click.echo(f"{known['known']} nodes known, {known['tried']} of them reached; {known['banned']} banned")


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


@peers.command()
@click.argument("host")
@click.option("--for", "duration", default="", metavar="DURATION", help="Such as 12h or 4d; without it for ever.")
@json_option
@place_options
def ban(host: str, duration: str, as_json: bool) -> None:
    """Refuse HOST (an IP address, or a .onion or .i2p name) and end connections with it.

    An IPv6 address stands for its /64. Outlives a restart.
    """
    result = call("peers.ban", host=host, seconds=_seconds(duration))
    if as_json:
        print_json(result)
    else:
        click.echo(f"{result['source']} is banned {_until(result)}")


@peers.command()
@click.argument("host")
@json_option
@place_options
def unban(host: str, as_json: bool) -> None:
    """Forget what is held against HOST, whether you banned it or it misbehaved."""
    result = call("peers.unban", host=host)
    if as_json:
        print_json(result)
    else:
        click.echo(f"Nothing is held against {result['host']} any more")


@peers.command()
@json_option
@place_options
def banned(as_json: bool) -> None:
    """List who is refused: those you banned, and for a day those who misbehaved."""
    result = call("peers.banned")
    if as_json:
        print_json(result)
    else:
        print_table(("HOST", "UNTIL", "WHY"), [(each["source"], _until(each), each["reason"]) for each in result])


@peers.command()
@json_option
@place_options
def watch(as_json: bool) -> None:
    """Tell of connections as they begin and end, until Ctrl-C."""

    def show(news: Any) -> None:
        if as_json:
            click.echo(json.dumps(news, ensure_ascii=False))
        else:
            words = (moment(news["at"]), host_port(news["host"], news["port"]), news["kind"], news["event"])
            click.echo("  ".join(map(printable, (*words, news["detail"]))))

    with suppress(KeyboardInterrupt):
        follow("peers.watch", show)


def _seconds(duration: str) -> int:
    """0 for ever."""
    from bmgate.config.values import parse_duration

    try:
        return parse_duration(duration) if duration else 0
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--for") from error


def _until(standing: dict[str, Any]) -> str:
    return "for ever" if standing["until"] is None else f"until {moment(standing['until'])}"
