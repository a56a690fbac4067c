"""Options that many commands share. Secrets come from a prompt or standard input, never from arguments (E2)."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bmgate.errors import ConfigError

if TYPE_CHECKING:
    from bmgate.config import Config
    from bmgate.datafolder import DataFolder

F = TypeVar("F", bound=Callable[..., Any])

_DATA, _CONFIG = "bmgate.data", "bmgate.config"
MAX_SECRET = 4096


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
account_option = click.option("--account", metavar="NAME", default="", help="Whose; needed where there are several.")
password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input instead of asking."
)


def read_secret(what: str, from_stdin: bool) -> str:
    """A password or passphrase: the first line of standard input, or asked for twice without showing it."""
    if not from_stdin:
        secret: str = click.prompt(what, hide_input=True, confirmation_prompt=True)
    else:
        try:
            secret = sys.stdin.readline(MAX_SECRET).rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise click.UsageError(f"the {what.lower()} is not UTF-8") from error
    if not secret:
        raise click.UsageError(f"no {what.lower()} came on standard input")
    if not is_utf8(secret):
        raise click.UsageError(f"the {what.lower()} is not UTF-8")
    return secret


def is_utf8(text: str) -> bool:
    """False for what came from bytes that are not UTF-8, or from half a surrogate pair."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _remember(ctx: click.Context, key: str, value: Path | None) -> None:
    if value is not None:
        ctx.meta[key] = value
