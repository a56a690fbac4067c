"""Tor's control port, as far as onion services need it; and Tor itself, without any network, where it is installed."""

import asyncio
import base64
import hashlib
import hmac
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from bmgate.bm.hosts import onion_name

CONTROL = "127.79.3.1"
NAMES = {"signal/names": "RELOAD NEWNYM", "version": "0.4.8.9", "events/names": "HS_DESC STATUS_CLIENT"}


@dataclass
class FakeTor:
    """Authenticates by `methods`; services end with the connection that made them."""

    cookie: Path
    methods: str = "COOKIE,SAFECOOKIE"
    password: str = ""
    port: int = 0
    commands: list[str] = field(default_factory=list)
    services: dict[str, str] = field(default_factory=dict)  # name: what it was asked for with
    answer: bytes | None = None  # to ADD_ONION
    connections: dict[asyncio.StreamWriter, asyncio.Task[None]] = field(default_factory=dict)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.connections[writer] = task
        own: list[str] = []
        with suppress(ConnectionError, asyncio.CancelledError):
            while line := await reader.readline():
                text = line.decode().strip()
                self.commands.append(text)
                writer.write(self._answer(text, own))
        for name in own:
            self.services.pop(name, None)
        del self.connections[writer]
        writer.close()

    async def hang_up(self) -> None:
        for writer, task in list(self.connections.items()):
            writer.close()
            task.cancel()
        if self.connections:
            await asyncio.wait(list(self.connections.values()))

    def _answer(self, text: str, own: list[str]) -> bytes:
        match text.split():
            case ["PROTOCOLINFO", _]:
                auth = f'250-AUTH METHODS={self.methods} COOKIEFILE="{self.cookie}"'
                return f'250-PROTOCOLINFO 1\r\n{auth}\r\n250-VERSION Tor="0.4.8.9"\r\n250 OK\r\n'.encode()
            case ["AUTHCHALLENGE", "SAFECOOKIE", nonce]:
                return self._challenge(bytes.fromhex(nonce))
            case ["AUTHENTICATE", *proof]:
                return b"250 OK\r\n" if self._is_proof("".join(proof)) else b"515 Bad authentication\r\n"
            case ["GETINFO", key]:
                return f"250-{key}={NAMES[key]}\r\n250 OK\r\n".encode()
            case ["ADD_ONION", key, *words]:
                return self._add(key, " ".join(words), own) if self.answer is None else self.answer
            case _:
                return b"250 OK\r\n"

    def _challenge(self, nonce: bytes) -> bytes:
        self._said = self.cookie.read_bytes() + nonce + bytes(32)
        proof = hmac.digest(b"Tor safe cookie authentication server-to-controller hash", self._said, "sha256")
        return f"250 AUTHCHALLENGE SERVERHASH={proof.hex().upper()} SERVERNONCE={bytes(32).hex()}\r\n".encode()

    def _is_proof(self, proof: str) -> bool:
        if "SAFECOOKIE" in self.methods:
            expected = hmac.digest(b"Tor safe cookie authentication controller-to-server hash", self._said, "sha256")
            return proof.lower() == expected.hex()
        return self.methods == "NULL" or bytes.fromhex(proof).decode() == self.password

    def _add(self, key: str, words: str, own: list[str]) -> bytes:
        made = base64.b64encode(os.urandom(64)).decode() if key.startswith("NEW:") else key.partition(":")[2]
        name = onion_name(hashlib.sha256(made.encode()).digest())
        own.append(name)
        self.services[name] = words
        secret = f"250-PrivateKey=ED25519-V3:{made}\r\n" if key.startswith("NEW:") else ""
        return f"250-ServiceID={name.removesuffix('.onion')}\r\n{secret}250 OK\r\n".encode()


@asynccontextmanager
async def fake_tor(folder: Path) -> AsyncIterator[FakeTor]:
    cookie = folder / "control_auth_cookie"
    cookie.write_bytes(os.urandom(32))
    tor = FakeTor(cookie)
    server = await asyncio.start_server(tor.handle, CONTROL, 0)
    tor.port = server.sockets[0].getsockname()[1]
    try:
        yield tor
    finally:
        server.close()
        await tor.hang_up()


@asynccontextmanager
async def real_tor(folder: Path) -> AsyncIterator[int]:
    """The control port of a Tor that has no network."""
    program = shutil.which("tor")
    assert program is not None
    place = folder / "control-port"
    torrc = folder / "torrc"
    torrc.write_text(
        f"SocksPort 0\nControlPort {CONTROL}:auto\nControlPortWriteToFile {place}\nCookieAuthentication 1\n"
        f"DisableNetwork 1\nDataDirectory {folder / 'tor'}\nLog err stdout\n"
    )
    process = await asyncio.create_subprocess_exec(program, "-f", str(torrc), "--defaults-torrc", os.devnull)
    try:
        async with asyncio.timeout(30):
            while not place.exists():  # noqa: ASYNC110 - Tor tells nobody else
                await asyncio.sleep(0.02)
        yield int(place.read_text().rpartition(":")[2])
    finally:
        process.kill()
        await process.wait()
