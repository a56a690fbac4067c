"""Batches on the command line: `--from FILE` with CSV or JSON lines, `--if-missing`, and the report.

A CSV file begins with a line that names its columns; a file whose first character is `{` holds one JSON object a line.
Either all entries are carried out or none.
"""

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from bmgate.cli.calls import call_telling
from bmgate.cli.options import text_fault
from bmgate.cli.output import print_json, printable
from bmgate.errors import BatchRefused

F = TypeVar("F", bound=Callable[..., Any])

_WIDTH = 50  # columns of what progress says
MAX_BYTES = 16 * 1024 * 1024
MAX_TOLD = 80  # characters of what somebody wrote
MAX_REASON = 400  # characters
_WORDS = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}

from_option = click.option(
    "--from",
    "source",
    type=click.File("rb"),
    metavar="FILE",
    help="Many at once, all or none: CSV with a line of column names, or JSON lines; - is standard input.",
)
"""Gives the parameter `source`."""

if_missing_option = click.option("--if-missing", is_flag=True, help="What is there already is no error.")
"""Gives the parameter `if_missing`."""


def read_batch(source: Any, columns: Mapping[str, type]) -> list[dict[str, Any]]:
    """The entries of an open file, each with its `line`; raises BatchRefused for what cannot be read.

    `columns` are the fields that may stand there, with str, int or bool. An empty cell is a field that is not given.
    """
    data = source.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise click.UsageError(f"the file is larger than {MAX_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _refused([(line, "it is not UTF-8")]) from error
    raw = _json_lines(text) if text.lstrip().startswith("{") else _csv_lines(text, columns)
    failures, entries = list[tuple[int, str]](), list[dict[str, Any]]()
    for line, fields in raw:
        try:
            entries.append({"line": line, **_fields(fields, columns)})
        except ValueError as error:
            failures.append((line, str(error)))
    if failures:
        raise _refused(failures)
    if not entries:
        raise click.UsageError("the file holds no entry")
    return entries


def run_batch(method: str, source: Any, columns: Mapping[str, type], **params: Any) -> list[dict[str, Any]]:
    """Have a method carry out the entries of an open file; the value of each, with `is`: made or there.

    What is wrong with a line is told before BatchRefused is raised: on standard error, or as JSON where that is
    wished for.
    """
    with _telling_refusals():
        return _run(method, read_batch(source, columns), params)


def run_entries(method: str, entries: list[dict[str, Any]], **params: Any) -> list[dict[str, Any]]:
    """The same with entries that were read already, each with its `line`."""
    with _telling_refusals():
        return _run(method, entries, params)


def _run(method: str, entries: list[dict[str, Any]], params: dict[str, Any]) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []

    def take(progress: Any) -> None:
        if "entry" in progress:
            results.append({**progress["entry"], "is": progress["is"]})
        else:
            _show_progress(progress)

    try:
        call_telling(method, take, entries=entries, **params)
    finally:
        _end_progress()
    return results


@contextmanager
def _telling_refusals() -> Iterator[None]:
    """Tell every line that is refused; then the error only says how many they are."""
    try:
        yield
    except BatchRefused as refused:
        reasons = [(line, _cut(reason, MAX_REASON)) for line, reason in refused.failures]
        if click.get_current_context().params.get("as_json"):
            print_json({"refused": [{"line": line, "reason": reason} for line, reason in reasons]})
        else:
            for line, reason in reasons:
                click.echo(f"line {line}: {printable(reason)}", err=True)
        count = len(refused.failures)
        words = "a line is" if count == 1 else f"{count} lines are"
        raise BatchRefused(f"nothing was done: {words} refused", refused.failures) from None


def print_batch(results: list[dict[str, Any]], as_json: bool, words: Callable[[dict[str, Any]], str]) -> None:
    """All results; for people one line each, in `words`."""
    if as_json:
        print_json(results)
        return
    for value in results:
        click.echo(printable(words(value)) + ("" if value["is"] == "made" else " (was there)"))


def _show_progress(progress: dict[str, Any]) -> None:
    """On a terminal only, always on the same line of it."""
    if not sys.stderr.isatty():
        return
    if search := progress.get("search"):
        words = f"{search['tried']} of about {search['expected']} draws"
    else:
        words = f"{progress['done']} of {progress['of']} {'done' if progress.get('applied') else 'prepared'}"
    click.echo(f"\r{words:<{_WIDTH}}", err=True, nl=False)


def _end_progress() -> None:
    """What comes next begins a line of its own."""
    if sys.stderr.isatty():
        click.echo(f"\r{'':<{_WIDTH}}\r", err=True, nl=False)


def _json_lines(text: str) -> Iterable[tuple[int, dict[str, Any] | str]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line, object_pairs_hook=_object)
        except _Twice as twice:
            value = str(twice)
        except (ValueError, RecursionError):
            value = None
        yield number, value if isinstance(value, dict | str) and line.lstrip()[0] == "{" else "it is no JSON object"


class _Twice(ValueError):
    """A JSON object that has a field twice: which one is meant, nobody can know."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for name, value in pairs:
        if name in read:
            raise _Twice(f"the field {_cut(name)} is there twice")
        read[name] = value
    return read


def _csv_lines(text: str, columns: Mapping[str, type]) -> Iterable[tuple[int, dict[str, Any] | str]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    names: list[str] | None = None
    begin = 1
    try:
        for cells in reader:
            if cells and names is None:
                names = [cell.strip().lower() for cell in cells]
                unknown = [name for name in names if name not in columns]
                if unknown or len(set(names)) < len(names):
                    found = _cut(",".join(cells))
                    raise _refused([(begin, f"the columns are {', '.join(columns)}, each once, not {found}")])
            elif cells and names is not None:
                values = {name: cell for name, cell in zip(names, cells, strict=False) if cell}
                fits = len(cells) == len(names)
                yield begin, values if fits else f"{len(cells)} cells, hoped for {len(names)}"
            begin = reader.line_num + 1
    except csv.Error as error:
        yield begin, f"it is no CSV: {error}"


def _fields(fields: dict[str, Any] | str, columns: Mapping[str, type]) -> dict[str, Any]:
    if isinstance(fields, str):
        raise ValueError(fields)
    unknown = [name for name in fields if name not in columns]
    if unknown:
        raise ValueError(f"there is no field {_cut(unknown[0])}; there are {', '.join(columns)}")
    return {name: _value(name, value, columns[name]) for name, value in fields.items() if value is not None}


def _value(name: str, value: Any, kind: type) -> Any:
    """A value of a CSV cell or of JSON; raises ValueError, which never repeats it: it may be a password."""
    if isinstance(value, str) and kind is int and value.strip().isascii() and value.strip().isdigit():
        return int(value)
    if isinstance(value, str) and kind is bool:
        value = _WORDS.get(value.strip().lower(), value)
    if type(value) is not kind:
        hoped = {str: "text", int: "a number", bool: "yes or no"}[kind]
        raise ValueError(f"{name} is {hoped}")
    if isinstance(value, str) and (fault := text_fault(value)):
        raise ValueError(f"{name} {fault}")
    return value


def _cut(text: str, most: int = MAX_TOLD) -> str:
    """As much of what somebody wrote as is told again."""
    return text if len(text) <= most else f"{text[:most]}..."


def _refused(failures: list[tuple[int, str]]) -> BatchRefused:
    line, reason = failures[0]
    return BatchRefused(f"nothing was done: line {line}: {reason}", tuple(failures))
