"""`bmgate localnet`: several gateways on this machine."""

import contextlib
import signal
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bmgate.cli.options import json_option

if TYPE_CHECKING:
    from bmgate.localnet import GatewayProcess

NAMES = ("anna", "bob", "carol", "dave")


@click.command()
@click.argument("count", type=click.IntRange(1, 100), metavar="N")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to keep the data folders; without it they are temporary.",
)
@json_option
def localnet(count: int, folder: Path | None, as_json: bool) -> None:
    """Run N gateways on this machine, to try things out, until Ctrl-C.

    Each is complete, with an account, on a loopback address of its own; together they are a test network whose
    proof of work is nearly free. Prints how to connect a mail program to each.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # either way the gateways are stopped
    with contextlib.suppress(KeyboardInterrupt), ExitStack() as resources:
        place = folder or Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="bmgate-localnet-")))
        _run(place.absolute(), count, as_json)


def _run(place: Path, count: int, as_json: bool) -> None:
    from bmgate.cli.output import print_json
    from bmgate.localnet import local_network

    with local_network(place, count) as gateways:
        accounts = [_account(gateway, number) for number, gateway in enumerate(gateways)]
        if as_json:
            print_json(accounts)
        else:
            _tell(accounts)
        while True:
            signal.pause()


def _account(gateway: "GatewayProcess", number: int) -> dict[str, Any]:
    """How to connect to one gateway; its account is made where it has none."""
    import secrets

    name = NAMES[number] if number < len(NAMES) else f"user{number + 1}"
    if gateway.call("account.list"):
        login = {"user": f"{name}@{gateway.status()['domain']}", "password": "as before"}
        address = gateway.call("address.show")["address"]
    else:
        made = gateway.add_account(name, secrets.token_urlsafe(12))
        login, address = {"user": made.user, "password": made.password}, made.address
    listening = {each["name"]: each["port"] for each in gateway.status()["listening"]}
    return {
        "host": gateway.listener("imap")[0],
        "imap": listening["imap"],
        "smtp": listening["smtp"],
        **login,
        "address": address,
        "data": str(gateway.folder),
        "ca": str(gateway.folder / "tls" / "ca.pem"),
    }


def _tell(accounts: list[dict[str, Any]]) -> None:
    from bmgate.cli.output import print_table

    columns = ("HOST", "IMAP (TLS)", "SMTP (TLS)", "USER", "PASSWORD", "ADDRESS")
    keys = ("host", "imap", "smtp", "user", "password", "address")
    print_table(columns, [[each[key] for key in keys] for each in accounts])
    click.echo("\nThe data folders, with log and CA certificate (tls/ca.pem):")
    for each in accounts:
        click.echo(f"  {each['data']}")
    click.echo("\nStop with Ctrl-C.")
