"""The control socket over a real Unix stream (E7)."""

import asyncio
import json
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bmgate.control.client import ControlClient
from bmgate.control.paths import MAX_SOCKET_PATH, short_path
from bmgate.control.protocol import MAX_LINE, Progress, Tell
from bmgate.control.server import MAX_CONNECTIONS, ControlServer
from bmgate.errors import BadAddress, Missing, ProtocolError, TooLarge, Unavailable

TURNS = 200  # of the loop, after which both ends have moved what they can


class Answers:
    """A method table with one answer for everything; `held` calls wait until `release` is set."""

    def __init__(self) -> None:
        self.release, self.started, self.cancelled = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.running = self.most_running = self.told = 0

    async def call(self, method: str, params: dict[str, Any], tell: Tell) -> Any:
        match method:
            case "echo":
                return params
            case "count":
                for number in range(3):
                    await tell(number)
                return "counted"
            case "flood":
                self.started.set()
                while True:
                    self.told += 1
                    await tell("x" * MAX_LINE)
            case "missing":
                raise Missing("there is no such thing")
            case "address":
                raise BadAddress("checksumfailed", "a typing error")
            case "bug":
                raise ZeroDivisionError
            case "large":
                return "x" * (MAX_LINE + 1)
            case _:
                return await self._held()

    async def _held(self) -> str:
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        self.started.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        finally:
            self.running -= 1
        return "released"


class RawClient:
    """Says what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def read(self) -> dict[str, Any]:
        """The next line, or {} at the end."""
        line = await self.reader.readline()
        value: dict[str, Any] = json.loads(line) if line else {}
        return value

    async def ask(self, **request: Any) -> dict[str, Any]:
        self.writer.write(json.dumps(request).encode() + b"\n")
        return await self.read()

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


@asynccontextmanager
async def serving(path: Path, call: Callable[..., Awaitable[Any]]) -> AsyncIterator[ControlServer]:
    server = ControlServer(call, "1.2")
    await server.start(path)
    try:
        yield server
    finally:
        await server.close()


@asynccontextmanager
async def connected(path: Path) -> AsyncIterator[RawClient]:
    with short_path(path) as name:
        client = RawClient(*await asyncio.open_unix_connection(name, limit=4 * MAX_LINE))
    try:
        yield client
    finally:
        await client.close()


async def ask(path: Path, method: str, progress: Progress = lambda _: None, **params: Any) -> Any:
    """What the client of the command line gets; it blocks, so it has a thread."""

    def run() -> Any:
        with ControlClient(path) as client:
            return client.call(method, params, progress)

    return await asyncio.to_thread(run)


async def test_the_gateway_speaks_first(tmp_path: Path) -> None:
    async with serving(tmp_path / "s", Answers().call), connected(tmp_path / "s") as client:
        assert await client.read() == {"bmgate": "1.2", "control": 1}


async def test_a_call_is_answered_under_its_id(tmp_path: Path) -> None:
    async with serving(tmp_path / "s", Answers().call), connected(tmp_path / "s") as client:
        await client.read()
        assert await client.ask(id="a", method="echo", params={"x": [1, "ä"]}) == {"id": "a", "result": {"x": [1, "ä"]}}
        assert await client.ask(id=2, method="echo") == {"id": 2, "result": {}}


async def test_progress_comes_before_the_result(tmp_path: Path) -> None:
    seen: list[Any] = []
    async with serving(tmp_path / "s", Answers().call):
        assert await ask(tmp_path / "s", "count", seen.append) == "counted"
    assert seen == [0, 1, 2]


async def test_a_method_waits_for_a_client_that_reads_no_further(tmp_path: Path) -> None:
    answers = Answers()
    async with serving(tmp_path / "s", answers.call), connected(tmp_path / "s") as client:
        await client.read()
        client.writer.write(b'{"id": 1, "method": "flood"}\n')
        await answers.started.wait()
        told = 0
        while told != answers.told:
            told = answers.told
            for _ in range(TURNS):
                await asyncio.sleep(0)
        assert told < 20, "what is in the buffers"
        for _ in range(told + 1):
            assert "progress" in await client.read()


async def test_errors_cross_the_socket(tmp_path: Path) -> None:
    async with serving(tmp_path / "s", Answers().call):
        with pytest.raises(Missing, match="no such thing"):
            await ask(tmp_path / "s", "missing")
        with pytest.raises(BadAddress) as raised:
            await ask(tmp_path / "s", "address")
    assert raised.value.status == "checksumfailed"


async def test_a_bug_is_logged_and_told_without_its_details(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(tmp_path / "s", Answers().call), connected(tmp_path / "s") as client:
        await client.read()
        error = (await client.ask(id=1, method="bug"))["error"]
        assert (await client.ask(id=2, method="echo"))["result"] == {}  # the connection lives on
    assert error["code"] == "GatewayError"
    assert "ZeroDivision" not in error["message"]
    assert [record.exc_info is not None for record in caplog.records] == [True]


@pytest.mark.parametrize("line", [b"nonsense\n", b"[1]\n", b'{"id": 1}\n', b"\xff\xff\n"])
async def test_wrong_json_is_told_and_ends_the_connection(tmp_path: Path, line: bytes) -> None:
    async with serving(tmp_path / "s", Answers().call), connected(tmp_path / "s") as client:
        await client.read()
        client.writer.write(line)
        assert (await client.read())["error"]["code"] == "ProtocolError"
        assert await client.read() == {}


async def test_a_line_beyond_one_mebibyte_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path / "s", Answers().call), connected(tmp_path / "s") as client:
        await client.read()
        client.writer.write(b'{"id": 1, "method": "' + b"x" * (MAX_LINE + 1))
        assert (await client.read())["error"]["code"] == "TooLarge"


async def test_an_answer_beyond_one_mebibyte_is_an_error_instead(tmp_path: Path) -> None:
    async with serving(tmp_path / "s", Answers().call):
        with pytest.raises(TooLarge, match="answer has"):
            await ask(tmp_path / "s", "large")


async def test_the_client_sends_no_line_beyond_one_mebibyte(tmp_path: Path) -> None:
    async with serving(tmp_path / "s", Answers().call):
        with pytest.raises(TooLarge):
            await ask(tmp_path / "s", "echo", x="x" * MAX_LINE)


async def test_hanging_up_cancels_the_call(tmp_path: Path) -> None:
    answers = Answers()
    async with serving(tmp_path / "s", answers.call):
        async with connected(tmp_path / "s") as client:
            await client.read()
            client.writer.write(b'{"id": 1, "method": "hold"}\n')
            async with asyncio.timeout(5):
                await answers.started.wait()
        async with asyncio.timeout(5):
            await answers.cancelled.wait()


async def test_eight_connections_work_at_once_and_the_ninth_is_told(tmp_path: Path) -> None:
    async with serving(tmp_path / "s", Answers().call):
        clients = []
        for _ in range(MAX_CONNECTIONS):
            context = connected(tmp_path / "s")
            client = await context.__aenter__()
            assert (await client.read())["control"] == 1
            clients.append((context, client))
        with pytest.raises(Unavailable, match="try again"):
            await ask(tmp_path / "s", "echo")
        for context, client in clients:
            assert (await client.ask(id=1, method="echo"))["result"] == {}
            await context.__aexit__(None, None, None)


async def test_calls_of_several_connections_run_side_by_side(tmp_path: Path) -> None:
    answers = Answers()
    async with serving(tmp_path / "s", answers.call):
        held = asyncio.create_task(ask(tmp_path / "s", "hold"))
        async with asyncio.timeout(5):
            await answers.started.wait()
        assert await ask(tmp_path / "s", "echo", x=1) == {"x": 1}
        answers.release.set()
        assert await held == "released"


async def test_e7_requests_sent_at_once_are_answered_one_after_the_other(tmp_path: Path) -> None:
    answers = Answers()
    async with serving(tmp_path / "s", answers.call), connected(tmp_path / "s") as client:
        await client.read()
        client.writer.write(b'{"id":1,"method":"hold"}\n{"id":2,"method":"echo","params":{"a":1}}\n')
        await answers.started.wait()
        answers.release.set()
        assert await client.read() == {"id": 1, "result": "released"}
        assert await client.read() == {"id": 2, "result": {"a": 1}}


async def test_a_long_path_is_served_and_reached(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 20) / ("longer" * 20)
    folder.mkdir(parents=True)
    path = folder / "control.sock"
    assert len(str(path)) > MAX_SOCKET_PATH
    async with serving(path, Answers().call):
        assert path.is_socket()
        assert await ask(path, "echo", x=1) == {"x": 1}
    assert not path.exists()


async def test_the_socket_is_for_its_user_alone_and_goes_with_the_gateway(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with serving(path, Answers().call):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


async def test_the_socket_of_a_killed_gateway_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_bytes(b"left behind")
    async with serving(path, Answers().call):
        assert await ask(path, "echo") == {}


async def test_stopping_ends_what_is_connected(tmp_path: Path) -> None:
    answers = Answers()
    async with serving(tmp_path / "s", answers.call) as server, connected(tmp_path / "s") as client:
        await client.read()
        client.writer.write(b'{"id": 1, "method": "hold"}\n')
        async with asyncio.timeout(5):
            await answers.started.wait()
            await server.close()
            assert await client.read() == {}
    assert answers.cancelled.is_set()


def test_no_gateway_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no gateway"):
        ControlClient(tmp_path / "control.sock")


@pytest.mark.parametrize(
    ("greeting", "error"),
    [
        (b'{"bmgate": "9", "control": 2}\n', ProtocolError),
        (b"\n", ProtocolError),
        (b"", Unavailable),
        (b'{"bmgate": "9", "con', Unavailable),
    ],
)
async def test_a_strange_greeting_is_refused(tmp_path: Path, greeting: bytes, error: type[Exception]) -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        writer.close()

    server = await asyncio.start_unix_server(greet, tmp_path / "s")
    with pytest.raises(error):
        await ask(tmp_path / "s", "echo")
    server.close()
    await server.wait_closed()
