"""Where a mail too large for memory waits between the client and the storage.

It is sealed under a key that nobody else ever has, and gone when it is closed or the process ends.
"""

from collections.abc import Callable
from typing import Protocol

from bmgate.domain.account import AccountId
from bmgate.mail.octets import LargeMail


class Spool(Protocol):
    """Octets of one command: written from front to back, then read at will."""

    @property
    def reserved(self) -> int:
        """Octets that may be written in all."""
        ...

    @property
    def is_behind(self) -> bool:
        """Whether whoever writes should wait until it is told that there is room."""
        ...

    def reserve(self, size: int) -> None:
        """So many more will be written. Raises Unavailable where there is no room for them now."""
        ...

    def write(self, data: bytes) -> None:
        """The next octets. Returns at once; what fails is raised by `settled`."""
        ...

    def last(self, size: int) -> LargeMail:
        """The last octets that were written, to be read once all is `settled`."""
        ...

    async def settled(self) -> None:
        """Until everything is written. Raises Unavailable when that failed."""
        ...

    def close(self) -> None:
        """Forget it, now or when what is under way has ended; may be called again."""
        ...


class Spools(Protocol):
    """All of them share the room there is."""

    def open(self, account: AccountId, on_room: Callable[[], None]) -> Spool:
        """A new one; `on_room` is called in the loop when it is not behind any more."""
        ...
