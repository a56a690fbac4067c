"""Packets: how a stream of bytes between two peers is cut into commands and payloads.

Leaves the meaning of the payload to `commands`, and how often a peer may err to the conversation.
Source: protocol specification v3, "Message structure".
"""

import struct
from dataclasses import dataclass

from bmgate.bm.hashes import sha512
from bmgate.errors import BadPacket

HEADER = struct.Struct(">I12sI4s")  # magic, command, payload length in bytes, checksum
MAX_PAYLOAD = 1_600_100
MAX_OBJECT_PAYLOAD = 2**18 + 64  # the body may fill 2^18 bytes; its header fields come on top (P2)
MAX_COMMAND = 12
PIECE_SIZE = 16_384  # bytes of an unfinished packet, at least, that are not moved again


class BadChecksum(BadPacket):
    """A whole packet whose payload was damaged: it is dropped, the stream behind it can still be read (P7)."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One frame. `command` is what stands before the NUL padding; NULs inside it make it no known command (P6)."""

    command: bytes
    payload: bytes


def encode_packet(packet: Packet, magic: int) -> bytes:
    """The frame of `packet`: 24 bytes of header, then the payload. ValueError when it breaks the limits of a frame."""
    if len(packet.command) > MAX_COMMAND or len(packet.payload) > MAX_PAYLOAD:
        raise ValueError(f"no packet holds {packet.command!r} and {len(packet.payload)} bytes")
    return HEADER.pack(magic, packet.command, len(packet.payload), _checksum(packet.payload)) + packet.payload


class PacketReader:
    """Turns a peer's byte stream into packets, keeping only the unfinished tail.

    Of a packet that is long under way the pieces are kept as they came: one buffer that grows moves each time, and what
    hundreds of them leave behind fits no other. A stranger decides how many there are (T1).
    """

    def __init__(self, magic: int) -> None:
        self._magic, self._tail = magic, bytearray()
        self._pieces: list[bytearray] = []  # of the unfinished packet, before `_tail`; the header is in the first
        self._in_pieces = 0  # bytes

    @property
    def missing(self) -> int:
        """How many bytes the packet that has begun still lacks: of its header, then of its payload; 0 between two."""
        start = self._start
        if not start:
            return 0
        if len(start) < HEADER.size:
            return HEADER.size - len(start)
        return max(0, HEADER.size + int.from_bytes(start[16:20]) - self._in_pieces - len(self._tail))

    @property
    def _start(self) -> bytearray:
        return self._pieces[0] if self._pieces else self._tail

    def feed(self, data: bytes) -> None:
        """Take what has arrived, in any portions."""
        self._tail += data

    def next_packet(self) -> Packet | None:
        """The next whole packet, or None when more bytes are needed.

        Raises BadChecksum, after which reading can go on behind the packet, and otherwise BadPacket: the header alone
        shows that nothing more can be read, so the bytes behind it are thrown away.
        """
        if len(self._start) < HEADER.size:
            return None
        magic, padded, length, checksum = HEADER.unpack_from(self._start)
        command = padded.rstrip(b"\0")
        if magic != self._magic or length > _longest_payload(command):
            del self._tail[HEADER.size :]
            raise BadPacket(f"header {self._tail.hex()}")
        end = HEADER.size + length - self._in_pieces
        if len(self._tail) < end:
            self._put_tail_aside()
            return None
        payload = self._payload(end)
        del self._tail[:end]
        if _checksum(payload) != checksum:
            raise BadChecksum(f"checksum of {command!r}, {length} bytes")
        return Packet(command, payload)

    def take_rest(self) -> bytes:
        """Hand over what lies behind the last packet, and forget it: the first bytes of TLS may share its segment."""
        rest = b"".join((*self._pieces, self._tail))
        self._pieces, self._in_pieces = [], 0
        self._tail.clear()
        return rest

    def _put_tail_aside(self) -> None:
        """All of it belongs to the packet under way."""
        if len(self._tail) >= PIECE_SIZE:
            self._pieces.append(self._tail)
            self._in_pieces += len(self._tail)
            self._tail = bytearray()

    def _payload(self, end: int) -> bytes:
        """Of the packet that ends at `end` of the tail."""
        if not self._pieces:
            return bytes(memoryview(self._tail)[HEADER.size : end])
        del self._pieces[0][: HEADER.size]
        payload = b"".join((*self._pieces, memoryview(self._tail)[:end]))
        self._pieces, self._in_pieces = [], 0
        return payload


def _longest_payload(command: bytes) -> int:
    return MAX_OBJECT_PAYLOAD if command == b"object" else MAX_PAYLOAD


def _checksum(payload: bytes) -> bytes:
    return sha512(payload)[:4]
