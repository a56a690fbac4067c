"""The door for scripts and tools: HTTP on a loopback address, paths `/` and `/RPC2`, Basic authentication (RFC 7617).

uvicorn reads requests in our loop; it opens no sockets and takes no signals. One request is answered on a connection,
then it is closed. A page in a browser is turned away: its requests have an `Origin`, or the name of its own server as
`Host`, which it made lead here (W6).
"""

import asyncio
import base64
import binascii
import contextlib
import ipaddress
import logging
import socket
from collections.abc import Iterator
from functools import partial
from typing import Any, Protocol

import h11
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from bmgate.api.address_methods import AddressMethods
from bmgate.api.contact_methods import ContactMethods
from bmgate.api.faults import Fault
from bmgate.api.formats import Answer, Variant, answer
from bmgate.api.message_methods import MessageMethods
from bmgate.api.node_methods import NodeMethods
from bmgate.api.ports import ApiServices
from bmgate.api.replies import fault_for
from bmgate.api.sending_methods import SendingMethods
from bmgate.api.table import Methods
from bmgate.api.values import Wire
from bmgate.api.xml_rpc import Call
from bmgate.domain.account import AccountId
from bmgate.domain.ports.world import Clock
from bmgate.errors import GatewayError, LoginFailed

MAX_BODY = 1024 * 1024  # octets
MAX_HEAD = 16 * 1024  # octets
MAX_IGNORED = 8 * MAX_BODY  # octets of a request that is refused
HEAD_SECONDS = 10.0  # from connecting to the end of the header
BODY_SECONDS = 30.0
FAILED_LOGIN_SECONDS = 2.0  # in all, until a wrong password is answered
STOP_SECONDS = 2  # for calls under way
PATHS = ("/", "/RPC2")
WRONG = "RPC Username or password incorrect or HTTP header lacks authentication at all.\n"

log = logging.getLogger(__name__)


class Accounts(Protocol):
    """Who may log in."""

    async def login(self, name: str, password: str, source: str) -> AccountId:
        """Raises LoginFailed, LimitReached for a source that failed too often, or Unavailable."""
        ...


class Api:
    """Answers requests: who is it, what is asked for, what came of it."""

    def __init__(
        self, accounts: Accounts, services: ApiServices, variant: Variant, clock: Clock, host: str = ""
    ) -> None:
        """`host` is where it listens: requests to that name, or to loopback, are meant for us."""
        self._accounts, self._variant, self._clock, self._host = accounts, variant, clock, host
        families = (AddressMethods, MessageMethods, SendingMethods, ContactMethods, NodeMethods)
        self.methods = Methods([family(services).table() for family in families])

    @property
    def application(self) -> Starlette:
        """For an ASGI server."""
        return Starlette(routes=[Route(path, self._answer, methods=["POST"]) for path in PATHS])

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._answer_in_time(request)
        except (TimeoutError, ClientDisconnect):
            return PlainTextResponse("the request did not come to its end\n", 408)

    async def _answer_in_time(self, request: Request) -> Response:
        """A body is taken in before a refusal is told, or the end of the connection would overtake that.

        But for one that says itself that it is no body of a call.
        """
        if int(request.headers.get("content-length", "0")) > MAX_IGNORED:
            return _too_long()
        if not is_meant_here(request.headers.get("host", ""), self._host):
            await _read_body(request, 0)
            return PlainTextResponse("this is no server of that name\n", 421)
        credentials = read_basic(request.headers.get("authorization", ""))
        if "origin" in request.headers or credentials is None:
            await _read_body(request, 0)
            return _unauthorized() if credentials is None else PlainTextResponse("not for pages in a browser\n", 403)
        try:
            account = await self._login(*credentials, request.client.host if request.client else "")
        except GatewayError as error:
            await _read_body(request, 0)
            is_wrong = isinstance(error, LoginFailed)
            return _unauthorized() if is_wrong else PlainTextResponse(f"{error}\n", 503)
        body = await _read_body(request, MAX_BODY)
        if body is None:
            return _too_long()
        answered = await self._while_connected(request, account, body)
        if answered is None:
            return Response(status_code=499)  # to nobody
        if not answered.body:
            return Response(status_code=204)
        return Response(answered.body, 200 if answered.is_call else 400, media_type=answered.content_type)

    async def _while_connected(self, request: Request, account: AccountId, body: bytes) -> Answer | None:
        """The answer, or None once the caller has hung up: then nothing more is done for him."""

        async def perform(call: Call) -> Wire:
            return await self._perform(account, call)

        answering = asyncio.ensure_future(answer(self._variant, body, perform))
        leaving = asyncio.ensure_future(request.receive())  # after the body only the end of the connection comes
        try:
            await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
            return await answering if answering.done() else None
        finally:
            for task in (answering, leaving):
                task.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)

    async def _perform(self, account: AccountId, call: Call) -> Wire:
        """Raises Fault and nothing else; what should not happen is logged and told without its text."""
        try:
            return await self.methods.call(account, call.method, call.params)
        except GatewayError as error:
            raise fault_for(error) from error
        except Exception as error:
            log.exception("a call of the API failed")
            raise Fault("Unexpected API Failure - internal error") from error

    async def _login(self, name: str, password: str, source: str) -> AccountId:
        began = self._clock.monotonic()
        try:
            return await self._accounts.login(name, password, source)
        except LoginFailed:
            await self._clock.sleep(max(0.0, FAILED_LOGIN_SECONDS - (self._clock.monotonic() - began)))
            raise


def read_basic(header: str) -> tuple[str, str] | None:
    """Name and password of an Authorization field; None where there are none."""
    scheme, _, encoded = header.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(encoded.strip().encode("ascii"), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    name, colon, password = decoded.partition(":")
    return (name, password) if colon else None


def is_meant_here(host: str, listening: str) -> bool:
    """Whether a Host field, which HTTP/1.0 may lack, names this machine as one reaches it from itself."""
    name = host.strip().lower()
    name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    if name in ("", "localhost", listening.lower()):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _too_long() -> Response:
    return PlainTextResponse(f"a request has at most {MAX_BODY} octets\n", 413)


def _unauthorized() -> Response:
    return PlainTextResponse(WRONG, 401, {"WWW-Authenticate": 'Basic realm="bmgate", charset="UTF-8"'})


async def _read_body(request: Request, limit: int) -> bytes | None:
    """The body, None where it has more than `limit` octets; of more than can be meant well the rest is not awaited.

    Raises TimeoutError, ClientDisconnect.
    """
    body, received = bytearray(), 0
    async with asyncio.timeout(BODY_SECONDS):
        async for portion in request.stream():
            received += len(portion)
            body += portion[: max(0, limit - len(body))]
            if received > MAX_IGNORED:
                break
    return bytes(body) if received <= limit else None


class _Connection(H11Protocol):
    """A connection that is closed when its request does not begin in time, or at once where there are too many."""

    def connection_made(self, transport: Any) -> None:
        """Start the clock."""
        super().connection_made(transport)
        self._late = self.loop.call_later(HEAD_SECONDS, self._close_if_silent)
        if self.limit_concurrency is not None and len(self.connections) > self.limit_concurrency:
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop it."""
        self._late.cancel()
        super().connection_lost(exc)

    def _close_if_silent(self) -> None:
        if self.conn.their_state is h11.IDLE:
            self.transport.close()


class _Server(uvicorn.Server):
    """uvicorn within a program that has its own ideas about signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """They are not ours."""
        yield


class ApiServer:
    """Listens, and answers what comes."""

    def __init__(
        self, accounts: Accounts, services: ApiServices, variant: Variant, connections: int, clock: Clock
    ) -> None:
        self._api_at = partial(Api, accounts, services, variant, clock)
        self._connections = connections
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; the port that was bound. Raises OSError."""
        listening = _bound(host, port)
        logging.getLogger("uvicorn").setLevel(logging.ERROR)
        self._server = _Server(
            uvicorn.Config(
                self._api_at(host).application,
                http=_Connection,
                ws="none",
                loop="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                headers=[("Connection", "close")],
                limit_concurrency=self._connections + 1,
                timeout_graceful_shutdown=STOP_SECONDS,
                h11_max_incomplete_event_size=MAX_HEAD,
            )
        )
        self._serving = asyncio.create_task(self._server.serve([listening]))
        bound: int = listening.getsockname()[1]
        return bound

    async def close(self) -> None:
        """Take no more requests, and give those under way a moment."""
        if self._server is None or self._serving is None:
            return
        self._server.should_exit = True
        await asyncio.gather(self._serving, return_exceptions=True)


def _bound(host: str, port: int) -> socket.socket:
    """A socket that listens there already: whoever is told of it may connect."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen()
        bound.setblocking(False)
    except OSError:
        bound.close()
        raise
    return bound
