"""What `bmgate queue` says about work: percentages, prospects, and the watch on a terminal, in a pipe and as JSON."""

import io
import json
from typing import Any

import pytest
from rich.console import Console

from bmgate.cli import watching
from bmgate.cli.progress import percentage, prospect
from bmgate.cli.watching import Lines, Screen

WORK = {
    "object": "msg",
    "tried": 430,
    "expected": 1000,
    "probability": 0.3495,
    "running": True,
    "withheld": "",
    "mean_seconds": 12.0,
    "likely_seconds": 36.0,
}


def row(name: str = "7KQ2AB-1", state: str = "BUILT", **work: Any) -> dict[str, Any]:
    """A row as `queue.watch` tells it; without `work` where the state has none."""
    worked = {**WORK, **work} if state in ("ACK_POW", "BUILT") else None
    return {"id": name, "state": state, "next_attempt": 1_800_000_000, "work": worked}


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (row(), "msg: about 12.0 s more, 95 % within 36.0 s"),
        (
            row(state="ACK_POW", object="ack", running=False),
            "ack: waits its turn, about 12.0 s more, 95 % within 36.0 s",
        ),
        (row(withheld="battery"), "msg: waits for mains power"),
        (row(withheld="schedule"), "msg: waits for the hours set in [pow] schedule"),
        (row(state="PUBLISHED"), "waits for its confirmation until 2027-01-15 08:00:00 UTC"),
        (row(state="REQUESTED"), "waits for the recipient's key until 2027-01-15 08:00:00 UTC"),
        (row(state="READY"), "none now"),
        (row(state="ACKED"), ""),
    ],
)
def test_a_prospect_is_an_expectation_and_no_countdown(told: dict[str, Any], words: str) -> None:
    assert prospect(told) == words


def test_a_percentage_is_the_chance_to_be_done_by_now() -> None:
    assert percentage(row()) == "34 %"
    assert percentage(row(state="PUBLISHED")) == ""
    assert percentage({"state": "BUILT"}) == "", "where nobody asked how far it is"


def test_in_a_pipe_only_steps_have_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    for probability in (0.0, 0.01, 0.049, 0.05, 0.3, 0.31):
        lines.show(row(probability=probability))
        lines.show({"backlog": {"jobs": 1}})
    lines.show(row(state="PUBLISHED"))
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[1:3] for line in printed] == [
        ["BUILT", "0"],
        ["BUILT", "5"],
        ["BUILT", "30"],
        ["PUBLISHED", "waits"],
    ]


def test_as_json_each_line_is_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    told = [row(), {"backlog": {"jobs": 1, "mean_seconds": 1.0, "likely_seconds": 3.0}}]
    with watching.watching(as_json=True) as show:
        for each in told:
            show(each)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == told


def test_ctrl_c_ends_the_watch_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    with watching.watching(as_json=False):
        press_ctrl_c()
    assert capsys.readouterr() == ("", "")


def press_ctrl_c() -> None:
    raise KeyboardInterrupt


def picture(screen: Screen, console: Console) -> list[str]:
    with console.capture() as captured:
        console.print(screen.picture())
    return captured.get().splitlines()


def test_on_a_terminal_what_ends_first_stands_first_and_the_rest_is_counted() -> None:
    console = Console(file=io.StringIO(), width=100, height=6, force_terminal=True, color_system=None)
    screen = Screen(console)
    assert screen.farewell == "Nothing is on its way."
    screen.show(row("7KQ2AB-1", state="PUBLISHED"))
    screen.show(row("7KQ2AB-2", mean_seconds=50.0, running=False))
    screen.show(row("7KQ2AB-3", mean_seconds=5.0))
    screen.show(row("7KQ2AB-4", state="ACKED"))
    screen.show({"backlog": {"jobs": 2, "mean_seconds": 55.0, "likely_seconds": 90.0}})
    drawn = picture(screen, console)
    assert [line.split()[0] for line in drawn[:3]] == ["7KQ2AB-3", "7KQ2AB-2", "7KQ2AB-1"]
    assert "34 %" in drawn[0]
    assert drawn[3:] == ["... and 1 more", "2 searches in all: about 55.0 s more, 95 % within 90.0 s"]


def test_what_strangers_wrote_draws_nothing_on_the_terminal() -> None:
    console = Console(file=io.StringIO(), width=100, height=20, force_terminal=True, color_system=None)
    screen = Screen(console)
    screen.show(row("[red]\x1b[2J"))
    assert "\x1b[2J" not in "\n".join(picture(screen, console))
