"""`bmgate export`: take addresses and mail along to other programs, or to another gateway."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from bmgate.cli.calls import call_telling
from bmgate.cli.options import account_option, json_option, password_option, place_options, read_secret
from bmgate.cli.output import print_json, printable
from bmgate.cli.steps import Steps

_output = click.option(
    "-o", "--output", "path", type=click.Path(path_type=Path), required=True, metavar="PATH", help="What to write."
)
_force = click.option("--force", is_flag=True, help="Replace a file that is there.")


def _shared(command: Callable[..., None]) -> Callable[..., None]:
    for option in (_output, account_option, password_option, json_option, place_options):
        command = option(command)
    return command


@click.group()
@place_options
def export() -> None:
    """Take addresses and mail along.

    Files are written by the gateway, readable for its user alone, and appear when they are whole. Nothing changes in
    the gateway.

    --password-stdin is needed where only the account's password opens it (level L1).
    """


@export.command()
@_force
@_shared
def keys(path: Path, force: bool, account: str, password_stdin: bool, as_json: bool) -> None:
    """Write a keys.dat, which PyBitmessage reads: all addresses and chans with their private keys.

    Whoever has the file has the addresses. An address lives in one program at a time: disable it here before it is used
    there.
    """
    _run("export.keys", as_json, password_stdin, account=account, path=path, force=force)


@export.command()
@_force
@_shared
def wif(path: Path, force: bool, account: str, password_stdin: bool, as_json: bool) -> None:
    """Write the private keys in Wallet Import Format, to be printed or typed."""
    _run("export.wif", as_json, password_stdin, account=account, path=path, force=force)


@export.command()
@_shared
def mbox(path: Path, account: str, password_stdin: bool, as_json: bool) -> None:
    """Write all mail into a new folder, one mbox file for each mailbox."""
    _run("export.mbox", as_json, password_stdin, account=account, path=path)


@export.command()
@_shared
def maildir(path: Path, account: str, password_stdin: bool, as_json: bool) -> None:
    """Write all mail into a new Maildir++ folder."""
    _run("export.maildir", as_json, password_stdin, account=account, path=path)


@export.command()
@click.option("--passphrase-stdin", is_flag=True, help="Read the passphrase from standard input instead of asking.")
@_force
@_shared
def archive(path: Path, force: bool, account: str, password_stdin: bool, as_json: bool, passphrase_stdin: bool) -> None:
    """Write the whole account into one encrypted file, which another gateway imports.

    It holds options, addresses with their keys and aliases, contacts, chans, subscriptions, threads, and all mailboxes
    with their mail; not the password. What is still to be sent is sent by this gateway, and in the archive as drafts.
    With both --..-stdin the password comes first.
    """
    password = _password(password_stdin)
    passphrase = read_secret("Passphrase", passphrase_stdin)
    _finish(
        "export.archive", as_json, account=account, path=path, force=force, password=password, passphrase=passphrase
    )


def _run(method: str, as_json: bool, password_stdin: bool, **params: Any) -> None:
    _finish(method, as_json, password=_password(password_stdin), **params)


def _password(from_stdin: bool) -> str:
    return read_secret("Password", from_stdin=True) if from_stdin else ""


def _finish(method: str, as_json: bool, *, path: Path, **params: Any) -> None:
    with Steps() as steps:
        result = call_telling(method, steps.tell, path=str(path.absolute()), **params)
    if as_json:
        print_json(result)
        return
    what = f"{result['messages']} messages" if "messages" in result else f"{result['addresses']} addresses"
    click.echo(f"{printable(result['path'])} holds {what} of the account {result['account']}.")
    if result.get("waiting"):
        click.echo(
            f"{result['waiting']} of them are drafts of what is still to be sent. This gateway goes on sending it: send"
            " a draft from the other one only after `bmgate queue cancel` here."
        )
