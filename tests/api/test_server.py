"""The door itself: who may come in, how much, how long, and how it closes."""

import asyncio
import json
import xmlrpc.client
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
from api.house import HOST, House, MakeHouse, b64, basic
from fakes import FakeClock
from gateway_folders import PASSWORD
from stopwatch import Stopwatch

from bmgate.api import server
from bmgate.api.server import MAX_BODY, MAX_HEAD, read_basic


@asynccontextmanager
async def connection(house: House) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(HOST, house.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


class WatchedClock(FakeClock):
    """Tells when somebody waits for it."""

    def __init__(self, now: int) -> None:
        super().__init__(now)
        self.begun = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.begun.set()
        await super().sleep(seconds)


HELLO = xmlrpc.client.dumps(("a", "b"), "helloWorld").encode()


@pytest.mark.parametrize("path", ["/", "/RPC2"])
async def test_both_paths_are_served_and_no_other(house: House, path: str) -> None:
    status, body, fields = await house.post(HELLO, path=path)
    assert (status, xmlrpc.client.loads(body)[0]) == (200, ("a-b",))
    assert fields["content-type"].startswith("text/xml")
    assert fields["connection"] == "close"
    assert (await house.post(HELLO, path=path + "x"))[0] == 404
    assert (await house.post(b"", path=path, method="GET"))[0] == 405


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer x", "Basic", "Basic %%%", "Basic " + b64("no colon"), "Basic /w=="],
)
async def test_who_shows_no_password_is_asked_for_it_at_once(house: House, authorization: str) -> None:
    watch = Stopwatch()
    status, body, fields = await house.post(HELLO, authorization=authorization)
    assert (status, fields["www-authenticate"].startswith("Basic ")) == (401, True)
    assert b"password incorrect" in body
    assert watch.seconds < 1.5


async def test_a_wrong_password_is_answered_after_two_seconds(make_house: MakeHouse) -> None:
    clock = WatchedClock(1_795_000_000)
    house = await make_house(clock=clock)
    refused = asyncio.create_task(house.post(HELLO, authorization=basic("anna", "wrong password")))
    await clock.begun.wait()
    clock.advance(1.9)
    assert await asyncio.wait([refused], timeout=0.1) == (set(), {refused})
    clock.advance(0.2)
    assert (await refused)[0] == 401
    assert (await house.post(HELLO))[0] == 200


async def test_pages_in_a_browser_are_turned_away(house: House) -> None:
    assert (await house.post(HELLO, Origin="https://example.org"))[0] == 403


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("127.0.0.1:8442", 200),
        ("127.8.9.10", 200),
        ("LocalHost:8442", 200),
        ("[::1]:8442", 200),
        ("[::1]", 200),
        ("", 200),
        ("evil.example:8442", 421),
        ("127.0.0.1.evil.example", 421),
        ("192.0.2.1", 421),
        ("[2001:db8::1]:8442", 421),
    ],
)
async def test_w6_a_name_that_was_made_to_lead_here_is_refused(house: House, name: str, status: int) -> None:
    assert (await house.post(HELLO, Host=name))[0] == status


async def test_what_says_it_is_far_too_long_is_refused_at_once(house: House) -> None:
    async with connection(house) as (reader, writer):
        writer.write(f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 999999999999\r\n\r\n".encode())
        assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"HTTP/1.1 413")


async def test_what_is_too_long_or_no_call_is_refused(house: House) -> None:
    assert (await house.post(b"x" * (MAX_BODY + 1)))[0] == 413
    assert (await house.post(b"x" * MAX_BODY))[0] == 400
    with pytest.raises(xmlrpc.client.ProtocolError) as error:
        await house.raw("helloWorld", "x" * MAX_BODY, "")
    assert error.value.errcode == 413


async def test_a_body_without_a_length_is_bounded_too(house: House) -> None:
    async with connection(house) as (reader, writer):
        writer.write(f"POST / HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: {basic('anna', PASSWORD)}\r\n".encode())
        writer.write(b"Transfer-Encoding: chunked\r\n\r\n" + b"10000\r\n%b\r\n" % (b"x" * 0x10000) * 20 + b"0\r\n\r\n")
        assert (await asyncio.wait_for(reader.readline(), 10)).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("data", [b"\r\n\r\n", b"GARBAGE\r\n\r\n", b"POST / HTTP/1.1\r\nX: " + b"x" * 2 * MAX_HEAD])
async def test_other_protocols_get_a_short_answer(house: House, data: bytes) -> None:
    async with connection(house) as (reader, writer):
        writer.write(data)
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 5)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 4")


async def test_silent_connections_do_not_add_up(make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.3)
    house = await make_house(connections=3)
    async with AsyncExitStack() as stack:
        silent = [await stack.enter_async_context(connection(house)) for _ in range(8)]
        ends = [asyncio.wait_for(reader.read(), 5) for reader, _ in silent]
        assert await asyncio.gather(*ends) == [b""] * 8
        assert (await house.post(HELLO))[0] == 200


async def test_it_closes_soon_whatever_is_under_way(make_house: MakeHouse) -> None:
    house = await make_house()
    async with connection(house) as (_, writer):
        writer.write(b"POST / HTTP/1.1\r\n")
        await writer.drain()
        watch = Stopwatch()
        await house.server.close()
        assert watch.seconds < 4
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(HOST, house.port)


async def test_a_search_ends_when_its_caller_hangs_up(house: House) -> None:
    call = xmlrpc.client.dumps((b64("secret"), 999, 4, 1, True), "createDeterministicAddresses").encode()
    login = f"Host: localhost\r\nAuthorization: {basic('anna', PASSWORD)}\r\n"
    head = f"POST / HTTP/1.1\r\n{login}Content-Length: {len(call)}\r\n\r\n"
    async with connection(house) as (_, writer):
        writer.write(head.encode() + call)
        await writer.drain()
        while not (await house.raw("createRandomAddress", "")).startswith("API Error 0021"):
            pass  # until the search has begun
    async with asyncio.timeout(10):
        while (await house.raw("createRandomAddress", "")).startswith("API Error"):
            pass


async def test_plain_xml_rpc_has_values_and_faults(make_house: MakeHouse) -> None:
    house = await make_house("xml")
    assert (await house.raw("listAddresses"))["addresses"][0]["address"] == house.address
    with pytest.raises(xmlrpc.client.Fault) as fault:
        await house.raw("deleteAddress", "BM-x")
    assert 7 <= fault.value.faultCode <= 9
    with pytest.raises(xmlrpc.client.Fault) as fault:
        await house.raw("getInboxMessageById", "ab" * 32)
    assert fault.value.faultCode == 21, "XML-RPC has no None"


async def test_json_rpc_has_values_and_errors(make_house: MakeHouse) -> None:
    house = await make_house("json")

    async def ask(document: object) -> tuple[int, object]:
        status, body, _ = await house.post(json.dumps(document).encode())
        return status, json.loads(body) if body else None

    call = {"jsonrpc": "2.0", "method": "add", "params": [1, 2], "id": 1}
    assert await ask(call) == (200, {"jsonrpc": "2.0", "result": 3, "id": 1})
    assert await ask({**call, "method": "getSentMessageById", "params": ["ab" * 32]}) == (
        200,
        {"jsonrpc": "2.0", "result": None, "id": 1},
    )
    _, refused = await ask({**call, "method": "frobnicate"})
    assert isinstance(refused, dict)
    assert refused["error"] == {"code": 20, "message": "Invalid method: frobnicate"}
    for params in ([1e308, 1e308], [10**400, 1.5]):
        _, too_large = await ask({**call, "params": params})
        assert isinstance(too_large, dict)
        assert "too large" in too_large["error"]["message"]
    _, hard = await ask({**call, "method": "createRandomAddress", "params": [b64("a"), False, 10**400]})
    assert isinstance(hard, dict)
    assert "from 1 to 100" in hard["error"]["message"]
    assert await ask([call, {**call, "id": 2}]) == (
        200,
        [{"jsonrpc": "2.0", "result": 3, "id": 1}, {"jsonrpc": "2.0", "result": 3, "id": 2}],
    )
    assert await ask({"jsonrpc": "2.0", "method": "add", "params": [1, 2]}) == (204, None)
    status, broken, _ = await house.post(b"{")
    assert (status, json.loads(broken)["error"]["code"]) == (200, -32700)


@pytest.mark.parametrize(
    ("header", "meant"),
    [
        (basic("a", "b:c"), ("a", "b:c")),
        ("basic " + b64("Ünal:p"), ("Ünal", "p")),
        ("", None),
        ("Basic a b", None),
    ],
)
def test_credentials_are_read(header: str, meant: tuple[str, str] | None) -> None:
    assert read_basic(header) == meant
