"""`bmgate chan`: chans in which an account takes part."""

from typing import Any, BinaryIO

import click

from bmgate.cli.batch import from_option, if_missing_option, print_batch, run_batch
from bmgate.cli.calls import call
from bmgate.cli.options import account_option, json_option, place_options, read_secret
from bmgate.cli.output import moment, print_facts, print_json, print_table

_COLUMNS = {"account": str, "passphrase": str, "address": str, "label": str}
_passphrase_option = click.option(
    "--passphrase-stdin", is_flag=True, help="Read the passphrase from standard input instead of asking."
)
_label_option = click.option("--label", default="", help="Your own word for it, and the name of its mailbox.")


@click.group()
@place_options
def chan() -> None:
    """Chans: mailing lists without a server.

    Whoever knows a chan's passphrase makes the same keys from it, and reads and writes there. Its posts come to a
    mailbox of their own, Chans/LABEL.
    """


@chan.command()
@click.argument("name", default="")
@click.option(
    "--address", default="", metavar="BM-...", help="The passphrase must be that of this chan; also joins v3."
)
@_label_option
@_passphrase_option
@from_option
@if_missing_option
@account_option
@json_option
@place_options
def join(
    name: str,
    address: str,
    label: str,
    passphrase_stdin: bool,
    source: BinaryIO | None,
    if_missing: bool,
    account: str,
    as_json: bool,
) -> None:
    """Join the chan of a passphrase.

    NAME is the passphrase. A short one, such as general, is known to all; a long one is a secret, and everybody on this
    machine can read arguments: leave it out then, and you are asked for it. Case and spaces count.

    What is still in the network is looked for and delivered.

    With --from the columns are account, passphrase, address and label; --account stands for an account that is not
    named.
    """
    if source is not None:
        if name or address or label or passphrase_stdin:
            raise click.UsageError("--from FILE says it all: no name, address or label beside it")
        results = run_batch("chan.join_all", source, _COLUMNS, account=account, if_missing=if_missing)
        print_batch(results, as_json, lambda value: f"{value['label']} {value['address']}")
        return
    result = call(
        "chan.join",
        account=account,
        passphrase=_passphrase(name, passphrase_stdin),
        address=address,
        label=label,
        if_missing=if_missing,
    )
    _show(result, as_json)


@chan.command()
@_label_option
@account_option
@json_option
@place_options
def create(label: str, account: str, as_json: bool) -> None:
    """Make a chan that nobody can guess, and tell its passphrase.

    The passphrase is shown this once: give it to those who shall take part. For a public chan of a chosen name, see
    bmgate chan join.
    """
    _show(call("chan.create", account=account, label=label), as_json)


@chan.command()
@click.argument("name")
@account_option
@json_option
@place_options
def leave(name: str, account: str, as_json: bool) -> None:
    """Leave a chan: its mailbox goes with all mail, its keys are removed.

    NAME is the label or the address. Nobody is told; joining again brings back what is still in the network.
    """
    result = call("chan.leave", account=account, chan=name)
    if as_json:
        print_json(result)
        return
    click.echo(f"{result['label']}, {result['address']}: left, and its mailbox removed.")


@chan.command("list")
@account_option
@json_option
@place_options
def list_chans(account: str, as_json: bool) -> None:
    """List the chans of an account."""
    result = call("chan.list", account=account)
    if as_json:
        print_json(result)
        return
    rows = [(each["label"], each["address"], moment(each["joined_at"])) for each in result]
    print_table(("LABEL", "ADDRESS", "JOINED"), rows)


@chan.command()
@click.argument("name")
@account_option
@json_option
@place_options
def info(name: str, account: str, as_json: bool) -> None:
    """Show a chan and its options. NAME is the label or the address."""
    result = call("chan.info", account=account, chan=name)
    _show(result, as_json)
    if not as_json:
        click.echo()
        rows = [(each["name"], each["value"], "set here" if each["is_set"] else "") for each in result["options"]]
        print_table(("OPTION", "VALUE", ""), rows)


@chan.command("set")
@click.argument("name")
@click.argument("option")
@click.argument("value", default="")
@account_option
@json_option
@place_options
def set_option(name: str, option: str, value: str, account: str, as_json: bool) -> None:
    """Set OPTION of a chan to VALUE; without VALUE back to what it is else.

    \b
    keep     how long posts stay in its mailbox: ever, or a time such as 30d; what is flagged stays
    mute     on: posts arrive as read
    junk     whose posts go to Junk besides those of blocked senders: off (nobody's), flood (what is too much at
             once), anonymous (also what the chan's own key signed), strangers (also all that is not by a contact)
    post_as  who signs what you write there: chan or identity
    """
    result = call("chan.set", account=account, chan=name, option=option, value=value)
    if as_json:
        print_json(result)
        return
    chosen = option.strip().lower().replace("-", "_")
    options = {each["name"]: each["value"] for each in result["options"]}
    click.echo(f"{result['label']}: {chosen} = {options[chosen]}")


def _passphrase(name: str, from_stdin: bool) -> str:
    """What was given, the first line of standard input, or asked for without showing it."""
    if name and from_stdin:
        raise click.UsageError("the passphrase is NAME, or comes on standard input; not both")
    if from_stdin:
        name = read_secret("Passphrase", from_stdin=True)
    answer: str = name or click.prompt("Passphrase of the chan", hide_input=True)
    return answer


def _show(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    secret = {"passphrase": result["passphrase"]} if "passphrase" in result else {}
    print_facts(
        {
            "chan": result["label"],
            **secret,
            "address": result["address"],
            "mail": result["mail"],
            "mailbox": result["mailbox"],
            "joined": moment(result["joined_at"]),
            **({"older posts": "being looked for"} if result["searching"] else {}),
        }
    )
