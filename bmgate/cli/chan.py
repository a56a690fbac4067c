"""`bmgate chan`: chans in which an account takes part."""

from typing import Any, BinaryIO

import click

from bmgate.cli import completing
from bmgate.cli.batch import from_option, if_missing_option, print_batch, run_batch
from bmgate.cli.calls import call
from bmgate.cli.options import account_option, ask, if_present_option, json_option, place_options, read_secret
from bmgate.cli.output import is_gone, moment, print_facts, print_json, print_options, print_table

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
    "--address", default="", metavar="BM-...", help="The passphrase must be that of this chan (or link); also joins v3."
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
@if_missing_option
@account_option
@json_option
@place_options
def create(label: str, if_missing: bool, account: str, as_json: bool) -> None:
    """Make a chan that nobody can guess, and tell its passphrase.

    The passphrase is shown this once: give it to those who shall take part. For a public chan of a chosen name, see
    bmgate chan join. --if-missing goes by the label.
    """
    if if_missing and not label:
        raise click.UsageError("--if-missing goes by the label: give one with --label")
    _show(call("chan.create", account=account, label=label, if_missing=if_missing), as_json)


@chan.command()
@click.argument("name", shell_complete=completing.labels("chan.list"))
@if_present_option
@account_option
@json_option
@place_options
def leave(name: str, if_present: bool, account: str, as_json: bool) -> None:
    """Leave a chan: its mailbox goes with all mail, its keys are removed.

    NAME is the label or the address. Nobody is told; joining again brings back what is still in the network.
    """
    result = call("chan.leave", account=account, chan=name, if_present=if_present)
    if is_gone(result, name, as_json):
        return
    if as_json:
        print_json(result)
        return
    click.echo(f"{result['label']}, {result['address']}: left, and its mailbox removed.")


@chan.command()
@click.argument("name", shell_complete=completing.labels("chan.list"))
@click.argument("label")
@account_option
@json_option
@place_options
def label(name: str, label: str, account: str, as_json: bool) -> None:
    """Call a chan, and its mailbox, LABEL. NAME is the label it has, or the address. Nobody else sees it."""
    _show(call("chan.label", account=account, chan=name, label=label), as_json)


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
@click.argument("name", shell_complete=completing.labels("chan.list"))
@account_option
@json_option
@place_options
def info(name: str, account: str, as_json: bool) -> None:
    """Show a chan and its options. NAME is the label or the address."""
    result = call("chan.info", account=account, chan=name)
    _show(result, as_json)
    if not as_json:
        click.echo()
        print_options(result["options"])


@chan.command("set")
@click.argument("name", shell_complete=completing.labels("chan.list"))
@click.argument("option", default="", shell_complete=completing.options("membership"))
@click.argument("value", default="", shell_complete=completing.values)
@account_option
@json_option
@place_options
def set_option(name: str, option: str, value: str, account: str, as_json: bool) -> None:
    """Set OPTION of a chan to VALUE; without VALUE back to what it is else, without OPTION all are listed.

    \b
    keep     how long posts stay in its mailbox: ever, or a time such as 30d; what is flagged stays
    mute     on: posts arrive as read
    junk     whose posts go to Junk besides those of blocked senders: off (nobody's), flood (what is too much at
             once), anonymous (also what the chan's own key signed), strangers (also all that is not by a contact)
    post_as  who signs what you write there: chan or identity
    """
    if not option:
        print_options(call("chan.info", account=account, chan=name)["options"], as_json)
        return
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
    return name or ask("Passphrase of the chan", hidden=True)


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
