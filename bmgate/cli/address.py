"""`bmgate address`: the Bitmessage addresses of an account."""

from typing import Any

import click

from bmgate.cli.calls import call
from bmgate.cli.options import account_option, json_option, place_options, read_secret
from bmgate.cli.output import moment, print_facts, print_json, print_table, qr_code


@click.group()
@place_options
def address() -> None:
    """Bitmessage addresses of an account.

    Others write to them; mail programs send from them as BM-...@DOMAIN or ALIAS@DOMAIN.
    """


@address.command()
@account_option
@click.option("--label", default="", help="Your own note; it stays here.")
@click.option("--alias", default="", help="A name for mail programs: ALIAS@DOMAIN.")
@click.option("--passphrase", "ask_passphrase", is_flag=True, help="Make it from a passphrase, asked for twice.")
@click.option("--passphrase-stdin", is_flag=True, help="Make it from a passphrase on standard input.")
@click.option(
    "--version", type=click.IntRange(3, 4), default=4, show_default=True, help="Address version; 3 for old programs."
)
@click.option("--shorter", is_flag=True, help="Search for an address that is a character or two shorter.")
@json_option
@place_options
def new(
    account: str,
    label: str,
    alias: str,
    ask_passphrase: bool,
    passphrase_stdin: bool,
    version: int,
    shorter: bool,
    as_json: bool,
) -> None:
    """Make an address: random, or the one that belongs to a passphrase.

    Whoever has the passphrase has the address: long ones only.
    """
    passphrase = read_secret("Passphrase", passphrase_stdin) if ask_passphrase or passphrase_stdin else ""
    result = call(
        "address.new",
        account=account,
        label=label,
        alias=alias,
        passphrase=passphrase,
        version=version,
        shorter=shorter,
    )
    _show(result, as_json)


@address.command("list")
@account_option
@json_option
@place_options
def list_addresses(account: str, as_json: bool) -> None:
    """List an account's addresses, oldest first."""
    result = call("address.list", account=account)
    if as_json:
        print_json(result)
        return
    rows = [(each["address"], each["label"], _state(each)) for each in result]
    print_table(("ADDRESS", "LABEL", "STATE"), rows)


@address.command()
@click.argument("address", default="")
@account_option
@json_option
@place_options
def show(address: str, account: str, as_json: bool) -> None:
    """Show an address with its QR code.

    ADDRESS is BM-... or an alias; without it the account's default address is shown.
    """
    _show(call("address.show", account=account, address=address), as_json)


def _show(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    print_facts(
        {
            "address": result["address"],
            "mail": ", ".join(result["mail"]),
            "label": result["label"],
            "state": _state(result),
            "made": moment(result["created_at"]),
            "pubkey published": moment(result["pubkey_sent_at"]) or "not yet",
        }
    )
    click.echo("\n" + qr_code(result["uri"]))


def _state(value: dict[str, Any]) -> str:
    words = ["enabled" if value["enabled"] else "disabled", *(["default"] if value["default"] else [])]
    return ", ".join(words)
