"""Options that many commands share. Secrets come from a prompt or standard input, never from arguments (E2)."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bmgate.cli import completing
from bmgate.errors import ConfigError

if TYPE_CHECKING:
    from bmgate.config import Config
    from bmgate.datafolder import DataFolder

F = TypeVar("F", bound=Callable[..., Any])

_DATA, _CONFIG = "bmgate.data", "bmgate.config"
MAX_SECRET = 4096
MAX_TEXT = 65_536  # characters of one argument, answer or cell


@dataclass(frozen=True, slots=True)
class Place:
    """Which gateway is meant: its data folder and its settings."""

    folder: "DataFolder"
    config_file: Path

    def config(self) -> "Config":
        """The settings; raises ConfigError."""
        from bmgate.config import load_config

        if not self.config_file.exists():
            raise ConfigError(f"{self.config_file} does not exist; run: bmgate quickstart")
        return load_config(self.config_file)


def place_options(command: F) -> F:
    """`--data` and `--config`, before the command's name or behind it; `place` finds them."""
    data = click.option(
        "--data",
        type=click.Path(path_type=Path),
        metavar="DIR",
        expose_value=False,
        callback=lambda ctx, _, value: _remember(ctx, _DATA, value),
        help="Data folder, else BMGATE_DATA, else ~/.local/share/bmgate (root: /var/lib/bmgate).",
    )
    config = click.option(
        "--config",
        type=click.Path(path_type=Path),
        metavar="FILE",
        expose_value=False,
        callback=lambda ctx, _, value: _remember(ctx, _CONFIG, value),
        help="Settings, else gateway.ini in the data folder.",
    )
    return data(config(command))


def place() -> Place:
    """The gateway that the command line names."""
    from bmgate.config import data_folder
    from bmgate.datafolder import DataFolder

    meta = click.get_current_context().meta
    folder = DataFolder(data_folder(meta.get(_DATA), os.environ).absolute())
    return Place(folder, meta.get(_CONFIG) or folder.config)


json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
if_present_option = click.option("--if-present", is_flag=True, help="What is gone already is no error.")
account_option = click.option(
    "--account",
    metavar="NAME",
    default="",
    shell_complete=completing.accounts,
    help="Whose; needed where there are several.",
)
password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input instead of asking."
)


class BadText(click.UsageError):
    """Text that no command can take, told in one line; it is not repeated, for it may be a password."""

    def show(self, file: Any = None) -> None:
        """On standard error."""
        click.echo(f"bmgate: {self.format_message()}", file=file, err=file is None)


def read_secret(what: str, from_stdin: bool) -> str:
    """A password or passphrase: the first line of standard input, or asked for twice without showing it."""
    if not from_stdin:
        return ask(what, hidden=True, twice=True)
    try:
        secret = _first_line(MAX_SECRET)
    except UnicodeDecodeError as error:
        raise BadText(f"the {what.lower()} is not UTF-8") from error
    if not secret:
        raise click.UsageError(f"no {what.lower()} came on standard input")
    if len(secret) > MAX_SECRET:
        raise BadText(f"the {what.lower()} is longer than {MAX_SECRET} characters")
    check_text(f"the {what.lower()}", secret)
    return secret


def _first_line(most: int) -> str:
    """Without its line end, LF or CR LF, and not shortened to `most` characters; raises UnicodeDecodeError."""
    line = sys.stdin.buffer.readline(4 * most + 3)  # octets: as many as are too many characters, and their line end
    return line.removesuffix(b"\n").removesuffix(b"\r").decode()


def ask(what: str, *, hidden: bool = False, twice: bool = False) -> str:
    """The answer to a question on the terminal; raises BadText."""
    try:
        answer: str = click.prompt(what, hide_input=hidden, confirmation_prompt=twice)
    except UnicodeDecodeError as error:
        raise BadText(f"the {what.lower()} is not UTF-8") from error
    check_text(f"the {what.lower()}", answer)
    return answer


def check_text(what: str, text: str) -> None:
    """Raises BadText for what the control protocol or the storage cannot hold."""
    if fault := text_fault(text):
        raise BadText(f"{what} {fault}")


def text_fault(text: str) -> str:
    """What is wrong with a text of any kind, such as `is not UTF-8`; empty for nothing."""
    if any("\ud800" <= letter <= "\udfff" for letter in text):  # bytes that are not UTF-8, or half a surrogate pair
        return "is not UTF-8"
    if "\0" in text:
        return "holds a zero byte"
    return f"is longer than {MAX_TEXT} characters" if len(text) > MAX_TEXT else ""


def _remember(ctx: click.Context, key: str, value: Path | None) -> None:
    if value is not None:
        ctx.meta[key] = value
