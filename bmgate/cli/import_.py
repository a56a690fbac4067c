"""`bmgate import`: bring addresses, contacts and mail along from other programs, or from another gateway."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from bmgate.cli.calls import call_telling
from bmgate.cli.options import account_option, ask, json_option, place_options, read_secret
from bmgate.cli.output import print_json, print_table, printable, size
from bmgate.cli.steps import Steps

_path = click.argument("path", type=click.Path(exists=True, path_type=Path))
_dry_run = click.option("--dry-run", is_flag=True, help="Only tell what would come.")
_into = click.option("--into", "mailbox", metavar="MAILBOX", default="", help="One mailbox for all; else by name.")


def _shared(command: Callable[..., None]) -> Callable[..., None]:
    for option in (_path, _dry_run, account_option, json_option, place_options):
        command = option(command)
    return command


@click.group("import")
@place_options
def import_() -> None:
    """Bring addresses, contacts and mail along.

    All of it comes or none: what is damaged is refused with the reason. What is there already is passed over, so an
    import can be repeated. Files are read by the gateway, under its user.
    """


@import_.command()
@_shared
def pybitmessage(path: Path, dry_run: bool, account: str, as_json: bool) -> None:
    """Import keys.dat and messages.dat of PyBitmessage.

    PATH is one of them or the folder with both, such as ~/.config/PyBitmessage. Quit PyBitmessage first: an address
    lives in one program at a time. What it sent comes to Sent with its status; what it did not get to send comes to
    Drafts.
    """
    _run("import.pybitmessage", as_json, account=account, path=path, dry_run=dry_run)


@import_.command()
@_shared
def notbit(path: Path, dry_run: bool, account: str, as_json: bool) -> None:
    """Import the addresses in notbit's keys.dat.

    PATH is that file or its folder, such as ~/.local/share/notbit. For its mail: bmgate import maildir
    """
    _run("import.notbit", as_json, account=account, path=path, dry_run=dry_run)


@import_.command()
@_into
@_shared
def mbox(path: Path, dry_run: bool, account: str, as_json: bool, mailbox: str) -> None:
    """Import mail from an mbox file, or from all in a folder.

    Each file becomes the mailbox of its name.
    """
    _run("import.mbox", as_json, account=account, path=path, dry_run=dry_run, mailbox=mailbox)


@import_.command()
@_into
@_shared
def maildir(path: Path, dry_run: bool, account: str, as_json: bool, mailbox: str) -> None:
    """Import mail from a Maildir and the folders in it."""
    _run("import.maildir", as_json, account=account, path=path, dry_run=dry_run, mailbox=mailbox)


@import_.command()
@click.option("--passphrase-stdin", is_flag=True, help="Read the passphrase from standard input instead of asking.")
@_shared
def archive(path: Path, dry_run: bool, account: str, as_json: bool, passphrase_stdin: bool) -> None:
    """Import an account that another gateway exported: bmgate export archive

    The account to import into must be there; best is one just made.
    """
    if passphrase_stdin:
        passphrase = read_secret("Passphrase", from_stdin=True)
    else:
        passphrase = ask("Passphrase of the archive", hidden=True)
    _run("import.archive", as_json, account=account, path=path, dry_run=dry_run, passphrase=passphrase)


def _run(method: str, as_json: bool, *, path: Path, **params: Any) -> None:
    with Steps() as steps:
        result = call_telling(method, steps.tell, path=str(path.absolute()), **params)
    if as_json:
        print_json(result)
        return
    rows = [(kind, count["new"], count["there"]) for kind, count in result["counts"].items()]
    print_table(("WHAT", "NEW", "THERE ALREADY"), rows)
    for note in result["notes"]:
        click.echo(f"Note: {printable(note)}")
    done = "would come" if result["dry_run"] else "came"
    click.echo(f"That {done} to the account {result['account']}; {size(result['octets'])} of mail were read.")
