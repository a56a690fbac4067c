"""A raw IMAP client for tests: what goes in and comes out is bytes."""

import asyncio
import re
import ssl
from dataclasses import dataclass, field

from imap.fake_services import PASSWORD, FakeServices
from twisted.internet.interfaces import IListeningPort
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


@dataclass
class House:
    """A server with what stands behind it."""

    services: FakeServices
    factory: ImapFactory
    port: IListeningPort
    wires: list[Wire] = field(default_factory=list)

    @property
    def number(self) -> int:
        return int(getattr(self.port.getHost(), "port", 0))

    async def connect(self, tls: ssl.SSLContext | None = None) -> Wire:
        """A client that has read the greeting."""
        wire = await self.dial(tls)
        assert (await wire.line()).startswith(b"* OK [CAPABILITY ")
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
        secret = PASSWORD.encode()
        await wire.ok(b"LOGIN %b {%d+}\r\n%b" % (user.encode(), len(secret), secret))
        return wire

    async def selected(self, mailbox: str = "INBOX") -> Wire:
        """A client that has a mailbox open."""
        wire = await self.logged_in()
        await wire.ok(b"SELECT " + mailbox.encode())
        return wire

    async def hang_up(self) -> None:
        for wire in self.wires:
            await wire.close()
