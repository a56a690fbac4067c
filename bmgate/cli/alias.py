"""`bmgate alias`: names for addresses."""

from typing import Any, BinaryIO

import click

from bmgate.cli.batch import from_option, if_missing_option, print_batch, run_batch
from bmgate.cli.calls import call
from bmgate.cli.options import account_option, if_present_option, json_option, place_options
from bmgate.cli.output import is_gone, print_json, print_table

_COLUMNS = {"account": str, "name": str, "address": str}


@click.group()
@place_options
def alias() -> None:
    """Names for addresses: ALIAS@DOMAIN in mail programs here.

    A name belongs to one address of this gateway. The network knows nothing of it.
    """


@alias.command()
@click.argument("name", default="")
@click.argument("address", default="")
@from_option
@if_missing_option
@account_option
@json_option
@place_options
def add(name: str, address: str, source: BinaryIO | None, if_missing: bool, account: str, as_json: bool) -> None:
    """Let NAME mean ADDRESS, which is BM-... or another alias.

    With --from the columns are account, name and address; --account stands for an account that is not named.
    """
    if source is not None:
        if name:
            raise click.UsageError("--from FILE says it all: no name or address beside it")
        results = run_batch("alias.add_all", source, _COLUMNS, account=account, if_missing=if_missing)
        print_batch(results, as_json, _line)
        return
    if not address:
        raise click.UsageError("Missing argument 'NAME ADDRESS'.")
    _show(call("alias.add", account=account, name=name, address=address, if_missing=if_missing), as_json)


@alias.command()
@click.argument("name")
@if_present_option
@account_option
@json_option
@place_options
def remove(name: str, if_present: bool, account: str, as_json: bool) -> None:
    """Give NAME up. For a year nobody else gets it, so that mail for it reaches no stranger."""
    result = call("alias.remove", account=account, name=name, if_present=if_present)
    if is_gone(result, name, as_json):
        return
    if as_json:
        print_json(result)
    else:
        click.echo(f"{result['mail']} means nothing any more.")


@alias.command("list")
@account_option
@json_option
@place_options
def list_aliases(account: str, as_json: bool) -> None:
    """List an account's names; its own name means its default address."""
    result = call("alias.list", account=account)
    if as_json:
        print_json(result)
        return
    print_table(("MAIL", "ADDRESS"), [(each["mail"], each["address"]) for each in result])


def _show(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(result)
    else:
        click.echo(_line(result))


def _line(value: dict[str, Any]) -> str:
    return f"{value['mail']} means {value['address']}"
