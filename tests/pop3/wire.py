"""A raw POP3 client for tests: what goes in and comes out is bytes."""

import asyncio
import ssl
from dataclasses import dataclass, field

from pop3.fake_services import PASSWORD, FakeServices
from twisted.internet.interfaces import IListeningPort
from wires import RawClient

from bmgate.pop3.server import Pop3Factory


class Wire(RawClient):
    """One connection."""

    async def ask(self, command: bytes) -> bytes:
        """Send a command; the first line of its answer."""
        await self.send(command + b"\r\n")
        return await self.line()

    async def ok(self, command: bytes) -> bytes:
        """Send a command that must succeed; its text."""
        line = await self.ask(command)
        assert line.startswith(b"+OK "), line
        return line.removeprefix(b"+OK ").removesuffix(b"\r\n")

    async def refused(self, command: bytes) -> bytes:
        """Send a command that must not succeed."""
        line = await self.ask(command)
        assert line.startswith(b"-ERR "), line
        return line

    async def body(self) -> list[bytes]:
        """The lines of a multi-line response, dots taken off."""
        lines = []
        while (line := await self.line()) != b".\r\n":
            assert line.endswith(b"\r\n"), line
            lines.append(line[1:] if line.startswith(b".") else line)
        return lines

    async def lines(self, command: bytes) -> list[bytes]:
        """The lines that answer a command."""
        await self.ok(command)
        return await self.body()


@dataclass
class House:
    """A server with what stands behind it."""

    services: FakeServices
    factory: Pop3Factory
    port: IListeningPort
    wires: list[Wire] = field(default_factory=list)

    @property
    def number(self) -> int:
        return int(getattr(self.port.getHost(), "port", 0))

    async def connect(self, tls: ssl.SSLContext | None = None) -> Wire:
        """A client that has read the greeting."""
        wire = await self.dial(tls)
        assert await wire.line() == b"+OK bmgate ready\r\n"
        return wire

    async def dial(self, tls: ssl.SSLContext | None = None) -> Wire:
        """A client that has read nothing."""
        name = "localhost" if tls else None
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.number, ssl=tls, server_hostname=name, limit=1 << 20
        )
        self.wires.append(Wire(reader, writer))
        return self.wires[-1]

    async def logged_in(self, user: str = "alice", tls: ssl.SSLContext | None = None) -> Wire:
        """A client that has logged in."""
        wire = await self.connect(tls)
        await wire.ok(b"USER " + user.encode())
        await wire.ok(b"PASS " + PASSWORD.encode())
        return wire

    async def hang_up(self) -> None:
        for wire in self.wires:
            await wire.close()
