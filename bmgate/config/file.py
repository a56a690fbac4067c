"""Reading and writing `gateway.ini`, and finding the data folder."""

import os
import re
import textwrap
from collections.abc import Iterator, Mapping
from configparser import (
    DuplicateOptionError,
    DuplicateSectionError,
    MissingSectionHeaderError,
    ParsingError,
    RawConfigParser,
)
from configparser import Error as ParserError
from difflib import get_close_matches
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from bmgate.config.model import Config
from bmgate.errors import ConfigError

SYSTEM_FOLDER = Path("/var/lib/bmgate")
WIDTH = 110
ABOUT = """\
Settings of bmgate. Each one stands here with its default: take the "# " away and change it.
Durations: 30s, 10m, 12h, 4d, 2w. Sizes: 500 KiB, 4 MiB, 2 GiB. Switches: on, off. Lists: with commas.
What is marked "used from a later version" is checked, and changes nothing yet."""


def load_config(path: Path) -> Config:
    """The settings of a file; raises ConfigError naming file, line, section and key."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8") from error
    return parse_config(text, str(path))


def parse_config(text: str, name: str) -> Config:
    """The settings in `text`; `name` stands for the file in errors."""
    text = text.replace("\r\n", "\n")
    parser = RawConfigParser(
        delimiters=("=",), comment_prefixes=("#", ";"), default_section="", empty_lines_in_values=False
    )
    try:
        parser.read_string(text, name)
    except ParserError as error:
        raise ConfigError(_grammar_fault(error, name)) from error
    given = {section: dict(parser.items(section)) for section in parser.sections()}
    try:
        return Config.model_validate(given)
    except ValidationError as error:
        raise ConfigError("\n".join(_setting_faults(error, name, _line_numbers(text)))) from error


def render_ini() -> str:
    """The text of a `gateway.ini` that changes nothing: all settings, their help, their defaults commented out."""
    parts = ["".join(f"# {line}\n" for line in ABOUT.splitlines())]
    for name, section in _sections():
        parts.append(f"\n[{name}]\n# {section.__doc__}\n")
        parts += [_render_setting(key, field) for key, field in section.model_fields.items()]
    return "".join(parts)


def data_folder(option: Path | None, environ: Mapping[str, str]) -> Path:
    """Where a gateway keeps everything: `--data`, else BMGATE_DATA, else the place the system has for it."""
    if option is not None:
        return option
    if environ.get("BMGATE_DATA"):
        return Path(environ["BMGATE_DATA"])
    if os.geteuid() == 0:
        return SYSTEM_FOLDER
    base = Path(environ.get("XDG_DATA_HOME", ""))  # the standard has relative paths ignored
    return (base if base.is_absolute() else Path(environ.get("HOME", "~")).expanduser() / ".local" / "share") / "bmgate"


def _sections() -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in Config.model_fields.items():
        assert isinstance(field.annotation, type)
        yield name, field.annotation


def _render_setting(key: str, field: FieldInfo) -> str:
    extra = field.json_schema_extra
    later = isinstance(extra, dict) and extra["later"]
    text = f"{field.description or ''}{' (used from a later version)' if later else ''}"
    wrapped = textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
    return "\n" + "\n".join([*wrapped, f"# {key} = {field.default}".rstrip()]) + "\n"


def _grammar_fault(error: ParserError, name: str) -> str:
    match error:
        case DuplicateOptionError():
            return f"{name}, line {error.lineno}: [{error.section}] {error.option} is set twice"
        case DuplicateSectionError():
            return f"{name}, line {error.lineno}: section [{error.section}] begins twice"
        case MissingSectionHeaderError():
            return f"{name}, line {error.lineno}: {error.line.strip()!r} stands before the first [section]"
        case ParsingError():
            number, line = error.errors[0]
            return f"{name}, line {number}: {line}: hoped for key = value"
        case _:
            return f"{name}: {error}"


def _setting_faults(error: ValidationError, name: str, lines: Mapping[tuple[str, ...], int]) -> Iterator[str]:
    """The errors of pydantic in our words, one for each place: file, line, section, key, value, what was hoped for."""
    faults: dict[tuple[str, ...], list[ErrorDetails]] = {}
    for fault in error.errors(include_url=False):
        faults.setdefault(tuple(str(part) for part in fault["loc"][:2]), []).append(fault)
    for place, alike in faults.items():
        where = f"{name}, line {lines[place]}" if place in lines else name
        what = "".join((f": [{place[0]}]" if place else "", *(f" {key}" for key in place[1:])))
        if alike[0]["type"] == "extra_forbidden":
            yield f"{where}{what}: {_unknown(place)}"
        elif len(place) < 2:
            yield f"{where}{what}: {_hope(alike[0])}"
        else:
            yield f"{where}{what} = {alike[0]['input']}: hoped for {' or '.join(dict.fromkeys(map(_hope, alike)))}"


def _unknown(place: tuple[str, ...]) -> str:
    known = dict(_sections())
    kind, choices = ("key", list(known[place[0]].model_fields)) if len(place) == 2 else ("section", list(known))
    close = get_close_matches(place[-1], choices, n=1)
    return f"no such {kind}; " + (f"did you mean {close[0]}?" if close else f"there are {', '.join(choices)}")


def _hope(fault: ErrorDetails) -> str:
    return re.sub("^(Value error, )?(hoped for |Input should be )?", "", fault["msg"])


def _line_numbers(text: str) -> dict[tuple[str, ...], int]:
    """Line of each section and key, counted from 1."""
    found: dict[tuple[str, ...], int] = {}
    section = ""
    for number, line in enumerate(text.split("\n"), 1):
        if header := re.match(r"\[([^\]]+)\]", line):
            section = header[1]
            found[(section,)] = number
        elif key := re.match(r"([^\s#;=][^=]*?)\s*=", line):
            found[section, key[1].lower()] = number
    return found
