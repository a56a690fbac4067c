"""What commands print: JSON as the methods return it, or tables and facts for people.

Labels, subjects and user agents were chosen by others: characters that draw nothing of their own are spelled out.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from bmgate.bm import description
from bmgate.mail.causes import duration_words

UNLIMITED_WIDTH = 1000  # columns, where the output is no terminal


def print_json(value: Any) -> None:
    """Exactly `value`."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def is_gone(result: Mapping[str, Any], name: str, as_json: bool) -> bool:
    """Tell what came of an end with `--if-present`, where there was nothing to end."""
    if result.get("is") != "gone":
        return False
    if as_json:
        print_json(result)
    else:
        click.echo(f"{printable(name)}: not there.")
    return True


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """One line a row; on a terminal, cells fold rather than lose characters."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else UNLIMITED_WIDTH, highlight=False)
    with console.capture() as captured:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def print_options(options: Sequence[Mapping[str, Any]], as_json: bool = False) -> None:
    """What is in force, and what of it was set here."""
    if as_json:
        print_json(options)
        return
    rows = [(each["name"], each["value"], "set here" if each["is_set"] else "") for each in options]
    print_table(("OPTION", "VALUE", ""), rows)


def print_facts(facts: Mapping[str, Any]) -> None:
    """One `name: value` a line, names aligned."""
    width = max((len(name) for name in facts), default=0) + 1
    for name, value in facts.items():
        click.echo(f"{name + ':':<{width}} {printable(value)}".rstrip())


def printable(value: Any) -> str:
    """`value` as text that cannot move the cursor, empty for None."""
    return "" if value is None else description.printable(str(value))


def host_port(host: str, port: int) -> str:
    """Where something listens or a peer is; an IPv6 address stands in brackets, the path of a socket alone."""
    if host.startswith("/"):
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def moment(seconds: int | None) -> str:
    """Unix seconds for people; empty for none."""
    return description.moment(seconds) if seconds else ""


def size(count: int) -> str:
    """A number of bytes for people."""
    amount, units = float(count), ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while amount >= 1024 and len(units) > 1:
        amount /= 1024
        units.pop(0)
    return f"{amount:.0f} {units[0]}" if units[0] == "bytes" else f"{amount:.1f} {units[0]}"


def duration(seconds: float) -> str:
    """Seconds for people, from two minutes on in the words that mail has for them."""
    return f"{seconds:.1f} s" if seconds < 120 else duration_words(round(seconds))


def qr_code(text: str) -> str:
    """A QR code drawn with characters."""
    import io

    import segno

    drawing = io.StringIO()
    segno.make(text, error="m", micro=False).terminal(drawing, compact=True)
    return drawing.getvalue()
