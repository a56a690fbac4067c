"""Who is connected to a door on Twisted, and who may be (I8)."""

from typing import Generic, Protocol, TypeVar

from bmgate.domain.sources import source_group


class Member(Protocol):
    """A connection, as far as it is counted."""

    @property
    def source(self) -> str:
        """The client's IP address."""
        ...


M = TypeVar("M", bound=Member)


class Connections(Generic[M]):
    """Who is connected, and who may be (I8)."""

    def __init__(self, most: int, most_per_source: int) -> None:
        self._most, self._most_per_source = most, most_per_source
        self.members: set[M] = set()

    def has_room(self, newcomer: M) -> bool:
        """Whether one more may stay."""
        group = source_group(newcomer.source)
        same = sum(self.counts(member) and source_group(member.source) == group for member in self.members)
        return same < self._most_per_source and len(self.members) < self._most

    def enter(self, newcomer: M) -> bool:
        """Count it in, if there is room."""
        if not self.has_room(newcomer):
            return False
        self.members.add(newcomer)
        return True

    def counts(self, member: M) -> bool:
        """Whether it counts against its source."""
        return True
