"""`bmgate inspect`: what a piece of Bitmessage is."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bmgate.cli.options import json_option
from bmgate.errors import ConfigError, ProtocolError

if TYPE_CHECKING:
    from bmgate.bm.description import Description

MAX_INPUT = 16 * 1024 * 1024
MAX_CAPTURE = 256 * 1024 * 1024


@click.command()
@click.argument("what", metavar="HEX|ADDRESS|FILE|-")
@click.option(
    "--key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Private keys to open it with, one a line, in WIF or hexadecimal.",
)
@click.option("--replay", is_flag=True, help="FILE is a capture (serve --capture): have a conversation hear it again.")
@json_option
def inspect(what: str, key_file: Path | None, replay: bool, as_json: bool) -> None:
    """Explain a packet, an object, an address or a key.

    Takes hexadecimal digits, an address, a file (bytes or text), or - for standard input. Private keys come from
    a file, for arguments can be read by others. Uses no data folder.
    """
    from bmgate.cli.output import print_json

    if replay:
        _replay(what, as_json)
        return
    keys = _keys(key_file) if key_file else ()
    found = _described(_given(what), keys)
    if as_json:
        print_json(found.as_dict())
        return
    for line in found.lines():
        click.echo(line)


def _replay(what: str, as_json: bool) -> None:
    from bmgate.bm import captures
    from bmgate.cli.output import print_json

    given = _given(what, MAX_CAPTURE)
    if isinstance(given, str):
        raise ProtocolError(f"{what}: no such file")
    steps = captures.replay(captures.read_capture(given.decode("ascii", "replace")))
    if as_json:
        print_json([{"at": step.at, "sign": step.sign, "text": step.text} for step in steps])
        return
    for step in steps:
        click.echo(str(step))


def _given(what: str, most: int = MAX_INPUT) -> bytes | str:
    if what == "-":
        return sys.stdin.buffer.read(most)
    path = Path(what)
    if len(what) < 256 and path.is_file():
        with path.open("rb") as file:
            return file.read(most)
    if "/" in what:
        raise ProtocolError(f"{what}: no such file")
    return what


def _described(given: bytes | str, keys: tuple[bytes, ...]) -> "Description":
    """Bytes may be text with hexadecimal digits as well; raises ProtocolError."""
    from bmgate.bm.inspection import inspect_bytes, inspect_text

    now = int(time.time())
    if isinstance(given, str):
        return inspect_text(given, keys, now)
    try:
        text = given.decode("ascii")
    except UnicodeDecodeError:
        return inspect_bytes(given, keys, now)
    return inspect_text(text, keys, now)


def _keys(path: Path) -> tuple[bytes, ...]:
    lines = [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    return tuple(_key(path, number, line) for number, line in enumerate(lines, 1) if line and not line.startswith("#"))


def _key(path: Path, number: int, text: str) -> bytes:
    """One private key; the error does not repeat it."""
    from bmgate.bm.keys import decode_wif

    try:
        raw = bytes.fromhex(text)
        if len(raw) == 32:
            return raw
    except ValueError:
        pass
    try:
        return decode_wif(text)
    except ProtocolError as error:
        raise ConfigError(f"{path}, line {number}: neither WIF nor 64 hexadecimal digits") from error
