"""`bmgate quickstart`: from nothing to the settings of a mail program."""

import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from bmgate.cli.options import Place, ask, check_text, password_option, place, place_options, read_secret
from bmgate.errors import ConfigError, Conflict, GatewayError, NotAllowed

if TYPE_CHECKING:
    from bmgate.app import Gateway
    from bmgate.cli.preparation import Changes


@click.command()
@click.option("--account", metavar="NAME", default="", help="Name of the first account; asked for without it.")
@password_option
@click.option(
    "--network",
    type=click.Choice(["main", "test"]),
    help="main (default): the Bitmessage network. test: one of your own, with nearly free work.",
)
@click.option("--no-serve", is_flag=True, help="Set up only; start later with: bmgate serve")
@place_options
def quickstart(account: str, password_stdin: bool, network: str | None, no_serve: bool) -> None:
    """Set everything up for a mail program, then run in the foreground.

    Makes the data folder, settings, keys, a certificate, the first account and its address, and prints what to
    enter in the mail program. Run again, it only starts the gateway.
    """
    if password_stdin and not account:
        raise click.UsageError("--password-stdin needs --account NAME")
    check_text("the name of the account", account)
    from bmgate.cli.preparation import prepare
    from bmgate.cli.running import run_gateway

    where = place()
    prepare(where, lambda: _first_settings(network), int(time.time()))
    config = where.config()
    if network not in (None, config.node.network):
        raise ConfigError(
            f"{where.config_file} is for the network {config.node.network!r}, and a data folder belongs to one; "
            "name another folder with --data"
        )

    async def first_account(gateway: "Gateway") -> bool:
        if not await gateway.accounts.all():
            result = await _make_account(gateway, account, password_stdin)
            _tell_settings(where, gateway, result)
        return not no_serve

    run_gateway(where.folder, config, first_account)
    if no_serve:
        click.echo(f"Start it with: bmgate serve --data {shlex.quote(str(where.folder.path))}")


def _first_settings(network: str | None) -> "Changes":
    from bmgate.cli.preparation import usable_ports
    from bmgate.doors import can_bind

    return {("node", "network"): network or "main", **usable_ports(lambda port: can_bind("127.0.0.1", port))}


async def _make_account(gateway: "Gateway", name: str, password_stdin: bool) -> dict[str, Any]:
    """The result of `account.add`; on a terminal, what cannot be used is asked for again."""
    from bmgate.cli.composition import methods_of
    from bmgate.control.protocol import untold
    from bmgate.services.accounts.accounts import check_name
    from bmgate.services.status import LoopLag

    methods = methods_of(gateway, LoopLag(gateway.clock), serving=False)
    if not password_stdin and not sys.stdin.isatty():
        raise click.UsageError("nobody to ask for a password; give it with --account NAME --password-stdin")
    if name:
        check_name(name)
    while True:
        with _interruptible():
            chosen = name or _ask_name()
            password = read_secret("Password", password_stdin)
        try:
            params = {"name": chosen, "password": password, "address": True}
            result: dict[str, Any] = await methods.call("account.add", params, untold)
        except (NotAllowed, Conflict) as error:
            if password_stdin:
                raise
            _tell(error)
        else:
            return result


def _ask_name() -> str:
    """A name that can be: until it is one, it is asked for again."""
    from bmgate.services.accounts.accounts import check_name

    while True:
        name = ask("Name of your account (such as anna)")
        try:
            check_name(name)
        except NotAllowed as error:
            _tell(error)
        else:
            return name


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end a question: the handler of asyncio.Runner would cancel a task that waits for the answer."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _tell(error: GatewayError) -> None:
    click.echo(f"bmgate: {error}", err=True)


def _tell_settings(where: Place, gateway: "Gateway", account: dict[str, Any]) -> None:
    from bmgate.certificates import fingerprint
    from bmgate.cli.output import print_facts, print_table, qr_code
    from bmgate.doors import certificate_files

    config, address = gateway.config, account["address"]
    click.echo("\nSettings for the mail program:\n")
    rows = [
        ("Incoming (IMAP)", config.imap.listen[0], config.imap.tls_port, "SSL/TLS"),
        ("  or", config.imap.listen[0], config.imap.starttls_port, "STARTTLS"),
        ("  or (POP3)", config.pop3.listen[0], config.pop3.tls_port, "SSL/TLS"),
        ("  or", config.pop3.listen[0], config.pop3.starttls_port, "STARTTLS"),
        ("Outgoing (SMTP)", config.smtp.listen[0], config.smtp.tls_port, "SSL/TLS"),
        ("  or", config.smtp.listen[0], config.smtp.starttls_port, "STARTTLS"),
    ]
    print_table(("", "SERVER", "PORT", "SECURITY"), rows)
    files = certificate_files(config, where.folder)
    click.echo()
    print_facts(
        {
            "e-mail address": account["login"],
            "user name": account["login"],
            "password": "the one you chose (normal password)",
            "Bitmessage address": address["address"],
            "certificate, SHA-256": fingerprint(files.chain),
            **({} if config.tls.certificate else {"its CA, to import": files.authority}),
            "data folder": where.folder.path,
        }
    )
    click.echo(f"\nYour address, for others to write to:\n\n{qr_code(address['uri'])}")
