"""A raw POP3 client for tests: what goes in and comes out is bytes."""

import asyncio
import ssl

from door_accounts import PASSWORD
from door_houses import DoorHouse
from pop3.fake_services import FakeServices
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

    async def upgrade(self, context: ssl.SSLContext) -> None:
        """Go over to TLS."""
        await self.ok(b"STLS")
        await self.start_tls(context)


class House(DoorHouse[FakeServices, Pop3Factory, Wire]):
    """A POP3 server."""

    GREETING = b"+OK bmgate ready\r\n"

    def make_wire(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Wire:
        return Wire(reader, writer)

    async def log_in(self, wire: Wire, user: str) -> None:
        await wire.ok(b"USER " + user.encode())
        await wire.ok(b"PASS " + PASSWORD.encode())
