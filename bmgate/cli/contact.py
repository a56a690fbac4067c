"""`bmgate contact`: an account's address book, and whose mail it wants."""

import sys
from typing import Any, BinaryIO

import click

from bmgate.cli import completing
from bmgate.cli.batch import from_option, if_missing_option, print_batch, run_batch, run_entries
from bmgate.cli.calls import call
from bmgate.cli.options import account_option, if_present_option, json_option, place_options
from bmgate.cli.output import is_gone, print_facts, print_json, print_table

_COLUMNS = {"account": str, "address": str, "label": str, "standing": str, "relay": bool}


@click.group()
@place_options
def contact() -> None:
    """Contacts: your words for addresses, and whose mail you want.

    CONTACT is a label, an alias or an address. A label is shown as the name of who writes, and can be written to:
    mail for alice@bm.internal goes to the contact Alice.
    """


@contact.command("list")
@account_option
@json_option
@place_options
def list_contacts(account: str, as_json: bool) -> None:
    """List contacts, and who was allowed or blocked."""
    result = _every(account)
    if as_json:
        print_json(result)
        return
    rows = [(each["label"], each["address"], each["standing"], "relay" if each["relay"] else "") for each in result]
    print_table(("LABEL", "ADDRESS", "STANDING", ""), rows)


@contact.command()
@click.argument("contact", metavar="CONTACT", shell_complete=completing.labels("contact.list"))
@account_option
@json_option
@place_options
def show(contact: str, account: str, as_json: bool) -> None:
    """Show a contact and its options."""
    result = call("contact.show", account=account, contact=contact)
    if as_json:
        print_json(result)
        return
    _show(result)
    click.echo()
    rows = [(each["name"], each["value"], "set here" if each["is_set"] else "") for each in result["options"]]
    print_table(("OPTION", "VALUE", ""), rows)


@contact.command()
@click.argument("address", default="")
@click.argument("label", default="")
@from_option
@if_missing_option
@account_option
@json_option
@place_options
def add(address: str, label: str, source: BinaryIO | None, if_missing: bool, account: str, as_json: bool) -> None:
    """Put ADDRESS into the address book as LABEL, which a bitmessage: link may say.

    With --from the columns are account, address, label, standing (allowed, blocked) and relay;
    --account stands for an account that is not named.
    """
    from bmgate.mail.uris import is_uri

    if source is not None:
        if address or label:
            raise click.UsageError("--from FILE says it all: no address or label beside it")
        results = run_batch("contact.add_all", source, _COLUMNS, account=account, if_missing=if_missing)
        print_batch(results, as_json, lambda each: f"{each['label']}: {each['address']}")
        return
    if not address or not (label or is_uri(address)):
        raise click.UsageError("Missing argument 'ADDRESS LABEL'.")
    _told(call("contact.add", account=account, address=address, label=label, if_missing=if_missing), as_json)


@contact.command()
@click.argument("contact", metavar="CONTACT", shell_complete=completing.labels("contact.list"))
@if_present_option
@account_option
@json_option
@place_options
def remove(contact: str, if_present: bool, account: str, as_json: bool) -> None:
    """Take a contact out of the book, and forget what was decided about it."""
    result = call("contact.remove", account=account, contact=contact, if_present=if_present)
    if is_gone(result, contact, as_json):
        return
    if as_json:
        print_json(result)
    else:
        click.echo(f"{_name(result)}: removed.")


@contact.command()
@click.argument("contact", metavar="CONTACT", shell_complete=completing.labels("contact.list"))
@account_option
@json_option
@place_options
def block(contact: str, account: str, as_json: bool) -> None:
    """Have mail from there go to Junk, and confirm none of it."""
    _told(call("contact.block", account=account, contact=contact), as_json)


@contact.command()
@click.argument("contact", metavar="CONTACT", shell_complete=completing.labels("contact.list"))
@account_option
@json_option
@place_options
def allow(contact: str, account: str, as_json: bool) -> None:
    """Undo block, and let mail from there out of Requests."""
    _told(call("contact.allow", account=account, contact=contact), as_json)


@contact.command("set")
@click.argument("contact", metavar="CONTACT", shell_complete=completing.labels("contact.list"))
@click.argument("option", shell_complete=completing.options("contact"))
@click.argument("value", default="", shell_complete=completing.values)
@account_option
@json_option
@place_options
def set_option(contact: str, option: str, value: str, account: str, as_json: bool) -> None:
    """Set OPTION of a contact to VALUE; without VALUE back to what holds for the account.

    The options are those of bmgate contact show, and label.
    """
    result = call("contact.set", account=account, contact=contact, option=option, value=value)
    if as_json:
        print_json(result)
        return
    chosen = option.strip().lower().replace("-", "_")
    values = {each["name"]: each["value"] for each in result["options"]} | {"label": result["label"]}
    click.echo(f"{_name(result)}: {chosen} = {values[chosen]}")


@contact.command()
@account_option
@json_option
@place_options
def export(account: str, as_json: bool) -> None:
    """Print the address book as vCards, for other programs."""
    from bmgate.bm.addresses import parse_address
    from bmgate.mail.vcards import Card, write_vcards

    result = _every(account)
    if as_json:
        print_json(result)
    if as_json or not result:
        return
    domain = result[0]["mail"].rpartition("@")[2]
    cards = [Card(parse_address(each["address"]), each["label"], each["standing"], each["relay"]) for each in result]
    sys.stdout.buffer.write(write_vcards(cards, domain).encode())


@contact.command("import")
@click.argument("source", metavar="FILE", type=click.File("rb"))
@account_option
@json_option
@place_options
def import_(source: BinaryIO, account: str, as_json: bool) -> None:
    """Read the Bitmessage addresses in FILE, vCards, into the address book; - is standard input.

    Looked for are IMPP:bitmessage:BM-..., X-BITMESSAGE:BM-... and EMAIL:BM-...@anywhere. All or none are taken; who is
    in the book already keeps his label. An address with a mistake in it is told with its line.
    """
    from bmgate.mail.vcards import MAX_BYTES, read_vcards

    cards = read_vcards(source.read(MAX_BYTES + 1))
    entries = [
        {
            "line": card.line,
            "address": str(card.address),
            "label": card.label,
            "standing": card.standing,
            "relay": card.is_relay,
        }
        for card in cards
    ]
    if not entries:
        click.echo("No card has a Bitmessage address.", err=True)
    results = run_entries("contact.add_all", entries, account=account, if_missing=True) if entries else []
    print_batch(results, as_json, lambda each: f"{each['label']}: {each['address']}")


def _every(account: str) -> list[dict[str, Any]]:
    """All contacts, page by page."""
    found: list[dict[str, Any]] = []
    while page := call("contact.list", account=account, start=len(found)):
        found += page
    return found


def _told(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(result)
    else:
        _show(result)


def _show(result: dict[str, Any]) -> None:
    print_facts(
        {
            "contact": result["label"],
            "address": result["address"],
            "mail": result["mail"],
            **({"standing": result["standing"]} if result["standing"] else {}),
            "reads": result["reads"] if result["shown"] == "auto" else f"{result['reads']} (shown: {result['shown']})",
            **({"relay": "yes"} if result["relay"] else {}),
        }
    )


def _name(result: dict[str, Any]) -> str:
    return str(result["label"] or result["address"])
