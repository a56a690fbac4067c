"""Facts about bytes as a tree: made by `inspection`, shown as lines on a terminal or as JSON."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

MAX_MOMENT = 253_402_300_800  # the year 10000, where datetime ends

Value = str | int | tuple["Field", ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A named fact, or a named group of them."""

    name: str
    value: Value

    def lines(self, indent: str = "") -> Iterator[str]:
        """As text for a terminal: what a stranger wrote can neither move the cursor nor pretend to be a field."""
        if isinstance(self.value, tuple):
            yield f"{indent}{self.name}:"
            for field in self.value:
                yield from field.lines(indent + "  ")
            return
        first, *more = [printable(line) for line in str(self.value).split("\n")]
        yield f"{indent}{self.name}: {first}".rstrip()
        yield from (f"{indent}{' ' * len(self.name)}  {line}".rstrip() for line in more)


@dataclass(frozen=True, slots=True)
class Description:
    """What was found; `kind` is packets, object, address or private key."""

    kind: str
    fields: tuple[Field, ...]

    def lines(self) -> Iterator[str]:
        """As text, a fact a line, groups indented."""
        for field in self.fields:
            yield from field.lines()

    def as_dict(self) -> dict[str, object]:
        """As values for JSON."""
        return {"kind": self.kind} | _as_dict(self.fields)


def printable(text: str) -> str:
    """Characters that draw nothing of their own, bidirectional controls among them, are spelled out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def moment(seconds: int) -> str:
    """Unix seconds for people; as a number where no calendar reaches, for strangers write what they like."""
    if not 0 <= seconds < MAX_MOMENT:
        return f"{seconds} s after 1970"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _as_dict(group: tuple[Field, ...]) -> dict[str, object]:
    return {f.name: _as_dict(f.value) if isinstance(f.value, tuple) else f.value for f in group}
