"""A mail as octets to be scanned: whole in memory, or too large for that and read through windows.

What scans a mail gives the same result for both. `bytes` take the direct way; of a large mail no more than a window or
two are in memory at a time, wherever it is kept.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple, Protocol


class LargeMail(Protocol):
    """A mail that is not held in memory; it does not change."""

    @property
    def window(self) -> int:
        """Octets to be looked at in one go."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, place: slice, /) -> bytes:
        """A piece of it, step 1; small, for it comes as a copy."""
        ...

    def count_lines(self, start: int, end: int) -> int:
        """The LFs between two offsets."""
        ...


Octets = bytes | LargeMail


class Found(NamedTuple):
    """Where a pattern was found, and its first group."""

    start: int
    end: int
    group: bytes | None


def count_lines(raw: Octets, start: int, end: int) -> int:
    """The LFs between two offsets."""
    return raw.count(b"\n", start, end) if isinstance(raw, bytes) else raw.count_lines(start, end)


def windows(raw: Octets) -> Iterator[bytes]:
    """All of it, window by window."""
    if isinstance(raw, bytes):
        return iter((raw,))
    return (raw[at : at + raw.window] for at in range(0, len(raw), raw.window))


def find_all(pattern: re.Pattern[bytes], raw: Octets, start: int, end: int, longest: int) -> Iterator[Found]:
    """Where `pattern` matches, as `finditer` tells; it must not look behind, nor at more than `longest` octets."""
    if isinstance(raw, bytes):
        for found in pattern.finditer(raw, start, end):
            yield Found(found.start(), found.end(), found[1])
        return
    at, size = start, raw.window
    while at < end:
        following = at + size
        for found in pattern.finditer(raw[at : min(following + longest, end)]):
            if found.start() >= size:
                break  # perhaps cut off: it stands whole in the next window
            yield Found(at + found.start(), at + found.end(), found[1])
            following = max(following, at + found.end())
        at = following
