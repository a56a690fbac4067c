"""Room on the disk: what grows stops before the disk is full (D1), so that what shrinks, or was promised, still fits.

Objects of the network stop first, mail at a quarter of that. Both go on by themselves once there is room again.
"""

import logging
from collections.abc import Callable

from bmgate.domain.ports.world import Clock
from bmgate.errors import StorageFull

LOOK_SECONDS = 1.0
MAIL_PART = 4

log = logging.getLogger(__name__)


def room_for_all() -> None:
    """For who never runs out of disk."""


class DiskSpace:
    """Asked again and again; looks at the disk once a second. `free` and `keep_free` are bytes."""

    def __init__(self, free: Callable[[], int], clock: Clock, keep_free: int) -> None:
        self._look, self._clock, self.keep_free = free, clock, keep_free
        self._free, self._looked_at = 0, -LOOK_SECONDS
        self._told = 0  # how many kinds of things have no room

    @property
    def free_bytes(self) -> int:
        now = self._clock.monotonic()
        if now - self._looked_at >= LOOK_SECONDS:
            self._free, self._looked_at = self._look(), now
            self._tell_changes()
        return self._free

    @property
    def has_room_for_objects(self) -> bool:
        return self.free_bytes >= self.keep_free

    @property
    def has_room_for_mail(self) -> bool:
        return self.free_bytes >= self.keep_free // MAIL_PART

    def check_room_for_mail(self, octets: int = 0) -> None:
        """Whether mail of so many octets still fits; raises StorageFull."""
        if self.free_bytes - octets < self.keep_free // MAIL_PART:
            raise StorageFull("this server's disk is full; try again later")

    def _tell_changes(self) -> None:
        lacking = (self._free < self.keep_free) + (self._free < self.keep_free // MAIL_PART)
        told, self._told = self._told, lacking
        megabytes = self._free // 1_000_000
        if lacking > told:
            what = "no mail and no objects are" if lacking > 1 else "no objects of the network are"
            log.warning("the disk is nearly full, %d MB are left: %s taken until there is room again", megabytes, what)
        elif lacking < told:
            what = "mail is" if lacking else "everything is"
            log.info("the disk has room again, %d MB: %s taken", megabytes, what)
