"""Headers that were opened lately, so that listing or searching a mailbox again opens nothing.

A content never changes and its uuid is never used again, so nothing here can be out of date; whether a message still
shows it is asked of the database each time.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

MAX_OCTETS = 20 * 1024 * 1024  # of all accounts; the longest kept go first
_LARGEST = 64 * 1024  # octets of one that is kept
_EACH = 400  # octets that an entry costs beside its blob


class OpenedHead(NamedTuple):
    """What one content begins with, and its key, which opens the rest."""

    key: bytes
    blob: bytes  # of kind HEADER


class OpenedHeads:
    """By the uuid of the content. Threads may share it."""

    def __init__(self, limit: int = MAX_OCTETS) -> None:
        self._limit, self._octets = limit, 0
        self._lock = threading.Lock()
        self._heads: OrderedDict[bytes, OpenedHead] = OrderedDict()

    def find(self, uuids: Iterable[bytes]) -> dict[bytes, OpenedHead]:
        """Those that are there."""
        known = self._heads
        return {uuid: head for uuid in uuids if (head := known.get(uuid)) is not None}

    def keep(self, heads: dict[bytes, OpenedHead]) -> None:
        """For the next time, as far as there is room."""
        with self._lock:
            for uuid, head in heads.items():
                if uuid not in self._heads and len(head.blob) <= _LARGEST:
                    self._heads[uuid] = head
                    self._octets += _size(head)
            while self._octets > self._limit:
                self._octets -= _size(self._heads.popitem(last=False)[1])

    def clear(self) -> None:
        """Forget all of it."""
        with self._lock:
            self._heads.clear()
            self._octets = 0


def _size(head: OpenedHead) -> int:
    return len(head.blob) + _EACH
