"""What passes between peers and us, in files of their own."""

import logging
from pathlib import Path

import pytest
from fakes import FakeClock
from peers import version

from bmgate.bm.captures import read_capture
from bmgate.bm.commands import Command, Inv, Ping, Pong, Verack
from bmgate.bm.conversation import Direction
from bmgate.bm.network import TESTNET
from bmgate.trace import CaptureFiles, both

NOW = 1_795_300_000
PEER = "[::1]:18444"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_each_connection_has_a_file_with_what_was_said_and_when(tmp_path: Path, clock: FakeClock) -> None:
    capture = CaptureFiles(tmp_path / "new", TESTNET, clock)
    capture(PEER, "out", version())
    clock.advance(1.5)
    capture(PEER, "in", Ping())
    capture("127.0.0.9:5", "in", version())
    assert names(tmp_path / "new") == ["00001-___1__18444.capture", "00002-127.0.0.9_5.capture"]
    read = read_capture((tmp_path / "new" / "00001-___1__18444.capture").read_text(encoding="ascii"))
    assert (read.network, read.peer, read.began) == (TESTNET, PEER, NOW)
    assert [(said.at, said.direction) for said in read.said] == [(0.0, "out"), (1.5, "in")]
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_a_place_dialled_again_begins_a_new_file(tmp_path: Path, clock: FakeClock) -> None:
    capture = CaptureFiles(tmp_path, TESTNET, clock)
    for _ in range(2):
        capture(PEER, "out", version())
        capture(PEER, "in", version())
    assert len(names(tmp_path)) == 2


def test_what_strangers_say_does_not_fill_the_disk(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    capture = CaptureFiles(tmp_path, TESTNET, clock, most=10_000)
    for number in range(1_000):
        capture(f"127.0.0.9:{number}", "in", Ping())
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 10_500
    assert caplog.text.count("nothing more is captured") == 1


def test_a_full_disk_ends_the_capture_and_nothing_else(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    capture = CaptureFiles(tmp_path / "gone", TESTNET, clock)
    (tmp_path / "gone").rmdir()
    for _ in range(2):
        capture(PEER, "in", Verack())
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_what_cannot_be_said_again_is_left_out(tmp_path: Path, clock: FakeClock) -> None:
    CaptureFiles(tmp_path, TESTNET, clock)(PEER, "in", Inv(()))
    assert names(tmp_path) == []


def test_two_traces_are_told_of_everything() -> None:
    told: list[tuple[str, Direction, Command]] = []

    def tell(peer: str, direction: Direction, command: Command) -> None:
        told.append((peer, direction, command))

    both(tell, tell)(PEER, "in", Pong())
    assert told == [(PEER, "in", Pong())] * 2
