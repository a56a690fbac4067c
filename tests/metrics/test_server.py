"""The door for Prometheus, asked by an HTTP client and by people who speak something else."""

import asyncio
import http.client
from collections.abc import AsyncIterator

import pytest

from bmgate.errors import Unavailable
from bmgate.metrics.server import MAX_CONNECTIONS, MAX_HEAD, MetricsServer

HOST = "127.83.0.1"
BUSY = Unavailable("the disk is full")


class Page:
    """What is exposed: text, or an error."""

    def __init__(self) -> None:
        self.text: bytes | Unavailable = b"bmgate_tasks 3.0\n"

    async def expose(self) -> bytes:
        if isinstance(self.text, Unavailable):
            raise self.text
        return self.text


@pytest.fixture
def page() -> Page:
    return Page()


@pytest.fixture
async def port(page: Page) -> AsyncIterator[int]:
    server = MetricsServer(page.expose)
    yield await server.start(HOST, 0)
    await server.close()


def fetch(port: int, path: str = "/metrics", method: str = "GET") -> tuple[int, bytes, str]:
    """Status, body and content type."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.getheader("Content-Type", "")
    finally:
        connection.close()


async def say(port: int, data: bytes) -> bytes:
    """What comes back until the end."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(data)
    try:
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()


async def test_the_page_is_fetched(port: int) -> None:
    status, body, content_type = await asyncio.to_thread(fetch, port)
    assert (status, body) == (200, b"bmgate_tasks 3.0\n")
    assert content_type.startswith("text/plain; version=0.0.4")


async def test_head_tells_the_length_alone(port: int) -> None:
    assert (await asyncio.to_thread(fetch, port, "/metrics", "HEAD"))[:2] == (200, b"")


@pytest.mark.parametrize(
    ("path", "method", "expected"), [("/", "GET", 404), ("/metrics?x=1", "GET", 200), ("/metrics", "POST", 405)]
)
async def test_there_is_one_page_to_read(port: int, path: str, method: str, expected: int) -> None:
    assert (await asyncio.to_thread(fetch, port, path, method))[0] == expected


async def test_trouble_with_the_storage_is_told_as_such(port: int, page: Page) -> None:
    page.text = BUSY
    assert (await asyncio.to_thread(fetch, port))[:2] == (503, b"the disk is full\n")


@pytest.mark.parametrize(
    ("data", "beginning"),
    [
        (b"\r\n\r\n", b"HTTP/1.1 400"),
        (b"GET /metrics\r\n\r\n", b"HTTP/1.1 400"),
        (b"\xff\xfe\0\r\n\r\n", b"HTTP/1.1 400"),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 2 * MAX_HEAD, b"HTTP/1.1 431"),
    ],
)
async def test_other_protocols_get_a_short_answer(port: int, data: bytes, beginning: bytes) -> None:
    assert (await say(port, data)).startswith(beginning)


async def test_many_silent_connections_do_not_add_up(port: int) -> None:
    silent = [await asyncio.open_connection(HOST, port) for _ in range(MAX_CONNECTIONS)]
    assert await say(port, b"") == b"", "closed at once"
    for _, writer in silent:
        writer.close()
