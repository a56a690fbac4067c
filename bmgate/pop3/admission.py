"""Who is connected, and who may be."""

from typing import Generic, Protocol, TypeVar

from bmgate.domain.sources import source_group
from bmgate.pop3.limits import Pop3Limits


class Member(Protocol):
    """A connection, as far as it is counted."""

    @property
    def source(self) -> str:
        """The client's IP address."""
        ...


T = TypeVar("T", bound=Member)


class Connections(Generic[T]):
    """Who is connected, and who may be (I8); of an account only one is, for its maildrop is exclusive."""

    def __init__(self, limits: Pop3Limits) -> None:
        self._limits = limits
        self.members: set[T] = set()

    def has_room(self, newcomer: T) -> bool:
        """Whether one more may stay."""
        group = source_group(newcomer.source)
        same = sum(source_group(member.source) == group for member in self.members)
        return same < self._limits.connections_per_source and len(self.members) < self._limits.connections
