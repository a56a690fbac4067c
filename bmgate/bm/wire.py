"""Numbers and byte strings as the Bitmessage network writes them, and a bounded cursor to read them back.

Leaves the meaning of the fields to `commands`, `objects` and their kin.
Source: protocol specification v3, "Common structures". All integers are big-endian and unsigned.
"""

import struct

from bmgate.errors import ProtocolError

MAX_UINT64 = 2**64 - 1

_UINT16, _UINT32, _UINT64 = struct.Struct(">H"), struct.Struct(">I"), struct.Struct(">Q")
# First byte of a longer varint -> (layout of what follows, smallest value that may be written so).
_LONG_FORMS = {0xFD: (_UINT16, 0xFD), 0xFE: (_UINT32, 1 << 16), 0xFF: (_UINT64, 1 << 32)}


def encode_varint(value: int) -> bytes:
    """The shortest varint of `value`, 1 to 9 bytes; ValueError outside 0 .. 2^64-1."""
    if not 0 <= value <= MAX_UINT64:
        raise ValueError(f"no varint holds {value}")
    if value < 0xFD:
        return bytes((value,))
    if value < 1 << 16:
        return b"\xfd" + _UINT16.pack(value)
    if value < 1 << 32:
        return b"\xfe" + _UINT32.pack(value)
    return b"\xff" + _UINT64.pack(value)


def encode_var_bytes(data: bytes) -> bytes:
    """`data` behind its length as a varint: var_str, and every signature, message and ack."""
    return encode_varint(len(data)) + data


class WireReader:
    """A cursor over received bytes; each method raises ProtocolError before it slices or counts beyond them (P8)."""

    __slots__ = ("_data", "position")

    def __init__(self, data: bytes, position: int = 0) -> None:
        self._data, self.position = data, position

    @property
    def remaining(self) -> int:
        """How many bytes are still unread."""
        return len(self._data) - self.position

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        start = self._advance(size)
        return self._data[start : start + size]

    def uint8(self) -> int:
        """One byte."""
        return self._data[self._advance(1)]

    def uint16(self) -> int:
        """Two bytes, big-endian."""
        return self._unpack(_UINT16)

    def uint32(self) -> int:
        """Four bytes, big-endian."""
        return self._unpack(_UINT32)

    def uint64(self) -> int:
        """Eight bytes, big-endian."""
        return self._unpack(_UINT64)

    def varint(self) -> int:
        """A varint in its shortest form; a longer one is malformed, whatever some peers take."""
        first = self.uint8()
        if first not in _LONG_FORMS:
            return first
        layout, smallest = _LONG_FORMS[first]
        value = self._unpack(layout)
        if value < smallest:
            raise ProtocolError(f"varint {value} is longer than it need be")
        return value

    def var_bytes(self, limit: int) -> bytes:
        """A byte string behind its varint length, which may be at most `limit` bytes."""
        size = self.varint()
        if size > limit:
            raise ProtocolError(f"{size} bytes where at most {limit} are allowed")
        return self.take(size)

    def count(self, item_size: int, limit: int) -> int:
        """A varint number of items of at least `item_size` bytes each, all of which lie within the unread bytes."""
        number = self.varint()
        if number > limit:
            raise ProtocolError(f"{number} items where at most {limit} are allowed")
        if number * item_size > self.remaining:
            raise ProtocolError(f"{number} items announced, {self.remaining} bytes left")
        return number

    def items(self, number: int, size: int) -> tuple[bytes, ...]:
        """The next `number` items of `size` bytes each: a call for each of 50,000 would take four times as long."""
        start = self._advance(number * size)
        return tuple([self._data[at : at + size] for at in range(start, self.position, size)])

    def rest(self) -> bytes:
        """All unread bytes, perhaps none."""
        return self.take(self.remaining)

    def finish(self) -> None:
        """Insist that nothing is left."""
        if self.remaining:
            raise ProtocolError(f"{self.remaining} bytes too many")

    def _unpack(self, layout: struct.Struct) -> int:
        value: int = layout.unpack_from(self._data, self._advance(layout.size))[0]
        return value

    def _advance(self, size: int) -> int:
        """Move past `size` bytes; returns where they begin."""
        start = self.position
        if not 0 <= size <= len(self._data) - start:
            raise ProtocolError(f"{size} bytes wanted, {self.remaining} left")
        self.position = start + size
        return start
