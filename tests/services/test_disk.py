"""Room on the disk: what grows stops in time, and goes on by itself (D1)."""

import logging

import pytest
from fakes import FakeClock
from stations import MakeStation, Settings, Wire

from bmgate.domain.mailbox import Flags
from bmgate.errors import StorageFull
from bmgate.services.disk import DiskSpace
from bmgate.storage.backend import Spare

MEGABYTE = 1_000_000


class Disk:
    """A disk of which any part is free."""

    def __init__(self, free: int) -> None:
        self.free, self.looks = free, 0

    def look(self) -> int:
        self.looks += 1
        return self.free


@pytest.mark.parametrize(
    ("free", "objects", "mail"),
    [(201, True, True), (200, True, True), (199, False, True), (50, False, True), (49, False, False)],
)
def test_d1_objects_stop_at_200_megabytes_and_mail_at_50(
    clock: FakeClock, free: int, objects: bool, mail: bool
) -> None:
    space = DiskSpace(Disk(free * MEGABYTE).look, clock, 200 * MEGABYTE)
    assert (space.has_room_for_objects, space.has_room_for_mail) == (objects, mail)


def test_d1_mail_that_would_fill_the_disk_is_refused(clock: FakeClock) -> None:
    space = DiskSpace(Disk(150 * MEGABYTE).look, clock, 200 * MEGABYTE)
    space.check_room_for_mail(100 * MEGABYTE)
    with pytest.raises(StorageFull):
        space.check_room_for_mail(100 * MEGABYTE + 1)


def test_d1_room_inside_the_file_is_room_for_mail_while_its_log_fits_beside_it(clock: FakeClock) -> None:
    disk, inside = Disk(30 * MEGABYTE), [Spare(0, 0)]
    space = DiskSpace(disk.look, clock, 200 * MEGABYTE, lambda: inside[0])
    with pytest.raises(StorageFull):
        space.check_room_for_mail()
    inside[0] = Spare(120 * MEGABYTE, 0)
    space.check_room_for_mail(100 * MEGABYTE)
    assert (space.has_room_for_objects, space.has_room_for_mail) == (False, True)
    with pytest.raises(StorageFull):
        space.check_room_for_mail(100 * MEGABYTE, 6 * MEGABYTE)
    disk.free = 24 * MEGABYTE
    with pytest.raises(StorageFull):
        space.check_room_for_mail(1)


def test_d1_what_the_log_will_make_the_file_grow_by_is_no_room(clock: FakeClock) -> None:
    space = DiskSpace(Disk(220 * MEGABYTE).look, clock, 200 * MEGABYTE, lambda: Spare(0, 21 * MEGABYTE))
    assert not space.has_room_for_objects
    space.check_room_for_mail(149 * MEGABYTE)
    with pytest.raises(StorageFull):
        space.check_room_for_mail(149 * MEGABYTE + 1)


def test_d1_large_mail_looks_at_the_disk_again(clock: FakeClock) -> None:
    disk = Disk(300 * MEGABYTE)
    space = DiskSpace(disk.look, clock, 200 * MEGABYTE)
    space.check_room_for_mail(50 * MEGABYTE, 100 * MEGABYTE)
    disk.free = 100 * MEGABYTE
    with pytest.raises(StorageFull):
        space.check_room_for_mail(50 * MEGABYTE, 100 * MEGABYTE)


def test_d1_each_change_is_told_once(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    disk = Disk(300 * MEGABYTE)
    space = DiskSpace(disk.look, clock, 200 * MEGABYTE)
    caplog.set_level(logging.INFO)
    for free in (300, 150, 140, 20, 10, 60, 250):
        disk.free = free * MEGABYTE
        clock.advance(1)
        assert space.free_bytes == disk.free
        assert space.free_bytes == disk.free
    assert [record.getMessage() for record in caplog.records] == [
        "the disk is nearly full, 150 MB are left: no objects of the network are taken until there is room again",
        "the disk is nearly full, 20 MB are left: no mail and no objects are taken until there is room again",
        "the disk has room again, 60 MB: mail is taken",
        "the disk has room again, 250 MB: everything is taken",
    ]
    assert disk.looks == 7


async def test_d1_without_room_mail_is_refused_and_what_arrives_waits_until_there_is_some(
    make_station: MakeStation, clock: FakeClock
) -> None:
    disk = Disk(0)
    space = DiskSpace(disk.look, clock, 200 * MEGABYTE)
    here, there = await make_station(Settings(check_room=space.check_room_for_mail)), await make_station()
    alice, bob = await here.add_user("alice"), await there.add_user("bob")
    with pytest.raises(StorageFull):
        await alice.send(bob)
    with pytest.raises(StorageFull):
        await here.services.mailboxes.append(alice.id, "INBOX", b"Subject: x\r\n\r\n", Flags.NONE, (), None)
    await bob.send(alice)
    wire = Wire(here, there)
    await wire.carry()
    assert await alice.bodies() == []
    disk.free = 50 * MEGABYTE
    clock.advance(60)
    await wire.carry()
    assert await alice.bodies() == ["a text"]
    await alice.send(bob)
    assert not here.died
