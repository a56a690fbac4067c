"""`bmgate address`: the Bitmessage addresses of an account."""

import sys
from pathlib import Path
from typing import Any, BinaryIO

import click

from bmgate.cli import completing
from bmgate.cli.batch import from_option, if_missing_option, print_batch, run_batch
from bmgate.cli.calls import call, call_telling
from bmgate.cli.options import account_option, if_present_option, json_option, place_options, read_secret
from bmgate.cli.output import duration, is_gone, moment, print_facts, print_json, print_options, print_table, qr_code

_COLUMNS = {
    "account": str,
    "label": str,
    "alias": str,
    "passphrase": str,
    "version": int,
    "leading_zeros": int,
    "number": int,
}
_address = click.argument("address")


@click.group()
@place_options
def address() -> None:
    """Bitmessage addresses of an account.

    Others write to them; mail programs send from them as BM-...@DOMAIN or ALIAS@DOMAIN. ADDRESS is BM-... or an alias.
    """


@address.command()
@account_option
@click.option("--label", default="", help="Your own note; it stays here.")
@click.option("--alias", default="", help="A name for mail programs: ALIAS@DOMAIN.")
@click.option("--passphrase", "ask_passphrase", is_flag=True, help="Make it from a passphrase, asked for twice.")
@click.option("--passphrase-stdin", is_flag=True, help="Make it from a passphrase on standard input.")
@click.option("--number", type=click.IntRange(1, 1000), default=1, metavar="N", help="Make so many at once.")
@click.option(
    "--version", type=click.IntRange(3, 4), default=4, show_default=True, help="Address version; 3 for old programs."
)
@click.option(
    "--shorter",
    count=True,
    help="Search for an address that is a character or two shorter; twice for one still shorter, 256 times as long.",
)
@click.option("--price", is_flag=True, help="Tell how long that would take, and make nothing.")
@from_option
@if_missing_option
@json_option
@place_options
def new(
    account: str,
    label: str,
    alias: str,
    ask_passphrase: bool,
    passphrase_stdin: bool,
    number: int,
    version: int,
    shorter: int,
    price: bool,
    source: BinaryIO | None,
    if_missing: bool,
    as_json: bool,
) -> None:
    """Make an address: random, or the one that belongs to a passphrase.

    Whoever has the passphrase has the address: long ones only. The same passphrase gives the same addresses in
    PyBitmessage.

    With --from the columns are account, label, alias, passphrase, version, leading_zeros and number; none must be
    there. --if-missing goes by the alias, else the label, else the passphrase.
    """
    if source is not None:
        if label or alias or ask_passphrase or passphrase_stdin or price or shorter or number != 1 or version != 4:
            raise click.UsageError("--from FILE says it all: no other wishes beside it")
        results = run_batch("address.new_all", source, _COLUMNS, account=account, if_missing=if_missing)
        print_batch(results, as_json, lambda value: f"{value['address']} {value['label']}".rstrip())
        return
    if price:
        _show_price(bool(ask_passphrase or passphrase_stdin), number, 1 + shorter, as_json)
        return
    result = call_telling(
        "address.new",
        _show_search,
        account=account,
        label=label,
        alias=alias,
        passphrase=read_secret("Passphrase", passphrase_stdin) if ask_passphrase or passphrase_stdin else "",
        version=version,
        leading_zeros=1 + shorter,
        number=number,
        if_missing=if_missing,
    )
    if isinstance(result, dict):
        _show(result, as_json)
    elif as_json:
        print_json(result)
    else:
        for each in result:
            click.echo(each["address"])


@address.command("list")
@click.option("--deleted", is_flag=True, help="Those that can still be brought back.")
@account_option
@json_option
@place_options
def list_addresses(deleted: bool, account: str, as_json: bool) -> None:
    """List an account's addresses, oldest first."""
    result = call("address.list", account=account, deleted=deleted)
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

    Without ADDRESS the account's default address is shown.
    """
    _show(call("address.show", account=account, address=address), as_json)


@address.command()
@click.argument("address", default="")
@click.option("--png", type=click.Path(path_type=Path), metavar="FILE", help="Write it as a picture.")
@click.option("--svg", type=click.Path(path_type=Path), metavar="FILE", help="Write it as a drawing for print or web.")
@click.option("--no-label", is_flag=True, help="Leave your label out of it.")
@account_option
@json_option
@place_options
def qr(address: str, png: Path | None, svg: Path | None, no_label: bool, account: str, as_json: bool) -> None:
    """Draw the bitmessage: link of an address as a QR code: here, or into files.

    Phones and other Bitmessage programs read it. Without ADDRESS it is the account's default address.
    """
    from bmgate.cli.qr_codes import write_png, write_svg

    shown = call("address.show", account=account, address=address)
    uri = shown["uri"].partition("?")[0] if no_label else shown["uri"]
    written = [(path, write) for path, write in ((png, write_png), (svg, write_svg)) if path is not None]
    for path, write in written:
        write(uri, path)
    if as_json:
        print_json({"uri": uri, "written": [str(path) for path, _ in written]})
    elif written:
        click.echo("\n".join(f"Written: {path}" for path, _ in written))
    else:
        click.echo(f"{qr_code(uri)}\n{uri}")


@address.command("set")
@_address
@click.argument("option", default="", shell_complete=completing.options("identity"))
@click.argument("value", default="", shell_complete=completing.values)
@account_option
@json_option
@place_options
def set_option(address: str, option: str, value: str, account: str, as_json: bool) -> None:
    """Set OPTION of ADDRESS to VALUE; without VALUE what holds for the account counts again.

    Without OPTION what is in force is listed.

    difficulty: how many times the usual work a msg to it must carry, 1 to 100. Others learn it from its pubkey, which
    is published anew; what they send by an old one is not delivered, unless the sender is a contact.

    ack: whose messages are confirmed: all, contacts or never. What else there is, the list tells.
    """
    if not option:
        print_options(call("address.options", account=account, address=address), as_json)
        return
    from bmgate.services.behavior import SHOWN

    result = call("address.set", account=account, address=address, option=option, value=value)
    if as_json:
        print_json(result)
        return
    chosen = option.strip().lower().replace("-", "_")
    options = {each["name"]: each["value"] for each in result["options"]}
    click.echo(f"{result['address']}: {chosen} = {options[chosen]}")
    if result["pubkey_outdated"] and chosen in ("difficulty", *SHOWN):
        click.echo("Its pubkey says otherwise yet; the gateway publishes another one, at most four a day.")


@address.command()
@_address
@click.argument("label", default="")
@account_option
@json_option
@place_options
def label(address: str, label: str, account: str, as_json: bool) -> None:
    """Give ADDRESS another LABEL: your own note, which mail programs show as its name."""
    _told(call("address.label", account=account, address=address, label=label), as_json)


@address.command()
@_address
@account_option
@json_option
@place_options
def default(address: str, account: str, as_json: bool) -> None:
    """Let the account's name mean ADDRESS: mail programs then write as it unless told otherwise."""
    _told(call("address.default", account=account, address=address), as_json)


@address.command()
@_address
@account_option
@json_option
@place_options
def disable(address: str, account: str, as_json: bool) -> None:
    """Let ADDRESS neither receive nor send, until it is enabled again."""
    _told(call("address.disable", account=account, address=address), as_json)


@address.command()
@_address
@account_option
@json_option
@place_options
def enable(address: str, account: str, as_json: bool) -> None:
    """Let a disabled ADDRESS receive and send again. What came for it meanwhile is lost."""
    _told(call("address.enable", account=account, address=address), as_json)


@address.command()
@_address
@if_present_option
@account_option
@json_option
@place_options
def delete(address: str, if_present: bool, account: str, as_json: bool) -> None:
    """Delete ADDRESS: from now on it receives nothing. Mail that came to it stays.

    For a while it can be brought back ([accounts] keep_deleted, 30 days); then its keys are gone for good. Its aliases
    are nobody else's for a year.
    """
    result = call("address.delete", account=account, address=address, if_present=if_present)
    if not is_gone(result, address, as_json):
        _told(result, as_json)


@address.command()
@_address
@account_option
@json_option
@place_options
def undelete(address: str, account: str, as_json: bool) -> None:
    """Bring a deleted ADDRESS back, with the aliases it had."""
    _told(call("address.undelete", account=account, address=address), as_json)


def _show_price(passphrase: bool, number: int, leading_zeros: int, as_json: bool) -> None:
    price = call("address.price", passphrase=passphrase, number=number, leading_zeros=leading_zeros)
    if as_json:
        print_json(price)
    else:
        click.echo(f"About {duration(price['seconds'])} on this machine: {price['expected']} draws, on average.")


def _show_search(progress: dict[str, Any]) -> None:
    """On standard error: the price first, then how far it is, on one line where that is a terminal."""
    search = progress["search"]
    if search["tried"] == 0:
        click.echo(f"This takes about {duration(search['seconds'])}; Ctrl-C ends it and makes nothing.", err=True)
    elif sys.stderr.isatty():
        left = f"about {duration(search['seconds'])} more"
        click.echo(f"\r{search['tried']} of about {search['expected']} draws, {left}   ", err=True, nl=False)


def _told(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    print_facts({"address": result["address"], "label": result["label"], "state": _state(result)})


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
    if value["deleted_at"]:
        return f"deleted {moment(value['deleted_at'])}"
    words = ["enabled" if value["enabled"] else "disabled", *(["default"] if value["default"] else [])]
    return ", ".join(words)
