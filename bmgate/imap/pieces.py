"""Pieces of responses: octets at hand, or places in a body that is too large to be held (I7).

Sizes and places come from the stored index, so that a response can say `{n}` before anything of the body is read.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from bmgate.domain.mailbox import MessageHead
from bmgate.imap.decoders import Decoder, decode_all
from bmgate.mail.structure import decode_index
from bmgate.services.mailboxes.lazy_mail import LazyMail

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


@dataclass(frozen=True, slots=True)
class DecodedSpan:
    """Octets of a large part without its transfer encoding: `length` of them from `offset` on."""

    source: Span  # the whole part
    make_decoder: Callable[[], Decoder]
    offset: int
    length: int

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, cut: slice) -> "DecodedSpan":
        start, stop, _ = cut.indices(self.length)
        return replace(self, offset=self.offset + start, length=max(stop - start, 0))


Piece = bytes | Span | DecodedSpan
"""Of a response."""


class LargeMessage:
    """A message whose body is a span; what a response has to see of it beforehand is read from `octets`."""

    __slots__ = ("body", "encoded_index", "header", "octets", "uuid")

    def __init__(self, head: MessageHead, octets: LazyMail) -> None:
        self.header, self.encoded_index, self.uuid, self.octets = head.header, head.encoded_index, head.uuid, octets
        self.body = Span(0, decode_index(head.encoded_index).size - len(head.header))

    def decoded(self, start: int, end: int, make_decoder: Callable[[], Decoder], most: int | None) -> DecodedSpan:
        """What lies between two places of the mail, decoded; read once to be counted, as far as `most` octets."""
        length = 0
        portions = (self.octets[at : min(at + _COUNTED_AT_ONCE, end)] for at in range(start, end, _COUNTED_AT_ONCE))
        for piece in decode_all(make_decoder, portions):
            length += len(piece)
            if most is not None and length >= most:
                break
        split = len(self.header)
        return DecodedSpan(self.body[start - split : end - split], make_decoder, 0, length)
