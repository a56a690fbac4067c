"""A stored mail that is read as far as somebody looks: of a large one most commands want a few octets (I7)."""

from collections.abc import Callable

from bmgate.domain.mailbox import MessageHead
from bmgate.mail.structure import decode_index


class LazyMail:
    """Looks like the bytes of the mail when it is sliced; good for the unit of work it reads in."""

    def __init__(self, head: MessageHead, read: Callable[[int, int], bytes]) -> None:
        """`read` gives octets of the body from a place on: some at least, and none from another place on."""
        self._header, self._read = head.header, read
        self._size = decode_index(head.encoded_index).size
        self._start, self._portion = 0, b""  # what was read last, and where in the body it begins

    def __getitem__(self, cut: slice) -> bytes:
        start, stop, _ = cut.indices(self._size)
        split = len(self._header)
        at, end = max(start - split, 0), max(stop - split, 0)
        pieces = [self._header[start:stop]]
        while at < end:
            pieces.append(self._from(at)[: end - at])
            at += len(pieces[-1])
        return b"".join(pieces)

    def _from(self, at: int) -> bytes:
        """Octets of the body from there on."""
        if not self._start <= at < self._start + len(self._portion):
            self._start, self._portion = at, self._read(at, self._size - len(self._header))
        return self._portion[at - self._start :]
