"""A SOCKS5 proxy that leads where a test wants, and a record of every socket and name that the process asks for."""

import asyncio
import ipaddress
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from bmgate.bm.hosts import is_address

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PROXY = "127.79.0.1"


@dataclass(frozen=True)
class Asked:
    """One request as the proxy heard it; `kind` is 1 for IPv4, 3 for a name, 4 for IPv6."""

    kind: int
    host: str
    port: int
    user: str
    password: str


@dataclass
class FakeSocks:
    """Is itself whatever host of `places` it is asked for; others are unreachable, or get no answer at all."""

    places: dict[str, Serve] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    port: int = 0
    silent: bool = False
    reply: bytes | None = None  # said in place of the one that belongs there

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            if self.silent:
                await reader.read()
            else:
                await self._serve(reader, writer)
        writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, number = await reader.readexactly(2)
        assert 2 in await reader.readexactly(number), "credentials are offered"
        writer.write(b"\x05\x02")
        _, size = await reader.readexactly(2)
        user = (await reader.readexactly(size)).decode()
        password = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        writer.write(b"\x01\x00")
        *_, kind = await reader.readexactly(4)
        host = await self._host(reader, kind)
        port = int.from_bytes(await reader.readexactly(2), "big")
        self.asked.append(Asked(kind, host, port, user, password))
        if self.reply is not None or host not in self.places:
            writer.write(self.reply if self.reply is not None else b"\x05\x04\x00\x01" + bytes(6))
            return
        writer.write(b"\x05\x00\x00\x01" + bytes(6))
        await self.places[host](reader, writer)

    async def _host(self, reader: asyncio.StreamReader, kind: int) -> str:
        if kind == 3:
            return (await reader.readexactly((await reader.readexactly(1))[0])).decode("ascii")
        return str(ipaddress.ip_address(await reader.readexactly({1: 4, 4: 16}[kind])))


@asynccontextmanager
async def fake_socks(**places: Serve) -> AsyncIterator[FakeSocks]:
    proxy = FakeSocks(dict(places))
    server = await asyncio.start_server(proxy.handle, PROXY, 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()


@dataclass
class SocketGuard:
    """What the process connected to, sent datagrams to, or looked up, while the guard was on."""

    contacted: list[tuple[str, Any]] = field(default_factory=list)
    active: bool = False

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.active:
            return
        match event:
            case "socket.connect" | "socket.sendto" | "socket.sendmsg":
                if isinstance(arguments[1], tuple):  # not a Unix socket
                    self.contacted.append((event, arguments[1][:2]))
            case "socket.getaddrinfo" | "socket.gethostbyname" | "socket.gethostbyaddr" | "socket.getnameinfo":
                if arguments[0] is not None and not is_address(str(arguments[0])):  # addresses are not looked up
                    self.contacted.append((event, arguments[0]))

    def outside(self, *allowed: tuple[str, int]) -> list[tuple[str, Any]]:
        """All that was contacted but the places in `allowed`."""
        return [each for each in self.contacted if each[1] not in allowed]


_GUARD = SocketGuard()
_HOOKED: list[bool] = []


@contextmanager
def socket_guard() -> Iterator[SocketGuard]:
    """Records, by an audit hook of Python: nothing in the process gets past it. Such a hook stays, so there is one."""
    if not _HOOKED:
        sys.addaudithook(lambda event, arguments: _GUARD.hook(event, arguments))
        _HOOKED.append(True)
    _GUARD.contacted.clear()
    _GUARD.active = True
    try:
        yield _GUARD
    finally:
        _GUARD.active = False
