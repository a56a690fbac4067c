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


@address.command("set")
@click.argument("address")
@click.argument("option", default="")
@click.argument("value", default="")
@account_option
@json_option
@place_options
def set_option(address: str, option: str, value: str, account: str, as_json: bool) -> None:
    """Set OPTION of ADDRESS (BM-... or an alias) to VALUE; without VALUE what holds for the account counts again.

    Without OPTION what is in force is listed.

    difficulty: how many times the usual work a msg to it must carry, 1 to 100. Others learn it from its pubkey, which
    is published anew; what they send by an old one is not delivered, unless the sender is a contact.

    ack: whose messages are confirmed: all, contacts or never. What else there is, the list tells.
    """
    if not option:
        _show_options(call("address.options", account=account, address=address), as_json)
        return
    result = call("address.set", account=account, address=address, option=option, value=value)
    if as_json:
        print_json(result)
        return
    chosen = option.strip().lower().replace("-", "_")
    options = {each["name"]: each["value"] for each in result["options"]}
    click.echo(f"{result['address']}: {chosen} = {options[chosen]}")
    if result["pubkey_outdated"]:
        click.echo("Its pubkey says otherwise yet; the gateway publishes another one, at most four a day.")


def _show_options(options: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(options)
        return
    rows = [(each["name"], each["value"], "set here" if each["is_set"] else "") for each in options]
    print_table(("OPTION", "VALUE", ""), rows)


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
            "difficulty": f"{result['difficulty']:g}",
            "pubkey published": _publication(result),
        }
    )
    click.echo("\n" + qr_code(result["uri"]))


def _publication(value: dict[str, Any]) -> str:
    told = moment(value["pubkey_sent_at"]) or "not yet"
    return f"{told}; outdated, another one follows" if value["pubkey_outdated"] else told


def _state(value: dict[str, Any]) -> str:
    words = ["enabled" if value["enabled"] else "disabled", *(["default"] if value["default"] else [])]
    return ", ".join(words)
