"""Real nodes on the loopback, and peers on real sockets that speak as the test tells them to."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from peers import packed, version

from bmgate.bm.commands import Command, Ping, Pong, Verack, VersionCommand, read_command
from bmgate.bm.network import TESTNET
from bmgate.bm.node.node import Node
from bmgate.bm.packets import PacketReader

C = TypeVar("C", bound=Command)
TIMEOUT = 20.0


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop go on until `condition` holds."""
    async with asyncio.timeout(TIMEOUT):
        while not condition():  # noqa: ASYNC110 - nodes tell nobody of these things
            await asyncio.sleep(0.001)


@asynccontextmanager
async def running(node: Node) -> AsyncIterator[Node]:
    """The node has started, and stops afterwards."""
    async with asyncio.TaskGroup() as group:
        try:
            await node.start(group)
            yield node
        finally:
            await node.stop()


class SpeakingPeer:
    """One connection; what is not waited for is passed over."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer
        self._packets = PacketReader(TESTNET.magic)

    def say(self, *commands: Command) -> None:
        self.writer.write(packed(*commands))

    def introduce_itself(self, port: int = 8444) -> None:
        """The version of a decent peer."""
        self.say(version(nonce=os.urandom(8), timestamp=int(time.time()), port=port))

    async def shake_hands(self, offer: VersionCommand | None = None) -> VersionCommand:
        """Begin with `offer`, or with a version of its own; the answer."""
        if offer is None:
            self.introduce_itself()
        else:
            self.say(offer)
        theirs = await self.hear(VersionCommand)
        self.say(Verack())
        return theirs

    async def hear(self, kind: type[C]) -> C:
        """The next command of this kind; raises EOFError."""
        async with asyncio.timeout(TIMEOUT):
            while not isinstance(command := await self._next(), kind):
                pass
        return command

    async def is_quiet_about(self, kind: type[Command]) -> bool:
        """Whether no such command comes before the pong to a ping."""
        self.say(Ping())
        async with asyncio.timeout(TIMEOUT):
            while not isinstance(command := await self._next(), kind | Pong):
                pass
        return not isinstance(command, kind)

    async def _next(self) -> Command:
        while (packet := self._packets.next_packet()) is None:
            data = await self._reader.read(65_536)
            if not data:
                raise EOFError
            self._packets.feed(data)
        return read_command(packet)

    async def is_closed(self) -> bool:
        """True once the other side has hung up."""
        async with asyncio.timeout(TIMEOUT):
            with suppress(ConnectionError):
                while await self._reader.read(65_536):
                    pass
            return True

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()
