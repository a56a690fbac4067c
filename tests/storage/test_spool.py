"""Large mail on its way in: sealed, nameless, bounded, and read again as it was written."""

import errno
import os
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from storage_fixtures import make_spools

from bmgate.domain.account import AccountId
from bmgate.errors import StorageFull, Unavailable
from bmgate.storage.sealing import Damaged
from bmgate.storage.spool import CHUNK, FileSpool, FileSpools

ALICE, BOB = AccountId(1), AccountId(2)
WORDS = b"attack at dawn\r\n"


def nothing() -> None:
    """Nobody waits for room."""


async def spooled(spools: FileSpools, *pieces: bytes) -> FileSpool:
    spool = spools.open(ALICE, nothing)
    for piece in pieces:
        spool.reserve(len(piece))
        spool.write(piece)
    await spool.settled()
    return spool


def files_of(folder: Path) -> list[Path]:
    """What this process has open of a folder, as it is reached without a name."""
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return [link for link in links if str(folder) in _target(link)]


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except FileNotFoundError:  # of the listing itself
        return ""


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 1000])
async def test_what_was_written_is_read_again(tmp_path: Path, size: int) -> None:
    data, dice = os.urandom(size), Random(size)
    spool = await spooled(make_spools(tmp_path), *(data[at : at + 65_537] for at in range(0, size, 65_537)))
    mail = spool.last(size)
    assert len(mail) == size
    assert mail[:] == data
    for _ in range(50):
        start, end = dice.randrange(size + 1), dice.randrange(size + 1)
        assert mail[start:end] == data[start:end]
        assert mail.count_lines(start, max(start, end)) == data.count(b"\n", start, end)
    spool.close()


@given(st.lists(st.integers(0, CHUNK), min_size=1, max_size=5))
async def test_several_mails_lie_side_by_side(tmp_path_factory: pytest.TempPathFactory, sizes: list[int]) -> None:
    spool = make_spools(tmp_path_factory.getbasetemp()).open(ALICE, nothing)
    mails, wanted = [], []
    for number, size in enumerate(sizes):
        data = bytes([number]) * size
        spool.reserve(size)
        spool.write(data)
        mails.append(spool.last(size))
        wanted.append(data)
    await spool.settled()
    assert [mail[:] for mail in mails] == wanted
    spool.close()


async def test_s3_nothing_of_it_has_a_name_or_can_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    spool = await spooled(make_spools(tmp_path), WORDS * (CHUNK // 8))
    assert folder.stat().st_mode & 0o777 == 0o700
    assert list(folder.iterdir()) == []
    (file,) = files_of(folder)
    stored = file.read_bytes()
    assert len(stored) > CHUNK
    assert WORDS not in stored
    spool.close()
    assert not files_of(folder)


async def test_a_chunk_in_another_place_does_not_open(tmp_path: Path) -> None:
    spool = await spooled(make_spools(tmp_path), os.urandom(2 * CHUNK + 1))
    (file,) = files_of(tmp_path / "spool")
    stored = file.read_bytes()
    half = len(stored) // 2
    file.write_bytes(stored[half:] + stored[:half])
    with pytest.raises(Damaged):
        spool.last(10 * CHUNK // 8)[:1]
    spool.close()


async def test_where_every_file_has_a_name_it_loses_it_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, real = tmp_path / "spool", os.open
    folder.mkdir()
    (folder / "incoming-left").write_bytes(b"of a process that was killed")

    def without_nameless_files(path: str, flags: int, *rest: int) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "not here")
        return real(path, flags, *rest)

    monkeypatch.setattr(os, "open", without_nameless_files)
    spool = await spooled(make_spools(tmp_path), WORDS * CHUNK)
    assert list(folder.iterdir()) == []
    assert spool.last(len(WORDS))[:] == WORDS
    spool.close()


async def test_what_an_account_has_is_left_to_others_too(tmp_path: Path) -> None:
    spools = make_spools(tmp_path, limit=100)
    first, second, third = spools.open(ALICE, nothing), spools.open(ALICE, nothing), spools.open(BOB, nothing)
    first.reserve(30)
    with pytest.raises(Unavailable):
        second.reserve(21)
    second.reserve(20)
    with pytest.raises(Unavailable):
        third.reserve(26)
    third.reserve(25)
    first.close()
    first.close()
    second.reserve(17)
    assert second.reserved == 37
    second.close()
    third.close()


async def test_t5_accounts_that_take_all_they_can_leave_room_to_others(tmp_path: Path) -> None:
    spools = make_spools(tmp_path, limit=1024)
    opened = [spools.open(AccountId(number), nothing) for number in range(5)]
    for spool in opened:
        while True:
            try:
                spool.reserve(1)
            except Unavailable:
                break
    assert [spool.reserved for spool in opened] == [512, 256, 128, 64, 32]
    for spool in opened:
        spool.close()


async def test_d1_a_disk_without_room_is_told_before_anything_comes(tmp_path: Path) -> None:
    def check_room(octets: int, beside: int) -> None:
        if octets + beside > 300:
            raise StorageFull("the disk is full")

    spools = FileSpools(tmp_path / "spool", os.urandom, check_room)
    spool, other = spools.open(ALICE, nothing), spools.open(BOB, nothing)
    spool.reserve(50)
    other.reserve(50)
    for each in (spool, other):
        with pytest.raises(StorageFull):
            each.reserve(1)
    other.close()
    spool.reserve(50)
    spool.close()


async def test_d1_a_disk_that_is_full_in_the_middle_is_told_at_the_end(tmp_path: Path) -> None:
    spools, full = make_spools(tmp_path), os.open("/dev/full", os.O_RDWR)
    with ThreadPoolExecutor(1) as thread:
        spool = FileSpool(spools, ALICE, full, os.urandom, thread, nothing)
        spool.reserve(5 * CHUNK)
        for _ in range(5):
            spool.write(bytes(CHUNK))
        with pytest.raises(StorageFull):
            await spool.settled()
        spool.close()


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "spool").write_bytes(b"not a folder")
    with pytest.raises(Unavailable):
        make_spools(tmp_path).open(ALICE, nothing)


async def test_whoever_is_faster_than_the_disk_is_told_when_there_is_room(tmp_path: Path) -> None:
    told, slow = list[bool](), threading.Event()
    spool, thread = _held_up(tmp_path, slow, lambda: told.append(True))
    spool.reserve(4 * CHUNK)
    spool.write(bytes(CHUNK))
    behind = [spool.is_behind]
    spool.write(bytes(CHUNK))
    behind.append(spool.is_behind)
    slow.set()
    await spool.settled()
    assert [*behind, spool.is_behind] == [False, True, False]
    assert told == [True]
    spool.close()
    thread.shutdown()


async def test_one_closed_while_it_is_written_goes_when_that_is_done(tmp_path: Path) -> None:
    slow = threading.Event()
    spool, thread = _held_up(tmp_path, slow, nothing)
    spool.reserve(CHUNK)
    spool.write(bytes(CHUNK))
    spool.close()
    assert files_of(tmp_path / "spool")
    slow.set()
    await spool.settled()
    assert not files_of(tmp_path / "spool")
    thread.shutdown()


def _held_up(
    tmp_path: Path, slow: threading.Event, on_room: Callable[[], None]
) -> tuple[FileSpool, ThreadPoolExecutor]:
    """A spool whose thread does something else first."""
    folder = tmp_path / "spool"
    folder.mkdir()
    thread = ThreadPoolExecutor(1)
    thread.submit(slow.wait)
    descriptor, name = tempfile.mkstemp(dir=folder)
    os.unlink(name)
    return FileSpool(make_spools(tmp_path), ALICE, descriptor, os.urandom, thread, on_room), thread
