"""The door for Prometheus: one page over HTTP, `/metrics`. It asks for no password and tells figures only.

Speaks as much of HTTP/1.1 as that takes (RFC 9112): one request on a connection, GET or HEAD, then it is closed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bmgate.errors import Unavailable

MAX_CONNECTIONS = 8
MAX_HEAD = 8 * 1024  # bytes of a request
REQUEST_SECONDS = 5.0
PAGE = "/metrics"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
TEXT = "text/plain; charset=utf-8"

Exposition = Callable[[], Awaitable[bytes]]
"""Makes the page, in the text format of Prometheus; may raise Unavailable."""

log = logging.getLogger(__name__)


class MetricsServer:
    """Answers each request for the page with what `expose` returns then."""

    def __init__(self, expose: Exposition) -> None:
        self._expose = expose
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int) -> int:
        """Listen; the port that was bound. Raises OSError."""
        self._server = await asyncio.start_server(self._accept, host, port, limit=MAX_HEAD)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def close(self) -> None:
        """Stop listening and end what is under way."""
        if self._server is not None:
            self._server.close()
        for session in tuple(self._sessions):
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = asyncio.current_task()
        assert session is not None, "a connection is served by a task"
        if len(self._sessions) == MAX_CONNECTIONS:
            writer.close()
            return
        self._sessions.add(session)
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                writer.write(await self._answer(reader))
                await writer.drain()
        except (ConnectionError, TimeoutError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass  # the ordinary ends of a session
        finally:
            self._sessions.discard(session)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _response("431 Request Header Fields Too Large", b"")
        method, path, version = _request_line(head)
        if not version.startswith("HTTP/1."):
            return _response("400 Bad Request", b"")
        if method not in ("GET", "HEAD"):
            return _response("405 Method Not Allowed", b"", extra="Allow: GET, HEAD\r\n")
        if path.split("?")[0] != PAGE:
            return _response("404 Not Found", f"try {PAGE}\n".encode())
        try:
            body = await self._expose()
        except Unavailable as error:
            return _response("503 Service Unavailable", f"{error}\n".encode())
        return _response("200 OK", body, CONTENT_TYPE, is_head=method == "HEAD")


def _request_line(head: bytes) -> tuple[str, str, str]:
    """Method, target and version; empty where it has other than three words."""
    words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    return (words[0], words[1], words[2]) if len(words) == 3 else ("", "", "")


def _response(status: str, body: bytes, content_type: str = TEXT, extra: str = "", is_head: bool = False) -> bytes:
    fields = f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{extra}Connection: close\r\n"
    return f"HTTP/1.1 {status}\r\n{fields}\r\n".encode() + (b"" if is_head else body)
