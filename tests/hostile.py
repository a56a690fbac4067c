"""A crowd of peers that misbehave, each in its own way, for a bounded time: `python tests/hostile.py HOST PORT`.

A kind of misbehaviour is a coroutine over one connection. Whoever is closed comes back from another loopback address,
as an attacker with many addresses does, so that bans end no attack. Only loopback addresses are ever contacted.
"""

import argparse
import asyncio
import ipaddress
import json
import os
import random
import socket
import struct
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from peers import packed, version

from bmgate.bm.commands import (
    Command,
    Dinv,
    ErrorCommand,
    Getdata,
    Inv,
    ObjectCommand,
    Ping,
    Pong,
    Services,
    Verack,
    VersionCommand,
    read_command,
)
from bmgate.bm.hashes import InventoryVector
from bmgate.bm.network import TESTNET
from bmgate.bm.objects import ObjectType, encode_object, with_nonce
from bmgate.bm.packets import Packet, PacketReader, encode_packet
from bmgate.bm.wire import encode_varint
from bmgate.native import choose_backend
from bmgate.pow.target import SHORTEST_TTL_SECONDS, initial_hash, target

HOUR = 3_600
LINGER_NOT = struct.pack("ii", 1, 0)
COME_BACK_SECONDS = 0.05
BREATH_SECONDS = 0.002  # between portions of a flood: with hundreds of floods it is their number that counts
MANY_HASHES = 50_000


class Closed(Exception):
    """The node has hung up."""


class HostilePeer:
    """One connection of the crowd."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rng: random.Random) -> None:
        self.reader, self.writer, self.rng = reader, writer, rng
        self._packets = PacketReader(TESTNET.magic)
        self.heard: list[InventoryVector] = []

    async def throw(self, data: bytes) -> None:
        """Send, and wait until most of it is gone; raises Closed."""
        if self.writer.is_closing() or self.reader.at_eof():
            raise Closed
        self.writer.write(data)
        await self.writer.drain()
        await asyncio.sleep(BREATH_SECONDS)

    async def say(self, *commands: Command) -> None:
        await self.throw(packed(*commands))

    async def shake_hands(self, services: Services = Services.NETWORK) -> None:
        """Be a decent peer so far; raises Closed."""
        await self.say(version(self.rng.randbytes(8), services, int(time.time())))
        while not isinstance(await self.hear(), VersionCommand):
            pass
        await self.say(Verack())

    async def hear(self) -> Command:
        """The next command; raises Closed."""
        while (packet := self._packets.next_packet()) is None:
            data = await self.reader.read(65_536)
            if not data:
                raise Closed
            self._packets.feed(data)
        command = read_command(packet)
        if isinstance(command, Inv):
            self.heard = [*self.heard, *command.vectors][-MANY_HASHES:]
        return command

    async def wait_for_the_end(self) -> None:
        """Read whatever comes until the node hangs up; raises Closed."""
        while await self.reader.read(65_536):
            pass
        raise Closed

    def hashes(self, count: int) -> tuple[InventoryVector, ...]:
        data = self.rng.randbytes(32 * count)
        return tuple(InventoryVector(data[at : at + 32]) for at in range(0, len(data), 32))


def frame(command: bytes, payload: bytes, checksum: bytes | None = None, length: int | None = None) -> bytes:
    """A packet, or what looks like one."""
    good = encode_packet(Packet(command, payload), TESTNET.magic)
    size = good[16:20] if length is None else length.to_bytes(4, "big")
    return good[:16] + size + (good[20:24] if checksum is None else checksum) + payload


def worked(payload: bytes, expires_time: int, now: int) -> bytes:
    """A msg object with its work, soon done."""
    blank = encode_object(expires_time, ObjectType.MSG, 1, 1, payload)
    ttl = max(expires_time - now, SHORTEST_TTL_SECONDS)
    limit = target(len(blank), ttl + 60, TESTNET.nonce_trials_per_byte, TESTNET.payload_length_extra_bytes)
    nonce, _ = choose_backend().search(initial_hash(blank), limit, 0, 1 << 40, bytearray(1))
    assert nonce is not None
    return with_nonce(blank, nonce)


# --- before the handshake ---


async def bad_magic(peer: HostilePeer) -> None:
    await peer.throw(peer.rng.randbytes(200))
    await peer.wait_for_the_end()


async def http(peer: HostilePeer) -> None:
    await peer.throw(b"GET / HTTP/1.1\r\nHost: bitmessage\r\n\r\n")
    await peer.wait_for_the_end()


async def tls_first(peer: HostilePeer) -> None:
    await peer.throw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + peer.rng.randbytes(500))
    await peer.wait_for_the_end()


async def slowloris(peer: HostilePeer) -> None:
    for byte in packed(version(peer.rng.randbytes(8), timestamp=int(time.time()))):
        await peer.throw(bytes([byte]))
        await asyncio.sleep(0.2)


async def oversized_header(peer: HostilePeer) -> None:
    await peer.throw(frame(b"version", b"", length=0xFFFF_FFFF))
    await peer.wait_for_the_end()


async def half_a_handshake(peer: HostilePeer) -> None:
    await peer.say(version(peer.rng.randbytes(8), timestamp=int(time.time())))
    await asyncio.sleep(peer.rng.uniform(0, 1))


async def gone_at_once(peer: HostilePeer) -> None:
    """With a reset."""
    peer.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)


async def verack_flood(peer: HostilePeer) -> None:
    await peer.say(version(peer.rng.randbytes(8), timestamp=int(time.time())))
    while True:
        await peer.say(*[Verack()] * 1_000)


async def version_flood(peer: HostilePeer) -> None:
    while True:
        await peer.say(*[version(peer.rng.randbytes(8), timestamp=int(time.time())) for _ in range(20)])


async def odd_versions(peer: HostilePeer) -> None:
    odd = [
        version(peer.rng.randbytes(8), timestamp=int(time.time()) + 2 * HOUR),
        version(peer.rng.randbytes(8), timestamp=2**64 - 1),
        version(peer.rng.randbytes(8), timestamp=int(time.time()), protocol_version=2),
        version(peer.rng.randbytes(8), timestamp=int(time.time()), user_agent=b"\x1b[2J" * 2_500),
        version(peer.rng.randbytes(8), timestamp=int(time.time()), streams=(2,)),
        version(peer.rng.randbytes(8), timestamp=int(time.time()), streams=tuple(range(1, 10_000))),
    ]
    await peer.say(peer.rng.choice(odd))
    await peer.wait_for_the_end()


async def command_before_version(peer: HostilePeer) -> None:
    await peer.say(Ping(), Getdata(peer.hashes(10)))
    await peer.wait_for_the_end()


# --- inside the handshake's TLS ---


async def garbage_for_tls(peer: HostilePeer) -> None:
    """Where the node offers TLS this is its ClientHello, elsewhere random bytes in mid-conversation."""
    await peer.shake_hands(Services.NETWORK | Services.SSL)
    await peer.throw(b"\x16\x03\x01\x20\x00" + peer.rng.randbytes(8_192))
    await peer.wait_for_the_end()


async def silence_for_tls(peer: HostilePeer) -> None:
    await peer.shake_hands(Services.NETWORK | Services.SSL)
    await peer.throw(b"\x16\x03\x01")
    await peer.wait_for_the_end()


# --- as an established peer ---


async def random_bytes(peer: HostilePeer) -> None:
    await peer.shake_hands()
    await peer.throw(peer.rng.randbytes(4_096))
    await peer.wait_for_the_end()


async def oversized_object(peer: HostilePeer) -> None:
    await peer.shake_hands()
    await peer.throw(frame(b"object", bytes(1_000), length=2**18 + 65))
    await peer.wait_for_the_end()


async def header_then_silence(peer: HostilePeer) -> None:
    await peer.shake_hands()
    await peer.throw(frame(b"object", b"", length=200_000))
    await peer.wait_for_the_end()


async def bad_checksums(peer: HostilePeer) -> None:
    await peer.shake_hands()
    while True:
        await peer.throw(frame(b"ping", b"x" * 100, checksum=b"\0\0\0\0") * 10)


async def unknown_commands(peer: HostilePeer) -> None:
    await peer.shake_hands()
    while True:
        await peer.throw(b"".join(frame(name, b"") for name in (b"__class__", b"a\0b", b"\xff\xfe", b"exec")))


async def impossible_counts(peer: HostilePeer) -> None:
    await peer.shake_hands()
    command = peer.rng.choice([b"inv", b"addr", b"getdata", b"dinv"])
    await peer.throw(frame(command, encode_varint(peer.rng.choice([2**64 - 1, 50_001, 2**32])) + bytes(64)))
    await peer.wait_for_the_end()


async def inv_flood(peer: HostilePeer) -> None:
    await peer.shake_hands()
    while True:
        await peer.say(Inv(peer.hashes(MANY_HASHES)))


async def dinv_flood(peer: HostilePeer) -> None:
    await peer.shake_hands()
    while True:
        await peer.say(Dinv(peer.hashes(10_000)))


async def addr_flood(peer: HostilePeer) -> None:
    await peer.shake_hands()
    entry = struct.Struct(">QIQ16sH")
    while True:
        entries = [entry.pack(int(time.time()), 1, 1, peer.rng.randbytes(16), 8444) for _ in range(1_000)]
        await peer.throw(frame(b"addr", encode_varint(len(entries)) + b"".join(entries)))


async def getdata_loop(peer: HostilePeer) -> None:
    """Everything the node has, again and again."""
    await peer.shake_hands()
    while True:
        await peer.say(Ping())
        while not isinstance(await peer.hear(), Pong):
            pass
        if peer.heard:
            await peer.say(Getdata(tuple(peer.heard)))


async def getdata_of_nothing(peer: HostilePeer) -> None:
    await peer.shake_hands()
    wanted = peer.hashes(1)
    while True:
        await peer.say(Getdata(wanted * MANY_HASHES))


async def never_reads(peer: HostilePeer) -> None:
    """It asks for all it was told of first, and for pongs."""
    await peer.shake_hands()
    while not isinstance(await peer.hear(), Inv):
        pass
    while True:
        await peer.say(Getdata(tuple(peer.heard)), *[Ping()] * 1_000)


async def ping_flood(peer: HostilePeer) -> None:
    await peer.shake_hands()
    while True:
        await peer.say(*[Ping()] * 100)
        while not peer.reader.at_eof() and len(await peer.reader.read(65_536)) == 65_536:
            pass


async def error_flood(peer: HostilePeer) -> None:
    await peer.shake_hands()
    while True:
        await peer.say(*[ErrorCommand(0, 0, b"", "x" * 1_000)] * 50)


async def objects_without_work(peer: HostilePeer) -> None:
    await peer.shake_hands()
    while True:
        expires = int(time.time()) + HOUR
        encoded = [encode_object(expires, ObjectType.MSG, 1, 1, peer.rng.randbytes(10_000)) for _ in range(5)]
        await peer.say(*map(ObjectCommand, encoded))


async def expired_objects(peer: HostilePeer) -> None:
    """With their work."""
    await peer.shake_hands()
    now = int(time.time())
    while True:
        await peer.say(ObjectCommand(worked(peer.rng.randbytes(20), now - 4 * HOUR, now)))


async def unreadable_objects(peer: HostilePeer) -> None:
    await peer.shake_hands()
    while True:
        await peer.say(ObjectCommand(peer.rng.randbytes(peer.rng.randrange(60))))


async def one_object_again_and_again(peer: HostilePeer) -> None:
    await peer.shake_hands()
    now = int(time.time())
    encoded = worked(b"the same for all of them", now - now % HOUR + 2 * HOUR, now)
    while True:
        await peer.say(*[ObjectCommand(encoded)] * 50)


Misbehaviour = Callable[[HostilePeer], Awaitable[None]]
KINDS: tuple[Misbehaviour, ...] = (
    bad_magic,
    http,
    tls_first,
    slowloris,
    oversized_header,
    half_a_handshake,
    gone_at_once,
    verack_flood,
    version_flood,
    odd_versions,
    command_before_version,
    garbage_for_tls,
    silence_for_tls,
    random_bytes,
    oversized_object,
    header_then_silence,
    bad_checksums,
    unknown_commands,
    impossible_counts,
    inv_flood,
    dinv_flood,
    addr_flood,
    getdata_loop,
    getdata_of_nothing,
    never_reads,
    ping_flood,
    error_flood,
    objects_without_work,
    expired_objects,
    unreadable_objects,
    one_object_again_and_again,
)


@dataclass
class Report:
    """How often each kind connected, was refused, and was hung up on."""

    connected: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    closed: Counter[str] = field(default_factory=Counter)
    most_at_once: int = 0


class Crowd:
    """`size` connections at once, `kinds` by turns, until `run` has taken its seconds. `network` is such as 127.9."""

    def __init__(
        self, host: str, port: int, size: int, network: str, seed: int, kinds: Sequence[Misbehaviour] = KINDS
    ) -> None:
        assert ipaddress.ip_address(host).is_loopback, "only this machine is ever attacked"
        self._host, self._port, self._size, self._network, self._seed = host, port, size, network, seed
        self._kinds, self._there = kinds, 0
        self.report = Report()

    async def run(self, seconds: float) -> Report:
        """Raises nothing for what the node does, and everything that is a mistake of this module."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as tasks:
                for number in range(self._size):
                    tasks.create_task(self._again_and_again(self._kinds[number % len(self._kinds)], number))
        return self.report

    async def _again_and_again(self, kind: Misbehaviour, number: int) -> None:
        rng, name = random.Random(self._seed + number), kind.__name__
        while True:
            source = f"{self._network}.{rng.randrange(1, 255)}.{rng.randrange(1, 255)}"
            try:
                where = asyncio.open_connection(self._host, self._port, local_addr=(source, 0))
                reader, writer = await where
            except OSError:
                self.report.refused[name] += 1
            else:
                self.report.connected[name] += 1
                await self._misbehave(kind, name, HostilePeer(reader, writer, rng))
            await asyncio.sleep(COME_BACK_SECONDS)

    async def _misbehave(self, kind: Misbehaviour, name: str, peer: HostilePeer) -> None:
        self._there += 1
        self.report.most_at_once = max(self.report.most_at_once, self._there)
        try:
            await kind(peer)
        except (Closed, ConnectionError):
            self.report.closed[name] += 1
        finally:
            self._there -= 1
            peer.writer.close()


def main() -> None:
    """Attack, and tell in JSON how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=200)
    parser.add_argument("--network", default="127.200", help="the first two numbers of the crowd's addresses")
    parser.add_argument("--seed", type=int, default=1)
    names = [kind.__name__ for kind in KINDS]
    parser.add_argument("--kinds", nargs="*", choices=names, default=names, help="only these")
    given = parser.parse_args()
    os.nice(5)
    kinds = [kind for kind in KINDS if kind.__name__ in given.kinds]
    crowd = Crowd(given.host, given.port, given.connections, given.network, given.seed, kinds)
    report = asyncio.run(crowd.run(given.seconds))
    print(json.dumps(vars(report)))  # noqa: T201 - what this program is for


if __name__ == "__main__":
    main()
