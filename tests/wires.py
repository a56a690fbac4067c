"""A raw client of a door on Twisted: what goes in and comes out is bytes."""

import asyncio
import ssl
import zlib

TIMEOUT = 5.0


class RawClient:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def line(self) -> bytes:
        """One line; empty at the end of the connection."""
        async with asyncio.timeout(TIMEOUT):
            return await self.reader.readline()

    async def rest(self) -> bytes:
        """All that comes until the server hangs up."""
        async with asyncio.timeout(TIMEOUT):
            return await self.reader.read()

    async def until_cut_off(self) -> bytes:
        """All that comes, even if the server breaks the connection."""
        got = b""
        try:
            async with asyncio.timeout(TIMEOUT):
                while data := await self.reader.read(1 << 20):
                    got += data
        except ConnectionResetError:
            return got
        return got

    def stop_reading(self) -> None:
        """What comes stays with the system, until that holds no more."""
        self.writer.transport.pause_reading()  # type: ignore[attr-defined]

    def read_on(self) -> None:
        self.writer.transport.resume_reading()  # type: ignore[attr-defined]

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """When the server has agreed."""
        await self.writer.start_tls(context, server_hostname="localhost")

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except (OSError, ssl.SSLError):
            return


def mail(subject: str = "Hello", body: str = "Text.\r\n", sender: str = "bob@bm.internal") -> bytes:
    """A small mail."""
    number = zlib.crc32(subject.encode())
    return (
        f"From: Bob <{sender}>\r\nTo: alice@bm.internal\r\nSubject: {subject}\r\n"
        f"Date: Sat, 21 Nov 2026 20:15:00 +0000\r\nMessage-ID: <{number:08x}@bm.internal>\r\n\r\n{body}"
    ).encode()
