"""A client that says exactly what it is told to, in asyncio; replies come as their code and text."""

import asyncio
import base64
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from smtp.fake_services import ALICE, BOB, DOMAIN, PASSWORD, House

from bmgate.smtp.server import SmtpServer

LIMIT = 10.0


def plain(name: str = "alice", password: str = PASSWORD, authzid: str = "") -> str:
    """The initial response of AUTH PLAIN."""
    return base64.b64encode(f"{authzid}\0{name}\0{password}".encode()).decode()


@dataclass
class Dialogue:
    """One raw connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def open(cls, port: int, tls: ssl.SSLContext | None = None) -> Self:
        """Connect, over TLS when a context is given, without reading anything."""
        name = "localhost" if tls is not None else None
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name)
        return cls(reader, writer)

    @classmethod
    async def open_unix(cls, path: Path) -> Self:
        """The same over a Unix socket."""
        return cls(*await asyncio.open_unix_connection(str(path)))

    async def reply(self) -> str:
        """One reply with all its lines."""
        lines = []
        async with asyncio.timeout(LIMIT):
            while True:
                line = (await self.reader.readuntil(b"\r\n")).decode("ascii")[:-2]
                lines.append(line)
                if line[3:4] != "-":
                    return "\n".join(lines)

    async def say(self, text: str | bytes) -> str:
        """Send a line, or octets as they are, and wait for one reply."""
        self.send(text)
        return await self.reply()

    def send(self, text: str | bytes) -> None:
        """Send a line, or octets as they are."""
        self.writer.write(text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape") + b"\r\n")

    async def rest(self) -> str:
        """All that still comes until the other side closes."""
        async with asyncio.timeout(LIMIT):
            try:
                return (await self.reader.read()).decode("ascii")
            except (ConnectionError, ssl.SSLError):
                return ""

    async def log_in(self) -> None:
        """From the greeting to a login."""
        assert (await self.reply()).startswith("220 ")
        assert (await self.say("EHLO client")).startswith("250-")
        assert (await self.say(f"AUTH PLAIN {plain()}")).startswith("235 2.7.0")

    async def begin(self, sender: str = f"{ALICE}@{DOMAIN}", recipient: str = f"{BOB}@{DOMAIN}") -> str:
        """MAIL, RCPT and DATA; the reply to DATA."""
        assert (await self.say(f"MAIL FROM:<{sender}>")).startswith("250 2.1.0")
        assert (await self.say(f"RCPT TO:<{recipient}>")).startswith("250 2.1.5")
        return await self.say("DATA")

    async def close(self) -> None:
        """Hang up."""
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except (ConnectionError, ssl.SSLError):
            return


@dataclass(frozen=True)
class Certificates:
    """PEM files of a server, and a context that trusts them."""

    certificate: Path
    key: Path
    client: ssl.SSLContext


@dataclass
class Door:
    """A running server and its two ports; `plain_port` takes passwords without TLS from loopback."""

    server: SmtpServer
    house: House
    tls_port: int
    starttls_port: int
    plain_port: int


OpenDoor = Callable[..., Awaitable[Door]]
Connect = Callable[..., Awaitable[Dialogue]]
