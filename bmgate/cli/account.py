"""`bmgate account`: who logs in with a mail program."""

from typing import Any, BinaryIO

import click

from bmgate.cli import completing
from bmgate.cli.batch import from_option, if_missing_option, print_batch, run_batch
from bmgate.cli.calls import call
from bmgate.cli.options import if_present_option, json_option, password_option, place, place_options, read_secret
from bmgate.cli.output import is_gone, print_json, print_options, print_table, size
from bmgate.errors import ConfigError

_COLUMNS = {"name": str, "password": str, "address": bool, "label": str, "quota_bytes": int}
_QUOTAS = {"auto": 0, "none": -1}


def _read_room(ctx: click.Context, param: click.Parameter, value: str) -> int:
    """Bytes; 0 is what is usual, -1 no limit."""
    from bmgate.config.values import parse_size

    text = value.strip().lower()
    if text in _QUOTAS:
        return _QUOTAS[text]
    try:
        room = parse_size(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}, none or auto", ctx, param) from error
    if room == 0:
        raise click.BadParameter("hoped for more than nothing", ctx, param)
    return room


_quota_option = click.option(
    "--quota",
    callback=_read_room,
    default="auto",
    metavar="SIZE",
    help="Room for its mail: a size such as 2GiB, none or auto.",
)


@click.group()
@place_options
def account() -> None:
    """Accounts: who logs in with a mail program.

    An account has one password and any number of Bitmessage addresses.
    """


@account.command()
@click.argument("name", default="")
@password_option
@click.option("--no-address", is_flag=True, help="Make no first address; see: bmgate address new")
@click.option("--label", default="", help="Your own note on the first address; it stays here.")
@_quota_option
@from_option
@if_missing_option
@json_option
@place_options
def add(
    name: str,
    password_stdin: bool,
    no_address: bool,
    label: str,
    quota: int,
    source: BinaryIO | None,
    if_missing: bool,
    as_json: bool,
) -> None:
    """Make an account, and its first address.

    NAME is what mail programs log in with: up to 30 of a-z, 0-9, ".", "_" and "-".

    With --from the columns are name, password, address (yes or no), label and quota_bytes; only the first two must be
    there. The passwords of accounts that are there already are left as they are.
    """
    if source is not None:
        _check_alone(name or label or no_address or password_stdin or quota)
        results = run_batch("account.add_all", source, _COLUMNS, if_missing=if_missing)
        print_batch(results, as_json, _line)
        return
    if not name:
        raise click.UsageError("Missing argument 'NAME'.")
    password = read_secret("Password", password_stdin)
    wanted = {"address": not no_address, "label": label, "quota_bytes": quota, "if_missing": if_missing}
    result = call("account.add", name=name, password=password, **wanted)
    if as_json:
        print_json(result)
        return
    click.echo(f"Account {result['name']} is there; mail programs log in as {result['login']}.")
    if result["address"] is None:
        click.echo(f"It has no address yet: bmgate address new --account {result['name']}")
    else:
        click.echo(f"Its address is {result['address']['address']}")


@account.command("list")
@click.option("--deleted", is_flag=True, help="Those that can still be brought back.")
@json_option
@place_options
def list_accounts(deleted: bool, as_json: bool) -> None:
    """List all accounts."""
    result = call("account.list", deleted=deleted)
    if as_json:
        print_json(result)
        return
    rows = [(each["name"], each["state"], each["level"], _room(each)) for each in result]
    print_table(("NAME", "STATE", "LEVEL", "ROOM"), rows)


@account.command()
@click.argument("name", default="", shell_complete=completing.accounts)
@password_option
@json_option
@place_options
def passwd(name: str, password_stdin: bool, as_json: bool) -> None:
    """Set a new password; mail programs must log in anew.

    NAME may be left out where there is one account.
    """
    _told(call("account.passwd", name=name, password=read_secret("New password", password_stdin)), as_json)


@account.command()
@click.argument("name", shell_complete=completing.accounts)
@click.argument("new_name")
@click.option("--keep-alias", is_flag=True, help="Keep NAME as an alias of the account's default address.")
@json_option
@place_options
def rename(name: str, new_name: str, keep_alias: bool, as_json: bool) -> None:
    """Let account NAME log in as NEW_NAME from now on; programs that are logged in stay so.

    Without --keep-alias NAME is given up: no login, no mail, and for a year nobody else gets it.
    """
    result = call("account.rename", name=name, new_name=new_name, keep_alias=keep_alias)
    if as_json:
        print_json(result)
    else:
        click.echo(f"The account is {result['name']} now; mail programs log in as {result['login']}.")
    if _operator() == name.strip().lower() != result["name"] and not keep_alias:
        click.echo(f"bmgate: write it into gateway.ini: [gateway] operator = {result['name']}", err=True)


@account.command()
@click.argument("name", shell_complete=completing.accounts)
@json_option
@place_options
def disable(name: str, as_json: bool) -> None:
    """Let an account neither log in nor send; its mail still arrives."""
    _told(call("account.disable", name=name), as_json)


@account.command()
@click.argument("name", shell_complete=completing.accounts)
@json_option
@place_options
def enable(name: str, as_json: bool) -> None:
    """Let a disabled account in again."""
    _told(call("account.enable", name=name), as_json)


@account.command()
@click.argument("name", shell_complete=completing.accounts)
@if_present_option
@json_option
@place_options
def delete(name: str, if_present: bool, as_json: bool) -> None:
    """Delete an account: nobody logs in, its addresses receive no more.

    For a while it can be brought back with all its mail ([accounts] keep_deleted, 30 days); then it is gone.
    """
    result = call("account.delete", name=name, if_present=if_present)
    if not is_gone(result, name, as_json):
        _told(result, as_json)


@account.command()
@click.argument("name", shell_complete=completing.accounts)
@json_option
@place_options
def undelete(name: str, as_json: bool) -> None:
    """Bring a deleted account back."""
    _told(call("account.undelete", name=name), as_json)


@account.command()
@click.argument("name", shell_complete=completing.accounts)
@click.argument("room", callback=_read_room)
@json_option
@place_options
def quota(name: str, room: int, as_json: bool) -> None:
    """Change the room for an account's mail.

    ROOM is a size such as 500MiB or 2GiB, none for no limit, or auto for what new accounts get.
    """
    result = call("account.quota", name=name, quota_bytes=room)
    if as_json:
        print_json(result)
    else:
        click.echo(f"{result['name']}: room for mail: {_room(result)}")


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
    print_options(result["options"])


@account.command("set")
@click.argument("name", shell_complete=completing.accounts)
@click.argument("option", default="", shell_complete=completing.options("account"))
@click.argument("value", default="", shell_complete=completing.values)
@json_option
@place_options
def set_option(name: str, option: str, value: str, as_json: bool) -> None:
    """Set OPTION of account NAME to VALUE; without VALUE the gateway's default counts again.

    Without OPTION what is in force is listed. What an address sets for itself (bmgate address set) goes before it.
    """
    if not option:
        print_options(call("account.show", name=name)["options"], as_json)
        return
    result = call("account.set", name=name, option=option, value=value)
    if as_json:
        print_json(result)
        return
    chosen = option.strip().lower().replace("-", "_")
    values = {each["name"]: each["value"] for each in result["options"]}
    click.echo(f"{result['name']}: {chosen} = {values[chosen]}")


def _operator() -> str:
    """The account that the settings name, empty where they cannot be read: what was asked for is done by then."""
    try:
        return place().config().gateway.operator.strip().lower()
    except ConfigError:
        return ""


def _check_alone(others: object) -> None:
    if others:
        raise click.UsageError("--from FILE says it all: no name, password or other wishes beside it")


def _line(value: dict[str, Any]) -> str:
    address = value["address"]
    return f"{value['login']} {address['address'] if address else ''}".rstrip()


def _told(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(result)
    else:
        click.echo(f"Done: account {result['name']} is {result['state']}.")


def _room(value: dict[str, Any]) -> str:
    return "unlimited" if value["quota_bytes"] is None else size(value["quota_bytes"])
