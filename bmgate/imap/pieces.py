"""Pieces of responses: octets at hand, or places in a body that is too large to be held (I7).

Sizes and places come from the stored index, so that a response can say `{n}` before anything of the body is read.
"""

import threading
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from bmgate.domain.mailbox import MessageHead
from bmgate.imap.decoders import Decoder
from bmgate.mail.structure import decode_index
from bmgate.services.mailboxes.lazy_mail import LazyMail
from bmgate.tcp.channel import HangUp

_COUNTED_AT_ONCE = 256 * 1024  # octets of a part that is decoded to learn how long it is


@dataclass(frozen=True, slots=True)
class Span:
    """Octets of a large body, read when they are sent. Sliced like bytes, it is a smaller span."""

    start: int
    end: int
    keeps_nul: bool = False  # in a literal8

    def __len__(self) -> int:
        return self.end - self.start

    def __getitem__(self, cut: slice) -> "Span":
        start, stop, _ = cut.indices(len(self))
        return Span(self.start + start, self.start + max(start, stop), self.keeps_nul)


class Entry(NamedTuple):
    """A place of a part where a new decoder may begin, as if nothing stood before it."""

    decoded: int  # octets that what stands before it gives
    place: int  # in the body


@dataclass(frozen=True, slots=True)
class DecodedSpan:
    """Octets of a large part without its transfer encoding: `length` of them from `offset` on."""

    source: Span  # the whole part
    make_decoder: Callable[[], Decoder]
    offset: int
    length: int
    entries: Sequence[Entry]  # ascending; the first is the beginning of the part

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, cut: slice) -> "DecodedSpan":
        start, stop, _ = cut.indices(self.length)
        return replace(self, offset=self.offset + start, length=max(stop - start, 0))

    @property
    def entry(self) -> Entry:
        """The last one that nothing wanted stands before."""
        return self.entries[bisect_right(self.entries, self.offset, key=lambda entry: entry.decoded) - 1]


Piece = bytes | Span | DecodedSpan
"""Of a response."""


class PartLengths:
    """How long parts of one large message are without their transfer encoding: each is decoded once to be counted.

    It happens off the loop, and ends early when nobody waits for it any more.
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[int, int], _Count] = {}
        self._is_unwanted = threading.Event()

    def give_up(self) -> None:
        """The client is gone."""
        self._is_unwanted.set()

    def count(
        self, octets: LazyMail, start: int, end: int, make_decoder: Callable[[], Decoder], most: int | None
    ) -> tuple[int, Sequence[Entry]]:
        """As far as `most` octets or more, and the entries that were passed by. Raises HangUp."""
        count = self._counts.setdefault((start, end), _Count(start, make_decoder()))
        while not count.is_done and (most is None or count.decoded < most):
            if self._is_unwanted.is_set():
                raise HangUp("Nobody waits for it any more")
            count.go_on(octets[count.at : min(count.at + _COUNTED_AT_ONCE, end)])
        return count.decoded, count.entries


class _Count:
    """How far one part was decoded."""

    def __init__(self, start: int, decoder: Decoder) -> None:
        self.at, self.decoded, self.is_done = start, 0, False
        self.entries = [Entry(0, start)]
        self._decoder = decoder

    def go_on(self, data: bytes) -> None:
        """By a portion; an empty one is the end."""
        self.is_done = not data
        self.at += len(data)
        self.decoded += len(self._decoder.feed(data) if data else self._decoder.end())
        if data and self._decoder.holds_nothing:
            self.entries.append(Entry(self.decoded, self.at))


class LargeMessage:
    """A message whose body is a span; what a response has to see of it beforehand is read from `octets`."""

    __slots__ = ("_lengths", "body", "encoded_index", "header", "octets", "uuid")

    def __init__(self, head: MessageHead, octets: LazyMail, lengths: PartLengths | None = None) -> None:
        self.header, self.encoded_index, self.uuid, self.octets = head.header, head.encoded_index, head.uuid, octets
        self.body = Span(0, decode_index(head.encoded_index).size - len(head.header))
        self._lengths = lengths or PartLengths()

    def decoded(self, start: int, end: int, make_decoder: Callable[[], Decoder], most: int | None) -> DecodedSpan:
        """What lies between two places of the mail, decoded; read once to be counted, as far as `most` octets."""
        length, entries = self._lengths.count(self.octets, start, end, make_decoder, most)
        split = len(self.header)
        return DecodedSpan(
            self.body[start - split : end - split],
            make_decoder,
            0,
            length,
            [Entry(decoded, place - split) for decoded, place in entries],
        )
