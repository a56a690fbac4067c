"""`bmgate account`: who logs in with a mail program."""

from typing import Any

import click

from bmgate.cli.calls import call
from bmgate.cli.options import json_option, password_option, place_options, read_secret
from bmgate.cli.output import print_json, print_table, size


@click.group()
@place_options
def account() -> None:
    """Accounts: who logs in with a mail program.

    An account has one password and any number of Bitmessage addresses.
    """


@account.command()
@click.argument("name")
@password_option
@click.option("--no-address", is_flag=True, help="Make no first address; see: bmgate address new")
@json_option
@place_options
def add(name: str, password_stdin: bool, no_address: bool, as_json: bool) -> None:
    """Make an account, and its first address.

    NAME is what mail programs log in with: up to 30 of a-z, 0-9, ".", "_" and "-".
    """
    password = read_secret("Password", password_stdin)
    result = call("account.add", name=name, password=password, address=not no_address)
    if as_json:
        print_json(result)
        return
    click.echo(f"Account {result['name']} is there; mail programs log in as {result['login']}.")
    if result["address"] is None:
        click.echo(f"It has no address yet: bmgate address new --account {result['name']}")
    else:
        click.echo(f"Its address is {result['address']['address']}")


@account.command("list")
@json_option
@place_options
def list_accounts(as_json: bool) -> None:
    """List all accounts."""
    result = call("account.list")
    if as_json:
        print_json(result)
        return
    rows = [(each["name"], each["state"], each["level"], _room(each)) for each in result]
    print_table(("NAME", "STATE", "LEVEL", "ROOM"), rows)


@account.command()
@click.argument("name", default="")
@password_option
@json_option
@place_options
def passwd(name: str, password_stdin: bool, as_json: bool) -> None:
    """Set a new password; mail programs must log in anew.

    NAME may be left out where there is one account.
    """
    _told(call("account.passwd", name=name, password=read_secret("New password", password_stdin)), as_json)


@account.command()
@click.argument("name")
@json_option
@place_options
def disable(name: str, as_json: bool) -> None:
    """Let an account neither log in nor send; its mail still arrives."""
    _told(call("account.disable", name=name), as_json)


@account.command()
@click.argument("name")
@json_option
@place_options
def enable(name: str, as_json: bool) -> None:
    """Let a disabled account in again."""
    _told(call("account.enable", name=name), as_json)


@account.command()
@click.argument("name", default="")
@json_option
@place_options
def show(name: str, as_json: bool) -> None:
    """Tell what is in force for an account: the options that `bmgate account set` changes.

    NAME may be left out where there is one account.
    """
    result = call("account.show", name=name)
    if as_json:
        print_json(result)
        return
    rows = [(each["name"], each["value"], "set here" if each["is_set"] else "") for each in result["options"]]
    print_table(("OPTION", "VALUE", ""), rows)


@account.command("set")
@click.argument("name")
@click.argument("option")
@click.argument("value", default="")
@json_option
@place_options
def set_option(name: str, option: str, value: str, as_json: bool) -> None:
    """Set OPTION of account NAME to VALUE; without VALUE the gateway's default counts again.

    What an address sets for itself (bmgate address set) goes before it. The options: bmgate account show
    """
    result = call("account.set", name=name, option=option, value=value)
    if as_json:
        print_json(result)
        return
    chosen = option.strip().lower().replace("-", "_")
    values = {each["name"]: each["value"] for each in result["options"]}
    click.echo(f"{result['name']}: {chosen} = {values[chosen]}")


def _told(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(result)
    else:
        click.echo(f"Done: account {result['name']} is {result['state']}.")


def _room(value: dict[str, Any]) -> str:
    return "unlimited" if value["quota_bytes"] is None else size(value["quota_bytes"])
