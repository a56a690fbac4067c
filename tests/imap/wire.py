"""A raw IMAP client for tests: what goes in and comes out is bytes."""

import asyncio
import re
import ssl

from door_accounts import PASSWORD
from door_houses import DoorHouse
from imap.fake_services import FakeServices
from wires import TIMEOUT, RawClient

from bmgate.imap.server import ImapFactory

_LITERAL = re.compile(rb"\{(\d+)\}\r\n\Z")


class Wire(RawClient):
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(reader, writer)
        self._tags = 0

    async def line(self) -> bytes:
        """One response, literals included; empty at the end of the connection."""
        async with asyncio.timeout(TIMEOUT):
            out = line = await self.reader.readline()
            while literal := _LITERAL.search(line):
                out += await self.reader.readexactly(int(literal[1]))
                line = await self.reader.readline()
                out += line
            return out

    async def until(self, tag: bytes) -> list[bytes]:
        """Responses up to and with the one of `tag`."""
        out = []
        while True:
            line = await self.line()
            out.append(line)
            if line.startswith(tag + b" "):
                return out
            if not line:
                raise EOFError(b"".join(out))

    async def ask(self, command: bytes) -> list[bytes]:
        """Send a command; its responses, the tagged one last and without its tag."""
        self._tags += 1
        tag = b"t%d" % self._tags
        await self.send(tag + b" " + command + b"\r\n")
        out = await self.until(tag)
        out[-1] = out[-1].removeprefix(tag + b" ")
        return out

    async def ok(self, command: bytes) -> list[bytes]:
        """Send a command that must succeed; its untagged responses."""
        *untagged, last = await self.ask(command)
        assert last.startswith(b"OK "), last
        return untagged

    async def refused(self, command: bytes) -> bytes:
        """Send a command that must not succeed; its tagged response."""
        last = (await self.ask(command))[-1]
        assert last.startswith((b"NO ", b"BAD ")), last
        return last

    async def upgrade(self, context: ssl.SSLContext) -> None:
        """Go over to TLS."""
        await self.ok(b"STARTTLS")
        await self.start_tls(context)


class House(DoorHouse[FakeServices, ImapFactory, Wire]):
    """An IMAP server."""

    GREETING = b"* OK [CAPABILITY "

    def make_wire(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Wire:
        return Wire(reader, writer)

    async def log_in(self, wire: Wire, user: str) -> None:
        secret = PASSWORD.encode()
        await wire.ok(b"LOGIN %b {%d+}\r\n%b" % (user.encode(), len(secret), secret))

    async def selected(self, mailbox: str = "INBOX") -> Wire:
        """A client that has a mailbox open."""
        wire = await self.logged_in()
        await wire.ok(b"SELECT " + mailbox.encode())
        return wire
