"""The control socket of a running gateway: other programs of the same user, one request at a time each (E7)."""

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bmgate.control.paths import bind_unix, remove
from bmgate.control.protocol import (
    CONTROL_VERSION,
    MAX_LINE,
    Request,
    Tell,
    encode_line,
    error_value,
    read_request,
)
from bmgate.errors import GatewayError, ProtocolError, TooLarge, Unavailable

MAX_CONNECTIONS = 8
IDLE_SECONDS = 60

Call = Callable[[str, dict[str, Any], Tell], Awaitable[Any]]

log = logging.getLogger(__name__)


class ControlServer:
    """Listens on a Unix socket and answers with what `call` returns."""

    def __init__(self, call: Call, version: str) -> None:
        self._call, self._version = call, version
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()
        self._path: Path | None = None

    async def start(self, path: Path) -> None:
        """Bind `path` (mode 0600), in place of what a gateway left behind that was killed."""
        listener = bind_unix(path)
        self._server = await asyncio.start_unix_server(self._accept, sock=listener, limit=MAX_LINE)
        self._path = path

    async def close(self) -> None:
        """Stop listening, end the sessions, remove the socket."""
        if self._server is not None:
            self._server.close()
        for session in tuple(self._sessions):
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)
        if self._path is not None:
            remove(self._path)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = asyncio.current_task()
        assert session is not None, "a connection is served by a task"
        self._sessions.add(session)
        try:
            if not _is_permitted(writer):
                return
            if len(self._sessions) > MAX_CONNECTIONS:
                writer.write(_refusal(Unavailable(f"{MAX_CONNECTIONS} commands are connected; try again in a moment")))
                return
            writer.write(encode_line({"bmgate": self._version, "control": CONTROL_VERSION}))
            await self._serve(reader, writer)
        except (ConnectionError, TimeoutError, asyncio.CancelledError):  # the ordinary ends of a session
            pass
        finally:
            self._sessions.discard(session)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        following = asyncio.ensure_future(reader.readline())
        try:
            while True:
                async with asyncio.timeout(IDLE_SECONDS):
                    line = await following
                if not line:
                    return
                request = read_request(line)
                following = asyncio.ensure_future(reader.readline())
                await self._answer(request, following, writer)
        except ValueError:
            writer.write(_refusal(TooLarge(f"a line of the control protocol has at most {MAX_LINE} bytes")))
        except ProtocolError as error:
            writer.write(_refusal(error))
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def _answer(self, request: Request, following: "asyncio.Future[bytes]", writer: asyncio.StreamWriter) -> None:
        """Carry out one request; when the line behind it turns out to be the end, the client hung up."""

        async def tell(value: Any) -> None:
            writer.write(encode_line({"id": request.id, "progress": value}))
            await writer.drain()  # a client that reads no further has the method wait, not our memory grow

        work = asyncio.ensure_future(self._call(request.method, request.params, tell))
        try:
            await asyncio.wait({work, following}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done() and not await following:
                raise ConnectionResetError
            await asyncio.wait({work})
            writer.write(_reply(request.id, work))
            await writer.drain()
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


def _refusal(error: GatewayError) -> bytes:
    """The last line of a connection that did not come to a request."""
    return encode_line({"id": None, "error": error_value(error)})


def _reply(identifier: int | str, work: "asyncio.Future[Any]") -> bytes:
    line = encode_line({"id": identifier, **_outcome(work)})
    if len(line) <= MAX_LINE:
        return line
    error = TooLarge(f"the answer has {len(line)} bytes; a line of the control protocol has at most {MAX_LINE}")
    return encode_line({"id": identifier, "error": error_value(error)})


def _outcome(work: "asyncio.Future[Any]") -> dict[str, Any]:
    error = work.exception()
    if error is None:
        return {"result": work.result()}
    if isinstance(error, GatewayError):
        return {"error": error_value(error)}
    log.error("a command failed", exc_info=error)
    return {"error": error_value(GatewayError("an internal error; the log of the gateway has the details"))}


def _is_permitted(writer: asyncio.StreamWriter) -> bool:
    """Only our own user, and root (SO_PEERCRED: pid, uid, gid)."""
    peer: socket.socket = writer.get_extra_info("socket")
    _, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return uid in (0, os.geteuid())
