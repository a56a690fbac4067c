"""A SAM bridge over a network of its own, in memory: sessions of one bridge call each other."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256

BRIDGE = "127.79.2.1"


def i2p_base64(data: bytes) -> str:
    return base64.b64encode(data, altchars=b"-~").decode()


def name_of(destination: str) -> str:
    raw = base64.b64decode(destination, altchars=b"-~")
    return base64.b32encode(sha256(raw).digest()).decode().lower().rstrip("=") + ".b32.i2p"


@dataclass
class Session:
    destination: str
    held_by: asyncio.StreamWriter
    acceptors: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter, asyncio.Event]] = field(
        default_factory=asyncio.Queue
    )


@dataclass
class FakeSam:
    """`answers` replaces what is said to the commands that begin with a key."""

    sessions: dict[str, Session] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    answers: dict[str, bytes] = field(default_factory=dict)
    port: int = 0
    connections: dict[asyncio.StreamWriter, asyncio.Task[None]] = field(default_factory=dict)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.connections[writer] = task
        with suppress(asyncio.CancelledError):  # a task of asyncio's streams that is cancelled makes noise
            await self._serve(reader, writer)
        writer.close()
        del self.connections[writer]

    async def close(self) -> None:
        """Leave nobody connected."""
        for writer, task in list(self.connections.items()):
            writer.close()
            task.cancel()
        if self.connections:
            await asyncio.wait(list(self.connections.values()))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        own: list[str] = []
        with suppress(ConnectionError, asyncio.IncompleteReadError, ValueError):
            while line := await reader.readline():
                text = line.decode().strip()
                self.commands.append(text)
                for beginning, answer in self.answers.items():
                    if text.startswith(beginning):
                        writer.write(answer)
                        break
                else:
                    if await self._answer(text, reader, writer, own):
                        return
        for each in own:
            self.sessions.pop(each, None)

    async def _answer(
        self, text: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, own: list[str]
    ) -> bool:
        """Whether the connection was used up by a stream."""
        words = dict(word.split("=", 1) for word in text.split() if "=" in word)

        def say(line: str) -> None:
            writer.write(line.encode() + b"\n")

        match text.split()[:2]:
            case ["HELLO", "VERSION"]:
                say("HELLO REPLY RESULT=OK VERSION=3.1")
            case ["DEST", "GENERATE"]:
                public = os.urandom(384) + b"\x05\x00\x04" + os.urandom(4)  # a certificate with four bytes in it
                say(f"DEST REPLY PUB={i2p_base64(public)} PRIV={i2p_base64(public + os.urandom(288))}")
            case ["SESSION", "CREATE"]:
                public = base64.b64decode(words["DESTINATION"], altchars=b"-~")[:391]
                own.append(words["ID"])
                self.sessions[words["ID"]] = Session(i2p_base64(public), writer)
                say(f"SESSION STATUS RESULT=OK DESTINATION={words['DESTINATION']}")
            case ["NAMING", "LOOKUP"]:
                self._look_up(words["NAME"], own, say)
            case ["STREAM", "ACCEPT"]:
                return await self._accept(words["ID"], reader, writer)
            case ["STREAM", "CONNECT"]:
                return await self._connect(words, reader, writer)
        return False

    def _look_up(self, name: str, own: list[str], say: Callable[[str], None]) -> None:
        known = {name_of(each.destination): each.destination for each in self.sessions.values()}
        known |= {"ME": self.sessions[own[-1]].destination} if own else {}
        if name in known:
            say(f"NAMING REPLY RESULT=OK NAME={name} VALUE={known[name]}")
        else:
            say(f"NAMING REPLY RESULT=KEY_NOT_FOUND NAME={name}")

    async def _accept(self, session: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if session not in self.sessions:
            writer.write(b'STREAM STATUS RESULT=INVALID_ID MESSAGE="no such session"\n')
            return False
        writer.write(b"STREAM STATUS RESULT=OK\n")
        over = asyncio.Event()
        self.sessions[session].acceptors.put_nowait((reader, writer, over))
        await over.wait()
        return True

    async def _connect(self, words: dict[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        theirs = [each for each in self.sessions.values() if each.destination == words["DESTINATION"]]
        if not theirs or words["ID"] not in self.sessions:
            writer.write(b"STREAM STATUS RESULT=CANT_REACH_PEER\n")
            return False
        their_reader, their_writer, over = await theirs[0].acceptors.get()
        their_writer.write(f"{self.sessions[words['ID']].destination} FROM_PORT=0 TO_PORT=0\n".encode())
        writer.write(b"STREAM STATUS RESULT=OK\n")
        await asyncio.gather(pump(reader, their_writer), pump(their_reader, writer))
        over.set()
        return True


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def fake_sam() -> AsyncIterator[FakeSam]:
    bridge = FakeSam()
    server = await asyncio.start_server(bridge.handle, BRIDGE, 0)
    bridge.port = server.sockets[0].getsockname()[1]
    try:
        yield bridge
    finally:
        server.close()
        await bridge.close()
