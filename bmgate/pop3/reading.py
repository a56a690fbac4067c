"""Messages read in portions: one that is asked for, and those that will be (I7).

A client that fetches one after the other, or that has sent its commands ahead, is answered from memory most of the
time; a portion has a bound, so a mail that is large comes alone.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Generic, Protocol, TypeVar

from bmgate.errors import MessageMissing
from bmgate.pop3.limits import Pop3Limits
from bmgate.services.mailboxes.maildrops import Maildrop


class Stored(Protocol):
    """Something read of a message."""

    @property
    def uid(self) -> int:
        """Whose it is."""
        ...


T = TypeVar("T", bound=Stored)
Read = Callable[[Maildrop, Collection[int]], Awaitable[Sequence[T]]]


class Portions(Generic[T]):
    """Gives out the messages of a maildrop one by one; places count from 0."""

    def __init__(self, maildrop: Maildrop, read: Read[T], limits: Pop3Limits) -> None:
        self._maildrop, self._read, self._limits = maildrop, read, limits
        self._kept: dict[int, T] = {}
        self._next_place = self._run = 0

    async def take(self, place: int, announced: Callable[[], Sequence[int]]) -> T:
        """The message at `place`; `announced` tells the places that the client has asked for behind it.

        Raises MessageMissing when another session has expunged it.
        """
        uid = self._maildrop.uids[place]
        self._run = self._run + 1 if place == self._next_place else 0
        self._next_place = place + 1
        if uid not in self._kept:
            self._kept.clear()
            ahead = announced() or range(place + 1, place + 1 + min(self._run, self._limits.portion_messages))
            found = await self._read(self._maildrop, self._portion(place, ahead))
            self._kept = {message.uid: message for message in found}
        message = self._kept.pop(uid, None)
        if message is None:
            raise MessageMissing("this message is not there any more")
        return message

    def _portion(self, place: int, ahead: Sequence[int]) -> list[int]:
        """UIDs in ascending order, of the place and as many of those `ahead` as may be kept in memory."""
        uids, octets = self._maildrop.uids, self._maildrop.octets
        chosen = {uids[place]}
        room = self._limits.portion_octets - octets[place]
        for other in ahead[: self._limits.portion_messages]:
            if other >= len(uids) or octets[other] > room:
                break
            chosen.add(uids[other])
            room -= octets[other]
        return sorted(chosen)
