"""Room on the disk: what grows stops before the disk is full (D1), so that what shrinks, or was promised, still fits.

Objects of the network stop first, mail at a quarter of that. Both go on by themselves once there is room again. What is
free inside the database's file is room for mail too, while its log still fits beside it; what the log will make it grow
by is not.
"""

import logging
from collections.abc import Callable
from typing import Protocol

from bmgate.domain.ports.world import Clock
from bmgate.errors import StorageFull

LOOK_SECONDS = 1.0
MAIL_PART = 4
LOG_PART = 8  # kept outside of the file, though there is room in it

log = logging.getLogger(__name__)


class Spare(Protocol):
    """What the database's file says of the disk, in octets."""

    @property
    def free(self) -> int: ...
    @property
    def owed(self) -> int: ...


class NoFile:
    """Of a database that is somewhere else."""

    free = owed = 0


def room_for_all() -> None:
    """For who never runs out of disk."""


class DiskSpace:
    """Asked again and again; looks at the disk once a second. `free` and `keep_free` are bytes."""

    def __init__(
        self, free: Callable[[], int], clock: Clock, keep_free: int, spare: Callable[[], Spare] = NoFile
    ) -> None:
        self._look, self._clock, self.keep_free, self._look_inside = free, clock, keep_free, spare
        self._free, self._looked_at = 0, -LOOK_SECONDS
        self._spare: Spare = NoFile()
        self._told = 0  # how many kinds of things have no room

    @property
    def free_bytes(self) -> int:
        """Of the disk."""
        if self._clock.monotonic() - self._looked_at >= LOOK_SECONDS:
            self._look_again()
        return self._free

    def _look_again(self) -> None:
        self._free, self._spare, self._looked_at = self._look(), self._look_inside(), self._clock.monotonic()
        self._tell_changes()

    @property
    def has_room_for_objects(self) -> bool:
        return self.free_bytes - self._spare.owed >= self.keep_free

    @property
    def has_room_for_mail(self) -> bool:
        return self._has_room(0, 0)

    def check_room_for_mail(self, octets: int = 0, beside: int = 0) -> None:
        """Whether mail of so many octets still fits, and so many beside the file; raises StorageFull.

        Where much is to come, the disk is looked at again.
        """
        if octets or beside:
            self._look_again()
        if not self._has_room(octets, beside):
            raise StorageFull("this server's disk is full; try again later")

    def _has_room(self, octets: int, beside: int) -> bool:
        outside = self.free_bytes - self._spare.owed - beside
        fits = outside + self._spare.free - octets >= self.keep_free // MAIL_PART
        return fits and outside >= self.keep_free // LOG_PART

    def _tell_changes(self) -> None:
        lacking = (not self.has_room_for_objects) + (not self.has_room_for_mail)
        told, self._told = self._told, lacking
        megabytes = self._free // 1_000_000
        if lacking > told:
            what = "no mail and no objects are" if lacking > 1 else "no objects of the network are"
            log.warning("the disk is nearly full, %d MB are left: %s taken until there is room again", megabytes, what)
        elif lacking < told:
            what = "mail is" if lacking else "everything is"
            log.info("the disk has room again, %d MB: %s taken", megabytes, what)
