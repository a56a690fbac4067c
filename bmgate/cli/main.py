"""The command line: one group whose commands are imported when called, so that help is there at once.

Exit codes: 0 done, 1 refused or failed, 2 usage or configuration, 75 later perhaps.
"""

import importlib
from keyword import iskeyword
from typing import Any

import click

from bmgate.cli.options import place_options
from bmgate.errors import ConfigError, GatewayError, StorageFailed, Unavailable

EXIT_FAILED, EXIT_CONFIG, EXIT_LATER = 1, 2, 75

COMMANDS: dict[str, str] = {
    "quickstart": "Set everything up for a mail program, then run.",
    "serve": "Run the gateway in the foreground.",
    "status": "Tell how the gateway is.",
    "check": "Look over configuration, machine and data folder.",
    "account": "Accounts: who logs in with a mail program.",
    "address": "Bitmessage addresses of an account.",
    "alias": "Names for addresses.",
    "chan": "Chans: mailing lists without a server.",
    "subscription": "Subscriptions: whose broadcasts are delivered.",
    "contact": "Contacts: your words for addresses, whose mail you want.",
    "queue": "Outgoing mail: what became of it, cancel, retry.",
    "import": "Bring addresses and mail along from elsewhere.",
    "export": "Take addresses and mail along.",
    "peers": "Connections to other Bitmessage nodes.",
    "tor": "Onion services and I2P: lines for a torrc, our names.",
    "inspect": "Explain a packet, object, address or key.",
    "bench": "Measure what takes longest on this machine.",
    "fsck": "Check the stored mail for damage.",
    "completion": "Teach a shell to complete commands and options.",
    "man": "Print the manual page.",
    "failpoints": "List the places where a test can kill the gateway.",
    "localnet": "Run several gateways on this machine, to try things out.",
}
"""Each command and its first help line; `bmgate.cli.NAME` has it under its name."""

HIDDEN = frozenset({"failpoints"})  # for tests of ours


class Failure(click.ClickException):
    """An error of ours as click shows it: one line that says what to do, no traceback."""

    def __init__(self, error: Exception) -> None:
        super().__init__(_words(error))
        vars(self)["exit_code"] = exit_code(error)  # a constant of the class elsewhere

    def show(self, file: Any = None) -> None:
        """On standard error."""
        click.echo(f"bmgate: {self.format_message()}", file=file, err=file is None)


def _words(error: Exception) -> str:
    """An error of the system without its number, with the file it is about."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__


def exit_code(error: Exception) -> int:
    """What a script learns from an error."""
    match error:
        case ConfigError():
            return EXIT_CONFIG
        case StorageFailed():
            return EXIT_FAILED  # trying again changes nothing (D7)
        case Unavailable():
            return EXIT_LATER
        case _:
            return EXIT_FAILED


class CommandLine(click.Group):
    """Imports a command when it is called, and turns our errors into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table: what comes first is needed first."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself; None when there is no such one."""
        if cmd_name not in COMMANDS:
            return None
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command = getattr(importlib.import_module(f"bmgate.cli.{name}"), name)
        assert isinstance(command, click.Command), "each module has its command under its own name"
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table as it stands, but for what is of no use to people: help imports no command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, line in COMMANDS.items() if name not in HIDDEN])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (GatewayError, OSError) as error:
            raise _failure(error) from error
        except BaseExceptionGroup as group:
            cause = _only_cause(group)
            if cause is None:
                raise
            raise Failure(cause) from group


def _failure(error: GatewayError | OSError) -> Exception:
    """Broken pipes are click's own business."""
    return error if isinstance(error, BrokenPipeError) else Failure(error)


def _only_cause(group: BaseExceptionGroup[BaseException]) -> GatewayError | OSError | None:
    """What a group of tasks ended for, where it was one fact and no bug."""
    leaves = list(_leaves(group))
    return leaves[0] if len(leaves) == 1 and isinstance(leaves[0], GatewayError | OSError) else None


def _leaves(error: BaseException) -> list[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for each in error.exceptions for leaf in _leaves(each)]


def _version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        from bmgate import __version__

        click.echo(f"bmgate {__version__}")
        ctx.exit()


_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


@click.group(cls=CommandLine, context_settings=_SETTINGS)
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Tell the version.")
@place_options
def cli() -> None:
    """A Bitmessage node with IMAP and SMTP in front: mail programs read and write Bitmessages.

    Begin with: bmgate quickstart

    Commands work while the gateway runs (through its control socket) and while it does not.
    """
