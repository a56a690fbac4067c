"""Hours and power supplies."""

import time
from pathlib import Path

import pytest
from fakes import FakeClock

from bmgate.pow.permission import Permission, PowerSupplies, Span, read_span

MIDNIGHT = int(time.mktime((2026, 11, 22, 0, 0, 0, 0, 0, -1)))  # by this machine's own clock


def supply(folder: Path, name: str, **facts: str) -> None:
    (folder / name).mkdir()
    for key, value in facts.items():
        (folder / name / key).write_text(f"{value}\n")


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("22:00-06:00", Span(1320, 360)),
        (" 9:30 - 24:00 ", Span(570, 1440)),
        ("00:00-00:01", Span(0, 1)),
    ],
)
def test_hours_are_read(text: str, span: Span) -> None:
    assert read_span(text) == span


@pytest.mark.parametrize("text", ["", "22-6", "22:00", "24:00-06:00", "22:60-06:00", "06:00-06:00", "1:00-25:00"])
def test_what_is_no_hours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="22:00-06:00"):
        read_span(text)


def test_hours_may_go_on_after_midnight() -> None:
    span = read_span("22:00-06:00")
    assert [hour for hour in range(24) if span.contains(60 * hour)] == [0, 1, 2, 3, 4, 5, 22, 23]
    day = read_span("09:00-17:00")
    assert [hour for hour in range(24) if day.contains(60 * hour)] == [9, 10, 11, 12, 13, 14, 15, 16]


async def test_large_work_waits_outside_of_all_hours() -> None:
    clock = FakeClock(MIDNIGHT)
    permission = Permission(clock, (read_span("22:00-06:00"), read_span("12:00-13:00")))
    told = []
    for _ in range(24):
        told.append(await permission.withheld())
        clock.advance(3600)
    assert [hour for hour, reason in enumerate(told) if not reason] == [0, 1, 2, 3, 4, 5, 12, 22, 23]
    assert set(told) == {"", "schedule"}


async def test_without_hours_and_power_nothing_is_withheld() -> None:
    assert await Permission(FakeClock(MIDNIGHT)).withheld() == ""


async def test_a_laptop_off_the_mains_runs_on_its_battery(tmp_path: Path) -> None:
    supplies = PowerSupplies(tmp_path)
    supply(tmp_path, "AC", type="Mains", online="0")
    supply(tmp_path, "BAT0", type="Battery", status="Discharging", scope="System")
    assert supplies.on_battery()
    assert await Permission(FakeClock(MIDNIGHT), (), supplies).withheld() == "battery"
    (tmp_path / "AC" / "online").write_text("1\n")
    assert not supplies.on_battery()


def test_the_battery_of_a_mouse_says_nothing(tmp_path: Path) -> None:
    supply(tmp_path, "hidpp_battery_0", type="Battery", status="Discharging", scope="Device", online="1")
    assert not PowerSupplies(tmp_path).on_battery()


def test_a_full_battery_or_none_is_no_reason_to_wait(tmp_path: Path) -> None:
    assert not PowerSupplies(tmp_path / "nothing").on_battery()
    supply(tmp_path, "BAT0", type="Battery", status="Full")
    assert not PowerSupplies(tmp_path).on_battery()
