"""`bmgate tor`: onion services, and the names under which others reach this gateway through Tor and I2P."""

import click

from bmgate.cli.options import json_option, place, place_options


@click.group()
@place_options
def tor() -> None:
    """Onion services: lines for a torrc, and the names under which others reach this gateway."""


@tor.command()
@json_option
@place_options
def torrc(as_json: bool) -> None:
    """Print what to write into Tor's torrc, for services set to torrc in [tor]."""
    from bmgate.cli.output import print_json
    from bmgate.errors import NotAllowed
    from bmgate.hidden import torrc as lines

    text = lines(place().config())
    if not text:
        raise NotAllowed("no service is to be made by a torrc: set [tor] node_service or mail_service to torrc")
    if as_json:
        print_json({"torrc": text})
    else:
        click.echo(text, nl=False)


@tor.command()
@json_option
@place_options
def names(as_json: bool) -> None:
    """Tell the names whose keys lie in the data folder: made when the gateway first reached Tor or I2P."""
    from bmgate.cli.output import print_json, print_table
    from bmgate.hidden import own_names

    found = own_names(place().folder.path)
    if as_json:
        print_json(found)
    else:
        print_table(("FOR", "NAME"), list(found.items()))
