"""When large work may be done: at hours of the day, and on mains power.

Small work is never withheld: a short mail leaves at once, on a train at noon too. What counts as large is the solver's
business.
"""

import asyncio
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bmgate.domain.ports.world import Clock

POWER_SUPPLIES = Path("/sys/class/power_supply")

_SPAN = re.compile(r"([0-9]{1,2}):([0-9]{2})\s*-\s*([0-9]{1,2}):([0-9]{2})")
_DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Span:
    """Hours of each day, in minutes since midnight; one that ends before it begins goes on after midnight."""

    begin: int
    end: int

    def contains(self, minute: int) -> bool:
        """Whether this minute of the day lies within; the end is outside."""
        if self.begin < self.end:
            return self.begin <= minute < self.end
        return minute >= self.begin or minute < self.end


def read_span(text: str) -> Span:
    """`22:00-06:00`; raises ValueError."""
    match = _SPAN.fullmatch(text.strip())
    if match is not None:
        begin, end = (60 * int(match[n]) + int(match[n + 1]) for n in (1, 3))
        minutes_valid = int(match[2]) < 60 and int(match[4]) < 60
        if minutes_valid and begin < _DAY_MINUTES and end <= _DAY_MINUTES and begin != end:
            return Span(begin, end)
    raise ValueError("hoped for hours such as 22:00-06:00, several with commas")


@dataclass(frozen=True, slots=True)
class PowerSupplies:
    """The power supplies of this machine as Linux shows them: a folder for each."""

    folder: Path = POWER_SUPPLIES

    def on_battery(self) -> bool:
        """Whether this machine runs down a battery of its own; False where nothing tells."""
        supplies = [supply for supply in _folders(self.folder) if _fact(supply, "scope") != "Device"]
        if any(_fact(supply, "online") not in ("", "0") for supply in supplies):
            return False
        return any(
            _fact(supply, "type") == "Battery" and _fact(supply, "status") == "Discharging" for supply in supplies
        )


@dataclass(frozen=True, slots=True)
class Permission:
    """Says whether large work must wait. Without `hours` every hour is fine, without `power` every power supply."""

    clock: Clock
    hours: tuple[Span, ...] = ()
    power: PowerSupplies | None = None

    async def withheld(self) -> str:
        """Why large work must wait now: `battery`, `schedule`; "" when it need not."""
        if self.power is not None and await asyncio.to_thread(self.power.on_battery):  # some drivers take their time
            return "battery"
        local = time.localtime(self.clock.now())
        minute = 60 * local.tm_hour + local.tm_min
        return "" if not self.hours or any(span.contains(minute) for span in self.hours) else "schedule"


def _folders(folder: Path) -> Iterable[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return ()


def _fact(supply: Path, name: str) -> str:
    """What the file `name` says, "" where there is none or the driver does not answer."""
    try:
        return (supply / name).read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
