"""`bmgate subscription`: whose broadcasts an account reads."""

from typing import Any, BinaryIO

import click

from bmgate.cli import completing
from bmgate.cli.batch import from_option, if_missing_option, print_batch, run_batch
from bmgate.cli.calls import call
from bmgate.cli.options import account_option, if_present_option, json_option, place_options
from bmgate.cli.output import is_gone, moment, print_facts, print_json, print_table

_COLUMNS = {"account": str, "address": str, "label": str}


@click.group()
@place_options
def subscription() -> None:
    """Subscriptions: addresses whose broadcasts are delivered.

    Each has a mailbox of its own, Subscriptions/LABEL. Nobody learns that you subscribed.
    """


@subscription.command()
@click.argument("address", default="")
@click.option("--label", default="", help="Your own word for it, and the name of its mailbox.")
@from_option
@if_missing_option
@account_option
@json_option
@place_options
def add(address: str, label: str, source: BinaryIO | None, if_missing: bool, account: str, as_json: bool) -> None:
    """Subscribe to the broadcasts of ADDRESS: BM-..., or a bitmessage: link, whose label counts if you give none.

    What is still in the network is looked for and delivered.

    With --from the columns are account, address and label; --account stands for an account that is not named.
    """
    if source is not None:
        if address or label:
            raise click.UsageError("--from FILE says it all: no address or label beside it")
        results = run_batch("subscription.add_all", source, _COLUMNS, account=account, if_missing=if_missing)
        print_batch(results, as_json, lambda value: f"{value['address']} {value['label']}")
        return
    if not address:
        raise click.UsageError("Missing argument 'ADDRESS'.")
    _show(call("subscription.add", account=account, address=address, label=label, if_missing=if_missing), as_json)


@subscription.command()
@click.argument("name", shell_complete=completing.labels("subscription.list"))
@if_present_option
@account_option
@json_option
@place_options
def remove(name: str, if_present: bool, account: str, as_json: bool) -> None:
    """End a subscription: its mailbox goes with all mail. NAME is the label or the address."""
    result = call("subscription.remove", account=account, subscription=name, if_present=if_present)
    if is_gone(result, name, as_json):
        return
    if as_json:
        print_json(result)
        return
    click.echo(f"{result['label']}, {result['address']}: no longer subscribed, and its mailbox removed.")


@subscription.command()
@click.argument("name", shell_complete=completing.labels("subscription.list"))
@click.argument("label")
@account_option
@json_option
@place_options
def label(name: str, label: str, account: str, as_json: bool) -> None:
    """Call a subscription, and its mailbox, LABEL. NAME is the label it has, or the address."""
    _show(call("subscription.label", account=account, subscription=name, label=label), as_json)


@subscription.command("list")
@account_option
@json_option
@place_options
def list_subscriptions(account: str, as_json: bool) -> None:
    """List the subscriptions of an account."""
    result = call("subscription.list", account=account)
    if as_json:
        print_json(result)
        return
    rows = [(each["label"], each["address"], _state(each), moment(each["created_at"])) for each in result]
    print_table(("LABEL", "ADDRESS", "STATE", "MADE"), rows)


@subscription.command()
@click.argument("name", shell_complete=completing.labels("subscription.list"))
@account_option
@json_option
@place_options
def enable(name: str, account: str, as_json: bool) -> None:
    """Go on with a subscription; what came in between is delivered. NAME is the label or the address."""
    _show(call("subscription.enable", account=account, subscription=name), as_json)


@subscription.command()
@click.argument("name", shell_complete=completing.labels("subscription.list"))
@account_option
@json_option
@place_options
def disable(name: str, account: str, as_json: bool) -> None:
    """Pause a subscription; its mailbox stays. NAME is the label or the address."""
    _show(call("subscription.disable", account=account, subscription=name), as_json)


def _show(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    print_facts(
        {
            "subscription": result["label"],
            "address": result["address"],
            "mailbox": result["mailbox"],
            "state": _state(result),
            "made": moment(result["created_at"]),
            **({"older broadcasts": "being looked for"} if result["searching"] else {}),
        }
    )


def _state(value: dict[str, Any]) -> str:
    return "enabled" if value["enabled"] else "disabled"
