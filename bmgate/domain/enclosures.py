"""What a submission holds beside its text until its last recipient is done with: files, and what they are sent with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bmgate.mail.outgoing import Attached


@dataclass(frozen=True, slots=True, repr=False)
class Enclosures:
    """`left_out` names parts that travel to nobody. `answered` are the Message-IDs the mail answers, nearest first.

    `parents` are inventory vectors for each recipient by the number of his row, chosen once: an attempt that said
    something else would arrive as another mail. `disclosed` are the addresses of To and Cc that all are told (O2).
    `relayed` are the Internet addresses that relays carry it on to, by the number of the relay's row (O17).
    """

    files: tuple[Attached, ...] = ()
    left_out: tuple[str, ...] = ()
    answered: tuple[str, ...] = ()
    parents: Mapping[int, tuple[bytes, ...]] = field(default_factory=dict)
    disclosed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    relayed: Mapping[int, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to keep."""
        return not (self.files or self.left_out or self.answered or self.parents or self.disclosed or self.relayed)
