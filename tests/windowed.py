"""A mail in memory that behaves like one too large for it."""

from dataclasses import dataclass


@dataclass
class Windowed:
    """A mail of which only so much is looked at in one go."""

    raw: bytes
    window: int
    largest: int = 0  # piece that was asked for

    def __len__(self) -> int:
        return len(self.raw)

    def __getitem__(self, place: slice) -> bytes:
        piece = self.raw[place]
        self.largest = max(self.largest, len(piece))
        return piece

    def count_lines(self, start: int, end: int) -> int:
        return self.raw.count(b"\n", start, end)
