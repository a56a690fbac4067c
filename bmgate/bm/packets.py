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
    """Turns a peer's byte stream into packets, keeping only the unfinished tail."""

    def __init__(self, magic: int) -> None:
        self._magic, self._tail = magic, bytearray()

    @property
    def missing(self) -> int:
        """How many bytes the packet that has begun still lacks: of its header, then of its payload; 0 between two."""
        if not self._tail:
            return 0
        if len(self._tail) < HEADER.size:
            return HEADER.size - len(self._tail)
        return max(0, HEADER.size + int.from_bytes(self._tail[16:20]) - len(self._tail))

    def feed(self, data: bytes) -> None:
        """Take what has arrived, in any portions."""
        self._tail += data

    def next_packet(self) -> Packet | None:
        """The next whole packet, or None when more bytes are needed.

        Raises BadChecksum, after which reading can go on behind the packet, and otherwise BadPacket: the header alone
        shows that nothing more can be read, so the bytes behind it are thrown away.
        """
        if len(self._tail) < HEADER.size:
            return None
        magic, padded, length, checksum = HEADER.unpack_from(self._tail)
        command = padded.rstrip(b"\0")
        if magic != self._magic or length > _longest_payload(command):
            del self._tail[HEADER.size :]
            raise BadPacket(f"header {self._tail.hex()}")
        end = HEADER.size + length
        if len(self._tail) < end:
            return None
        payload = bytes(memoryview(self._tail)[HEADER.size : end])
        del self._tail[:end]
        if _checksum(payload) != checksum:
            raise BadChecksum(f"checksum of {command!r}, {length} bytes")
        return Packet(command, payload)

    def take_rest(self) -> bytes:
        """Hand over what lies behind the last packet, and forget it: the first bytes of TLS may share its segment."""
        rest = bytes(self._tail)
        self._tail.clear()
        return rest


def _longest_payload(command: bytes) -> int:
    return MAX_OBJECT_PAYLOAD if command == b"object" else MAX_PAYLOAD


def _checksum(payload: bytes) -> bytes:
    return sha512(payload)[:4]
