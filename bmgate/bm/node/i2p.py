"""Peers in I2P, both ways, through the SAM bridge of a router on this machine.

One session, held by a connection that stays open, is our destination; its key is kept in a file. Each stream, called or
calling, is a connection of its own, which begins with lines of SAM and then is the peer's. Source: SAM v3.1.
"""

import asyncio
import base64
import binascii
import contextlib
import logging
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import cast

from bmgate.bm.hosts import i2p_name, is_i2p
from bmgate.bm.keys import Entropy
from bmgate.bm.node.key_files import keep_key, read_key
from bmgate.bm.node.peer import PeerProtocol
from bmgate.bm.node.targets import PeerTarget
from bmgate.domain.ports.world import Clock
from bmgate.errors import ConfigError

log = logging.getLogger(__name__)

BRIDGE_SECONDS = 30.0  # for an answer of the router itself
SESSION_SECONDS = 300.0  # for one that takes tunnels
STREAM_SECONDS = 75.0
RETRY_SECONDS = (5.0, 300.0)
ACCEPT_PAUSE_SECONDS = 1.0
MAX_LINE = 8192
KEYS_SIZE = 387  # bytes of a destination before what its certificate holds, whose size comes last
HELLO = "HELLO VERSION MIN=3.1 MAX=3.1"
SESSION_OPTIONS = "inbound.length=2 outbound.length=2 inbound.quantity=2 outbound.quantity=2 i2cp.leaseSetEncType=4,0"
ED25519 = 7
_PAIR = re.compile(r'([A-Z_]+)=("(?:[^"\\]|\\.)*"|\S*)')
_KEY = re.compile(r"[A-Za-z0-9~=-]{500,4000}")


class SamError(OSError):
    """The bridge refuses, or does not speak SAM."""


class SamStream(asyncio.Protocol):
    """A connection to the bridge: lines, until it is handed to a peer."""

    def __init__(self) -> None:
        self._tail = bytearray()
        self._waiting: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._tail += data
        if len(self._tail) >= MAX_LINE and self._transport.is_reading():
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)
        self._wake()

    async def line(self) -> str:
        """The next line, without its end; raises SamError."""
        while (end := self._tail.find(b"\n", 0, MAX_LINE)) < 0:
            if self.closed.done() or len(self._tail) >= MAX_LINE:
                raise SamError("the SAM bridge hung up, or speaks something else")
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        text = self._tail[:end].decode("ascii", "replace").strip()
        del self._tail[: end + 1]
        self._resume()
        return text

    async def ask(self, command: str) -> dict[str, str]:
        """The pairs of the answer, whose RESULT is OK or missing; raises SamError."""
        self._transport.write(command.encode("ascii") + b"\n")
        pairs = {key: value.strip('"') for key, value in _PAIR.findall(await self.line())}
        if pairs.get("RESULT", "OK") != "OK":
            raise SamError(f"I2P says {pairs['RESULT']} {pairs.get('MESSAGE', '')}".rstrip())
        return pairs

    def hand_over(self, peer: PeerProtocol) -> None:
        """From here on the connection is the peer's, with what has come already."""
        self._transport.set_protocol(peer)
        self._resume()
        peer.connection_made(self._transport)
        if self.closed.done():
            peer.connection_lost(None)
        elif self._tail:
            peer.data_received(bytes(self._tail))

    def close(self) -> None:
        self._transport.close()

    def _resume(self) -> None:
        if not self._transport.is_reading() and not self._transport.is_closing():
            self._transport.resume_reading()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class SamBridge:
    """Our place in I2P: a connector for peers there, and, while `run` does, the door for those who call us.

    `key_path` names the file of our key, made when it is missing; `options` are the session's, of I2CP.
    """

    def __init__(
        self,
        bridge: PeerTarget,
        key_path: Path,
        clock: Clock,
        entropy: Entropy,
        options: str = SESSION_OPTIONS,
        dial_seconds: float = STREAM_SECONDS,
    ) -> None:
        self._bridge, self._key_path, self._clock = bridge, key_path, clock
        self._options, self._dial_seconds = options, dial_seconds
        self._session = f"bmgate{entropy(6).hex()}"
        self._is_up = asyncio.Event()
        self.name: str | None = None  # known once there is a session

    # --- connector ---

    def reaches(self, host: str) -> bool:
        return is_i2p(host)

    def is_direct(self, host: str) -> bool:
        return False

    async def resolve(self, name: str, port: int) -> list[PeerTarget]:
        return []

    async def connect(self, target: PeerTarget, new_peer: Callable[[], PeerProtocol]) -> PeerProtocol:
        if not self.reaches(target.host):
            raise SamError(f"{target.host} is not in I2P")
        async with asyncio.timeout(self._dial_seconds):
            await self._is_up.wait()
            async with self._stream() as stream:
                destination = (await stream.ask(f"NAMING LOOKUP NAME={target.host}")).get("VALUE", "")
                await stream.ask(f"STREAM CONNECT ID={self._session} DESTINATION={destination} SILENT=false")
                peer = new_peer()
                stream.hand_over(peer)
        return peer

    # --- service ---

    async def run(self, accepted: Callable[[PeerTarget], PeerProtocol], named: Callable[[str], None]) -> None:
        """For ever: hold a session and let callers in.

        `accepted` is given the caller and returns what takes the connection over; `named` is told our name each time
        there is a session.
        """
        pause, longest = RETRY_SECONDS
        while True:
            try:
                async with self._stream() as session:
                    await self._open(session, named)
                    pause = RETRY_SECONDS[0]
                    await self._accept_while_up(session, accepted)
            except (OSError, TimeoutError, ConfigError) as error:
                log.warning("I2P is not reached through %s: %s", self._bridge, error or "no answer")
            finally:
                self._is_up.clear()
            await self._clock.sleep(pause)
            pause = min(longest, pause * 2)

    async def _open(self, session: SamStream, named: Callable[[str], None]) -> None:
        key = await self._key(session)
        async with asyncio.timeout(SESSION_SECONDS):
            await session.ask(f"SESSION CREATE STYLE=STREAM ID={self._session} DESTINATION={key} {self._options}")
        async with asyncio.timeout(BRIDGE_SECONDS):
            self.name = i2p_name(_destination((await session.ask("NAMING LOOKUP NAME=ME")).get("VALUE", "")))
        self._is_up.set()
        log.info("the node is in I2P as %s", self.name)
        named(self.name)

    async def _key(self, session: SamStream) -> str:
        """Our private key as SAM writes it."""
        key = read_key(self._key_path)
        if key is None:
            async with asyncio.timeout(BRIDGE_SECONDS):
                key = (await session.ask(f"DEST GENERATE SIGNATURE_TYPE={ED25519}")).get("PRIV", "")
            _check_key(key)
            keep_key(self._key_path, key)
        _check_key(key)
        return key

    async def _accept_while_up(self, session: SamStream, accepted: Callable[[PeerTarget], PeerProtocol]) -> None:
        accepting = asyncio.ensure_future(self._accept(accepted))
        try:
            await asyncio.wait([accepting, session.closed], return_when=asyncio.FIRST_COMPLETED)
            if accepting.done():
                accepting.result()
            raise SamError("the SAM bridge closed the session")
        finally:
            accepting.cancel()
            await asyncio.wait([accepting])

    async def _accept(self, accepted: Callable[[PeerTarget], PeerProtocol]) -> None:
        """One waits at a time, as SAM 3.1 admits no more; raises SamError when the session is no longer there."""
        while True:
            async with self._stream() as stream:
                async with asyncio.timeout(BRIDGE_SECONDS):
                    await stream.ask(f"STREAM ACCEPT ID={self._session} SILENT=false")
                try:
                    name = i2p_name(_destination((await stream.line()).split(" ")[0]))
                except SamError as error:
                    log.info("a caller from I2P is not let in: %s", error)
                    await self._clock.sleep(ACCEPT_PAUSE_SECONDS)
                else:
                    stream.hand_over(accepted(PeerTarget(name, 0)))

    @contextlib.asynccontextmanager
    async def _stream(self) -> AsyncIterator[SamStream]:
        """A new connection to the bridge, closed at the end unless it was handed over."""
        async with asyncio.timeout(BRIDGE_SECONDS):
            loop = asyncio.get_running_loop()
            transport, stream = await loop.create_connection(SamStream, self._bridge.host, self._bridge.port)
        try:
            async with asyncio.timeout(BRIDGE_SECONDS):
                await stream.ask(HELLO)
            yield stream
        finally:
            if transport.get_protocol() is stream:
                transport.close()


def name_of_i2p_key(key: str) -> str:
    """The name of the destination that a private key of SAM begins with; raises SamError."""
    decoded = _destination(key)
    return i2p_name(decoded[: KEYS_SIZE + int.from_bytes(decoded[KEYS_SIZE - 2 : KEYS_SIZE], "big")])


def _check_key(key: str) -> None:
    if not _KEY.fullmatch(key):
        raise SamError("what is to be our key in I2P is none")


def _destination(text: str) -> bytes:
    """The bytes of a destination, which I2P writes in a base64 of its own; raises SamError."""
    try:
        decoded = base64.b64decode(text, altchars=b"-~", validate=True)
    except (binascii.Error, ValueError) as error:
        raise SamError("the SAM bridge names a destination that is none") from error
    if len(decoded) < KEYS_SIZE:
        raise SamError(f"the SAM bridge names a destination of {len(decoded)} bytes")
    return decoded
