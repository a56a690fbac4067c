"""Threads: which mail an object of the network brought or took away, so that an answer finds what it answers (I17)."""

from dataclasses import dataclass

from bmgate.bm.addresses import Address


@dataclass(frozen=True, slots=True)
class Thread:
    """A mail as an answer to it must name it: its Message-ID, and the References it has itself, oldest first."""

    message_id: str
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exchange:
    """The two ends of a mail as the account sees them: its own address, or a chan's, and the other one's."""

    own: Address
    other: Address
