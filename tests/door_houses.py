"""A door on Twisted with what stands behind it, and its clients, whatever is spoken there."""

import asyncio
import ssl
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import pytest
from twisted.internet.interfaces import IListeningPort
from wires import RawClient

from bmgate.tcp.factory import DoorFactory
from bmgate.tcp.listening import close

ServicesT = TypeVar("ServicesT")
FactoryT = TypeVar("FactoryT", bound=DoorFactory[Any])
WireT = TypeVar("WireT", bound=RawClient)


@dataclass
class DoorHouse(Generic[ServicesT, FactoryT, WireT]):
    """A server with what stands behind it; `GREETING` is how its first line begins."""

    GREETING: ClassVar[bytes]

    services: ServicesT
    factory: FactoryT
    port: IListeningPort
    wires: list[WireT] = field(default_factory=list)

    @property
    def number(self) -> int:
        return int(getattr(self.port.getHost(), "port", 0))

    @abstractmethod
    def make_wire(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> WireT:
        """A client that speaks as this door does."""

    @abstractmethod
    async def log_in(self, wire: WireT, user: str) -> None:
        """With the password that all share."""

    async def dial(self, tls: ssl.SSLContext | None = None) -> WireT:
        """A client that has read nothing."""
        name = "localhost" if tls else None
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.number, ssl=tls, server_hostname=name, limit=1 << 20
        )
        self.wires.append(self.make_wire(reader, writer))
        return self.wires[-1]

    async def connect(self, tls: ssl.SSLContext | None = None) -> WireT:
        """A client that has read the greeting."""
        wire = await self.dial(tls)
        assert (await wire.line()).startswith(self.GREETING)
        return wire

    async def logged_in(self, user: str = "alice", tls: ssl.SSLContext | None = None) -> WireT:
        """A client that has logged in."""
        wire = await self.connect(tls)
        await self.log_in(wire, user)
        return wire

    async def answer_to_noise(self, noise: bytes) -> bytes:
        """What a client is told that sends only this."""
        wire = await self.dial()
        await wire.send(noise)
        wire.writer.write_eof()
        return await wire.rest()

    async def sent_unread(self, wire: WireT, command: bytes, patch: pytest.MonkeyPatch) -> list[int]:
        """Ask, and read nothing for a while: how much the server sends at a time, in octets; the list grows further."""
        (connection,) = self.factory.connections.members
        send, sizes, began = connection.transport.write, list[int](), asyncio.Event()

        def write(data: bytes) -> None:
            sizes.append(len(data))
            began.set()
            send(data)

        patch.setattr(connection.transport, "write", write)
        wire.stop_reading()
        await wire.send(command)
        await began.wait()
        for _ in range(1000):  # turns in which a server that does not wait would have sent all
            await asyncio.sleep(0)
        return sizes

    async def stop(self, *wires: WireT) -> list[bytes]:
        """The door shuts down; what these clients hear until they are cut off."""
        stopping = asyncio.create_task(self.factory.stop())
        heard = [await wire.rest() for wire in wires]
        await self.hang_up()
        await stopping
        return heard

    async def hang_up(self) -> None:
        for wire in self.wires:
            await wire.close()

    async def close(self) -> None:
        """Nobody is connected any more, and nobody listens."""
        await self.hang_up()
        await close(self.port)
        await self.factory.stop()
